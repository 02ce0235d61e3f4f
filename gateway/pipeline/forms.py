"""The list as a form: Chinese names of its fields, their code sets, the official layout."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property

from dipgate.config.rules import rule_world
from dipgate.config.standard import ListItem, codesets, list_items
from dipgate.core.lists import FieldPath
from dipgate.core.rules import ListField

SHORT: Mapping[str, str] = {
    "fixmedins_name": "医疗机构",
    "fixmedins_code": "机构编号",
    "hi_setl_lv": "结算等级",
    "nwb_age": "不足1岁天龄",
    "patn_cert_type": "证件类别",
    "nwb_adm_type": "新生儿入院",
    "nwb_bir_wt": "出生体重",
    "nwb_adm_wt": "入院体重",
    "mul_nwb_bir_wt": "多胎出生重",
    "mul_nwb_adm_wt": "多胎入院重",
    "opsp_diag_caty": "慢特病科别",
    "opsp_mdtrt_date": "慢特病日期",
    "ipt_med_type": "医疗类型",
    "act_ipt_days": "实际住院",
    "otp_wm_dise": "门诊诊断",
    "wm_dise_code": "门诊诊断码",
    "otp_tcm_dise": "门诊中医诊断",
    "tcm_dise_code": "中医诊断码",
    "diag_code_cnt": "诊断计数",
    "oprn_oprt_code_cnt": "手术计数",
    "vent_used_dura": "呼吸机时长",
    "pwcry_bfadm_coma_dura": "入院前昏迷",
    "pwcry_afadm_coma_dura": "入院后昏迷",
    "bld_unt": "输血单位",
    "spga_nurscare_days": "特级护理",
    "lv1_nurscare_days": "一级护理",
    "scd_nurscare_days": "二级护理",
    "lv3_nurscare_days": "三级护理",
    "acp_medins_name": "接收机构",
    "acp_optins_code": "接收机构码",
    "days_rinp_flag_31": "31天再住院",
    "days_rinp_pup_31": "再住院目的",
    "chfpdr_name": "主诊医师",
    "chfpdr_code": "主诊医师码",
    "resp_nurs_code": "责任护士码",
    "setl_begn_date": "结算开始",
    "setl_end_date": "结算结束",
    "acct_pay": "个人账户",
    "psn_cashpay": "个人现金",
    "hi_paymtd": "支付方式",
    "hsorg_opter": "经办人",
    "medins_fill_dept": "填报部门",
    "medins_fill_psn": "填报人",
    "medfee_sumamt": "医疗费总额",
    "adm_dept_name": "入院科室",
    "dscg_dept_name": "出院科室",
    "diag_code": "代码",
    "diag_name": "名称",
    "oprn_oprt_code": "代码",
    "oprn_oprt_name": "名称",
    "adm_cond_type": "入院病情",
    "maindiag_flag": "主诊断标志",
    "oprn_oprt_type": "主次",
    "oprn_oprt_date": "日期",
    "oprn_oprt_begntime": "开始",
    "oprn_oprt_endtime": "结束",
    "oper_dr_code": "术者代码",
    "oper_dr_name": "术者",
    "anst_dr_code": "麻醉医师码",
    "anst_dr_name": "麻醉医师",
    "anst_way": "麻醉方式",
    "anst_begntime": "麻醉开始",
    "anst_endtime": "麻醉结束",
    "scs_cutd_ward_type": "病房类型",
    "scs_cutd_inpool_time": "进入时间",
    "scs_cutd_exit_time": "退出时间",
    "scs_cutd_sum_dura": "合计时长",
    "med_chrgitm": "项目",
    "claa_sumfee": "甲类",
    "clab_amt": "乙类",
    "fulamt_ownpay_amt": "自费",
    "oth_amt": "其他",
    "fund_pay_type": "基金",
    "fund_payamt": "金额",
}
"""Field → a name of six characters or less, where the table's own is longer."""
NODE_WORD: Mapping[str, str] = {
    "setlinfo": "清单信息",
    "diseinfo": "诊断",
    "oprninfo": "手术",
    "icuinfo": "重症监护",
    "bldinfo": "输血",
    "iteminfo": "收费",
    "payinfo": "基金支付",
    "opspdiseinfo": "门诊慢特病",
    "charges": "收费明细",
    "history": "既往住院",
    "cover": "首页附加",
}


class ListForms:
    """Names and code sets as shipped; read when first asked for, then kept."""

    @cached_property
    def fields(self) -> Mapping[str, Mapping[str, ListField]]:
        """node → field code → what is known of it, in the order of the interface tables."""
        return rule_world().fields

    @cached_property
    def codesets(self) -> Mapping[str, Mapping[str, str]]:
        return codesets()

    @cached_property
    def layout(self) -> tuple[ListItem, ...]:
        """The items of the official form, parts 一 to 四, in print order."""
        return list_items()

    def label(self, node: str, code: str) -> str:
        """The Chinese name of a field; its code when no table knows it."""
        known = self.fields.get(node, {}).get(code)
        return known.label if known else code

    def short(self, node: str, code: str) -> str:
        """A name that fits a narrow column."""
        return SHORT.get(code) or self.label(node, code)

    def codeset(self, node: str, code: str) -> Mapping[str, str]:
        """code → label of a coded field; empty for any other."""
        known = self.fields.get(node, {}).get(code)
        return self.codesets.get(known.codeset, {}) if known and known.codeset else {}

    def meaning(self, node: str, code: str, value: str) -> str:
        """What a coded value says; empty for a value that the set does not know."""
        return self.codeset(node, code).get(value, "")

    def place(self, path: str) -> str:
        """A path in words: `diseinfo[2].diag_code` → `诊断 3 代码`, `setlinfo.gend` → `性别`."""
        try:
            found = FieldPath.parse(path)
        except ValueError:
            return path
        node = NODE_WORD.get(found.node, found.node)
        if found.node in ("setlinfo", "cover") and found.name:
            return self.label(found.node, found.name)
        row = node if found.index is None else f"{node} {found.index + 1}"
        return f"{row} {self.short(found.node, found.name)}" if found.name else row

"""The exports of the invented hospital: headings, spellings, and the mapping that reads them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from dipgate.core.record import RepeatMap, SourceSpec, TableMap
from dipgate.demo.stays import Row, Stay

KEY = "住院流水号"
CHANGED = "更新时间"
DIAGNOSES = 16
PROCEDURES = 7
INTENSIVE = 2
TRANSFUSIONS = 1

FRONT: Mapping[str, str] = {
    "medcasno": "病案号",
    "psn_name": "姓名",
    "gend": "性别",
    "brdy": "出生日期",
    "age": "年龄",
    "nwb_age": "不足一周岁天龄",
    "ntly": "国籍",
    "naty": "民族",
    "patn_cert_type": "证件类别",
    "certno": "证件号码",
    "prfs": "职业",
    "curr_addr": "现住址",
    "emp_name": "工作单位",
    "coner_name": "联系人",
    "patn_rlts": "联系人关系",
    "coner_addr": "联系人地址",
    "coner_tel": "联系人电话",
    "nwb_adm_type": "新生儿入院类型",
    "nwb_bir_wt": "新生儿出生体重",
    "nwb_adm_wt": "新生儿入院体重",
    "ipt_med_type": "住院医疗类型",
    "adm_way": "入院途径",
    "trt_type": "治疗类别",
    "adm_time": "入院时间",
    "adm_caty": "入院科别编码",
    "adm_dept_name": "入院科别",
    "refldept_dept": "转科科别编码",
    "dscg_time": "出院时间",
    "dscg_caty": "出院科别编码",
    "dscg_dept_name": "出院科别",
    "act_ipt_days": "实际住院天数",
    "otp_wm_dise": "门急诊诊断",
    "wm_dise_code": "门急诊诊断编码",
    "dscg_way": "离院方式",
    "days_rinp_flag_31": "31天再住院计划",
    "days_rinp_pup_31": "再住院目的",
    "chfpdr_name": "主诊医师",
    "chfpdr_code": "主诊医师工号",
    "resp_nurs_code": "责任护士工号",
    "vent_used_dura": "呼吸机使用时长",
    "spga_nurscare_days": "特级护理天数",
    "lv1_nurscare_days": "一级护理天数",
    "scd_nurscare_days": "二级护理天数",
    "lv3_nurscare_days": "三级护理天数",
    "medins_fill_dept": "填报部门",
    "medins_fill_psn": "填报人",
}
COVER: Mapping[str, str] = {
    "ext_cause_code": "损伤中毒外因编码",
    "ext_cause_name": "损伤中毒外因",
}
DIAGNOSIS: Mapping[str, str] = {
    "diag_type": "诊断{n}类别",
    "diag_code": "诊断{n}编码",
    "diag_name": "诊断{n}名称",
    "adm_cond_type": "诊断{n}入院病情",
    "maindiag_flag": "诊断{n}主诊标志",
}
PROCEDURE: Mapping[str, str] = {
    "oprn_oprt_type": "手术{n}类别",
    "oprn_oprt_code": "手术{n}编码",
    "oprn_oprt_name": "手术{n}名称",
    "oprn_oprt_date": "手术{n}开始时间",
    "oprn_oprt_begntime": "手术{n}开始时间",
    "oprn_oprt_endtime": "手术{n}结束时间",
    "anst_way": "手术{n}麻醉方式",
    "oper_dr_name": "手术{n}术者",
    "oper_dr_code": "手术{n}术者工号",
    "anst_dr_name": "手术{n}麻醉医师",
    "anst_dr_code": "手术{n}麻醉医师工号",
    "anst_begntime": "手术{n}麻醉开始时间",
    "anst_endtime": "手术{n}麻醉结束时间",
}
ICU: Mapping[str, str] = {
    "scs_cutd_ward_type": "监护{n}病房类型",
    "scs_cutd_inpool_time": "监护{n}进入时间",
    "scs_cutd_exit_time": "监护{n}退出时间",
    "scs_cutd_sum_dura": "监护{n}合计时长",
}
BLOOD: Mapping[str, str] = {
    "bld_cat": "输血{n}品种",
    "bld_amt": "输血{n}量",
    "bld_unt": "输血{n}计量单位",
}
SETTLEMENT: Mapping[str, str] = {
    "setl_id": "结算ID",
    "mdtrt_id": "就诊ID",
    "psn_no": "人员编号",
    "hi_no": "医保编号",
    "hi_type": "医保类型",
    "insutype": "险种",
    "insuplc": "参保地",
    "fixmedins_code": "医疗机构代码",
    "fixmedins_name": "医疗机构名称",
    "hi_setl_lv": "医保结算等级",
    "bill_code": "票据代码",
    "bill_no": "票据号码",
    "biz_sn": "业务流水号",
    "setl_begn_date": "结算开始日期",
    "setl_end_date": "结算结束日期",
    "setl_time": "结算时间",
    "hi_paymtd": "支付方式",
    "medfee_sumamt": "医疗费总额",
    "psn_selfpay": "个人自付",
    "psn_ownpay": "个人自费",
    "acct_pay": "账户支付",
    "psn_cashpay": "现金支付",
}
FUNDS: Mapping[str, str] = {
    "310100": "职工统筹支付",
    "330100": "职工大额支付",
    "390100": "居民统筹支付",
    "390200": "居民大病支付",
    "610100": "医疗救助支付",
}
CATEGORIES: Mapping[str, str] = {
    "01": "床位费", "02": "诊察费", "03": "检查费", "04": "化验费", "05": "治疗费", "06": "手术费",
    "07": "护理费", "08": "卫生材料费", "09": "西药费", "10": "中药饮片费", "11": "中成药费",
    "12": "一般诊疗费", "13": "挂号费", "14": "其他费",
}  # fmt: skip
CLASSES: Mapping[str, str] = {
    "amt": "金额",
    "claa_sumfee": "甲类",
    "clab_amt": "乙类",
    "fulamt_ownpay_amt": "自费",
    "oth_amt": "其他",
}
CHARGE: Mapping[str, str] = {
    "date": "记账日期",
    "name": "项目名称",
    "code": "项目编码",
    "category": "费用类别",
    "quantity": "数量",
    "price": "单价",
    "amount": "金额",
    "level": "费用等级",
}

Spelling = Callable[[str], str]
_WORDS: Mapping[str, Mapping[str, str]] = {
    "gend": {"1": "男", "2": "女"},
    "ntly": {"CHN": "中国"},
    "naty": {"01": "汉族"},
    "ipt_med_type": {"1": "住院"},
    "adm_way": {"1": "急诊", "2": "门诊"},
    "trt_type": {"10": "西医"},
    "days_rinp_flag_31": {"1": "无", "2": "有"},
    "diag_type": {"1": "西医"},
    "maindiag_flag": {"1": "是", "0": "否"},
    "oprn_oprt_type": {"1": "主要", "2": "其他"},
    "level": {"01": "甲", "02": "乙", "03": "自费"},
    "category": CATEGORIES,
}
_SLASHED = ("brdy", "setl_begn_date", "setl_end_date")
_RUN_TOGETHER = ("setl_time",)


def spelled(name: str, value: str) -> str:
    """A value as this hospital writes it: words for codes, dates in three fashions."""
    if name in _SLASHED:
        return value.replace("-", "/")
    if name in _RUN_TOGETHER:
        return value.translate({ord(mark): None for mark in "-: "})
    return _WORDS.get(name, {}).get(value, value)


def front_row(stay: Stay) -> dict[str, str]:
    """One line of the front-page export: heading → cell."""
    cells = {KEY: stay.key, CHANGED: stay.settlement["setl_time"]}
    _put(cells, FRONT, stay.front)
    _put(cells, COVER, stay.cover)
    _put_many(cells, DIAGNOSIS, stay.diagnoses, DIAGNOSES)
    dated = [{**row, "oprn_oprt_date": row["oprn_oprt_begntime"]} for row in stay.procedures]
    _put_many(cells, PROCEDURE, dated, PROCEDURES)
    _put_many(cells, ICU, stay.icu, INTENSIVE)
    # Nobody in the demo was given blood; the columns say so.
    _put_many(cells, BLOOD, (), TRANSFUSIONS)
    return cells


def settlement_row(stay: Stay) -> dict[str, str]:
    """One line of the bill export."""
    cells = {KEY: stay.key, CHANGED: stay.settlement["setl_time"]}
    _put(cells, SETTLEMENT, stay.settlement)
    paid = dict(stay.funds)
    for fund, heading in FUNDS.items():
        cells[heading] = paid.get(fund, "0.00")
    items = {item["med_chrgitm"]: item for item in stay.items}
    for category, heading in CATEGORIES.items():
        for name, word in CLASSES.items():
            cells[f"{heading}_{word}"] = items.get(category, {}).get(name, "0.00")
    return cells


def charge_rows(stay: Stay) -> list[dict[str, str]]:
    """The charge lines of one stay."""
    rows = []
    for line in stay.charges:
        cells = {KEY: stay.key, CHANGED: stay.settlement["setl_time"]}
        _put(cells, CHARGE, line)
        rows.append(cells)
    return rows


def _put(cells: dict[str, str], headings: Mapping[str, str], row: Row) -> None:
    for name, heading in headings.items():
        cells[heading] = spelled(name, row.get(name, ""))


def _put_many(
    cells: dict[str, str], headings: Mapping[str, str], rows: Sequence[Row], count: int
) -> None:
    for number in range(1, count + 1):
        row = rows[number - 1] if number <= len(rows) else {}
        for name, pattern in headings.items():
            cells[pattern.replace("{n}", str(number))] = spelled(name, row.get(name, ""))


def tables(objects: Mapping[str, str], *, watermark: bool) -> dict[str, TableMap]:
    """The mapping of these exports; `objects` names the file glob or view per table."""
    changed = CHANGED if watermark else ""
    front = TableMap(
        "front_page",
        objects["front_page"],
        KEY,
        {**FRONT, **{f"cover.{name}": heading for name, heading in COVER.items()}},
        (
            RepeatMap("diseinfo", DIAGNOSES, DIAGNOSIS),
            RepeatMap("oprninfo", PROCEDURES, PROCEDURE),
            RepeatMap("icuinfo", INTENSIVE, ICU),
            RepeatMap("bldinfo", TRANSFUSIONS, BLOOD),
        ),
        changed,
    )
    amounts = {f"payinfo.{fund}": heading for fund, heading in FUNDS.items()}
    for category, heading in CATEGORIES.items():
        for name, word in CLASSES.items():
            amounts[f"iteminfo.{category}.{name}"] = f"{heading}_{word}"
    settlement = TableMap(
        "settlement", objects["settlement"], KEY, {**SETTLEMENT, **amounts}, (), changed
    )
    charge = TableMap("charge", objects["charge"], KEY, dict(CHARGE), (), changed)
    return {"front_page": front, "settlement": settlement, "charge": charge}


def sources_toml(specs: Sequence[SourceSpec]) -> str:
    """`[[sources]]` of a site file that say the same as the specs."""
    out: list[str] = []
    for spec in specs:
        out += ["[[sources]]"]
        for name in ("name", "kind", "charset", "path", "edition"):
            out.append(f"{name} = {_quoted(getattr(spec, name))}")
        if spec.server is not None:
            server = spec.server
            out += ["", "[sources.server]", f"port = {server.port}"]
            for name, value in (
                ("host", server.host),
                ("database", server.database),
                ("user", server.user),
                ("schema", server.db_schema),
            ):
                out.append(f"{name} = {_quoted(value)}")
        for name, table in spec.tables.items():
            out += ["", f"[sources.tables.{name}]"]
            out += [f"object = {_quoted(table.object_name)}", f"key = {_quoted(table.key)}"]
            if table.watermark:
                out.append(f"watermark = {_quoted(table.watermark)}")
            out += ["", f"[sources.tables.{name}.columns]"]
            out += [f"{_quoted(code)} = {_quoted(col)}" for code, col in table.columns.items()]
            for repeat in table.repeats:
                out += ["", f"[[sources.tables.{name}.repeats]]"]
                out += [f"node = {_quoted(repeat.node)}", f"count = {repeat.count}"]
                pairs = ", ".join(
                    f"{_quoted(code)} = {_quoted(col)}" for code, col in repeat.columns.items()
                )
                out.append(f"columns = {{ {pairs} }}")
        out.append("")
    return "\n".join(out)


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

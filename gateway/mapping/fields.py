"""How each national field is read: as a time, an amount, a code of a set, a person, a ward.

Fields not named here are text. Kinds follow the field tables of 4101 and 4101A.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum, auto
from types import MappingProxyType


class Kind(IntEnum):
    TEXT = auto()
    IDENTIFIER = auto()
    """A platform or hospital number; a caret suffix is cut."""
    DATE = auto()
    TIME = auto()
    MONEY = auto()
    NUMBER = auto()
    CODE = auto()
    """A code of a built-in set; words and other spellings are turned into it."""
    DURATION = auto()
    """天/时/分."""
    DIAGNOSIS = auto()
    PROCEDURE = auto()
    DEPARTMENT = auto()
    DOCTOR = auto()
    NURSE = auto()


@dataclass(frozen=True, slots=True)
class Reading:
    kind: Kind
    codeset: str = ""


TEXT = Reading(Kind.TEXT)


def _each(kind: Kind, names: str) -> dict[str, Reading]:
    return {name: Reading(kind) for name in names.split()}


def _codes(pairs: str) -> dict[str, Reading]:
    """`field` (the set has the field's name) or `field:set`."""
    found = {}
    for pair in pairs.split():
        name, _, codeset = pair.partition(":")
        found[name] = Reading(Kind.CODE, codeset or name)
    return found


_SETLINFO = {
    **_each(Kind.IDENTIFIER, "mdtrt_id setl_id psn_no hi_no medcasno biz_sn bill_code bill_no"),
    **_each(Kind.DATE, "brdy opsp_mdtrt_date setl_begn_date setl_end_date"),
    **_each(Kind.TIME, "adm_time dscg_time dcla_time setl_time"),
    **_each(Kind.MONEY, "psn_selfpay psn_ownpay acct_pay psn_cashpay medfee_sumamt"),
    **_each(
        Kind.NUMBER,
        "age nwb_age nwb_bir_wt nwb_adm_wt act_ipt_days bld_amt diag_code_cnt "
        "oprn_oprt_code_cnt spga_nurscare_days lv1_nurscare_days scd_nurscare_days "
        "lv3_nurscare_days",
    ),
    **_each(Kind.DURATION, "vent_used_dura pwcry_bfadm_coma_dura pwcry_afadm_coma_dura"),
    **_each(Kind.DEPARTMENT, "adm_caty dscg_caty refldept_dept"),
    **_each(Kind.DOCTOR, "chfpdr_code"),
    **_each(Kind.NURSE, "resp_nurs_code"),
    **_each(Kind.DIAGNOSIS, "wm_dise_code"),
    **_codes(
        "gend ntly:nat_regn_code naty patn_cert_type prfs patn_rlts hi_type:mdcs_type sp_psn_type "
        "nwb_adm_type ipt_med_type adm_way trt_type dscg_way days_rinp_flag_31 hi_paymtd "
        "hi_setl_lv insutype"
    ),
}

READINGS: Mapping[str, Mapping[str, Reading]] = MappingProxyType(
    {
        "setlinfo": _SETLINFO,
        "diseinfo": {
            **_each(Kind.DIAGNOSIS, "diag_code"),
            **_codes("diag_type adm_cond_type maindiag_flag"),
        },
        "oprninfo": {
            **_each(Kind.PROCEDURE, "oprn_oprt_code"),
            **_each(Kind.DATE, "oprn_oprt_date"),
            **_each(Kind.TIME, "oprn_oprt_begntime oprn_oprt_endtime anst_begntime anst_endtime"),
            **_each(Kind.DOCTOR, "oper_dr_code anst_dr_code"),
            **_codes("oprn_oprt_type anst_way:anst_mtd_code"),
        },
        "icuinfo": {
            **_each(Kind.TIME, "scs_cutd_inpool_time scs_cutd_exit_time"),
            **_each(Kind.DURATION, "scs_cutd_sum_dura"),
            **_codes("scs_cutd_ward_type:icu_type"),
        },
        "bldinfo": {**_each(Kind.NUMBER, "bld_amt"), **_codes("bld_cat:bld_cat_code")},
        "opspdiseinfo": {},
        "payinfo": {
            **_each(Kind.MONEY, "fund_payamt"),
            **_codes("fund_pay_type"),
        },
        "iteminfo": {
            **_each(Kind.MONEY, "amt claa_sumfee clab_amt fulamt_ownpay_amt oth_amt"),
            **_codes("med_chrgitm:med_chrgitm_type"),
        },
        "charges": {
            **_each(Kind.TIME, "date"),
            **_each(Kind.MONEY, "amount price"),
            **_each(Kind.NUMBER, "quantity"),
            **_codes("category:med_chrgitm_type level:chrgitm_lv"),
        },
        "cover": _each(Kind.DIAGNOSIS, "ext_cause_code"),
    }
)

NAME_OF: Mapping[str, str] = MappingProxyType(
    {
        "diag_code": "diag_name",
        "oprn_oprt_code": "oprn_oprt_name",
        "wm_dise_code": "otp_wm_dise",
        "ext_cause_code": "ext_cause_name",
        "adm_caty": "adm_dept_name",
        "dscg_caty": "dscg_dept_name",
        "chfpdr_code": "chfpdr_name",
        "oper_dr_code": "oper_dr_name",
        "anst_dr_code": "anst_dr_name",
    }
)
"""code field → the name field that goes with it."""

WORDS: Mapping[str, Mapping[str, str]] = MappingProxyType(
    {
        "gend": {
            "男性": "1", "M": "1", "MALE": "1", "女性": "2", "F": "2", "FEMALE": "2", "不详": "9",
        },
        "maindiag_flag": {
            "A": "1", "Y": "1", "T": "1", "TRUE": "1", "主": "1", "主要": "1", "主诊断": "1",
            "主要诊断": "1", "B": "0", "N": "0", "F": "0", "FALSE": "0", "2": "0", "其他": "0",
            "次": "0", "次要": "0", "其他诊断": "0", "次要诊断": "0",
        },
        "oprn_oprt_type": {
            "A": "1", "Y": "1", "是": "1", "主": "1", "主要": "1", "主手术": "1", "主要手术": "1",
            "B": "2", "N": "2", "0": "2", "否": "2", "其他": "2", "次": "2", "次要": "2",
            "其他手术": "2",
        },
        "days_rinp_flag_31": {"否": "1", "N": "1", "是": "2", "Y": "2"},
        "diag_type": {"西医": "1", "中医主病": "2", "中医主证": "3"},
        "nat_regn_code": {"中国": "CHN", "中华人民共和国": "CHN", "156": "CHN", "CN": "CHN"},
        "naty": {"汉": "01"},
        "patn_cert_type": {"身份证": "01", "居民身份证号": "01"},
        "mdcs_type": {
            "1": "310", "2": "390", "9": "999", "职工": "310", "职工医保": "310",
            "城镇职工": "310", "居民": "390", "居民医保": "390", "城乡居民": "390",
        },
        "insutype": {"职工": "310", "居民": "390"},
        "ipt_med_type": {"日间": "2", "普通住院": "1"},
        "trt_type": {"1": "10", "2.1": "21", "2.2": "22", "3": "30"},
        "adm_way": {"转院": "3", "其他医疗机构": "3"},
        "dscg_way": {"出院": "1", "转院": "2", "转社区": "3", "自动出院": "4", "死": "5"},
        "hi_paymtd": {"DIP": "3", "DRG": "4", "按人头": "6"},
        "hi_setl_lv": {"三甲": "3", "三乙": "3", "二甲": "2", "二乙": "2"},
        "adm_cond_type": {"A": "1", "B": "2", "C": "3", "D": "4"},
        "chrgitm_lv": {"甲": "01", "乙": "02", "丙": "03", "自费": "03", "1": "01", "2": "02",
                       "3": "03"},
        "med_chrgitm_type": {"床位": "01", "材料费": "08", "中草药费": "10"},
    }
)  # fmt: skip
"""Spellings that hospital systems use beside the codes and labels of the sets themselves."""

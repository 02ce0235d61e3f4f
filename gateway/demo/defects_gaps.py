"""Defects of registration: what is missing, doubled, or somebody else's."""

from __future__ import annotations

from dataclasses import replace

from dipgate.core.clock import read_date
from dipgate.core.idcard import check_character
from dipgate.demo.defects import KINDS, Outcome, Workshop, front, row_changed, settled
from dipgate.demo.people import Dice
from dipgate.demo.stays import Stay


@KINDS.add("票据未回写", "B039", mechanical=False)
def bill_missing(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    return settled(stay, bill_code="", bill_no=""), "setlinfo.bill_code"


@KINDS.add("填报部门为空", "B041", mechanical=False)
def reporting_department_missing(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    return front(stay, medins_fill_dept=""), "setlinfo.medins_fill_dept"


@KINDS.add("主诊医师填成护士代码", "B060", mechanical=True)
def attending_has_nurse_code(stay: Stay, shop: Workshop, dice: Dice) -> Outcome:
    nurse = dice.one(shop.wards.nurses)
    return front(stay, chfpdr_code=nurse.national_code), "setlinfo.chfpdr_code"


@KINDS.add("术者填成护士代码", "H045", mechanical=True)
def surgeon_has_nurse_code(stay: Stay, shop: Workshop, dice: Dice) -> Outcome:
    if not stay.procedures:
        return None
    nurse = dice.one(shop.wards.nurses)
    rows = row_changed(stay.procedures, 0, {"oper_dr_code": nurse.national_code})
    return replace(stay, procedures=rows), "oprninfo[0].oper_dr_code"


@KINDS.add("术者代码为空", "H044", mechanical=True)
def surgeon_code_missing(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if not stay.procedures:
        return None
    rows = row_changed(stay.procedures, 0, {"oper_dr_code": ""})
    return replace(stay, procedures=rows), "oprninfo[0].oper_dr_code"


@KINDS.add("入院科别为空", "H006", mechanical=True)
def admission_ward_missing(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if stay.front["refldept_dept"]:
        return None
    return front(stay, adm_caty=""), "setlinfo.adm_caty"


@KINDS.add("出院科别为空", "H007", mechanical=True)
def discharge_ward_missing(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if stay.front["refldept_dept"]:
        return None
    return front(stay, dscg_caty=""), "setlinfo.dscg_caty"


@KINDS.add("身份证校验位不成立", "B014", mechanical=False)
def identity_check_mark_wrong(stay: Stay, _shop: Workshop, dice: Dice) -> Outcome:
    number = stay.front["certno"]
    if stay.front["patn_cert_type"] != "01":
        return None
    wrong = dice.one([mark for mark in "0123456789" if mark != number[-1]])
    return front(stay, certno=number[:-1] + wrong), "setlinfo.certno"


@KINDS.add("性别与身份证不符", "B016", mechanical=False)
def identity_of_the_other_sex(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    number = stay.front["certno"]
    if stay.front["patn_cert_type"] != "01":
        return None
    head = number[:16] + str((int(number[16]) + 1) % 10)
    return front(stay, certno=head + check_character(head)), "setlinfo.certno"


@KINDS.add("新生儿缺出生体重", "B049", mechanical=False)
def birth_weight_missing(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if "newborn" not in stay.tags:
        return None
    return front(stay, nwb_bir_wt=""), "setlinfo.nwb_bir_wt"


@KINDS.add("死亡仍有再住院计划", "H034", mechanical=True)
def dead_with_a_plan(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    plan = {"dscg_way": "5", "days_rinp_flag_31": "2", "days_rinp_pup_31": "术后复查"}
    if stay.tags & {"newborn", "delivery"}:
        return None
    return front(stay, **plan), "setlinfo.days_rinp_flag_31"


@KINDS.add("出院早于入院", "L001", mechanical=False)
def left_before_coming(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if stay.procedures or stay.icu or stay.front["adm_time"][:10] == stay.front["dscg_time"][:10]:
        return None
    turned = {"adm_time": stay.front["dscg_time"], "dscg_time": stay.front["adm_time"]}
    return front(stay, **turned), "setlinfo.dscg_time"


@KINDS.add("住院天数多一天", "L002", mechanical=True)
def stay_is_a_day_longer(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    days = int(stay.front["act_ipt_days"]) + 1
    return front(stay, act_ipt_days=str(days)), "setlinfo.act_ipt_days"


@KINDS.add("年龄多一岁", "L004", mechanical=True)
def a_year_older(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if not stay.front["age"] or not 20 <= int(stay.front["age"]) < 85:
        return None
    return front(stay, age=str(int(stay.front["age"]) + 1)), "setlinfo.age"


@KINDS.add("重症监护时长算错", "L017", mechanical=True)
def icu_time_wrong(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if not stay.icu:
        return None
    days, hours, minutes = stay.icu[0]["scs_cutd_sum_dura"].split("/")
    wrong = f"{int(days) + 1}/{hours}/{minutes}"
    rows = row_changed(stay.icu, 0, {"scs_cutd_sum_dura": wrong})
    return replace(stay, icu=rows), "icuinfo[0].scs_cutd_sum_dura"


@KINDS.add("手术在出院之后", "L008", mechanical=False)
def operated_after_leaving(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if not stay.procedures:
        return None
    left = read_date(stay.front["dscg_time"])
    after = left.replace(year=left.year + 1) if (left.month, left.day) != (2, 29) else None
    if after is None:
        return None
    rows = []
    for row in stay.procedures:
        times = {
            name: f"{after:%Y-%m-%d}{value[10:]}"
            for name, value in row.items()
            if name.endswith("time") and value
        }
        rows.append({**row, **times})
    return replace(stay, procedures=tuple(rows)), "oprninfo[0].oprn_oprt_date"

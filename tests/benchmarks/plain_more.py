"""More closures of `plain_rules.py`: the rules that look at one field, at charges, and at times."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

from plain_check import (
    Check,
    age_days,
    age_years,
    began,
    case,
    each,
    info,
    moment,
    num,
    text,
    total,
    western,
)

from dipgate.config.rules import code_lists
from dipgate.core.reference import Reference

Checks = list[tuple[str, Check]]
CENT = Decimal("0.01")
FILLED = (
    "psn_name medcasno certno coner_name coner_tel fixmedins_name bill_code bill_no biz_sn "
    "chfpdr_name medins_fill_dept medins_fill_psn hsorg hsorg_opter"
)
BLANKS = ("-", "--", "/", "无", "不详", "未知", "NULL", "null", "—", "——")
GENERAL = ("1", "11", "12", "2", "21", "22", "41", "44", "45")
ANAESTHESIA = (*GENERAL, "31", "32", "33", "34", "4", "42", "43")


def more_checks(ref: Reference) -> Checks:
    return [*_people(ref), *_hospital(ref), *_newborns(), *_stay(ref), *_rows(ref), *_fees(ref)]


def form(name: str, pattern: str) -> Check:
    whole = re.compile(pattern).fullmatch
    return info(name, lambda v: not v or whole(v) is not None)


def only_if(name: str, when: Callable[[Any], bool], good: Callable[[Any], bool]) -> Check:
    return case(name, lambda o: not when(o) or good(o))


def has_code(o: Any, node: str, name: str, *prefixes: str) -> bool:
    return any(text(row, name).startswith(prefixes) for row in getattr(o, node))


def delivery(o: Any) -> bool:
    return has_code(o, "diseinfo", "diag_code", "O80", "O81", "O82", "O83", "O84", "Z37")


def _people(ref: Reference) -> Checks:
    sets, of = ref.codesets, lambda o, name: text(o.setlinfo, name)
    provinces = code_lists()["ID_PROVINCES"].codes
    filled = "hi_no coner_name coner_addr coner_tel hsorg hsorg_opter fixmedins_name"
    rules = "B001 B024 B025 B026 B042 B042 B037"
    found: Checks = [
        (rule, info(name, bool)) for rule, name in zip(rules.split(), filled.split(), strict=True)
    ]
    found += [
        (rule, info(name, lambda v, c=sets[name]: v in c))  # type: ignore[misc]
        for rule, name in (("B011", "patn_cert_type"), ("B018", "prfs"), ("B021", "patn_rlts"))
    ]
    same = "|".join(f"{digit}{{5,}}" for digit in range(10))
    known = re.compile(f"{same}|1234567|12345678|123456789|12345678910|12345678911").fullmatch
    short = re.compile(r"\d+").fullmatch
    name = r"[^\d\s,，.。;；:：!！?？、“”‘’()（）_/*#@&+=…—-]{2,50}"
    found += [
        ("B004", only_if("psn_name", lambda o: of(o, "ntly") == "CHN",
                         lambda o: re.fullmatch(name, of(o, "psn_name")) is not None)),
        ("B004", only_if("psn_name", lambda o: of(o, "ntly") != "CHN",
                         lambda o: re.fullmatch(r"[^\d]{2,50}", of(o, "psn_name")) is not None)),
        ("B006", info("gend", lambda v: v not in ("0", "9"))),
        ("B010", only_if("naty", lambda o: of(o, "ntly") == "CHN",
                         lambda o: of(o, "naty") in sets["naty"])),
        ("B017", only_if("certno", lambda o: of(o, "patn_cert_type") == "01",
                         lambda o: of(o, "certno")[:2] in provinces
                         or of(o, "insuplc").startswith(of(o, "certno")[:2]))),
        ("B019", only_if("prfs", lambda o: of(o, "prfs") in sets["prfs"] and age_years(o) < 6,
                         lambda o: of(o, "prfs") in ("31", "70", "90"))),
        ("B020", only_if("prfs", lambda o: of(o, "prfs") in ("80", "11", "37"),
                         lambda o: age_years(o) >= 16)),
        ("B022", only_if("patn_rlts", lambda o: age_years(o) < 20,
                         lambda o: of(o, "patn_rlts") not in ("10", "11", "12")
                         and of(o, "patn_rlts")[:1] not in ("2", "3", "4"))),
        ("B023", only_if("patn_rlts", lambda o: of(o, "patn_rlts") == "01",
                         lambda o: of(o, "coner_name") == of(o, "psn_name"))),
        ("B023", only_if("patn_rlts", lambda o: of(o, "patn_rlts") != "01",
                         lambda o: of(o, "coner_name") != of(o, "psn_name"))),
        ("B027", form("coner_tel", r"1\d{10}|0\d{2,3}-?\d{7,8}|\d{7,8}")),
        *(("B028", info(each_name, lambda v: known(v) is None))
          for each_name in ("coner_tel", "emp_tel")),
        ("B030", form("poscode", r"\d{6}")),
        ("B031", info("poscode", lambda v: v not in ("000000", "123456", "111111"))),
        *(("B032", info(each_name, lambda v: not v or (len(v) >= 4 and short(v) is None)))
          for each_name in ("curr_addr", "coner_addr", "emp_addr")),
        ("B033", only_if("emp_name", lambda o: of(o, "prfs") in ("11", "13", "17", "21", "24"),
                         lambda o: bool(of(o, "emp_name")))),
        *(("B055", info(each_name, lambda v: v not in BLANKS)) for each_name in FILLED.split()),
        ("B055", each("diseinfo", "diag_name", lambda r, _o: text(r, "diag_name") not in BLANKS)),
        *(("B055", each("oprninfo", each_name, lambda r, _o, n=each_name: text(r, n) not in BLANKS))
          for each_name in ("oprn_oprt_name", "oper_dr_name")),
        ("B061", form("resp_nurs_code", r"N\d{12}")),
        ("B064", info("sp_psn_type", lambda v: not v or v in sets["sp_psn_type"])),
    ]  # fmt: skip
    return found


def _hospital(ref: Reference) -> Checks:
    own, staff = ref.hospital, ref.staff or {}
    doctor = re.compile(r"D\d{12}").fullmatch

    def practises(code: str, day: date) -> bool:
        return any(
            (one.first_day is None or one.first_day <= day)
            and (one.last_day is None or day <= one.last_day)
            for one in staff.get(code, ())
        )

    def chief(o: Any) -> bool:
        code = text(o.setlinfo, "chfpdr_code")
        return doctor(code) is None or practises(code, moment(o.setlinfo, "dscg_time").date())

    def surgeon(row: Any, _o: Any) -> bool:
        code = text(row, "oper_dr_code")
        return doctor(code) is None or practises(code, began(row).date())

    def claimed(o: Any) -> bool:
        when = moment(o.setlinfo, "dcla_time")
        return when >= moment(o.setlinfo, "dscg_time") and when.date() <= date(2025, 4, 1)

    return [
        ("B037", info("fixmedins_name", lambda v: own is not None and v == own.name)),
        ("B044", info("hi_paymtd", lambda v: v in ("1", "2", "3", "5"))),
        ("B062", case("chfpdr_code", chief)),
        ("B062", each("oprninfo", "oper_dr_code", surgeon)),
        ("B063", only_if("dcla_time", lambda o: bool(text(o.setlinfo, "dcla_time")), claimed)),
        ("B065", info("hi_setl_lv", lambda v: not v or v in ref.codesets["hi_setl_lv"])),
        ("B065", info("hi_setl_lv", lambda v: not v or (own is not None and v == own.level[:1]))),
    ]


def _newborns() -> Checks:
    def given(name: str) -> Callable[[Any], bool]:
        return lambda o: bool(text(o.setlinfo, name))

    def weighed(o: Any) -> bool:
        return given("nwb_bir_wt")(o) or given("mul_nwb_bir_wt")(o)

    def born(*codes: str) -> Callable[[Any], bool]:
        return lambda o: has_code(o, "diseinfo", "diag_code", *codes)

    def many(pattern: str) -> Callable[[Any], bool]:
        return lambda o: bool(re.fullmatch(pattern, text(o.setlinfo, "mul_nwb_bir_wt")))

    return [
        ("B047", only_if("nwb_adm_type", given("nwb_adm_type"), lambda o: age_days(o) <= 28)),
        ("B048", only_if("nwb_bir_wt", delivery, weighed)),
        ("B052", form("nwb_bir_wt", r"\d*0(\.0+)?")),
        ("B052", form("nwb_adm_wt", r"\d*0(\.0+)?")),
        ("B053", only_if("mul_nwb_bir_wt", born("Z37.2"), many(r"[\d.]+,[\d.]+"))),
        ("B053", only_if("mul_nwb_bir_wt", born("Z37.3"), many(r"[\d.]+(,[\d.]+)?"))),
        ("B053", only_if("mul_nwb_bir_wt", born("Z37.5", "Z37.6"), many(r"[\d.]+,[\d.,]+"))),
        ("B054", only_if("nwb_adm_wt", given("nwb_adm_wt"), lambda o: age_days(o) <= 28)),
        ("B054", only_if("nwb_bir_wt", lambda o: given("nwb_bir_wt")(o) and not delivery(o),
                         lambda o: age_days(o) <= 28)),
    ]  # fmt: skip


def _stay(ref: Reference) -> Checks:
    sets, of = ref.codesets, lambda o, name: text(o.setlinfo, name)
    names = ref.icd10.names if ref.icd10 else {}
    duration = r"\d{1,3}/([01]?\d|2[0-3])/[0-5]?\d"

    def counted(name: str, node: str) -> Check:
        return only_if(name, lambda o: bool(of(o, name)),
                       lambda o: num(o.setlinfo, name) == len(getattr(o, node)))  # fmt: skip

    def towards(way: str, name: str) -> Check:
        return only_if(name, lambda o: of(o, "dscg_way") == way, lambda o: bool(of(o, name)))

    def tcm(o: Any) -> bool:
        kinds = [text(row, "diag_type") for row in o.diseinfo]
        return kinds.count("2") == 1 and kinds.count("3") >= 1

    days = "spga_nurscare_days lv1_nurscare_days scd_nurscare_days lv3_nurscare_days"
    return [
        ("H008", info("refldept_dept",
                      lambda v: not v or all(p.strip() in sets["dept"] for p in v.split("→")))),
        ("H010", only_if("otp_wm_dise", lambda o: bool(of(o, "wm_dise_code")),
                         lambda o: bool(of(o, "otp_wm_dise")))),
        ("H010", only_if("wm_dise_code", lambda o: bool(of(o, "otp_wm_dise")),
                         lambda o: bool(of(o, "wm_dise_code")))),
        ("H011", only_if("wm_dise_code", lambda o: of(o, "adm_way") in ("1", "2"),
                         lambda o: bool(of(o, "wm_dise_code") or of(o, "tcm_dise_code")))),
        ("H012", info("wm_dise_code", lambda v: not v or v in names)),
        ("H014", counted("diag_code_cnt", "diseinfo")),
        ("H015", counted("oprn_oprt_code_cnt", "oprninfo")),
        ("H016", form("vent_used_dura", duration)),
        ("H017", form("pwcry_bfadm_coma_dura", duration)),
        ("H018", form("pwcry_afadm_coma_dura", duration)),
        *(("H023", form(name, r"\d{1,4}(\.0{1,2})?")) for name in days.split()),
        ("H025", info("dscg_way", lambda v: v != "9")),
        ("H026", towards("2", "acp_medins_name")),
        ("H027", towards("3", "acp_medins_name")),
        ("H028", only_if("acp_optins_code", lambda o: of(o, "dscg_way") in ("2", "3")
                         and bool(of(o, "acp_medins_name")),
                         lambda o: bool(of(o, "acp_optins_code")))),
        ("H029", only_if("acp_optins_code", lambda o: bool(of(o, "acp_optins_code")),
                         lambda o: of(o, "acp_optins_code") != of(o, "fixmedins_code"))),
        *(("H030", only_if(name, lambda o: of(o, "dscg_way") in ("1", "4", "5", "9"),
                           lambda o, n=name: not of(o, n)))
          for name in ("acp_medins_name", "acp_optins_code")),
        ("H033", only_if("days_rinp_pup_31", lambda o: of(o, "days_rinp_flag_31") == "1",
                         lambda o: of(o, "days_rinp_pup_31") in ("", "-", "—", "/", "无", "0"))),
        ("H039", only_if("diseinfo", _tcm_treated, tcm)),
        ("H054", case("diseinfo", lambda o: sum(western(r) for r in o.diseinfo) <= 41)),
        ("D011", only_if("diseinfo",
                         lambda o: num(o.setlinfo, "act_ipt_days") >= 10 and bool(o.icuinfo),
                         lambda o: sum(western(r) for r in o.diseinfo) > 1)),
    ]  # fmt: skip


def _tcm_treated(o: Any) -> bool:
    return text(o.setlinfo, "trt_type") in ("21", "22", "30", "2.1", "2.2", "3")


def _readable(name: str) -> Callable[[Any, Any], bool]:
    return lambda row, _o: moment(row, name) is not None


def _rows(ref: Reference) -> Checks:
    sets = ref.codesets
    names = ref.icd10.names if ref.icd10 else {}
    kinds = ref.icd9cm3.attributes.get("category", {}) if ref.icd9cm3 else {}
    doubt = ("待查", "待排", "可疑", "疑似", "?", "？", "考虑", "不除外")
    reversed_ = re.compile(r"[A-Z]\d{2}(\.[\dx]{1,4})?\*\+?[A-Z]\d{2}.*").fullmatch
    morphology = re.compile(r"M[89]\d{3}(/\d)?.*").fullmatch
    duration = re.compile(r"\d{1,3}/([01]?\d|2[0-3])/[0-5]?\d").fullmatch
    times = ("oprn_oprt_begntime", "oprn_oprt_endtime", "anst_begntime", "anst_endtime")

    def sure(row: Any, _o: Any) -> bool:
        said = text(row, "diag_name")
        return not any(word in said for word in doubt) or said == names.get(text(row, "diag_code"))

    def measured(row: Any, _o: Any) -> bool:
        kind, unit = text(row, "bld_cat"), text(row, "bld_unt")
        if kind.startswith("4"):
            return unit in ("毫升", "ml", "mL", "ML")
        if kind == "13":
            return unit in ("单位", "U", "u")
        return not kind.startswith("3") or unit in ("治疗量", "人份", "单位", "U", "u")

    def timed(o: Any) -> bool:
        return any(text(row, name) for row in o.oprninfo for name in times)

    def operated(name: str) -> Check:
        return each("oprninfo", name, lambda r, o: not timed(o)
                    or kinds.get(text(r, "oprn_oprt_code")) != "手术"
                    or moment(r, name) is not None)  # fmt: skip

    def asleep(name: str) -> Check:
        return each("oprninfo", name, lambda r, o: not timed(o)
                    or text(r, "anst_way") not in GENERAL
                    or moment(r, name) is not None)  # fmt: skip

    def by(name: str) -> Check:
        return each("oprninfo", name, lambda r, _o: text(r, "anst_way") not in ANAESTHESIA
                    or bool(text(r, name)))  # fmt: skip

    return [
        ("H019", each("bldinfo", "bld_cat",
                      lambda r, _o: text(r, "bld_cat") in sets["bld_cat_code"])),
        ("H020", each("bldinfo", "bld_amt", lambda r, _o: num(r, "bld_amt") > 0)),
        ("H021", each("bldinfo", "bld_unt", lambda r, _o: bool(text(r, "bld_unt")))),
        ("H022", each("bldinfo", "bld_unt", measured)),
        ("H042", each("oprninfo", "oprn_oprt_date", lambda r, _o: began(r) is not None)),
        ("H047", by("anst_dr_name")),
        ("H047", by("anst_dr_code")),
        ("H048", each("oprninfo", "anst_way", lambda r, _o: not text(r, "anst_dr_name")
                      or bool(text(r, "anst_way")))),
        ("H049", each("icuinfo", "scs_cutd_ward_type",
                      lambda r, _o: text(r, "scs_cutd_ward_type") in sets["icu_type"])),
        *(("H050", each("icuinfo", name, _readable(name)))
          for name in ("scs_cutd_inpool_time", "scs_cutd_exit_time")),
        ("H051", each("icuinfo", "scs_cutd_sum_dura",
                      lambda r, _o: duration(text(r, "scs_cutd_sum_dura")) is not None)),
        *(("H052", operated(name)) for name in times[:2]),
        *(("H053", asleep(name)) for name in times[2:]),
        ("D010", each("diseinfo", "diag_name", sure)),
        ("D013", each("diseinfo", "diag_code",
                      lambda r, _o: reversed_(text(r, "diag_code")) is None)),
        ("D015", each("diseinfo", "diag_code",
                      lambda r, _o: morphology(text(r, "diag_code")) is None)),
    ]  # fmt: skip


def _fees(ref: Reference) -> Checks:
    classes = ref.codesets["med_chrgitm_type"]
    lists = code_lists()
    levels = {"lv1_nurscare_days": "一级护理", "scd_nurscare_days": "二级护理",
              "lv3_nurscare_days": "三级护理"}  # fmt: skip

    def of(o: Any, *wanted: str) -> Decimal:
        return total([r for r in o.iteminfo if text(r, "med_chrgitm")[:2] in wanted], "amt")

    def longer(days: int) -> Callable[[Any], bool]:
        return lambda o: num(o.setlinfo, "act_ipt_days") > days

    def beds(o: Any) -> bool:
        counts: dict[str, Decimal] = {}
        for row in o.charges:
            if text(row, "category")[:2] == "01":
                key = text(row, "code")
                counts[key] = counts.get(key, Decimal(0)) + num(row, "quantity")
        return all(n <= num(o.setlinfo, "act_ipt_days") + 1 for n in counts.values())

    def nursing(o: Any) -> bool:
        for name, words in levels.items():
            rows = [row for row in o.charges if words in text(row, "name")]
            if abs(total(rows, "quantity") - num(o.setlinfo, name)) > 1:
                return False
        return True

    def within(row: Any, o: Any) -> bool:
        day = moment(row, "date").date()
        first = moment(o.setlinfo, "adm_time").date()
        if text(o.setlinfo, "adm_way") == "1":
            first -= timedelta(days=1)
        return first <= day <= moment(o.setlinfo, "dscg_time").date() + timedelta(days=1)

    def once(o: Any) -> bool:
        seen = set()
        for row in o.charges:
            when = text(row, "date")
            key = (text(row, "code"), when, num(row, "quantity"))
            if len(when) >= 16 and key in seen:
                return False
            seen.add(key)
        return True

    def treated(o: Any) -> bool:
        words = ("针刺", "艾灸", "推拿", "拔罐", "穴位", "中药", "中医")
        return of(o, "10", "11") > 0 or any(w in text(r, "name") for r in o.charges for w in words)

    def sexed(sex: str, listed: str) -> Check:
        names = lists[listed].codes
        return each("charges", "name", lambda r, o: text(o.setlinfo, "gend") != sex
                    or text(r, "name") not in names)  # fmt: skip

    def for_newborns(row: Any, o: Any) -> bool:
        words = ("新生儿护理", "新生儿暖箱", "新生儿蓝光")
        return not any(w in text(row, "name") for w in words) or age_days(o) <= 28 or delivery(o)

    def multiplied(row: Any, _o: Any) -> bool:
        return abs(num(row, "price") * num(row, "quantity") - num(row, "amount")) <= CENT

    def implanted(o: Any) -> bool:
        return has_code(o, "oprninfo", "oprn_oprt_code", "81.5", "36.07", "37.8", "13.7")

    return [
        ("F012", case("psn_selfpay", lambda o: num(o.setlinfo, "psn_selfpay")
                      + num(o.setlinfo, "psn_ownpay") <= total(o.iteminfo, "amt") + CENT)),
        ("F016", case("charges", beds)),
        ("F017", only_if("iteminfo", longer(0), lambda o: of(o, "01") > 0)),
        ("F018", only_if("iteminfo", longer(1), lambda o: of(o, "07") > 0)),
        ("F019", only_if("iteminfo", longer(1), lambda o: of(o, "02", "12") > 0)),
        ("F020", case("charges", nursing)),
        ("F023", each("charges", "date", within)),
        ("F025", case("charges", once)),
        ("F026", case("iteminfo", lambda o: of(o, "14") * 10 <= total(o.iteminfo, "amt"))),
        ("F027", only_if("iteminfo", lambda o: _tcm_treated(o) and longer(1)(o), treated)),
        ("F028", only_if("iteminfo", implanted, lambda o: of(o, "08") > 0)),
        ("F029", case("psn_ownpay", lambda o: num(o.setlinfo, "psn_ownpay") * 10
                      <= total(o.iteminfo, "amt") * 3)),
        ("F031", each("charges", "code", lambda r, _o: num(r, "amount") <= 0
                      or bool(text(r, "code")))),
        ("F033", sexed("1", "CHARGE_SEX_F")),
        ("F033", sexed("2", "CHARGE_SEX_M")),
        ("F035", each("charges", "name", for_newborns)),
        ("F036", each("charges", "category", lambda r, _o: text(r, "category")[:2] in classes)),
        ("F037", each("charges", "amount", multiplied)),
    ]  # fmt: skip

"""The rules of the shipped packs (`base`, `dip-2.0`), one closure per check, as written by hand."""

from __future__ import annotations

import re
from collections.abc import Callable
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
    newborn,
    num,
    principal,
    text,
    total,
    unique,
    western,
)
from plain_more import more_checks

from dipgate.core.reference import Reference

CENT = Decimal("0.01")
WOMEN = (
    "A34 B37.3 C51 C52 C53 C54 C55 C56 C57 C58 C79.6 D06 D07.0 D07.1 D07.2 D07.3 D25 D26 D27 D28 "
    "D39 E28 E89.4 F52.5 F53 I86.3 L29.2 M80.0 M80.1 M81.0 M81.1 M83.0 N7 N8 N90 N91 N92 N93 N94 "
    "N95 N96 N97 N98 N99.2 N99.3 O P54.6 Q50 Q51 Q52 R87 S31.4 S37.4 S37.5 S37.6 T19.2 T19.3 "
    "T83.3 Z01.4 Z12.4 Z30.1 Z30.3 Z30.5 Z31.1 Z31.2 Z32 Z33 Z34 Z35 Z36 Z37 Z39 Z87.5 Z97.5"
).split()
MEN = (
    "B26.0 C60 C61 C62 C63 D07.4 D07.5 D07.6 D17.6 D29 D40 E29 E89.5 F52.4 I86.1 L29.1 N40 N41 "
    "N42 N43 N44 N45 N46 N47 N48 N49 N50 N51 Q53 Q54 Q55 R86 S31.2 S31.3 Z12.5"
).split()


def checks(ref: Reference) -> list[tuple[str, Check]]:
    """(rule id, closure) for every check of the two packs but text lengths, which the model has."""
    return [
        *_basics(ref),
        *_stay(ref),
        *_logic(),
        *_diagnoses(ref),
        *_procedures(ref),
        *_fees(ref),
        *more_checks(ref),
    ]


def _basics(ref: Reference) -> list[tuple[str, Check]]:
    sets = ref.codesets
    found: list[tuple[str, Check]] = [
        (rule, info(name, bool))
        for rule, names in {
            "B002": "medcasno",
            "B003": "psn_name",
            "B012": "certno",
            "B038": "mdtrt_id setl_id",
            "B039": "bill_code bill_no biz_sn",
            "B041": "medins_fill_dept medins_fill_psn",
            "B059": "chfpdr_name chfpdr_code",
        }.items()
        for name in names.split()
    ]
    found += [
        (rule, info(name, lambda v, c=sets[codeset]: v in c))  # type: ignore[misc]
        for rule, name, codeset in (
            ("B005", "gend", "gend"),
            ("B009", "ntly", "nat_regn_code"),
            ("B034", "hi_type", "mdcs_type"),
            ("B043", "hi_paymtd", "hi_paymtd"),
        )
    ]
    found += [
        (rule, case(name, lambda o, n=name: moment(o.setlinfo, n) is not None))  # type: ignore[misc]
        for rule, name in (
            ("B007", "brdy"),
            ("B040", "setl_begn_date"),
            ("B040", "setl_end_date"),
        )
    ]
    card = re.compile(r"\d{17}[\dXx]")
    weights = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)

    def by_card(o: Any) -> str:
        number = text(o.setlinfo, "certno")
        return number if text(o.setlinfo, "patn_cert_type") == "01" else ""

    def summed(o: Any) -> bool:
        number = by_card(o)
        if not card.fullmatch(number):
            return True
        at = sum(w * int(d) for w, d in zip(weights, number[:17], strict=True)) % 11
        return "10X98765432"[at] == number[17].upper()

    def born(o: Any) -> bool:
        number = by_card(o)
        if not card.fullmatch(number) or newborn(o):
            return True
        return number[6:14] == moment(o.setlinfo, "brdy").strftime("%Y%m%d")

    def sex(o: Any) -> bool:
        number = by_card(o)
        if not card.fullmatch(number) or newborn(o):
            return True
        return ("1" if int(number[16]) % 2 else "2") == text(o.setlinfo, "gend")

    def weight(name: str) -> Check:
        return case(
            name,
            lambda o: not text(o.setlinfo, name) or 100 <= num(o.setlinfo, name) <= 9999,
        )

    def money(node: str, name: str) -> Check:
        def good(row: Any) -> bool:
            value = text(row, name)
            return not value or bool(re.fullmatch(r"-?\d{1,14}(\.\d{1,2})?", value))

        if node == "setlinfo":
            return case(name, lambda o: good(o.setlinfo))
        return each(node, name, lambda row, _o: good(row))

    def tidy(name: str) -> Check:
        return case(name, lambda o: getattr(o.setlinfo, name) == text(o.setlinfo, name))

    own = ref.hospital.code if ref.hospital else ""
    found += [
        ("B008", case("age", lambda o: age_years(o) < 1 or bool(text(o.setlinfo, "age")))),
        ("B008", case("nwb_age", lambda o: age_years(o) >= 1 or bool(text(o.setlinfo, "nwb_age")))),
        ("B013", case("certno", lambda o: not by_card(o) or bool(card.fullmatch(by_card(o))))),
        ("B014", case("certno", summed)),
        ("B015", case("certno", born)),
        ("B016", case("certno", sex)),
        ("B035", info("insuplc", lambda v: bool(re.fullmatch(r"\d{6}", v)))),
        ("B036", info("fixmedins_code", lambda v: len(v) == 12)),
        ("B036", info("fixmedins_code", lambda v: v == own)),
        ("B045", case("nwb", lambda o: not newborn(o) or bool(text(o.setlinfo, "nwb_adm_type")))),
        ("B046", info("nwb_adm_type", lambda v: not v or v in sets["nwb_adm_type"])),
        ("B049", case("nwb", lambda o: not newborn(o) or bool(text(o.setlinfo, "nwb_bir_wt")))),
        ("B050", case("nwb", lambda o: not newborn(o) or bool(text(o.setlinfo, "nwb_adm_wt")))),
        ("B060", info("chfpdr_code", lambda v: not v or bool(re.fullmatch(r"D\d{12}", v)))),
        ("B051", weight("nwb_bir_wt")),
        ("B051", weight("nwb_adm_wt")),
        ("B051", weight("mul_nwb_bir_wt")),
        ("B051", weight("mul_nwb_adm_wt")),
        ("B056", each("diseinfo", "diag_code", lambda r, _o: r.diag_code == text(r, "diag_code"))),
        (
            "B056",
            each(
                "oprninfo",
                "oprn_oprt_code",
                lambda r, _o: r.oprn_oprt_code == text(r, "oprn_oprt_code"),
            ),
        ),
    ]
    codes = "fixmedins_code adm_caty dscg_caty hi_type insuplc chfpdr_code"
    found += [("B056", tidy(name)) for name in codes.split()]
    amounts = {
        "setlinfo": "psn_selfpay psn_ownpay acct_pay psn_cashpay medfee_sumamt",
        "iteminfo": "amt claa_sumfee clab_amt fulamt_ownpay_amt oth_amt",
        "payinfo": "fund_payamt",
    }
    found += [
        ("B058", money(node, name)) for node, names in amounts.items() for name in names.split()
    ]
    return found


def _stay(ref: Reference) -> list[tuple[str, Check]]:
    sets = ref.codesets
    minutes = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?")
    doctor = re.compile(r"D\d{12}")

    def allowed(name: str, *codes: str) -> Check:
        return info(name, lambda v: v in codes)

    def one(node: str, name: str, good: Callable[[Any], bool]) -> Check:
        def closure(o: Any) -> str | None:
            rows = [row for row in getattr(o, node) if good(row)]
            marked = sum(text(row, name) == "1" for row in rows)
            return None if not rows or marked == 1 else f"{node}.{name}"

        return closure

    def planned(o: Any) -> bool:
        if text(o.setlinfo, "days_rinp_flag_31") != "2":
            return True
        return text(o.setlinfo, "days_rinp_pup_31") not in ("", "-", "—", "/", "无", "0")

    def first(o: Any) -> bool:
        rows = [row for row in o.diseinfo if western(row)]
        return not rows or principal(o) is rows[0]

    def both(node: str, one_name: str, other: str) -> Check:
        return each(node, one_name, lambda r, _o: bool(text(r, one_name)) and bool(text(r, other)))

    return [
        ("H001", allowed("ipt_med_type", "1", "2")),
        ("H002", allowed("adm_way", "1", "2", "3", "9")),
        ("H003", allowed("trt_type", "10", "21", "22", "30", "1", "2.1", "2.2", "3")),
        ("H004", info("adm_time", lambda v: bool(minutes.fullmatch(v)))),
        ("H005", info("dscg_time", lambda v: bool(minutes.fullmatch(v)))),
        ("H006", info("adm_caty", lambda v: v in sets["dept"])),
        ("H007", info("dscg_caty", lambda v: v in sets["dept"])),
        ("H009", info("act_ipt_days", lambda v: v.isdigit() and 1 <= int(v) <= 999)),
        ("H024", allowed("dscg_way", "1", "2", "3", "4", "5", "9")),
        ("H031", allowed("days_rinp_flag_31", "1", "2")),
        ("H032", case("days_rinp_pup_31", planned)),
        (
            "H034",
            case(
                "days_rinp_flag_31",
                lambda o: (
                    text(o.setlinfo, "dscg_way") != "5"
                    or text(o.setlinfo, "days_rinp_flag_31") != "2"
                ),
            ),
        ),
        (
            "H035",
            each(
                "diseinfo",
                "adm_cond_type",
                lambda r, _o: not western(r) or text(r, "adm_cond_type") in ("1", "2", "3", "4"),
            ),
        ),
        (
            "H036",
            each(
                "diseinfo",
                "diag_type",
                lambda r, _o: not text(r, "diag_code") or text(r, "diag_type") in sets["diag_type"],
            ),
        ),
        ("H037", one("diseinfo", "maindiag_flag", western)),
        ("H038", case("diseinfo", first)),
        ("H040", both("diseinfo", "diag_code", "diag_name")),
        ("H041", both("oprninfo", "oprn_oprt_code", "oprn_oprt_name")),
        ("H043", one("oprninfo", "oprn_oprt_type", lambda _row: True)),
        ("H044", each("oprninfo", "oper_dr_name", lambda r, _o: bool(text(r, "oper_dr_name")))),
        ("H044", each("oprninfo", "oper_dr_code", lambda r, _o: bool(text(r, "oper_dr_code")))),
        (
            "H045",
            each(
                "oprninfo",
                "oper_dr_code",
                lambda r, _o: (
                    not text(r, "oper_dr_code") or bool(doctor.fullmatch(text(r, "oper_dr_code")))
                ),
            ),
        ),
        (
            "H046",
            each(
                "oprninfo",
                "anst_way",
                lambda r, _o: (
                    not text(r, "anst_way") or text(r, "anst_way") in sets["anst_mtd_code"]
                ),
            ),
        ),
    ]


def _logic() -> list[tuple[str, Check]]:
    def stay(o: Any) -> bool:
        days = (moment(o.setlinfo, "dscg_time").date() - moment(o.setlinfo, "adm_time").date()).days
        return num(o.setlinfo, "act_ipt_days") == max(1, days)

    def before_leaving(row: Any, o: Any) -> bool:
        return began(row) <= moment(o.setlinfo, "dscg_time")

    def after_coming(row: Any, o: Any) -> bool:
        coming = moment(o.setlinfo, "adm_time")
        if began(row).date() >= coming.date():
            return True
        hours = (coming - began(row)).total_seconds() / 3600
        return text(o.setlinfo, "adm_way") == "1" and hours <= 24

    def ordered(row: Any, _o: Any) -> bool:
        return moment(row, "scs_cutd_inpool_time") < moment(row, "scs_cutd_exit_time")

    def within(row: Any, o: Any) -> bool:
        return moment(row, "scs_cutd_inpool_time") >= moment(o.setlinfo, "adm_time") and moment(
            row, "scs_cutd_exit_time"
        ) <= moment(o.setlinfo, "dscg_time")

    def lasted(row: Any, _o: Any) -> bool:
        days, hours, minutes = (int(part) for part in text(row, "scs_cutd_sum_dura").split("/"))
        span = moment(row, "scs_cutd_exit_time") - moment(row, "scs_cutd_inpool_time")
        said = days * 1440 + hours * 60 + minutes
        return abs(said - int(span.total_seconds() // 60)) <= 1

    def moved(o: Any) -> bool:
        same = text(o.setlinfo, "adm_caty") == text(o.setlinfo, "dscg_caty")
        return same or bool(text(o.setlinfo, "refldept_dept"))

    def pair(one: str, other: str) -> Check:
        return case(one, lambda o: moment(o.setlinfo, one) <= moment(o.setlinfo, other))

    return [
        ("L001", pair("adm_time", "dscg_time")),
        ("L002", case("act_ipt_days", stay)),
        ("L003", pair("brdy", "adm_time")),
        ("L004", case("age", lambda o: age_years(o) < 1 or num(o.setlinfo, "age") == age_years(o))),
        (
            "L005",
            case(
                "nwb_age",
                lambda o: age_years(o) >= 1 or num(o.setlinfo, "nwb_age") == age_days(o),
            ),
        ),
        ("L006", case("age", lambda o: 0 <= num(o.setlinfo, "age") <= 120)),
        ("L008", each("oprninfo", "oprn_oprt_date", before_leaving)),
        ("L009", each("oprninfo", "oprn_oprt_date", after_coming)),
        ("L015", each("icuinfo", "scs_cutd_exit_time", ordered)),
        ("L016", each("icuinfo", "scs_cutd_inpool_time", within)),
        ("L017", each("icuinfo", "scs_cutd_sum_dura", lasted)),
        ("L034", case("refldept_dept", moved)),
        ("L037", pair("setl_begn_date", "setl_end_date")),
    ]


def _diagnoses(ref: Reference) -> list[tuple[str, Check]]:
    names = ref.icd10.names if ref.icd10 else {}
    clinical = ref.icd10_map.entries if ref.icd10_map else {}
    barred = ref.not_principal or {}
    form = re.compile(r"[A-Z]\d{2}\.[0-9x]\d{2}(x\d{3})?(\+[A-Z]\d{2}(\.\d)?\*)?")

    def dx(good: Callable[[str, Any, Any], bool], name: str = "diag_code") -> Check:
        return each(
            "diseinfo", name, lambda r, o: not western(r) or good(text(r, "diag_code"), r, o)
        )

    def main(*prefixes: str) -> Check:
        def good(o: Any) -> bool:
            row = principal(o)
            return row is None or not text(row, "diag_code").startswith(prefixes)

        return case("diseinfo", good)

    def others(o: Any) -> list[str]:
        head = principal(o)
        return [text(row, "diag_code") for row in o.diseinfo if western(row) and row is not head]

    def head(o: Any) -> str:
        row = principal(o)
        return "" if row is None else text(row, "diag_code")

    def sexed(sex: str, prefixes: list[str]) -> Check:
        own = tuple(prefixes)
        return dx(lambda code, _r, o: text(o.setlinfo, "gend") != sex or not code.startswith(own))

    perinatal = tuple(f"P{n:02d}" for n in range(97))
    tens = {
        "D020": ("V", "W", "X", "Y"),
        "D021": ("B95", "B96", "B97", "B98"),
        "D022": ("U82", "U83", "U84", "U85"),
        "D023": ("R65",),
        "D024": ("Z33", "Z53"),
        "D025": ("Z8", "Z9"),
        "D026": ("P00", "P01", "P02", "P03"),
        "D027": ("I25.2",),
        "D028": ("O26.900x",),
        "D029": ("Z37",),
    }
    return [
        ("D001", dx(lambda code, _r, _o: code in names or code in clinical)),
        (
            "D002",
            dx(
                lambda code, r, _o: code not in names or names[code] == text(r, "diag_name"),
                "diag_name",
            ),
        ),
        ("D003", dx(lambda code, _r, _o: bool(form.fullmatch(code)))),
        ("D004", dx(lambda code, _r, _o: code in names or code not in clinical)),
        ("D005", dx(lambda code, _r, _o: code in names or len(clinical.get(code, ())) <= 1)),
        (
            "D006",
            case(
                "diseinfo",
                lambda o: all(
                    code not in barred or barred[code].reason != "gray-parent" for code in others(o)
                ),
            ),
        ),
        ("D007", case("diseinfo", lambda o: any(western(row) for row in o.diseinfo))),
        ("D008", case("diseinfo", lambda o: head(o) not in others(o))),
        ("D009", case("diseinfo", lambda o: len(set(others(o))) == len(others(o)))),
        ("D012", dx(lambda code, _r, _o: "+" in code or "*" not in code)),
        *((rule, main(*prefixes)) for rule, prefixes in tens.items()),
        ("D030", case("diseinfo", lambda o: not head(o).startswith("Z38") or age_days(o) <= 28)),
        ("D031", case("diseinfo", lambda o: head(o) not in barred or not barred[head(o)].drg11)),
        ("D070", sexed("1", WOMEN)),
        ("D071", sexed("2", MEN)),
        (
            "D073",
            case("diseinfo", lambda o: not head(o).startswith(perinatal) or age_days(o) <= 28),
        ),
        ("D074", case("diseinfo", lambda o: not head(o).startswith(perinatal) or age_years(o) < 1)),
        ("D075", dx(lambda code, _r, o: not code.startswith(perinatal) or age_years(o) < 18)),
        ("D081", dx(lambda code, _r, o: not code.startswith("O") or 10 <= age_years(o) <= 60)),
    ]


def _procedures(ref: Reference) -> list[tuple[str, Check]]:
    names = ref.icd9cm3.names if ref.icd9cm3 else {}
    form = re.compile(r"\d{2}\.[0-9x][0-9x]\d{2}(x\d{3})?|17\.9[0-9A-Z]{4}")
    women = tuple(str(n) for n in range(65, 76))
    men = tuple(str(n) for n in range(60, 65))

    def op(good: Callable[[str, Any, Any], bool], name: str = "oprn_oprt_code") -> Check:
        def closure(row: Any, o: Any) -> bool:
            code = text(row, "oprn_oprt_code")
            return not code or good(code, row, o)

        return each("oprninfo", name, closure)

    def sexed(sex: str, chapters: tuple[str, ...]) -> Check:
        return op(
            lambda code, _r, o: text(o.setlinfo, "gend") != sex or not code.startswith(chapters)
        )

    return [
        ("P001", op(lambda code, _r, _o: code in names)),
        (
            "P002",
            op(
                lambda code, r, _o: code not in names or names[code] == text(r, "oprn_oprt_name"),
                "oprn_oprt_name",
            ),
        ),
        ("P003", op(lambda code, _r, _o: bool(form.fullmatch(code)))),
        ("P004", unique("oprninfo", "oprn_oprt_code", "oprn_oprt_begntime")),
        ("P010", sexed("1", women)),
        ("P011", sexed("2", men)),
        ("P012", sexed("1", women)),
        ("P012", sexed("2", men)),
    ]


def _fees(ref: Reference) -> list[tuple[str, Check]]:
    sets = ref.codesets
    parts = ("claa_sumfee", "clab_amt", "fulamt_ownpay_amt", "oth_amt")

    def split(row: Any, _o: Any) -> bool:
        whole = sum((num(row, n) for n in parts if text(row, n)), Decimal(0))
        return abs(num(row, "amt") - whole) < CENT

    def paid(o: Any) -> bool:
        own = num(o.setlinfo, "psn_selfpay") + num(o.setlinfo, "psn_ownpay")
        return abs(total(o.payinfo, "fund_payamt") + own - total(o.iteminfo, "amt")) < CENT

    def borne(o: Any) -> bool:
        own = num(o.setlinfo, "psn_selfpay") + num(o.setlinfo, "psn_ownpay")
        from_ = num(o.setlinfo, "acct_pay") + num(o.setlinfo, "psn_cashpay")
        return abs(own - from_) < CENT

    def by_class(row: Any, o: Any) -> bool:
        own = [r for r in o.charges if text(r, "category")[:2] == text(row, "med_chrgitm")[:2]]
        return abs(total(own, "amount") - num(row, "amt")) < CENT

    def positive(name: str) -> Check:
        return each("iteminfo", name, lambda r, _o: not text(r, name) or num(r, name) >= 0)

    return [
        (
            "F001",
            case(
                "medfee_sumamt",
                lambda o: abs(total(o.iteminfo, "amt") - num(o.setlinfo, "medfee_sumamt")) < CENT,
            ),
        ),
        ("F002", each("iteminfo", "amt", split)),
        ("F003", case("psn_selfpay", paid)),
        ("F004", case("psn_cashpay", borne)),
        *(("F005", positive(name)) for name in ("amt", *parts)),
        ("F005", each("payinfo", "fund_payamt", lambda r, _o: num(r, "fund_payamt") >= 0)),
        (
            "F006",
            each(
                "iteminfo",
                "med_chrgitm",
                lambda r, _o: text(r, "med_chrgitm")[:2] in sets["med_chrgitm_type"],
            ),
        ),
        ("F007", unique("iteminfo", "med_chrgitm")),
        ("F008", each("iteminfo", "amt", by_class)),
        (
            "F009",
            case(
                "charges",
                lambda o: abs(total(o.charges, "amount") - total(o.iteminfo, "amt")) < CENT,
            ),
        ),
        (
            "F010",
            case(
                "psn_ownpay",
                lambda o: (
                    num(o.setlinfo, "psn_ownpay") >= total(o.iteminfo, "fulamt_ownpay_amt") - CENT
                ),
            ),
        ),
        ("F011", case("iteminfo", lambda o: total(o.iteminfo, "amt") > 0)),
        (
            "F013",
            each(
                "payinfo",
                "fund_pay_type",
                lambda r, _o: text(r, "fund_pay_type") in sets["fund_pay_type"],
            ),
        ),
        ("F014", unique("payinfo", "fund_pay_type")),
        ("U003", case("diseinfo", lambda o: o.diseinfo is not None)),
        ("U003", case("iteminfo", lambda o: o.iteminfo is not None)),
        ("U003", case("payinfo", lambda o: o.payinfo is not None)),
    ]

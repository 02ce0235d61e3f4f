"""Defects of coding: rows, codes, names and flags of diagnoses and procedures."""

from __future__ import annotations

from dataclasses import replace

from dipgate.core.codes import category
from dipgate.demo.defects import KINDS, Outcome, Workshop, row_changed
from dipgate.demo.people import FEMALE, MALE, Dice
from dipgate.demo.stays import Row, Stay

_FEMALE_DX = ("N83.201", "D27.x00", "D25.900")
_MALE_DX = ("N40.x00", "C61.x00")
_FEMALE_OPS = ("74.1x01", "73.6x01")
"""By chapter only; the procedures below stand in the national list of bound ones as well."""
_LISTED_FEMALE_OPS = ("68.4901", "65.2501")
_LISTED_MALE_OPS = ("60.2902",)
_GREY = ("I10.x00", "J96.900", "K92.200", "I25.100", "N18.900", "E14.900")


def _diagnoses(stay: Stay, rows: tuple[Row, ...]) -> Stay:
    return replace(stay, diagnoses=rows)


def _other(code: str, name: str) -> Row:
    return {
        "diag_type": "1",
        "diag_code": code,
        "diag_name": name,
        "adm_cond_type": "1",
        "maindiag_flag": "0",
    }


@KINDS.add("同一手术同一时间重复", "P004", mechanical=True)
def procedure_twice(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if not 2 <= len(stay.procedures) <= 5:
        return None
    at = len(stay.procedures)
    rows = (*stay.procedures, stay.procedures[-1])
    return replace(stay, procedures=rows), f"oprninfo[{at}].oprn_oprt_code"


@KINDS.add("诊断空行", "H040", mechanical=True)
def blank_diagnosis_row(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if len(stay.diagnoses) < 2 or len(stay.diagnoses) > 14:
        return None
    blank: Row = dict.fromkeys(stay.diagnoses[0], "")
    rows = (stay.diagnoses[0], blank, *stay.diagnoses[1:])
    return _diagnoses(stay, rows), "diseinfo[1].diag_code"


@KINDS.add("诊断名称与代码不符", "D002", mechanical=True)
def diagnosis_name_drifted(stay: Stay, _shop: Workshop, dice: Dice) -> Outcome:
    at = dice.between(0, len(stay.diagnoses) - 1)
    name = stay.diagnoses[at]["diag_name"] + "（其他）"
    return _diagnoses(
        stay, row_changed(stay.diagnoses, at, {"diag_name": name})
    ), f"diseinfo[{at}].diag_name"


@KINDS.add("手术名称与代码不符", "P002", mechanical=True)
def procedure_name_drifted(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if not stay.procedures:
        return None
    name = "行" + stay.procedures[0]["oprn_oprt_name"]
    rows = row_changed(stay.procedures, 0, {"oprn_oprt_name": name})
    return replace(stay, procedures=rows), "oprninfo[0].oprn_oprt_name"


@KINDS.add("诊断代码不在目录", "D001", mechanical=False)
def diagnosis_not_in_table(stay: Stay, shop: Workshop, _dice: Dice) -> Outcome:
    at = len(stay.diagnoses) - 1
    head = category(stay.diagnoses[at]["diag_code"])
    ref = shop.stock.ref
    for tail in ("998", "997", "996", "995"):
        code = f"{head}.{tail}"
        mapped = ref.icd10_map is not None and bool(ref.icd10_map.find(code))
        if code not in shop.stock.icd10 and not mapped:
            rows = row_changed(stay.diagnoses, at, {"diag_code": code})
            return _diagnoses(stay, rows), f"diseinfo[{at}].diag_code"
    return None


@KINDS.add("国临版诊断代码", "D004", mechanical=True)
def clinical_edition_code(stay: Stay, shop: Workshop, _dice: Dice) -> Outcome:
    ref, icd10 = shop.stock.ref, shop.stock.icd10
    if ref.icd10_map is None:
        return None
    wanted = {row["diag_code"]: at for at, row in enumerate(stay.diagnoses)}
    for source, entries in ref.icd10_map.entries.items():
        targets = {entry.target_code for entry in entries}
        if len(targets) != 1 or source in icd10:
            continue
        at = wanted.get(entries[0].target_code)
        if at is None:
            continue
        name = entries[0].source_name or stay.diagnoses[at]["diag_name"]
        rows = row_changed(stay.diagnoses, at, {"diag_code": source, "diag_name": name})
        return _diagnoses(stay, rows), f"diseinfo[{at}].diag_code"
    return None


@KINDS.add("主诊用外因码", "D020", mechanical=False)
def external_cause_is_principal(stay: Stay, shop: Workshop, _dice: Dice) -> Outcome:
    code = stay.cover.get("ext_cause_code", "")
    if not code:
        return None
    rest = tuple(row for row in stay.diagnoses if row["diag_code"] != code)
    first = {**_other(code, shop.stock.icd10.names[code]), "maindiag_flag": "1"}
    rows = (first, *({**row, "maindiag_flag": "0"} for row in rest))
    return _diagnoses(stay, rows), "diseinfo[0].diag_code"


@KINDS.add("主诊用灰码", "D031", mechanical=False)
def grey_code_is_principal(stay: Stay, shop: Workshop, _dice: Dice) -> Outcome:
    if stay.tags & {"newborn", "delivery", "injury"} or int(stay.front["age"] or 0) < 40:
        return None
    lists = shop.stock.ref.not_principal or {}
    names = shop.stock.icd10.names
    head = stay.diagnoses[0]["diag_code"]
    held = {category(row["diag_code"]) for row in stay.diagnoses[1:]}
    near = sorted(code for code in lists if code.startswith(category(head)))
    for code in (*near, *_GREY):
        entry = lists.get(code)
        if (
            entry is None
            or not (entry.dip3 and entry.drg11)
            or entry.reason != "gray-parent"
            or code not in names
            or category(code) in held
        ):
            continue
        change = {"diag_code": code, "diag_name": names[code]}
        return _diagnoses(stay, row_changed(stay.diagnoses, 0, change)), "diseinfo[0].diag_code"
    return None


@KINDS.add("其他诊断重复主诊", "D008", mechanical=True)
def other_repeats_principal(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if len(stay.diagnoses) > 14:
        return None
    first = stay.diagnoses[0]
    rows = (*stay.diagnoses, _other(first["diag_code"], first["diag_name"]))
    return _diagnoses(stay, rows), f"diseinfo[{len(stay.diagnoses)}].diag_code"


@KINDS.add("其他诊断彼此重复", "D009", mechanical=True)
def other_diagnosis_twice(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if not 2 <= len(stay.diagnoses) <= 14:
        return None
    rows = (*stay.diagnoses, stay.diagnoses[-1])
    return _diagnoses(stay, rows), f"diseinfo[{len(stay.diagnoses)}].diag_code"


@KINDS.add("两条主要诊断", "H037", mechanical=True)
def two_principal_diagnoses(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if len(stay.diagnoses) < 2:
        return None
    rows = row_changed(stay.diagnoses, 1, {"maindiag_flag": "1"})
    return _diagnoses(stay, rows), "diseinfo[1].maindiag_flag"


@KINDS.add("没有主要手术", "H043", mechanical=True)
def no_principal_procedure(stay: Stay, _shop: Workshop, _dice: Dice) -> Outcome:
    if not stay.procedures:
        return None
    rows = row_changed(stay.procedures, 0, {"oprn_oprt_type": "2"})
    return replace(stay, procedures=rows), "oprninfo[0].oprn_oprt_type"


@KINDS.add("男性出现女性诊断", "D070", mechanical=False)
def female_diagnosis_of_a_man(stay: Stay, shop: Workshop, dice: Dice) -> Outcome:
    return _impossible_diagnosis(stay, shop, dice, MALE, _FEMALE_DX)


@KINDS.add("女性出现男性诊断", "D071", mechanical=False)
def male_diagnosis_of_a_woman(stay: Stay, shop: Workshop, dice: Dice) -> Outcome:
    return _impossible_diagnosis(stay, shop, dice, FEMALE, _MALE_DX)


def _impossible_diagnosis(
    stay: Stay, shop: Workshop, dice: Dice, sex: str, codes: tuple[str, ...]
) -> Outcome:
    names = shop.stock.icd10.names
    fitting = [code for code in codes if code in names]
    if stay.front["gend"] != sex or not fitting or int(stay.front["age"] or 0) < 40:
        return None
    code = dice.one(fitting)
    rows = (*stay.diagnoses, _other(code, names[code]))
    return _diagnoses(stay, rows), f"diseinfo[{len(stay.diagnoses)}].diag_code"


@KINDS.add("男性做女性手术", "P010", mechanical=False)
def female_procedure_of_a_man(stay: Stay, shop: Workshop, _dice: Dice) -> Outcome:
    return _impossible_procedure(stay, shop, MALE, _FEMALE_OPS)


@KINDS.add("限定性别的手术不符", "P012", mechanical=False)
def listed_procedure_of_the_other_sex(stay: Stay, shop: Workshop, _dice: Dice) -> Outcome:
    sex = stay.front["gend"]
    codes = _LISTED_FEMALE_OPS if sex == MALE else _LISTED_MALE_OPS
    return _impossible_procedure(stay, shop, sex, codes)


def _impossible_procedure(stay: Stay, shop: Workshop, sex: str, codes: tuple[str, ...]) -> Outcome:
    names = shop.stock.icd9cm3.names
    fitting = [code for code in codes if code in names]
    if stay.front["gend"] != sex or not fitting or not stay.procedures:
        return None
    if len(stay.procedures) > 5:
        return None
    row: Row = {
        **stay.procedures[0],
        "oprn_oprt_type": "2",
        "oprn_oprt_code": fitting[0],
        "oprn_oprt_name": names[fitting[0]],
    }
    at = len(stay.procedures)
    return replace(stay, procedures=(*stay.procedures, row)), f"oprninfo[{at}].oprn_oprt_code"


@KINDS.add("手术代码不在目录", "P001", mechanical=False)
def procedure_not_in_table(stay: Stay, shop: Workshop, _dice: Dice) -> Outcome:
    if len(stay.procedures) < 1:
        return None
    at = len(stay.procedures) - 1
    code = stay.procedures[at]["oprn_oprt_code"][:5] + "98"
    if code in shop.stock.icd9cm3:
        return None
    rows = row_changed(stay.procedures, at, {"oprn_oprt_code": code})
    return replace(stay, procedures=rows), f"oprninfo[{at}].oprn_oprt_code"

"""Codes through the tables of the day: clinical → insurance edition, wards, people."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from dipgate.core.codes import diagnosis_code, procedure_code, strip_marks, tidy
from dipgate.core.reference import CodeMap, MapEntry, Reference, Staff
from dipgate.core.registry import DESK
from dipgate.mapping.convert import Steps
from dipgate.mapping.fields import Kind

CLINICAL = "clinical"
_NATIONAL_STAFF = re.compile(r"^[DN]\d{12}$")
_JOIN = "→"


@dataclass(frozen=True, slots=True)
class Found:
    """A looked-up code. `name` is set when the table also gives the official name."""

    code: str
    steps: Steps
    name: str = ""
    unmapped_kind: str = ""
    reason: str = ""
    candidates: tuple[str, ...] = ()


def look_up(kind: Kind, text: str, ref: Reference, edition: str) -> Found:
    """The national code for a source value of one kind; unmapped values stay as written."""
    if kind is Kind.DIAGNOSIS:
        return _edition_code(text, ref, edition, "icd10", ref.icd10_map, diagnosis_code)
    if kind is Kind.PROCEDURE:
        return _edition_code(text, ref, edition, "icd9cm3", ref.icd9cm3_map, procedure_code)
    if kind is Kind.DEPARTMENT:
        return _department(text, ref)
    return _staff(text, ref, "nurse" if kind is Kind.NURSE else "doctor")


def _edition_code(
    text: str,
    ref: Reference,
    edition: str,
    kind: str,
    table: CodeMap | None,
    spelled: Callable[[str], str],
) -> Found:
    code = spelled(text)
    steps: Steps = ("代码规范书写",) if code != text else ()
    if not code or edition != CLINICAL:
        return Found(code, steps)
    if table is None:
        return Found(code, steps, unmapped_kind=kind, reason="没有导入国临版到医保版的对照表")
    entries = _valid(table.find(code), ref)
    if not entries and strip_marks(code) != code:
        entries = _valid(table.find(strip_marks(code)), ref)
    if not entries:
        return Found(code, steps, unmapped_kind=kind, reason="对照表中没有这个代码")
    layer = [entry for entry in entries if entry.layer == entries[0].layer]
    targets = tuple(dict.fromkeys(entry.target_code for entry in layer))
    if len(targets) > 1:
        return Found(
            code,
            steps,
            unmapped_kind=kind,
            reason=f"对照表给出 {len(targets)} 个目标，须由编码员选择",
            candidates=targets,
        )
    entry = layer[0]
    catalogue = ref.icd10 if kind == "icd10" else ref.icd9cm3
    official = catalogue.name(entry.target_code) if catalogue is not None else None
    step = f"映射 {kind}-map {entry.version} 第{entry.row}行"
    if entry.version == DESK:
        step = f"编码对照第{entry.row}号"
    return Found(entry.target_code, (*steps, step), name=official or entry.target_name)


def _valid(entries: tuple[MapEntry, ...], ref: Reference) -> list[MapEntry]:
    return [
        entry
        for entry in entries
        if entry.target_code
        and (entry.first_day is None or entry.first_day <= ref.day)
        and (entry.last_day is None or ref.day <= entry.last_day)
    ]


def _department(text: str, ref: Reference) -> Found:
    parts = [part for part in re.split(r"→|->", tidy(text)) if part]
    if len(parts) > 1:
        found = [_department(part, ref) for part in parts]
        lost = next((item for item in found if item.unmapped_kind), None)
        return Found(
            _JOIN.join(item.code for item in found),
            tuple(dict.fromkeys(step for item in found for step in item.steps)),
            unmapped_kind=lost.unmapped_kind if lost else "",
            reason=lost.reason if lost else "",
        )
    value = tidy(text)
    if not value or value in ref.codesets.get("dept", {}):
        return Found(value, ("去空白和不可见字符",) if value != text else ())
    if ref.departments is None:
        return Found(
            value, (), unmapped_kind="department", reason="没有导入科室对照表，也没有登记过科室"
        )
    row = ref.departments.get(value)
    if row is None:
        return Found(value, (), unmapped_kind="department", reason="登记册中没有这个科室")
    return Found(row.national_code, (row.step,))


def _staff(text: str, ref: Reference, role: str) -> Found:
    value = tidy(text)
    if not value or _NATIONAL_STAFF.match(value):
        return Found(value, ("去空白和不可见字符",) if value != text else ())
    if ref.staff is None:
        return Found(
            value, (), unmapped_kind="staff", reason="没有导入人员对照表，也没有登记过人员"
        )
    people = [person for person in ref.staff.get(value, ()) if _serves(person, ref)]
    people = [person for person in people if (person.role == "nurse") == (role == "nurse")]
    codes = tuple(dict.fromkeys(person.national_code for person in people))
    if len(codes) == 1:
        return Found(codes[0], (people[0].step,))
    reason = "登记册中没有这个工号" if not codes else "登记册中有多个同名人员"
    return Found(value, (), unmapped_kind="staff", reason=reason, candidates=codes)


def _serves(person: Staff, ref: Reference) -> bool:
    return (person.first_day is None or person.first_day <= ref.day) and (
        person.last_day is None or ref.day <= person.last_day
    )

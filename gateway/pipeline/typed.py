"""What a person types into a field → the wire value, its partner fields, and a note.

The same conversions as for source cells; but a person is there to ask, so what cannot mean
anything is refused with a sentence instead of being set aside.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date

from dipgate.core.case import case_of
from dipgate.core.codes import diagnosis_code, procedure_code
from dipgate.core.errors import RecordError
from dipgate.core.findings import Fix
from dipgate.core.line_order import TCM_KINDS
from dipgate.core.lists import FieldPath, SettlementList
from dipgate.core.reference import CodeMap, CodeTable, Reference
from dipgate.mapping import convert
from dipgate.mapping.convert import Converted
from dipgate.mapping.fields import NAME_OF, READINGS, TEXT, Kind
from dipgate.mapping.lookup import look_up
from dipgate.pipeline.desk import Desk

LONGEST = 500
"""Characters a field may be given; the rules say what the platform takes."""
CODE_OF: Mapping[str, str] = {name: code for code, name in NAME_OF.items()}
_NODES = frozenset(READINGS) - {"charges"}
_PLAIN = {
    Kind.TEXT: convert.trimmed,
    Kind.IDENTIFIER: convert.trimmed,
    Kind.DATE: convert.date_text,
    Kind.TIME: convert.time_text,
    Kind.MONEY: convert.money_text,
    Kind.NUMBER: convert.number_text,
    Kind.DURATION: convert.duration_text,
}
_EXAMPLES = {
    Kind.DATE: "写成 2025-03-09",
    Kind.TIME: "写成 2025-03-09 14:03",
    Kind.MONEY: "写成 1234.50",
    Kind.NUMBER: "只写数字",
}


@dataclass(frozen=True, slots=True)
class Typed:
    """The changes that a typed text asks for; none when the list says so already."""

    fixes: tuple[Fix, ...]
    note: str = ""
    """What was read differently from how it was typed."""


def day_of(lst: SettlementList) -> date | None:
    """The day whose catalogues hold for a list: settlement, else discharge."""
    case = case_of(lst)
    return case.settled or (case.discharged.date() if case.discharged else None)


def editable(path: str) -> bool:
    """May a person type into this place? Charges and earlier stays are the source's alone."""
    try:
        place = FieldPath.parse(path)
    except ValueError:
        return False
    return place.node in _NODES and bool(place.name) and path != "setlinfo.setl_id"


def typed(desk: Desk, lst: SettlementList, path: str, text: str) -> Typed:
    """Read a typed text for a place of a list. The name that goes with a code follows it.

    Raises RecordError with a sentence and a way out for a text that cannot mean anything there,
    or a place that nobody may type into.
    """
    if not editable(path):
        raise RecordError("这一格不能改", remedy="收费明细和结算ID只能由来源更正")
    if len(text) > LONGEST:
        raise RecordError(f"超过 {LONGEST} 字", remedy="写短一些")
    place = FieldPath.parse(path)
    try:
        lst.with_value(path, "")
    except KeyError:
        raise RecordError("清单上已没有这一行", remedy="刷新后再试") from None
    reading = READINGS.get(place.node, {}).get(place.name, TEXT)
    value, name, note = _read(desk, lst, place, text, lst.get(path))
    wanted = [(path, value)]
    partner = NAME_OF.get(place.name)
    if partner and name is not None:
        wanted.append((f"{path[: -len(place.name)]}{partner}", name))
    fixes = tuple(Fix("set", at, new) for at, new in wanted if lst.get(at) != new)
    if not note and value != text.strip() and reading.kind is not Kind.CODE:
        note = f"“{text.strip()}”读作 {value}"
    return Typed(fixes, note)


def _read(
    desk: Desk, lst: SettlementList, place: FieldPath, text: str, before: str
) -> tuple[str, str | None, str]:
    """(value, name of the partner field or None when it stays, note)."""
    reading = READINGS.get(place.node, {}).get(place.name, TEXT)
    ref = desk.reference(day_of(lst))
    if not text.strip():
        return "", "" if place.name in NAME_OF else None, ""
    if reading.kind in (Kind.DIAGNOSIS, Kind.PROCEDURE):
        row = f"{place.node}[{place.index}].diag_type" if place.index is not None else ""
        if row and place.node == "diseinfo" and lst.get(row) in TCM_KINDS:
            return _converted(convert.trimmed, text)[0], None, ""
        return _code(ref, reading.kind, text)
    if reading.kind in (Kind.DEPARTMENT, Kind.DOCTOR, Kind.NURSE):
        return _person_or_ward(ref, reading.kind, text)
    if reading.kind is Kind.CODE:
        codes = desk.forms.codesets.get(reading.codeset, {})
        value, _ = _converted(lambda raw: convert.code_text(raw, reading.codeset, codes), text)
        if codes and value not in codes and value != before:
            raise RecordError("这里只收固定的几个值", remedy=_choices(codes))
        return value, None, ""
    value, _ = _converted(_PLAIN[reading.kind], text, _EXAMPLES.get(reading.kind, ""))
    return value, None, ""


def _converted(how: Callable[[str], Converted], text: str, remedy: str = "") -> Converted:
    try:
        return how(text)
    except ValueError as error:
        raise RecordError(str(error), remedy=remedy or "改好再存") from None


def _code(ref: Reference, kind: Kind, text: str) -> tuple[str, str | None, str]:
    spelled, table, table_map = _tables(ref, kind)
    code = spelled(text)
    if table is None or code in table:
        return code, table.name(code) if table else None, ""
    entries = table_map.find(code) if table_map else ()
    targets = list(dict.fromkeys(entry.target_code for entry in entries if entry.target_code))
    if len(targets) == 1:
        target = targets[0]
        return target, table.name(target), f"国临版 {code} 由对照表换成医保版 {target}"
    if targets:
        raise RecordError(
            f"国临版 {code} 对应 {len(targets)} 个医保版代码",
            remedy=f"选其中一个：{'、'.join(targets[:6])}",
        )
    raise RecordError(
        f"{table.version} 版目录里没有 {text.strip()}",
        remedy="从查到的里面选一条，或打完整的代码",
    )


def _tables(
    ref: Reference, kind: Kind
) -> tuple[Callable[[str], str], CodeTable | None, CodeMap | None]:
    if kind is Kind.DIAGNOSIS:
        return diagnosis_code, ref.icd10, ref.icd10_map
    return procedure_code, ref.icd9cm3, ref.icd9cm3_map


def _person_or_ward(ref: Reference, kind: Kind, text: str) -> tuple[str, str | None, str]:
    found = look_up(kind, text, ref, "nhsa")
    if found.unmapped_kind:
        choice = f"；可选 {'、'.join(found.candidates[:6])}" if found.candidates else ""
        raise RecordError(found.reason, remedy=f"打国家代码、本院代码或名称{choice}")
    if kind is Kind.DEPARTMENT:
        ward = (ref.departments or {}).get(text.strip())
        name = ward.local_name if ward else ref.codesets.get("dept", {}).get(found.code)
        return found.code, name, ""
    people = (ref.staff or {}).get(found.code, ())
    names = {person.name for person in people}
    return found.code, names.pop() if len(names) == 1 else None, ""


def _choices(codes: Mapping[str, str]) -> str:
    shown = [f"{code} {label}" for code, label in list(codes.items())[:8]]
    more = f" 等 {len(codes)} 个" if len(codes) > len(shown) else ""
    return f"可选：{'，'.join(shown)}{more}"

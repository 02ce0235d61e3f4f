"""What the registry does not know: wards and people of a list, noticed as it is mapped."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from datetime import date

from dipgate.core.lists import FieldPath, text_of
from dipgate.core.record import Origin
from dipgate.core.reference import Reference
from dipgate.core.registry import DEPARTMENT, STAFF, RegistryEntry
from dipgate.mapping import MappedCase
from dipgate.mapping.fields import NAME_OF, READINGS, TEXT, Kind
from dipgate.pipeline.desk import Desk
from dipgate.store import Connection, registry_items
from dipgate.store.registry_items import Notice

WHY = {
    "new": "登记册里没有",
    "ended": "登记已到期，之后还在用",
    "early": "登记从更晚的日子才开始",
    "same_name": "登记册里有几个同名的人",
}
"""Why an entry is needed → what a user reads."""
_NATIONAL = re.compile(r"[DN]\d{12}")
_NAMES = {**NAME_OF, "resp_nurs_code": "resp_nurs_name"}
Book = Callable[[str], Sequence[RegistryEntry]]


def note(conn: Connection, desk: Desk, mapped: MappedCase, day: date | None) -> None:
    """Keep what the registry does not know in this list; what it knows by now is forgotten."""
    found = noticed(mapped, desk.reference(day), desk.references.registry, day)
    registry_items.replace_for(conn, mapped.list.settlement_id, found, desk.clock.now())


def noticed(mapped: MappedCase, ref: Reference, book: Book, day: date | None) -> tuple[Notice, ...]:
    """Wards and people of a list that the registry does not know on its day, each once. Pure.

    A national code that a system writes itself is looked up too: someone who left must not go
    unseen. Without any registry there is nothing to say about those.
    """
    found: dict[tuple[str, str, str], Notice] = {}
    for path, kind, code, name in _named(mapped):
        for part in _unknown(kind, code, ref):
            group = "" if kind is Kind.DEPARTMENT else _group(kind)
            what = DEPARTMENT if kind is Kind.DEPARTMENT else STAFF
            key = (what, group, part)
            if key not in found:
                origin = mapped.origin(path) or Origin(path, code)
                found[key] = Notice(
                    what,
                    group,
                    part,
                    name if part == code else "",
                    _role(path, group),
                    why(book(what), what, group, part, ref.day),
                    path,
                    origin.object_name,
                    origin.row or 0,
                    origin.column,
                    day,
                )
    return tuple(found.values())


def why(entries: Sequence[RegistryEntry], kind: str, group: str, code: str, day: date) -> str:
    """Why nothing holds for a code on a day; a key of `WHY`."""
    same = [
        entry
        for entry in entries
        if code in (entry.local_code, entry.local_name, entry.national_code)
        and (kind == DEPARTMENT or entry.key[0] == group)
    ]
    if not same:
        return "new"
    if any(entry.holds(day) for entry in same):
        return "same_name"
    begun = any(entry.first_day is None or entry.first_day <= day for entry in same)
    return "ended" if begun else "early"


def _named(mapped: MappedCase) -> Iterator[tuple[str, Kind, str, str]]:
    """Every field of the list that names a ward or a person: path, kind, value, name beside it."""
    for node in ("setlinfo", "oprninfo"):
        wanted = [
            (name, reading.kind)
            for name, reading in READINGS.get(node, {}).items()
            if reading.kind in (Kind.DEPARTMENT, Kind.DOCTOR, Kind.NURSE)
        ]
        rows = [mapped.list.setlinfo] if node == "setlinfo" else (mapped.list.oprninfo or ())
        for index, row in enumerate(rows):
            where = node if node == "setlinfo" else f"{node}[{index}]"
            for name, kind in wanted:
                value = text_of(row.get(name))
                if value:
                    yield f"{where}.{name}", kind, value, text_of(row.get(_NAMES.get(name, "")))


def _unknown(kind: Kind, code: str, ref: Reference) -> Iterator[str]:
    if kind is Kind.DEPARTMENT:
        known = ref.codesets.get("dept", {})
        yield from (part for part in code.split("→") if part and part not in known)
    elif not _NATIONAL.fullmatch(code):
        yield code
    elif ref.staff is not None and code not in ref.staff:
        yield code


def _group(kind: Kind) -> str:
    return "nurse" if kind is Kind.NURSE else "doctor"


def _role(path: str, group: str) -> str:
    return "anaesthetist" if FieldPath.parse(path).name == "anst_dr_code" else group


def kind_of(path: str) -> str:
    """`department` or `staff` for a field that names one; empty for every other path."""
    try:
        place = FieldPath.parse(path)
    except ValueError:
        return ""
    kind = READINGS.get(place.node, {}).get(place.name, TEXT).kind
    if kind is Kind.DEPARTMENT:
        return DEPARTMENT
    return STAFF if kind in (Kind.DOCTOR, Kind.NURSE) else ""

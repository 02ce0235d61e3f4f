"""What may be chosen in a field of a fixed set: code sets, wards, staff."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dipgate.core.codes import tidy
from dipgate.core.lists import FieldPath
from dipgate.mapping.fields import READINGS, TEXT, Kind
from dipgate.web.case_sheet import Sheet


@dataclass(frozen=True, slots=True)
class Option:
    code: str
    label: str


def options_for(sheet: Sheet, path: str, text: str) -> tuple[Option, ...]:
    """Options whose code begins with the text or whose words contain it; all for no text."""
    place = FieldPath.parse(path)
    reading = READINGS.get(place.node, {}).get(place.name, TEXT)
    wanted = tidy(text).lower()
    found: dict[str, Option] = {}
    for option in _all(sheet, reading.kind, reading.codeset):
        if not wanted or option.code.lower().startswith(wanted) or wanted in option.label.lower():
            found.setdefault(option.code, option)
    return tuple(found.values())


def _all(sheet: Sheet, kind: Kind, codeset: str) -> Iterator[Option]:
    if kind is Kind.CODE:
        for code, label in sheet.desk.forms.codesets.get(codeset, {}).items():
            yield Option(code, label)
    elif kind is Kind.DEPARTMENT:
        for ward in (sheet.ref.departments or {}).values():
            yield Option(ward.national_code, ward.local_name)
        for code, label in sheet.desk.forms.codesets.get("dept", {}).items():
            yield Option(code, label)
    elif kind in (Kind.DOCTOR, Kind.NURSE):
        for people in (sheet.ref.staff or {}).values():
            for person in people:
                if (person.role == "nurse") == (kind is Kind.NURSE):
                    yield Option(person.national_code, f"{person.name} {person.local_code}")

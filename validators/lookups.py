"""What rules ask of the catalogues, beyond a plain "is it in the list"."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from dipgate.core.codes import tidy
from dipgate.core.reference import MapEntry, NotPrincipal, Reference


def same_text(one: str, other: str) -> bool:
    """Equal after dropping blanks and folding full-width characters."""
    return one == other or tidy(one).replace(" ", "") == tidy(other).replace(" ", "")


def targets_of(entries: Mapping[str, tuple[MapEntry, ...]], code: str) -> tuple[MapEntry, ...]:
    """The map's rows for a code, of the winning layer only, one per target."""
    found = entries.get(code, ())
    if not found:
        return ()
    layer = found[0].layer
    return tuple({entry.target_code: entry for entry in found if entry.layer == layer}.values())


def only_target(entries: Mapping[str, tuple[MapEntry, ...]], code: str) -> str:
    """The one target of a code, or empty text when there is none or a choice."""
    found = targets_of(entries, code)
    return found[0].target_code if len(found) == 1 else ""


def target_list(entries: Mapping[str, tuple[MapEntry, ...]], code: str) -> str:
    """`A 名称、B 名称` for a message."""
    return "、".join(f"{e.target_code} {e.target_name}" for e in targets_of(entries, code))


def barred(table: Mapping[str, NotPrincipal], code: str, dip3: bool) -> bool:
    """True when the list of the edition names exactly this code."""
    entry = table.get(code)
    return entry is not None and (entry.dip3 if dip3 else entry.drg11)


def barred_reason(table: Mapping[str, NotPrincipal], code: str) -> str:
    entry = table.get(code)
    return "" if entry is None else entry.reason


def national_department(ref: Reference, local: str) -> str:
    """National code of a local department code or name, or empty text."""
    entry = (ref.departments or {}).get(local) if local else None
    return "" if entry is None else entry.national_code


def staff_code(ref: Reference, who: str, role: str) -> str:
    """National code of the one person with this name, local or national code, and role.

    Empty when nobody or several fit: a person must choose then.
    """
    found = {
        person.national_code
        for person in ((ref.staff or {}).get(who, ()) if who else ())
        if person.role == role
        and person.national_code
        and (person.first_day is None or person.first_day <= ref.day)
        and (person.last_day is None or ref.day <= person.last_day)
    }
    return found.pop() if len(found) == 1 else ""


def practises(ref: Reference, code: str, when: datetime) -> bool:
    """True when somebody with this national code was on the staff on that day."""
    day = when.date()
    return any(
        person.national_code == code
        and (person.first_day is None or person.first_day <= day)
        and (person.last_day is None or day <= person.last_day)
        for person in (ref.staff or {}).get(code, ())
    )


def staff_name(ref: Reference, code: str) -> str:
    """Name of the one person with this local or national code, or empty text."""
    found = {person.name for person in ((ref.staff or {}).get(code, ()) if code else ())}
    return found.pop() if len(found) == 1 else ""

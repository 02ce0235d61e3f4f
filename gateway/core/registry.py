"""The registry of wards and people: local code → national code, each entry with its days. Pure.

Two sources make it: the imported tables (`catalogue import`) and entries made at the desk. There
is one order: from the first day of its earliest desk entry on, a local code is what the desk says;
before that day, and for codes the desk says nothing about, the imported table holds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

DEPARTMENT = "department"
STAFF = "staff"
KINDS: Mapping[str, str] = {DEPARTMENT: "科室", STAFF: "人员"}
ROLES: Mapping[str, str] = {"doctor": "医师", "anaesthetist": "麻醉医师", "nurse": "护士"}
DESK = "desk"
"""What stands as `version` in an entry made at the desk."""


@dataclass(frozen=True, slots=True)
class RegistryEntry:
    """One ward or person for some days; `number` counts desk entries, or rows of a table."""

    kind: str
    local_code: str
    local_name: str
    national_code: str
    national_name: str = ""
    role: str = ""
    department: str = ""
    """Of a person: local code of the ward he works in. Of a ward: the ward it belongs to."""
    first_day: date | None = None
    last_day: date | None = None
    version: str = DESK
    number: int = 0

    @property
    def key(self) -> tuple[str, str]:
        """What one entry takes over from another: doctors and nurses are numbered apart."""
        return key_of(self.kind, self.local_code, self.role)

    @property
    def is_desk(self) -> bool:
        return self.version == DESK

    def holds(self, day: date) -> bool:
        """Is this so on `day`? Both ends belong to it; an open end has no limit."""
        return (self.first_day is None or self.first_day <= day) and (
            self.last_day is None or day <= self.last_day
        )


def key_of(kind: str, local_code: str, role: str) -> tuple[str, str]:
    """Group and local code: `nurse` and `doctor` are groups of their own, wards are one."""
    group = "" if kind == DEPARTMENT else ("nurse" if role == "nurse" else "doctor")
    return group, local_code


def taken_over(desk: Iterable[RegistryEntry]) -> dict[tuple[str, str], date]:
    """Key → the day from which the desk speaks for it."""
    first: dict[tuple[str, str], date] = {}
    for entry in desk:
        day = entry.first_day or date.min
        first[entry.key] = min(first.get(entry.key, day), day)
    return first


def joined(table: Iterable[RegistryEntry], desk: Sequence[RegistryEntry]) -> list[RegistryEntry]:
    """Table and desk entries in the one order, with the days on which each really holds."""
    start = taken_over(desk)
    kept: list[RegistryEntry] = []
    for entry in table:
        since = start.get(entry.key)
        if since is None:
            kept.append(entry)
        elif since > (entry.first_day or date.min):
            before = since - timedelta(days=1)
            last = before if entry.last_day is None else min(entry.last_day, before)
            kept.append(replace(entry, last_day=last))
    return [*kept, *desk]


def on_day(
    table: Iterable[RegistryEntry], desk: Sequence[RegistryEntry], day: date
) -> list[RegistryEntry]:
    """What holds on `day`, table entries first."""
    return [entry for entry in joined(table, desk) if entry.holds(day)]


def overlaps(entry: RegistryEntry, others: Iterable[RegistryEntry]) -> RegistryEntry | None:
    """The first of the other desk entries of the same code that shares a day with this one."""
    first, last = entry.first_day or date.min, entry.last_day or date.max
    for other in others:
        if (
            other.key == entry.key
            and (other.first_day or date.min) <= last
            and first <= (other.last_day or date.max)
        ):
            return other
    return None

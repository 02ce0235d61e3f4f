"""Imported tables of wards and people as registry entries, and what holds on one day."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from types import MappingProxyType

from dipgate.config.shelf import Manifest
from dipgate.core.hashing import content_hash
from dipgate.core.reference import Department, Staff
from dipgate.core.registry import DEPARTMENT, STAFF, RegistryEntry, taken_over

Rows = Callable[[Manifest], Iterable[tuple[int, Mapping[str, str]]]]


def table_entries(kind: str, manifest: Manifest, rows: Rows) -> Iterator[RegistryEntry]:
    """The rows of one imported version, each with the days that its own row names."""
    for number, row in rows(manifest):
        yield RegistryEntry(
            kind,
            row["local_code"],
            row["name" if kind == STAFF else "local_name"],
            row["national_code"],
            row.get("national_name", ""),
            row.get("role", ""),
            row.get("department", "") if kind == STAFF else row.get("ward", ""),
            _day(row.get("first_day", "")),
            _day(row.get("last_day", "")),
            manifest.version,
            number,
        )


def history(kind: str, versions: Sequence[Manifest], rows: Rows) -> list[RegistryEntry]:
    """The rows of all versions with the days on which each was looked at, joined where the same.

    `versions` stand in the order of their first days: each is looked at until the next begins.
    """
    spans: dict[tuple[str, ...], list[RegistryEntry]] = {}
    for place, manifest in enumerate(versions):
        after = versions[place + 1].first_day if place + 1 < len(versions) else None
        if after is not None and after <= manifest.first_day:
            continue
        for entry in table_entries(kind, manifest, rows):
            first = max(entry.first_day or manifest.first_day, manifest.first_day)
            ends = [entry.last_day, None if after is None else after - timedelta(days=1)]
            last = min((end for end in ends if end is not None), default=None)
            if last is not None and last < first:
                continue
            held = spans.setdefault(_same(entry), [])
            new = replace(entry, first_day=first, last_day=last)
            if held and held[-1].last_day == first - timedelta(days=1):
                held[-1] = replace(new, first_day=held[-1].first_day)
            else:
                held.append(new)
    return [entry for held in spans.values() for entry in held]


def _same(entry: RegistryEntry) -> tuple[str, ...]:
    return (
        entry.local_code,
        entry.local_name,
        entry.national_code,
        entry.role,
        entry.department,
    )


def departments_of(entries: Iterable[RegistryEntry]) -> Mapping[str, Department]:
    """By local code and by local name; a name that several wards share is left out."""
    by_code: dict[str, Department] = {}
    by_name: dict[str, list[Department]] = {}
    for entry in entries:
        ward = Department(
            entry.local_code,
            entry.local_name,
            entry.national_code,
            entry.national_name,
            entry.version,
            entry.number,
            entry.first_day,
            entry.last_day,
        )
        by_code[ward.local_code] = ward
        by_name.setdefault(ward.local_name, []).append(ward)
    single = {name: wards[0] for name, wards in by_name.items() if len(wards) == 1}
    return MappingProxyType(single | by_code)


def staff_of(entries: Iterable[RegistryEntry]) -> Mapping[str, tuple[Staff, ...]]:
    """By local code, national code and name: who holds that code or name."""
    found: dict[str, tuple[Staff, ...]] = {}
    for entry in entries:
        person = Staff(
            entry.local_code,
            entry.local_name,
            entry.national_code,
            entry.role,
            entry.version,
            entry.number,
            entry.first_day,
            entry.last_day,
            entry.department,
        )
        for key in dict.fromkeys((person.local_code, person.national_code, person.name)):
            found[key] = (*found.get(key, ()), person)
    return MappingProxyType(found)


def turning_days(entries: Iterable[RegistryEntry]) -> Iterator[date]:
    """Days on which some entry begins to hold or has just ceased to."""
    for entry in entries:
        if entry.first_day is not None:
            yield entry.first_day
        if entry.last_day is not None:
            yield entry.last_day + timedelta(days=1)


def desk_label(kind: str, desk: Sequence[RegistryEntry], day: date) -> str:
    """Names what the desk says on `day`, by content; empty when it says nothing then."""
    own = [entry for entry in desk if entry.kind == kind]
    start = taken_over(own)
    said = [
        [
            entry.local_code,
            entry.local_name,
            entry.national_code,
            entry.role,
            entry.department,
            entry.holds(day),
        ]
        for entry in own
        if start[entry.key] <= day
    ]
    return f"desk:{content_hash(said)[:8]}" if said else ""


def kinds() -> tuple[str, str]:
    """The kinds of catalogue that are registries."""
    return DEPARTMENT, STAFF


def _day(text: str) -> date | None:
    return date.fromisoformat(text) if text else None

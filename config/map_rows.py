"""Rows of a code map approved at the desk: which hold on a day, and when that changes. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import date, timedelta

from dipgate.core.hashing import content_hash
from dipgate.core.reference import MapEntry


def holds(entry: MapEntry, day: date) -> bool:
    """Is the row in force on `day`? Both ends belong to it; an open end has no limit."""
    return (entry.first_day is None or entry.first_day <= day) and (
        entry.last_day is None or day <= entry.last_day
    )


def on_day(rows: Iterable[MapEntry], day: date) -> Mapping[str, tuple[MapEntry, ...]]:
    """Source code → the rows in force on `day`; only codes that have one."""
    found: dict[str, tuple[MapEntry, ...]] = {}
    for row in rows:
        if holds(row, day):
            found[row.source_code] = (*found.get(row.source_code, ()), row)
    return found


def turning_days(rows: Iterable[MapEntry]) -> Iterator[date]:
    """Days on which some row begins to hold or has just ceased to."""
    for row in rows:
        if row.first_day is not None:
            yield row.first_day
        if row.last_day is not None:
            yield row.last_day + timedelta(days=1)


def label(rows: Iterable[MapEntry], day: date) -> str:
    """Names the rows in force on `day` by their content; empty when there are none."""
    said = sorted((row.source_code, row.target_code) for row in rows if holds(row, day))
    return f"desk:{content_hash([list(pair) for pair in said])[:8]}" if said else ""

"""Bills that a new version of a whole file does not have any more: cancelled, if it covers them.

A file that is exported again under its name says what there is. A bill that it had and has no more
is taken as cancelled only when the new version covers its day: when it has bills of earlier and of
later days, and lacks only few. A shortened export, or one of the last days only, cancels nothing.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from functools import partial

from dipgate.adapters import adapter_of
from dipgate.adapters.rows import read_watermark
from dipgate.core.record import SourceSpec
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.history_months import settled_on
from dipgate.store import Connection, bills, inbox

MOST_SHARE = 10
"""One in so many bills may vanish from a file at once; more is a shortened export."""
_SEEN = "#bills"
"""Behind a source's name: the versions of its files that were looked at, kept as a watermark."""


def end_vanished(desk: Desk) -> tuple[str, ...]:
    """End the bills that new versions of files do not have; sentences for what was not believed.

    Their stays are mapped again by what follows. A version is looked at once, whole, and in one
    transaction with the note that it was.
    """
    said: list[str] = []
    for spec in desk.site.source_specs():
        if "settlement" in spec.tables and adapter_of(spec).whole_objects:
            with desk.store.read() as conn:
                new = _new_versions(conn, spec)
            for name, sha in new.items():
                found = desk.store.write(partial(_look, desk=desk, spec=spec, name=name, sha=sha))
                said += [found] if found else []
    return tuple(said)


def _versions(conn: Connection, spec: SourceSpec) -> dict[str, str]:
    """Settlement files that were read to their end, and believed → the hash of what was read."""
    marks = read_watermark(inbox.watermark(conn, spec.name), spec.name)
    return {
        key.partition(":")[2]: str(mark.get("sha"))
        for key, mark in marks.items()
        if key.startswith("settlement:") and mark.get("done") is True and not mark.get("dropped")
    }


def _seen(conn: Connection, spec: SourceSpec) -> dict[str, str]:
    kept = inbox.watermark(conn, spec.name + _SEEN)
    return {} if kept is None else dict(json.loads(kept))


def _new_versions(conn: Connection, spec: SourceSpec) -> Mapping[str, str]:
    seen = _seen(conn, spec)
    return {name: sha for name, sha in _versions(conn, spec).items() if seen.get(name, "") != sha}


def _look(conn: Connection, *, desk: Desk, spec: SourceSpec, name: str, sha: str) -> str:
    now = desk.clock.now()
    seen = _seen(conn, spec)
    first = name not in seen
    inbox.set_watermark(conn, spec.name + _SEEN, json.dumps({**seen, name: sha}), now)
    if first:
        return ""
    rows = bills.bills_of_file(conn, spec.name, name, set(_versions(conn, spec).values()))
    there = [_day(spec, row) for row in rows if row.there]
    days = [day for day in there if day is not None]
    gone = [row for row in rows if not row.there]
    covered = [row for row in gone if days and _within(_day(spec, row), min(days), max(days))]
    if not covered:
        return ""
    if len(covered) > max(1, len(rows) // MOST_SHARE):
        return (
            f"{name} 的新版少了 {len(covered)} 张结算（原有 {len(rows)} 张），太多，没有当作撤销；"
            "请核对导出是否完整"
        )
    bills.end(conn, [row.id for row in covered])
    for key in {row.stay_key for row in covered}:
        inbox.touch(conn, spec.name, key, now)
    return ""


def _day(spec: SourceSpec, row: bills.FileBill) -> date | None:
    return settled_on(row.values, spec.tables["settlement"])


def _within(day: date | None, first: date, last: date) -> bool:
    """Inside, not at the edge: the first and last day of a file may be cut through."""
    return day is not None and first < day < last

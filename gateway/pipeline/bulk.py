"""Releasing everything without a problem at once, in short steps that a person can stop."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from dipgate.core.errors import RecordError
from dipgate.core.worklist import Grade
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.edits import release_in
from dipgate.store import Connection, worklist_rows
from dipgate.store.worklist_rows import WorkFilter, WorkRow

STEP = 200
"""Lists of one step, and of one transaction: well under a second."""


@dataclass(frozen=True, slots=True)
class Step:
    """What one step did. `after` is where the next one begins; None when nothing is left."""

    released: int
    passed_over: int
    """Changed since the person looked, or not releasable any more."""
    after: tuple[float, str] | None


def release_step(
    desk: Desk,
    wanted: WorkFilter,
    *,
    until: datetime,
    author: str,
    after: tuple[float, str] | None = None,
) -> Step:
    """Release the next lists under the filter that are clean and have not changed since `until`.

    Whatever grades the filter names, only clean lists are taken: none with a warning.
    """
    clean = replace(wanted, grades=(Grade.CLEAN,))
    with desk.store.read() as conn:
        rows = worklist_rows.page(conn, clean, after=after, limit=STEP)
    released = desk.store.write(lambda conn: _release(conn, desk, rows, until, author))
    last = (rows[-1].rank, rows[-1].case_id) if len(rows) == STEP else None
    return Step(released, len(rows) - released, last)


def _release(
    conn: Connection, desk: Desk, rows: tuple[WorkRow, ...], until: datetime, author: str
) -> int:
    done = 0
    for row in rows:
        now = worklist_rows.find(conn, row.case_id)
        if now is None or now.grade is not Grade.CLEAN or now.updated_at > until:
            continue
        try:
            release_in(conn, desk, row.settlement_id, author=author)
        except RecordError:
            continue
        done += 1
    return done

"""The work queue at start: rows that are missing or were made in another way are made again.

While work goes on nothing here is needed: the store makes a list's row again in the transaction
of every change.
"""

from __future__ import annotations

from collections.abc import Sequence

from dipgate.core.progress import Progress, silent
from dipgate.pipeline.desk import Desk
from dipgate.store import Connection, worklist

BATCH = 400
"""Rows per transaction: a crash repeats at most one batch."""


def bring_up(desk: Desk, progress: Progress = silent) -> int:
    """Make what is missing, or everything when the site's deadline or the form of rows changed.

    How many rows were made. Counts that differ from the rows are counted again.
    """
    wanted = worklist.Basis(worklist.FORM, desk.site.desk.upload_days)
    with desk.store.read() as conn:
        known = worklist.basis_of(conn) == wanted
    made = _make(desk, progress, missing=True) if known else rebuild(desk, progress)
    with desk.store.read() as conn:
        right = worklist.counts_are_right(conn)
    if not right:
        desk.store.write(worklist.recount)
    return made


def rebuild(desk: Desk, progress: Progress = silent) -> int:
    """Make every row of the queue again; how many. Cut off, it begins anew at the next start."""
    days = desk.site.desk.upload_days
    desk.store.write(lambda conn: worklist.set_basis(conn, days, form=worklist.UNFINISHED))
    made = _make(desk, progress, missing=False)
    desk.store.write(lambda conn: worklist.set_basis(conn, days))
    return made


def _make(desk: Desk, progress: Progress, *, missing: bool) -> int:
    after, made = "", 0
    while True:
        with desk.store.read() as conn:
            ids = worklist.case_ids(conn, after=after, limit=BATCH, missing=missing)
        if not ids:
            return made
        _refresh(desk, ids)
        after = ids[-1]
        made += len(ids)
        progress(made, None)


def _refresh(desk: Desk, ids: Sequence[str]) -> None:
    def make(conn: Connection) -> None:
        worklist.refresh(conn, ids)

    desk.store.write(make)

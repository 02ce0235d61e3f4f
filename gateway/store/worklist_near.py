"""The lists next to one in the work queue, under the filter that its reader has set."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, literal, select, tuple_

from dipgate.store.desk_tables import worklist as table
from dipgate.store.worklist_rows import WorkFilter, WorkRow, narrowed


@dataclass(frozen=True, slots=True)
class Near:
    """Case ids on either side, empty at the ends; and `place` of `lists`, from 1.

    A list that has left the filter (it was put right) keeps its place between its neighbours.
    """

    before: str
    after: str
    place: int
    lists: int


def near(conn: Connection, wanted: WorkFilter, row: WorkRow) -> Near:
    """Where a list stands in the queue."""
    grades = [grade.value for grade in wanted.grades]
    here = tuple_(literal(row.rank), literal(row.case_id))
    key = tuple_(table.c.rank, table.c.case_id)
    within = (table.c.grade.in_(grades), *narrowed(wanted))
    before = conn.execute(
        select(table.c.case_id)
        .where(key > here, *within)
        .order_by(table.c.rank.asc(), table.c.case_id.asc())
        .limit(1)
    ).scalar()
    after = conn.execute(
        select(table.c.case_id)
        .where(key < here, *within)
        .order_by(table.c.rank.desc(), table.c.case_id.desc())
        .limit(1)
    ).scalar()
    earlier = select(func.count()).select_from(table).where(key > here, *within)
    every = select(func.count()).select_from(table).where(*within)
    return Near(
        str(before or ""),
        str(after or ""),
        int(conn.execute(earlier).scalar_one()) + 1,
        int(conn.execute(every).scalar_one()),
    )

"""Reconciliations: per month and settlement, what differs first between ours and theirs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, Select, delete, func, insert, select

from dipgate.store.desk_tables import worklist
from dipgate.store.tables import cases
from dipgate.store.tables import reconciliations as table

_ENCODER = msgspec.json.Encoder()


class StepRow(msgspec.Struct, frozen=True):
    """One step of the comparison as text; `mark` is a word of whoever compares."""

    label: str
    ours: str
    theirs: str
    mark: str


_STEPS = msgspec.json.Decoder(tuple[StepRow, ...])


@dataclass(frozen=True, slots=True)
class Reconciliation:
    """One settlement compared. `reason` is a word of whoever compares; money in fen.

    `field` names what differs first, `ours` and `theirs` its two values; groups and scores are
    those of both sides as compared, empty where a side has none.
    """

    settlement_id: str
    reason: str
    field: str = ""
    ours: str = ""
    theirs: str = ""
    expected_fen: int | None = None
    settled_fen: int | None = None
    our_group: str = ""
    their_group: str = ""
    our_score: str = ""
    their_score: str = ""
    steps: tuple[StepRow, ...] = ()


@dataclass(frozen=True, slots=True)
class Side:
    """A comparison with its list: where it stands on the desk. Empty for a list that is not ours.

    `case_id` is random and safe to show; `record_no` and the names are of the hospital.
    """

    line: Reconciliation
    case_id: str = ""
    record_no: str = ""
    department: str = ""
    doctor: str = ""


@dataclass(frozen=True, slots=True)
class Alone:
    """Lists that have money on one side only, and how much."""

    lists: int = 0
    fen: int = 0

    def plus(self, lists: int, fen: int) -> Alone:
        return Alone(self.lists + lists, self.fen + fen)


@dataclass(frozen=True, slots=True)
class ReasonSum:
    """The lists of one reason. Sums over those that both sides have a figure for.

    What has money on one side only stands apart. A score that was paid nothing counts as none.
    """

    reason: str
    lists: int
    ours_fen: int
    theirs_fen: int
    our_score: Decimal
    their_score: Decimal
    ours_alone: Alone
    theirs_alone: Alone


_INSERT = insert(table)
_CHANGE = func.abs(
    func.coalesce(table.c.settled_fen, 0) - func.coalesce(table.c.expected_fen, 0)
).desc()


def put(conn: Connection, month: str, rows: Sequence[Reconciliation], now: datetime) -> None:
    """Store the comparison of a month (`YYYY-MM`) in place of the one before."""
    conn.execute(delete(table).where(table.c.month == month))
    if rows:
        conn.execute(
            _INSERT,
            [
                {
                    "month": month,
                    "settlement_id": row.settlement_id,
                    "reason": row.reason,
                    "field": row.field,
                    "ours": row.ours,
                    "theirs": row.theirs,
                    "expected_fen": row.expected_fen,
                    "settled_fen": row.settled_fen,
                    "our_group": row.our_group,
                    "their_group": row.their_group,
                    "our_score": row.our_score,
                    "their_score": row.their_score,
                    "steps": _ENCODER.encode(row.steps) if row.steps else None,
                    "made_at": now,
                }
                for row in rows
            ],
        )


def of_month(
    conn: Connection,
    month: str,
    *,
    reason: str | None = None,
    after: str = "",
    limit: int | None = None,
) -> tuple[Reconciliation, ...]:
    """The comparison of a month by settlement id; of one reason if asked."""
    query = (
        select(table)
        .where(table.c.month == month, table.c.settlement_id > after)
        .order_by(table.c.settlement_id)
    )
    if reason is not None:
        query = query.where(table.c.reason == reason)
    if limit is not None:
        query = query.limit(limit)
    return tuple(_line(row) for row in conn.execute(query))


def counts(conn: Connection, month: str) -> Mapping[str, int]:
    """reason → number of settlements of a month."""
    query = (
        select(table.c.reason, func.count())
        .where(table.c.month == month)
        .group_by(table.c.reason)
        .order_by(table.c.reason)
    )
    return {reason: int(number) for reason, number in conn.execute(query)}


def sums(conn: Connection, month: str) -> tuple[ReasonSum, ...]:
    """Heads, money and scores of a month by reason, in order of reason."""
    found: dict[str, list[Any]] = {}
    query = select(
        table.c.reason,
        table.c.expected_fen,
        table.c.settled_fen,
        table.c.our_score,
        table.c.their_score,
    ).where(table.c.month == month)
    for reason, expected, settled, ours, theirs in conn.execute(query):
        sum_ = found.setdefault(reason, [0, 0, 0, Decimal(0), Decimal(0), Alone(), Alone()])
        sum_[0] += 1
        if expected is not None and settled is not None:
            sum_[1] += expected
            sum_[2] += settled
        elif expected is not None:
            sum_[5] = sum_[5].plus(1, expected)
        elif settled is not None:
            sum_[6] = sum_[6].plus(1, settled)
        if ours and (theirs or settled == 0):
            sum_[3] += Decimal(ours)
            sum_[4] += Decimal(theirs or 0)
    return tuple(ReasonSum(reason, *found[reason]) for reason in sorted(found))


def sides(
    conn: Connection, month: str, reason: str, *, offset: int = 0, limit: int = 50
) -> tuple[Side, ...]:
    """Lists of one reason with their place on the desk, the largest change of money first."""
    query = (
        _joined()
        .where(table.c.month == month, table.c.reason == reason)
        .order_by(_CHANGE, table.c.settlement_id)
        .offset(offset)
        .limit(limit)
    )
    return tuple(_side(row) for row in conn.execute(query))


def side_of(conn: Connection, month: str, case_id: str) -> Side | None:
    """The comparison of one case in a month; None when it was not compared."""
    row = conn.execute(_joined().where(table.c.month == month, cases.c.id == case_id)).first()
    return None if row is None else _side(row)


def newest_side(conn: Connection, case_id: str) -> tuple[str, Side] | None:
    """The newest month in which a case was compared, and how; None when it never was."""
    query = _joined().where(cases.c.id == case_id).order_by(table.c.month.desc()).limit(1)
    row = conn.execute(query).first()
    return None if row is None else (row.month, _side(row))


def made_at(conn: Connection, month: str) -> datetime | None:
    """When the month was compared last; None before the first time."""
    return conn.execute(select(table.c.made_at).where(table.c.month == month).limit(1)).scalar()


def months(conn: Connection) -> tuple[str, ...]:
    """Months that were compared, oldest first."""
    return tuple(conn.execute(select(table.c.month).distinct().order_by(table.c.month)).scalars())


def _joined() -> Select[Any]:
    return (
        select(
            table,
            cases.c.id.label("case_id"),
            worklist.c.record_no,
            worklist.c.department_name,
            worklist.c.doctor_name,
        )
        .outerjoin(cases, cases.c.settlement_id == table.c.settlement_id)
        .outerjoin(worklist, worklist.c.case_id == cases.c.id)
    )


def _side(row: Row[Any]) -> Side:
    return Side(
        _line(row),
        row.case_id or "",
        row.record_no or "",
        row.department_name or "",
        row.doctor_name or "",
    )


def _line(row: Row[Any]) -> Reconciliation:
    return Reconciliation(
        row.settlement_id,
        row.reason,
        row.field,
        row.ours,
        row.theirs,
        row.expected_fen,
        row.settled_fen,
        row.our_group,
        row.their_group,
        row.our_score,
        row.their_score,
        () if row.steps is None else _STEPS.decode(row.steps),
    )

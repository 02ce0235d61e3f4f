"""Reading the outbox: what waits, since when, for what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, bindparam, exists, func, or_, select

from dipgate.core.exchange import FINAL, State
from dipgate.store.tables import outbox as table

FINAL_WORDS = tuple(sorted(state.value for state in FINAL))
STATE_WORDS = {
    State.READY: "待上传",
    State.SENDING: "上传中",
    State.UNKNOWN: "待核实",
    State.ACCEPTED: "已接收",
    State.REJECTED: "被拒绝",
    State.CONFLICT: "内容冲突",
    State.HELD: "待人工处理",
    State.SUPERSEDED: "被新版本取代",
}
"""What a user reads for each state."""


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One list on its way. `digest` is SM3 of `payload`; times are aware."""

    id: int
    key: str
    case_id: str
    settlement_id: str
    person_no: str
    infno: str
    revision: int
    payload: bytes
    digest: str
    state: State
    not_before: datetime
    lease_until: datetime | None
    settle_seconds: float
    """How long the platform may still finish what was cut off; kept with the attempt."""
    epoch: int
    attempts: int
    not_found: int
    """Queries since UNKNOWN that did not find the list."""
    waiting_for: str
    last_error: str
    msgid: str
    list_no: str
    first_claimed_at: datetime | None
    unknown_since: datetime | None
    created_at: datetime
    updated_at: datetime


def row_of(row: Row[Any]) -> OutboxRow:
    """A row of the table, all columns in order, as its dataclass."""
    values = dict(row._mapping)
    values["state"] = State(values["state"])
    return OutboxRow(**values)


def blocked() -> ColumnElement[bool]:
    """True where an earlier row of the same settlement is still open."""
    earlier = table.alias("earlier")
    return exists(
        select(earlier.c.id).where(
            earlier.c.settlement_id == table.c.settlement_id,
            earlier.c.id < table.c.id,
            earlier.c.state.not_in(FINAL_WORDS),
        )
    ).correlate(table)


_BY_ID = select(table).where(table.c.id == bindparam("row"))
_BY_KEY = select(table).where(table.c.key == bindparam("row_key"))
_BY_SETTLEMENT = (
    select(table).where(table.c.settlement_id == bindparam("settlement")).order_by(table.c.id)
)
_DUE_UNKNOWN = (
    select(table)
    .where(table.c.state == State.UNKNOWN.value, table.c.not_before <= bindparam("now"))
    .order_by(table.c.not_before, table.c.id)
    .limit(bindparam("many"))
)
_COUNTS = select(table.c.state, func.count()).group_by(table.c.state)
_NEXT_WAITING = select(func.min(table.c.not_before)).where(
    or_(
        table.c.state == State.UNKNOWN.value,
        and_(table.c.state == State.READY.value, ~blocked()),
    )
)
_NEXT_LEASE = select(func.min(table.c.lease_until)).where(table.c.state == State.SENDING.value)


def find(conn: Connection, row_id: int) -> OutboxRow | None:
    """One row by number, or None."""
    row = conn.execute(_BY_ID, {"row": row_id}).first()
    return None if row is None else row_of(row)


def get(conn: Connection, row_id: int) -> OutboxRow:
    """One row by number. Raises KeyError when there is none."""
    row = find(conn, row_id)
    if row is None:
        raise KeyError(row_id)
    return row


def by_key(conn: Connection, key: str) -> OutboxRow | None:
    """One row by its key, or None."""
    row = conn.execute(_BY_KEY, {"row_key": key}).first()
    return None if row is None else row_of(row)


def by_settlement(conn: Connection, settlement_id: str) -> tuple[OutboxRow, ...]:
    """Every row of one settlement, oldest first."""
    found = conn.execute(_BY_SETTLEMENT, {"settlement": settlement_id})
    return tuple(row_of(row) for row in found)


def list_rows(
    conn: Connection,
    *,
    states: Sequence[State] = (),
    after: int = 0,
    limit: int = 500,
) -> tuple[OutboxRow, ...]:
    """Rows in order of number, after one number; of some states if asked."""
    query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    if states:
        query = query.where(table.c.state.in_([state.value for state in states]))
    return tuple(row_of(row) for row in conn.execute(query))


def due_unknown(conn: Connection, *, now: datetime, limit: int) -> tuple[OutboxRow, ...]:
    """UNKNOWN rows whose settle time is over, oldest first: ask the platform about them."""
    found = conn.execute(_DUE_UNKNOWN, {"now": now, "many": limit})
    return tuple(row_of(row) for row in found)


def counts(conn: Connection) -> dict[State, int]:
    """How many rows are in each state; states without rows count 0."""
    out = dict.fromkeys(State, 0)
    for state, number in conn.execute(_COUNTS):
        out[State(state)] = int(number)
    return out


def next_due(conn: Connection) -> datetime | None:
    """When the next row can be worked on (it may be past); None when nothing waits by itself."""
    moments = [conn.execute(query).scalar() for query in (_NEXT_WAITING, _NEXT_LEASE)]
    known = [moment for moment in moments if moment is not None]
    return min(known) if known else None


def answered_meanwhile(conn: Connection, row: OutboxRow) -> bool:
    """Was an UNKNOWN row, as it was read, moved since? Asked about twice, the first answer stands.

    False for a row in any other state: there only its owner moves it.
    """
    if row.state is not State.UNKNOWN:
        return False
    now = get(conn, row.id)
    return (now.state, now.not_found, now.unknown_since) != (
        row.state,
        row.not_found,
        row.unknown_since,
    )

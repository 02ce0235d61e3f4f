"""Every request that left and its answer; the bytes themselves are raw files, found by hash."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, bindparam, insert, select

from dipgate.store.tables import exchanges as table


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer. `outbox_id` is None for sign-in and pulls."""

    id: int
    outbox_id: int | None
    infno: str
    msgid: str
    request_hash: str
    answer_hash: str
    http_status: int | None
    outcome: str
    at: datetime
    millis: int


_INSERT = insert(table)
_OF_ROW = select(table).where(table.c.outbox_id == bindparam("outbox")).order_by(table.c.id)
_LAST = (
    select(table).where(table.c.infno == bindparam("infno")).order_by(table.c.id.desc()).limit(1)
)


def add_exchange(
    conn: Connection,
    *,
    outbox_id: int | None,
    infno: str,
    msgid: str,
    request_hash: str,
    answer_hash: str,
    http_status: int | None,
    outcome: str,
    at: datetime,
    millis: int,
) -> int:
    """Log one request and its answer; the number of the log row."""
    made = conn.execute(
        _INSERT,
        {
            "outbox_id": outbox_id,
            "infno": infno,
            "msgid": msgid,
            "request_hash": request_hash,
            "answer_hash": answer_hash,
            "http_status": http_status,
            "outcome": outcome,
            "at": at,
            "millis": millis,
        },
    ).inserted_primary_key
    return int(made[0]) if made else 0


def exchanges(conn: Connection, row_id: int) -> tuple[Exchange, ...]:
    """Every request made for one outbox row, oldest first."""
    return tuple(Exchange(*row) for row in conn.execute(_OF_ROW, {"outbox": row_id}))


def last_exchange(conn: Connection, infno: str) -> Exchange | None:
    """The newest request of a transaction; None when there was none."""
    row = conn.execute(_LAST, {"infno": infno}).first()
    return None if row is None else Exchange(*row)

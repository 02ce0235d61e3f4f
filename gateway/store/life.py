"""What happened to lists after they were made, and what the platform has of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import msgspec
from sqlalchemy import Connection, exists, func, insert, select

from dipgate.core.exchange import State
from dipgate.store.life_tables import bill_events as table
from dipgate.store.outbox_rows import OutboxRow, row_of
from dipgate.store.outbox_sql import PUT_AWAY
from dipgate.store.tables import audit, cases, outbox

RETIRED, BACK, LATE, CARRIED, CLEARED = "retired", "back", "late", "carried", "cleared"
GONE = (State.REJECTED.value, State.SUPERSEDED.value)
"""Outbox states in which the platform has nothing and gets nothing of a row."""


class Change(msgspec.Struct, frozen=True):
    """One place of a list, before and after; `path` as lists write it."""

    path: str
    before: str
    after: str


_ENCODER = msgspec.json.Encoder()
_CHANGES = msgspec.json.Decoder(tuple[Change, ...])


@dataclass(frozen=True, slots=True)
class BillEvent:
    """One event. `sent_state` is None when nothing of the list had left."""

    id: int
    settlement_id: str
    kind: str
    revision: int
    sent_state: State | None
    sent_revision: int
    other_id: str
    reason: str
    changes: tuple[Change, ...]
    author: str
    at: datetime


def add(
    conn: Connection,
    *,
    settlement_id: str,
    kind: str,
    revision: int,
    sent: OutboxRow | None,
    reason: str,
    author: str,
    at: datetime,
    other_id: str = "",
    changes: Sequence[Change] = (),
) -> None:
    """Record an event; the caller audits it in the same transaction."""
    conn.execute(
        insert(table).values(
            settlement_id=settlement_id,
            kind=kind,
            revision=revision,
            sent_state=sent.state.value if sent else "",
            sent_revision=sent.revision if sent else 0,
            other_id=other_id,
            reason=reason,
            detail=_ENCODER.encode(tuple(changes)),
            author=author,
            at=at,
        )
    )


def events_of(conn: Connection, settlement_id: str) -> tuple[BillEvent, ...]:
    """Everything that happened to one list, oldest first."""
    query = select(table).where(table.c.settlement_id == settlement_id).order_by(table.c.id)
    return tuple(
        BillEvent(
            row.id,
            row.settlement_id,
            row.kind,
            row.revision,
            State(row.sent_state) if row.sent_state else None,
            row.sent_revision,
            row.other_id,
            row.reason,
            _CHANGES.decode(row.detail),
            row.author,
            row.at,
        )
        for row in conn.execute(query)
    )


def carried_from(conn: Connection, settlement_ids: Iterable[str]) -> frozenset[str]:
    """Those of these settlements whose corrections a later list took already."""
    query = select(table.c.other_id).where(
        table.c.other_id.in_(list(settlement_ids)), table.c.kind == CARRIED
    )
    return frozenset(conn.execute(query).scalars())


def at_platform(conn: Connection, settlement_id: str) -> OutboxRow | None:
    """The newest row of which the platform has, may have or is to get something; else None."""
    query = (
        select(outbox)
        .where(outbox.c.settlement_id == settlement_id, outbox.c.state.not_in(GONE))
        .order_by(outbox.c.id.desc())
        .limit(1)
    )
    row = conn.execute(query).first()
    return None if row is None else row_of(row)


def is_cleared(conn: Connection, settlement_id: str, sent: OutboxRow) -> bool:
    """Has a person said that the platform has no list of this settlement, since it was sent?"""
    query = select(func.max(table.c.id)).where(
        table.c.settlement_id == settlement_id,
        table.c.kind == CLEARED,
        table.c.sent_revision >= sent.revision,
    )
    return conn.execute(query).scalar() is not None


def still_at_platform(conn: Connection) -> int:
    """Retired lists that the platform has or may have, and no person has cleared."""
    cleared = exists().where(
        table.c.settlement_id == outbox.c.settlement_id,
        table.c.kind == CLEARED,
        table.c.sent_revision >= outbox.c.revision,
    )
    query = (
        select(func.count(cases.c.id.distinct()))
        .select_from(cases.join(outbox, outbox.c.settlement_id == cases.c.settlement_id))
        .where(cases.c.state == "retired", outbox.c.state.not_in(GONE), ~cleared)
    )
    return int(conn.execute(query).scalar_one())


def not_comparable(conn: Connection, month: str) -> frozenset[str]:
    """Settlements of a month (`YYYY-MM`) whose results say nothing about our present list.

    Retired and set aside lists; lists that changed since the platform accepted one; and lists
    whose present revision was accepted after the results were last fetched.
    """
    away = select(cases.c.settlement_id).where(cases.c.month == month, cases.c.state.in_(PUT_AWAY))
    found = set(conn.execute(away).scalars())
    newest = (
        select(outbox.c.settlement_id, func.max(outbox.c.revision).label("revision"))
        .where(outbox.c.state == State.ACCEPTED.value)
        .group_by(outbox.c.settlement_id)
        .subquery()
    )
    changed = (
        select(cases.c.settlement_id)
        .join(newest, newest.c.settlement_id == cases.c.settlement_id)
        .where(
            cases.c.month == month,
            cases.c.state != "accepted",
            cases.c.revision > newest.c.revision,
        )
    )
    found |= set(conn.execute(changed).scalars())
    fetched = conn.execute(
        select(func.max(audit.c.at, type_=audit.c.at.type)).where(
            audit.c.act == "result.pulled", audit.c.object == f"month:{month}"
        )
    ).scalar()
    if fetched is None:
        return frozenset(found)
    earlier = outbox.alias("earlier")
    renewed = (
        select(cases.c.settlement_id)
        .join(outbox, outbox.c.settlement_id == cases.c.settlement_id)
        .where(
            cases.c.month == month,
            outbox.c.state == State.ACCEPTED.value,
            outbox.c.updated_at > fetched,
            exists().where(
                earlier.c.settlement_id == outbox.c.settlement_id,
                earlier.c.id < outbox.c.id,
                earlier.c.state == State.ACCEPTED.value,
            ),
        )
    )
    return frozenset(found | set(conn.execute(renewed).scalars()))

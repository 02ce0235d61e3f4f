"""What the store can say about itself and the work in it, by index and without reading payloads."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, func, select

from dipgate.core.exchange import State
from dipgate.store.tables import (
    audit,
    exchanges,
    inbox_rejected,
    outbox,
    stays,
    unmapped,
    watermarks,
)

_RECENT = 50
"""Exchanges looked back at: enough to say how long the platform has been silent."""
ANSWERED = "answered"
_REFUSED = "Refused:"
"""A refusal is an answer too: the link is sound."""


@dataclass(frozen=True, slots=True)
class SourceVitals:
    """One source: stays received, the last change, the last read, rows set aside."""

    source: str
    stays: int
    last_change: datetime | None
    last_read: datetime | None
    rejected: int
    rejected_at: datetime | None


@dataclass(frozen=True, slots=True)
class StateVitals:
    """Outbox rows of one state. `oldest` is since when the oldest of them is in the queue."""

    state: State
    rows: int
    oldest: datetime | None
    retried: int
    """Rows that were tried before and wait for their next try."""


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """Why rows of a state wait: the text as it is stored, and how many have it."""

    state: State
    reason: str
    rows: int


@dataclass(frozen=True, slots=True)
class LinkVitals:
    """The platform link as the exchange log tells it. Times are aware, `millis` of the last."""

    last_at: datetime | None = None
    last_infno: str = ""
    last_millis: int = 0
    last_answered_at: datetime | None = None
    last_answer_hash: str = ""
    failures: int = 0
    """Exchanges in a row, up to now, that were not answered."""
    last_outcome: str = ""
    signed_in_at: datetime | None = None


def sources(conn: Connection) -> tuple[SourceVitals, ...]:
    """Every source that has ever been read, by name."""
    read: dict[str, datetime] = {
        name: at for name, at in conn.execute(select(watermarks.c.source, watermarks.c.moved_at))
    }
    held = {
        row[0]: (int(row[1]), row[2])
        for row in conn.execute(
            select(
                stays.c.source,
                func.count(),
                func.max(stays.c.changed_at, type_=stays.c.changed_at.type),
            ).group_by(stays.c.source)
        )
    }
    aside = {
        row[0]: (int(row[1]), row[2])
        for row in conn.execute(
            select(
                inbox_rejected.c.source,
                func.count(),
                func.max(inbox_rejected.c.rejected_at, type_=inbox_rejected.c.rejected_at.type),
            ).group_by(inbox_rejected.c.source)
        )
    }
    return tuple(
        SourceVitals(
            name,
            *held.get(name, (0, None)),
            read.get(name),
            *aside.get(name, (0, None)),
        )
        for name in sorted(read.keys() | held.keys() | aside.keys())
    )


def waiting_stays(conn: Connection) -> tuple[int, datetime | None]:
    """Stays that wait for mapping, and since when the oldest does."""
    row = conn.execute(
        select(func.count(), func.min(stays.c.changed_at, type_=stays.c.changed_at.type)).where(
            stays.c.changes > stays.c.mapped
        )
    ).one()
    return int(row[0]), row[1]


def unmapped_codes(conn: Connection) -> tuple[int, int]:
    """Diagnosis and procedure codes that no map translates, and the settlements that have one.

    Wards and people stand in the same table and are counted by the registry.
    """
    mapped = unmapped.c.kind.in_(("icd10", "icd9cm3"))
    codes = select(unmapped.c.kind, unmapped.c.code).where(mapped).distinct().subquery()
    number = conn.execute(select(func.count()).select_from(codes)).scalar_one()
    lists = conn.execute(
        select(func.count(unmapped.c.settlement_id.distinct())).where(mapped)
    ).scalar_one()
    return int(number), int(lists)


def outbox_states(conn: Connection) -> tuple[StateVitals, ...]:
    """Every state with its rows; ages for those that wait, not for the finished ones."""
    counted = {
        State(word): int(number)
        for word, number in conn.execute(
            select(outbox.c.state, func.count()).group_by(outbox.c.state)
        )
    }
    found = []
    for state in State:
        rows = counted.get(state, 0)
        oldest, retried = None, 0
        if rows and state not in (State.ACCEPTED, State.REJECTED, State.SUPERSEDED):
            since = func.coalesce(outbox.c.unknown_since, outbox.c.created_at)
            row = conn.execute(
                select(
                    func.min(since, type_=outbox.c.created_at.type),
                    func.count().filter(outbox.c.attempts > 0),
                ).where(outbox.c.state == state.value)
            ).one()
            oldest, retried = row[0], int(row[1])
        found.append(StateVitals(state, rows, oldest, retried if state is State.READY else 0))
    return tuple(found)


def reasons(
    conn: Connection, states: Sequence[State], *, limit: int = 12
) -> tuple[ReasonCount, ...]:
    """Why rows of some states stand, the commonest reason first."""
    text = func.coalesce(func.nullif(outbox.c.last_error, ""), outbox.c.waiting_for)
    number = func.count()
    query = (
        select(outbox.c.state, text, number)
        .where(outbox.c.state.in_([state.value for state in states]))
        .group_by(outbox.c.state, text)
        .order_by(number.desc(), outbox.c.state, text)
        .limit(limit)
    )
    return tuple(ReasonCount(State(row[0]), row[1], int(row[2])) for row in conn.execute(query))


def link(conn: Connection) -> LinkVitals:
    """How the exchanges with the platform went of late."""
    rows = conn.execute(
        select(
            exchanges.c.at,
            exchanges.c.infno,
            exchanges.c.millis,
            exchanges.c.outcome,
            exchanges.c.answer_hash,
        )
        .order_by(exchanges.c.id.desc())
        .limit(_RECENT)
    ).all()
    if not rows:
        return LinkVitals()
    failures = 0
    answered = None
    for row in rows:
        if row.outcome == ANSWERED or row.outcome.startswith(_REFUSED):
            answered = row
            break
        failures += 1
    signed = conn.execute(
        select(exchanges.c.at)
        .where(exchanges.c.infno == "9001", exchanges.c.outcome == ANSWERED)
        .order_by(exchanges.c.id.desc())
        .limit(1)
    ).scalar()
    return LinkVitals(
        last_at=rows[0].at,
        last_infno=rows[0].infno,
        last_millis=int(rows[0].millis),
        last_answered_at=None if answered is None else answered.at,
        last_answer_hash="" if answered is None else answered.answer_hash,
        failures=failures,
        last_outcome=rows[0].outcome,
        signed_in_at=signed,
    )


def last_act(conn: Connection, *acts: str) -> datetime | None:
    """When one of these acts was last recorded; None when it never was."""
    found: datetime | None = conn.execute(
        select(func.max(audit.c.at, type_=audit.c.at.type)).where(audit.c.act.in_(acts))
    ).scalar()
    return found


def last_moment(conn: Connection) -> datetime | None:
    """The moment of the newest audit row: no sound clock stands before it."""
    found: datetime | None = conn.execute(
        select(audit.c.at).order_by(audit.c.seq.desc()).limit(1)
    ).scalar()
    return found

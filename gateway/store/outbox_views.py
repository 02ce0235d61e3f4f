"""The outbox as a person looks through it: by what he must do, by reason, by age; worst first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, and_, exists, false, func, not_, or_, select

from dipgate.core.exchange import State
from dipgate.store import audit
from dipgate.store.outbox_rows import OutboxRow, blocked
from dipgate.store.tables import cases
from dipgate.store.tables import outbox as table


class _List(msgspec.Struct):
    setlinfo: msgspec.Raw = msgspec.Raw(b"{}")


_LISTS = msgspec.json.Decoder(_List)

audit.register("outbox.asked_by_person", "人工问平台", audit.IDS_ONLY)


def _replaced() -> ColumnElement[bool]:
    """True where a later row of the same settlement has taken over."""
    later = table.alias("later")
    return exists(
        select(later.c.id).where(
            later.c.settlement_id == table.c.settlement_id, later.c.id > table.c.id
        )
    ).correlate(table)


def _is(state: State) -> ColumnElement[bool]:
    return table.c.state == state.value


_KINDS: dict[str, ColumnElement[bool]] = {
    "unknown": _is(State.UNKNOWN),
    "rejected": and_(_is(State.REJECTED), not_(_replaced())),
    "conflict": _is(State.CONFLICT),
    "held": _is(State.HELD),
    "retry": and_(_is(State.READY), table.c.attempts > 0),
    "sending": _is(State.SENDING),
    "ready": and_(_is(State.READY), table.c.attempts == 0),
    "accepted": _is(State.ACCEPTED),
    "past": or_(_is(State.SUPERSEDED), and_(_is(State.REJECTED), _replaced())),
}
"""Kind of row → what it is, in the order in which somebody has to act."""
KINDS: tuple[str, ...] = tuple(_KINDS)
_TEXT = func.coalesce(func.nullif(table.c.last_error, ""), table.c.waiting_for)
_SINCE = func.coalesce(table.c.unknown_since, table.c.first_claimed_at, table.c.created_at)


@dataclass(frozen=True, slots=True)
class Texts:
    """Stored texts to look for: any of these patterns (LIKE), or none of them."""

    patterns: tuple[str, ...]
    negated: bool = False

    def holds(self) -> ColumnElement[bool]:
        any_of = or_(false(), *(_TEXT.like(pattern, escape="\\") for pattern in self.patterns))
        return and_(_TEXT != "", not_(any_of)) if self.negated else any_of


@dataclass(frozen=True, slots=True)
class DeskRow:
    """One row; `blocked` when an earlier version of the list is not settled yet."""

    row: OutboxRow
    kind: str
    blocked: bool


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ended: the kind and number of its last row."""

    kind: str
    number: int


def page_of(
    conn: Connection,
    kinds: Sequence[str],
    *,
    texts: Texts | None = None,
    before: datetime | None = None,
    after: Cursor | None = None,
    limit: int = 50,
) -> tuple[DeskRow, ...]:
    """Rows of some kinds, in the order of `KINDS`, the newest first within one.

    `before`: only rows that were first sent, or queued, earlier than that.
    """
    wanted = [kind for kind in KINDS if kind in kinds]
    if after is not None and after.kind in wanted:
        wanted = wanted[wanted.index(after.kind) :]
    found: list[DeskRow] = []
    for kind in wanted:
        query = select(table, blocked().label("blocked")).where(_KINDS[kind])
        if texts is not None:
            query = query.where(texts.holds())
        if before is not None:
            query = query.where(_SINCE < before)
        if after is not None and after.kind == kind:
            query = query.where(table.c.id < after.number)
        query = query.order_by(table.c.id.desc()).limit(limit - len(found))
        found += [_desk_row(row, kind) for row in conn.execute(query)]
        if len(found) >= limit:
            break
    return tuple(found)


def find(conn: Connection, number: int) -> DeskRow | None:
    """One row by its number, with its kind; None when there is none."""
    query = select(table, blocked().label("blocked")).where(table.c.id == number)
    row = conn.execute(query).first()
    if row is None:
        return None
    for kind in KINDS:
        hit = select(table.c.id).where(table.c.id == number, _KINDS[kind])
        if conn.execute(hit).first() is not None:
            return _desk_row(row, kind)
    raise AssertionError("every row is of some kind")


def persons(conn: Connection, case_ids: Sequence[str]) -> dict[str, bytes]:
    """Case id → the list's head as JSON: whom its messages may be about, to be masked in them.

    An upload carries no name, but the platform may answer with one.
    """
    query = select(cases.c.id, cases.c.list_json).where(cases.c.id.in_(list(case_ids)))
    return {case_id: bytes(_LISTS.decode(data).setlinfo) for case_id, data in conn.execute(query)}


def counts(conn: Connection) -> dict[str, int]:
    """Kind → rows; kinds without rows count 0."""
    by_state = {
        State(word): int(number)
        for word, number in conn.execute(select(table.c.state, func.count()).group_by("state"))
    }

    def number(kind: str) -> int:
        query = select(func.count()).select_from(table).where(_KINDS[kind])
        return int(conn.execute(query).scalar_one())

    rejected, ready = by_state.get(State.REJECTED, 0), by_state.get(State.READY, 0)
    open_rejected = number("rejected") if rejected else 0
    retried = number("retry") if ready else 0
    return {
        "unknown": by_state.get(State.UNKNOWN, 0),
        "rejected": open_rejected,
        "conflict": by_state.get(State.CONFLICT, 0),
        "held": by_state.get(State.HELD, 0),
        "retry": retried,
        "sending": by_state.get(State.SENDING, 0),
        "ready": ready - retried,
        "accepted": by_state.get(State.ACCEPTED, 0),
        "past": by_state.get(State.SUPERSEDED, 0) + rejected - open_rejected,
    }


def _desk_row(row: Row[Any], kind: str) -> DeskRow:
    values = dict(row._mapping)
    is_blocked = bool(values.pop("blocked"))
    values["state"] = State(values["state"])
    return DeskRow(OutboxRow(**values), kind, is_blocked)

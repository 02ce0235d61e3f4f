"""Wards and people that the registry does not know, and how many lists wait for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, and_, case, delete, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from dipgate.core.hashing import content_hash
from dipgate.store.registry_tables import registry_items as table
from dipgate.store.tables import cases

WAITING = ("mapped", "checked", "ready", "held", "rejected")
"""States of a list that has not left, or that the platform did not take."""
SENT = ("queued", "accepted")


@dataclass(frozen=True, slots=True)
class Notice:
    """One ward or person in one list that the registry does not know on that day."""

    kind: str
    group: str
    """`doctor` or `nurse` of a person, empty of a ward."""
    local_code: str
    local_name: str
    role: str
    why: str
    path: str
    object_name: str
    row: int
    column: str
    used_on: date | None

    @property
    def key(self) -> tuple[str, str, str]:
        return self.kind, self.group, self.local_code


@dataclass(frozen=True, slots=True)
class Item:
    """One ward or person that somebody has to enter, over all lists that have it."""

    kind: str
    group: str
    local_code: str
    local_name: str
    role: str
    why: str
    first_seen: datetime
    first_used: date | None
    last_used: date | None
    waiting: int
    sent: int
    fee_fen: int

    @property
    def id(self) -> str:
        """Stands in addresses instead of code and name."""
        return item_id(self.kind, self.group, self.local_code)


@dataclass(frozen=True, slots=True)
class Use:
    """One list that has an item, with the source cell that names it."""

    settlement_id: str
    case_id: str
    state: str
    path: str
    object_name: str
    row: int
    column: str
    used_on: date | None
    first_seen: datetime


def item_id(kind: str, group: str, local_code: str) -> str:
    """The same for the same ward or person, whoever asks."""
    return content_hash([kind, group, local_code])[:16]


def replace_for(
    conn: Connection, settlement_id: str, notices: Iterable[Notice], now: datetime
) -> None:
    """Set what is unknown in one settlement; what is known by now goes, the rest keeps its day."""
    wanted = {notice.key: notice for notice in notices}
    query = select(table.c.kind, table.c.grp, table.c.local_code).where(
        table.c.settlement_id == settlement_id
    )
    held = [(row[0], row[1], row[2]) for row in conn.execute(query)]
    for key in held:
        if key not in wanted:
            conn.execute(delete(table).where(_is(*key), table.c.settlement_id == settlement_id))
    if not wanted:
        return
    new = upsert(table)
    fresh = {
        name: new.excluded[name]
        for name in (
            "local_name",
            "role",
            "why",
            "path",
            "object_name",
            "row_no",
            "column_name",
            "used_on",
        )
    }
    conn.execute(
        new.on_conflict_do_update(set_=fresh),
        [_values(notice, settlement_id, now) for notice in wanted.values()],
    )


def items(conn: Connection, *, kind: str | None = None, limit: int = 500) -> tuple[Item, ...]:
    """What waits, most money first; without what only lists that were put away have."""
    waits = case((cases.c.state.in_(WAITING), 1), else_=0)
    money = case((cases.c.state.in_(WAITING), func.coalesce(cases.c.fee_fen, 0)), else_=0)
    fee, number = func.sum(money), func.sum(waits)
    query = (
        select(
            table.c.kind,
            table.c.grp,
            table.c.local_code,
            func.max(table.c.local_name),
            func.min(table.c.role),
            func.min(table.c.why),
            func.min(table.c.first_seen, type_=table.c.first_seen.type),
            func.min(table.c.used_on),
            func.max(table.c.used_on),
            number,
            func.count() - number,
            fee,
        )
        .join(cases, cases.c.settlement_id == table.c.settlement_id)
        .where(cases.c.state.in_((*WAITING, *SENT)))
        .group_by(table.c.kind, table.c.grp, table.c.local_code)
        .order_by(fee.desc(), number.desc(), table.c.kind, table.c.grp, table.c.local_code)
        .limit(limit)
    )
    if kind is not None:
        query = query.where(table.c.kind == kind)
    return tuple(_item(row) for row in conn.execute(query))


def find(conn: Connection, number: str) -> Item | None:
    """One item by its id, or None when nothing has it any more."""
    return next((item for item in items(conn, limit=100_000) if item.id == number), None)


def uses(conn: Connection, item: Item, *, limit: int = 100_000) -> tuple[Use, ...]:
    """The lists that have an item, the first seen first."""
    query = (
        select(
            table.c.settlement_id,
            cases.c.id,
            cases.c.state,
            table.c.path,
            table.c.object_name,
            table.c.row_no,
            table.c.column_name,
            table.c.used_on,
            table.c.first_seen,
        )
        .join(cases, cases.c.settlement_id == table.c.settlement_id)
        .where(_is(item.kind, item.group, item.local_code), cases.c.state.in_((*WAITING, *SENT)))
        .order_by(table.c.first_seen, table.c.settlement_id)
        .limit(limit)
    )
    return tuple(Use(*row) for row in conn.execute(query))


def of_settlement(conn: Connection, settlement_id: str) -> dict[str, str]:
    """Local code as it stands in the list → id of the item that waits for it."""
    query = select(table.c.local_code, table.c.kind, table.c.grp).where(
        table.c.settlement_id == settlement_id
    )
    return {row[0]: item_id(row[1], row[2], row[0]) for row in conn.execute(query)}


def all_waiting(conn: Connection) -> tuple[str, ...]:
    """Every settlement with an item whose list has not left, in order of id."""
    query = (
        select(table.c.settlement_id)
        .distinct()
        .join(cases, cases.c.settlement_id == table.c.settlement_id)
        .where(cases.c.state.in_(WAITING))
        .order_by(table.c.settlement_id)
    )
    return tuple(conn.execute(query).scalars())


def waiting_for(
    conn: Connection, kind: str, group: str, local_codes: Sequence[str]
) -> tuple[str, ...]:
    """Settlements that have not left and have one of these codes as unknown."""
    query = (
        select(table.c.settlement_id)
        .distinct()
        .join(cases, cases.c.settlement_id == table.c.settlement_id)
        .where(
            table.c.kind == kind,
            table.c.grp == group,
            table.c.local_code.in_(local_codes),
            cases.c.state.in_(WAITING),
        )
        .order_by(table.c.settlement_id)
    )
    return tuple(conn.execute(query).scalars())


def clear(conn: Connection, item: Item, settlement_ids: Sequence[str]) -> int:
    """Forget an item in lists that are not mapped again, because they were sent; how many."""
    done = 0
    for settlement_id in settlement_ids:
        gone = conn.execute(
            delete(table).where(
                _is(item.kind, item.group, item.local_code),
                table.c.settlement_id == settlement_id,
            )
        )
        done += gone.rowcount
    return done


def counts(conn: Connection) -> tuple[int, int]:
    """How many items wait, and in how many lists that have not left."""
    query = (
        select(
            func.count(func.distinct(table.c.kind + "|" + table.c.grp + "|" + table.c.local_code)),
            func.count(func.distinct(table.c.settlement_id)),
        )
        .join(cases, cases.c.settlement_id == table.c.settlement_id)
        .where(cases.c.state.in_(WAITING))
    )
    row = conn.execute(query).one()
    return int(row[0]), int(row[1])


def _is(kind: str, group: str, local_code: str) -> ColumnElement[bool]:
    return and_(table.c.kind == kind, table.c.grp == group, table.c.local_code == local_code)


def _values(notice: Notice, settlement_id: str, now: datetime) -> dict[str, Any]:
    return {
        "kind": notice.kind,
        "grp": notice.group,
        "local_code": notice.local_code,
        "settlement_id": settlement_id,
        "local_name": notice.local_name,
        "role": notice.role,
        "why": notice.why,
        "path": notice.path,
        "object_name": notice.object_name,
        "row_no": notice.row,
        "column_name": notice.column,
        "used_on": notice.used_on,
        "first_seen": now,
    }


def _item(row: Row[Any]) -> Item:
    values = list(row)
    values[9:12] = [int(value or 0) for value in values[9:12]]
    return Item(*values)

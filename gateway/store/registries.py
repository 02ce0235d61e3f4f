"""Entries of the registry made at the desk: proposed, in force, withdrawn; nothing is deleted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from dipgate.core.registry import DESK, RegistryEntry
from dipgate.store.registry_tables import registry_entries as table

STATES = {
    "proposed": "待批准",
    "active": "在用",
    "refused": "没有批准",
    "withdrawn": "已撤销",
}
"""state → what a user reads."""
NEXT = {"active": ("proposed",), "refused": ("proposed",), "withdrawn": ("active",)}
"""state → the states from which a person may move an entry there."""


@dataclass(frozen=True, slots=True)
class DeskEntry:
    """One entry with who made it, why, and who decided about it."""

    id: int
    kind: str
    state: str
    local_code: str
    local_name: str
    national_code: str
    national_name: str
    role: str
    department: str
    first_day: date | None
    last_day: date | None
    reason: str
    author: str
    made_at: datetime
    decided_by: str
    decided_at: datetime | None
    decision: str

    def entry(self) -> RegistryEntry:
        """As mapping sees it."""
        return RegistryEntry(
            self.kind,
            self.local_code,
            self.local_name,
            self.national_code,
            self.national_name,
            self.role,
            self.department,
            self.first_day,
            self.last_day,
            DESK,
            self.id,
        )


_COLUMNS = [table.c[name] for name in DeskEntry.__dataclass_fields__]


def add(
    conn: Connection,
    entry: RegistryEntry,
    *,
    state: str,
    reason: str,
    author: str,
    at: datetime,
) -> int:
    """Keep an entry as `proposed` or `active`; its number. The caller audits it."""
    if state not in ("proposed", "active"):
        raise ValueError(f"an entry begins as proposed or active, not {state!r}")
    values = {
        "kind": entry.kind,
        "state": state,
        "local_code": entry.local_code,
        "local_name": entry.local_name,
        "national_code": entry.national_code,
        "national_name": entry.national_name,
        "role": entry.role,
        "department": entry.department,
        "first_day": entry.first_day,
        "last_day": entry.last_day,
        "reason": reason,
        "author": author,
        "made_at": at,
    }
    key = conn.execute(insert(table).values(values)).inserted_primary_key
    return int(key[0]) if key else 0


def move(
    conn: Connection, number: int, state: str, *, by: str, at: datetime, decision: str
) -> DeskEntry | None:
    """Approve, refuse or withdraw; the entry as it is then, None when it cannot move there."""
    done = conn.execute(
        update(table)
        .where(table.c.id == number, table.c.state.in_(NEXT[state]))
        .values(state=state, decided_by=by, decided_at=at, decision=decision)
    )
    return get(conn, number) if done.rowcount == 1 else None


def get(conn: Connection, number: int) -> DeskEntry | None:
    """One entry, or None."""
    row = conn.execute(select(*_COLUMNS).where(table.c.id == number)).first()
    return None if row is None else _entry(row)


def entries(
    conn: Connection,
    *,
    states: Sequence[str] = (),
    kind: str | None = None,
    local_code: str | None = None,
) -> tuple[DeskEntry, ...]:
    """Entries in the order in which they were made; in some states, of a kind, of a code."""
    query = select(*_COLUMNS).order_by(table.c.id)
    if states:
        query = query.where(table.c.state.in_(states))
    if kind is not None:
        query = query.where(table.c.kind == kind)
    if local_code is not None:
        query = query.where(table.c.local_code == local_code)
    return tuple(_entry(row) for row in conn.execute(query))


def in_force(conn: Connection) -> tuple[RegistryEntry, ...]:
    """What the desk says now, of every day: the active entries."""
    return tuple(entry.entry() for entry in entries(conn, states=("active",)))


def _entry(row: Row[Any]) -> DeskEntry:
    return DeskEntry(*row)

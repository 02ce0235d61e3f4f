"""Overlays: a person's corrections; never edited, only undone.

Corrections made in one act (a code with its name) share the act's number: they are taken back
together and made again together. Making again adds new rows; the old ones stay as history.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, insert, select, update

from dipgate.core.clock import wire_time
from dipgate.core.errors import ConfigError
from dipgate.core.lists import FieldPath
from dipgate.core.record import Overlay
from dipgate.store.tables import overlays as table

OPS = frozenset({"set", "remove_row", "add_row", "move_up"})


@dataclass(frozen=True, slots=True)
class Act:
    """Corrections made in one moment by one person, oldest first. `number` is the first one's."""

    number: int
    settlement_id: str
    changes: tuple[Overlay, ...]
    made_at: datetime
    undone_by: str = ""
    undone_at: datetime | None = None
    redo: str = ""
    """Of an act taken back: `open` may be made again, `taken` was, `dropped` gave way."""

    @property
    def author(self) -> str:
        return self.changes[0].author

    @property
    def reason(self) -> str:
        return self.changes[0].reason


def add(
    conn: Connection,
    *,
    settlement_id: str,
    op: str,
    path: str,
    value: str = "",
    expect: str = "",
    reason: str,
    author: str,
    at: datetime,
    act: int | None = None,
) -> int:
    """Record a correction; its number. The caller audits it in the same transaction.

    `expect` is the value that the author saw; `act` the number of the first correction of the
    same act. Raises ConfigError without a reason or an author, ValueError for an unknown
    operation or a path that is none.
    """
    if op not in OPS:
        raise ValueError(f"not an overlay operation: {op!r}")
    FieldPath.parse(path)
    if not reason.strip() or not author.strip():
        raise ConfigError("更正要写明理由和更正人", path=path)
    made = conn.execute(
        insert(table).values(
            settlement_id=settlement_id,
            op=op,
            path=path,
            value=value,
            expect=expect,
            reason=reason.strip(),
            author=author.strip(),
            made_at=at,
            act=act,
        )
    ).inserted_primary_key
    return int(made[0]) if made else 0


def active_for(conn: Connection, settlement_id: str) -> tuple[Overlay, ...]:
    """Corrections of one settlement that hold, in the order they were made."""
    query = (
        select(table)
        .where(table.c.settlement_id == settlement_id, table.c.undone_at.is_(None))
        .order_by(table.c.number)
    )
    return tuple(_overlay(row) for row in conn.execute(query))


def acts_of(conn: Connection, settlement_id: str) -> tuple[Act, ...]:
    """Every act on one settlement, those taken back included, oldest first."""
    query = select(table).where(table.c.settlement_id == settlement_id).order_by(table.c.number)
    grouped: dict[int, list[Row[Any]]] = {}
    for row in conn.execute(query):
        grouped.setdefault(row.act or row.number, []).append(row)
    return tuple(
        Act(
            number,
            settlement_id,
            tuple(_overlay(row) for row in rows),
            rows[0].made_at,
            rows[0].undone_by or "",
            rows[0].undone_at,
            rows[0].redo or "",
        )
        for number, rows in grouped.items()
    )


def last_act(acts: Iterable[Act]) -> Act | None:
    """The act that undo takes back: the newest that holds."""
    held = [act for act in acts if act.undone_at is None]
    return held[-1] if held else None


def next_redo(acts: Iterable[Act]) -> Act | None:
    """The act that redo makes again: the one taken back last that nothing has replaced."""
    waiting = [act for act in acts if act.redo == "open" and act.undone_at is not None]
    return max(waiting, key=lambda act: (act.undone_at, -act.number), default=None)


def undo(conn: Connection, number: int, *, author: str, at: datetime) -> str:
    """Take the act of one correction back; the settlement it was for. The caller audits it.

    Raises ConfigError when there is no such correction that still holds.
    """
    found = conn.execute(
        select(_ACT).where(table.c.number == number, table.c.undone_at.is_(None))
    ).scalar()
    rows = (
        []
        if found is None
        else conn.execute(
            update(table)
            .where(_ACT == found, table.c.undone_at.is_(None))
            .values(undone_by=author, undone_at=at, redo="open")
            .returning(table.c.settlement_id)
        ).all()
    )
    if not rows:
        raise ConfigError(f"没有生效的第 {number} 号更正，可能已经撤销")
    return str(rows[0].settlement_id)


def mark_redone(conn: Connection, act: Act) -> None:
    """This act was made again."""
    conn.execute(update(table).where(_ACT == act.number).values(redo="taken"))


def drop_redo(conn: Connection, settlement_id: str) -> None:
    """A new correction was made: what was taken back before cannot be made again."""
    conn.execute(
        update(table)
        .where(table.c.settlement_id == settlement_id, table.c.redo == "open")
        .values(redo="dropped")
    )


_ACT: ColumnElement[int] = func.coalesce(table.c.act, table.c.number)


def _overlay(row: Row[Any]) -> Overlay:
    return Overlay(
        row.number,
        row.op,
        row.path,
        row.value,
        row.expect,
        row.reason,
        row.author,
        wire_time(row.made_at),
    )

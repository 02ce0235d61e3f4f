"""What was set aside: what is still open, and what was read well since and is history."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, func, or_, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from dipgate.core.record import RawRow, Rejected
from dipgate.store.tables import inbox_rejected as table

_OPEN = table.c.resolved_at.is_(None)
Numbered = tuple[int, str, Rejected]
"""(number, source, what was set aside)"""


def add_rejected(
    conn: Connection,
    source: str,
    rejected: Sequence[Rejected],
    now: datetime,
    *,
    stay_key: str = "",
) -> int:
    """Keep what was set aside; the same again is kept once and is open again. How many are new.

    `stay_key` names the stay of a bill that was read but cannot be mapped.
    """
    before = _highest(conn)
    for item in rejected:
        values = {
            "source": source,
            "table_name": item.table,
            "object_name": item.object_name,
            "row": item.row or 0,
            "field": item.field,
            "what": item.what,
            "remedy": item.remedy,
            "raw_hash": item.raw_hash,
            "rejected_at": now,
            "stay_key": stay_key,
        }
        again = {"resolved_at": None, "stay_key": stay_key}
        keys = ["source", "raw_hash", "table_name", "object_name", "row", "field", "what"]
        conn.execute(
            upsert(table).values(values).on_conflict_do_update(index_elements=keys, set_=again)
        )
    found = select(func.count()).select_from(table).where(table.c.id > before)
    return int(conn.execute(found).scalar_one())


def resolve_object(
    conn: Connection, source: str, object_name: str, raw_hash: str, now: datetime
) -> None:
    """A file is read anew: what an earlier version of it had, and that it was not read, is past."""
    _resolve(
        conn,
        now,
        table.c.source == source,
        table.c.stay_key == "",
        table.c.object_name == object_name,
        or_(table.c.raw_hash != raw_hash, table.c.row == 0),
    )


def resolve_rows(
    conn: Connection, source: str, items: Iterable[RawRow | Rejected], now: datetime
) -> None:
    """These rows are read again: what was said of them before is past; so is a table not read."""
    places = {(item.object_name, item.raw_hash, item.row or 0) for item in items}
    if not places:
        return
    query = select(table.c.id, table.c.object_name, table.c.raw_hash, table.c.row).where(
        _OPEN,
        table.c.source == source,
        table.c.stay_key == "",
        table.c.object_name.in_({place[0] for place in places}),
    )
    objects = {place[0] for place in places if place[2]}
    past = [
        row.id
        for row in conn.execute(query)
        if (row.object_name, row.raw_hash, row.row) in places
        or (row.row == 0 and row.object_name in objects)
    ]
    if past:
        _resolve(conn, now, table.c.id.in_(past))


def resolve_stay(conn: Connection, source: str, stay_key: str, now: datetime) -> None:
    """A stay is mapped again: what its bills could not be mapped for before is past."""
    _resolve(conn, now, table.c.source == source, table.c.stay_key == stay_key)


def open_rejects(
    conn: Connection, *, after: int = 0, limit: int = 500, whole: bool = False
) -> tuple[Numbered, ...]:
    """What is still open, in order of number; `whole`: only files and views not read at all."""
    query = select(table).where(_OPEN, table.c.id > after).order_by(table.c.id).limit(limit)
    if whole:
        query = query.where(table.c.row == 0)
    return _numbered(conn, query)


def rejected(
    conn: Connection, source: str | None = None, *, after: int = 0, limit: int = 500
) -> tuple[Numbered, ...]:
    """Everything ever set aside, in order of number."""
    query = select(table).where(table.c.id > after).order_by(table.c.id).limit(limit)
    if source is not None:
        query = query.where(table.c.source == source)
    return _numbered(conn, query)


def count_open(conn: Connection) -> int:
    """How many are still open."""
    return int(conn.execute(select(func.count()).select_from(table).where(_OPEN)).scalar_one())


def _resolve(conn: Connection, now: datetime, *where: ColumnElement[bool]) -> None:
    conn.execute(update(table).where(_OPEN, *where).values(resolved_at=now))


def _highest(conn: Connection) -> int:
    return int(conn.execute(select(func.coalesce(func.max(table.c.id), 0))).scalar_one())


def _numbered(conn: Connection, query: Select[Any]) -> tuple[Numbered, ...]:
    return tuple(
        (
            row.id,
            row.source,
            Rejected(
                row.table_name,
                row.object_name,
                row.row or None,
                row.field,
                row.what,
                row.remedy,
                row.raw_hash,
            ),
        )
        for row in conn.execute(query)
    )

"""How many rows each reading of a source brought, and readings held because they brought few.

A *point* is what one comparison stands on: a whole file or view that was read, or the new rows of
a view over about a day (shorter readings are added up until they cover one).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, delete, insert, select, update

from dipgate.core.errors import ConfigError
from dipgate.core.record import RawRow, Rejected
from dipgate.store import audit
from dipgate.store.reading_tables import held_batches, readings

LOOKED_BACK = 30
"""Newest points that say what is usual; twice as many are kept."""
FULL = timedelta(hours=23)
"""A day, with room for a timetable that is not to the second."""

for _name, _label, _personal in (
    ("reading.held", "行数过少，扣住", audit.IDS_ONLY),
    ("reading.covered", "后来的读取正常，扣住的不再等", audit.IDS_ONLY),
    ("reading.released", "放行扣住的读取", audit.WRITTEN_REASON),
    ("reading.discarded", "作废扣住的读取", audit.WRITTEN_REASON),
):
    audit.register(_name, _label, _personal)


@dataclass(frozen=True, slots=True)
class Point:
    """`rows` that came from `since` to `taken_at`; None: a whole file or view, or the first."""

    rows: int
    since: datetime | None
    taken_at: datetime

    @property
    def open(self) -> bool:
        """Does it cover less than a day, so that the next reading is added to it?"""
        return self.since is not None and self.taken_at - self.since < FULL


@dataclass(frozen=True, slots=True)
class HeldReading:
    """A reading that waits for a person, or for a normal one after it."""

    id: int
    source: str
    table: str
    unit: str
    rows: int
    usual: int
    held_at: datetime
    mark: str
    since: datetime | None


@dataclass(frozen=True, slots=True)
class Batch:
    """What an adapter handed over at once. `reread` is (file, raw hash) at its beginning."""

    rows: tuple[RawRow, ...]
    rejected: tuple[Rejected, ...]
    reread: tuple[str, str] | None


class _Kept(msgspec.Struct, array_like=True):
    rows: list[tuple[str, str, str, int, dict[str, str], str]]
    rejected: list[Rejected]
    reread: tuple[str, str] | None


def points(conn: Connection, source: str, table: str) -> tuple[Point, ...]:
    """The newest points of a table, newest first."""
    query = (
        select(readings.c.rows, readings.c.since, readings.c.taken_at)
        .where(_of(source, table, "taken"))
        .order_by(readings.c.id.desc())
        .limit(LOOKED_BACK + 1)
    )
    return tuple(Point(*row) for row in conn.execute(query))


def add_point(conn: Connection, source: str, table: str, unit: str, point: Point) -> None:
    """Remember what an accepted reading brought; a point that is open takes it in."""
    newest = conn.execute(
        select(readings.c.id, readings.c.rows, readings.c.since, readings.c.taken_at)
        .where(_of(source, table, "taken"))
        .order_by(readings.c.id.desc())
        .limit(1)
    ).first()
    if (
        newest is not None
        and point.since is not None
        and Point(newest.rows, newest.since, newest.taken_at).open
    ):
        conn.execute(
            update(readings)
            .where(readings.c.id == newest.id)
            .values(rows=newest.rows + point.rows, taken_at=point.taken_at)
        )
        return
    conn.execute(
        insert(readings).values(
            source=source,
            table_name=table,
            unit=unit,
            rows=point.rows,
            since=point.since,
            taken_at=point.taken_at,
            state="taken",
        )
    )
    kept = (
        select(readings.c.id)
        .where(_of(source, table, "taken"))
        .order_by(readings.c.id.desc())
        .limit(2 * LOOKED_BACK)
    )
    conn.execute(delete(readings).where(_of(source, table, "taken"), readings.c.id.not_in(kept)))


def hold(
    conn: Connection, found: HeldReading, batches: Sequence[Batch], now: datetime, actor: str
) -> None:
    """Keep a reading without storing it as received; what was held of the same unit gives way."""
    before = conn.execute(
        select(readings.c.id).where(
            _of(found.source, found.table, "held"), readings.c.unit == found.unit
        )
    ).scalar()
    values: dict[str, Any] = {
        "rows": found.rows,
        "usual": found.usual,
        "since": found.since,
        "mark": found.mark,
    }
    if before is None:
        new = insert(readings).values(
            source=found.source,
            table_name=found.table,
            unit=found.unit,
            taken_at=now,
            state="held",
            **values,
        )
        number = int(conn.execute(new.returning(readings.c.id)).scalar_one())
        audit.add(conn, now, actor, "reading.held", found.source, detail=_numbers(found))
    else:
        number = int(before)
        conn.execute(update(readings).where(readings.c.id == number).values(**values))
        conn.execute(delete(held_batches).where(held_batches.c.reading_id == number))
    for position, batch in enumerate(batches):
        conn.execute(
            insert(held_batches).values(
                reading_id=number, position=position, content=_packed(batch)
            )
        )


def cover(conn: Connection, source: str, table: str, now: datetime, actor: str) -> int:
    """A normal reading came: nothing of this table waits any longer; how many did."""
    waiting = [item for item in held(conn, source) if item.table == table]
    for item in waiting:
        _close(conn, item, "covered", now, actor)
    return len(waiting)


def held(conn: Connection, source: str | None = None) -> tuple[HeldReading, ...]:
    """Readings that wait, oldest first."""
    query = select(readings).where(readings.c.state == "held").order_by(readings.c.id)
    if source is not None:
        query = query.where(readings.c.source == source)
    return tuple(_held(row) for row in conn.execute(query))


def held_of(conn: Connection, source: str) -> tuple[HeldReading, ...]:
    """What waits of one source. Raises ConfigError when nothing does."""
    found = held(conn, source)
    if not found:
        raise ConfigError(f"来源 {source} 没有扣住的读取", path="NAME")
    return found


def batches_of(conn: Connection, reading: HeldReading) -> tuple[Batch, ...]:
    """The rows and rejects of a held reading, in the order in which they came."""
    query = (
        select(held_batches.c.content)
        .where(held_batches.c.reading_id == reading.id)
        .order_by(held_batches.c.position)
    )
    return tuple(_unpacked(content) for (content,) in conn.execute(query))


def release(conn: Connection, reading: HeldReading, now: datetime, actor: str, reason: str) -> None:
    """A person believes it; the caller stores its rows in the same transaction."""
    _close(conn, reading, "released", now, actor, reason)


def discard(conn: Connection, reading: HeldReading, now: datetime, actor: str, reason: str) -> None:
    """A person does not believe it. Its raw bytes stay."""
    _close(conn, reading, "discarded", now, actor, reason)


def _close(
    conn: Connection,
    reading: HeldReading,
    state: str,
    now: datetime,
    actor: str,
    reason: str = "",
) -> None:
    conn.execute(
        update(readings)
        .where(readings.c.id == reading.id)
        .values(state=state, decided_by=actor, decided_at=now, reason=reason)
    )
    conn.execute(delete(held_batches).where(held_batches.c.reading_id == reading.id))
    audit.add(
        conn, now, actor, f"reading.{state}", reading.source, reason, detail=_numbers(reading)
    )


def _numbers(reading: HeldReading) -> dict[str, str | int | None]:
    return {"table": reading.table, "rows": reading.rows, "usual": reading.usual}


def _of(source: str, table: str, state: str) -> Any:
    return (
        (readings.c.source == source)
        & (readings.c.table_name == table)
        & (readings.c.state == state)
    )


def _held(row: Row[Any]) -> HeldReading:
    return HeldReading(
        row.id,
        row.source,
        row.table_name,
        row.unit,
        row.rows,
        row.usual or 0,
        row.taken_at,
        row.mark,
        row.since,
    )


def _packed(batch: Batch) -> bytes:
    rows = [
        (row.table, row.key, row.object_name, row.row, dict(row.values), row.raw_hash)
        for row in batch.rows
    ]
    return msgspec.json.encode(_Kept(rows, list(batch.rejected), batch.reread))


def _unpacked(content: bytes) -> Batch:
    kept = msgspec.json.decode(content, type=_Kept)
    return Batch(tuple(RawRow(*row) for row in kept.rows), tuple(kept.rejected), kept.reread)

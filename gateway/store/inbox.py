"""The inbox: source rows as received, rejects, watermarks, and which stays wait for mapping."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import msgspec
from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.dialects.sqlite import insert as upsert

from dipgate.core.record import TABLES, RawRow, Rejected
from dipgate.store.arrivals import (
    MANY,
    Arrival,
    PartOf,
    add_many,
    add_single,
    no_span,
    whole_stay,
)
from dipgate.store.bills import SpanOf, claims
from dipgate.store.rejects import (
    add_rejected,
    rejected,
    resolve_object,
    resolve_rows,
    resolve_stay,
)
from dipgate.store.tables import (
    inbox_rows,
    moment_text,
    stays,
    watermarks,
)

__all__ = [
    "Added",
    "Received",
    "Stay",
    "add_rejected",
    "add_rows",
    "commit_read",
    "count_to_map",
    "mark_mapped",
    "received",
    "rejected",
    "resolve_stay",
    "set_watermark",
    "stay_rows",
    "stays_to_map",
    "touch",
    "touch_all",
    "watermark",
]
_CHUNK = 500
_DECODER = msgspec.json.Decoder(dict[str, str])


@dataclass(frozen=True, slots=True)
class Added:
    """received = stored + repeated + changed. `changed` rows replaced an earlier version."""

    stored: int
    repeated: int
    changed: int
    twice: tuple[str, ...] = field(default=(), compare=False)
    """Rows of one file that say different things of one stay, in words; the last holds."""


@dataclass(frozen=True, slots=True)
class Stay:
    """A stay with rows newer than its last mapping; give `changes` back to `mark_mapped`."""

    source: str
    key: str
    changes: int


@dataclass(frozen=True, slots=True)
class Received:
    """Rows kept per source: current ones per table, and rejects."""

    source: str
    table: str
    rows: int


def add_rows(
    conn: Connection,
    source: str,
    rows: Sequence[RawRow],
    now: datetime,
    *,
    part_of: PartOf = whole_stay,
    span_of: SpanOf = no_span,
) -> Added:
    """Store rows that are new; what is stored already, under whatever name or line, is a repeat.

    A front page or settlement row of a known stay with other content becomes the current version.
    Equal charge lines of one file are all kept: each is told from the others by its occurrence,
    so the same file or a later export of the same lines adds nothing. `part_of` names the bill
    of a settlement row, where a stay has several; by default a later row replaces the earlier.
    A stay that begins or ceases to claim a settlement makes every other claimant wait as well.
    """
    arrival = Arrival(source, now, part_of, span_of)
    for start in range(0, len(rows), _CHUNK):
        part = rows[start : start + _CHUNK]
        add_many(conn, arrival, [row for row in part if row.table in MANY])
        add_single(conn, arrival, [row for row in part if row.table not in MANY])
    _touch(conn, source, arrival.touched, now)
    for found in claims(conn, arrival.bills).values():
        for claim in found:
            if claim.source != source or claim.stay_key not in arrival.touched:
                touch(conn, claim.source, claim.stay_key, now)
    return Added(arrival.stored, arrival.repeated, arrival.changed, tuple(arrival.twice))


def commit_read(
    conn: Connection,
    source: str,
    rows: Sequence[RawRow],
    rejected: Sequence[Rejected],
    watermark: str,
    now: datetime,
    *,
    part_of: PartOf = whole_stay,
    span_of: SpanOf = no_span,
    reread: tuple[str, str] | None = None,
) -> Added:
    """One adapter batch: rows, rejects and the new watermark together.

    `reread` is (file, raw hash) where the batch begins a file that is read as a whole.
    """
    if reread is not None:
        resolve_object(conn, source, *reread, now)
    resolve_rows(conn, source, [*rows, *rejected], now)
    added = add_rows(conn, source, rows, now, part_of=part_of, span_of=span_of)
    add_rejected(conn, source, rejected, now)
    set_watermark(conn, source, watermark, now)
    return added


def watermark(conn: Connection, source: str) -> str | None:
    """What the last committed read of a source left; None before the first."""
    found = conn.execute(select(watermarks.c.value).where(watermarks.c.source == source)).scalar()
    return None if found is None else str(found)


def set_watermark(conn: Connection, source: str, value: str, now: datetime) -> None:
    """Remember how far a source was read; in the transaction that stores its rows."""
    new = upsert(watermarks).values(source=source, value=value, moved_at=now)
    conn.execute(
        new.on_conflict_do_update(index_elements=["source"], set_={"value": value, "moved_at": now})
    )


def stays_to_map(conn: Connection, limit: int, *, source: str | None = None) -> tuple[Stay, ...]:
    """Stays with rows newer than their last mapping, in order of source and key."""
    query = (
        select(stays.c.source, stays.c.stay_key, stays.c.changes)
        .where(stays.c.changes > stays.c.mapped)
        .order_by(stays.c.source, stays.c.stay_key)
        .limit(limit)
    )
    if source is not None:
        query = query.where(stays.c.source == source)
    return tuple(Stay(*row) for row in conn.execute(query))


def count_to_map(conn: Connection) -> int:
    """How many stays wait for mapping."""
    query = select(func.count()).select_from(stays).where(stays.c.changes > stays.c.mapped)
    return int(conn.execute(query).scalar_one())


def stay_rows(conn: Connection, source: str, key: str) -> dict[str, tuple[RawRow, ...]]:
    """The current rows of one stay per table (every table is present), in order received."""
    query = (
        select(inbox_rows)
        .where(
            inbox_rows.c.source == source,
            inbox_rows.c.stay_key == key,
            inbox_rows.c.is_current,
        )
        .order_by(inbox_rows.c.id)
    )
    out: dict[str, list[RawRow]] = {table: [] for table in TABLES}
    for row in conn.execute(query):
        out.setdefault(row.table_name, []).append(
            RawRow(
                row.table_name,
                row.stay_key,
                row.object_name,
                row.row,
                _DECODER.decode(row.content),
                row.raw_hash,
            )
        )
    return {table: tuple(rows) for table, rows in out.items()}


def mark_mapped(
    conn: Connection, source: str, key: str, now: datetime, *, changes: int | None = None
) -> None:
    """The stay is mapped as of `changes` (all it has when None); later rows make it wait again."""
    conn.execute(
        update(stays)
        .where(stays.c.source == source, stays.c.stay_key == key)
        .values(mapped=stays.c.changes if changes is None else changes, mapped_at=now)
    )


def touch(conn: Connection, source: str, key: str, now: datetime) -> None:
    """Make one stay wait for mapping again: a correction or a map entry changed."""
    _touch(conn, source, {key: 1}, now)


def touch_all(conn: Connection, now: datetime) -> int:
    """Make every stay wait for mapping again (a catalogue changed); how many."""
    done = conn.execute(update(stays).values(changes=stays.c.changes + 1, changed_at=now))
    return int(done.rowcount)


def received(conn: Connection) -> tuple[Received, ...]:
    """Current rows per source and table."""
    query = (
        select(inbox_rows.c.source, inbox_rows.c.table_name, func.count())
        .where(inbox_rows.c.is_current)
        .group_by(inbox_rows.c.source, inbox_rows.c.table_name)
        .order_by(inbox_rows.c.source, inbox_rows.c.table_name)
    )
    return tuple(Received(*row) for row in conn.execute(query))


_TOUCH = text(
    "INSERT INTO stays (source, stay_key, changes, mapped, changed_at)"
    " VALUES (:source, :key, :by, 0, :at)"
    " ON CONFLICT (source, stay_key) DO UPDATE SET"
    " changes = stays.changes + excluded.changes, changed_at = excluded.changed_at"
)


def _touch(conn: Connection, source: str, keys: dict[str, int], now: datetime) -> None:
    if keys:
        at = moment_text(now)
        conn.execute(
            _TOUCH, [{"source": source, "key": key, "by": by, "at": at} for key, by in keys.items()]
        )

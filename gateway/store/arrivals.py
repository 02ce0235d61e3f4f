"""Storing source rows: what is new, what was stored before, what replaces an earlier version."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select, update
from sqlalchemy.dialects.sqlite import insert as upsert

from dipgate.core.record import RawRow
from dipgate.store.bills import SpanOf, retire_replaced
from dipgate.store.tables import inbox_repeats, inbox_rows

MANY = frozenset({"charge"})
"""Tables with many rows per stay; of the others only the newest content is current."""
PartOf = Callable[[RawRow], str]
"""Which part of its stay a row is: the settlement id of a bill, where a stay has several."""


def whole_stay(row: RawRow) -> str:  # noqa: ARG001
    """A stay has one front page and one bill."""
    return ""


def no_span(row: RawRow) -> str:  # noqa: ARG001
    """The days of a bill are not known."""
    return ""


_ENCODER = msgspec.json.Encoder(order="sorted")


@dataclass(slots=True)
class Arrival:
    """What one call of `add_rows` did so far. `touched` is stay key → number of changes."""

    source: str
    now: datetime
    part_of: PartOf = whole_stay
    span_of: SpanOf = no_span
    stored: int = 0
    repeated: int = 0
    changed: int = 0
    touched: dict[str, int] = field(default_factory=dict)
    bills: set[str] = field(default_factory=set)
    """Settlement ids that a stay began or ceased to claim."""
    twice: list[str] = field(default_factory=list)
    """Rows of one file that say different things of one stay, in words."""

    def touch(self, key: str) -> None:
        self.touched[key] = self.touched.get(key, 0) + 1


@dataclass(slots=True)
class _Known:
    id: int
    """0 while the row waits to be inserted."""
    occurrence: int
    raw_hash: str
    row: int


def add_many(conn: Connection, arrival: Arrival, rows: Sequence[RawRow]) -> None:
    """Rows of tables with many per stay: equal lines of one file are told apart by occurrence."""
    contents = [_ENCODER.encode(dict(row.values)) for row in rows]
    keys = _identities(arrival.source, rows, contents)
    known = _known(conn, keys)
    places = _places(conn, known, {row.raw_hash for row in rows})
    new: list[dict[str, Any]] = []
    repeats: list[dict[str, Any]] = []
    for row, content, key in zip(rows, contents, keys, strict=True):
        seen = places[key]
        place = (row.raw_hash, row.row)
        if place in seen:
            arrival.repeated += 1
            continue
        occurrence = sum(1 for other in seen if other[0] == row.raw_hash and other[1] < row.row)
        seen.add(place)
        held = known[key]
        if occurrence < len(held):
            arrival.repeated += 1
            if not held[occurrence].id:
                conn.execute(insert(inbox_rows), new)
                new = []
                held[:] = _known(conn, [key])[key]
            repeats.append(
                {"inbox_id": held[occurrence].id, "raw_hash": row.raw_hash, "row": row.row}
            )
            continue
        held.append(_Known(0, occurrence, row.raw_hash, row.row))
        new.append(_values(arrival, row, content, key, len(held) - 1))
        arrival.stored += 1
        arrival.touch(row.key)
    if new:
        conn.execute(insert(inbox_rows), new)
    if repeats:
        conn.execute(upsert(inbox_repeats).on_conflict_do_nothing(), repeats)


def add_single(conn: Connection, arrival: Arrival, rows: Sequence[RawRow]) -> None:
    """Rows of tables with one per stay (and part): the newest content is the current one."""
    contents = [_ENCODER.encode(dict(row.values)) for row in rows]
    keys = _identities(arrival.source, rows, contents)
    current = _current(conn, arrival.source, rows)
    known = _known(conn, keys)
    new: list[dict[str, Any]] = []
    seen: list[dict[str, Any]] = []
    held = {stay[:2] for stay in current}
    placed: dict[tuple[str, str, str], RawRow] = {}
    for row, content, key in zip(rows, contents, keys, strict=True):
        part = arrival.part_of(row)
        stay = (row.table, row.key, part)
        if part and known[key] and known[key][0].id:
            seen.append({"inbox_id": known[key][0].id, "raw_hash": row.raw_hash, "row": row.row})
        if current.get(stay) == key:
            arrival.repeated += 1
            continue
        if stay in current:
            arrival.changed += 1
            _note_twice(conn, arrival, row, current[stay], placed.get(stay))
            _flush(conn, new, seen)
            _retire(conn, arrival.source, stay)
        else:
            arrival.stored += 1
            if part:
                arrival.bills.add(part)
            if part and stay[:2] in held:
                _flush(conn, new, seen)
                for gone in retire_replaced(conn, arrival.source, row, part, arrival.span_of):
                    arrival.bills.add(gone)
                    current.pop((row.table, row.key, gone), None)
        current[stay] = key
        placed[stay] = row
        held.add(stay[:2])
        arrival.touch(row.key)
        if known[key]:
            conn.execute(
                update(inbox_rows).where(inbox_rows.c.identity == key).values(is_current=True)
            )
        else:
            known[key].append(_Known(0, 0, row.raw_hash, row.row))
            new.append(_values(arrival, row, content, key, 0))
    _flush(conn, new, seen)


def _note_twice(
    conn: Connection, arrival: Arrival, row: RawRow, key: bytes, before: RawRow | None
) -> None:
    """Say it when the row before, in this batch or an earlier one, stands in the same file."""
    if before is None:
        query = select(inbox_rows.c.row).where(
            inbox_rows.c.identity == key, inbox_rows.c.raw_hash == row.raw_hash
        )
        line = conn.execute(query).scalar()
    else:
        line = before.row if before.raw_hash == row.raw_hash else None
    if line is not None and line < row.row:
        arrival.twice.append(
            f"{row.object_name} 第{line}行和第{row.row}行是同一次住院（{row.key}），内容不同；"
            f"按第{row.row}行"
        )


def _flush(conn: Connection, new: list[dict[str, Any]], seen: list[dict[str, Any]]) -> None:
    """Write what waits, so that the next question sees it."""
    if new:
        conn.execute(insert(inbox_rows), new)
    if seen:
        conn.execute(upsert(inbox_repeats).on_conflict_do_nothing(), seen)
    new.clear()
    seen.clear()


def _retire(conn: Connection, source: str, stay: tuple[str, str, str]) -> None:
    table, key, part = stay
    conn.execute(
        update(inbox_rows)
        .where(
            inbox_rows.c.source == source,
            inbox_rows.c.stay_key == key,
            inbox_rows.c.table_name == table,
            inbox_rows.c.part == part,
            inbox_rows.c.is_current,
        )
        .values(is_current=False)
    )


def _identities(source: str, rows: Sequence[RawRow], contents: Sequence[bytes]) -> list[bytes]:
    pairs = zip(rows, contents, strict=True)
    return [_identity(source, row, content) for row, content in pairs]


def _identity(source: str, row: RawRow, content: bytes) -> bytes:
    head = "\0".join((source, row.table, row.key, "")).encode()
    return hashlib.blake2b(head + content, digest_size=20).digest()


def _known(conn: Connection, keys: Iterable[bytes]) -> dict[bytes, list[_Known]]:
    table = inbox_rows
    query = (
        select(
            table.c.identity,
            table.c.id,
            table.c.occurrence,
            table.c.raw_hash,
            table.c.row,
        )
        .where(table.c.identity.in_(list(dict.fromkeys(keys))))
        .order_by(table.c.identity, table.c.occurrence)
    )
    out: dict[bytes, list[_Known]] = defaultdict(list)
    for key, *rest in conn.execute(query):
        out[key].append(_Known(*rest))
    return out


def _places(
    conn: Connection, known: dict[bytes, list[_Known]], raw_hashes: set[str]
) -> dict[bytes, set[tuple[str, int]]]:
    """Where each content was met in the files of this batch: (raw hash, row)."""
    out: dict[bytes, set[tuple[str, int]]] = defaultdict(set)
    by_id: dict[int, bytes] = {}
    for key, held in known.items():
        for item in held:
            by_id[item.id] = key
            out[key].add((item.raw_hash, item.row))
    if by_id:
        query = select(inbox_repeats).where(
            inbox_repeats.c.inbox_id.in_(list(by_id)),
            inbox_repeats.c.raw_hash.in_(list(raw_hashes)),
        )
        for inbox_id, raw_hash, row in conn.execute(query):
            out[by_id[inbox_id]].add((raw_hash, row))
    return out


def _current(
    conn: Connection, source: str, rows: Sequence[RawRow]
) -> dict[tuple[str, str, str], bytes]:
    table = inbox_rows
    query = select(table.c.table_name, table.c.stay_key, table.c.part, table.c.identity).where(
        table.c.source == source,
        table.c.stay_key.in_(list(dict.fromkeys(row.key for row in rows))),
        table.c.table_name.not_in(MANY),
        table.c.is_current,
    )
    return {(name, key, part): found for name, key, part, found in conn.execute(query)}


def _values(
    arrival: Arrival, row: RawRow, content: bytes, key: bytes, occurrence: int
) -> dict[str, Any]:
    return {
        "source": arrival.source,
        "table_name": row.table,
        "stay_key": row.key,
        "part": "" if row.table in MANY else arrival.part_of(row),
        "identity": key,
        "occurrence": occurrence,
        "object_name": row.object_name,
        "row": row.row,
        "content": content,
        "raw_hash": row.raw_hash,
        "is_current": True,
        "received_at": arrival.now,
    }

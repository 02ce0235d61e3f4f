"""Which stays claim a settlement id, and which bill of a stay took the place of another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import msgspec
from sqlalchemy import Connection, select, text, update

from dipgate.core.record import RawRow
from dipgate.store.tables import inbox_repeats, inbox_rows

SpanOf = Callable[[RawRow], str]
"""First and last day that a settlement row bills; empty where they are not known."""
_CHUNK = 500
_CONTENT = msgspec.json.Decoder(dict[str, str])
_HAS_BILL = text("part <> ''")
"""As the index of bills says it."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A current settlement row that names a settlement id."""

    settlement_id: str
    source: str
    stay_key: str
    object_name: str
    row: int
    raw_hash: str


def claims(
    conn: Connection, settlement_ids: Iterable[str], sources: Sequence[str] | None = None
) -> dict[str, tuple[Claim, ...]]:
    """The current rows of these settlements, in order received; of `sources` only, when given."""
    table = inbox_rows
    wanted = [found for found in dict.fromkeys(settlement_ids) if found]
    out: dict[str, list[Claim]] = {}
    for start in range(0, len(wanted), _CHUNK):
        query = (
            select(
                table.c.part,
                table.c.source,
                table.c.stay_key,
                table.c.object_name,
                table.c.row,
                table.c.raw_hash,
            )
            .where(
                table.c.part.in_(wanted[start : start + _CHUNK]),
                _HAS_BILL,
                table.c.table_name == "settlement",
                table.c.is_current,
            )
            .order_by(table.c.id)
        )
        if sources is not None:
            query = query.where(table.c.source.in_(list(sources)))
        for row in conn.execute(query):
            out.setdefault(row.part, []).append(Claim(*row))
    return {settlement_id: tuple(found) for settlement_id, found in out.items()}


@dataclass(frozen=True, slots=True)
class FileBill:
    """A current settlement row that a file brought. `there`: a present file still has it."""

    id: int
    stay_key: str
    values: Mapping[str, str]
    there: bool


def bills_of_file(
    conn: Connection, source: str, object_name: str, present: Collection[str]
) -> tuple[FileBill, ...]:
    """The current bills that came in a file; `present` are the raw hashes of files as they are."""
    table = inbox_rows
    again = (
        select(inbox_repeats.c.inbox_id)
        .where(inbox_repeats.c.inbox_id == table.c.id, inbox_repeats.c.raw_hash.in_(list(present)))
        .exists()
    )
    query = select(table.c.id, table.c.stay_key, table.c.content, table.c.raw_hash, again).where(
        table.c.source == source,
        table.c.object_name == object_name,
        _HAS_BILL,
        table.c.table_name == "settlement",
        table.c.is_current,
    )
    return tuple(
        FileBill(number, key, _CONTENT.decode(content), bool(repeated) or raw_hash in present)
        for number, key, content, raw_hash, repeated in conn.execute(query)
    )


def end(conn: Connection, ids: Sequence[int]) -> None:
    """These rows are current no more; they stay in the inbox."""
    for start in range(0, len(ids), _CHUNK):
        chunk = list(ids[start : start + _CHUNK])
        conn.execute(update(inbox_rows).where(inbox_rows.c.id.in_(chunk)).values(is_current=False))


def contested(found: Sequence[Claim]) -> bool:
    """Do several stays claim the same settlement?"""
    return len({(claim.source, claim.stay_key) for claim in found}) > 1


def retire_replaced(
    conn: Connection, source: str, row: RawRow, bill: str, span_of: SpanOf
) -> tuple[str, ...]:
    """End the bills of a stay that this new row of it replaces; their settlement ids.

    A bill is replaced by a row of a later reading that differs from it in the settlement id
    alone, or stands in a later version of the same file for the same days (`span_of`, empty
    where they are not known). A bill that the later version had before it stays.
    """
    table = inbox_rows
    span = span_of(row)
    query = select(table.c.id, table.c.part, table.c.content, table.c.object_name).where(
        table.c.source == source,
        table.c.stay_key == row.key,
        table.c.table_name == row.table,
        table.c.is_current,
        table.c.part.not_in(("", bill)),
        table.c.raw_hash != row.raw_hash,
        ~select(inbox_repeats.c.inbox_id)
        .where(inbox_repeats.c.inbox_id == table.c.id, inbox_repeats.c.raw_hash == row.raw_hash)
        .exists(),
    )
    gone = {}
    for old in conn.execute(query):
        values = _CONTENT.decode(old.content)
        same_days = span and old.object_name == row.object_name
        same_days = same_days and span_of(replace(row, values=values)) == span
        if same_days or _differs_in_id_only(values, old.part, row, bill):
            gone[old.id] = old.part
    if gone:
        conn.execute(update(table).where(table.c.id.in_(list(gone))).values(is_current=False))
    return tuple(gone.values())


def _differs_in_id_only(old: Mapping[str, str], old_bill: str, new: RawRow, new_bill: str) -> bool:
    if old.keys() != new.values.keys():
        return False
    return all(
        value == new.values[name]
        or (bill_id(value) == old_bill and bill_id(new.values[name]) == new_bill)
        for name, value in old.items()
    )


def bill_id(written: str) -> str:
    """A settlement id as lists have it: what follows a caret is another system's mark."""
    return written.partition("^")[0].strip()

"""The store of past months: a folder of its own in the state folder, sealed against sending.

It has the tables of the live store, its own file, lock and raw bytes, so that years can be read
beside live work: nothing of it is in the queue, in the outbox or under the live lock. Triggers
refuse an outbox row and a release in it, whoever asks; it is never opened as a live store.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import (
    Column,
    Connection,
    Index,
    MetaData,
    String,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    text,
)
from sqlalchemy.dialects.sqlite import insert as upsert

from dipgate.core.grouping import GroupStatus
from dipgate.core.record import TABLES, RawRow
from dipgate.store import inbox
from dipgate.store.tables import (
    cases,
    findings,
    groupings,
    inbox_rows,
    moment_text,
    stays,
    unmapped,
    verdicts,
)

FOLDER = "history"
"""In the state folder; it may be removed as a whole, the next run reads the sources again."""
WAITING, JUDGED, LIVE, ASIDE = "waiting", "judged", "live", "aside"
STATES: Mapping[str, str] = {
    WAITING: "待处理",
    JUDGED: "已判定",
    LIVE: "日常已有",
    ASIDE: "搁置",
}
"""What became of a bill: not yet taken, judged as history, a list of live work, unreadable."""
_VALUES = msgspec.json.Decoder(dict[str, str])
_KEPT = "('mapped', 'checked', 'retired', 'set_aside')"

metadata = MetaData()
history_bills = Table(
    "history_bills",
    metadata,
    Column("source", String(60), primary_key=True),
    Column("stay_key", Text, primary_key=True),
    Column("settlement_id", Text, primary_key=True),
    Column("month", String(7), nullable=False),
    Column("state", String(8), nullable=False),
    Index("ix_history_bills_month", "source", "state", "month", "stay_key"),
    Index("ix_history_bills_settlement", "settlement_id"),
)
"""One row per bill that the sources have; `month` is YYYY-MM of its settlement, or empty."""

_SEAL = (
    "CREATE TRIGGER IF NOT EXISTS history_sends_nothing BEFORE INSERT ON outbox"
    " BEGIN SELECT RAISE(ABORT, 'history is never sent'); END",
    "CREATE TRIGGER IF NOT EXISTS history_releases_nothing BEFORE UPDATE OF state ON cases"
    f" WHEN new.state NOT IN {_KEPT}"
    " BEGIN SELECT RAISE(ABORT, 'history is never released'); END",
    "CREATE TRIGGER IF NOT EXISTS history_takes_nothing_released BEFORE INSERT ON cases"
    f" WHEN new.state NOT IN {_KEPT}"
    " BEGIN SELECT RAISE(ABORT, 'history is never released'); END",
)


def folder(state: Path) -> Path:
    """Where the past months of a state folder are."""
    return state / FOLDER


def is_history(conn: Connection) -> bool:
    """Is this the store of past months?"""
    found = conn.exec_driver_sql(
        "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'history_bills'"
    )
    return found.first() is not None


def seal(conn: Connection) -> None:
    """Make a store one of past months: its table, what refuses sending, no work queue."""
    metadata.create_all(conn)
    queue = conn.exec_driver_sql(
        "SELECT name FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'worklist_due_%'"
    )
    for name in queue.scalars().all():
        conn.exec_driver_sql(f"DROP TRIGGER {name}")
    for sql in _SEAL:
        conn.exec_driver_sql(sql)


@dataclass(frozen=True, slots=True)
class Bill:
    """One bill of a stay and what became of it."""

    source: str
    stay_key: str
    settlement_id: str
    month: str
    state: str


@dataclass
class Loaded:
    """What a batch of stays came to, as rows to be stored; made in any process."""

    stays: list[inbox.Stay] = field(default_factory=list)
    bills: list[Bill] = field(default_factory=list)
    cases: list[dict[str, Any]] = field(default_factory=list)
    again: list[tuple[str, str]] = field(default_factory=list)
    """Case and settlement ids that are there already: they give way to what is new, if anything."""
    gone: list[tuple[str, str]] = field(default_factory=list)
    """Stay key and settlement id of noted bills that their stay no longer has."""
    verdicts: list[dict[str, Any]] = field(default_factory=list)
    findings: list[dict[str, Any]] = field(default_factory=list)
    groupings: list[dict[str, Any]] = field(default_factory=list)
    unmapped: list[dict[str, Any]] = field(default_factory=list)
    rejected: list[tuple[str, Any]] = field(default_factory=list)
    """Stay key and what was set aside of it."""


_PUT_BILL = upsert(history_bills)
_PUT_BILL = _PUT_BILL.on_conflict_do_update(
    index_elements=["source", "stay_key", "settlement_id"],
    set_={name: _PUT_BILL.excluded[name] for name in ("month", "state")},
)
_MAPPED = text(
    "UPDATE stays SET mapped = :changes, mapped_at = :at WHERE source = :source AND stay_key = :key"
)
_CURRENT = text(
    "SELECT table_name, stay_key, object_name, row, content, raw_hash FROM inbox_rows"
    " WHERE source = :source AND stay_key IN :keys AND is_current ORDER BY id"
).bindparams(bindparam("keys", expanding=True))
_DROPS = (
    delete(cases).where(cases.c.id == bindparam("case")),
    *(
        delete(table).where(table.c.case_id == bindparam("case"))
        for table in (verdicts, findings, groupings)
    ),
)
_DROP_BILL = delete(history_bills).where(
    history_bills.c.source == bindparam("source"),
    history_bills.c.stay_key == bindparam("stay"),
    history_bills.c.settlement_id == bindparam("bill"),
)
_NO_LONGER_UNMAPPED = delete(unmapped).where(unmapped.c.settlement_id == bindparam("bill"))


def save(conn: Connection, source: str, loaded: Loaded, now: datetime) -> None:
    """Store a batch; the same batch again changes nothing. One transaction of the caller's."""
    if not loaded.stays:
        return
    at = moment_text(now)
    conn.execute(
        _MAPPED,
        [{"source": source, "key": s.key, "changes": s.changes, "at": at} for s in loaded.stays],
    )
    if conn.exec_driver_sql("SELECT 1 FROM inbox_rejected LIMIT 1").first() is not None:
        for stay in loaded.stays:
            inbox.resolve_stay(conn, source, stay.key, now)
    if loaded.again:
        for drop in _DROPS:
            conn.execute(drop, [{"case": case} for case, _ in loaded.again])
        conn.execute(_NO_LONGER_UNMAPPED, [{"bill": bill} for _, bill in loaded.again])
    if loaded.gone:
        gone = [{"source": source, "stay": stay, "bill": bill} for stay, bill in loaded.gone]
        conn.execute(_DROP_BILL, gone)
    for statement, rows in (
        (_PUT_BILL, [bill_values(bill) for bill in loaded.bills]),
        (insert(cases), loaded.cases),
        (insert(verdicts), loaded.verdicts),
        (insert(findings), loaded.findings),
        (insert(groupings), loaded.groupings),
        (upsert(unmapped).on_conflict_do_nothing(), loaded.unmapped),
    ):
        if rows:
            conn.execute(statement, rows)
    for stay_key, aside in loaded.rejected:
        inbox.add_rejected(conn, source, [aside], now, stay_key=stay_key)


def put_bills(conn: Connection, bills: Sequence[Bill]) -> None:
    """Note bills, or what became of them."""
    if bills:
        conn.execute(_PUT_BILL, [bill_values(bill) for bill in bills])


def bill_values(bill: Bill) -> dict[str, str]:
    """A bill as its table takes it."""
    return {
        "source": bill.source,
        "stay_key": bill.stay_key,
        "settlement_id": bill.settlement_id,
        "month": bill.month,
        "state": bill.state,
    }


@dataclass(frozen=True, slots=True)
class SeenBill:
    """A settlement row whose stay waits: its stay, settlement id, and the row's columns."""

    stay_key: str
    settlement_id: str
    values: Mapping[str, str]


def unnoted(
    conn: Connection, source: str, *, after: str, limit: int
) -> tuple[tuple[SeenBill, ...], str]:
    """Bills of the next stays that changed since they were taken; and where to go on, or empty."""
    waiting = (
        select(stays.c.stay_key)
        .where(stays.c.source == source, stays.c.changes > stays.c.mapped, stays.c.stay_key > after)
        .order_by(stays.c.stay_key)
        .limit(limit)
    )
    keys = conn.execute(waiting).scalars().all()
    rows = select(inbox_rows.c.stay_key, inbox_rows.c.part, inbox_rows.c.content).where(
        inbox_rows.c.source == source,
        inbox_rows.c.stay_key.in_(keys),
        inbox_rows.c.table_name == "settlement",
        inbox_rows.c.is_current,
    )
    found = tuple(
        SeenBill(row.stay_key, row.part, _VALUES.decode(row.content)) for row in conn.execute(rows)
    )
    return found, keys[-1] if keys else ""


def stays_to_load(
    conn: Connection, source: str, month: str, *, after: str, limit: int
) -> tuple[inbox.Stay, ...]:
    """The next stays of a month with a bill that waits, by stay key."""
    waiting = (
        select(history_bills.c.stay_key)
        .where(
            history_bills.c.source == source,
            history_bills.c.state == WAITING,
            history_bills.c.month == month,
            history_bills.c.stay_key > after,
        )
        .distinct()
        .order_by(history_bills.c.stay_key)
        .limit(limit)
    )
    keys = conn.execute(waiting).scalars().all()
    query = select(stays.c.source, stays.c.stay_key, stays.c.changes).where(
        stays.c.source == source, stays.c.stay_key.in_(keys)
    )
    return tuple(inbox.Stay(*row) for row in conn.execute(query.order_by(stays.c.stay_key)))


def waiting_months(
    conn: Connection, source: str, first: str, last: str
) -> tuple[tuple[str, int], ...]:
    """Months with bills that wait, oldest first, with how many, within a range of months."""
    query = (
        select(history_bills.c.month, func.count())
        .where(
            history_bills.c.source == source,
            history_bills.c.state == WAITING,
            history_bills.c.month >= max(first, "0"),
            history_bills.c.month <= last,
        )
        .group_by(history_bills.c.month)
        .order_by(history_bills.c.month)
    )
    return tuple((month, int(number)) for month, number in conn.execute(query))


def bill_counts(conn: Connection) -> dict[str, dict[str, int]]:
    """month → state → bills; bills without a day stand under the empty month."""
    out: dict[str, dict[str, int]] = {}
    query = select(history_bills.c.month, history_bills.c.state, func.count()).group_by(
        history_bills.c.month, history_bills.c.state
    )
    for month, state, number in conn.execute(query.order_by(history_bills.c.month)):
        out.setdefault(month, dict.fromkeys(STATES, 0))[state] = int(number)
    return out


@dataclass(frozen=True, slots=True)
class MonthMoney:
    """One month as judged: lists, of them with errors, by group, and what they were worth."""

    lists: int
    with_errors: int
    core: int
    comprehensive: int
    pay_fen: int


def month_money(conn: Connection) -> dict[str, MonthMoney]:
    """month → what its lists came to."""
    grouped = groupings.c.status
    query = (
        select(
            cases.c.month,
            func.count(),
            func.count().filter(verdicts.c.errors > 0),
            func.count().filter(grouped == GroupStatus.GROUPED.value),
            func.count().filter(grouped == GroupStatus.GROUPED_COMPREHENSIVE.value),
            func.sum(groupings.c.amount_fen),
        )
        .join(verdicts, verdicts.c.case_id == cases.c.id)
        .join(groupings, groupings.c.case_id == cases.c.id)
        .where(cases.c.state == "checked")
        .group_by(cases.c.month)
    )
    return {
        month: MonthMoney(*(int(number or 0) for number in numbers))
        for month, *numbers in conn.execute(query)
    }


def known(conn: Connection, settlement_ids: Sequence[str]) -> dict[str, tuple[str, int, str]]:
    """settlement id → (case id, revision, list hash) of those that are stored already."""
    query = select(cases.c.settlement_id, cases.c.id, cases.c.revision, cases.c.list_hash).where(
        cases.c.settlement_id.in_(list(settlement_ids))
    )
    return {row[0]: (row[1], row[2], row[3]) for row in conn.execute(query)}


def noted(conn: Connection, source: str, keys: Sequence[str]) -> tuple[tuple[str, str], ...]:
    """Stay key and settlement id of every bill noted of these stays."""
    query = select(history_bills.c.stay_key, history_bills.c.settlement_id).where(
        history_bills.c.source == source, history_bills.c.stay_key.in_(list(keys))
    )
    return tuple((stay, bill) for stay, bill in conn.execute(query))


def current_rows(
    conn: Connection, source: str, keys: Sequence[str]
) -> dict[str, dict[str, list[RawRow]]]:
    """stay key → table → its current rows in order received, of many stays at once."""
    out: dict[str, dict[str, list[RawRow]]] = {key: {name: [] for name in TABLES} for key in keys}
    found = conn.execute(_CURRENT, {"source": source, "keys": list(keys)})
    for table, key, name, row, content, raw in found:
        out[key].setdefault(table, []).append(
            RawRow(table, key, name, row, _VALUES.decode(content), raw)
        )
    return out

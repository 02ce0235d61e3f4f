"""The queue of codes that no map could translate, and how many cases wait for each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import Connection, case, delete, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from dipgate.core.hashing import content_hash
from dipgate.store.map_proposals import KINDS
from dipgate.store.tables import cases, overlays
from dipgate.store.tables import unmapped as table

WAITING = ("mapped", "checked", "ready", "held", "rejected")
"""States of a list that has not left, or that the platform did not take."""
SENT = ("queued", "accepted")
_CODE_FIELDS = {"icd10": "diseinfo[%].diag_code", "icd9cm3": "oprninfo[%].oprn_oprt_code"}


@dataclass(frozen=True, slots=True)
class UnmappedCode:
    """One code that waits for a person: kind of map, code, name as sent, cases that have it."""

    kind: str
    code: str
    name: str
    first_seen: datetime
    cases: int


def replace_for(
    conn: Connection, settlement_id: str, items: Iterable[tuple[str, str, str]], now: datetime
) -> None:
    """Set what is unmapped in one settlement: (kind, code, name); what was mapped since goes."""
    wanted = {(kind, code): name for kind, code, name in items}
    held = conn.execute(
        select(table.c.kind, table.c.code).where(table.c.settlement_id == settlement_id)
    )
    for kind, code in held.all():
        if (kind, code) not in wanted:
            conn.execute(
                delete(table).where(
                    table.c.settlement_id == settlement_id,
                    table.c.kind == kind,
                    table.c.code == code,
                )
            )
    rows = [
        {
            "kind": kind,
            "code": code,
            "settlement_id": settlement_id,
            "name": name,
            "first_seen": now,
        }
        for (kind, code), name in wanted.items()
    ]
    if rows:
        conn.execute(upsert(table).on_conflict_do_nothing(), rows)


def note(
    conn: Connection, kind: str, code: str, name: str, settlement_id: str, now: datetime
) -> None:
    """One code of one settlement waits for a map entry; noted once."""
    new = upsert(table).values(
        kind=kind, code=code, settlement_id=settlement_id, name=name, first_seen=now
    )
    conn.execute(new.on_conflict_do_nothing())


def codes(
    conn: Connection, *, kind: str | None = None, limit: int = 500
) -> tuple[UnmappedCode, ...]:
    """Codes that wait, those with most cases first."""
    number = func.count()
    query = (
        select(
            table.c.kind,
            table.c.code,
            func.max(table.c.name),
            func.min(table.c.first_seen, type_=table.c.first_seen.type),
            number,
        )
        .group_by(table.c.kind, table.c.code)
        .order_by(number.desc(), table.c.kind, table.c.code)
        .limit(limit)
    )
    if kind is not None:
        query = query.where(table.c.kind == kind)
    return tuple(UnmappedCode(*row) for row in conn.execute(query))


def settlements_with(conn: Connection, kind: str, code: str) -> tuple[str, ...]:
    """The settlements that have one unmapped code."""
    query = (
        select(table.c.settlement_id)
        .where(table.c.kind == kind, table.c.code == code)
        .order_by(table.c.settlement_id)
    )
    return tuple(conn.execute(query).scalars())


@dataclass(frozen=True, slots=True)
class WaitingCode:
    """A diagnosis or procedure code that no map translates, over the lists that have it."""

    kind: str
    code: str
    name: str
    first_seen: datetime
    first_used: date | None
    last_used: date | None
    waiting: int
    sent: int
    fee_fen: int
    """What the waiting lists are worth together."""

    @property
    def id(self) -> str:
        """Stands in addresses instead of the code."""
        return code_id(self.kind, self.code)


@dataclass(frozen=True, slots=True)
class CodeUse:
    """One list that has an unmapped code."""

    settlement_id: str
    case_id: str
    state: str
    used_on: date | None
    fee_fen: int
    first_seen: datetime

    @property
    def is_sent(self) -> bool:
        return self.state in SENT


def code_id(kind: str, code: str) -> str:
    """The same for the same code, whoever asks."""
    return content_hash([kind, code])[:16]


def queue(
    conn: Connection, *, kind: str | None = None, limit: int = 500
) -> tuple[WaitingCode, ...]:
    """Diagnosis and procedure codes for which lists wait, most money first."""
    waits = case((cases.c.state.in_(WAITING), 1), else_=0)
    money = case((cases.c.state.in_(WAITING), func.coalesce(cases.c.fee_fen, 0)), else_=0)
    number, fee = func.sum(waits), func.sum(money)
    query = (
        select(
            table.c.kind,
            table.c.code,
            func.max(table.c.name),
            func.min(table.c.first_seen, type_=table.c.first_seen.type),
            func.min(cases.c.settled_on, type_=cases.c.settled_on.type),
            func.max(cases.c.settled_on, type_=cases.c.settled_on.type),
            number,
            func.count() - number,
            fee,
        )
        .join(cases, cases.c.settlement_id == table.c.settlement_id)
        .where(
            table.c.kind.in_(tuple(KINDS) if kind is None else (kind,)),
            cases.c.state.in_((*WAITING, *SENT)),
        )
        .group_by(table.c.kind, table.c.code)
        .having(number > 0)
        .order_by(fee.desc(), number.desc(), table.c.kind, table.c.code)
        .limit(limit)
    )
    found = []
    for row in conn.execute(query):
        values = list(row)
        values[6:9] = [int(value or 0) for value in values[6:9]]
        found.append(WaitingCode(*values))
    return tuple(found)


def find(conn: Connection, number: str) -> WaitingCode | None:
    """One waiting code by its id, or None when nothing waits for it any more."""
    return next((item for item in queue(conn, limit=100_000) if item.id == number), None)


def waiting_codes(conn: Connection) -> int:
    """How many diagnosis and procedure codes lists wait for."""
    pairs = (
        select(table.c.kind, table.c.code)
        .join(cases, cases.c.settlement_id == table.c.settlement_id)
        .where(table.c.kind.in_(tuple(KINDS)), cases.c.state.in_(WAITING))
        .distinct()
        .subquery()
    )
    return int(conn.execute(select(func.count()).select_from(pairs)).scalar_one())


def uses(
    conn: Connection, kind: str, codes_: Sequence[str], *, limit: int = 100_000
) -> tuple[CodeUse, ...]:
    """The lists that have one of these codes unmapped, in order of settlement."""
    query = (
        select(
            table.c.settlement_id,
            cases.c.id,
            cases.c.state,
            cases.c.settled_on,
            func.coalesce(cases.c.fee_fen, 0),
            table.c.first_seen,
        )
        .distinct()
        .join(cases, cases.c.settlement_id == table.c.settlement_id)
        .where(
            table.c.kind == kind,
            table.c.code.in_(codes_),
            cases.c.state.in_((*WAITING, *SENT)),
        )
        .order_by(table.c.settlement_id)
        .limit(limit)
    )
    return tuple(CodeUse(*row) for row in conn.execute(query))


def of_settlement(conn: Connection, settlement_id: str) -> dict[str, str]:
    """Diagnosis and procedure codes of one list that no map translates → id in the queue."""
    query = select(table.c.kind, table.c.code).where(
        table.c.settlement_id == settlement_id, table.c.kind.in_(tuple(KINDS))
    )
    return {code: code_id(kind, code) for kind, code in conn.execute(query)}


def chosen_by_coders(conn: Connection, kind: str, code: str) -> dict[str, int]:
    """What coders put in place of a code on lists → on how many; corrections that still hold."""
    number = func.count(overlays.c.settlement_id.distinct())
    query = (
        select(overlays.c.value, number)
        .where(
            overlays.c.op == "set",
            overlays.c.expect == code,
            overlays.c.path.like(_CODE_FIELDS[kind]),
            overlays.c.undone_at.is_(None),
            overlays.c.value != "",
        )
        .group_by(overlays.c.value)
    )
    return {value: int(count) for value, count in conn.execute(query)}

"""Rows of the hospital's layer of the code maps: proposed, approved by a second person, withdrawn.

Nothing is deleted. That nobody approves what he proposed himself is said here and by the table.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from unicodedata import normalize

from sqlalchemy import Connection, Row, func, insert, select, update

from dipgate.core.errors import RecordError
from dipgate.core.reference import MapEntry
from dipgate.core.registry import DESK
from dipgate.store.map_tables import map_proposals as table

KINDS = {"icd10": "诊断", "icd9cm3": "手术操作"}
"""kind → what a user reads."""
STATES = {
    "proposed": "待批准",
    "approved": "在用",
    "rejected": "没有批准",
    "withdrawn": "已撤销",
}
"""state → what a user reads."""
NEXT = {
    "approved": ("proposed",),
    "rejected": ("proposed",),
    "withdrawn": ("proposed", "approved"),
}
"""state → the states from which a person may move a proposal there."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """One row as a person wants it; open ends of its days have no limit."""

    kind: str
    source_code: str
    source_name: str
    target_code: str
    target_name: str
    first_day: date | None = None
    last_day: date | None = None

    def entry(self, number: int = 0, author: str = "") -> MapEntry:
        """As mapping sees it."""
        return MapEntry(
            self.source_code,
            self.source_name,
            self.target_code,
            self.target_name,
            "hospital",
            DESK,
            number,
            author,
            self.first_day,
            self.last_day,
        )

    def meets(self, other: Wanted) -> bool:
        """Do both speak for one code on one day?"""
        return (
            (self.kind, self.source_code) == (other.kind, other.source_code)
            and (self.first_day or date.min) <= (other.last_day or date.max)
            and (other.first_day or date.min) <= (self.last_day or date.max)
        )


@dataclass(frozen=True, slots=True)
class Proposal:
    """One row with who proposed it, why, who decided about it, and who ended it."""

    id: int
    state: str
    wanted: Wanted
    reason: str
    author: str
    made_at: datetime
    decided_by: str
    decided_at: datetime | None
    decision: str
    ended_by: str
    ended_at: datetime | None
    ending: str


_WANTED = tuple(Wanted.__dataclass_fields__)
_REST = tuple(name for name in Proposal.__dataclass_fields__ if name != "wanted")
_COLUMNS = [table.c[name] for name in (*_WANTED, *_REST)]


def propose(conn: Connection, wanted: Wanted, *, reason: str, author: str, at: datetime) -> int:
    """Keep a proposal; its number. The caller audits it. ValueError without an author."""
    if not author.strip():
        raise ValueError("a proposal has an author")
    values = {name: getattr(wanted, name) for name in _WANTED}
    values |= {"state": "proposed", "reason": reason, "author": author.strip(), "made_at": at}
    key = conn.execute(insert(table).values(values)).inserted_primary_key
    return int(key[0]) if key else 0


def decide(
    conn: Connection, number: int, state: str, *, by: str, at: datetime, reason: str
) -> Proposal | None:
    """Approve, reject or withdraw; the proposal as it is then, None when it cannot move there.

    Raises RecordError when its author approves or rejects: whatever his role, a second person does
    that. Who proposed may withdraw, as anybody may who decides.
    """
    held = get(conn, number)
    if held is None or held.state not in NEXT[state] or not by.strip():
        return None
    if state != "withdrawn" and same_person(held.author, by):
        raise RecordError(
            "自己提的对照不能自己批准或否决", remedy="请第二个人登录后决定；不要了可以自己撤销"
        )
    columns = ("ended_by", "ended_at", "ending")
    if state != "withdrawn":
        columns = ("decided_by", "decided_at", "decision")
    values: Mapping[str, object] = dict(zip(columns, (by.strip(), at, reason), strict=True))
    done = conn.execute(
        update(table)
        .where(table.c.id == number, table.c.state == held.state)
        .values(state=state, **values)
    )
    return get(conn, number) if done.rowcount == 1 else None


def same_person(one: str, other: str) -> bool:
    """Log-in names that differ in case, width or blanks only are one person's."""
    return normalize("NFKC", one).strip().casefold() == normalize("NFKC", other).strip().casefold()


def get(conn: Connection, number: int) -> Proposal | None:
    """One proposal, or None."""
    row = conn.execute(select(*_COLUMNS).where(table.c.id == number)).first()
    return None if row is None else _proposal(row)


def proposals(
    conn: Connection,
    *,
    states: Sequence[str] = (),
    kind: str | None = None,
    source_code: str | None = None,
) -> tuple[Proposal, ...]:
    """Proposals in the order in which they were made; in some states, of a kind, of a code."""
    query = select(*_COLUMNS).order_by(table.c.id)
    if states:
        query = query.where(table.c.state.in_(states))
    if kind is not None:
        query = query.where(table.c.kind == kind)
    if source_code is not None:
        query = query.where(table.c.source_code == source_code)
    return tuple(_proposal(row) for row in conn.execute(query))


def in_force(conn: Connection) -> dict[str, tuple[MapEntry, ...]]:
    """`icd10-map` and `icd9cm3-map` → the approved rows of all days, as mapping sees them."""
    found: dict[str, tuple[MapEntry, ...]] = {f"{kind}-map": () for kind in KINDS}
    for item in proposals(conn, states=("approved",)):
        kind = f"{item.wanted.kind}-map"
        found[kind] = (*found[kind], item.wanted.entry(item.id, item.decided_by))
    return found


def waiting(conn: Connection) -> int:
    """How many proposals wait for a second person."""
    query = select(func.count()).select_from(table).where(table.c.state == "proposed")
    return int(conn.execute(query).scalar_one())


def _proposal(row: Row[Any]) -> Proposal:
    count = len(_WANTED)
    rest = dict(zip(_REST, row[count:], strict=True))
    return Proposal(wanted=Wanted(*row[:count]), **rest)

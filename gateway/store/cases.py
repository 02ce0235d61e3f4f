"""Cases: one row per settlement, with its current list, lineage and state."""

from __future__ import annotations

import secrets
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, false, func, insert, or_, select, update

from dipgate.core.hashing import bytes_hash
from dipgate.core.lists import SettlementList, read_list
from dipgate.core.record import Origin
from dipgate.store.tables import cases as table

STATES: Mapping[str, str] = {
    "mapped": "已映射",
    "checked": "已校验",
    "ready": "可上传",
    "held": "扣留",
    "queued": "排队上传",
    "accepted": "平台已接收",
    "rejected": "平台拒绝",
    "retired": "已撤销",
    "set_aside": "搁置",
}
"""state → what a user reads."""
_ENCODER = msgspec.json.Encoder()
_CANONICAL = msgspec.json.Encoder(decimal_format="number", order="sorted")
_ORIGINS = msgspec.json.Decoder(tuple[Origin, ...])


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One case. `id` is random and safe to show; `month` is `YYYY-MM` of the settlement."""

    id: str
    settlement_id: str
    source: str
    stay_key: str
    person_no: str
    month: str
    settled_on: date | None
    department: str
    doctor: str
    state: str
    list_json: bytes
    list_hash: str
    revision: int
    fee_fen: int | None
    hold_reason: str
    updated_at: datetime

    def settlement_list(self) -> SettlementList:
        """The settlement list as mapped and corrected."""
        return read_list(self.list_json)


def list_hash(lst: SettlementList) -> str:
    """Content hash of a list, whatever the order of its fields: part of every stage key."""
    return bytes_hash(_CANONICAL.encode(lst.as_object()))


_COLUMNS = [table.c[name] for name in CaseRow.__dataclass_fields__]


def put_case(
    conn: Connection,
    *,
    lst: SettlementList,
    origins: Sequence[Origin],
    source: str,
    stay_key: str,
    person_no: str,
    settled_on: date | None,
    department: str,
    doctor: str,
    fee_fen: int | None,
    now: datetime,
    state: str = "mapped",
    hold_reason: str = "",
) -> CaseRow:
    """Store a mapped list under its settlement id; the row as it is now.

    New content raises the revision and sets the state; the same content only renews lineage and
    keeps revision, state and hold reason. Raises ValueError without a settlement id.
    """
    if not lst.settlement_id:
        raise ValueError("a case needs a settlement id")
    _check(state)
    data = lst.as_json()
    digest = list_hash(lst)
    values: dict[str, Any] = {
        "source": source,
        "stay_key": stay_key,
        "person_no": person_no,
        "month": f"{settled_on:%Y-%m}" if settled_on else "",
        "settled_on": settled_on,
        "department": department,
        "doctor": doctor,
        "origins": packed_origins(origins),
        "fee_fen": fee_fen,
        "updated_at": now,
    }
    old = case_by_settlement(conn, lst.settlement_id)
    if old is None or old.list_hash != digest:
        values |= {
            "list_json": data,
            "list_hash": digest,
            "revision": 1 if old is None else old.revision + 1,
            "state": state,
            "hold_reason": hold_reason,
        }
    if old is None:
        case_id = secrets.token_hex(8)
        values |= {"id": case_id, "settlement_id": lst.settlement_id}
        conn.execute(insert(table).values(values))
    else:
        case_id = old.id
        conn.execute(update(table).where(table.c.id == case_id).values(values))
    return _row(conn.execute(select(*_COLUMNS).where(table.c.id == case_id)).one())


def packed_origins(origins: Sequence[Origin]) -> bytes:
    """Origins as the table keeps them; `origins_of` reads them."""
    return zlib.compress(_ENCODER.encode(tuple(origins)), 1)


def get_case(conn: Connection, case_id: str) -> CaseRow | None:
    """One case by its id, or None."""
    row = conn.execute(select(*_COLUMNS).where(table.c.id == case_id)).first()
    return None if row is None else _row(row)


def case_by_settlement(conn: Connection, settlement_id: str) -> CaseRow | None:
    """One case by its settlement, or None."""
    row = conn.execute(select(*_COLUMNS).where(table.c.settlement_id == settlement_id)).first()
    return None if row is None else _row(row)


def cases_of_stay(conn: Connection, source: str, stay_key: str) -> tuple[CaseRow, ...]:
    """Every case of one stay, by settlement id."""
    query = (
        select(*_COLUMNS)
        .where(table.c.source == source, table.c.stay_key == stay_key)
        .order_by(table.c.settlement_id)
    )
    return tuple(_row(row) for row in conn.execute(query))


def origins_of(conn: Connection, case_id: str) -> tuple[Origin, ...]:
    """Where every field of the case's list comes from; empty for an unknown case."""
    packed = conn.execute(select(table.c.origins).where(table.c.id == case_id)).scalar()
    return () if packed is None else _ORIGINS.decode(zlib.decompress(packed))


def cases_in(
    conn: Connection,
    *,
    month: str | None = None,
    states: Sequence[str] = (),
    after: str = "",
    limit: int = 500,
) -> tuple[CaseRow, ...]:
    """Cases by settlement id, after the last one of the page before."""
    query = (
        select(*_COLUMNS)
        .where(table.c.settlement_id > after)
        .order_by(table.c.settlement_id)
        .limit(limit)
    )
    if month is not None:
        query = query.where(table.c.month == month)
    if states:
        query = query.where(table.c.state.in_(states))
    return tuple(_row(row) for row in conn.execute(query))


def waiting_with(
    conn: Connection,
    codes: Sequence[str],
    *,
    states: Sequence[str],
) -> tuple[str, ...]:
    """Settlements in these states whose list has one of the codes as a value, or in a chain `→`."""
    forms = [f"{head}{code}{tail}" for code in codes for head in '"→' for tail in '"→']
    holds = [func.instr(table.c.list_json, form.encode()) > 0 for form in forms]
    query = (
        select(table.c.settlement_id)
        .where(table.c.state.in_(states), or_(false(), *holds))
        .order_by(table.c.settlement_id)
    )
    return tuple(conn.execute(query).scalars())


def set_state(
    conn: Connection, case_id: str, state: str, *, now: datetime, hold_reason: str = ""
) -> None:
    """Move a case to a state. Raises ValueError for an unknown state, KeyError for no such case."""
    _check(state)
    done = conn.execute(
        update(table)
        .where(table.c.id == case_id)
        .values(state=state, hold_reason=hold_reason, updated_at=now)
    )
    if done.rowcount != 1:
        raise KeyError(case_id)


def raise_revision(conn: Connection, case_id: str) -> None:
    """The same content once more: the platform has to get it anew."""
    conn.execute(update(table).where(table.c.id == case_id).values(revision=table.c.revision + 1))


def counts(conn: Connection, *, month: str | None = None) -> dict[str, int]:
    """How many cases are in each state; states without cases count 0."""
    query = select(table.c.state, func.count()).group_by(table.c.state)
    if month is not None:
        query = query.where(table.c.month == month)
    out = dict.fromkeys(STATES, 0)
    for state, number in conn.execute(query):
        out[state] = int(number)
    return out


def months(conn: Connection) -> tuple[str, ...]:
    """Months that have cases, oldest first."""
    query = select(table.c.month).distinct().order_by(table.c.month)
    return tuple(conn.execute(query).scalars())


def _check(state: str) -> None:
    if state not in STATES:
        raise ValueError(f"not a case state: {state!r}")


def _row(row: Row[Any]) -> CaseRow:
    return CaseRow(*row)

"""Stays whose patient has gone home and that wait for a bill, a front page or charges."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, case, delete, func, select
from sqlalchemy.dialects.sqlite import insert as upsert

from dipgate.store.life_tables import waiting_stays as table


@dataclass(frozen=True, slots=True)
class WaitingStay:
    """One stay; `kind` is what is missing, `settlement_id` empty while there is no bill."""

    source: str
    stay_key: str
    kind: str
    since: datetime
    discharged: date
    record_no: str
    department: str
    settlement_id: str


def put(conn: Connection, stay: WaitingStay) -> None:
    """It waits; since when it has waited for the same part is kept."""
    values = {name: getattr(stay, name) for name in WaitingStay.__dataclass_fields__}
    new = upsert(table).values(**values)
    renewed: dict[str, Any] = {
        name: new.excluded[name] for name in values if name not in ("source", "stay_key")
    }
    renewed["since"] = case(
        (table.c.kind == new.excluded.kind, table.c.since), else_=new.excluded.since
    )
    conn.execute(new.on_conflict_do_update(index_elements=["source", "stay_key"], set_=renewed))


def drop(conn: Connection, source: str, stay_key: str) -> None:
    """It waits for nothing any more."""
    conn.execute(delete(table).where(table.c.source == source, table.c.stay_key == stay_key))


def page(
    conn: Connection, first: date, last: date, *, offset: int = 0, limit: int
) -> tuple[WaitingStay, ...]:
    """Stays discharged on these days and between, the longest gone home first."""
    query = (
        select(*(table.c[name] for name in WaitingStay.__dataclass_fields__))
        .where(table.c.discharged.between(first, last))
        .order_by(table.c.discharged, table.c.source, table.c.stay_key)
        .offset(offset)
        .limit(limit)
    )
    return tuple(WaitingStay(*row) for row in conn.execute(query))


def counts(conn: Connection, first: date, last: date) -> Mapping[str, int]:
    """What is missing → stays discharged on these days and between that wait for it."""
    query = (
        select(table.c.kind, func.count())
        .where(table.c.discharged.between(first, last))
        .group_by(table.c.kind)
    )
    return {kind: int(number) for kind, number in conn.execute(query)}

"""The result inbox: pages the platform gave (3606 groups, 3607 quality), kept as they came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, func, insert, select, update

from dipgate.core.errors import Place, RecordError
from dipgate.core.hashing import bytes_hash
from dipgate.core.lists import text_of
from dipgate.store.tables import results as table

_ENCODER = msgspec.json.Encoder(decimal_format="number", order="sorted")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Result:
    """One row of the platform's answer about one settlement, in national field codes."""

    infno: str
    month: str
    settlement_id: str
    payload: Mapping[str, Any]
    received_at: datetime


def put_page(
    conn: Connection, infno: str, month: str, rows: Sequence[Mapping[str, Any]], now: datetime
) -> int:
    """Store one page (`month` is `YYYY-MM`); how many rows brought something new.

    A page that is stored again changes nothing; other content for a settlement becomes current,
    the earlier one is kept. Raises RecordError for a row without `setl_id`; nothing is stored.
    """
    keyed: dict[str, bytes] = {}
    for number, row in enumerate(rows, start=1):
        settlement = text_of(row.get("setl_id")).strip()
        if not settlement:
            raise RecordError(
                "平台结果没有结算编号",
                place=Place(f"{infno} {month}", number, "setl_id"),
                remedy="联系平台核对该页结果后重新获取",
            )
        keyed[settlement] = _ENCODER.encode(dict(row))
    current = _current(conn, infno, month, list(keyed))
    new = 0
    for settlement, payload in keyed.items():
        digest = bytes_hash(payload)
        if current.get(settlement) == digest:
            continue
        new += 1
        _retire(conn, infno, month, settlement)
        again = conn.execute(
            update(table)
            .where(
                table.c.infno == infno,
                table.c.month == month,
                table.c.settlement_id == settlement,
                table.c.payload_hash == digest,
            )
            .values(is_current=True, received_at=now)
        )
        if again.rowcount == 0:
            conn.execute(
                insert(table).values(
                    infno=infno,
                    month=month,
                    settlement_id=settlement,
                    payload=payload,
                    payload_hash=digest,
                    is_current=True,
                    received_at=now,
                )
            )
    return new


def results_for(
    conn: Connection, infno: str, month: str, *, after: str = "", limit: int | None = None
) -> tuple[Result, ...]:
    """Current rows of a month by settlement id."""
    query = (
        select(table)
        .where(
            table.c.infno == infno,
            table.c.month == month,
            table.c.is_current,
            table.c.settlement_id > after,
        )
        .order_by(table.c.settlement_id)
    )
    if limit is not None:
        query = query.limit(limit)
    return tuple(_result(row) for row in conn.execute(query))


def last_received(conn: Connection, infno: str, month: str) -> datetime | None:
    """When a month's rows of one transaction last brought something new; None without rows."""
    query = select(func.max(table.c.received_at, type_=table.c.received_at.type)).where(
        table.c.infno == infno, table.c.month == month
    )
    found: datetime | None = conn.execute(query).scalar()
    return found


def by_settlement(conn: Connection, settlement_id: str) -> tuple[Result, ...]:
    """Everything the platform said last about one settlement, by transaction number."""
    query = (
        select(table)
        .where(table.c.settlement_id == settlement_id, table.c.is_current)
        .order_by(table.c.infno, table.c.month)
    )
    return tuple(_result(row) for row in conn.execute(query))


def _current(conn: Connection, infno: str, month: str, settlements: list[str]) -> dict[str, str]:
    query = select(table.c.settlement_id, table.c.payload_hash).where(
        table.c.infno == infno,
        table.c.month == month,
        table.c.settlement_id.in_(settlements),
        table.c.is_current,
    )
    return {row[0]: row[1] for row in conn.execute(query)}


def _retire(conn: Connection, infno: str, month: str, settlement: str) -> None:
    conn.execute(
        update(table)
        .where(
            table.c.infno == infno,
            table.c.month == month,
            table.c.settlement_id == settlement,
            table.c.is_current,
        )
        .values(is_current=False)
    )


def _result(row: Row[Any]) -> Result:
    return Result(
        row.infno, row.month, row.settlement_id, _DECODER.decode(row.payload), row.received_at
    )

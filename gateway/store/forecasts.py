"""Forecasts as they were made, and statements as the bureau gave them; nothing is overwritten."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select

from dipgate.core.money import Fen
from dipgate.store import audit
from dipgate.store.forecast_tables import forecasts as table
from dipgate.store.forecast_tables import statements

audit.register("forecast.made", "预测本月收入", audit.IDS_ONLY)
audit.register("statement.noted", "记下拨付单", audit.WRITTEN_REASON)


@dataclass(frozen=True, slots=True)
class Forecast:
    """One pool and scenario of a run. Money in fen; None where `missing` says what is not known."""

    month: str
    pool: str
    scenario: str
    cases: int
    score: Decimal
    point_value: Decimal | None
    so_far: Fen | None
    whole: Fen | None
    missing: tuple[str, ...]
    policy: str
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Statement:
    """What the bureau pays for a month and pool; score and point value where it says so."""

    month: str
    pool: str
    pay: Fen
    score: Decimal | None
    point_value: Decimal | None
    source: str
    author: str = ""
    noted_at: datetime | None = None


def put_run(conn: Connection, rows: Sequence[Forecast], now: datetime, actor: str) -> str:
    """Store the rows of one run; its number."""
    run = secrets.token_hex(8)
    if rows:
        conn.execute(
            insert(table),
            [
                {
                    "made_at": now,
                    "run": run,
                    "month": row.month,
                    "pool": row.pool,
                    "scenario": row.scenario,
                    "cases": row.cases,
                    "score": format(row.score, "f"),
                    "point_value": _text(row.point_value),
                    "so_far_fen": row.so_far,
                    "whole_fen": row.whole,
                    "missing": "\n".join(row.missing),
                    "policy": row.policy,
                }
                for row in rows
            ],
        )
    months = ",".join(sorted({row.month for row in rows}))
    audit.add(conn, now, actor, "forecast.made", f"month:{months}", detail={"rows": len(rows)})
    return run


def runs_of(conn: Connection, month: str) -> tuple[tuple[Forecast, ...], ...]:
    """Every run for a month, the earliest first."""
    rows = conn.execute(select(table).where(table.c.month == month).order_by(table.c.id))
    found: dict[str, list[Forecast]] = {}
    for row in rows:
        found.setdefault(row.run, []).append(_forecast(row))
    return tuple(tuple(run) for run in found.values())


def months(conn: Connection) -> tuple[str, ...]:
    """Months for which a forecast was made, oldest first."""
    query = select(table.c.month).distinct().order_by(table.c.month)
    return tuple(conn.execute(query).scalars())


def note_statement(conn: Connection, item: Statement, now: datetime, actor: str) -> None:
    """Keep a statement; it counts from now on for its month and pool."""
    conn.execute(
        insert(statements).values(
            noted_at=now,
            author=actor,
            month=item.month,
            pool=item.pool,
            pay_fen=item.pay,
            score=_text(item.score),
            point_value=_text(item.point_value),
            source=item.source,
        )
    )
    audit.add(
        conn, now, actor, "statement.noted", f"month:{item.month}", detail={"pay_fen": item.pay}
    )


def statements_in_force(conn: Connection) -> tuple[Statement, ...]:
    """The newest statement of every month and pool, by month."""
    newest = select(func.max(statements.c.id)).group_by(statements.c.month, statements.c.pool)
    query = (
        select(statements)
        .where(statements.c.id.in_(newest))
        .order_by(statements.c.month, statements.c.pool)
    )
    return tuple(
        Statement(
            row.month,
            row.pool,
            Fen(row.pay_fen),
            _number(row.score),
            _number(row.point_value),
            row.source,
            row.author,
            row.noted_at,
        )
        for row in conn.execute(query)
    )


def _forecast(row: Row[Any]) -> Forecast:
    return Forecast(
        month=row.month,
        pool=row.pool,
        scenario=row.scenario,
        cases=row.cases,
        score=Decimal(row.score),
        point_value=_number(row.point_value),
        so_far=None if row.so_far_fen is None else Fen(row.so_far_fen),
        whole=None if row.whole_fen is None else Fen(row.whole_fen),
        missing=tuple(row.missing.split("\n")) if row.missing else (),
        policy=row.policy,
        made_at=row.made_at,
    )


def _text(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")


def _number(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)

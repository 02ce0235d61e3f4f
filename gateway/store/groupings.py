"""Groupings: group, score and money of one list under one policy and library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import (
    Connection,
    Row,
    Subquery,
    bindparam,
    delete,
    func,
    insert,
    select,
)

from dipgate.core.grouping import GroupResult, ScoreResult
from dipgate.store.tables import cases
from dipgate.store.tables import groupings as table


class _Result(msgspec.Struct):
    group: GroupResult
    score: ScoreResult


_ENCODER = msgspec.json.Encoder(decimal_format="string")
_DECODER = msgspec.json.Decoder(_Result)


@dataclass(frozen=True, slots=True)
class Grouping:
    """One result with its trace, under its key (case, list hash, policy hash, library)."""

    case_id: str
    list_hash: str
    policy_hash: str
    library: str
    group: GroupResult
    score: ScoreResult
    grouped_at: datetime


_DROP = delete(table).where(
    table.c.case_id == bindparam("case"),
    table.c.list_hash == bindparam("list"),
    table.c.policy_hash == bindparam("policy"),
    table.c.library == bindparam("lib"),
)
_INSERT = insert(table)


def put_groupings(conn: Connection, batch: Sequence[Grouping]) -> None:
    """Store results; the same key again replaces the earlier one."""
    keyed = {(item.case_id, item.list_hash, item.policy_hash, item.library): item for item in batch}
    if not keyed:
        return
    names = ("case", "list", "policy", "lib")
    conn.execute(_DROP, [dict(zip(names, key, strict=True)) for key in keyed])
    conn.execute(_INSERT, [values_of(item) for item in keyed.values()])


def put_grouping(conn: Connection, item: Grouping) -> None:
    """Store one result."""
    put_groupings(conn, [item])


def grouping_for(
    conn: Connection, case_id: str, list_hash: str, policy_hash: str, library: str
) -> Grouping | None:
    """The result under one key, or None: then the list must be grouped."""
    row = conn.execute(
        select(table).where(
            table.c.case_id == case_id,
            table.c.list_hash == list_hash,
            table.c.policy_hash == policy_hash,
            table.c.library == library,
        )
    ).first()
    return None if row is None else _grouping(row)


def latest(conn: Connection, case_id: str) -> Grouping | None:
    """The result stored last for a case, or None."""
    row = conn.execute(
        select(table).where(table.c.case_id == case_id).order_by(table.c.id.desc()).limit(1)
    ).first()
    return None if row is None else _grouping(row)


def latest_of_month(conn: Connection, month: str) -> Mapping[str, Grouping]:
    """settlement id → the result stored last, of every grouped case of a month."""
    newest = _newest()
    query = (
        select(cases.c.settlement_id, table)
        .join(newest, newest.c.id == table.c.id)
        .join(cases, cases.c.id == table.c.case_id)
        .where(cases.c.month == month)
        .order_by(cases.c.settlement_id)
    )
    return {row.settlement_id: _grouping(row) for row in conn.execute(query)}


def _newest() -> Subquery:
    return select(func.max(table.c.id).label("id")).group_by(table.c.case_id).subquery()


def values_of(item: Grouping) -> dict[str, Any]:
    """A grouping as its table takes it."""
    return {
        "case_id": item.case_id,
        "list_hash": item.list_hash,
        "policy_hash": item.policy_hash,
        "library": item.library,
        "status": item.group.status.value,
        "layer": item.group.layer.value,
        "group_code": item.group.group_code,
        "group_name": item.group.group_name,
        "base_score": _text(item.group.base_score),
        "score_status": item.score.status.value,
        "zone": item.score.zone.value,
        "score": _text(item.score.score),
        "amount_fen": None if item.score.amount is None else int(item.score.amount),
        "result": _ENCODER.encode(_Result(item.group, item.score)),
        "grouped_at": item.grouped_at,
    }


def _grouping(row: Row[Any]) -> Grouping:
    result = _DECODER.decode(row.result)
    return Grouping(
        row.case_id,
        row.list_hash,
        row.policy_hash,
        row.library,
        result.group,
        result.score,
        row.grouped_at,
    )


def _text(number: Decimal | None) -> str | None:
    return None if number is None else format(number, "f")

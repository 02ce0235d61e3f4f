"""Questions to a clinician about one field of a list, and the answers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from dipgate.core.errors import RecordError
from dipgate.core.lists import FieldPath
from dipgate.store.desk_tables import questions as table

LONGEST = 500
"""Characters in a question or an answer."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `path` is the list field it is about; `answer` is empty while it is open."""

    id: int
    settlement_id: str
    path: str
    question: str
    asked_of: str
    asked_by: str
    asked_at: datetime
    answer: str = ""
    answered_by: str = ""
    answered_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self.answered_at is None


def ask(
    conn: Connection,
    *,
    settlement_id: str,
    path: str,
    question: str,
    asked_of: str,
    asked_by: str,
    at: datetime,
) -> int:
    """Keep a question; its number. The caller audits it in the same transaction.

    Raises RecordError without a text or somebody to ask, or when it is too long; ValueError for
    a path that is none.
    """
    FieldPath.parse(path)
    values = {
        "settlement_id": settlement_id,
        "path": path,
        "question": _text(question, "问题"),
        "asked_of": _text(asked_of, "问谁"),
        "asked_by": asked_by,
        "asked_at": at,
    }
    made = conn.execute(insert(table).values(values)).inserted_primary_key
    return int(made[0]) if made else 0


def answer(conn: Connection, number: int, *, text: str, author: str, at: datetime) -> Question:
    """Keep the answer to an open question. Raises RecordError when it is not open any more."""
    done = conn.execute(
        update(table)
        .where(table.c.id == number, table.c.answered_at.is_(None))
        .values(answer=_text(text, "答复"), answered_by=author, answered_at=at)
    )
    found = get(conn, number)
    if done.rowcount != 1 or found is None:
        raise RecordError(f"第 {number} 号问题已经答复或不存在", remedy="刷新后再看")
    return found


def get(conn: Connection, number: int) -> Question | None:
    """One question, or None."""
    row = conn.execute(select(table).where(table.c.id == number)).first()
    return None if row is None else _question(row)


def questions_of(
    conn: Connection, settlement_id: str, *, open_only: bool = False
) -> tuple[Question, ...]:
    """The questions about one list, oldest first."""
    query = select(table).where(table.c.settlement_id == settlement_id).order_by(table.c.id)
    if open_only:
        query = query.where(table.c.answered_at.is_(None))
    return tuple(_question(row) for row in conn.execute(query))


def open_counts(conn: Connection, settlement_ids: Sequence[str]) -> dict[str, int]:
    """settlement id → how many of its questions are open; lists without any are left out."""
    query = (
        select(table.c.settlement_id, func.count())
        .where(table.c.settlement_id.in_(settlement_ids), table.c.answered_at.is_(None))
        .group_by(table.c.settlement_id)
    )
    return {str(settlement): int(number) for settlement, number in conn.execute(query)}


def _text(value: str, what: str) -> str:
    text = value.strip()
    if not text:
        raise RecordError(f"没有填写{what}", remedy="写明后再提交")
    if len(text) > LONGEST:
        raise RecordError(f"{what}超过 {LONGEST} 字", remedy="写短一些，细节放在病历里")
    return text


def _question(row: Row[Any]) -> Question:
    return Question(
        row.id,
        row.settlement_id,
        row.path,
        row.question,
        row.asked_of,
        row.asked_by,
        row.asked_at,
        row.answer or "",
        row.answered_by or "",
        row.answered_at,
    )

"""Saved views of the work queue: a person's filters under a name of his own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection, delete, func, insert, select, update

from dipgate.core.errors import RecordError
from dipgate.store.desk_tables import saved_views as table

MOST = 30
"""Views of one person."""
NAME_LENGTH = 30


@dataclass(frozen=True, slots=True)
class SavedView:
    """`query` is the filter as the queue's address writes it (`tab=stop&dept=…`)."""

    id: int
    name: str
    query: str


def views_of(conn: Connection, user_id: int) -> tuple[SavedView, ...]:
    """A person's views, by name."""
    query = (
        select(table.c.id, table.c.name, table.c.query)
        .where(table.c.user_id == user_id)
        .order_by(table.c.name)
    )
    return tuple(SavedView(*row) for row in conn.execute(query))


def save(conn: Connection, *, user_id: int, name: str, query: str, now: datetime) -> SavedView:
    """Keep a view; the same name again replaces it.

    Raises RecordError without a name, with too long a one, or with too many views.
    """
    name = " ".join(name.split())
    if not name:
        raise RecordError("视图没有名字", remedy="起一个名字再保存")
    if len(name) > NAME_LENGTH:
        raise RecordError(f"视图名超过 {NAME_LENGTH} 字", remedy="起短一些")
    mine = (table.c.user_id == user_id, table.c.name == name)
    done = conn.execute(update(table).where(*mine).values(query=query))
    if not done.rowcount:
        kept = conn.execute(
            select(func.count()).select_from(table).where(table.c.user_id == user_id)
        ).scalar_one()
        if kept >= MOST:
            raise RecordError(f"已经有 {MOST} 个视图", remedy="删去不用的再保存")
        conn.execute(insert(table).values(user_id=user_id, name=name, query=query, created_at=now))
    row = conn.execute(select(table.c.id, table.c.name, table.c.query).where(*mine)).one()
    return SavedView(*row)


def remove(conn: Connection, *, user_id: int, view_id: int) -> bool:
    """Forget one of a person's own views; False when it is not his or not there."""
    mine = (table.c.user_id == user_id, table.c.id == view_id)
    return conn.execute(delete(table).where(*mine)).rowcount == 1

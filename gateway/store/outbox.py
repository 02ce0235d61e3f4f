"""The outbox: what waits for the platform, why, and what may happen to it next.

States and events are those of `dipgate.core.exchange`. Rows are never deleted. Every change of
state checks the owner's epoch, leaves an audit row, and moves the case's state, in the
transaction it is called in.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Select, or_, select

from dipgate.core.clock import CHINA
from dipgate.core.errors import ConfigError
from dipgate.core.exchange import Event, State, next_state
from dipgate.store import audit
from dipgate.store import outbox_sql as sql
from dipgate.store.exchange_log import Exchange, add_exchange, exchanges, last_exchange
from dipgate.store.messages import next_msgid
from dipgate.store.outbox_rows import (
    FINAL_WORDS,
    STATE_WORDS,
    OutboxRow,
    by_key,
    by_settlement,
    counts,
    due_unknown,
    find,
    get,
    list_rows,
    next_due,
    row_of,
)
from dipgate.store.tables import outbox as table

__all__ = [
    "ACTOR",
    "DEFAULT_SETTLE",
    "STATE_WORDS",
    "Exchange",
    "OutboxRow",
    "StaleOwner",
    "add_exchange",
    "apply",
    "by_key",
    "by_settlement",
    "claim",
    "counts",
    "due_unknown",
    "enqueue",
    "exchanges",
    "expire_leases",
    "find",
    "get",
    "last_exchange",
    "list_rows",
    "next_due",
    "orphans_to_unknown",
    "restored",
    "retry_by_person",
]

ACTOR = "dipgate"
"""Who acts when no person does."""
DEFAULT_SETTLE = 120.0
"""Seconds to wait before asking about a row that was never claimed here (after a restore)."""


class StaleOwner(ConfigError):
    """Another process has taken the state folder; this one must stop and write nothing more."""

    def __init__(self) -> None:
        super().__init__("状态目录已由另一个进程接管，本进程不能再写入；请结束本进程")


_WAITS = {
    State.READY: "等待上传",
    State.UNKNOWN: "等待向平台核实",
    State.CONFLICT: "平台内容与本地不同，等待人工裁定",
    State.HELD: "等待人工处理",
    State.REJECTED: "等待人工修改后重新上传",
}


def enqueue(
    conn: Connection,
    *,
    key: str,
    case_id: str,
    settlement_id: str,
    person_no: str,
    infno: str,
    revision: int,
    payload: bytes,
    digest: str,
    now: datetime,
    settle_seconds: float = DEFAULT_SETTLE,
) -> OutboxRow:
    """Put a list in the queue once; the same key gives the row that is already there.

    An earlier revision that is still READY is superseded; one that may have left blocks this row
    until it is final. After a restore, lists settled before it start as UNKNOWN: they may have
    been sent in the time that the backup does not know, so the platform is asked first.
    """
    known = by_key(conn, key)
    if known is not None:
        return known
    epoch = _epoch(conn)
    withdraw(conn, settlement_id, now=now)
    made = conn.execute(
        sql.INSERT,
        {
            "key": key,
            "case_id": case_id,
            "settlement_id": settlement_id,
            "person_no": person_no,
            "infno": infno,
            "revision": revision,
            "payload": payload,
            "digest": digest,
            "state": State.READY.value,
            "not_before": now,
            "settle_seconds": settle_seconds,
            "epoch": epoch,
            "waiting_for": _WAITS[State.READY],
            "created_at": now,
            "updated_at": now,
        },
    ).one()
    audit.add(
        conn,
        now,
        ACTOR,
        "outbox.enqueued",
        f"outbox:{made.id}",
        detail={"case": case_id, "revision": revision, "digest": digest},
    )
    conn.execute(sql.QUEUE_CASE, {"case": case_id, "now": now})
    if _may_have_been_sent(conn, case_id):
        return apply(
            conn, made.id, Event.RESTORED, now=now, epoch=epoch, waiting_for="恢复后先向平台核实"
        )
    return row_of(made)


def withdraw(conn: Connection, settlement_id: str, *, now: datetime) -> int:
    """Take back what is READY of a settlement and has not left; how many rows."""
    epoch = _epoch(conn)
    waiting = conn.execute(sql.EARLIER_READY, {"settlement": settlement_id}).scalars().all()
    for row_id in waiting:
        apply(conn, row_id, Event.REPLACED, now=now, epoch=epoch)
    return len(waiting)


def claim(
    conn: Connection,
    *,
    now: datetime,
    lease_seconds: float,
    epoch: int,
    hospital_code: str,
    settle_seconds: float | None = None,
) -> OutboxRow | None:
    """Take the next due row for sending, or None. Commit before the first byte leaves.

    Oldest first; a settlement whose earlier row is still open is passed over. The row gets a new
    message number, the lease and the settle time (default: twice the lease).
    Raises StaleOwner when `epoch` is no longer the owner's.
    """
    if _epoch(conn) != epoch:
        raise StaleOwner
    candidate = conn.execute(sql.CANDIDATE, {"now": now}).scalar()
    if candidate is None:
        return None
    taken = conn.execute(
        sql.CLAIM,
        {
            "row": candidate,
            "owner_epoch": epoch,
            "until": now + timedelta(seconds=lease_seconds),
            "settle": 2 * lease_seconds if settle_seconds is None else settle_seconds,
            "message": next_msgid(conn, hospital_code, now),
            "now": now,
        },
    ).first()
    if taken is None:
        raise StaleOwner
    row = row_of(taken)
    audit.add(
        conn,
        now,
        ACTOR,
        "outbox.claimed",
        f"outbox:{row.id}",
        detail={"attempt": row.attempts, "msgid": row.msgid},
    )
    return row


def apply(
    conn: Connection,
    row_id: int,
    event: Event,
    *,
    now: datetime,
    epoch: int,
    not_before: datetime | None = None,
    waiting_for: str = "",
    last_error: str = "",
    list_no: str = "",
    actor: str = ACTOR,
    reason: str = "",
) -> OutboxRow:
    """Move one row by an event and return it as it is now.

    A row that would be READY again is superseded when its list was put away or changed since.
    `not_before` defaults to now + settle for UNKNOWN, to now otherwise. Raises StaleOwner for an
    old epoch, ValueError for a transition that the table does not have, for an answer to an
    attempt of an earlier owner, and for a second "not found" without a first or before the settle
    time is over.
    """
    row = get(conn, row_id)
    target = next_state(row.state, event)
    if event is Event.CLAIMED:
        raise ValueError("a row is claimed by claim(): attempt, lease and number go with it")
    _check_query(row, event, now)
    if not_before is None:
        settle = timedelta(seconds=row.settle_seconds)
        not_before = now + settle if target is State.UNKNOWN else now
    if event is Event.RETRIED_BY_PERSON:
        not_before = now
    stays_unknown = row.state is State.UNKNOWN and target is State.UNKNOWN
    restart = event is Event.RESTORED or not stays_unknown
    found = 0 if restart else row.not_found + (event is Event.NOT_FOUND_FIRST)
    since = now if restart else row.unknown_since
    keep_error = not last_error and target is not State.ACCEPTED
    changed = conn.execute(
        sql.MOVE,
        {
            "row": row_id,
            "was": row.state.value,
            "owner_epoch": epoch,
            "new_state": target.value,
            "new_not_before": not_before,
            "new_lease_until": None,
            "new_epoch": epoch,
            "new_not_found": found,
            "new_waiting_for": waiting_for or _WAITS.get(target, ""),
            "new_last_error": row.last_error if keep_error else last_error,
            "new_list_no": list_no or row.list_no,
            "new_unknown_since": since if target is State.UNKNOWN else None,
            "new_updated_at": now,
        },
    ).first()
    if changed is None:
        raise StaleOwner
    audit.add(
        conn,
        now,
        actor,
        f"outbox.{event.value}",
        f"outbox:{row_id}",
        reason,
        {"from": row.state.value, "to": target.value, "attempt": row.attempts},
    )
    if target in (State.ACCEPTED, State.REJECTED):
        conn.execute(
            sql.TELL_CASE,
            {
                "case": row.case_id,
                "settlement": row.settlement_id,
                "row": row_id,
                "of_revision": row.revision,
                "new_state": target.value,
                "now": now,
            },
        )
    if target is State.READY and _is_past(conn, row):
        return apply(conn, row_id, Event.REPLACED, now=now, epoch=epoch)
    return row_of(changed)


def expire_leases(conn: Connection, *, now: datetime, epoch: int) -> int:
    """SENDING rows whose lease is over, or that an earlier owner left, become UNKNOWN; how many."""
    due = select(table.c.id).where(
        table.c.state == State.SENDING.value,
        or_(table.c.lease_until <= now, table.c.epoch < epoch),
    )
    return _all_unknown(conn, due, Event.LEASE_EXPIRED, now, epoch)


def orphans_to_unknown(conn: Connection, *, now: datetime, epoch: int) -> int:
    """At start: what an earlier owner was sending becomes UNKNOWN at once; how many rows."""
    due = select(table.c.id).where(table.c.state == State.SENDING.value, table.c.epoch < epoch)
    return _all_unknown(conn, due, Event.LEASE_EXPIRED, now, epoch)


def restored(conn: Connection, *, now: datetime, epoch: int) -> int:
    """After a restore: every row that is not final becomes UNKNOWN; how many."""
    due = select(table.c.id).where(table.c.state.not_in(FINAL_WORDS))
    return _all_unknown(conn, due, Event.RESTORED, now, epoch)


def retry_by_person(
    conn: Connection, row_id: int, *, actor: str, reason: str, now: datetime, epoch: int
) -> OutboxRow:
    """A person sends a HELD or CONFLICT row back: the platform is asked, then it goes on.

    Raises ConfigError when there is no such row, it does not wait for a person, or no reason is
    given.
    """
    row = find(conn, row_id)
    if row is None:
        raise ConfigError(f"队列里没有第 {row_id} 号；用 dipgate queue list 查看")
    if row.state not in (State.HELD, State.CONFLICT):
        raise ConfigError(
            f"第 {row_id} 号的状态是 {STATE_WORDS[row.state]}，不需要人工重试；"
            "只有“待人工处理”和“内容冲突”可以重试"
        )
    if not reason.strip():
        raise ConfigError("人工重试要写明理由", path="--reason")
    return apply(
        conn,
        row_id,
        Event.RETRIED_BY_PERSON,
        now=now,
        epoch=epoch,
        actor=actor,
        reason=reason.strip(),
    )


def _check_query(row: OutboxRow, event: Event, now: datetime) -> None:
    if event not in (Event.NOT_FOUND_FIRST, Event.NOT_FOUND_AGAIN):
        return
    if now < row.not_before:
        raise ValueError("a query before the settle time is over proves nothing")
    if (event is Event.NOT_FOUND_AGAIN) != (row.not_found > 0):
        raise ValueError(f"{event} with {row.not_found} earlier queries that found nothing")


def _all_unknown(
    conn: Connection, due: Select[Any], event: Event, now: datetime, epoch: int
) -> int:
    done = 0
    ids = conn.execute(due.order_by(table.c.id)).scalars().all()
    for row_id in ids:
        apply(conn, row_id, event, now=now, epoch=epoch)
        done += 1
    return done


def _may_have_been_sent(conn: Connection, case_id: str) -> bool:
    moment = conn.execute(sql.RESTORED_AT).scalar()
    if moment is None:
        return False
    settled = conn.execute(sql.SETTLED_ON, {"case": case_id}).scalar()
    return settled is None or settled <= moment.astimezone(CHINA).date()


def _is_past(conn: Connection, row: OutboxRow) -> bool:
    about = {"case": row.case_id, "of_revision": row.revision}
    return conn.execute(sql.IS_PAST, about).first() is not None


def _epoch(conn: Connection) -> int:
    found = conn.execute(sql.EPOCH).scalar()
    return 0 if found is None else int(found)

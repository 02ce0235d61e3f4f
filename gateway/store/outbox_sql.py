"""The outbox's statements, built once: building them costs more than running them."""

from __future__ import annotations

from sqlalchemy import bindparam, exists, func, insert, or_, select, update

from dipgate.core.exchange import State
from dipgate.store.outbox_rows import FINAL_WORDS, blocked
from dipgate.store.tables import cases, identity, lease
from dipgate.store.tables import outbox as table

PUT_AWAY = ("set_aside", "retired")
"""Case states whose list is never sent and never counted."""
OWNED = select(lease.c.epoch).scalar_subquery() == bindparam("owner_epoch")
EPOCH = select(lease.c.epoch)
EARLIER_READY = select(table.c.id).where(
    table.c.settlement_id == bindparam("settlement"), table.c.state == State.READY.value
)
INSERT = insert(table).returning(table)
CANDIDATE = (
    select(table.c.id)
    .where(
        table.c.state == State.READY.value,
        table.c.not_before <= bindparam("now"),
        ~blocked(),
    )
    .order_by(table.c.not_before, table.c.id)
    .limit(1)
)
CLAIM = (
    update(table)
    .where(table.c.id == bindparam("row"), table.c.state == State.READY.value, OWNED)
    .values(
        state=State.SENDING.value,
        lease_until=bindparam("until"),
        settle_seconds=bindparam("settle"),
        epoch=bindparam("owner_epoch"),
        attempts=table.c.attempts + 1,
        msgid=bindparam("message"),
        waiting_for="等待平台答复",
        first_claimed_at=func.coalesce(table.c.first_claimed_at, bindparam("now")),
        updated_at=bindparam("now"),
    )
    .returning(table)
)
MOVED = (
    "state",
    "not_before",
    "lease_until",
    "epoch",
    "not_found",
    "waiting_for",
    "last_error",
    "list_no",
    "unknown_since",
    "updated_at",
)
MOVE = (
    update(table)
    .where(table.c.id == bindparam("row"), table.c.state == bindparam("was"), OWNED)
    .values({name: bindparam(f"new_{name}") for name in MOVED})
    .returning(table)
)
_later = table.alias("later")
TELL_CASE = (
    update(cases)
    .where(
        cases.c.id == bindparam("case"),
        cases.c.revision == bindparam("of_revision"),
        cases.c.state.not_in(PUT_AWAY),
        ~exists(
            select(_later.c.id).where(
                _later.c.settlement_id == bindparam("settlement"),
                _later.c.id > bindparam("row"),
                _later.c.state.not_in(FINAL_WORDS),
            )
        ),
    )
    .values(state=bindparam("new_state"), updated_at=bindparam("now"))
)
IS_PAST = select(cases.c.id).where(
    cases.c.id == bindparam("case"),
    or_(cases.c.revision > bindparam("of_revision"), cases.c.state.in_(PUT_AWAY)),
)
"""Its list is put away, or the case has a later one: what has not left must not leave."""
QUEUE_CASE = (
    update(cases)
    .where(cases.c.id == bindparam("case"))
    .values(state="queued", updated_at=bindparam("now"))
)
RESTORED_AT = select(identity.c.restored_at)
SETTLED_ON = select(cases.c.settled_on).where(cases.c.id == bindparam("case"))

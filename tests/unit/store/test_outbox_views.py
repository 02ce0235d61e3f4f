"""The queue as a person looks through it: every row is of one kind, pages leave none out."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.exchange import Event
from dipgate.store import Store, outbox, outbox_views
from dipgate.store.outbox_views import KINDS, Cursor, Texts

Enqueue = Callable[..., outbox.OutboxRow]
Claim = Callable[[], outbox.OutboxRow | None]


@pytest.fixture
def every_kind(store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim) -> Store:
    """One row of every kind, and a second ready one that its first version blocks."""

    def sent(name: str, *events: Event, error: str = "", revision: int = 1) -> None:
        row = enqueue(name, revision=revision)
        taken = claim()
        assert taken is not None
        assert taken.id == row.id
        for event in events:
            store.write(
                lambda conn, event=event: outbox.apply(
                    conn, row.id, event, now=clock.now(), epoch=store.epoch, last_error=error
                )
            )

    sent("ACCEPTED", Event.RECEIPT_OK)
    sent("REPLACED", Event.RECEIPT_REFUSED, error="一版的话")
    sent("REPLACED", Event.RECEIPT_OK, revision=2)
    sent("UNKNOWN", Event.NO_ANSWER, error="平台 60.0 秒没有应答，结果未知")
    sent("REJECTED", Event.RECEIPT_REFUSED, error="科别不在字典")
    sent("CONFLICT", Event.REFUSED_AS_DUPLICATE, error="已提交")
    sent("HELD", Event.NOT_TAKEN, Event.POISONED, error="连不上平台（X），没有发出任何内容")
    sent("SENDING")
    sent("RETRY", Event.NOT_TAKEN, error="平台没有受理（HTTP 429）：限流")
    enqueue("READY")
    enqueue("UNKNOWN", revision=2)
    return store


def kinds_of(store: Store, **wanted: object) -> list[tuple[str, str]]:
    with store.read() as conn:
        found = outbox_views.page_of(conn, KINDS, **wanted)  # type: ignore[arg-type]
    return [(item.kind, item.row.settlement_id) for item in found]


def test_every_row_is_of_one_kind_and_the_urgent_come_first(every_kind: Store) -> None:
    assert kinds_of(every_kind) == [
        ("unknown", "UNKNOWN"),
        ("rejected", "REJECTED"),
        ("conflict", "CONFLICT"),
        ("held", "HELD"),
        ("retry", "RETRY"),
        ("sending", "SENDING"),
        ("ready", "UNKNOWN"),
        ("ready", "READY"),
        ("accepted", "REPLACED"),
        ("accepted", "ACCEPTED"),
        ("past", "REPLACED"),
    ]
    with every_kind.read() as conn:
        numbers = outbox_views.counts(conn)
        single = [outbox_views.find(conn, row.id) for row in outbox.list_rows(conn)]
    assert sum(numbers.values()) == 11
    assert set(numbers) == set(KINDS)
    assert {item.kind for item in single if item} == set(KINDS)


def test_a_refused_version_is_past_as_soon_as_a_later_one_exists(every_kind: Store) -> None:
    with every_kind.read() as conn:
        rejected = outbox_views.page_of(conn, ("rejected",))
    assert [item.row.settlement_id for item in rejected] == ["REJECTED"]


def test_a_version_whose_earlier_one_is_open_is_blocked(every_kind: Store) -> None:
    with every_kind.read() as conn:
        ready = outbox_views.page_of(conn, ("ready",))
    assert {item.row.settlement_id: item.blocked for item in ready} == {
        "UNKNOWN": True,
        "READY": False,
    }


@pytest.mark.parametrize("size", [1, 2, 3, 5, 100])
def test_pages_leave_nothing_out_and_show_nothing_twice(every_kind: Store, size: int) -> None:
    seen: list[int] = []
    after: Cursor | None = None
    while True:
        with every_kind.read() as conn:
            page = outbox_views.page_of(conn, KINDS, after=after, limit=size)
        if not page:
            break
        seen += [item.row.id for item in page]
        after = Cursor(page[-1].kind, page[-1].row.id)
    assert sorted(seen) == list(range(1, 12))


def test_by_what_was_stored_and_by_what_was_not(every_kind: Store) -> None:
    held = Texts(("连不上平台%",))
    assert kinds_of(every_kind, texts=held) == [("held", "HELD")]
    ours = ("连不上平台%", "平台 %", "平台没有受理%", "等待%")
    told = Texts(ours, negated=True)
    assert [kind for kind, _ in kinds_of(every_kind, texts=told)] == [
        "rejected",
        "conflict",
        "past",
    ]


def test_a_percent_sign_looked_for_is_a_percent_sign(every_kind: Store) -> None:
    assert kinds_of(every_kind, texts=Texts(("\\%",))) == []


def test_by_age(every_kind: Store, clock: FixedClock, enqueue: Enqueue) -> None:
    clock.advance(3600)
    enqueue("LATER")
    hour_ago = clock.now() - timedelta(minutes=30)
    found = kinds_of(every_kind, before=hour_ago)
    assert ("ready", "LATER") not in found
    assert len(found) == 11


def test_there_is_no_such_row(store: Store) -> None:
    with store.read() as conn:
        assert outbox_views.find(conn, 1) is None
        assert outbox_views.page_of(conn, ()) == ()

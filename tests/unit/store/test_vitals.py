"""What the store tells about itself, for the health page."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.exchange import Event, State
from dipgate.core.record import RawRow, Rejected
from dipgate.store import Store, audit, backup, inbox, note_backup, outbox, unmapped, vitals
from dipgate.store.backup_card import read_card

Row = Callable[..., RawRow]


def test_an_empty_store_has_nothing_to_tell(store: Store) -> None:
    with store.read() as conn:
        assert vitals.sources(conn) == ()
        assert vitals.waiting_stays(conn) == (0, None)
        assert vitals.unmapped_codes(conn) == (0, 0)
        assert vitals.link(conn) == vitals.LinkVitals()
        assert {item.state for item in vitals.outbox_states(conn)} == set(State)
        assert all(item.rows == 0 for item in vitals.outbox_states(conn))
        assert vitals.last_act(conn, "outbox.receipt_ok") is None
        assert vitals.last_moment(conn) is not None


def test_sources_with_stays_reads_and_rejects(store: Store, row: Row, clock: FixedClock) -> None:
    rows = [row("settlement", "S1", 2), row("settlement", "S2", 3), row("charge", "S2", 4)]
    bad = [Rejected("settlement", "f.csv", 5, "setl_id", "空", "补上", "a" * 64)]
    began = clock.now()
    store.write(lambda conn: inbox.commit_read(conn, "his", rows, bad, "m1", began))
    clock.advance(60)
    store.write(
        lambda conn: inbox.commit_read(
            conn, "his", [row("settlement", "S3", 9)], [], "m2", clock.now()
        )
    )
    store.write(lambda conn: inbox.mark_mapped(conn, "his", "S1", clock.now()))
    with store.read() as conn:
        (his,) = vitals.sources(conn)
        assert (his.source, his.stays, his.last_read, his.last_change) == (
            "his",
            3,
            clock.now(),
            clock.now(),
        )
        assert (his.rejected, his.rejected_at) == (1, began)
        assert vitals.waiting_stays(conn) == (2, began)


def test_unmapped_codes_and_the_lists_they_keep(store: Store, clock: FixedClock) -> None:
    def note(conn) -> None:  # type: ignore[no-untyped-def]
        unmapped.note(conn, "icd10", "X1", "某", "S1", clock.now())
        unmapped.note(conn, "icd10", "X1", "某", "S2", clock.now())
        unmapped.note(conn, "icd9cm3", "X1", "某", "S2", clock.now())
        unmapped.note(conn, "staff", "YS1", "", "S3", clock.now())

    store.write(note)
    with store.read() as conn:
        assert vitals.unmapped_codes(conn) == (2, 2)


def test_ages_and_retries_of_the_queue(
    store: Store,
    clock: FixedClock,
    enqueue: Callable[..., outbox.OutboxRow],
    claim: Callable[[], outbox.OutboxRow | None],
) -> None:
    began = clock.now()
    for number in range(3):
        enqueue(f"S{number}")
    for event in (Event.NO_ANSWER, Event.NOT_TAKEN):
        clock.advance(10)
        taken = claim()
        assert taken is not None
        row_id = taken.id
        store.write(
            lambda conn, row_id=row_id, event=event: outbox.apply(
                conn, row_id, event, now=clock.now(), epoch=store.epoch, last_error="超时"
            )
        )
    with store.read() as conn:
        states = {item.state: item for item in vitals.outbox_states(conn)}
        found = vitals.reasons(conn, (State.UNKNOWN, State.READY))
    assert states[State.UNKNOWN].rows == 1
    assert states[State.UNKNOWN].oldest == began + timedelta(seconds=10)
    assert (states[State.READY].rows, states[State.READY].retried) == (2, 1)
    assert states[State.READY].oldest == began
    assert {(item.state, item.reason, item.rows) for item in found} == {
        (State.UNKNOWN, "超时", 1),
        (State.READY, "超时", 1),
        (State.READY, "等待上传", 1),
    }


@pytest.mark.parametrize(
    ("outcomes", "failures"),
    [
        (["answered"], 0),
        (["answered", "RetryLater: 连不上", "OutcomeUnknown: 超时"], 2),
        (["RetryLater: 连不上", "Refused: 出院科别不对"], 0),
        (["RetryLater: 连不上"] * 60, 50),
    ],
)
def test_the_link_is_as_good_as_its_last_exchanges(
    store: Store, clock: FixedClock, outcomes: list[str], failures: int
) -> None:
    def log(conn, infno: str, outcome: str) -> None:  # type: ignore[no-untyped-def]
        outbox.add_exchange(
            conn,
            outbox_id=None,
            infno=infno,
            msgid="m",
            request_hash="a",
            answer_hash="b",
            http_status=200,
            outcome=outcome,
            at=clock.now(),
            millis=420,
        )

    signed = clock.now()
    store.write(lambda conn: log(conn, "9001", "answered"))
    for outcome in outcomes:
        clock.advance(1)
        store.write(lambda conn, outcome=outcome: log(conn, "4101A", outcome))
    with store.read() as conn:
        link = vitals.link(conn)
    assert link.failures == failures
    assert (link.last_at, link.last_millis, link.last_infno) == (clock.now(), 420, "4101A")
    assert link.signed_in_at == signed


def test_when_an_act_was_done_last(store: Store, clock: FixedClock) -> None:
    store.write(lambda conn: audit.add(conn, clock.now(), "x", "result.pulled", "month:1"))
    first = clock.now()
    clock.advance(5)
    store.write(lambda conn: audit.add(conn, clock.now(), "x", "reconciliation.made", "month:1"))
    with store.read() as conn:
        assert vitals.last_act(conn, "result.pulled") == first
        assert vitals.last_act(conn, "result.pulled", "reconciliation.made") == clock.now()
        assert vitals.last_moment(conn) == clock.now()


def test_a_backup_leaves_its_card_even_while_the_store_is_open(
    store: Store, clock: FixedClock, tmp_path: Path
) -> None:
    assert read_card(store.state) is None
    report = backup(store, tmp_path / "b.sqlite")
    note_backup(store.state, clock, actor="root", report=report)
    card = read_card(store.state)
    assert card is not None
    assert (card.at, card.size) == (clock.now(), report.size)
    (store.state / "backups" / "last-backup.json").write_text("{", encoding="utf-8")
    assert read_card(store.state) is None

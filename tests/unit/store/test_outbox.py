"""The outbox: every state with every event, claiming, order, stale owners, restores."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, timedelta

import pytest
from sqlalchemy import update

from dipgate.core.clock import CHINA, FixedClock
from dipgate.core.errors import ConfigError
from dipgate.core.exchange import FINAL, NEXT, Event, State
from dipgate.core.lists import SettlementList
from dipgate.store import StaleOwner, Store, audit, cases, outbox
from dipgate.store.outbox import OutboxRow
from dipgate.store.tables import identity, lease
from dipgate.store.tables import outbox as table

Enqueue = Callable[..., OutboxRow]
Claim = Callable[[], OutboxRow | None]
NOON = datetime(2025, 6, 16, 12, tzinfo=CHINA)


def _put_in(store: Store, row_id: int, state: State, not_found: int = 0) -> None:
    store.write(
        lambda conn: conn.execute(
            update(table)
            .where(table.c.id == row_id)
            .values(
                state=state.value,
                not_found=not_found,
                settle_seconds=10.0,
                unknown_since=NOON if state is State.UNKNOWN else None,
            )
        )
    )


def _apply(
    store: Store, clock: FixedClock, row: OutboxRow, event: Event, **more: object
) -> OutboxRow:
    return store.write(
        lambda conn: outbox.apply(
            conn,
            row.id,
            event,
            now=clock.now(),
            epoch=store.epoch,
            **more,  # type: ignore[arg-type]
        )
    )


def _get(store: Store, row_id: int) -> OutboxRow:
    with store.read() as conn:
        return outbox.get(conn, row_id)


@pytest.mark.parametrize("start", State)
def test_every_state_with_every_event(
    store: Store, clock: FixedClock, enqueue: Enqueue, start: State
) -> None:
    for event in Event:
        row = enqueue(f"S-{event.value}")
        _put_in(store, row.id, start, not_found=int(event is Event.NOT_FOUND_AGAIN))
        clock.advance(100)
        _try(store, clock, row, start, event)


def _try(store: Store, clock: FixedClock, row: OutboxRow, start: State, event: Event) -> None:
    if (start, event) not in NEXT or event is Event.CLAIMED:
        known = r"claim\(\)" if (start, event) in NEXT else "no transition"
        with pytest.raises(ValueError, match=known):
            _apply(store, clock, row, event)
        assert _get(store, row.id).state is start
        return
    moved = _apply(store, clock, row, event)
    assert moved.state is NEXT[(start, event)]
    assert moved == _get(store, row.id)
    assert moved.lease_until is None
    waits = moved.state is State.UNKNOWN and event is not Event.RETRIED_BY_PERSON
    assert moved.not_before == clock.now() + timedelta(seconds=10 if waits else 0)
    assert (moved.unknown_since is not None) == (moved.state is State.UNKNOWN)
    assert moved.waiting_for or moved.state in FINAL
    with store.read() as conn:
        last = audit.rows(conn, object=f"outbox:{row.id}")[-1]
    assert last.act == f"outbox.{event.value}"
    assert last.detail == {"from": start.value, "to": moved.state.value, "attempt": 0}


def test_every_event_is_a_registered_act() -> None:
    assert {f"outbox.{event.value}" for event in Event} <= set(audit.ACTS)


def test_every_state_has_a_word_for_users() -> None:
    assert set(outbox.STATE_WORDS) == set(State)


def test_the_same_key_gives_the_row_that_is_there(
    store: Store, enqueue: Enqueue, clock: FixedClock
) -> None:
    first = enqueue("S1")
    clock.advance(60)
    assert enqueue("S1") == first
    with store.read() as conn:
        assert outbox.counts(conn)[State.READY] == 1


def test_a_claim_takes_the_oldest_and_leaves_a_lease(
    store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim
) -> None:
    enqueue("S1")
    clock.advance(1)
    enqueue("S2")
    first = claim()
    assert first is not None
    assert (first.settlement_id, first.state, first.attempts) == ("S1", State.SENDING, 1)
    assert first.epoch == store.epoch
    assert first.lease_until == clock.now() + timedelta(seconds=30)
    assert first.msgid.startswith("H99010000001")
    assert len(first.msgid) == 30
    assert first.first_claimed_at == clock.now()
    second = claim()
    assert second is not None
    assert second.settlement_id == "S2"
    assert second.msgid != first.msgid
    assert claim() is None


def test_a_row_is_not_claimed_before_its_time(
    store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim
) -> None:
    enqueue("S1")
    row = claim()
    assert row is not None
    later = clock.now() + timedelta(seconds=8)
    _apply(store, clock, row, Event.NOT_TAKEN, not_before=later, last_error="503")
    with store.read() as conn:
        assert outbox.next_due(conn) == later
    clock.advance(7.9)
    assert claim() is None
    clock.advance(0.2)
    again = claim()
    assert again is not None
    assert (again.attempts, again.last_error) == (2, "503")
    assert again.first_claimed_at == row.first_claimed_at


def test_a_ready_revision_gives_way_to_a_later_one(
    store: Store, enqueue: Enqueue, claim: Claim
) -> None:
    first = enqueue("S1", revision=1)
    second = enqueue("S1", revision=2)
    assert _get(store, first.id).state is State.SUPERSEDED
    taken = claim()
    assert taken is not None
    assert taken.id == second.id
    assert claim() is None


@pytest.mark.parametrize("still", sorted(set(State) - FINAL - {State.READY}))
def test_an_open_revision_blocks_the_later_one_and_nobody_else(
    store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim, still: State
) -> None:
    first = enqueue("S1", revision=1)
    _put_in(store, first.id, still)
    second = enqueue("S1", revision=2)
    clock.advance(1)
    other = enqueue("S2")
    assert _get(store, first.id).state is still
    taken = claim()
    assert taken is not None
    assert taken.id == other.id
    assert claim() is None
    _put_in(store, first.id, State.REJECTED)
    freed = claim()
    assert freed is not None
    assert freed.id == second.id


def test_the_case_follows_the_answer(
    store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim
) -> None:
    def put(settlement: str) -> str:
        lst = SettlementList({"setl_id": settlement})
        return store.write(
            lambda conn: (
                cases.put_case(
                    conn,
                    lst=lst,
                    origins=(),
                    source="his",
                    stay_key="K",
                    person_no="P1",
                    settled_on=date(2025, 3, 1),
                    department="A",
                    doctor="D",
                    fee_fen=1,
                    now=clock.now(),
                ).id
            )
        )

    def state_of(case_id: str) -> str:
        with store.read() as conn:
            case = cases.get_case(conn, case_id)
        assert case is not None
        return case.state

    good, bad = put("S1"), put("S2")
    enqueue("S1", case_id=good)
    enqueue("S2", case_id=bad)
    assert (state_of(good), state_of(bad)) == ("queued", "queued")
    one, two = claim(), claim()
    assert one is not None
    assert two is not None
    _apply(store, clock, one, Event.RECEIPT_OK, list_no="L1")
    _apply(store, clock, two, Event.RECEIPT_REFUSED, last_error="主诊断为空")
    assert (state_of(good), state_of(bad)) == ("accepted", "rejected")
    assert _get(store, one.id).list_no == "L1"
    assert _get(store, two.id).last_error == "主诊断为空"


def test_the_case_stays_queued_while_a_later_revision_waits(
    store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim
) -> None:
    case_id = store.write(
        lambda conn: (
            cases.put_case(
                conn,
                lst=SettlementList({"setl_id": "S1"}),
                origins=(),
                source="his",
                stay_key="K",
                person_no="P1",
                settled_on=None,
                department="",
                doctor="",
                fee_fen=None,
                now=clock.now(),
            ).id
        )
    )
    enqueue("S1", revision=1, case_id=case_id)
    one = claim()
    assert one is not None
    enqueue("S1", revision=2, case_id=case_id)
    _apply(store, clock, one, Event.RECEIPT_OK)
    with store.read() as conn:
        case = cases.get_case(conn, case_id)
    assert case is not None
    assert case.state == "queued"


def _unknown(store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim) -> OutboxRow:
    enqueue("S1")
    row = claim()
    assert row is not None
    return _apply(store, clock, row, Event.NO_ANSWER, last_error="超时")


def test_unknown_rows_come_up_after_the_settle_time(
    store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim
) -> None:
    row = _unknown(store, clock, enqueue, claim)
    assert row.unknown_since == clock.now()

    def due() -> tuple[OutboxRow, ...]:
        with store.read() as conn:
            return outbox.due_unknown(conn, now=clock.now(), limit=5)

    clock.advance(9.9)
    assert due() == ()
    clock.advance(0.1)
    assert [each.id for each in due()] == [row.id]
    assert claim() is None


def test_only_two_queries_after_settling_make_it_ready_again(
    store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim
) -> None:
    row = _unknown(store, clock, enqueue, claim)
    with pytest.raises(ValueError, match="proves nothing"):
        _apply(store, clock, row, Event.NOT_FOUND_FIRST)
    clock.advance(10)
    with pytest.raises(ValueError, match="earlier queries"):
        _apply(store, clock, row, Event.NOT_FOUND_AGAIN)
    first = _apply(store, clock, row, Event.NOT_FOUND_FIRST)
    assert (first.state, first.not_found) == (State.UNKNOWN, 1)
    assert first.unknown_since == row.unknown_since
    with pytest.raises(ValueError, match="proves nothing"):
        _apply(store, clock, row, Event.NOT_FOUND_AGAIN)
    clock.advance(10)
    with pytest.raises(ValueError, match="earlier queries"):
        _apply(store, clock, row, Event.NOT_FOUND_FIRST)
    unanswered = _apply(store, clock, row, Event.QUERY_UNANSWERED)
    assert unanswered.not_found == 1
    clock.advance(10)
    again = _apply(store, clock, row, Event.NOT_FOUND_AGAIN)
    assert (again.state, again.not_found, again.unknown_since) == (State.READY, 0, None)
    assert claim() is not None


def test_expired_leases_become_unknown(
    store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim
) -> None:
    enqueue("S1")
    row = claim()
    assert row is not None

    def expire() -> int:
        return store.write(
            lambda conn: outbox.expire_leases(conn, now=clock.now(), epoch=store.epoch)
        )

    clock.advance(29)
    assert expire() == 0
    clock.advance(1)
    assert expire() == 1
    found = _get(store, row.id)
    assert found.state is State.UNKNOWN
    assert found.not_before == clock.now() + timedelta(seconds=10)


def test_a_new_owner_turns_what_was_being_sent_into_unknown(
    store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim
) -> None:
    from dipgate.store import open_store

    enqueue("S1")
    row = claim()
    assert row is not None
    store.close()
    with open_store(store.state, clock, owner="second") as second:
        found = _get(second, row.id)
        assert found.state is State.UNKNOWN
        assert found.not_before == clock.now() + timedelta(seconds=10)
        with pytest.raises(StaleOwner):
            second.write(
                lambda conn: outbox.apply(
                    conn, row.id, Event.PLATFORM_HAS_IT, now=clock.now(), epoch=row.epoch
                )
            )


def test_a_stale_epoch_claims_and_changes_nothing(
    store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim
) -> None:
    """The statements themselves hold the epoch, whoever runs them."""
    enqueue("S1")
    sent = claim()
    assert sent is not None
    enqueue("S2")
    engine = store._writer._engine if store._writer is not None else None
    assert engine is not None
    store.close()
    with engine.connect() as conn:
        with conn.begin():
            conn.execute(update(lease).values(epoch=9))
        with pytest.raises(StaleOwner), conn.begin():
            outbox.apply(conn, sent.id, Event.RECEIPT_OK, now=clock.now(), epoch=store.epoch)
        with pytest.raises(StaleOwner), conn.begin():
            outbox.claim(
                conn,
                now=clock.now(),
                lease_seconds=1,
                epoch=store.epoch,
                hospital_code="H99010000001",
            )
        states = [row.state for row in outbox.list_rows(conn)]
    assert states == [State.SENDING, State.READY]


def test_a_person_sends_back_what_waits_for_a_person(
    store: Store, clock: FixedClock, enqueue: Enqueue
) -> None:
    row = enqueue("S1")

    def retry(number: int, reason: str = "平台已恢复") -> OutboxRow:
        return store.write(
            lambda conn: outbox.retry_by_person(
                conn, number, actor="王工", reason=reason, now=clock.now(), epoch=store.epoch
            )
        )

    with pytest.raises(ConfigError, match="待上传"):
        retry(row.id)
    with pytest.raises(ConfigError, match="没有第 99 号"):
        retry(99)
    _put_in(store, row.id, State.HELD, not_found=1)
    with pytest.raises(ConfigError, match="理由"):
        retry(row.id, "  ")
    again = retry(row.id)
    assert (again.state, again.not_found, again.not_before) == (State.UNKNOWN, 0, clock.now())
    with store.read() as conn:
        last = audit.rows(conn, act="outbox.retried_by_person")[-1]
    assert (last.actor, last.reason) == ("王工", "平台已恢复")


def test_after_a_restore_lists_settled_before_it_are_asked_about_first(
    store: Store, clock: FixedClock, enqueue: Enqueue, claim: Claim
) -> None:
    def case(settlement: str, day: date) -> str:
        return store.write(
            lambda conn: (
                cases.put_case(
                    conn,
                    lst=SettlementList({"setl_id": settlement}),
                    origins=(),
                    source="his",
                    stay_key=settlement,
                    person_no="P",
                    settled_on=day,
                    department="",
                    doctor="",
                    fee_fen=0,
                    now=clock.now(),
                ).id
            )
        )

    before, after = case("S1", date(2025, 6, 1)), case("S2", date(2025, 6, 20))
    store.write(lambda conn: conn.execute(update(identity).values(restored_at=clock.now())))
    old = enqueue("S1", case_id=before)
    assert old.state is State.UNKNOWN
    assert enqueue("S2", case_id=after).state is State.READY
    assert enqueue("S3").state is State.UNKNOWN
    taken = claim()
    assert taken is not None
    assert taken.settlement_id == "S2"
    assert claim() is None


def test_lists_and_counts(store: Store, enqueue: Enqueue, claim: Claim, clock: FixedClock) -> None:
    rows = [enqueue(f"S{number}") for number in range(5)]
    claim()
    with store.read() as conn:
        assert outbox.counts(conn)[State.READY] == 4
        assert outbox.counts(conn)[State.SENDING] == 1
        assert [row.id for row in outbox.list_rows(conn, after=rows[1].id, limit=2)] == [
            rows[2].id,
            rows[3].id,
        ]
        assert [row.id for row in outbox.list_rows(conn, states=[State.SENDING])] == [rows[0].id]
        assert outbox.by_settlement(conn, "S3") == (rows[3],)
        assert outbox.by_key(conn, "S3/1") == rows[3]
        assert outbox.find(conn, 999) is None
        with pytest.raises(KeyError):
            outbox.get(conn, 999)
        assert outbox.next_due(conn) == clock.now()


def test_the_exchange_log_keeps_every_request(
    store: Store, enqueue: Enqueue, clock: FixedClock
) -> None:
    row = enqueue("S1")

    def log(number: int, status: int | None) -> int:
        return store.write(
            lambda conn: outbox.add_exchange(
                conn,
                outbox_id=row.id,
                infno="4101A",
                msgid=f"m{number}",
                request_hash="a" * 64,
                answer_hash="",
                http_status=status,
                outcome="timeout" if status is None else "receipt",
                at=clock.now(),
                millis=12,
            )
        )

    log(1, None)
    log(2, 200)
    with store.read() as conn:
        seen = outbox.exchanges(conn, row.id)
        assert outbox.exchanges(conn, 77) == ()
    assert [(each.msgid, each.http_status, each.outcome) for each in seen] == [
        ("m1", None, "timeout"),
        ("m2", 200, "receipt"),
    ]

"""The outbox runner against the state table: every outcome, wait and limit, in still time."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import platform_kit as kit
import pytest

from dipgate.config.dialects import Dialect, load_dialect
from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, OutcomeUnknown, Refused, RetryLater
from dipgate.core.exchange import State
from dipgate.store import StaleOwner, Store, open_store, outbox
from dipgate.store.outbox import OutboxRow
from dipgate.sync.breaker import Breaker
from dipgate.sync.client import Exchange, Receipt
from dipgate.sync.sender import Sender, require_live

NATIONAL = load_dialect("national")
SETTLE = NATIONAL.settle_seconds
Answer = Receipt | Exception | dict[str, Any] | None


class Platform:
    """Plays a client: answers from lists; what is not listed succeeds."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.signed_in = False
        self.sign_ins: list[Exception | None] = []
        self.uploads: list[Answer] = []
        self.queries: list[Answer] = []
        self.did: list[str] = []
        self.on_exchange: Callable[[Exchange], None] = lambda _exchange: None

    def ensure_session(self) -> None:
        if not self.signed_in:
            self.sign_in()

    def sign_in(self) -> None:
        self.did.append("sign_in")
        error = self.sign_ins.pop(0) if self.sign_ins else None
        if error is not None:
            raise error
        self.signed_in = True

    def upload(
        self,
        payload: bytes,
        msgid: str,
        *,
        settlement_id: str,
        insured_place: str,  # noqa: ARG002
    ) -> Receipt:
        self.did.append(f"upload {settlement_id}")
        self._tell("4101A", msgid, payload)
        answer = self.uploads.pop(0) if self.uploads else Receipt(f"L{settlement_id}", "R1")
        if isinstance(answer, Exception):
            raise answer
        assert isinstance(answer, Receipt)
        return answer

    def query(self, person_no: str, settlement_id: str) -> dict[str, Any] | None:  # noqa: ARG002
        self.did.append(f"query {settlement_id}")
        self._tell("4103", "query", b"{}")
        answer = self.queries.pop(0)
        if isinstance(answer, Exception):
            raise answer
        assert not isinstance(answer, Receipt)
        return answer

    def list_no_of(self, held: dict[str, Any]) -> str:
        return str(held["setlinfo"]["setl_list_sn"])

    def _tell(self, infno: str, msgid: str, request: bytes) -> None:
        self.on_exchange(
            Exchange(infno, msgid, request, b"answer", 200, "answered", self.clock.now(), 5)
        )


@pytest.fixture
def store(tmp_path: Path, clock: FixedClock) -> Iterator[Store]:
    opened = open_store(tmp_path / "state", clock, owner="test", hospital_code=kit.HOSPITAL.code)
    with opened as made:
        yield made


@pytest.fixture
def platform(clock: FixedClock) -> Platform:
    return Platform(clock)


def sender_of(store: Store, platform: Platform, dialect: Dialect = NATIONAL) -> Sender:
    return Sender(
        store,
        platform,  # type: ignore[arg-type]
        dialect,
        platform.clock,
        rng=random.Random(7),  # noqa: S311
    )


def row_of(store: Store, number: int = 1) -> OutboxRow:
    with store.read() as conn:
        return outbox.get(conn, number)


def held(row: OutboxRow, **changes: object) -> dict[str, Any]:
    info = json.loads(row.payload)["setlinfo"] | {"setl_list_sn": "L9"} | changes
    return {**json.loads(row.payload), "setlinfo": info}


def test_accepted_with_its_list_number_and_its_exchange(store: Store, platform: Platform) -> None:
    kit.enqueue(store, kit.make_list())
    sender = sender_of(store, platform)
    assert sender.run_once() == 1
    assert sender.run_once() == 0
    row = row_of(store)
    assert (row.state, row.list_no, row.attempts) == (State.ACCEPTED, "LS00000001", 1)
    with store.read() as conn:
        (logged,) = outbox.exchanges(conn, row.id)
    assert logged.msgid == row.msgid
    assert store.raw(logged.request_hash) == row.payload
    assert store.raw(logged.answer_hash) == b"answer"


def test_refused_keeps_the_platforms_words(store: Store, platform: Platform) -> None:
    kit.enqueue(store, kit.make_list())
    platform.uploads = [Refused("短", code="-1", text="ORA-00001: 原文\n第二行")]
    sender_of(store, platform).run_once()
    row = row_of(store)
    assert (row.state, row.last_error) == (State.REJECTED, "ORA-00001: 原文\n第二行")


def test_not_taken_waits_with_growing_jitter(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    kit.enqueue(store, kit.make_list())
    dialect = NATIONAL.model_copy(update={"max_tries": 50, "poison_minutes": 1e6})
    sender = sender_of(store, platform, dialect)
    for attempt in range(1, 15):
        platform.uploads = [RetryLater("限流")]
        sender._breaker.succeeded()
        assert sender.run_once() == 1
        row = row_of(store)
        assert (row.state, row.attempts) == (State.READY, attempt)
        pause = (row.not_before - clock.now()).total_seconds()
        assert 0 <= pause <= min(600, 2 * 2 ** (attempt - 1))
        clock.advance(pause)


def test_unknown_is_asked_about_only_after_settling_then_found(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    row = kit.enqueue(store, kit.make_list())
    platform.uploads = [OutcomeUnknown("超时")]
    sender = sender_of(store, platform)
    sender.run_once()
    assert row_of(store).state is State.UNKNOWN
    clock.advance(SETTLE - 1)
    assert sender.run_once() == 0
    clock.advance(1)
    platform.queries = [held(row)]
    assert sender.run_once() == 1
    found = row_of(store)
    assert (found.state, found.list_no, found.attempts) == (State.ACCEPTED, "L9", 1)


def test_sent_again_only_after_two_settled_queries_found_nothing(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    kit.enqueue(store, kit.make_list())
    platform.uploads = [OutcomeUnknown("超时")]
    platform.queries = [None, None]
    sender = sender_of(store, platform)
    sender.run_once()
    clock.advance(SETTLE)
    sender.run_once()
    assert row_of(store).state is State.UNKNOWN
    clock.advance(SETTLE - 1)
    assert sender.run_once() == 0
    clock.advance(1)
    sender.run_once()
    assert row_of(store).state is State.READY
    clock.advance(600)
    sender.run_once()
    assert row_of(store).state is State.ACCEPTED
    assert platform.did[1:] == ["upload S00000001", *["query S00000001"] * 2, "upload S00000001"]


def test_another_list_at_the_platform_is_for_a_person(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    row = kit.enqueue(store, kit.make_list())
    platform.uploads = [OutcomeUnknown("超时")]
    platform.queries = [held(row, bill_no="别的票")]
    sender = sender_of(store, platform)
    sender.run_once()
    clock.advance(SETTLE)
    sender.run_once()
    found = row_of(store)
    assert found.state is State.CONFLICT
    assert "setlinfo.bill_no" in found.last_error
    assert "别的票" not in found.last_error
    clock.advance(1e6)
    assert sender.run_once() == 0


@pytest.mark.parametrize("error", [RetryLater("x"), OutcomeUnknown("x"), Refused("x")])
def test_an_unanswered_query_changes_nothing_but_the_wait(
    store: Store, platform: Platform, clock: FixedClock, error: Exception
) -> None:
    kit.enqueue(store, kit.make_list())
    platform.uploads = [OutcomeUnknown("超时")]
    platform.queries = [error]
    sender = sender_of(store, platform)
    sender.run_once()
    clock.advance(SETTLE)
    sender.run_once()
    row = row_of(store)
    assert (row.state, row.not_found) == (State.UNKNOWN, 0)
    assert row.waiting_for == "平台没有答复查询，稍后再问"


def test_after_a_day_without_an_answer_a_person_decides(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    kit.enqueue(store, kit.make_list())
    platform.uploads = [OutcomeUnknown("超时")]
    sender = sender_of(store, platform)
    sender.run_once()
    clock.advance(24 * 3600 - 60)
    platform.queries = [OutcomeUnknown("超时")]
    sender.run_once()
    assert row_of(store).state is State.UNKNOWN
    clock.advance(3600)
    platform.queries = [OutcomeUnknown("超时")]
    sender.run_once()
    assert row_of(store).state is State.HELD


def test_without_a_query_a_person_decides(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    kit.enqueue(store, kit.make_list())
    platform.uploads = [OutcomeUnknown("超时")]
    sender = sender_of(store, platform, NATIONAL.model_copy(update={"has_query": False}))
    sender.run_once()
    clock.advance(SETTLE)
    sender.run_once()
    assert row_of(store).state is State.HELD
    assert "query S00000001" not in platform.did


DUPLICATE = Refused("已提交", code="-1", text="该结算清单已提交，不可重复上传")


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ("same", State.ACCEPTED),
        ("other", State.CONFLICT),
        (None, State.CONFLICT),
        (OutcomeUnknown("超时"), State.UNKNOWN),
        (RetryLater("限流"), State.UNKNOWN),
    ],
)
def test_refused_as_duplicate_is_settled_by_asking(
    store: Store, platform: Platform, answer: object, state: State
) -> None:
    row = kit.enqueue(store, kit.make_list())
    platform.uploads = [DUPLICATE]
    known: dict[object, Answer] = {"same": held(row), "other": held(row, bill_no="9")}
    platform.queries = [known.get(answer, answer) if isinstance(answer, str) else answer]  # type: ignore[list-item]
    sender_of(store, platform).run_once()
    assert row_of(store).state is state


def test_poison_steps_aside_after_its_tries(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    kit.enqueue(store, kit.make_list(1))
    sender = sender_of(store, platform, NATIONAL.model_copy(update={"poison_minutes": 1e6}))
    for _ in range(NATIONAL.max_tries):
        platform.uploads = [RetryLater("限流")]
        sender._breaker.succeeded()
        sender.run_once()
        clock.advance(600)
    row = row_of(store)
    assert (row.state, row.attempts) == (State.HELD, NATIONAL.max_tries)
    assert "人工" in row.waiting_for
    kit.enqueue(store, kit.make_list(2))
    sender.run_once()
    assert row_of(store, 2).state is State.ACCEPTED


def test_poison_by_time_needs_a_second_try(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    kit.enqueue(store, kit.make_list())
    sender = sender_of(store, platform)
    platform.uploads = [RetryLater("限流"), RetryLater("限流")]
    sender.run_once()
    clock.advance(NATIONAL.poison_minutes * 60 + 1)
    assert row_of(store).state is State.READY
    sender.run_once()
    assert row_of(store).state is State.HELD


def test_a_bad_case_never_holds_up_another(store: Store, platform: Platform) -> None:
    for number in (1, 2, 3):
        kit.enqueue(store, kit.make_list(number))
    platform.uploads = [OutcomeUnknown("超时")]
    sender = sender_of(store, platform)
    for _ in range(3):
        sender.run_once()
    assert kit.states(store) == {"unknown": 1, "accepted": 2}


def test_a_later_revision_waits_for_the_open_one(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    first = kit.enqueue(store, kit.make_list())
    platform.uploads = [OutcomeUnknown("超时")]
    sender = sender_of(store, platform)
    sender.run_once()
    kit.enqueue(store, kit.make_list(1, dscg_way="2"), revision=2)
    assert sender.run_once() == 0
    clock.advance(SETTLE)
    platform.queries = [held(first)]
    sender.run_once()
    sender.run_once()
    assert kit.states(store) == {"accepted": 2}


def test_a_forgotten_session_costs_no_wait(store: Store, clock: FixedClock) -> None:
    kit.enqueue(store, kit.make_list())

    class Forgetful(Platform):
        def upload(self, payload: bytes, msgid: str, **known: str) -> Receipt:
            if self.uploads:
                self.signed_in = False
            return super().upload(payload, msgid, **known)

    forgetful = Forgetful(clock)
    forgetful.uploads = [RetryLater("请重新签到")]
    sender = sender_of(store, forgetful)
    sender.run_once()
    assert row_of(store).not_before == clock.now()
    assert not sender._breaker.is_open
    sender.run_once()
    assert row_of(store).state is State.ACCEPTED


def test_an_outage_stops_sending_and_one_probe_goes_at_a_time(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    for number in range(1, 9):
        kit.enqueue(store, kit.make_list(number))
    platform.uploads = [RetryLater("连不上")] * 5
    sender = sender_of(store, platform)
    for _ in range(5):
        assert sender.run_once() == 1
    platform.sign_ins = [RetryLater("连不上")]
    platform.did.clear()
    assert sender.run_once() == 0
    assert platform.did == []
    clock.advance(NATIONAL.breaker.probe_seconds)
    assert sender.run_once() == 0
    assert platform.did == ["sign_in"]
    assert sender.run_once() == 0
    clock.advance(NATIONAL.breaker.probe_seconds)
    assert sender.run_once() == 1
    assert platform.did[1:3] == ["sign_in", "upload S00000006"]
    assert {row_of(store, number).attempts for number in range(1, 6)} == {1}


def test_a_failed_sign_in_sends_nothing(store: Store, platform: Platform) -> None:
    kit.enqueue(store, kit.make_list())
    platform.sign_ins = [Refused("操作员不存在")]
    sender = sender_of(store, platform)
    assert sender.run_once() == 0
    assert sender.run_once() == 0
    assert platform.did == ["sign_in"]
    assert row_of(store).attempts == 0
    assert sender.tally.problems == {"Refused": 1}


def test_attempts_per_hour_have_a_ceiling(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    for number in (1, 2, 3):
        kit.enqueue(store, kit.make_list(number))
    sender = sender_of(store, platform, NATIONAL.model_copy(update={"attempts_per_hour": 2}))
    assert [sender.run_once() for _ in range(4)] == [1, 1, 0, 0]
    clock.advance(3600)
    assert sender.run_once() == 1


def test_a_lost_lease_becomes_unknown(store: Store, platform: Platform, clock: FixedClock) -> None:
    kit.enqueue(store, kit.make_list())
    store.write(
        lambda conn: outbox.claim(
            conn,
            now=clock.now(),
            lease_seconds=60,
            epoch=store.epoch,
            hospital_code=kit.HOSPITAL.code,
            settle_seconds=SETTLE,
        )
    )
    sender = sender_of(store, platform)
    sender.run_once()
    assert row_of(store).state is State.SENDING
    clock.advance(NATIONAL.lease_seconds)
    sender.run_once()
    assert row_of(store).state is State.UNKNOWN


def test_drain_waits_exactly_until_the_next_row_is_due(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    row = kit.enqueue(store, kit.make_list(1))
    kit.enqueue(store, kit.make_list(2))
    platform.uploads = [OutcomeUnknown("超时")]
    platform.queries = [held(row)]
    waits: list[float] = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        clock.advance(seconds)

    shown: list[tuple[int, int | None]] = []
    report = sender_of(store, platform).drain(
        lambda: False, wait, progress=lambda done, total: shown.append((done, total))
    )
    assert report.finished
    assert report.states[State.ACCEPTED] == 2
    assert sum(waits) == pytest.approx(SETTLE)
    assert max(waits) <= 30
    assert shown[-1] == (2, 2)
    assert (report.tally.accepted, report.tally.unknown, report.tally.resolved) == (2, 1, 1)


def test_drain_ends_at_its_moment_with_work_left(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    kit.enqueue(store, kit.make_list())
    platform.sign_ins = [RetryLater("连不上")] * 1000
    until = clock.now().replace(hour=13)
    report = sender_of(store, platform).drain(until, clock.advance)
    assert not report.finished
    assert report.states[State.READY] == 1


def test_a_sender_whose_folder_was_taken_stops(store: Store, platform: Platform) -> None:
    kit.enqueue(store, kit.make_list())
    store.epoch -= 1
    with pytest.raises(StaleOwner):
        sender_of(store, platform).run_once()
    assert row_of(store).state is State.READY
    assert "upload S00000001" not in platform.did


def test_only_live_sends() -> None:
    require_live("live")
    for mode in ("observe", "shadow"):
        with pytest.raises(ConfigError, match=mode) as caught:
            require_live(mode)
        assert caught.value.path == "platform.mode"


def test_breaker_counts_failures_in_a_row(clock: FixedClock) -> None:
    breaker = Breaker(3, 30)
    now = clock.now()
    for _ in range(2):
        breaker.failed(now)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(now)
    assert not breaker.is_open
    breaker.failed(now)
    assert breaker.is_open
    assert breaker.seconds_left(now) == 30
    breaker.probed()
    assert breaker.may_probe(now)
    breaker.failed(now)
    assert breaker.is_open


def test_a_dialect_without_a_needed_address_is_refused_before_anything_is_claimed(
    store: Store, platform: Platform
) -> None:
    no_query = NATIONAL.model_copy(update={"shape": "B"})
    with pytest.raises(ConfigError, match="4103"):
        sender_of(store, platform, no_query)
    sender_of(store, platform, no_query.model_copy(update={"has_query": False}))


def test_a_session_forgotten_at_a_query_is_no_failure(store: Store, clock: FixedClock) -> None:
    kit.enqueue(store, kit.make_list())

    class Forgetful(Platform):
        def query(self, person_no: str, settlement_id: str) -> dict[str, Any] | None:
            self.signed_in = False
            return super().query(person_no, settlement_id)

    forgetful = Forgetful(clock)
    forgetful.uploads = [OutcomeUnknown("超时")]
    forgetful.queries = [RetryLater("请重新签到")]
    dialect = NATIONAL.model_copy(
        update={"breaker": NATIONAL.breaker.model_copy(update={"failures": 2})}
    )
    sender = sender_of(store, forgetful, dialect)
    sender.run_once()
    clock.advance(SETTLE)
    sender.run_once()
    assert row_of(store).state is State.UNKNOWN
    assert not sender._breaker.is_open


def test_reasons_are_sentences_with_counts_and_bounded(store: Store, platform: Platform) -> None:
    kit.enqueue(store, kit.make_list())
    platform.sign_ins = [Refused("操作员不存在")]
    sender = sender_of(store, platform)
    sender.run_once()
    assert sender.tally.reasons == {("Refused", "平台拒绝签到：操作员不存在"): 1}
    for number in range(100):
        sender.tally.note(RetryLater(f"第 {number} 种"))
    assert len(sender.tally.reasons) <= 22
    assert sum(sender.tally.reasons.values()) == 101


def test_waiting_for_the_settle_time_is_said_once(
    store: Store, platform: Platform, clock: FixedClock
) -> None:
    for number in (1, 2):
        kit.enqueue(store, kit.make_list(number))
    platform.uploads = [OutcomeUnknown("超时"), OutcomeUnknown("超时")]
    said: list[str] = []
    sender = sender_of(store, platform)
    pauses: list[float] = []

    def wait(seconds: float) -> None:
        pauses.append(seconds)
        clock.advance(seconds)

    sender.drain(lambda: len(pauses) > 2, wait, waiting=said.append)
    assert said == [f"等待 {SETTLE:g} 秒后向平台核实 2 份结果不明的清单"]

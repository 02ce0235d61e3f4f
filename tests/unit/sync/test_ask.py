"""A person asks about one unknown list: the same query and limits, never a second send."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import platform_kit as kit
import pytest

from dipgate.config.dialects import load_dialect
from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, OutcomeUnknown, Refused, RetryLater
from dipgate.core.exchange import Event, State
from dipgate.store import Store, open_store, outbox
from dipgate.store.outbox import OutboxRow
from dipgate.sync.client import Exchange
from dipgate.sync.sender import Sender

NATIONAL = load_dialect("national")


class Asked:
    """A platform that is only ever asked; an upload would be a mistake."""

    def __init__(self, clock: FixedClock, answer: object) -> None:
        self.clock = clock
        self.answer = answer
        self.sign_in_error: Exception | None = None
        self.meanwhile: Callable[[], None] = lambda: None
        self.on_exchange: Callable[[Exchange], None] = lambda _exchange: None
        self.signed_in = True

    def ensure_session(self) -> None:
        if self.sign_in_error is not None:
            raise self.sign_in_error

    def query(self, person_no: str, settlement_id: str) -> Any:  # noqa: ARG002
        self.on_exchange(
            Exchange("4103", "query", b"{}", b"answer", 200, "answered", self.clock.now(), 5)
        )
        self.meanwhile()
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    def list_no_of(self, held: dict[str, Any]) -> str:  # noqa: ARG002
        return "L9"


@pytest.fixture
def store(tmp_path: Path, clock: FixedClock) -> Iterator[Store]:
    opened = open_store(tmp_path / "state", clock, owner="test", hospital_code=kit.HOSPITAL.code)
    with opened as made:
        yield made


@pytest.fixture
def unknown(store: Store, clock: FixedClock) -> OutboxRow:
    """A row that was sent and not answered; its settle time has just begun."""
    kit.enqueue(store, kit.make_list())
    store.write(
        lambda conn: outbox.claim(
            conn,
            now=clock.now(),
            lease_seconds=120,
            epoch=store.epoch,
            hospital_code=kit.HOSPITAL.code,
            settle_seconds=120,
        )
    )
    return store.write(
        lambda conn: outbox.apply(
            conn, 1, Event.NO_ANSWER, now=clock.now(), epoch=store.epoch, last_error="超时"
        )
    )


def sender_of(store: Store, platform: Asked) -> Sender:
    return Sender(
        store,
        platform,  # type: ignore[arg-type]
        NATIONAL,
        platform.clock,
        rng=random.Random(7),  # noqa: S311
    )


def held(row: OutboxRow) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(row.payload)
    return found


def test_the_answer_settles_the_row(store: Store, clock: FixedClock, unknown: OutboxRow) -> None:
    clock.advance(120)
    row = sender_of(store, Asked(clock, held(unknown))).ask(1)
    assert (row.state, row.list_no) == (State.ACCEPTED, "L9")
    with store.read() as conn:
        assert [item.infno for item in outbox.exchanges(conn, 1)] == ["4103"]


def test_nothing_is_asked_before_the_settle_time_is_over(
    store: Store, clock: FixedClock, unknown: OutboxRow
) -> None:
    clock.advance(72)
    with pytest.raises(RetryLater, match="再等 48 秒才能问") as caught:
        sender_of(store, Asked(clock, held(unknown))).ask(1)
    assert caught.value.after == 48
    with store.read() as conn:
        assert outbox.exchanges(conn, 1) == ()


def test_not_found_must_be_found_missing_twice(
    store: Store,
    clock: FixedClock,
    unknown: OutboxRow,  # noqa: ARG001
) -> None:
    sender = sender_of(store, Asked(clock, None))
    clock.advance(120)
    row = sender.ask(1)
    assert (row.state, row.not_found) == (State.UNKNOWN, 1)
    with pytest.raises(RetryLater):
        sender.ask(1)
    clock.advance(120)
    assert sender.ask(1).state is State.READY


@pytest.mark.parametrize("state", [State.READY, State.ACCEPTED])
def test_only_an_unknown_row_is_asked_about(
    store: Store, clock: FixedClock, unknown: OutboxRow, state: State
) -> None:
    if state is State.READY:
        number = kit.enqueue(store, kit.make_list(2)).id
    else:
        clock.advance(120)
        number = sender_of(store, Asked(clock, held(unknown))).ask(1).id
    with pytest.raises(ConfigError, match="已经有结果"):
        sender_of(store, Asked(clock, None)).ask(number)
    with pytest.raises(ConfigError, match="已经有结果"):
        sender_of(store, Asked(clock, None)).ask(999)


@pytest.mark.parametrize("error", [RetryLater("连不上"), Refused("签到被拒")])
def test_without_a_session_nothing_changes(
    store: Store, clock: FixedClock, unknown: OutboxRow, error: Exception
) -> None:
    clock.advance(120)
    platform = Asked(clock, None)
    platform.sign_in_error = error
    with pytest.raises(RetryLater):
        sender_of(store, platform).ask(1)
    with store.read() as conn:
        assert outbox.get(conn, 1) == unknown


@pytest.mark.parametrize("late", ["found", None, OutcomeUnknown("又没有答复")])
def test_two_who_ask_at_once_do_no_harm(
    store: Store, clock: FixedClock, unknown: OutboxRow, late: object
) -> None:
    """The running sender has its answer while ours is still on the way: the first one stands."""
    clock.advance(120)
    other = sender_of(store, Asked(clock, held(unknown)))
    platform = Asked(clock, held(unknown) if late == "found" else late)
    platform.meanwhile = lambda: other.ask(1) and None
    row = sender_of(store, platform).ask(1)
    assert row.state is State.ACCEPTED
    with store.read() as conn:
        assert len(outbox.exchanges(conn, 1)) == 2


def test_two_first_queries_without_a_list_count_once(
    store: Store,
    clock: FixedClock,
    unknown: OutboxRow,  # noqa: ARG001
) -> None:
    clock.advance(120)
    other = sender_of(store, Asked(clock, None))
    platform = Asked(clock, None)
    platform.meanwhile = lambda: other.ask(1) and None
    row = sender_of(store, platform).ask(1)
    assert (row.state, row.not_found) == (State.UNKNOWN, 1)

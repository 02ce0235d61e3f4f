"""Message numbers never repeat and never go back."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError
from dipgate.store import Store, open_store
from dipgate.store.messages import next_msgid

CODE = "H99010000001"


def _take(store: Store, clock: FixedClock, many: int = 1) -> list[str]:
    return store.write(lambda conn: [next_msgid(conn, CODE, clock.now()) for _ in range(many)])


def test_the_number_is_code_china_time_and_sequence(store: Store, clock: FixedClock) -> None:
    assert _take(store, clock, 2) == [
        "H99010000001202506161200000000",
        "H99010000001202506161200000001",
    ]


def test_more_than_ten_thousand_in_a_second_borrow_from_the_next(
    store: Store, clock: FixedClock
) -> None:
    taken = _take(store, clock, 10_003)
    assert len(set(taken)) == len(taken)
    assert taken == sorted(taken)
    assert taken[-1] == "H99010000001202506161200010002"
    clock.advance(5)
    assert _take(store, clock) == ["H99010000001202506161200050000"]


def test_a_clock_that_goes_back_changes_nothing(store: Store, clock: FixedClock) -> None:
    (first,) = _take(store, clock)
    clock.advance(-timedelta(days=400).total_seconds())
    assert _take(store, clock, 3)[-1] > first


def test_a_restart_goes_on(store: Store, clock: FixedClock) -> None:
    (first,) = _take(store, clock)
    store.close()
    with open_store(store.state, clock, owner="again") as again:
        assert _take(again, clock) == [first[:-1] + "1"]


@pytest.mark.parametrize("code", ["", "H9901", "H990100000012", "H9901000000医", "H99010 00001"])
def test_a_code_that_is_not_twelve_characters_is_refused(
    store: Store, clock: FixedClock, code: str
) -> None:
    with pytest.raises(ConfigError, match="12位"):
        store.write(lambda conn: next_msgid(conn, code, clock.now()))

"""Every state and every event: only what the table has; doubt never becomes a resend."""

from __future__ import annotations

from itertools import product

import pytest

from dipgate.core.exchange import FINAL, NEXT, Event, State, next_state


@pytest.mark.parametrize(("state", "event"), list(product(State, Event)))
def test_every_pair(state: State, event: Event) -> None:
    if (state, event) in NEXT:
        assert next_state(state, event) is NEXT[state, event]
    else:
        with pytest.raises(ValueError, match="no transition"):
            next_state(state, event)


def test_final_states_are_left_by_nothing() -> None:
    assert not [pair for pair in NEXT if pair[0] in FINAL]


def test_from_doubt_only_two_not_founds_lead_back_to_sending() -> None:
    """After a byte may have left, nothing but the platform's own word makes a list sendable."""
    ways = {
        event for (state, event), to in NEXT.items() if to is State.READY and state != State.READY
    }
    assert ways == {Event.NOT_FOUND_AGAIN, Event.NOT_TAKEN}
    assert next_state(State.SENDING, Event.LEASE_EXPIRED) is State.UNKNOWN
    assert next_state(State.SENDING, Event.NO_ANSWER) is State.UNKNOWN


def test_a_restore_puts_every_open_row_in_doubt() -> None:
    for state in State:
        if state not in FINAL:
            assert next_state(state, Event.RESTORED) is State.UNKNOWN


def test_every_event_occurs_and_every_state_is_reached() -> None:
    assert {event for _, event in NEXT} == set(Event)
    assert set(NEXT.values()) | {State.READY} == set(State)

"""States of a list on its way to the platform, as a transition table.

Source: security-and-faults.md section 4. A crash while sending leads to UNKNOWN, never to
REJECTED or READY; only the platform's own answer, twice "not found" after settling, does.
"""

from __future__ import annotations

from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    READY = "ready"
    SENDING = "sending"
    UNKNOWN = "unknown"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CONFLICT = "conflict"
    """The platform holds something else than we sent: a person decides."""
    HELD = "held"
    """Quarantined after too many tries, or no query in this dialect: a person decides."""
    SUPERSEDED = "superseded"
    """A later revision of the same list took its place before it was sent."""


FINAL = frozenset({State.ACCEPTED, State.REJECTED, State.SUPERSEDED})
"""States a restore leaves alone; every other row becomes UNKNOWN."""


class Event(StrEnum):
    CLAIMED = "claimed"
    RECEIPT_OK = "receipt_ok"
    RECEIPT_REFUSED = "receipt_refused"
    REFUSED_AS_DUPLICATE = "refused_as_duplicate"
    NOT_TAKEN = "not_taken"
    """Connection refused, TLS refused, or an answer the dialect lists as not taken."""
    NO_ANSWER = "no_answer"
    """Time-out, cut, other 5xx, garbage."""
    LEASE_EXPIRED = "lease_expired"
    RESTORED = "restored"
    PLATFORM_HAS_IT = "platform_has_it"
    PLATFORM_HAS_ANOTHER = "platform_has_another"
    NOT_FOUND_FIRST = "not_found_first"
    NOT_FOUND_AGAIN = "not_found_again"
    QUERY_UNANSWERED = "query_unanswered"
    NO_QUERY = "no_query"
    TOO_OLD = "too_old"
    POISONED = "poisoned"
    RETRIED_BY_PERSON = "retried_by_person"
    """A person asks again for the platform's answer: the row is queried before anything is sent."""
    REPLACED = "replaced"


_S, _E = State, Event
NEXT: MappingProxyType[tuple[State, Event], State] = MappingProxyType(
    {
        (_S.READY, _E.CLAIMED): _S.SENDING,
        (_S.READY, _E.POISONED): _S.HELD,
        (_S.READY, _E.REPLACED): _S.SUPERSEDED,
        (_S.READY, _E.RESTORED): _S.UNKNOWN,
        (_S.SENDING, _E.RECEIPT_OK): _S.ACCEPTED,
        (_S.SENDING, _E.RECEIPT_REFUSED): _S.REJECTED,
        (_S.SENDING, _E.REFUSED_AS_DUPLICATE): _S.CONFLICT,
        (_S.SENDING, _E.NOT_TAKEN): _S.READY,
        (_S.SENDING, _E.NO_ANSWER): _S.UNKNOWN,
        (_S.SENDING, _E.LEASE_EXPIRED): _S.UNKNOWN,
        (_S.SENDING, _E.RESTORED): _S.UNKNOWN,
        (_S.UNKNOWN, _E.PLATFORM_HAS_IT): _S.ACCEPTED,
        (_S.UNKNOWN, _E.PLATFORM_HAS_ANOTHER): _S.CONFLICT,
        (_S.UNKNOWN, _E.NOT_FOUND_FIRST): _S.UNKNOWN,
        (_S.UNKNOWN, _E.NOT_FOUND_AGAIN): _S.READY,
        (_S.UNKNOWN, _E.QUERY_UNANSWERED): _S.UNKNOWN,
        (_S.UNKNOWN, _E.NO_QUERY): _S.HELD,
        (_S.UNKNOWN, _E.TOO_OLD): _S.HELD,
        (_S.UNKNOWN, _E.RESTORED): _S.UNKNOWN,
        (_S.HELD, _E.RETRIED_BY_PERSON): _S.UNKNOWN,
        (_S.HELD, _E.RESTORED): _S.UNKNOWN,
        (_S.CONFLICT, _E.RETRIED_BY_PERSON): _S.UNKNOWN,
        (_S.CONFLICT, _E.RESTORED): _S.UNKNOWN,
    }
)


def next_state(state: State, event: Event) -> State:
    """The state after an event. Raises ValueError for a transition that the table does not have."""
    try:
        return NEXT[(state, event)]
    except KeyError:
        raise ValueError(f"no transition from {state} on {event}") from None

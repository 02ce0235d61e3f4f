"""Whatever is lost, late, killed or restored: one effect per list at the platform.

A model platform keeps the truth: it takes every upload it gets (no key, no duplicate check), may
finish late, and answers queries. The machine drives the real outbox as a sender would.
"""

from __future__ import annotations

import atexit
import shutil
import tempfile
from collections import Counter
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from dipgate.core.clock import CHINA, FixedClock
from dipgate.core.exchange import FINAL, Event, State
from dipgate.store import Store, backup, open_store, outbox, restore
from dipgate.store.outbox import OutboxRow

HOSPITAL = "H99010000001"
SETTLE = 10.0
LEASE = 30.0
NOON = datetime(2025, 6, 16, 12, tzinfo=CHINA)
SETTLEMENTS = st.sampled_from(["S1", "S2", "S3"])
OUTCOMES = st.sampled_from(
    ["receipt", "refused", "not_taken", "lost", "lost_after_effect", "late", "late"]
)


@cache
def _fresh_database() -> Path:
    """A new database, migrated once; removed at the end of the run."""
    folder = Path(tempfile.mkdtemp(prefix="dipgate-fresh-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    open_store(folder, FixedClock(NOON), owner="m", hospital_code=HOSPITAL).close()
    return folder / "dipgate.sqlite"


class Platform:
    """Takes what it gets; an effect may come up to the settle time after the sender gave up."""

    def __init__(self) -> None:
        self.effects: Counter[str] = Counter()
        self.holds: dict[str, str] = {}
        self._late: list[tuple[datetime, str, str]] = []

    def take(self, settlement: str, key: str) -> None:
        self.effects[key] += 1
        self.holds[settlement] = key

    def take_later(self, settlement: str, key: str, at: datetime) -> None:
        self._late.append((at, settlement, key))

    def pass_time(self, now: datetime) -> None:
        for item in sorted(self._late):
            if item[0] <= now:
                self.take(item[1], item[2])
                self._late.remove(item)


class OutboxMachine(RuleBasedStateMachine):
    """A careful sender, an unreliable world, a nervous administrator."""

    careful = True
    """False: a time-out is taken for "not taken", as a plain retry does."""
    settle = SETTLE

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dipgate-outbox-"))
        self.state = self.folder / "state"
        self.state.mkdir()
        shutil.copy(_fresh_database(), self.state / "dipgate.sqlite")
        self.clock = FixedClock(NOON)
        self.platform = Platform()
        self.store: Store = open_store(self.state, self.clock, owner="m", hospital_code=HOSPITAL)
        self.copies = 0
        self.msgids: set[str] = set()
        self.final: dict[str, tuple[int, State]] = {}
        for settlement in ("S1", "S2"):
            self.enqueue(settlement, False)

    def teardown(self) -> None:
        if hasattr(self, "store"):
            self.store.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    @rule(settlement=SETTLEMENTS, again=st.booleans())
    def enqueue(self, settlement: str, again: bool) -> None:
        with self.store.read() as conn:
            known = outbox.by_settlement(conn, settlement)
        newest = max((row.revision for row in known), default=0)
        revision = newest if again and newest else newest + 1
        row = self.store.write(
            lambda conn: outbox.enqueue(
                conn,
                key=f"{settlement}/{revision}",
                case_id="none",
                settlement_id=settlement,
                person_no="P",
                infno="4101A",
                revision=revision,
                payload=b"{}",
                digest=f"{revision}",
                now=self.clock.now(),
                settle_seconds=SETTLE,
            )
        )
        assert row.revision == revision

    @rule(outcome=OUTCOMES, late=st.floats(0, SETTLE))
    def send(self, outcome: str, late: float) -> None:
        row = self._claim()
        if row is None:
            return
        if outcome in ("receipt", "lost_after_effect"):
            self.platform.take(row.settlement_id, row.key)
        if outcome == "late":
            moment = self.clock.now() + timedelta(seconds=late)
            self.platform.take_later(row.settlement_id, row.key, moment)
        event = {
            "receipt": Event.RECEIPT_OK,
            "refused": Event.RECEIPT_REFUSED,
            "not_taken": Event.NOT_TAKEN,
        }.get(outcome, Event.NO_ANSWER if self.careful else Event.NOT_TAKEN)
        self._apply(row, event)

    @rule(effect=st.sampled_from(["none", "now", "late"]), late=st.floats(0, SETTLE))
    def killed_while_sending(self, effect: str, late: float) -> None:
        row = self._claim()
        if row is not None and effect == "now":
            self.platform.take(row.settlement_id, row.key)
        if row is not None and effect == "late":
            moment = self.clock.now() + timedelta(seconds=late)
            self.platform.take_later(row.settlement_id, row.key, moment)
        self._reopen()

    @rule(
        seconds=st.sampled_from([0, 9.9, 10, 10, 35]), answered=st.sampled_from([True, True, False])
    )
    def time_passes_and_the_platform_is_asked(self, seconds: float, answered: bool) -> None:
        self.clock.advance(seconds)
        self.platform.pass_time(self.clock.now())
        with self.store.read() as conn:
            due = outbox.due_unknown(conn, now=self.clock.now(), limit=10)
        for row in due:
            held = self.platform.holds.get(row.settlement_id)
            if not answered:
                event = Event.QUERY_UNANSWERED
            elif held is None:
                event = Event.NOT_FOUND_AGAIN if row.not_found else Event.NOT_FOUND_FIRST
            else:
                same = held == row.key
                event = Event.PLATFORM_HAS_IT if same else Event.PLATFORM_HAS_ANOTHER
            self._apply(row, event)

    @rule(what=st.sampled_from(["sweep", "retry", "poison", "back up", "put back", "put back"]))
    def the_house_acts(self, what: str) -> None:
        if what == "back up":
            self.copies += 1
            backup(self.store, self.folder / f"{self.copies}.sqlite")
        elif what == "put back" and self.copies:
            self.store.close()
            restore(self.folder / f"{self.copies}.sqlite", self.state, self.clock)
            self.final.clear()
            self.store = open_store(self.state, self.clock, owner="m", hospital_code=HOSPITAL)
        elif what == "sweep":
            self.store.write(
                lambda conn: outbox.expire_leases(
                    conn, now=self.clock.now(), epoch=self.store.epoch
                )
            )
        elif what == "retry":
            for row in self._some(State.HELD, State.CONFLICT):
                self._apply(row, Event.RETRIED_BY_PERSON)
        elif what == "poison":
            for row in self._some(State.READY):
                self._apply(row, Event.POISONED)

    @invariant()
    def no_list_has_two_effects(self) -> None:
        if hasattr(self, "platform"):
            doubled = {key: n for key, n in self.platform.effects.items() if n > 1}
            assert not doubled, doubled

    @invariant()
    def states_keep_their_promises(self) -> None:
        if not hasattr(self, "store"):
            return
        with self.store.read() as conn:
            rows = outbox.list_rows(conn)
        sending = Counter(row.settlement_id for row in rows if row.state is State.SENDING)
        assert all(number == 1 for number in sending.values())
        for row in rows:
            if row.key in self.final:
                assert self.final[row.key] == (row.id, row.state)
            if row.state in FINAL:
                self.final[row.key] = (row.id, row.state)
            if row.state is State.ACCEPTED:
                assert self.platform.effects[row.key] == 1
            if row.state not in FINAL:
                assert row.waiting_for

    def _claim(self) -> OutboxRow | None:
        row = self.store.write(
            lambda conn: outbox.claim(
                conn,
                now=self.clock.now(),
                lease_seconds=LEASE,
                epoch=self.store.epoch,
                hospital_code=HOSPITAL,
                settle_seconds=self.settle,
            )
        )
        if row is not None:
            assert row.msgid not in self.msgids
            self.msgids.add(row.msgid)
        return row

    def _apply(self, row: OutboxRow, event: Event) -> None:
        self.store.write(
            lambda conn: outbox.apply(
                conn, row.id, event, now=self.clock.now(), epoch=self.store.epoch
            )
        )

    def _some(self, *states: State) -> tuple[OutboxRow, ...]:
        with self.store.read() as conn:
            return outbox.list_rows(conn, states=states, limit=1)

    def _reopen(self) -> None:
        self.store.close()
        self.store = open_store(self.state, self.clock, owner="m", hospital_code=HOSPITAL)


QUICK = settings(
    max_examples=15,
    stateful_step_count=25,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


def test_one_effect_per_list_whatever_happens() -> None:
    run_state_machine_as_test(OutboxMachine, settings=QUICK)


class PlainRetry(OutboxMachine):
    """The canary: what timed out is simply sent again."""

    careful = False


class NoSettling(OutboxMachine):
    """The canary: the platform is asked at once, while it may still finish."""

    settle = 0.0


@pytest.mark.parametrize(
    ("machine", "doubled"), [(OutboxMachine, False), (PlainRetry, True), (NoSettling, True)]
)
def test_a_late_effect_doubles_for_a_careless_sender_only(
    machine: type[OutboxMachine], doubled: bool
) -> None:
    """The same steps with and without the protections; the same check judges them."""
    world = machine()
    try:
        world.start()
        world.send("late", 9.0)
        for seconds in (0, 0):
            world.time_passes_and_the_platform_is_asked(seconds, True)
        for _ in range(2):
            world.send("receipt", 0.0)
        for seconds in (9.9, 10, 10):
            world.time_passes_and_the_platform_is_asked(seconds, True)
        if doubled:
            with pytest.raises(AssertionError):
                world.no_list_has_two_effects()
        else:
            world.no_list_has_two_effects()
            world.states_keep_their_promises()
            assert world.platform.effects == {"S1/1": 1, "S2/1": 1}
    finally:
        world.teardown()

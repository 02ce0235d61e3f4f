"""Bills come, change, are cancelled and settled anew while lists are sent: whatever the order,
nothing is lost, nothing has two effects, and what is cancelled or out of date is never sent."""

from __future__ import annotations

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import date
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

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.clock import FixedClock
from dipgate.core.errors import RecordError
from dipgate.core.exchange import Event, State
from dipgate.core.record import RawRow
from dipgate.core.reference import Hospital as OwnHospital
from dipgate.core.worklist import Grade
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate
from dipgate.pipeline import bill_life, edits
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.exchange_stage import queue_ready
from dipgate.pipeline.intake import StoreSink, read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.service.wiring import open_desk
from dipgate.store import cases, inbox, outbox, outbox_sql, worklist_rows

HOSPITAL = "H99010000001"
SETL_ID = '"setl_id" = "结算ID"\n'
STAYS = st.integers(0, 1)
OPEN = (State.SENDING, State.UNKNOWN)


class LifeMachine(RuleBasedStateMachine):
    """Two stays of one source, a sender, a platform that keeps the truth."""

    base: Path
    clock_of: Callable[[], FixedClock]

    @initialize()
    def start(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="dipgate-life-"))
        self.state = self.folder / "state"
        shutil.copytree(self.base, self.state)
        self.clock = self.clock_of()
        self.desk = self._open()
        (self.spec,) = self.desk.site.source_specs()
        self.effects: Counter[str] = Counter()
        self.holds: dict[str, str] = {}
        self.bills: list[dict[str, RawRow]] = []
        self.cancelled: set[str] = set()
        with self.desk.store.read() as conn:
            for case in cases.cases_in(conn):
                rows = inbox.stay_rows(conn, case.source, case.stay_key)
                self.bills.append({case.settlement_id: rows["settlement"][-1]})
        self.turn = 0

    def teardown(self) -> None:
        if hasattr(self, "desk"):
            self.desk.store.close()
            shutil.rmtree(self.folder, ignore_errors=True)

    @rule(stay=STAYS)
    def the_source_corrects(self, stay: int) -> None:
        sid = list(self.bills[stay])[-1]
        self._write(stay, sid, 业务流水号=f"B{self.turn}")

    @rule(stay=STAYS)
    def the_bill_is_cancelled(self, stay: int) -> None:
        sid = list(self.bills[stay])[-1]
        self.cancelled.add(sid)
        self._write(stay, sid, 退费标志="1")

    @rule(stay=STAYS)
    def the_cancellation_was_a_mistake(self, stay: int) -> None:
        sid = list(self.bills[stay])[-1]
        self.cancelled.discard(sid)
        self._write(stay, sid, 退费标志="0")

    @rule(stay=STAYS)
    def settled_anew(self, stay: int) -> None:
        old = list(self.bills[stay])[-1]
        self.cancelled.add(old)
        self._write(stay, old, take_in=False, 退费标志="1")
        new = f"{old.partition('-')[0]}-{self.turn}"
        self.bills[stay][new] = self.bills[stay][old]
        self._write(stay, new, 结算ID=new, 退费标志="0", 业务流水号=f"N{self.turn}")

    @rule()
    def released_and_queued(self) -> None:
        with self.desk.store.read() as conn:
            checked = [case.settlement_id for case in cases.cases_in(conn, states=("checked",))]
        for settlement_id in checked:
            edits.release(self.desk, settlement_id, author="测试员")
        queue_ready(self.desk)

    @rule(outcome=st.sampled_from(["receipt", "refused", "not taken", "lost", "lost after"]))
    def sent(self, outcome: str) -> None:
        self.clock.advance(1)
        row = self.desk.store.write(
            lambda conn: outbox.claim(
                conn,
                now=self.clock.now(),
                lease_seconds=30,
                epoch=self.desk.store.epoch,
                hospital_code=HOSPITAL,
            )
        )
        if row is None:
            return
        with self.desk.store.read() as conn:
            case = cases.case_by_settlement(conn, row.settlement_id)
        assert case is not None
        assert case.state == "queued", "never what was retired, changed or not released"
        assert case.revision == row.revision
        if outcome in ("receipt", "lost after"):
            self.effects[row.key] += 1
            self.holds[row.settlement_id] = row.key
        event = {
            "receipt": Event.RECEIPT_OK,
            "refused": Event.RECEIPT_REFUSED,
            "not taken": Event.NOT_TAKEN,
        }.get(outcome, Event.NO_ANSWER)
        self._apply(row, event)

    @rule()
    def the_platform_is_asked(self) -> None:
        self.clock.advance(100)
        with self.desk.store.read() as conn:
            due = outbox.due_unknown(conn, now=self.clock.now(), limit=10)
        for row in due:
            held = self.holds.get(row.settlement_id)
            if held is None:
                event = Event.NOT_FOUND_AGAIN if row.not_found else Event.NOT_FOUND_FIRST
            else:
                same = held == row.key
                event = Event.PLATFORM_HAS_IT if same else Event.PLATFORM_HAS_ANOTHER
            self._apply(row, event)

    @rule()
    def a_person_takes_down_what_is_left(self) -> None:
        with self.desk.store.read() as conn:
            retired = cases.cases_in(conn, states=("retired",))
        for case in retired:
            try:
                bill_life.clear(self.desk, case.settlement_id, reason="已撤回", author="医保办")
            except RecordError:
                continue
            self.holds.pop(case.settlement_id, None)

    @rule()
    def the_process_dies(self) -> None:
        self.desk.store.close()
        self.desk = self._open()

    @invariant()
    def nothing_has_two_effects(self) -> None:
        if hasattr(self, "effects"):
            assert not [key for key, number in self.effects.items() if number > 1]

    @invariant()
    def nothing_is_lost_and_nothing_cancelled_lives(self) -> None:
        if not hasattr(self, "turn"):
            return
        with self.desk.store.read() as conn:
            for bills in self.bills:
                for settlement_id in bills:
                    case = cases.case_by_settlement(conn, settlement_id)
                    assert case is not None
                    gone = case.state in outbox_sql.PUT_AWAY
                    assert gone == (settlement_id in self.cancelled)
                    rows = outbox.by_settlement(conn, settlement_id)
                    assert sum(row.state in OPEN for row in rows) <= 1
                    if gone:
                        assert State.READY not in [row.state for row in rows]
                        self._somebody_is_told(worklist_rows.find(conn, case.id), settlement_id)

    def _somebody_is_told(self, shown: worklist_rows.WorkRow | None, settlement_id: str) -> None:
        """What the platform holds of a cancelled settlement is never called done with."""
        assert shown is not None
        assert shown.pay_fen is None
        if settlement_id in self.holds:
            assert shown.grade in (Grade.STOP, Grade.WAIT)

    def _write(self, stay: int, sid: str, *, take_in: bool = True, **changed: str) -> None:
        self.turn += 1
        row = self.bills[stay][sid]
        values = {**row.values, **changed}
        self.bills[stay][sid] = replace(row, values=values, raw_hash=f"{self.turn:064d}")
        sink = StoreSink(self.desk.store, self.spec)
        with self.desk.store.read() as conn:
            mark = inbox.watermark(conn, self.spec.name) or ""
        sink.commit([self.bills[stay][sid]], [], mark)
        if take_in:
            map_new_stays(self.desk)
            judge_new_cases(self.desk)

    def _open(self) -> Desk:
        self.held = open_desk(self.state, self.state / "site.toml", clock=self.clock)
        return self.held.__enter__()

    def _apply(self, row: outbox.OutboxRow, event: Event) -> None:
        now, epoch = self.clock.now(), self.desk.store.epoch
        self.desk.store.write(lambda conn: outbox.apply(conn, row.id, event, now=now, epoch=epoch))


QUICK = settings(
    max_examples=8,
    stateful_step_count=14,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)


@pytest.fixture
def machine(sample_state: Path, tmp_path: Path, clock: FixedClock) -> type[LifeMachine]:
    """Two stays, read, mapped and judged; every run begins with a copy."""
    own = OwnHospital(HOSPITAL, "示例市第一人民医院", "3", "990100")
    day = date(2025, 3, 1)
    reference = References(sample_state, own).on(day)
    library = load_library(sample_state, "sample", day=day)
    made = generate(reference, library, seed=3, month=day, size=2, defect_share=0.0)
    write_csv(made, tmp_path / "export")
    source = site_sources(csv_source(tmp_path / "export"))
    assert SETL_ID in source
    source = source.replace(SETL_ID, SETL_ID + 'refd_setl_flag = "退费标志"\n')
    site = sample_state / "site.toml"
    site.write_text(site.read_text(encoding="utf-8") + "\n" + source, encoding="utf-8")
    for file in (tmp_path / "export").iterdir():
        if file.name.startswith("settlement"):
            head, *lines = file.read_bytes().decode("gb18030").split("\r\n")
            written = [head + ",退费标志", *(f"{line},0" for line in lines if line)]
            file.write_bytes("\r\n".join(written).encode("gb18030"))
    with open_desk(sample_state, site, clock=clock) as desk:
        read_sources(desk)
        map_new_stays(desk)
        judge_new_cases(desk)
        noon = clock.now()

    class Prepared(LifeMachine):
        base = sample_state
        clock_of = staticmethod(lambda: FixedClock(noon))

    return Prepared


def test_whatever_the_order_each_bill_has_one_list_or_none(machine: type[LifeMachine]) -> None:
    run_state_machine_as_test(machine, settings=QUICK)


def test_a_retired_list_that_could_be_sent_would_be_seen(
    machine: type[LifeMachine], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The canary: without the guard a cancelled list goes out again after "not found"."""
    monkeypatch.setattr(outbox, "_is_past", lambda _conn, _row: False)
    world = machine()
    try:
        world.start()
        world.released_and_queued()
        world.sent("lost")
        world.the_bill_is_cancelled(0)
        world.the_bill_is_cancelled(1)
        world.the_platform_is_asked()
        world.the_platform_is_asked()
        with pytest.raises(AssertionError):
            world.nothing_is_lost_and_nothing_cancelled_lives()
    finally:
        world.teardown()

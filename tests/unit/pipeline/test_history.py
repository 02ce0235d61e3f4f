"""Past months: judged as live work judges, never released or sent, each bill on one side only."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import pytest
from sqlalchemy.exc import IntegrityError

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, DipgateError
from dipgate.core.reference import Hospital as OwnHospital
from dipgate.demo.export import site_sources, sqlite_source, write_sqlite
from dipgate.demo.hospital import generate
from dipgate.pipeline import bulk, edits, exchange_stage, health
from dipgate.pipeline.health_facts import Grade
from dipgate.pipeline.health_gather import gather
from dipgate.pipeline.history import HistoryEnded, HistoryReport, Step, Wanted, take_history
from dipgate.pipeline.history_card import card_of
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import MapReport, map_new_stays
from dipgate.service.history import STOP, Here, Teller, past_desk
from dipgate.service.wiring import open_desk
from dipgate.store import cases, history, inbox, open_store, outbox, verdicts
from dipgate.store.worklist_rows import WorkFilter

OWN = OwnHospital("H99010000001", "示例市第一人民医院", "3", "990100")
MONTHS = (1, 2, 3)
SIZE = 6
PAST = Wanted((), "", "2025-02")


@dataclass
class Years:
    """A state folder whose source has January to March; before March is history."""

    state: Path
    database: Path
    clock: FixedClock

    @property
    def site(self) -> Path:
        return self.state / "site.toml"

    def opens(self, before: str) -> None:
        lines = self.site.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if not line.startswith("before = ")]
        place = kept.index("[history]") + 1
        kept[place:place] = [f'before = "{before}"'] if before else []
        self.site.write_text("\n".join(kept) + "\n", encoding="utf-8")

    def live(self) -> MapReport:
        """One reading of live work."""
        with open_desk(self.state, self.site, clock=self.clock) as desk:
            read_sources(desk)
            mapped = map_new_stays(desk)
            judge_new_cases(desk)
            return mapped

    def past(
        self, wanted: Wanted = PAST, told: Callable[[Step], None] = lambda _: None
    ) -> HistoryReport:
        with past_desk(self.state, self.site, clock=self.clock) as (desk, live):
            return take_history(desk, wanted, Here(desk, live), told)

    def said(self, *, past: bool) -> dict[str, tuple[object, ...]]:
        """settlement → everything said of it, in one of the two stores."""
        file = (history.folder(self.state) if past else self.state) / "dipgate.sqlite"
        with closing(sqlite3.connect(file)) as connection:
            rows = connection.execute(
                "SELECT c.settlement_id, c.month, c.list_json, c.list_hash, c.origins, c.person_no,"
                " c.department, c.fee_fen, v.findings, v.pack_version, v.errors, g.result,"
                " g.group_code, g.amount_fen, g.policy_hash, g.library,"
                " (SELECT group_concat(rule || field, ' ') FROM"
                "  (SELECT rule, field FROM findings WHERE case_id = c.id ORDER BY id))"
                " FROM cases c"
                " JOIN verdicts v ON v.case_id = c.id AND v.list_hash = c.list_hash"
                " JOIN groupings g ON g.case_id = c.id AND g.list_hash = c.list_hash ORDER BY 1"
            ).fetchall()
        assert len({row[0] for row in rows}) == len(rows)
        return {row[0]: row[1:] for row in rows}

    def change(self, settlement_id: str) -> None:
        """The hospital corrects a bill."""
        with closing(sqlite3.connect(self.database)) as connection, connection:
            done = connection.execute(
                "UPDATE HIS_JS SET 票据号码 = '9' || 票据号码, 更新时间 = '20260101000000'"
                " WHERE 结算ID = ?",
                (settlement_id,),
            )
            assert done.rowcount == 1


@pytest.fixture
def years(sample_state: Path, tmp_path: Path, clock: FixedClock) -> Years:
    library = load_library(sample_state, "sample", day=date(2025, 3, 1))
    database = tmp_path / "his.sqlite"
    for number in MONTHS:
        day = date(2025, number, 1)
        reference = References(sample_state, OWN).on(day)
        write_sqlite(generate(reference, library, seed=number, month=day, size=SIZE), database)
    site = sample_state / "site.toml"
    text = site.read_text(encoding="utf-8")
    if "[history]" not in text:
        text += "\n[history]\n"
    text += "\n" + site_sources(sqlite_source(database))
    site.write_text(text, encoding="utf-8")
    found = Years(sample_state, database, clock)
    found.opens("2025-03")
    return found


def test_history_says_what_live_work_says(years: Years) -> None:
    years.live()
    report = years.past()
    assert (report.judged, report.live, report.aside) == (2 * SIZE, 0, 0)
    past, live = years.said(past=True), years.said(past=False)
    assert len(past) == 2 * SIZE
    assert len(live) == SIZE
    assert not past.keys() & live.keys()
    assert {row[0] for row in live.values()} == {"2025-03"}
    # The same bills as live work would have judged them.
    years.opens("")
    with open_desk(years.state, years.site, clock=years.clock) as desk:
        desk.store.write(lambda conn: inbox.touch_all(conn, desk.clock.now()))
        map_new_stays(desk)
        judge_new_cases(desk)
    live = years.said(past=False)
    assert len(live) == 3 * SIZE
    assert {bill: live[bill] for bill in past} == past


def test_a_second_run_finds_nothing_to_do(years: Years) -> None:
    years.live()
    years.past()
    before = years.said(past=True)
    report = years.past()
    assert (report.rows, report.judged) == (0, 0)
    assert years.said(past=True) == before


def test_months_are_taken_as_asked(years: Years) -> None:
    years.live()
    assert years.past(Wanted((), "2025-02", "2025-02")).judged == SIZE
    assert {row[0] for row in years.said(past=True).values()} == {"2025-02"}
    assert years.past().judged == SIZE
    assert {row[0] for row in years.said(past=True).values()} == {"2025-01", "2025-02"}


def test_a_list_of_live_work_is_not_touched(years: Years) -> None:
    years.opens("")
    years.live()
    before = years.said(past=False)
    assert len(before) == 3 * SIZE
    years.opens("2025-03")
    report = years.past()
    assert (report.judged, report.live) == (0, 2 * SIZE)
    assert years.said(past=False) == before
    assert years.said(past=True) == {}
    # And live work goes on with it: a correction reaches its list.
    bill = next(bill for bill, row in before.items() if row[0] == "2025-01")
    years.change(bill)
    assert years.live().mapped == 1
    assert years.said(past=False)[bill] != before[bill]


def test_a_correction_of_a_past_bill_stays_in_history(years: Years) -> None:
    years.live()
    years.past()
    before = years.said(past=True)
    bill = next(iter(before))
    years.change(bill)
    mapped = years.live()
    assert (mapped.mapped, mapped.history) == (0, 1)
    assert bill not in years.said(past=False)
    assert years.past().judged == 1
    after = years.said(past=True)
    assert after.keys() == before.keys()
    assert [name for name in after if after[name] != before[name]] == [bill]
    with (
        past_desk(years.state, years.site, read_only=True, clock=years.clock) as (desk, _live),
        desk.store.read() as conn,
    ):
        case = cases.case_by_settlement(conn, bill)
        assert case is not None
        assert case.revision == 2


def test_a_month_opened_again_leaves_history_when_the_source_brings_its_bill(years: Years) -> None:
    years.live()
    years.past()
    bill = next(bill for bill, row in years.said(past=True).items() if row[0] == "2025-02")
    years.opens("2025-02")
    years.change(bill)
    assert years.live().mapped == 1
    assert bill in years.said(past=False)
    years.past(Wanted((), "", "2025-01"))
    years.opens("2025-03")
    years.past()
    assert bill in years.said(past=False)
    assert bill not in years.said(past=True)
    assert len(years.said(past=True)) == 2 * SIZE - 1


def test_without_a_month_nothing_is_history(years: Years) -> None:
    years.opens("")
    mapped = years.live()
    assert (mapped.mapped, mapped.history) == (3 * SIZE, 0)


def test_it_ends_when_asked_and_goes_on_from_there(years: Years) -> None:
    years.live()

    def end(step: Step) -> None:
        if step.phase == "judge":
            raise HistoryEnded

    with pytest.raises(HistoryEnded):
        years.past(told=end)
    part = years.said(past=True)
    assert len(part) == SIZE
    assert years.past().judged == SIZE
    whole = years.said(past=True)
    assert len(whole) == 2 * SIZE
    assert {bill: whole[bill] for bill in part} == part


def test_no_path_releases_or_sends_a_past_list(years: Years) -> None:
    years.live()
    years.past()
    clean = []
    with past_desk(years.state, years.site, clock=years.clock) as (desk, live):
        with desk.store.read() as conn:
            clean = list(verdicts.clean_settlements(conn))
            ids = [row.id for row in cases.cases_in(conn)]
        assert clean
        for settlement_id in clean:
            with pytest.raises(IntegrityError):
                edits.release(desk, settlement_id, author="test")
        with pytest.raises(IntegrityError):
            edits.release_clean(desk, author="test")
        step = bulk.release_step(desk, WorkFilter(), until=desk.clock.now(), author="test")
        assert step.released == 0
        report = exchange_stage.queue_ready(desk)
        assert report.queued == 0
        for state in ("ready", "queued", "accepted", "held"):
            with pytest.raises(IntegrityError):
                desk.store.write(
                    lambda conn, state=state: cases.set_state(  # type: ignore[misc]
                        conn, ids[0], state, now=desk.clock.now()
                    )
                )
        with pytest.raises(IntegrityError):
            desk.store.write(
                lambda conn: outbox.enqueue(
                    conn,
                    key="k",
                    case_id=ids[0],
                    settlement_id=clean[0],
                    person_no="",
                    infno="4101A",
                    revision=1,
                    payload=b"{}",
                    digest="d",
                    now=desk.clock.now(),
                )
            )
        with live.read() as conn:
            assert not [case for case in ids if cases.get_case(conn, case)]
    # The live side does not know them: neither by release nor by the queue.
    with open_desk(years.state, years.site, clock=years.clock) as desk:
        for settlement_id in clean:
            with pytest.raises(DipgateError):
                edits.release(desk, settlement_id, author="test")
        edits.release_clean(desk, author="test")
        exchange_stage.queue_ready(desk)
        with desk.store.read() as conn:
            assert not [bill for bill in clean if outbox.by_settlement(conn, bill)]


def test_a_past_store_is_no_state_folder(years: Years) -> None:
    years.live()
    years.past()
    folder = history.folder(years.state)
    for read_only in (False, True):
        with pytest.raises(ConfigError, match="历史数据"):
            open_store(folder, years.clock, owner="test", read_only=read_only)
    with open_store(folder, years.clock, owner="test", past=True) as store:
        assert not store.read_only


def test_live_work_and_history_hold_their_folders_at_the_same_time(years: Years) -> None:
    years.live()
    with open_desk(years.state, years.site, clock=years.clock) as desk:
        assert years.past().judged == 2 * SIZE
        read_sources(desk)
        with (
            past_desk(years.state, years.site, clock=years.clock),
            pytest.raises(ConfigError, match="正被另一个进程使用"),
        ):
            years.past()


def test_the_pace_is_kept_and_the_end_is_heard(tmp_path: Path, clock: FixedClock) -> None:
    waited: list[float] = []

    def wait(seconds: float) -> None:
        waited.append(seconds)
        (tmp_path / STOP).touch()

    teller = Teller(tmp_path, clock, per_minute=60, show=lambda _: None, wait=wait)
    with pytest.raises(HistoryEnded):
        teller(Step("judge", "his", "2025-01", 300, 900))
    assert waited == [0.5]
    card = teller.card
    assert card is not None
    assert (card.done, card.total, card.month) == (300, 900, "2025-01")
    teller.end("stopped")
    (tmp_path / history.FOLDER).mkdir()
    (tmp_path / "progress.json").rename(tmp_path / history.FOLDER / "progress.json")
    found = card_of(tmp_path)
    assert found is not None
    assert found.ended == "stopped"


def test_health_counts_past_months_apart_and_says_when_a_run_broke_off(years: Years) -> None:
    years.live()

    def checked() -> tuple[Grade, str]:
        with open_desk(years.state, years.site, clock=years.clock) as desk:
            facts = gather(desk)
            assert facts.lists["checked"] == SIZE
            found = [check for check in health.checks(facts) if check.key == "history"]
        return (found[0].grade, found[0].sentence) if found else (Grade.OK, "")

    assert checked() == (Grade.OK, "")
    folder = history.folder(years.state)
    with past_desk(years.state, years.site, clock=years.clock) as (desk, live):
        teller = Teller(folder, years.clock, per_minute=None, show=lambda _: None)
        take_history(desk, Wanted((), "", "2025-01"), Here(desk, live), teller)
    years.clock.advance(3600)
    grade, sentence = checked()
    assert grade is Grade.LOOK
    assert f"已判定 {SIZE} 份，待处理 {SIZE} 份" in sentence
    years.past()
    teller.end("done")
    grade, sentence = checked()
    assert grade is Grade.OK
    assert f"已判定 {2 * SIZE} 份，不在队列，不上传" in sentence

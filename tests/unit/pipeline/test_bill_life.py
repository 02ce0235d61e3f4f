"""Bills that are cancelled, made anew or changed late: every event in every state of sending."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.errors import RecordError
from dipgate.core.exchange import Event, State
from dipgate.core.findings import Fix
from dipgate.core.worklist import Grade
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import Hospital
from dipgate.mapping import expectation
from dipgate.pipeline import bill_life, edits
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.exchange_stage import queue_ready
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import MapReport, map_new_stays
from dipgate.pipeline.reconcile_stage import reconcile
from dipgate.pregrouper.differences import Reason
from dipgate.service.wiring import open_desk
from dipgate.store import (
    Connection,
    audit,
    cases,
    inbox,
    life,
    outbox,
    overlays,
    results,
    summaries,
    worklist_rows,
)

Row = dict[str, str]
SETL_ID = '"setl_id" = "结算ID"\n'
MAPPED = (
    SETL_ID
    + """refd_setl_flag = "退费标志"
init_setl_id = "原结算ID"
"""
)


class Bills:
    """A desk whose settlement file can be exported again with other rows."""

    def __init__(self, desk: Desk, export: Path, month: Hospital) -> None:
        self.desk = desk
        self.month = month
        self.export = export
        self.sid = month.stays[0].settlement["setl_id"]
        self.settlements = self.read("settlement")
        for row in self.settlements:
            row |= {"退费标志": "0", "原结算ID": ""}
        self.take_in()

    def file(self, stem: str) -> Path:
        return next(path for path in self.export.iterdir() if path.name.startswith(stem))

    def read(self, stem: str) -> list[Row]:
        text = self.file(stem).read_bytes().decode("gb18030")
        return list(csv.DictReader(io.StringIO(text)))

    def write(self, stem: str, rows: list[Row]) -> None:
        out = io.StringIO()
        writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(rows)
        self.file(stem).write_bytes(out.getvalue().encode("gb18030"))

    def take_in(self) -> MapReport:
        self.write("settlement", self.settlements)
        read_sources(self.desk)
        report = map_new_stays(self.desk)
        judge_new_cases(self.desk)
        return report

    def row(self) -> Row:
        return next(row for row in self.settlements if row["结算ID"] == self.sid)

    def case(self, settlement_id: str = "") -> cases.CaseRow:
        with self.desk.store.read() as conn:
            found = cases.case_by_settlement(conn, settlement_id or self.sid)
        assert found is not None
        return found

    def shown(self, settlement_id: str = "") -> worklist_rows.WorkRow:
        with self.desk.store.read() as conn:
            found = worklist_rows.find(conn, self.case(settlement_id).id)
        assert found is not None
        return found

    def sent(self) -> list[State]:
        with self.desk.store.read() as conn:
            return [row.state for row in outbox.by_settlement(conn, self.sid)]

    def events(self, settlement_id: str = "") -> tuple[life.BillEvent, ...]:
        with self.desk.store.read() as conn:
            return life.events_of(conn, settlement_id or self.sid)

    def move(self, *events: Event) -> None:
        """Move the newest outbox row; CLAIMED goes through the claim."""
        for event in events:
            self.desk.clock.advance(600)  # type: ignore[attr-defined]
            now, epoch = self.desk.clock.now(), self.desk.store.epoch
            if event is Event.CLAIMED:
                self.claim()
                continue
            with self.desk.store.read() as conn:
                number = outbox.by_settlement(conn, self.sid)[-1].id
            self.desk.store.write(
                lambda conn, number=number, event=event, now=now, epoch=epoch: outbox.apply(
                    conn, number, event, now=now, epoch=epoch
                )
            )

    def claim(self) -> outbox.OutboxRow | None:
        now, epoch = self.desk.clock.now(), self.desk.store.epoch
        return self.desk.store.write(
            lambda conn: outbox.claim(
                conn, now=now, lease_seconds=30, epoch=epoch, hospital_code="H99010000001"
            )
        )

    def bring_to(self, state: str) -> None:
        """Release the first list and bring its upload to a state."""
        if state == "mapped":
            return
        edits.release(self.desk, self.sid, author="测试员")
        if state != "released":
            queue_ready(self.desk)
            self.move(*_EVENTS[state])

    def cancel(self) -> None:
        self.row()["退费标志"] = "1"
        self.take_in()

    def correct(self) -> None:
        """HIS writes another day of settlement's beginning: the list is another one."""
        self.row()["结算时间"] = self.row()["结算时间"].replace("0", "1", 1)
        self.row()["业务流水号"] += "X"
        self.take_in()


_EVENTS: dict[str, tuple[Event, ...]] = {
    "ready": (),
    "sending": (Event.CLAIMED,),
    "unknown": (Event.CLAIMED, Event.NO_ANSWER),
    "accepted": (Event.CLAIMED, Event.RECEIPT_OK),
    "rejected": (Event.CLAIMED, Event.RECEIPT_REFUSED),
    "conflict": (Event.CLAIMED, Event.REFUSED_AS_DUPLICATE),
    "held": (Event.CLAIMED, Event.NO_ANSWER, Event.NO_QUERY),
}


@pytest.fixture
def ward(sample_state: Path, tmp_path: Path, month: Hospital, clock: FixedClock) -> Iterator[Bills]:
    export = tmp_path / "export"
    write_csv(month, export)
    site = sample_state / "site.toml"
    source = site_sources(csv_source(export))
    assert SETL_ID in source
    source = source.replace(SETL_ID, MAPPED)
    site.write_text(site.read_text(encoding="utf-8") + "\n" + source, encoding="utf-8")
    with open_desk(sample_state, site, clock=clock) as desk:
        yield Bills(desk, export, month)


CANCELLED = [
    ("mapped", [], Grade.GONE, "", "平台上没有它，不用再做什么"),
    ("released", [], Grade.GONE, "", "平台上没有它，不用再做什么"),
    ("ready", [State.SUPERSEDED], Grade.GONE, "", "平台上没有它，不用再做什么"),
    ("sending", [State.SENDING], Grade.WAIT, "平台", "不会再传"),
    ("unknown", [State.UNKNOWN], Grade.WAIT, "平台", "不会再传"),
    ("accepted", [State.ACCEPTED], Grade.STOP, "医保办", "撤回提交并删除"),
    ("rejected", [State.REJECTED], Grade.GONE, "", "平台上没有它"),
    ("conflict", [State.CONFLICT], Grade.STOP, "医保办", "在平台上按结算编号查"),
    ("held", [State.HELD], Grade.STOP, "医保办", "在平台上按结算编号查"),
]


@pytest.mark.parametrize(("stands", "sent", "grade", "who", "words"), CANCELLED)
def test_a_cancelled_bill_in_every_state_of_sending(
    ward: Bills, stands: str, sent: list[State], grade: Grade, who: str, words: str
) -> None:
    ward.bring_to(stands)
    ward.cancel()
    case, shown = ward.case(), ward.shown()
    assert (case.state, ward.sent()) == ("retired", sent)
    assert "退费标志是“1”" in case.hold_reason
    assert (shown.grade, shown.waits_for) == (grade, who)
    assert words in shown.sentence
    assert (shown.pay_fen, shown.fund_fen, shown.fee_fen) == (None, None, None)
    assert ward.events()[-1].kind == life.RETIRED
    with pytest.raises(RecordError, match="不能放行"):
        edits.release(ward.desk, ward.sid, author="测试员")
    queue_ready(ward.desk)
    assert ward.claim() is None, "nothing of a retired list is ever sent"
    assert ward.take_in().retired == 0, "once"


@pytest.mark.parametrize(
    ("answer", "sent", "grade"),
    [
        ((Event.PLATFORM_HAS_IT,), State.ACCEPTED, Grade.STOP),
        ((Event.NOT_FOUND_FIRST, Event.NOT_FOUND_AGAIN), State.SUPERSEDED, Grade.GONE),
        ((Event.PLATFORM_HAS_ANOTHER,), State.CONFLICT, Grade.STOP),
    ],
)
def test_an_answer_after_the_cancellation(
    ward: Bills, answer: tuple[Event, ...], sent: State, grade: Grade
) -> None:
    ward.bring_to("unknown")
    ward.cancel()
    ward.move(*answer)
    assert (ward.case().state, ward.sent()) == ("retired", [sent])
    assert ward.shown().grade is grade
    assert ward.claim() is None


CHANGED = [
    ("mapped", [], None, ""),
    ("released", [], None, ""),
    ("ready", [State.SUPERSEDED], None, ""),
    ("sending", [State.SENDING], "正在上传，清单后来变了", "平台答复以前不会传第二份"),
    ("unknown", [State.UNKNOWN], "正在上传，清单后来变了", "平台答复以前不会传第二份"),
    ("accepted", [State.ACCEPTED], "平台收下第 1 版以后，清单变了", "作为更正上传"),
    ("rejected", [State.REJECTED], None, ""),
    ("conflict", [State.CONFLICT], "等人裁定，清单后来变了", "先由信息科"),
    ("held", [State.HELD], "等人裁定，清单后来变了", "先由信息科"),
]


@pytest.mark.parametrize(("stands", "sent", "problem", "words"), CHANGED)
def test_a_late_correction_in_every_state_of_sending(
    ward: Bills, stands: str, sent: list[State], problem: str | None, words: str
) -> None:
    ward.bring_to(stands)
    ward.correct()
    case, shown = ward.case(), ward.shown()
    assert (case.state, case.revision, ward.sent()) == ("checked", 2, sent)
    late = [event for event in ward.events() if event.kind == life.LATE]
    told = stands not in ("mapped", "rejected")
    assert len(late) == told
    if told:
        assert "setlinfo.biz_sn" in [change.path for change in late[0].changes]
        assert (late[0].reason == "放行已撤回") == (stands in ("released", "ready"))
    if problem is None:
        assert shown.grade is Grade.CLEAN
    else:
        assert shown.grade is Grade.LOOK
        assert problem in shown.problem
        assert words in shown.sentence
    edits.release(ward.desk, ward.sid, author="测试员")
    queue_ready(ward.desk)
    free = all(each in life.GONE or each == "accepted" for each in sent)
    assert (ward.claim() is not None) == free, "never two in flight for one settlement"


def test_the_answer_to_the_old_revision_leaves_the_new_one(ward: Bills) -> None:
    ward.bring_to("unknown")
    ward.correct()
    ward.move(Event.PLATFORM_HAS_IT)
    assert (ward.case().state, ward.sent()) == ("checked", [State.ACCEPTED])
    assert "平台收下第 1 版以后" in ward.shown().problem
    edits.release(ward.desk, ward.sid, author="测试员")
    queue_ready(ward.desk)
    ward.move(Event.CLAIMED, Event.RECEIPT_OK)
    assert (ward.case().state, ward.sent()) == ("accepted", [State.ACCEPTED, State.ACCEPTED])


def test_an_old_revision_that_never_arrived_is_not_sent_again(ward: Bills) -> None:
    ward.bring_to("unknown")
    ward.correct()
    ward.move(Event.NOT_FOUND_FIRST, Event.NOT_FOUND_AGAIN)
    assert ward.sent() == [State.SUPERSEDED]
    assert ward.claim() is None


def test_a_correction_after_the_month_is_locked_is_refused(ward: Bills) -> None:
    ward.bring_to("accepted")
    ward.correct()
    desk = ward.desk
    site = desk.site
    settled = ward.case().settled_on
    assert settled is not None
    locked = site.desk.model_copy(update={"correction_days": 30})
    object.__setattr__(desk, "site", replace(site, desk=locked))
    with pytest.raises(RecordError, match="超过更正期 30 天"):
        edits.release(desk, ward.sid, author="测试员")
    assert ward.case().state == "checked"


def test_a_held_list_stays_held(ward: Bills) -> None:
    edits.hold(ward.desk, ward.sid, reason="等病理", author="测试员")
    ward.correct()
    assert (ward.case().state, ward.case().hold_reason) == ("held", "等病理")


def test_cleared_on_the_platform_by_a_person(ward: Bills) -> None:
    ward.bring_to("accepted")
    with pytest.raises(RecordError, match="不用在平台上撤下"):
        bill_life.clear(ward.desk, ward.sid, reason="已删", author="信息员")
    ward.cancel()
    with ward.desk.store.read() as conn:
        assert life.still_at_platform(conn) == 1
    with pytest.raises(RecordError, match="怎样核实"):
        bill_life.clear(ward.desk, ward.sid, reason=" ", author="信息员")
    bill_life.clear(ward.desk, ward.sid, reason="已撤回并删除", author="信息员")
    with ward.desk.store.read() as conn:
        assert life.still_at_platform(conn) == 0
    assert ward.shown().grade is Grade.GONE
    assert "人已核实" in ward.shown().sentence
    ward.row()["退费标志"] = "0"
    ward.take_in()
    assert ward.case().state == "checked", "the platform has it no more: it is sent anew"
    edits.release(ward.desk, ward.sid, author="测试员")
    queue_ready(ward.desk)
    assert ward.claim() is not None


def test_a_cancellation_that_was_a_mistake_comes_back_as_it_was(ward: Bills) -> None:
    ward.bring_to("accepted")
    ward.cancel()
    ward.row()["退费标志"] = ""
    ward.take_in()
    assert (ward.case().state, ward.case().revision) == ("accepted", 1)
    assert [event.kind for event in ward.events()] == [life.RETIRED, life.BACK]
    ward.cancel()
    ward.row()["退费标志"] = "0"
    ward.correct()
    assert (ward.case().state, ward.case().revision) == ("checked", 2)
    assert [event.kind for event in ward.events()][2:] == [life.RETIRED, life.BACK]
    assert "平台收下第 1 版以后" in ward.shown().problem


def _twin(row: Row, **changed: str) -> Row:
    return {**row, "医疗费总额": f"-{row['医疗费总额']}", **changed}


def test_a_negative_twin_cancels_the_bill_that_it_names(ward: Bills) -> None:
    twin = _twin(ward.row(), 结算ID=ward.sid + "R", 原结算ID=ward.sid)
    ward.settlements.append(twin)
    ward.take_in()
    assert ward.case().state == "retired"
    assert f"结算 {ward.sid}R）冲销了它" in ward.case().hold_reason
    with ward.desk.store.read() as conn:
        assert cases.case_by_settlement(conn, ward.sid + "R") is None


def test_a_negative_twin_without_a_name_cancels_its_exact_opposite(ward: Bills) -> None:
    ward.settlements.append(_twin(ward.row(), 结算ID=ward.sid + "R"))
    ward.take_in()
    assert ward.case().state == "retired"


def test_a_negative_row_that_fits_nothing_sets_the_stay_aside_until_it_does(ward: Bills) -> None:
    twin = _twin(ward.row(), 结算ID=ward.sid + "R")
    twin["医疗费总额"] = "-0.01"
    ward.settlements.append(twin)
    report = ward.take_in()
    assert (report.retired, report.set_aside) == (0, 2)
    assert ward.case().state == "set_aside"
    twin["医疗费总额"] = f"-{ward.row()['医疗费总额']}"
    ward.take_in()
    assert ward.case().state == "retired"


def test_an_unknown_flag_sets_the_bill_aside(ward: Bills) -> None:
    ward.row()["退费标志"] = "七"
    ward.take_in()
    assert ward.case().state == "set_aside"
    with ward.desk.store.read() as conn:
        assert any("看不懂退费标志" in item.what for _, _, item in inbox.rejected(conn))


def _corrected(ward: Bills, path: str, value: str) -> None:
    expect = expectation(ward.case().settlement_list(), "set", path)
    fix = Fix("set", path, value)
    edits.correct(ward.desk, ward.sid, fix, expect=expect, reason="核对病历", author="编码员")


def test_a_new_settlement_takes_the_corrections_that_still_hold(ward: Bills) -> None:
    _corrected(ward, "setlinfo.chfpdr_name", "改名医师")
    _corrected(ward, "setlinfo.biz_sn", "B1")
    ward.cancel()
    new = {**ward.row(), "结算ID": ward.sid + "N", "退费标志": "0", "业务流水号": "另一个"}
    ward.settlements.append(new)
    ward.take_in()
    assert ward.case().state == "retired"
    lst = ward.case(ward.sid + "N").settlement_list()
    assert lst.get("setlinfo.chfpdr_name") == "改名医师"
    assert lst.get("setlinfo.biz_sn") == "另一个"
    (event,) = ward.events(ward.sid + "N")
    assert "沿用 1 处更正，1 处要再看" in event.reason
    assert [(item.path, item.after) for item in event.changes] == [("setlinfo.biz_sn", "B1")]
    with ward.desk.store.read() as conn:
        (kept,) = overlays.active_for(conn, ward.sid + "N")
    assert (kept.author, kept.reason.startswith("核对病历（沿用")) == ("编码员", True)


def test_cancelled_and_settled_anew_in_one_reading(ward: Bills) -> None:
    _corrected(ward, "setlinfo.chfpdr_name", "改名医师")
    ward.settlements.append(
        {**ward.row(), "结算ID": ward.sid + "N", "票据号码": "9", "退费标志": "0"}
    )
    ward.row()["退费标志"] = "1"
    ward.take_in()
    lst = ward.case(ward.sid + "N").settlement_list()
    assert (ward.case().state, lst.get("setlinfo.chfpdr_name")) == ("retired", "改名医师")


@pytest.mark.parametrize("name", ["退费标志", "医疗费总额"])
def test_no_sum_counts_a_retired_list(ward: Bills, name: str) -> None:
    def money() -> int:
        with ward.desk.store.read() as conn:
            return summaries.money(conn).expected_fen

    before, pay = money(), ward.shown().pay_fen or 0
    assert pay
    ward.row()[name] = "1" if name == "退费标志" else f"-{ward.row()[name]}"
    ward.take_in()
    assert money() == before - pay


def _spread(ward: Bills) -> None:
    """One settlement a day, from the first of the month on: the file covers days."""
    for day, row in enumerate(ward.settlements, start=1):
        row["结算结束日期"] = f"2025-03-{day:02d}"
    ward.take_in()


def _gone(ward: Bills, *places: int) -> MapReport:
    ids = [ward.settlements[place]["结算ID"] for place in places]
    ward.settlements = [row for row in ward.settlements if row["结算ID"] not in ids]
    return ward.take_in()


def test_a_bill_that_vanishes_from_the_middle_of_its_file_is_cancelled(ward: Bills) -> None:
    _spread(ward)
    kept, sid = list(ward.settlements), ward.settlements[9]["结算ID"]
    assert _gone(ward, 9).notes == []
    assert ward.case(sid).state == "retired"
    ward.settlements = kept
    ward.take_in()
    assert ward.case(sid).state == "checked", "the next export has it again"


@pytest.mark.parametrize(
    ("places", "told"),
    [
        (tuple(range(12, 24)), False),
        (tuple(range(6)), False),
        ((0,), False),
        ((23,), False),
        (tuple(range(5, 15)), True),
    ],
    ids=["cut off", "the last days only", "first day", "last day", "a hole"],
)
def test_a_shortened_export_cancels_nothing(
    ward: Bills, places: tuple[int, ...], *, told: bool
) -> None:
    _spread(ward)
    before = len(ward.settlements)
    report = _gone(ward, *places)
    assert bool(report.notes) == told
    with ward.desk.store.read() as conn:
        counts = cases.counts(conn)
    assert (counts["checked"], counts["retired"]) == (before, 0)


def test_results_of_the_old_revision_are_not_the_new_ones(ward: Bills) -> None:
    ward.bring_to("accepted")
    month = ward.case().month
    result = {"setl_id": ward.sid, "nuld_flag": "0", "grp_stas": "1", "dip_dise_grp_code": "X"}

    def fetch(conn: Connection) -> None:
        now = ward.desk.clock.now()
        results.put_page(conn, "3606", month, [result], now)
        audit.add(conn, now, "dipgate", "result.pulled", f"month:{month}")

    ward.desk.store.write(fetch)
    report = reconcile(ward.desk, month)
    assert [item.their_group for item in report.lists] == ["X"]
    ward.correct()
    report = reconcile(ward.desk, month)
    assert (report.lists, report.apart) == ((), 1), "no result of ours, and none of a stranger"
    edits.release(ward.desk, ward.sid, author="测试员")
    queue_ready(ward.desk)
    ward.move(Event.CLAIMED, Event.RECEIPT_OK)
    (item,) = reconcile(ward.desk, month).lists
    assert (item.difference.reason, item.their_group) == (Reason.NOT_RETURNED, "")
    ward.desk.clock.advance(60)  # type: ignore[attr-defined]
    ward.desk.store.write(fetch)
    assert [item.their_group for item in reconcile(ward.desk, month).lists] == ["X"]
    ward.cancel()
    report = reconcile(ward.desk, month)
    assert (report.lists, report.apart) == ((), 1)

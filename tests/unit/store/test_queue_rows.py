"""The work queue follows every change, pages by keyset, and counts what it shows."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest
from sqlalchemy import Connection, delete, insert

from dipgate.core.clock import FixedClock
from dipgate.core.errors import RecordError
from dipgate.core.exchange import Event
from dipgate.core.findings import Finding, FindingStatus, Severity
from dipgate.core.grouping import GroupResult, GroupStatus, ScoreResult, ScoreStatus
from dipgate.core.lists import SettlementList
from dipgate.core.money import Fen
from dipgate.core.worklist import TO_DO, Grade
from dipgate.store import (
    Store,
    accounts,
    cases,
    desk_tables,
    groupings,
    outbox,
    questions,
    saved_views,
    verdicts,
    worklist,
    worklist_rows,
)
from dipgate.store.worklist_rows import WorkFilter, WorkRow

Put = Callable[..., cases.CaseRow]


@pytest.fixture
def put(store: Store, clock: FixedClock) -> Put:
    """`put("S1", errors=["D001"], pay=100)` → a judged list; `judge=False` leaves it unjudged."""

    def make(settlement: str, **given: Any) -> cases.CaseRow:
        return store.write(lambda conn: make_case(conn, clock.now(), settlement, **given))

    return make


def make_case(
    conn: Connection,
    now: datetime,
    settlement: str,
    *,
    errors: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    pay: int | None = None,
    day: date = date(2025, 3, 1),
    ward: str = "普外一科",
    doctor: str = "D1",
    dx: str = "K35.800x001",
    judge: bool = True,
    state: str = "checked",
    **info: str,
) -> cases.CaseRow:
    head = {
        "setl_id": settlement,
        "medcasno": f"B{settlement}",
        "gend": "2",
        "brdy": "1968-01-02",
        "adm_time": "2025-02-20 08:30:00",
        "dscg_dept_name": ward,
        "chfpdr_name": "示例医师",
    }
    lst = SettlementList(
        head | info,
        diseinfo=({"diag_code": dx, "diag_name": "急性阑尾炎", "maindiag_flag": "1"},),
        payinfo=({"fund_pay_type": "310100", "fund_payamt": "12.34"},),
        charges=({"name": "床位费", "amount": "1"},),
    )
    case = cases.put_case(
        conn,
        lst=lst,
        origins=(),
        source="his",
        stay_key=settlement,
        person_no="P1",
        settled_on=day,
        department="A04.01",
        doctor=doctor,
        fee_fen=5000,
        now=now,
    )
    if judge:
        found = tuple(
            Finding(
                rule,
                severity,
                FindingStatus.FOUND,
                "diseinfo[0].diag_code",
                "x",
                f"{rule} 不符",
                "改正",
                "规范 一",
            )
            for severity, rules in ((Severity.WARNING, warnings), (Severity.ERROR, errors))
            for rule in rules
        )
        verdicts.put_verdicts(conn, [verdicts.Verdict(case.id, case.list_hash, "v1", found, now)])
        group = GroupResult(GroupStatus.GROUPED, policy="p", library="l")
        score = ScoreResult(ScoreStatus.SCORED, amount=None if pay is None else Fen(pay))
        groupings.put_grouping(
            conn, groupings.Grouping(case.id, case.list_hash, "p", "l", group, score, now)
        )
        cases.set_state(conn, case.id, state, now=now)
    return case


def row(store: Store, case: cases.CaseRow) -> WorkRow:
    with store.read() as conn:
        found = worklist_rows.find(conn, case.id)
    assert found is not None
    return found


def standing(store: Store, case: cases.CaseRow) -> tuple[str, str]:
    found = row(store, case)
    return found.grade.value, found.waits_for


def assert_sound(store: Store) -> None:
    """Rows equal what a rebuild makes, nothing is left marked, counts are those of the rows."""
    with store.read() as conn:
        before = conn.exec_driver_sql("SELECT * FROM worklist ORDER BY case_id").all()
        assert conn.exec_driver_sql("SELECT count(*) FROM worklist_due").scalar() == 0
        assert worklist.counts_are_right(conn)
        ids = worklist.case_ids(conn, limit=1000)
    store.write(lambda conn: worklist.refresh(conn, ids))
    with store.read() as conn:
        assert conn.exec_driver_sql("SELECT * FROM worklist ORDER BY case_id").all() == before
        assert worklist.counts_are_right(conn)
        assert worklist.case_ids(conn, limit=1, missing=True) == []


def test_a_row_says_who_what_and_how_much_without_a_name(store: Store, put: Put) -> None:
    case = put("S1", errors=("P004", "D001"), warnings=("B056",), pay=2000, psn_name="张示例")
    found = row(store, case)
    assert found.grade is Grade.STOP
    assert (found.record_no, found.person) == ("BS1", "女 57")
    assert (found.department_name, found.doctor_name) == ("普外一科", "示例医师")
    assert (found.dx_code, found.dx_name) == ("K35.800x001", "急性阑尾炎")
    assert (found.rule, found.problem) == ("P004", "P004 不符")
    assert found.sentence == "诊断第 1 行。改正。（规则 P004，依据 规范 一）"
    assert (found.errors, found.warnings) == (2, 1)
    assert (found.pay_fen, found.fee_fen, found.fund_fen, found.gap_fen) == (2000, 5000, 1234, 766)
    with store.read() as conn:
        text = str(conn.exec_driver_sql("SELECT * FROM worklist").all())
    assert "张示例" not in text
    assert_sound(store)


@pytest.mark.parametrize(
    ("info", "person"),
    [
        ({"brdy": "2025-02-19", "gend": "1"}, "男 1 天"),
        ({"brdy": "2025-02-20"}, "女 0 天"),
        ({"brdy": "不详", "age": "63"}, "女 63"),
        ({"brdy": "", "age": "<b>"}, "女 年龄不详"),
        ({"brdy": "2026-01-01"}, "女 年龄不详"),
        ({"gend": "9", "brdy": "1950-05-05"}, "性别不详 74"),
    ],
)
def test_a_person_is_sex_and_age(store: Store, put: Put, info: dict[str, str], person: str) -> None:
    assert row(store, put("S1", **info)).person == person


def test_every_change_of_a_list_changes_its_row_in_the_same_transaction(
    store: Store, clock: FixedClock, put: Put
) -> None:
    case = put("S1", judge=False)
    assert standing(store, case) == ("wait", "系统")
    put("S1", errors=("D001",))
    assert standing(store, case) == ("stop", "编码员")
    put("S1", errors=("B039",))
    assert standing(store, case) == ("wait", "财务")
    put("S1", warnings=("B056",))
    assert standing(store, case) == ("look", "编码员")
    put("S1")
    assert standing(store, case) == ("clean", "")
    put("S1", gend="1", judge=False)
    assert row(store, case).problem == "还没有校验"
    put("S1", gend="1")
    at = clock.now()
    store.write(lambda conn: cases.set_state(conn, case.id, "held", now=at, hold_reason="等科室"))
    assert (row(store, case).grade, row(store, case).problem) == (Grade.STOP, "扣留：等科室")
    number = store.write(
        lambda conn: questions.ask(
            conn,
            settlement_id="S1",
            path="setlinfo.adm_time",
            question="入院时间对吗",
            asked_of="临床",
            asked_by="bian",
            at=at,
        )
    )
    assert (*standing(store, case), row(store, case).problem) == (
        "wait",
        "临床",
        "已问临床：入院时间对吗",
    )
    store.write(lambda conn: questions.answer(conn, number, text="对", author="yi", at=at))
    assert standing(store, case)[0] == "stop"
    store.write(lambda conn: cases.set_state(conn, case.id, "ready", now=at))
    assert standing(store, case) == ("done", "")
    store.write(lambda conn: cases.set_state(conn, case.id, "retired", now=at))
    assert standing(store, case) == ("gone", "")
    gone = row(store, case)
    assert (gone.pay_fen, gone.fee_fen, gone.fund_fen) == (None, None, None)
    assert_sound(store)


def test_the_outbox_moves_the_row(
    store: Store,
    clock: FixedClock,
    put: Put,
    enqueue: Callable[..., outbox.OutboxRow],
    claim: Callable[[], outbox.OutboxRow | None],
) -> None:
    case = put("S1", state="ready")
    queued = enqueue("S1", case_id=case.id)
    assert standing(store, case) == ("done", "")

    def move(event: Event, **more: Any) -> None:
        store.write(
            lambda conn: outbox.apply(
                conn, queued.id, event, now=clock.now(), epoch=store.epoch, **more
            )
        )

    claim()
    assert standing(store, case) == ("done", "")
    move(Event.NO_ANSWER)
    assert (*standing(store, case), row(store, case).problem) == ("wait", "平台", "上传结果不明")
    clock.advance(20)
    move(Event.PLATFORM_HAS_ANOTHER, last_error="主要诊断不同")
    assert standing(store, case) == ("stop", "信息科")
    assert "主要诊断不同" in row(store, case).sentence
    move(Event.RETRIED_BY_PERSON)
    clock.advance(20)
    move(Event.NOT_FOUND_FIRST)
    clock.advance(20)
    move(Event.NOT_FOUND_AGAIN)
    assert standing(store, case)[0] == "done"
    claim()
    move(Event.RECEIPT_REFUSED, last_error="ORA-00001: 违反唯一约束")
    assert (*standing(store, case), row(store, case).problem) == (
        "stop",
        "编码员",
        "平台拒收：ORA-00001: 违反唯一约束",
    )
    assert_sound(store)


def test_a_failed_change_leaves_row_and_marks_alone(
    store: Store, clock: FixedClock, put: Put
) -> None:
    case = put("S1")

    def broken(conn: Connection) -> None:
        cases.set_state(conn, case.id, "ready", now=clock.now())
        raise RecordError("nothing")

    with pytest.raises(RecordError):
        store.write(broken)
    assert standing(store, case)[0] == "clean"
    assert_sound(store)


def test_what_was_marked_outside_the_writer_is_made_at_the_next_write(
    store: Store, put: Put
) -> None:
    case = put("S1")

    def lose(conn: Connection) -> None:
        conn.execute(delete(desk_tables.worklist))
        conn.execute(insert(desk_tables.worklist_due).values(case_id=case.id))

    store.write(lose)
    assert standing(store, case)[0] == "clean"
    assert_sound(store)


def test_money_counts_against_days_and_not_against_the_clock() -> None:
    rank = worklist.rank_of
    near, far = date(2025, 3, 11), date(2025, 3, 14)
    assert rank(1000_00, near, dated=True) > rank(1000_00, far, dated=True)
    assert rank(3000_00, far, dated=True) > rank(1000_00, near, dated=True)
    assert rank(2000_00, far, dated=True) < rank(1000_00, near, dated=True)
    assert rank(1, None, dated=True) < rank(0, date(2199, 1, 1), dated=True)
    assert rank(100_00, None, dated=False) == rank(100_00, near, dated=False)
    assert rank(None, None, dated=False) <= rank(1, None, dated=False)
    assert rank(-500, None, dated=False) == rank(0, None, dated=False)


def test_the_deadline_follows_the_sites_setting(store: Store, put: Put) -> None:
    case = put("S1", pay=100)
    assert row(store, case).deadline is None
    store.write(lambda conn: worklist.set_basis(conn, 10))
    store.write(lambda conn: worklist.refresh(conn, [case.id]))
    assert row(store, case).deadline == date(2025, 3, 11)
    with store.read() as conn:
        assert worklist_rows.due_on(conn, date(2025, 3, 11)) == 1
        assert worklist_rows.due_on(conn, date(2025, 3, 10)) == 0
        assert worklist_rows.overdue(conn, date(2025, 3, 11)) == 0
        assert worklist_rows.overdue(conn, date(2025, 3, 12)) == 1
        due = WorkFilter(tuple(Grade), due_by=date(2025, 3, 11))
        assert [found.case_id for found in worklist_rows.page(conn, due)] == [case.id]


def fill(store: Store, clock: FixedClock, many: int = 120) -> None:
    kinds: tuple[dict[str, Any], ...] = (
        {"errors": ("D001",)},
        {"warnings": ("B056",)},
        {"errors": ("B039",)},
        {},
        {"state": "ready"},
    )

    def put_all(conn: Connection) -> None:
        for number in range(many):
            make_case(
                conn,
                clock.now(),
                f"S{number:03}",
                pay=100 * (number % 40),
                day=date(2025, 3 + number % 2, 1),
                ward=f"{number % 3} 病区",
                doctor=f"D{number % 4}",
                dx="I10.x00" if number % 7 == 0 else "K35.800x001",
                **kinds[number % 5],
            )

    store.write(put_all)


def test_pages_follow_each_other_without_gap_or_repeat(store: Store, clock: FixedClock) -> None:
    fill(store, clock)
    for wanted in (
        WorkFilter(),
        WorkFilter((Grade.STOP,)),
        WorkFilter((Grade.CLEAN, Grade.DONE), department="1 病区"),
        WorkFilter(tuple(Grade), month="2025-04", doctor="D1"),
        WorkFilter(tuple(Grade), search="k35"),
    ):
        with store.read() as conn:
            whole = worklist_rows.page(conn, wanted, limit=1000)
            paged: list[WorkRow] = []
            while found := worklist_rows.page(
                conn,
                wanted,
                after=(paged[-1].rank, paged[-1].case_id) if paged else None,
                limit=7,
            ):
                paged += found
            counted = worklist_rows.counts(conn, wanted)
        assert tuple(paged) == whole
        assert len(whole) == sum(counted[grade].lists for grade in wanted.grades)
        order = [(each.rank, each.case_id) for each in whole]
        assert order == sorted(order, reverse=True)
    assert_sound(store)


def test_counts_without_a_filter_are_those_kept(store: Store, clock: FixedClock) -> None:
    fill(store, clock)
    with store.read() as conn:
        kept = worklist_rows.counts(conn, WorkFilter())
        lists = {grade: count.lists for grade, count in kept.items()}
        assert lists == dict.fromkeys(Grade, 24) | {Grade.GONE: 0}
        assert worklist_rows.to_do(conn) == 24 * len(TO_DO)
        one = worklist_rows.counts(conn, WorkFilter(department="0 病区"))
        assert sum(count.lists for count in one.values()) == 40
        rows = worklist_rows.page(conn, WorkFilter((Grade.STOP,)), limit=99)
        assert kept[Grade.STOP].pay_fen == sum(found.pay_fen or 0 for found in rows)


def test_search_finds_numbers_codes_rules_and_words(store: Store, put: Put) -> None:
    put("S1", errors=("D001",), dx="K35.800x001")
    put("S2", errors=("P004",), dx="I21.401", ward="心内_科")
    everything = tuple(Grade)

    def found(search: str) -> list[str]:
        with store.read() as conn:
            rows = worklist_rows.page(conn, WorkFilter(everything, search=search))
        return sorted(each.settlement_id for each in rows)

    assert found("BS1") == ["S1"]
    assert found("bs") == ["S1", "S2"]
    assert found("ｋ３５．８００Ｘ") == ["S1"]
    assert found("S2") == ["S2"]
    assert found("p004") == ["S2"]
    assert found("阑尾") == ["S1", "S2"]
    assert found("心内_") == ["S2"]
    assert found("心内%") == []
    for nothing in ("' OR 1=1 --", "%", "_", "\\", " ", "\x00", "张"):
        assert found(nothing) == []


def test_a_rule_finds_lists_wherever_the_rule_stands(store: Store, put: Put) -> None:
    put("S1", errors=("D001", "P004"), pay=200)
    put("S2", warnings=("B056",), pay=100)
    with store.read() as conn:
        rows = worklist_rows.page(conn, WorkFilter(rule="P004"))
        assert [each.settlement_id for each in rows] == ["S1"]
        assert worklist_rows.counts(conn, WorkFilter(rule="B056"))[Grade.LOOK].lists == 1
        lines = list(worklist_rows.found_lines(conn, WorkFilter()))
        assert [(line.row.settlement_id, line.rule, line.severity) for line in lines] == [
            ("S1", "D001", Severity.ERROR),
            ("S1", "P004", Severity.ERROR),
            ("S2", "B056", Severity.WARNING),
        ]
        assert worklist_rows.count_findings(conn, WorkFilter()) == 3
        assert worklist_rows.count_findings(conn, WorkFilter(rule="P004")) == 1


def test_choices_are_what_stands_in_the_queue(store: Store, clock: FixedClock) -> None:
    with store.read() as conn:
        assert worklist_rows.choices(conn) == worklist_rows.Choices()
    fill(store, clock, 20)
    with store.read() as conn:
        found = worklist_rows.choices(conn)
    assert found.departments == ("0 病区", "1 病区", "2 病区")
    assert found.doctors == tuple((f"D{number}", "示例医师") for number in range(4))
    assert found.rules == ("B039", "B056", "D001")
    assert found.months == ("2025-04", "2025-03")


def test_the_commonest_rule_is_that_of_most_lists(store: Store, put: Put) -> None:
    with store.read() as conn:
        assert worklist_rows.commonest_rule(conn, Grade.STOP) == ("", 0, "")
    put("S1", errors=("D001",))
    put("S2", errors=("P004", "D001"))
    put("S3", errors=("P004",))
    with store.read() as conn:
        assert worklist_rows.commonest_rule(conn, Grade.STOP) == ("P004", 2, "P004 不符")


def test_saved_views_are_ones_own(store: Store, clock: FixedClock) -> None:
    for login in ("jia", "yi"):
        store.write(
            lambda conn, login=login: accounts.add_user(
                conn,
                login=login,
                name=login,
                role="coder",
                password="x",  # noqa: S106
                now=clock.now(),
                actor="test",
            )
        )

    def save(name: str, query: str = "tab=stop", user: int = 1) -> saved_views.SavedView:
        return store.write(
            lambda conn: saved_views.save(
                conn, user_id=user, name=name, query=query, now=clock.now()
            )
        )

    first = save(" 我的  外科 ", "tab=stop&dept=x")
    assert first.name == "我的 外科"
    assert save("我的 外科", "tab=look").id == first.id
    with store.read() as conn:
        assert [view.query for view in saved_views.views_of(conn, 1)] == ["tab=look"]
        assert saved_views.views_of(conn, 2) == ()
    assert not store.write(lambda conn: saved_views.remove(conn, user_id=2, view_id=first.id))
    assert store.write(lambda conn: saved_views.remove(conn, user_id=1, view_id=first.id))
    for bad in ("  ", "名" * 31):
        with pytest.raises(RecordError):
            save(bad)
    for number in range(saved_views.MOST):
        save(f"v{number}")
    with pytest.raises(RecordError, match="已经有"):
        save("one more")
    assert save("v3", "tab=wait").query == "tab=wait"

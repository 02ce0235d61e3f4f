"""What became of a bill, on the case page and in the queue: words, the form, who may use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.exchange import Event
from dipgate.pipeline import bill_life, contest, edits
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.exchange_stage import queue_ready
from dipgate.store import cases, outbox, verdicts
from dipgate.store.waiting import WaitingStay, put


@pytest.fixture
def desk(listed_state: Path, tmp_path: Path, clock: FixedClock, kit: Any) -> Iterator[Desk]:
    with kit.opened_desk(listed_state, tmp_path, clock) as opened:
        yield opened


def accepted(desk: Desk) -> cases.CaseRow:
    """A clean list that the platform has accepted."""
    with desk.store.read() as conn:
        sid = verdicts.clean_settlements(conn)[0]
    edits.release(desk, sid, author="测试员")
    queue_ready(desk)
    now, epoch = desk.clock.now(), desk.store.epoch

    def send(conn: Any) -> None:
        row = outbox.claim(
            conn, now=now, lease_seconds=30, epoch=epoch, hospital_code="H99010000001"
        )
        assert row is not None
        outbox.apply(conn, row.id, Event.RECEIPT_OK, now=now, epoch=epoch)

    desk.store.write(send)
    return case_of(desk, sid)


def case_of(desk: Desk, sid: str) -> cases.CaseRow:
    with desk.store.read() as conn:
        found = cases.case_by_settlement(conn, sid)
    assert found is not None
    return found


def cancel(desk: Desk, case: cases.CaseRow) -> None:
    why = {case.settlement_id: "settlement.csv 第2行的退费标志是“1”"}
    desk.store.write(
        lambda conn: contest.retire_cancelled(conn, desk, case.source, case.stay_key, why)
    )


def change(desk: Desk, case: cases.CaseRow) -> cases.CaseRow:
    """As if the source had brought another business number."""

    def put_list(conn: Any) -> None:
        after = cases.put_case(
            conn,
            lst=case.settlement_list().with_value("setlinfo.biz_sn", "改过"),
            origins=cases.origins_of(conn, case.id),
            source=case.source,
            stay_key=case.stay_key,
            person_no=case.person_no,
            settled_on=case.settled_on,
            department=case.department,
            doctor=case.doctor,
            fee_fen=case.fee_fen,
            now=desk.clock.now(),
        )
        bill_life.note_change(conn, desk, case, after)

    desk.store.write(put_list)
    return case_of(desk, case.settlement_id)


def test_a_cancelled_list_at_the_platform_is_taken_down_by_a_person(
    desk: Desk, browser: Callable[..., Any]
) -> None:
    case = accepted(desk)
    cancel(desk, case)
    page = browser("office")
    text = page.get(f"/case/{case.id}").text
    assert "结算已撤销，平台上的清单要由人撤下" in text
    assert "退费标志是“1”" in text
    assert "平台收过第 1 版" in text
    assert "结算已撤销，平台上还有这份清单" in page.get("/queue?tab=stop").text
    refused = page.post(f"/case/{case.id}/cleared", {"reason": " "}, htmx=True)
    assert (refused.status_code, "没有写怎样核实的" in refused.text) == (422, True)
    done = page.post(f"/case/{case.id}/cleared", {"reason": "页面上已删"}, htmx=True)
    assert done.status_code == 200
    assert "已记下：平台上没有它" in done.text
    text = page.get(f"/case/{case.id}").text
    assert "记下平台上已没有这份清单：页面上已删" in text
    assert 'name="reason" class="wide"' not in text, "nothing is left to be noted"
    assert "人已核实：平台上没有它" in page.get("/queue?tab=gone").text


def test_a_late_correction_is_shown_with_both_values(
    desk: Desk, browser: Callable[..., Any]
) -> None:
    case = accepted(desk)
    was = case.settlement_list().get("setlinfo.biz_sn")
    change(desk, case)
    text = browser("coder").get(f"/case/{case.id}").text
    assert "来源改了清单，成为第 2 版" in text
    assert "平台收过第 1 版；放行就作为更正上传" in text
    assert f"<td>{was}</td><td>改过</td>" in text


def test_what_waits_is_listed_with_whom_to_ask(desk: Desk, browser: Callable[..., Any]) -> None:
    today = desk.today()
    for days, key in ((1, "A"), (9, "B")):
        stay = WaitingStay(
            "his",
            key,
            "bill",
            desk.clock.now(),
            today.fromordinal(today.toordinal() - days),
            f"MR{key}",
            "心内科",
            "",
        )
        desk.store.write(lambda conn, stay=stay: put(conn, stay))
    page = browser("coder")
    assert 'href="/queue/waiting"' in page.get("/queue").text
    text = page.get("/queue/waiting").text
    assert text.index("MRB") < text.index("MRA"), "the longest gone home first"
    assert "等结算，逾期" in text
    assert "请问财务" in text
    found = page.get("/queue/waiting.json").get_json()
    assert found == {
        "waiting": {"bill": 2, "front_page": 0, "charges": 0},
        "overdue": 1,
        "overdue_after_days": 5,
    }

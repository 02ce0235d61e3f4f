"""The queue's page: filters, search that leaves no trace in addresses, acts, export."""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Callable
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import unquote
from xml.etree import ElementTree

import pytest

from dipgate.core.clock import CHINA, FixedClock
from dipgate.core.findings import Finding, FindingStatus, Severity
from dipgate.core.grouping import GroupResult, GroupStatus, ScoreResult, ScoreStatus
from dipgate.core.lists import SettlementList
from dipgate.core.money import Fen
from dipgate.core.worklist import Grade
from dipgate.pipeline import bulk
from dipgate.pipeline.desk import Desk
from dipgate.store import Connection, audit, cases, groupings, verdicts, worklist_rows
from dipgate.store.worklist_rows import WorkFilter
from dipgate.web.worklists.cells import Lines
from dipgate.web.worklists.filters import cursor_text, filter_of, read_cursor

NAME = "张示例"
CODER = "bian"
SETTLED = date(2025, 6, 10)


def put_list(
    conn: Connection,
    now: datetime,
    settlement: str,
    *,
    errors: tuple[str, ...] = (),
    warnings: tuple[str, ...] = (),
    ward: str = "普外一科",
    message: str = "不符",
    pay: int = 100_00,
    record: str = "",
    field: str = "diseinfo[0].diag_code",
    value: str = "x",
    version: str = "v",
) -> cases.CaseRow:
    lst = SettlementList(
        {
            "setl_id": settlement,
            "medcasno": record or f"B{settlement}",
            "psn_name": NAME,
            "gend": "2",
            "brdy": "1968-01-02",
            "adm_time": "2025-05-20 08:30:00",
            "dscg_dept_name": ward,
            "chfpdr_name": "示例医师",
        },
        diseinfo=({"diag_code": "K35.800x001", "diag_name": "急性<b>阑尾炎", "diag_type": "1"},),
        payinfo=({"fund_pay_type": "310100", "fund_payamt": "150.00"},),
    )
    case = cases.put_case(
        conn,
        lst=lst,
        origins=(),
        source="his",
        stay_key=settlement,
        person_no="P1",
        settled_on=SETTLED,
        department="A04.01",
        doctor="D1",
        fee_fen=5000,
        now=now,
    )
    found = tuple(
        Finding(
            rule, severity, FindingStatus.FOUND, field, value, f"{rule} {message}", "改正", "规范"
        )
        for severity, rules in ((Severity.ERROR, errors), (Severity.WARNING, warnings))
        for rule in rules
    )
    verdicts.put_verdicts(conn, [verdicts.Verdict(case.id, case.list_hash, version, found, now)])
    score = ScoreResult(ScoreStatus.SCORED, amount=Fen(pay))
    group = GroupResult(GroupStatus.GROUPED, policy="p", library="l")
    groupings.put_grouping(
        conn, groupings.Grouping(case.id, case.list_hash, "p", "l", group, score, now)
    )
    cases.set_state(conn, case.id, "checked", now=now)
    return case


def present_version(desk: Desk) -> str:
    """What a verdict of the present rules is stored under: it is not made again."""
    return desk.verdict_version(desk.reference(SETTLED), SETTLED)


@pytest.fixture
def queue(desk: Desk, clock: FixedClock) -> Callable[..., cases.CaseRow]:
    """`queue("S1", errors=("D001",))` puts a judged list into the queue."""

    def put(settlement: str, **given: Any) -> cases.CaseRow:
        given.setdefault("version", present_version(desk))
        return desk.store.write(lambda conn: put_list(conn, clock.now(), settlement, **given))

    return put


@pytest.fixture
def coder(browser: Callable[..., Any]) -> Any:
    return browser("coder")


def records(text: str) -> list[str]:
    """Record numbers of the rows, in order."""
    return re.findall(r'<a href="/case/[0-9a-f]+" data-key="Enter"[^>]*>([^<]*)</a>', text)


def said(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", text))


def test_an_empty_queue_says_what_to_do(coder: Any) -> None:
    answer = coder.get("/queue")
    assert answer.status_code == 200
    assert "dipgate intake" in answer.text
    assert "还没有读到出院结算" in answer.text
    for path in ("/queue/more", "/queue/rows?tab=clean", "/queue/rows?tab=done&dept=x"):
        assert coder.get(path, htmx=True).status_code == 200


def test_rows_tabs_and_sentences(coder: Any, queue: Callable[..., cases.CaseRow]) -> None:
    queue("S1", errors=("D001", "P004"), pay=300_00)
    queue("S2", warnings=("B056",), pay=200_00)
    queue("S3")
    text = coder.get("/queue").text
    assert records(text) == ["BS1", "BS2"]
    words = said(text)
    for expected in (
        "不能传",
        "请看",
        "女 57",
        "普外一科",
        "D001 不符 另 1 处",
        "（规则 D001，依据 规范）",
        "300.00 +150.00",
        "期限未配置",
        "未配置",
        "放行全部无误（1）",
        "第 1–2 份，共 2 份",
    ):
        assert expected in words, expected
    assert "急性&lt;b&gt;阑尾炎" in text
    assert NAME not in text
    assert re.search(r'aria-current="page">队列 <span class="n">2</span>', text)
    assert records(coder.get("/queue?tab=clean").text) == ["BS3"]
    assert "没有错误，也没有要看的，可以放行。" in coder.get("/queue?tab=clean").text
    assert "没有在等别人的清单。" in coder.get("/queue?tab=wait").text
    assert "没有要处理" not in text


def test_the_filter_is_kept_and_stands_in_the_address(
    coder: Any, queue: Callable[..., cases.CaseRow]
) -> None:
    queue("S1", errors=("D001",), ward="骨科")
    queue("S2", errors=("P004",))
    assert records(coder.get("/queue?tab=stop&dept=骨科").text) == ["BS1"]
    again = coder.get("/queue").text
    assert records(again) == ["BS1"]
    assert '<option value="骨科" selected>' in again
    form = {"tab": "todo", "dept": "", "rule": "P004", "q": ""}
    answer = coder.post("/queue/rows", form, htmx=True)
    assert records(answer.text) == ["BS2"]
    assert answer.headers["HX-Replace-Url"] == "/queue?tab=todo&rule=P004"
    assert '<hx-partial hx-target="#tabs"' in answer.text
    nothing = coder.post("/queue/rows", {"tab": "look", "dept": "骨科"}, htmx=True)
    assert "这个范围里没有清单" in nothing.text
    for odd in ("tab=nope&state=<b>&month=x&due=99", "tab=todo&month=2025-06&state=checked"):
        assert sorted(records(coder.get(f"/queue?{odd}").text)) == ["BS1", "BS2"]


def test_what_is_searched_for_never_stands_in_an_address(
    coder: Any, queue: Callable[..., cases.CaseRow]
) -> None:
    queue("S1", errors=("D001",))
    queue("S2")
    answer = coder.post("/queue/rows", {"tab": "todo", "q": NAME}, htmx=True)
    addresses = re.findall(r'(?:href|action|hx-\w+)="([^"]*)"', answer.text)
    assert NAME not in unquote(" ".join([*addresses, answer.headers["HX-Replace-Url"]]))
    assert records(coder.get(f"/queue?tab=todo&q={NAME}").text) == ["BS1"]
    assert NAME not in coder.get("/queue").text
    assert records(coder.post("/queue/rows", {"q": "bs1"}, htmx=True).text) == ["BS1"]
    elsewhere = coder.post("/queue/rows", {"q": "BS2"}, htmx=True).text
    assert "这个标签里没有“BS2”" in elsewhere
    assert "可放行 1 份" in said(elsewhere)
    whole = coder.post("/queue", {"tab": "todo", "q": "K35"}).text
    assert records(whole) == ["BS1"]
    assert 'value="K35"' in whole


def test_pages_follow_by_cursor(coder: Any, desk: Desk, clock: FixedClock) -> None:
    def fill(conn: Connection) -> None:
        for number in range(120):
            put_list(conn, clock.now(), f"S{number:03}", errors=("D001",), pay=1000 + number)

    desk.store.write(fill)
    text = coder.get("/queue?tab=stop").text
    seen = records(text)
    while found := re.search(r"hx-vals='(\{\"after\"[^']*)'", text):
        values = dict(re.findall(r'"(\w+)": "([^"]*)"', found[1]))
        text = coder.post("/queue/more", {"tab": "stop", **values}, htmx=True).text
        seen += records(text)
    assert seen == [f"BS{number:03}" for number in reversed(range(120))]
    assert "第 1–120 份，共 120 份" in text
    for odd in ("", "x", "zz" * 12, "7ff8000000000000ab", "0" * 16):
        answer = coder.post("/queue/more", {"tab": "stop", "after": odd, "seen": "-4"}, htmx=True)
        assert len(records(answer.text)) == 50
    twin = coder.get("/queue.json?tab=stop").get_json()
    assert [row["record_no"] for row in twin["rows"]] == seen[:50]
    second = coder.get(f"/queue.json?tab=stop&after={twin['after']}").get_json()
    assert [row["record_no"] for row in second["rows"]] == seen[50:100]
    stop = {"tab": "stop", "lists": 120, "pay_fen": sum(range(1000, 1120))}
    assert stop in twin["tabs"]
    assert (twin["total"], twin["shared"]) == (120, {"rule": "D001", "lists": 120})
    assert twin["choices"]["rule"] == [["D001", twin["choices"]["rule"][0][1]]]
    assert NAME not in str(twin)


def test_one_list_is_released_where_it_stands(
    coder: Any, desk: Desk, queue: Callable[..., cases.CaseRow]
) -> None:
    clean, broken = queue("S1"), queue("S2", errors=("D001",))
    answer = coder.post(f"/queue/release/{clean.id}", {"tab": "clean"}, htmx=True)
    assert answer.status_code == 200
    assert "刚刚放行" in answer.text
    assert f'hx-target="#r-{clean.id}"' in answer.text
    with desk.store.read() as conn:
        row = worklist_rows.find(conn, clean.id)
        assert row is not None
        assert row.grade is Grade.DONE
        last = audit.rows(conn, act="case.released")[-1]
    assert last.actor == CODER
    again = coder.post(f"/queue/release/{clean.id}", {}, htmx=True)
    assert again.status_code == 409
    refused = coder.post(f"/queue/release/{broken.id}", {}, htmx=True)
    assert refused.status_code == 409
    assert "还有 1 处错误" in refused.text
    assert coder.post("/queue/release/none", {}, htmx=True).status_code == 404


def test_all_clean_lists_are_released_after_a_confirmation(
    coder: Any,
    desk: Desk,
    clock: FixedClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(bulk, "STEP", 20)
    version = present_version(desk)

    def fill(conn: Connection) -> None:
        for number in range(45):
            ward = "骨科" if number % 3 == 0 else "普外一科"
            put_list(
                conn, clock.now(), f"S{number:03}", ward=ward, pay=1000 + number, version=version
            )
        put_list(conn, clock.now(), "W1", warnings=("B056",))

    desk.store.write(fill)
    form = {"tab": "todo", "dept": ""}
    asked = coder.post("/queue/release-clean/ask", form, htmx=True).text
    assert "放行 45 份" in said(asked)
    with desk.store.read() as conn:
        assert worklist_rows.counts(conn, WorkFilter())[Grade.CLEAN].lists == 45
    clock.advance(60)
    desk.store.write(
        lambda conn: put_list(conn, clock.now(), "S044", ward="骨科", pay=9, version=version)
    )
    desk.store.write(lambda conn: put_list(conn, clock.now(), "NEW", version=version))
    text, steps = asked, 0
    while found := re.search(r"hx-vals='(\{\"until\"[^']*)'", text):
        values = dict(re.findall(r'"(\w+)": "([^"]*)"', found[1]))
        text = coder.post("/queue/release-clean", {**form, **values}, htmx=True).text
        steps += 1
        assert steps < 9
    assert steps == 3
    assert "放行了 44 份" in said(text)
    with desk.store.read() as conn:
        counts = worklist_rows.counts(conn, WorkFilter())
        kept = worklist_rows.page(conn, WorkFilter((Grade.CLEAN,)))
    assert (counts[Grade.DONE].lists, counts[Grade.LOOK].lists) == (44, 1)
    assert sorted(row.settlement_id for row in kept) == ["NEW", "S044"]


def test_bulk_release_keeps_to_the_filter_and_can_be_stopped(
    coder: Any, queue: Callable[..., cases.CaseRow], clock: FixedClock
) -> None:
    queue("S1", ward="骨科")
    queue("S2")
    narrowed = coder.post("/queue/release-clean/ask", {"dept": "骨科"}, htmx=True)
    assert "放行 1 份" in said(narrowed.text)
    assert "只在现在的筛选范围里" in narrowed.text
    form = {"dept": "骨科", "until": clock.now().isoformat(), "total": "1"}
    assert "放行了 1 份" in said(coder.post("/queue/release-clean", form, htmx=True).text)
    stopped = coder.post("/queue/release-clean", {"stop": "1", "done": "7"}, htmx=True)
    assert "到按停时放行了 7 份" in said(stopped.text)
    assert records(coder.get("/queue?tab=clean").text) == ["BS2"]
    future = (clock.now() + timedelta(days=1)).isoformat()
    for until in ("", "x", "2025-06-16", future):
        answer = coder.post("/queue/release-clean", {"until": until}, htmx=True)
        assert answer.status_code == 400, until


def test_views_are_saved_opened_and_forgotten(
    coder: Any, browser: Callable[..., Any], queue: Callable[..., cases.CaseRow]
) -> None:
    queue("S1", errors=("D001",), ward="骨科")
    plain = coder.post("/queue/views/new", {"tab": "todo"}, htmx=True)
    assert plain.status_code == 422
    form = {"tab": "stop", "dept": "骨科", "q": NAME}
    naming = coder.post("/queue/views/new", form, htmx=True).text
    assert 'name="dept" value="骨科"' in naming
    assert NAME not in naming
    kept = coder.post("/queue/views", {**form, "name": "<i>我的"})
    assert kept.status_code == 303
    text = coder.get(kept.headers["Location"]).text
    found = re.search(r'<option value="(\d+)" selected>&lt;i&gt;我的</option>', text)
    assert found is not None
    opened = coder.get(f"/queue/views/open?view={found[1]}", htmx=True)
    assert unquote(opened.headers["HX-Redirect"]) == "/queue?tab=stop&dept=骨科"
    office = browser("office")
    assert "我的" not in office.get("/queue").text.split("</nav>")[1]
    office.post(f"/queue/views/{found[1]}/forget")
    assert "&lt;i&gt;我的" in coder.get("/queue").text
    coder.post(f"/queue/views/{found[1]}/forget")
    assert "&lt;i&gt;我的" not in coder.get("/queue").text
    assert coder.get("/queue/views/open?view=x").headers["Location"] == "/queue?tab=todo"
    nameless = coder.post("/queue/views", {**form, "name": " "})
    assert nameless.status_code == 422


def test_roles_without_lists_see_nothing(browser: Callable[..., Any]) -> None:
    admin = browser("administrator")
    for path in ("/queue", "/queue.json", "/queue/findings.xlsx"):
        assert admin.get(path).status_code == 403
    assert admin.post("/queue/release-clean", {}, htmx=True).status_code == 403


SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"


def sheets(data: bytes) -> dict[str, list[list[tuple[str, str]]]]:
    """Sheet name → rows of (type, text) cells, read from the file itself."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        book = ElementTree.fromstring(archive.read("xl/workbook.xml"))  # noqa: S314
        names = [sheet.get("name", "") for sheet in book.iter(f"{SHEET}sheet")]
        out = {}
        for number, name in enumerate(names, start=1):
            tree = ElementTree.fromstring(  # noqa: S314
                archive.read(f"xl/worksheets/sheet{number}.xml")
            )
            assert not list(tree.iter(f"{SHEET}f"))
            assert not list(tree.iter(f"{SHEET}hyperlink"))
            out[name] = [
                [(cell.get("t", "n"), "".join(cell.itertext())) for cell in row]
                for row in tree.iter(f"{SHEET}row")
            ]
            footer = "".join(tree.itertext())
            assert "由 bian" in footer
        return out


def test_findings_leave_as_text_with_a_mark_and_without_persons(
    coder: Any, desk: Desk, queue: Callable[..., cases.CaseRow]
) -> None:
    evil = '=HYPERLINK("http://x","y")'
    queue("S1", errors=("D001",), message=evil, ward="A/B:[一]?*'", value="+1", record="@SUM(1)")
    queue("S2", errors=("B003",), ward="A B  一", field="setlinfo.psn_name", value=NAME)
    queue("S3", warnings=("B056",), ward="History", message="http://x\x00\x0b")
    answer = coder.get("/queue/findings.xlsx?tab=todo")
    assert answer.status_code == 200
    assert "attachment" in answer.headers["Content-Disposition"]
    found = sheets(answer.data)
    assert list(found) == ["A B  一", "A B  一 2", "History 科"]
    cells = {name: rows[2:] for name, rows in found.items()}
    flat = [cell for rows in cells.values() for row in rows for cell in row]
    texts = [text for kind, text in flat if kind != "n"]
    assert f"D001 {evil}" in texts
    assert "+1" in texts
    assert "@SUM(1)" in texts
    assert NAME not in "".join(texts)
    assert [float(text) for kind, text in flat if kind == "n" and text] == [100.0] * 3
    for rows in found.values():
        assert "由 bian 甲（bian） 于 2025-06-16 12:00:00 导出" in rows[0][0][1]
        assert rows[1][0][1] == "等级"
    with desk.store.read() as conn:
        row = audit.rows(conn, act="findings.exported")[-1]
    assert (row.actor, row.detail["findings"]) == (CODER, 3)
    empty = sheets(coder.get("/queue/findings.xlsx?tab=clean").data)
    assert empty["没有问题"][2][0][1] == "这个范围里没有问题。"
    one = sheets(coder.get("/queue/findings.xlsx?tab=todo&dept=History").data)
    assert list(one) == ["History 科"]


def test_too_many_findings_are_refused_not_cut(
    coder: Any, queue: Callable[..., cases.CaseRow], monkeypatch: pytest.MonkeyPatch
) -> None:
    from dipgate.web.pages import queue_acts

    monkeypatch.setattr(queue_acts, "MOST_FINDINGS", 1)
    queue("S1", errors=("D001", "P004"))
    answer = coder.get("/queue/findings.xlsx?tab=todo")
    assert answer.status_code == 422
    assert "有 2 处问题" in answer.text


def test_ten_thousand_problems_on_one_list_cost_one_row(
    coder: Any, queue: Callable[..., cases.CaseRow]
) -> None:
    queue("S1", errors=tuple(f"D{number:04}" for number in range(10_000)))
    text = coder.get("/queue").text
    assert "另 9999 处" in text
    assert len(text) < 600_000


@pytest.mark.parametrize(
    ("now", "deadline", "shown"),
    [
        ("2025-06-16T18:32", date(2025, 6, 16), ("5 小时 28 分", True)),
        ("2025-06-15T19:00", date(2025, 6, 16), ("1 天 5 小时", False)),
        ("2025-06-17T00:00", date(2025, 6, 16), ("已过 1 天", True)),
        ("2025-06-16T23:59", date(2025, 6, 16), ("0 小时 1 分", True)),
        ("2025-06-16T00:00", date(2025, 6, 16), ("1 天 0 小时", False)),
        ("2025-06-16T18:32", None, ("缺结算日期", False)),
    ],
)
def test_time_left_runs_to_the_end_of_the_day(
    now: str, deadline: date | None, shown: tuple[str, bool]
) -> None:
    at = datetime.fromisoformat(now).replace(tzinfo=CHINA)
    assert Lines(at, dated=True).left(deadline) == shown
    assert Lines(at, dated=False).left(deadline) == ("未配置", False)


def test_a_cursor_is_exact() -> None:
    for rank in (0.1, -246123.45678901234, 1e-300, 12.0):
        assert read_cursor(cursor_text((rank, "ab12"))) == (rank, "ab12")
    for text in ("", "1.5~ab", "7ff0000000000000ab", "fff8000000000000ab", "0" * 16, "A" * 20):
        assert read_cursor(text) is None


def test_a_filter_reads_only_what_makes_sense() -> None:
    plain = filter_of({"tab": "x", "due": "99", "month": "2025-6", "q": "张"})
    assert plain == filter_of({})
    assert plain.is_plain
    asked = filter_of({"tab": "look", "dept": "普外 & 一科", "q": "张"}, search=True)
    assert asked.q == "张"
    assert "q=" not in asked.path()
    assert unquote(asked.path()) == "/queue?tab=look&dept=普外+&+一科"

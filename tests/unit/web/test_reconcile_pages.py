"""The reconciliation page: every list is counted once, each difference explained and drillable."""

from __future__ import annotations

import io
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest
from python_calamine import CalamineWorkbook

from dipgate.core.clock import FixedClock
from dipgate.core.exchange import Event
from dipgate.core.grouping import GroupStatus
from dipgate.pipeline import exchange_stage, reconcile_view
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.edits import release_clean
from dipgate.pipeline.reconcile_stage import reconcile
from dipgate.service.wiring import open_desk
from dipgate.store import audit, cases, groupings, outbox, reconciliations, results

MONTH = "2025-03"
ALIEN = "JS-ALIEN-<b>1</b>"


@dataclass(frozen=True)
class Settled:
    """What the bureau answered on purpose, by settlement."""

    other_group: str
    other_base: str
    other_rounding: str
    not_returned: str
    not_uploaded: str
    accepted: int
    waiting: int


def bureau_rows(desk: Desk) -> dict[str, dict[str, Any]]:
    """3606 rows that agree with ours in everything."""
    with desk.store.read() as conn:
        money = groupings.latest_of_month(conn, MONTH)
        taken = {row.settlement_id for row in cases.cases_in(conn, states=("accepted",))}
    rows = {}
    for settlement_id in sorted(taken):
        found = money[settlement_id]
        grouped = found.group.status in (
            GroupStatus.GROUPED,
            GroupStatus.GROUPED_COMPREHENSIVE,
            GroupStatus.BLANK,
        )
        rows[settlement_id] = {
            "setl_id": settlement_id,
            "nuld_flag": "0",
            "grp_stas": "1" if grouped else "0",
            "dip_dise_grp_code": found.group.group_code,
            "grp_dise_sco": "" if found.group.base_score is None else str(found.group.base_score),
            "act_setl_sco": "" if found.score.score is None else str(found.score.score),
        }
    return rows


@pytest.fixture(scope="module")
def settled_state(
    listed_state: Path, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Settled]:
    """A month that the platform took and answered: four lists differ, one is not ours."""
    state = tmp_path_factory.mktemp("settled") / "state"
    shutil.copytree(listed_state, state)
    clock = FixedClock(pytest_noon())
    with open_desk(state, state / "site.toml", clock=clock) as desk:
        release_clean(desk, author="甲")
        exchange_stage.queue_ready(desk)
        with desk.store.read() as conn:
            rows = outbox.list_rows(conn)
        for row in rows:
            desk.store.write(lambda conn, row=row: accept(conn, desk, row.id))
        answers = bureau_rows(desk)
        priced = [key for key, row in answers.items() if row["act_setl_sco"]]
        first, second, third, fourth = priced[:4]
        answers[first] |= {
            "dip_dise_grp_code": "KBBZ",
            "grp_dise_sco": "100",
            "act_setl_sco": "104",
        }
        base = Decimal(answers[second]["grp_dise_sco"])
        answers[second] |= {
            "grp_dise_sco": str(base + 10),
            "act_setl_sco": str(Decimal(answers[second]["act_setl_sco"]) + 12),
        }
        del answers[third]
        answers[fourth]["nuld_flag"] = "1"
        rounded = next(
            key for key in priced[4:] if Decimal(answers[key]["act_setl_sco"]) % Decimal("0.01")
        )
        score = Decimal(answers[rounded]["act_setl_sco"])
        answers[rounded]["act_setl_sco"] = str(score.quantize(Decimal("0.01"), ROUND_HALF_UP))
        alien = {"setl_id": ALIEN, "nuld_flag": "0", "grp_stas": "1", "dip_dise_grp_code": "K1"}
        page = [*answers.values(), alien]
        desk.store.write(lambda conn: results.put_page(conn, "3606", MONTH, page, clock.now()))
        reconcile(desk, MONTH)
        with desk.store.read() as conn:
            states = cases.counts(conn, month=MONTH)
    told = Settled(
        first, second, rounded, third, fourth, len(rows), sum(states.values()) - len(rows)
    )
    return state, told


def pytest_noon() -> Any:
    from datetime import datetime

    from dipgate.core.clock import CHINA

    return datetime(2025, 6, 16, 12, 0, 0, tzinfo=CHINA)


def accept(conn: Any, desk: Desk, number: int) -> None:
    now = desk.clock.now()
    outbox.claim(
        conn,
        now=now,
        lease_seconds=60,
        epoch=desk.store.epoch,
        hospital_code=desk.store.hospital_code,
    )
    outbox.apply(conn, number, Event.RECEIPT_OK, now=now, epoch=desk.store.epoch, list_no="L1")


@pytest.fixture
def told(settled_state: tuple[Path, Settled]) -> Settled:
    return settled_state[1]


@pytest.fixture
def desk(settled_state: tuple[Path, Settled], tmp_path: Path, clock: FixedClock) -> Iterator[Desk]:
    state = tmp_path / "state"
    shutil.copytree(settled_state[0], state)
    with open_desk(state, state / "site.toml", clock=clock) as opened:
        yield opened


def case_id(desk: Desk, settlement_id: str) -> str:
    with desk.store.read() as conn:
        case = cases.case_by_settlement(conn, settlement_id)
    assert case is not None
    return case.id


def test_heads_add_up_and_money_is_of_both_sides(desk: Desk, told: Settled) -> None:
    view = reconcile_view.month_view(desk, MONTH)
    assert view.compared == told.accepted + 1
    assert (view.different, view.ours_alone, view.not_uploaded, view.theirs_alone) == (3, 1, 1, 1)
    assert view.equal == told.accepted - 5
    assert (
        view.equal + view.different + view.ours_alone + view.not_uploaded + (view.theirs_alone)
        == view.compared
    )
    assert view.not_sent == told.waiting
    assert view.explained == view.different
    assert view.change_fen == sum(line.change_fen or 0 for line in view.reasons)
    assert [line.key for line in view.alone] == ["NOT_RETURNED", "NOT_UPLOADED", "NOT_OURS"]
    money = [abs(line.change_fen or 0) for line in view.reasons]
    assert money == sorted(money, reverse=True)


def test_money_of_a_case_that_the_platform_did_not_group_is_counted(
    browser: Callable[..., Any], desk: Desk
) -> None:
    """The page's money is the whole month's: with what stands on one side it is the summary's."""
    answers = bureau_rows(desk)
    ungrouped, missing = [key for key, row in answers.items() if row["act_setl_sco"]][:2]
    answers[ungrouped] |= {
        "grp_stas": "0",
        "dip_dise_grp_code": "",
        "grp_dise_sco": "",
        "act_setl_sco": "",
    }
    del answers[missing]
    now = desk.clock.now()
    with desk.store.read() as conn:
        before = results.results_for(conn, "3606", MONTH)
    gone = [{"setl_id": row.settlement_id, "nuld_flag": "1"} for row in before]
    page = {row["setl_id"]: row for row in (*gone, *answers.values())}
    desk.store.write(lambda conn: results.put_page(conn, "3606", MONTH, list(page.values()), now))
    report = reconcile(desk, MONTH)
    view = reconcile_view.month_view(desk, MONTH)
    line = next(item for item in view.reasons if item.key == "R_UNGROUPED")
    ours = next(item for item in report.lists if item.settlement_id == ungrouped)
    assert ours.expected_fen
    assert (line.lists, line.change_fen) == (1, -ours.expected_fen)
    assert view.change_fen == -ours.expected_fen
    assert view.score_change == -(ours.our_score or 0)
    assert view.our_money_alone.lists >= 1
    assert view.our_fen + view.our_money_alone.fen == report.expected_fen
    assert view.their_fen + view.their_money_alone.fen == report.settled_fen
    shown = browser("coder").get(f"/reconcile?month={MONTH}&reason=R_UNGROUPED").text
    assert f"另有 {view.our_money_alone.lists} 份平台没有金额" in shown
    assert "平台没有入组，没有应付，按 0 元比较" in shown


def test_the_page_shows_figures_reasons_lists_and_steps(
    browser: Callable[..., Any], desk: Desk, told: Settled
) -> None:
    page = browser("coder").get("/reconcile")
    assert page.status_code == 200
    for words in ("入组不同", "目录版本不同", "平台还没给结果", "平台有，我方没有", "一致"):
        assert words in page.text
    assert f"共 {told.accepted + 1} 份" in page.text
    assert f'href="/case/{case_id(desk, told.other_group)}"' in page.text
    assert "KBBZ" in page.text
    assert 'class="diff"' in page.text
    assert "怎么办" in page.text


def test_no_address_holds_a_settlement_or_a_record_number(
    browser: Callable[..., Any], desk: Desk
) -> None:
    opened = browser("coder")
    with desk.store.read() as conn:
        known = [row.settlement_id for row in cases.cases_in(conn)]
    for reason in ("R_GROUP", "R_LIBRARY", "NOT_RETURNED", "NOT_OURS", "EQUAL"):
        text = opened.get(f"/reconcile?month={MONTH}&reason={reason}").text
        for address in re.findall(r'(?:href|hx-get|hx-post|action)="([^"]*)"', text):
            assert not any(number in address for number in known)


def test_each_reason_lists_its_lists(browser: Callable[..., Any], told: Settled) -> None:
    opened = browser("office")
    rows = opened.get(f"/reconcile/rows?month={MONTH}&reason=R_LIBRARY", htmx=True)
    assert rows.status_code == 200
    assert "病种分值 我方 → 平台" in rows.text
    assert rows.text.count("data-row") == 1
    equal = opened.get(f"/reconcile/rows?month={MONTH}&reason=EQUAL", htmx=True)
    assert equal.text.count("data-row") == min(50, told.accepted - 5)


def test_what_the_platform_sends_is_text_and_never_markup(browser: Callable[..., Any]) -> None:
    text = browser("coder").get(f"/reconcile?month={MONTH}&reason=NOT_OURS").text
    assert "JS-ALIEN-&lt;b&gt;1&lt;/b&gt;" in text
    assert "<b>1</b>" not in text


def test_the_trail_of_one_list(browser: Callable[..., Any], desk: Desk, told: Settled) -> None:
    opened = browser("coder")
    found = opened.get(
        f"/reconcile/trail/{case_id(desk, told.other_base)}?month={MONTH}", htmx=True
    )
    assert "同一病种组的病种分值" in found.text
    assert re.search(r'class="diff"><span>病种分值</span>', found.text)
    assert re.search(r'class="after"><span>最终分值</span>', found.text)
    alone = opened.get(
        f"/reconcile/trail/{case_id(desk, told.not_returned)}?month={MONTH}", htmx=True
    )
    assert "分组结果里还没有它" in alone.text
    assert '<ol class="trail">' not in alone.text


def test_the_trail_says_what_gives_their_value(
    browser: Callable[..., Any], desk: Desk, told: Settled
) -> None:
    found = browser("coder").get(
        f"/reconcile/trail/{case_id(desk, told.other_rounding)}?month={MONTH}", htmx=True
    )
    assert "只差进位：我方 4 位，四舍五入，平台 2 位，四舍五入" in found.text
    assert "依据：分值的位数或进位" in found.text
    assert re.search(r'class="diff"><span>最终分值</span>', found.text)


def test_the_case_page_says_where_it_parts_from_the_platform(
    browser: Callable[..., Any], desk: Desk, told: Settled
) -> None:
    opened = browser("coder")
    apart = opened.get(f"/case/{case_id(desk, told.other_base)}/trace", htmx=True)
    assert "和平台的结果不一样：目录版本不同" in apart.text
    assert re.search(r'class="diff"><span>病种分值</span>', apart.text)
    assert apart.text.index("为什么</h3>") < apart.text.index('class="trail"')
    with desk.store.read() as conn:
        same = next(row for row in reconciliations.of_month(conn, MONTH, reason="EQUAL"))
    alike = opened.get(f"/case/{case_id(desk, same.settlement_id)}/trace", htmx=True)
    assert "和平台的结果不一样" not in alike.text


@pytest.mark.parametrize(
    "path",
    [
        "/reconcile?reason=NOPE",
        f"/reconcile/rows?month={MONTH}&reason=NOPE",
        "/reconcile/rows?month=2025-13&reason=EQUAL",
        f"/reconcile/trail/none?month={MONTH}",
        "/reconcile/trail/none?month=x",
        "/reconcile/xlsx?month=x",
    ],
)
def test_what_is_not_there_is_said_not_to_be(browser: Callable[..., Any], path: str) -> None:
    assert browser("coder").get(path).status_code == 404


@pytest.mark.parametrize("offset", ["-1", "x", "99999999999999999999", "500"])
def test_any_offset_has_an_answer(browser: Callable[..., Any], offset: str) -> None:
    path = f"/reconcile?month={MONTH}&reason=EQUAL&offset={offset}"
    assert browser("coder").get(path).status_code == 200


def test_a_month_that_was_never_compared_says_what_comes_next(
    browser: Callable[..., Any], desk: Desk
) -> None:
    desk.store.write(lambda conn: reconciliations.put(conn, MONTH, [], desk.clock.now()))
    text = browser("coder").get("/reconcile").text
    assert "这个月还没有对过账" in text
    assert "重新对账" in text


def test_comparing_again_is_the_persons_act(
    browser: Callable[..., Any], desk: Desk, told: Settled
) -> None:
    opened = browser("office")
    answer = opened.post("/reconcile/again", {"month": MONTH})
    assert answer.status_code == 303
    with desk.store.read() as conn:
        last = audit.rows(conn, act="reconciliation.made")[-1]
    assert last.actor == "yiban"
    assert last.detail["lists"] == told.accepted + 1
    assert opened.post("/reconcile/again", {"month": "x"}).status_code == 400


def test_the_workbook_holds_every_list_that_is_not_alike(
    browser: Callable[..., Any], told: Settled
) -> None:
    answer = browser("coder").get(f"/reconcile/xlsx?month={MONTH}")
    assert "attachment" in answer.headers["Content-Disposition"]
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(answer.data)).get_sheet_by_index(0)
    rows = sheet.to_python()
    assert rows[0][0] == f"{MONTH} 对账差异，6 份"
    lists = [row for row in rows if row[0] in {guide.label for guide in GUIDES}]
    assert len(lists) == 6
    assert any(ALIEN in row for row in lists)
    assert all(isinstance(row[7], float) for row in lists if row[0] in ("入组不同", "目录版本不同"))
    assert told.accepted > 5


GUIDES = tuple(reconcile_view.GUIDES.values())


def test_the_count_beside_the_navigation_is_of_lists_that_are_not_alike(
    browser: Callable[..., Any],
) -> None:
    text = browser("coder").get("/account").text
    assert re.search(r'href="/reconcile">对账 <span class="n">6</span>', text)


def test_every_reason_has_its_words() -> None:
    from dipgate.pregrouper.differences import Reason

    assert set(reconcile_view.GUIDES) == set(Reason)
    for guide in GUIDES:
        assert guide.label
        assert guide.why
        assert guide.how
        assert guide.why.format(ours="a", theirs="b")

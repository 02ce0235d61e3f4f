"""The case page in real Chromium: keys alone, two people on one list, a tab that was closed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from dipgate.core.clock import FixedClock
from dipgate.core.findings import FindingStatus
from dipgate.pipeline.desk import Desk
from dipgate.store import cases, overlays, verdicts

PATH = "setlinfo.dscg_way"
CELL = "#c-setlinfo-dscg_way"
HARMLESS = ("Failed to load resource", "Autofocus processing was blocked")


def ready(tab: Tab) -> None:
    """Until htmx has taken the page over; a key pressed before would be lost."""
    expect(tab.locator("#list [data-htmx-powered]").first).to_be_visible()


class Ward:
    """A served desk with lists in it; `tab()` opens a browser of a signed-in coder."""

    def __init__(self, desk: Desk, address: str, open_tab: Callable[[], Tab]) -> None:
        self.desk = desk
        self.address = address
        self.open_tab = open_tab
        self.said: list[str] = []

    def tab(self, case: cases.CaseRow) -> Tab:
        opened = self.open_tab()
        opened.on("console", lambda message: self.said.append(message.text))
        opened.on("pageerror", lambda error: self.said.append(str(error)))
        opened.goto(f"{self.address}/case/{case.id}")
        ready(opened)
        return opened

    def now(self, case: cases.CaseRow) -> cases.CaseRow:
        with self.desk.store.read() as conn:
            found = cases.get_case(conn, case.id)
        assert found is not None
        return found

    def lists(self, rule: str = "") -> list[cases.CaseRow]:
        """Lists on which a rule is found; without a rule, those without any finding."""
        found = []
        with self.desk.store.read() as conn:
            for case in cases.cases_in(conn, states=("checked",)):
                verdict = verdicts.latest(conn, case.id)
                rules = {
                    item.rule
                    for item in (verdict.findings if verdict else ())
                    if item.status is FindingStatus.FOUND
                }
                if (rule in rules) if rule else not rules:
                    found.append(case)
        return found


@pytest.fixture(scope="module")
def ward(
    chromium: Browser, kit: Any, listed_state: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Ward]:
    clock = FixedClock(kit.NOON)
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("case")
        desk = stack.enter_context(kit.opened_desk(listed_state, folder, clock))
        address = stack.enter_context(kit.served(kit.app_over(desk)))

        def open_tab() -> Tab:
            size = {"width": 1366, "height": 768}
            context = stack.enter_context(chromium.new_context(viewport=size))
            context.set_default_timeout(8_000)
            opened = context.new_page()
            kit.sign_in(opened, address, "coder")
            return opened

        found = Ward(desk, address, open_tab)
        yield found
    left = [text for text in found.said if not any(mark in text for mark in HARMLESS)]
    assert left == [], "nothing in the console, no violation of the policy"


def test_a_red_list_is_put_right_and_released_with_keys_alone(ward: Ward) -> None:
    case = ward.lists("D009")[0]
    tab = ward.tab(case)
    current = tab.locator('#findings [aria-current="true"]')
    expect(current).to_contain_text("D009")
    expect(tab.locator("#record .evidence")).to_have_count(1)
    tab.keyboard.press("1")
    expect(tab.locator("#findings")).to_contain_text("没有问题")
    expect(tab.locator("#listhead")).to_contain_text("改动 1 处")
    expect(tab.locator("#why-not")).to_have_text("可以放行")
    tab.keyboard.press("u")
    expect(current).to_contain_text("D009")
    tab.keyboard.press("r")
    expect(tab.locator("#findings")).to_contain_text("没有问题")
    tab.keyboard.press("F8")
    expect(tab.locator("#why-not")).to_contain_text("已放行")
    assert ward.now(case).state == "ready"


def test_enter_opens_the_field_of_the_problem_and_saves_it(ward: Ward) -> None:
    case = ward.lists("L004")[0]
    tab = ward.tab(case)
    tab.keyboard.press("Enter")
    expect(tab.locator("#edit-value")).to_be_focused()
    tab.keyboard.press("Control+a")
    tab.keyboard.type("abc")
    tab.keyboard.press("Enter")
    expect(tab.locator("#conflict")).to_contain_text("读不出的数字")
    expect(tab.locator("#edit-value")).to_have_value("abc")
    with ward.desk.store.read() as conn:
        verdict = verdicts.latest(conn, case.id)
    assert verdict is not None
    fix = next(item for item in verdict.findings if item.rule == "L004").fixes[0]
    tab.fill("#edit-value", fix.value)
    tab.press("#edit-value", "Enter")
    expect(tab.locator("#findings")).to_contain_text("没有问题")
    expect(tab.locator("#c-setlinfo-age")).to_be_focused()
    assert ward.now(case).settlement_list().get("setlinfo.age") == fix.value


def test_arrows_try_a_code_on_the_strip_and_escape_drops_it(ward: Ward) -> None:
    case = ward.lists()[0]
    tab = ward.tab(case)
    tab.click("#c-diseinfo-0-diag_code")
    tab.fill("#edit-value", "")
    tab.type("#edit-value", "lwy")
    expect(tab.locator("#hits [role=option]").first).to_be_visible()
    tab.keyboard.press("ArrowDown")
    expect(tab.locator("#strip .arrow").first).to_be_visible()
    tab.keyboard.press("Escape")
    expect(tab.locator("#edit")).to_have_count(0)
    expect(tab.locator("#strip .arrow")).to_have_count(0)
    assert ward.now(case) == case


def test_a_line_goes_up_with_the_keyboard_and_keeps_the_focus(ward: Ward) -> None:
    case = ward.lists()[0]
    codes = [row["diag_code"] for row in case.settlement_list().diseinfo or ()]
    tab = ward.tab(case)
    tab.focus("#c-diseinfo-1-diag_code")
    tab.keyboard.press("Control+ArrowUp")
    expect(tab.locator("#c-diseinfo-0-diag_code")).to_contain_text(codes[1])
    expect(tab.locator("#c-diseinfo-0-diag_code")).to_be_focused()
    tab.keyboard.press("Control+ArrowDown")
    expect(tab.locator("#c-diseinfo-0-diag_code")).to_contain_text(codes[0])
    expect(tab.locator("#c-diseinfo-1-diag_code")).to_be_focused()


def test_two_people_on_one_list_lose_nothing(ward: Ward) -> None:
    case = ward.lists()[1]
    one, other = ward.tab(case), ward.tab(case)
    one.click(CELL)
    one.fill("#edit-value", "2")
    other.click(CELL)
    other.fill("#edit-value", "4")
    other.press("#edit-value", "Enter")
    expect(other.locator(CELL)).to_contain_text("非医嘱离院")
    one.press("#edit-value", "Enter")
    expect(one.locator("#conflict")).to_contain_text("现在是")
    expect(one.locator("#conflict")).to_contain_text("4")
    expect(one.locator("#edit-value")).to_have_value("2")
    one.click("#conflict button:has-text('存我的')")
    expect(one.locator(CELL)).to_contain_text("医嘱转院")
    with ward.desk.store.read() as conn:
        held = overlays.active_for(conn, case.settlement_id)
    assert [(item.expect, item.value) for item in held] == [("1", "4"), ("4", "2")]


def test_what_was_typed_is_offered_again_until_it_is_saved(ward: Ward) -> None:
    case = ward.lists()[2]
    tab = ward.tab(case)
    tab.click(CELL)
    tab.fill("#edit-value", "2")
    tab.fill("#edit-reason", "出院记录第 3 行")
    tab.reload()
    ready(tab)
    expect(tab.locator("#notice")).to_contain_text("离院方式")
    tab.click("#notice button >> nth=0")
    expect(tab.locator("#edit-value")).to_have_value("2")
    expect(tab.locator("#edit-reason")).to_have_value("出院记录第 3 行")
    tab.press("#edit-value", "Enter")
    expect(tab.locator(CELL)).to_contain_text("医嘱转院")
    assert tab.evaluate("sessionStorage.length") == 0
    with ward.desk.store.read() as conn:
        (made,) = overlays.active_for(conn, case.settlement_id)
    assert made.reason == "出院记录第 3 行"
    tab.reload()
    expect(tab.locator("#notice")).to_be_empty()


def test_what_was_dropped_is_not_offered_again(ward: Ward) -> None:
    tab = ward.tab(ward.lists()[2])
    tab.click(CELL)
    tab.fill("#edit-value", "9")
    tab.keyboard.press("Escape")
    expect(tab.locator("#edit")).to_have_count(0)
    assert tab.evaluate("sessionStorage.length") == 0


def test_the_source_cell_of_a_field_is_marked_under_mouse_and_focus(ward: Ward) -> None:
    tab = ward.tab(ward.lists()[0])
    tab.hover("#c-setlinfo-adm_time")
    expect(tab.locator("#record .evidence dt")).to_have_text("入院时间")
    expect(tab.locator("#lineage")).to_contain_text("入院时间")
    tab.focus("#c-setlinfo-hi_type")
    expect(tab.locator("#record .evidence dt")).to_have_text("医保类型")
    expect(tab.locator("#record .evidence")).to_be_in_viewport()


def test_a_session_that_ends_in_mid_edit_loses_nothing(ward: Ward, kit: Any) -> None:
    case = ward.lists()[3]
    tab = ward.tab(case)
    tab.click(CELL)
    with tab.expect_response("**/simulate"):
        tab.fill("#edit-value", "2")
    tab.context.clear_cookies()
    tab.press("#edit-value", "Enter")
    expect(tab.locator("#notice")).to_contain_text("登录到期了")
    expect(tab.locator("#edit-value")).to_have_value("2")
    assert ward.now(case) == case
    tab.fill("#again-login", kit.LOGINS["coder"])
    tab.fill("#again-password", kit.PASSWORD)
    tab.press("#again-password", "Enter")
    expect(tab.locator("#notice")).to_contain_text("已登录")
    tab.press("#edit-value", "Enter")
    expect(tab.locator(CELL)).to_contain_text("医嘱转院")
    assert tab.evaluate("sessionStorage.length") == 0


def test_what_was_typed_comes_back_after_a_new_log_in(ward: Ward, kit: Any) -> None:
    case = ward.lists()[4]
    tab = ward.tab(case)
    tab.click(CELL)
    with tab.expect_response("**/simulate"):
        tab.fill("#edit-value", "4")
    tab.context.clear_cookies()
    tab.reload()
    tab.fill("#login", kit.LOGINS["coder"])
    tab.fill("#password", kit.PASSWORD)
    tab.press("#password", "Enter")
    ready(tab)
    expect(tab.locator("#notice")).to_contain_text("上次打了没有存")
    tab.click("#notice button >> nth=0")
    expect(tab.locator("#edit-value")).to_have_value("4")

"""A coder's day in real Chromium, from the log-in to the platform's answer, keys alone.

The desk is a process of its own, so is the platform; nothing is faked between them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from dipgate.store import overlays

MOST_KEYS = 3
"""From the queue to the first problem of the first red list."""


class Keys:
    """Presses and counts."""

    def __init__(self, tab: Tab) -> None:
        self._tab = tab
        self.pressed = 0

    def press(self, key: str) -> None:
        self.pressed += 1
        self._tab.keyboard.press(key)


def test_from_the_first_red_list_to_a_reconciled_one(
    house: Any, until: Callable[..., None]
) -> None:
    tab = house.tab()
    house.sign_in(tab, "bian")
    expect(tab.locator("#rows")).to_be_visible()
    keys = Keys(tab)
    current = tab.locator("#rows tr.cur").first
    while "不能传" not in current.inner_text():
        keys.press("j")
    keys.press("Enter")
    problem = tab.locator('#findings [aria-current="true"]')
    expect(problem).to_be_visible()
    assert keys.pressed <= MOST_KEYS
    case_id = tab.url.rpartition("/")[2]
    settlement = next(case.settlement_id for case in house.cases_with("D020") if case.id == case_id)
    assert settlement not in tab.url

    # What is wrong, where it came from, and what the list is worth: nothing yet.
    expect(problem).to_contain_text("D020")
    expect(tab.locator("#record .evidence")).to_be_visible()
    strip = tab.locator("#strip")
    expect(strip).to_contain_text("不计分")
    expect(tab.locator("#why-not")).to_contain_text("改 1 处")

    # Enter opens the cell, typing finds the code, the strip shows what it would come to.
    right = house.true_principal(settlement)
    tab.keyboard.press("Enter")
    expect(tab.locator("#edit-value")).to_be_focused()
    tab.keyboard.press("Control+a")
    tab.keyboard.type(right["diag_code"])
    expect(tab.locator("#hits [role=option]").first).to_contain_text(right["diag_name"])
    tab.keyboard.press("ArrowDown")
    expect(strip.locator(".arrow").first).to_be_visible()
    assert (
        house.case(settlement).settlement_list().get("diseinfo[0].diag_code") != right["diag_code"]
    ), "a try changes nothing"

    # Enter again saves: the finding goes, the strip has a group and money.
    tab.keyboard.press("Enter")
    expect(tab.locator("#findings")).not_to_contain_text("D020")
    expect(strip).not_to_contain_text("不计分")
    expect(strip.locator(".arrow")).to_have_count(0)
    saved = house.case(settlement)
    assert saved.settlement_list().get("diseinfo[0].diag_code") == right["diag_code"]

    # The code now stands twice; one key takes the other line away. Then it may go.
    expect(problem).to_contain_text("D008")
    tab.keyboard.press("1")
    expect(tab.locator("#findings")).to_contain_text("没有问题")
    expect(tab.locator("#why-not")).to_have_text("可以放行")
    tab.keyboard.press("F8")
    expect(tab.locator("#why-not")).to_contain_text("已放行")

    # The sender takes it, the platform takes it, the results are fetched and compared.
    until(lambda: house.case(settlement).state == "accepted", what="acceptance")
    tab.goto(f"{house.address}/case/{case_id}")
    expect(tab.locator("main")).to_contain_text("已接收")
    tab.goto(f"{house.address}/reconcile")
    tab.get_by_role("button", name="去平台取").click()
    figures = tab.locator(".figs .fig").first
    expect(figures).to_contain_text("共 1 份", timeout=30_000)
    record = saved.settlement_list().get("setlinfo.medcasno")
    expect(tab.locator("#diff")).to_contain_text(str(record))
    with house.store() as store, store.read() as conn:
        acts = overlays.active_for(conn, settlement)
    assert {act.author for act in acts} == {"bian"}
    assert all(act.reason for act in acts)


def test_what_a_second_browser_saves_is_shown_and_nothing_is_lost(house: Any) -> None:
    case = house.cases_with("D009")[0]
    cell, path = "#c-setlinfo-dscg_way", "setlinfo.dscg_way"
    before = str(case.settlement_list().get(path))
    theirs, mine = ("2", "3") if before == "1" else ("1", "3")
    first, second = house.tab("bian"), house.tab("ma")
    for tab in (first, second):
        tab.goto(f"{house.address}/case/{case.id}")
    first.click(cell)
    first.fill("#edit-value", mine)

    second.click(cell)
    second.fill("#edit-value", theirs)
    second.press("#edit-value", "Enter")
    expect(second.locator("#listhead")).to_contain_text("改动 1 处")
    assert house.case(case.settlement_id).settlement_list().get(path) == theirs

    # The first one saves later: told, with both values; the typing is still there.
    first.press("#edit-value", "Enter")
    conflict = first.locator("#conflict")
    expect(conflict).to_contain_text("ma")
    expect(first.locator("#edit-value")).to_have_value(mine)
    assert house.case(case.settlement_id).settlement_list().get(path) == theirs

    # Having seen both, he decides; the other's act stays in the history.
    conflict.get_by_role("button").first.click()
    expect(first.locator("#edit")).to_have_count(0)
    with house.store() as store, store.read() as conn:
        acts = overlays.acts_of(conn, case.settlement_id)
    values = [change.value for act in acts for change in act.changes]
    assert theirs in values
    assert mine in values
    assert house.case(case.settlement_id).settlement_list().get(path) in (mine, theirs)


def test_a_fix_elsewhere_meanwhile_does_not_swallow_what_is_typed(house: Any) -> None:
    case = house.cases_with("D009")[-1]
    first, second = house.tab("bian"), house.tab("ma")
    for tab in (first, second):
        tab.goto(f"{house.address}/case/{case.id}")
    first.click("#c-setlinfo-dscg_way")
    first.fill("#edit-value", "4")
    expect(second.locator('#findings [aria-current="true"]')).to_contain_text("D009")
    second.keyboard.press("1")
    expect(second.locator("#findings")).to_contain_text("没有问题")
    lines = len(house.case(case.settlement_id).settlement_list().rows("diseinfo"))
    first.press("#edit-value", "Enter")
    after = house.case(case.settlement_id).settlement_list()
    if after.get("setlinfo.dscg_way") != "4":
        expect(first.locator("#edit-value")).to_have_value("4")
        first.locator("#conflict").get_by_role("button").first.click()
        expect(first.locator("#edit")).to_have_count(0)
        after = house.case(case.settlement_id).settlement_list()
    assert after.get("setlinfo.dscg_way") == "4"
    assert len(after.rows("diseinfo")) == lines, "the other's fix holds"


@pytest.mark.parametrize("login", ["bian", "yiban", "xinxi"])
def test_every_role_begins_on_a_page_of_its_own(house: Any, login: str) -> None:
    tab = house.tab(login)
    expect(tab.locator("nav a[aria-current=page]")).to_have_count(1)
    expect(tab.locator(".mode")).to_have_text("正式上传")
    for link in tab.locator("nav a").all():
        answer = tab.request.get(f"{house.address}{link.get_attribute('href')}")
        assert answer.status == 200, link.inner_text()

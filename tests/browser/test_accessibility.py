"""axe finds no serious fault on any page; nothing scrolls sideways at 1366 × 768."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page as Tab
from playwright.sync_api import expect

from dipgate.store import cases

AXE = Path(__file__).with_name("vendor") / "axe.min.js"
SERIOUS = ("serious", "critical")
SIZE = "() => [document.documentElement.scrollWidth, document.documentElement.scrollHeight]"
RUN = "() => axe.run(document, {resultTypes: ['violations']})"

Shown = Callable[[Any, Tab], None]


def nothing(_house: Any, _tab: Tab) -> None:
    """The page as it opens."""


def open_case(rule: str) -> Shown:
    def show(house: Any, tab: Tab) -> None:
        tab.goto(f"{house.address}/case/{house.cases_with(rule)[0].id}")
        expect(tab.locator("#findings .finding").first).to_be_visible()

    return show


def edit_a_cell(house: Any, tab: Tab) -> None:
    open_case("D031")(house, tab)
    tab.keyboard.press("Enter")
    tab.locator("#edit-value").fill("lwy")
    expect(tab.locator("#hits [role=option]").first).to_be_visible()


def press(key: str, shows: str, rule: str = "D031") -> Shown:
    def show(house: Any, tab: Tab) -> None:
        open_case(rule)(house, tab)
        tab.keyboard.press(key)
        expect(tab.locator(shows).first).to_be_visible()

    return show


def see_alternatives(house: Any, tab: Tab) -> None:
    with house.store() as store, store.read() as conn:
        found = cases.cases_in(conn)
    most = max(found, key=lambda case: len(case.settlement_list().oprninfo or ()))
    tab.goto(f"{house.address}/case/{most.id}")
    tab.keyboard.press("a")
    expect(tab.locator("#others tr.cur")).to_be_visible()


def type_a_query(_house: Any, tab: Tab) -> None:
    tab.locator("input[type=search], input[name=q]").first.fill("gxy")
    tab.wait_for_load_state("networkidle")


PAGES: dict[str, tuple[str, str, Shown]] = {
    "login": ("", "/login", nothing),
    "not-found": ("bian", "/nothing-here", nothing),
    "queue": ("bian", "/queue", nothing),
    "case": ("bian", "/case", open_case("D031")),
    "case-waiting": ("bian", "/case", open_case("B039")),
    "case-edit": ("bian", "/case", edit_a_cell),
    "case-compare": ("bian", "/case", press("s", "#drawer .drawer")),
    "case-trace": ("bian", "/case", press("g", "#drawer .drawer")),
    "case-alternatives": ("bian", "/case", see_alternatives),
    "case-ask": ("bian", "/case", press("q", "#drawer form")),
    "case-keys": ("bian", "/case", press("?", "#keycard li")),
    "codes": ("bian", "/codes", type_a_query),
    "reconcile": ("bian", "/reconcile", nothing),
    "account": ("bian", "/account", nothing),
    "office-queue": ("yiban", "/queue", nothing),
    "office-health": ("yiban", "/health", nothing),
    "registry": ("yiban", "/registry", nothing),
    "registry-book": ("yiban", "/registry?tab=book", nothing),
    "maps": ("bian", "/maps", nothing),
    "maps-active": ("yiban", "/maps?tab=active", nothing),
    "health": ("xinxi", "/health", nothing),
    "users": ("xinxi", "/users", nothing),
}
"""Name → log-in, path, what is done there. `screenshots.py` takes its pictures from here."""


@pytest.mark.parametrize("name", PAGES)
def test_no_serious_fault_and_no_scrolling_of_the_page(house: Any, name: str) -> None:
    login, path, show = PAGES[name]
    tab = house.tab(login, reduced_motion="reduce")
    tab.goto(f"{house.address}{path}")
    show(house, tab)
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    for scheme in ("light", "dark"):
        tab.emulate_media(color_scheme=scheme)
        assert faults(tab) == [], scheme
    for width, height in ((1366, 768), (1349, 560)):
        tab.set_viewport_size({"width": width, "height": height})
        size = tab.evaluate(SIZE)
        assert size[0] <= width, "the page scrolls sideways"
        assert size[1] <= height, "the page scrolls, not its panes"


def faults(tab: Tab) -> list[str]:
    """What axe finds serious or critical, with the element and the way to mend it."""
    found = tab.evaluate(RUN)
    assert found["testEngine"]["name"] == "axe-core"
    return [
        f"{item['id']} ({item['impact']}): {node['html'][:160]} — {node['failureSummary'][:300]}"
        for item in found["violations"]
        if item["impact"] in SERIOUS
        for node in item["nodes"][:3]
    ]


def test_axe_sees_a_fault_where_there_is_one(house: Any) -> None:
    """Without this the tests above might pass because nothing was looked at."""
    tab = house.tab("bian")
    tab.evaluate(
        "() => { const i = document.createElement('input'); i.type = 'text';"
        " document.querySelector('main').append(i); }"
    )
    tab.evaluate(AXE.read_text(encoding="utf-8"))
    found = tab.evaluate(RUN)
    assert "label" in {item["id"] for item in found["violations"]}

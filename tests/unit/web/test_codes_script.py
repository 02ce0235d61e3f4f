"""Search and choice in real Chromium: keys only, and never a hit of an earlier text."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from dipgate.core.clock import FixedClock
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import page_modules, route


def field_pages() -> ModuleType:
    module = ModuleType("field_pages")

    @route("/field", needs=Permission.CODES_SEARCH)
    def show(page: Page) -> str:
        return page.render("field.html")

    @route("/field/taken", needs=Permission.CODES_SEARCH, methods=("POST",), fragment=True)
    def taken(page: Page) -> str:
        return f"taken {page.form.get('code')} {page.form.get('q')}"

    for view in (show, taken):
        view.__module__ = module.__name__
        setattr(module, view.__name__, view)
    return module


@pytest.fixture(scope="module")
def tab(
    chromium: Browser, kit: Any, peopled_state: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Tab]:
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("codes")
        desk = stack.enter_context(kit.opened_desk(peopled_state, folder, FixedClock(kit.NOON)))
        app = kit.app_over(desk, modules=[*page_modules(), field_pages()])
        address = stack.enter_context(kit.served(app))
        context = stack.enter_context(chromium.new_context(viewport={"width": 1366, "height": 768}))
        opened = context.new_page()
        opened.set_default_timeout(5_000)
        kit.sign_in(opened, address, "coder", target="/field")
        yield opened


@pytest.fixture(autouse=True)
def _fresh(tab: Tab) -> None:
    tab.unroute_all()
    tab.goto(f"{tab.url.split('/field')[0].split('/codes')[0]}/field")
    tab.focus("#q")


def first_hit(tab: Tab) -> Any:
    return tab.locator("#hits [role=option]").first


def test_type_and_enter_takes_the_first_hit(tab: Tab) -> None:
    tab.keyboard.type("jxcy")
    expect(first_hit(tab)).to_have_attribute("aria-selected", "true")
    expect(tab.locator("#hits")).to_have_attribute("data-for", "jxcy")
    code = first_hit(tab).locator(".code").inner_text()
    tab.keyboard.press("Enter")
    expect(tab.locator("#said")).to_have_text(f"taken {code} jxcy")


def test_enter_before_the_answer_takes_nothing(tab: Tab) -> None:
    tab.keyboard.type("jxcy")
    expect(tab.locator("#hits")).to_have_attribute("data-for", "jxcy")
    tab.route("**/codes?*", lambda _: None)  # asked, and not answered
    tab.keyboard.type("z")
    tab.keyboard.press("Enter")
    tab.wait_for_function("document.querySelector('#q').value === 'jxcyz'")
    expect(tab.locator("#said")).to_have_text("")
    expect(tab.locator("#hits")).to_have_attribute("data-for", "jxcy")


def test_a_grey_hit_is_passed_over(tab: Tab) -> None:
    tab.keyboard.type("A09.900")
    expect(tab.locator("#hits")).to_have_attribute("data-for", "A09.900")
    expect(first_hit(tab)).to_have_attribute("aria-disabled", "true")
    tab.keyboard.press("ArrowUp")
    tab.keyboard.press("ArrowDown")
    chosen = tab.locator('#hits [aria-selected="true"]')
    expect(chosen).to_have_count(1)
    expect(chosen).not_to_have_attribute("aria-disabled", "true")


def test_the_page_searches_while_typing_and_folds(tab: Tab) -> None:
    tab.goto(tab.url.replace("/field", "/codes"))
    tab.focus("#q")
    tab.keyboard.insert_text("ｊｘ")
    expect(tab.locator("#q")).to_have_value("jx")
    expect(tab.locator("#rows tbody tr").first).to_contain_text("急性")
    tab.select_option("#kind", "icd9cm3")
    expect(tab.locator("#rows thead")).to_contain_text("类别")

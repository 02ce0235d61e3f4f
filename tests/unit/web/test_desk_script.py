"""The desk's script in real Chromium, under the real policy: keys, cursor, choice, requests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from playwright.sync_api import Browser, expect
from playwright.sync_api import Page as Tab

from dipgate.core.clock import FixedClock
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import page_modules, route

expect.set_options(timeout=5_000)
HARMLESS = (
    "Failed to load resource",
    "Autofocus processing was blocked",
    "[DOM] Password forms should have",
)


def key_pages() -> ModuleType:
    module = ModuleType("key_pages")

    @route("/keys", needs=Permission.LISTS_VIEW)
    def show(page: Page) -> str:
        return page.render("keys.html")

    @route("/keys/said", needs=Permission.LISTS_EDIT, methods=("GET", "POST"), fragment=True)
    def said(page: Page) -> str:
        values = page.form if page.request.method == "POST" else page.args
        return f"{page.request.method} {values.get('q')} {values.get('name', '')}"

    @route("/keys/boom", needs=Permission.LISTS_VIEW, fragment=True)
    def boom(page: Page) -> str:
        raise ValueError(page.actor)

    for view in (show, said, boom):
        view.__module__ = module.__name__
        setattr(module, view.__name__, view)
    return module


@dataclass
class Place:
    """A signed-in coder's browser, one for all tests here; `said` is what the console said."""

    tab: Tab
    address: str
    clock: FixedClock
    said: list[str] = field(default_factory=list)


@pytest.fixture(scope="module")
def place(
    chromium: Browser,
    kit: Any,
    peopled_state: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Place]:
    clock = FixedClock(kit.NOON)
    with ExitStack() as stack:
        folder = tmp_path_factory.mktemp("keys")
        desk = stack.enter_context(kit.opened_desk(peopled_state, folder, clock))
        address = stack.enter_context(
            kit.served(kit.app_over(desk, modules=[*page_modules(), key_pages()]))
        )
        context = stack.enter_context(chromium.new_context(viewport={"width": 1366, "height": 768}))
        found = Place(context.new_page(), address, clock)
        found.tab.on("console", lambda message: found.said.append(message.text))
        found.tab.on("pageerror", lambda error: found.said.append(str(error)))
        kit.sign_in(found.tab, address, "coder", target="/keys")
        yield found


@pytest.fixture
def tab(place: Place) -> Iterator[Tab]:
    """The page of keys, fresh; the console must stay silent (`place.said` is looked at)."""
    place.tab.goto(f"{place.address}/keys")
    place.said.clear()
    yield place.tab
    serious = [line for line in place.said if not line.startswith(HARMLESS)]
    assert serious == []


def current(tab: Tab) -> str:
    return tab.inner_text("#rows .cur")


def test_keys_move_the_cursor_and_the_sentence(tab: Tab) -> None:
    assert (current(tab), tab.inner_text("#rows tr.more:visible")) == ("B0", "第 0 句")
    tab.keyboard.press("j")
    assert (current(tab), tab.inner_text("#rows tr.more:visible")) == ("B1", "第 1 句")
    tab.keyboard.press("j")
    tab.keyboard.press("j")
    assert current(tab) == "B2"
    tab.keyboard.press("k")
    assert current(tab) == "B1"
    tab.keyboard.press("Enter")
    tab.wait_for_url("**/keys?opened=1")


def test_problems_go_red_first(tab: Tab) -> None:
    order = []
    for key in ("n", "n", "n", "Shift+N"):
        tab.keyboard.press(key)
        order.append(tab.get_attribute("#findings [aria-current]", "id"))
    assert order == ["f1", "f2", "f0", "f2"]


def test_full_width_letters_are_the_same_keys(tab: Tab) -> None:
    tab.evaluate("document.dispatchEvent(new KeyboardEvent('keydown', {key: 'Ｊ', bubbles: true}))")
    assert current(tab) == "B1"


@pytest.mark.parametrize("options", ["isComposing: true", "keyCode: 229"])
def test_an_input_method_is_left_alone(tab: Tab, options: str) -> None:
    tab.evaluate(f"document.dispatchEvent(new KeyboardEvent('keydown', {{key: 'j', {options}}}))")
    assert current(tab) == "B0"


def test_no_key_works_while_a_field_has_the_focus(tab: Tab) -> None:
    tab.keyboard.press("/")
    tab.keyboard.type("jkn")
    assert tab.input_value("#q") == "jkn"
    assert current(tab) == "B0"
    tab.keyboard.press("Escape")
    tab.keyboard.press("j")
    assert current(tab) == "B1"


def test_full_width_typing_is_folded_and_said(tab: Tab) -> None:
    tab.fill("#q", "Ｋ３５．８　急性")
    assert tab.input_value("#q") == "K35.8 急性"
    assert tab.inner_text("#q-note") == "全角字符已改成半角"


def test_keys_click_buttons_and_requests_carry_the_token(tab: Tab) -> None:
    tab.keyboard.press("u")
    expect(tab.locator("#said")).to_have_text("POST undone")
    tab.keyboard.press("Control+ArrowUp")
    expect(tab.locator("#said")).to_have_text("GET up")


def test_a_disabled_button_has_no_key(tab: Tab) -> None:
    tab.keyboard.press("F8")
    tab.keyboard.press("Control+ArrowUp")
    expect(tab.locator("#said")).to_have_text("GET up")
    tab.evaluate("document.getElementById('off').disabled = false")
    tab.keyboard.press("F8")
    expect(tab.locator("#said")).to_have_text("GET released")


def test_arrows_choose_and_enter_takes_but_not_what_is_barred(tab: Tab) -> None:
    tab.focus("#code")
    tab.keyboard.press("ArrowDown")
    tab.keyboard.press("ArrowDown")
    assert tab.get_attribute("#code", "aria-activedescendant") == "h2"
    tab.keyboard.press("Enter")
    expect(tab.locator("#said")).to_have_text("POST K35.3 腹膜炎")
    tab.dispatch_event("#h1", "click")
    tab.click("#h0")
    expect(tab.locator("#said")).to_have_text("POST K35.2 阑尾炎")


def test_escape_drops_the_edit(tab: Tab) -> None:
    tab.focus("#code")
    tab.keyboard.press("Escape")
    expect(tab.locator("#said")).to_have_text("GET dropped")


def test_the_key_card_lists_what_can_be_pressed(tab: Tab) -> None:
    tab.keyboard.press("?")
    card = tab.inner_text("#keycard")
    for words in ("J 下一份", "N 下一个问题", "Ctrl+↑ 上移", "Enter 打开", "Esc 放弃"):
        assert words in card
    assert "放行" not in card
    tab.keyboard.press("Escape")
    expect(tab.locator("#keycard")).to_be_hidden()


def test_an_error_is_said_in_the_notice_line(tab: Tab) -> None:
    tab.keyboard.press("g")
    expect(tab.locator("#notice")).to_contain_text("没有做成：程序出错，已经记录。")
    tab.keyboard.press("u")
    expect(tab.locator("#said")).to_have_text("POST undone")
    expect(tab.locator("#notice")).to_be_empty()


def test_text_is_kept_when_the_session_ends(tab: Tab, place: Place) -> None:
    tab.fill("#code", "typed")
    place.clock.advance(3600)
    tab.evaluate("document.getElementById('edit').requestSubmit()")
    tab.wait_for_selector("#again-login")
    assert tab.input_value("#code") == "typed"
    tab.fill("#again-login", "bian")
    tab.fill("#again-password", "jia-yi-bing-42")
    tab.press("#again-password", "Enter")
    expect(tab.locator("#notice")).to_contain_text("bian 甲 已登录")
    tab.evaluate("document.getElementById('edit').requestSubmit()")
    expect(tab.locator("#said")).to_have_text("POST typed")


def test_a_lost_connection_is_said(tab: Tab, place: Place) -> None:
    tab.context.set_offline(True)
    tab.keyboard.press("u")
    expect(tab.locator("#notice")).to_contain_text("服务器没有答复")
    tab.context.set_offline(False)
    tab.keyboard.press("Control+ArrowUp")
    expect(tab.locator("#said")).to_have_text("GET up")
    expect(tab.locator("#notice")).to_be_empty()
    place.said.clear()


def test_only_the_parser_of_fragments_takes_text(tab: Tab, place: Place) -> None:
    """Under Trusted Types nothing but htmx's parser may turn text into markup or code."""
    refused = """() => {
        const tries = [
          () => { document.body.innerHTML = "<p>x"; },
          () => { document.body.insertAdjacentHTML("beforeend", "<p>x"); },
          () => { document.createElement("script").textContent = "1"; },
          () => { document.createElement("script").src = "/static/x.js"; },
          () => { document.createElement("iframe").srcdoc = "<p>x"; },
          () => { document.write("x"); },
        ];
        const refuses = (act) => { try { act(); return false; } catch { return true; } };
        return tries.filter(refuses).length;
    }"""
    assert tab.evaluate(refused) == 6
    parsed = "new DOMParser().parseFromString('<p>x', 'text/html').body.textContent"
    assert tab.evaluate(parsed) == "x"
    assert any("Trusted" in line for line in place.said)
    place.said.clear()

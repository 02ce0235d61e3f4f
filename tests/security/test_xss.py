"""24 payloads in every place of a page: nothing fires, and without the protections much does."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from flask import Flask
from playwright.sync_api import Browser

from dipgate.core.errors import ConfigError
from dipgate.web.app import Weakened
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import page_modules, route

FIRE_AT_LEAST = 15
SETTLE_MS = 150
"""Long enough for load, focus and error events of one page; what fires later fires too late."""
PRESS_SWAP = """addEventListener('load', () => {
    setTimeout(() => document.querySelector('#swap')?.click());
})"""
"""Pressed by the page itself: a payload that runs may leave the page at any time, and a driver that
still looks for the button would then wait for what is gone."""


def probe_pages(payloads: tuple[str, ...]) -> ModuleType:
    """One page that shows a payload in every place our templates use, and a fragment of it."""
    module = ModuleType("probe_pages")

    @route("/probe", needs=Permission.LISTS_VIEW)
    def show(page: Page) -> str:
        number = int(page.args["n"])
        return page.render("probe.html", value=payloads[number], number=number)

    @route("/probe/part", needs=Permission.LISTS_VIEW, fragment=True)
    def part(page: Page) -> str:
        return page.render("probe_part.html", value=payloads[int(page.args["n"])])

    for view in (show, part):
        view.__module__ = module.__name__
        setattr(module, view.__name__, view)
    return module


@pytest.fixture
def fired(
    chromium: Browser,
    serving: Callable[[Flask], str],
    make_app: Callable[..., Flask],
    kit: Any,
    payloads: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Weakened], set[int]]:
    """`fired(weakened)` → numbers of the payloads that ran, over all pages of the probe."""
    monkeypatch.setenv("DIPGATE_DEV", "1")

    def run(weakened: Weakened) -> set[int]:
        app = make_app(modules=[*page_modules(), probe_pages(payloads)], weakened=weakened)
        address = serving(app)
        ran: set[int] = set()
        with chromium.new_context() as context:
            context.expose_binding("fired", lambda _source, number: ran.add(int(number)))
            context.add_init_script("window.alert = (number) => window.fired(number)")
            context.add_init_script(PRESS_SWAP)
            kit.sign_in(context.new_page(), address, "coder")
            for number in range(len(payloads)):
                # A tab each: one that a payload sends elsewhere would break the next payload's.
                with context.new_page() as tab:
                    tab.goto(f"{address}/probe?n={number}")
                    tab.wait_for_timeout(SETTLE_MS)
        return ran

    return run


def test_there_are_24_payloads(payloads: tuple[str, ...]) -> None:
    assert len(set(payloads)) == 24


def test_nothing_fires(fired: Callable[[Weakened], set[int]]) -> None:
    assert fired(Weakened()) == set()


def test_nothing_fires_when_only_the_policy_holds(fired: Callable[[Weakened], set[int]]) -> None:
    assert fired(Weakened(escaping=False)) == set()


def test_nothing_fires_when_only_escaping_holds(fired: Callable[[Weakened], set[int]]) -> None:
    assert fired(Weakened(policy=False)) == set()


def test_much_fires_without_both(fired: Callable[[Weakened], set[int]]) -> None:
    assert len(fired(Weakened(escaping=False, policy=False))) >= FIRE_AT_LEAST


def test_nothing_that_serves_can_be_weakened(make_app: Callable[..., Flask]) -> None:
    for weakened in (Weakened(escaping=False), Weakened(policy=False)):
        with pytest.raises(ConfigError, match="只用于安全测试"):
            make_app(weakened=weakened)

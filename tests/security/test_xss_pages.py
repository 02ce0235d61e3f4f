"""The product's own pages over a month full of markup: what is shown never runs."""

from __future__ import annotations

import html
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import markupsafe
import pytest
from flask import Flask
from playwright.sync_api import Browser
from playwright.sync_api import Error as BrowserError

from dipgate.core.clock import FixedClock
from dipgate.pipeline.desk import Desk
from dipgate.web.app import Weakened
from dipgate.web.guard import HOLDS, Permission, Role

ROLES = ("coder", "office", "administrator")
FIRE_AT_LEAST = 15
SETTLE_MS = 120
EVERY = frozenset({"case.show", "outbox.one"})
"""Seen once per list, because each shows one list's texts; other routes are seen three times."""
LINK = re.compile(r'(?:href|hx-get)="(/[^"]*)"')
CASE = re.compile(r"/case/[^/?]+$")
NOT_SHOWN = ("/static/", "/login", "/queue/findings.xlsx", "/reconcile/xlsx")
Address = tuple[str, str]
"""Role and path."""


@pytest.fixture(scope="module")
def planted(
    planted_state: Path, kit: Any, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Desk]:
    clock = FixedClock(kit.NOON)
    with kit.opened_desk(planted_state, tmp_path_factory.mktemp("xss"), clock) as desk:
        yield desk


@pytest.fixture(scope="module")
def addresses(planted: Desk, kit: Any) -> tuple[Address, ...]:
    """Every page and fragment that a person of some role can reach by links, from the start.

    What two roles reach is opened by the first: it is the same template with the same texts.
    """
    app = kit.app_over(planted)
    found: dict[str, str] = {}
    for role in ROLES:
        for path in _reached(app, kit, role):
            found.setdefault(path, role)
    return tuple((role, path) for path, role in found.items())


def _reached(app: Flask, kit: Any, role: str) -> list[str]:
    opened = kit.Browser(app.test_client())
    assert opened.sign_in(kit.LOGINS[role]).status_code == 303
    router = app.url_map.bind("localhost")
    visits: dict[str, int] = {}
    seen: set[str] = set()
    reached: list[str] = []
    waiting = ["/", "/account", "/codes", "/queue", "/reconcile?month=2025-03", "/health", "/users"]
    while waiting:
        path = waiting.pop(0)
        if path in seen or path.startswith(NOT_SHOWN):
            continue
        seen.add(path)
        endpoint = router.match(path.partition("?")[0], method="GET")[0]
        most = 24 if endpoint in EVERY else 3
        if visits.get(endpoint, 0) >= most:
            continue
        answer = opened.get(path)
        if answer.status_code == 303:
            waiting.append(answer.headers["Location"])
        if answer.status_code != 200 or "html" not in answer.content_type:
            continue
        visits[endpoint] = visits.get(endpoint, 0) + 1
        reached.append(path)
        waiting += [html.unescape(link) for link in LINK.findall(answer.text)]
    return reached


@pytest.fixture
def fired(
    chromium: Browser,
    planted: Desk,
    addresses: tuple[Address, ...],
    kit: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[Weakened], dict[int, str]]:
    """`fired(weakened)` → number of each payload that ran, and a page where it did."""
    monkeypatch.setenv("DIPGATE_DEV", "1")

    def run(weakened: Weakened) -> dict[int, str]:
        ran: dict[int, str] = {}
        with ExitStack() as stack:
            address = stack.enter_context(kit.served(kit.app_over(planted, weakened=weakened)))
            for role in ROLES:
                context = stack.enter_context(chromium.new_context())
                context.expose_binding(
                    "fired", lambda source, number: ran.setdefault(int(number), source["page"].url)
                )
                context.add_init_script("window.alert = (number) => window.fired(number)")
                tab = context.new_page()
                kit.sign_in(tab, address, role)
                for path in (found for owner, found in addresses if owner == role):
                    try:
                        tab.goto(f"{address}{path}", timeout=10_000)
                        tab.wait_for_timeout(SETTLE_MS)
                    except BrowserError:
                        # A payload that runs may lead away from the page; that counts as well.
                        continue
        return ran

    return run


def test_the_harness_reaches_the_pages(addresses: tuple[Address, ...]) -> None:
    """Nothing is proved about a page that nobody opened."""
    opened = {path.partition("?")[0] for _, path in addresses}
    for page in ("/queue", "/codes", "/reconcile", "/health", "/users", "/account"):
        assert page in opened
    assert sum(bool(CASE.match(path)) for path in opened) == 24
    assert any(path.startswith("/out/") for path in opened)
    assert Permission.LISTS_VIEW not in HOLDS[Role.ADMINISTRATOR]


def test_the_markup_is_on_the_pages(
    planted: Desk, kit: Any, payloads: tuple[str, ...], addresses: tuple[Address, ...]
) -> None:
    """Shown, and escaped: a page that left the names out would pass for the wrong reason."""
    opened = kit.Browser(kit.app_over(planted).test_client())
    opened.sign_in(kit.LOGINS["coder"])
    texts = [opened.get(path).text for path in {path for _, path in addresses} if CASE.match(path)]
    escaped = [
        n
        for n, text in enumerate(payloads)
        if any(str(markupsafe.escape(text)) in page for page in texts)
    ]
    assert len(escaped) == 24


def test_nothing_fires(fired: Callable[[Weakened], dict[int, str]]) -> None:
    assert fired(Weakened()) == {}


def test_nothing_fires_when_only_the_policy_holds(
    fired: Callable[[Weakened], dict[int, str]],
) -> None:
    assert fired(Weakened(escaping=False)) == {}


def test_much_fires_without_both(fired: Callable[[Weakened], dict[int, str]]) -> None:
    assert len(fired(Weakened(escaping=False, policy=False))) >= FIRE_AT_LEAST

"""Every route × every role: who gets in is what this table says, and nobody else does."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any

import pytest
from flask import Flask

from dipgate.store.tokens import TokenRow
from dipgate.web import guard
from dipgate.web.guard import Permission, Role
from dipgate.web.routes import Route, page_modules, routes_of

CODER, OFFICE, ADMINISTRATOR = "coder", "office", "administrator"
ALLOWED: Mapping[Permission, set[str]] = {
    Permission.PUBLIC: {"", CODER, OFFICE, ADMINISTRATOR},
    Permission.ACCOUNT: {CODER, OFFICE, ADMINISTRATOR},
    Permission.LISTS_VIEW: {CODER, OFFICE},
    Permission.LISTS_EDIT: {CODER},
    Permission.LISTS_RELEASE: {CODER, OFFICE},
    Permission.CODES_SEARCH: {CODER, OFFICE},
    Permission.RESULTS_VIEW: {CODER, OFFICE},
    Permission.EXPORT: {CODER, OFFICE},
    Permission.QUEUE_DESK: {ADMINISTRATOR},
    Permission.HEALTH_VIEW: {OFFICE, ADMINISTRATOR},
    Permission.USERS_MANAGE: {ADMINISTRATOR},
    Permission.REGISTRY_VIEW: {CODER, OFFICE, ADMINISTRATOR},
    Permission.REGISTRY_FIX: {OFFICE, ADMINISTRATOR},
    Permission.PUSH_ROWS: set(),
    Permission.MAPS_VIEW: {CODER, OFFICE, ADMINISTRATOR},
    Permission.MAPS_DECIDE: {CODER, OFFICE, ADMINISTRATOR},
}
"""Written here by hand, not read from the product: a changed right must be changed twice."""

ROUTES = routes_of(page_modules())
ARGUMENT = re.compile(r"<(?:(\w+)(?:\([^)]*\))?:)?\w+>")
SERVICE = {Permission.PUSH_ROWS}
"""By hand too: what a token opens and no role does."""
Open = Callable[..., Any]

MADE_UP = TokenRow(1, "x", "his", "x", datetime(2025, 1, 1, tzinfo=UTC), None, "", None)


def address(item: Route) -> str:
    """The path with something in each argument that names nothing."""
    return ARGUMENT.sub(lambda found: "1" if found.group(1) == "int" else "none0", item.path)


def ask(opened: Any, item: Route, method: str, *, htmx: bool) -> int:
    if method == "GET":
        return int(opened.get(address(item), htmx=htmx).status_code)
    return int(opened.post(address(item), {}, htmx=htmx).status_code)


def leaks(browser: Open, roles: tuple[str, ...], routes: tuple[Route, ...]) -> list[str]:
    """Routes that let in whom they must not, or keep out whom they must let in."""
    found = []
    for role in roles:
        opened = browser(role)
        for item in routes:
            for method in item.methods:
                if role and opened.get("/account").status_code != 200:
                    opened = browser(role)
                htmx = item.fragment
                status = ask(opened, item, method, htmx=htmx)
                if item.needs in SERVICE:
                    # A system's token opens it; a person's session is not even looked at.
                    wrong = status != 401
                elif role in ALLOWED[item.needs]:
                    wrong = status in (401, 403) and item.needs is not Permission.PUBLIC
                    wrong = wrong or status >= 500
                elif role:
                    wrong = status != 403
                else:
                    wrong = status != (401 if htmx else 303)
                if wrong:
                    found.append(f"{role or 'stranger'} {method} {item.path} {status}")
    return found


@pytest.mark.parametrize("role", ["", CODER, OFFICE, ADMINISTRATOR])
def test_each_route_lets_in_whom_it_must_and_nobody_else(browser: Open, role: str) -> None:
    assert leaks(browser, (role,), ROUTES) == []


def test_the_table_names_every_permission() -> None:
    assert set(ALLOWED) == set(Permission)
    assert guard.SERVICE == SERVICE
    assert {item.path for item in ROUTES if item.needs in SERVICE} == {"/api/push/<source>"}


def test_the_matrix_finds_a_service_route_that_takes_a_session(
    browser: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dipgate.web import service

    monkeypatch.setattr(service, "_holder", lambda _web, _request: MADE_UP)
    pushed = tuple(item for item in ROUTES if item.needs in SERVICE)
    assert leaks(browser, (CODER,), pushed) == ["coder POST /api/push/<source> 403"]


def test_nothing_is_routed_that_was_not_declared(app: Flask) -> None:
    routed = {(str(rule), method) for rule in app.url_map.iter_rules() for method in rule.methods}
    declared = {(item.path, method) for item in ROUTES for method in item.methods}
    assert {pair for pair in routed if pair[1] not in ("HEAD", "OPTIONS")} == declared


def test_the_matrix_finds_a_right_too_many(browser: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    more = dict(guard.HOLDS)
    more[Role.CODER] = more[Role.CODER] | {Permission.USERS_MANAGE}
    monkeypatch.setattr(guard, "HOLDS", MappingProxyType(more))
    users = tuple(item for item in ROUTES if item.path == "/users")
    assert leaks(browser, (CODER,), users) == ["coder GET /users 200"]


def test_the_matrix_finds_a_removed_check(browser: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    from dipgate.web.page import Page

    monkeypatch.setattr(Page, "may", lambda _page, _permission: True)
    found = leaks(browser, (CODER,), tuple(item for item in ROUTES if item.methods == ("GET",)))
    assert "coder GET /users 200" in found


def test_a_disabled_or_unknown_role_holds_nothing(browser: Open, app: Flask) -> None:
    desk = app.extensions["dipgate_web"].desk
    opened = browser(CODER)
    desk.store.write(lambda conn: conn.exec_driver_sql("UPDATE users SET role = 'root'"))
    assert opened.get("/users").status_code == 403
    assert opened.get("/account").status_code == 403

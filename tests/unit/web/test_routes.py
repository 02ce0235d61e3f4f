"""Start-up refuses a route that does not say what it needs."""

from __future__ import annotations

from types import FunctionType, ModuleType
from typing import Any

import pytest

from dipgate.core.errors import ConfigError
from dipgate.web.guard import HOLDS, SERVICE, Permission, Role, holds, role_of
from dipgate.web.navigation import NAVIGATION, counts_of, nav_count
from dipgate.web.page import Page
from dipgate.web.routes import OPEN_PATHS, page_modules, route, routes_of


def module_with(*views: Any) -> ModuleType:
    module = ModuleType("made_pages")
    for number, view in enumerate(views):
        view.__module__ = module.__name__
        setattr(module, f"view{number}", view)
    return module


def view() -> FunctionType:
    def answer(page: Page) -> str:
        return str(page)

    return answer  # type: ignore[return-value]


def test_a_declared_view_is_found() -> None:
    found = routes_of([module_with(route("/a", needs=Permission.EXPORT)(view()))])
    assert [(item.path, item.needs, item.endpoint) for item in found] == [
        ("/a", Permission.EXPORT, "made_pages.view0")
    ]


@pytest.mark.parametrize(
    ("declare", "says"),
    [
        (route("/a"), "没有声明需要什么权限"),
        (route("/a", needs="LISTS_VIEW"), "没有声明需要什么权限"),  # type: ignore[arg-type]
        (route("/a", needs=Permission.PUBLIC), "免登录名单"),
        (route("/a", needs=Permission.EXPORT, methods=("PUT",)), "GET、POST"),
        (route("/a", needs=Permission.EXPORT, methods=()), "GET、POST"),
        (route("/a", needs=Permission.PUSH_ROWS, methods=("POST",)), "凭令牌"),
        (route("/api/a", needs=Permission.EXPORT), "凭令牌"),
        (route("/api/a", needs=Permission.PUBLIC), "免登录名单"),
    ],
)
def test_start_up_is_refused(declare: Any, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        routes_of([module_with(declare(view()))])


def test_two_views_of_one_path_are_refused() -> None:
    declare = route("/a", needs=Permission.EXPORT)
    with pytest.raises(ConfigError, match="两处声明"):
        routes_of([module_with(declare(view()), declare(view()))])


def test_the_product_declares_all_its_routes_and_few_are_open() -> None:
    found = routes_of(page_modules())
    assert len(found) >= 10
    assert {item.path for item in found if item.needs is Permission.PUBLIC} <= OPEN_PATHS


def test_roles_hold_what_they_need_and_no_more() -> None:
    for permission in Permission:
        holders = {role for role in Role if holds(role, permission)}
        assert bool(holders) == (permission not in SERVICE), permission
        assert holds(None, permission) == (permission is Permission.PUBLIC)
    lists = {Permission.LISTS_VIEW, Permission.LISTS_EDIT, Permission.LISTS_RELEASE}
    assert not lists & HOLDS[Role.ADMINISTRATOR]
    assert role_of("root") is None


@pytest.mark.parametrize("keys", [("nowhere",), ("queue", "queue")])
def test_a_counter_belongs_to_one_entry(keys: tuple[str, ...]) -> None:
    def counter() -> Any:
        return lambda page: 1 if page else None

    with pytest.raises(ConfigError, match="导航计数"):
        counts_of([module_with(*(nav_count(key)(counter()) for key in keys))])


def test_navigation_entries_differ() -> None:
    assert len({item.key for item in NAVIGATION}) == len(NAVIGATION)

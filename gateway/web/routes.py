"""Declaring routes: a view says its path and what it needs, or the program does not start."""

from __future__ import annotations

import pkgutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import import_module
from types import FunctionType, ModuleType
from typing import Any, TypeVar

from dipgate.core.errors import ConfigError
from dipgate.web.guard import SERVICE, Permission

View = Callable[..., Any]
F = TypeVar("F", bound=View)
_MARK = "__dipgate_routes__"
METHODS = frozenset({"GET", "POST"})
OPEN_PATHS = frozenset(
    {"/login", "/login/again", "/static/<path:name>", "/health/up", "/health/up.txt"}
)
"""The only paths that may be declared PUBLIC."""
SERVICE_PATHS = "/api/"
"""Where systems with a token come in, and nobody else: no page of a person is below it."""


@dataclass(frozen=True, slots=True)
class Route:
    """One declared route. `endpoint` is `<module>.<function>` (`queue.rows`)."""

    path: str
    view: View
    needs: Permission
    methods: tuple[str, ...]
    fragment: bool
    endpoint: str


@dataclass(frozen=True, slots=True)
class _Declared:
    path: str
    needs: object
    methods: tuple[str, ...]
    fragment: bool


def route(
    path: str,
    *,
    needs: Permission | None = None,
    methods: Sequence[str] = ("GET",),
    fragment: bool = False,
) -> Callable[[F], F]:
    """Declare a view `(page, <url arguments>) -> str | Response`.

    `needs` has no default on purpose: start-up refuses a view without it. `fragment`: the view
    answers with a part of a page, so its errors are parts too. A permission of `guard.SERVICE`
    makes a route of systems: a bearer token instead of a session, below `/api/`, JSON answers; the
    view gets a `Call` instead of a page.
    """

    def declare(view: F) -> F:
        declared = getattr(view, _MARK, ())
        added = _Declared(path, needs, tuple(methods), fragment)
        setattr(view, _MARK, (*declared, added))
        return view

    return declare


def page_modules(package: str = "dipgate.web.pages") -> tuple[ModuleType, ...]:
    """Every module below the package of pages."""
    root = import_module(package)
    found = pkgutil.walk_packages(root.__path__, f"{package}.")
    return tuple(import_module(item.name) for item in found)


def routes_of(modules: Iterable[ModuleType]) -> tuple[Route, ...]:
    """All routes declared in these modules.

    Raises ConfigError for a view without a permission, an unknown permission, a PUBLIC path
    that must not be, a service route elsewhere than below `/api/` or another there, a method other
    than GET and POST, or the same path and method twice.
    """
    found: list[Route] = []
    for module in modules:
        for name, view in vars(module).items():
            if type(view) is FunctionType and view.__module__ == module.__name__:
                found.extend(_checked(module, name, view))
    taken: dict[tuple[str, str], str] = {}
    for item in found:
        for method in item.methods:
            other = taken.setdefault((item.path, method), item.endpoint)
            if other != item.endpoint:
                raise ConfigError(
                    f"{method} {item.path} 由 {other} 和 {item.endpoint} 两处声明，拒绝启动",
                    path=item.endpoint,
                )
    return tuple(found)


def _checked(module: ModuleType, name: str, view: FunctionType) -> Iterable[Route]:
    where = f"{module.__name__}.{name}"
    endpoint = f"{module.__name__.rpartition('.')[2]}.{name}"
    for number, declared in enumerate(getattr(view, _MARK, ())):
        needs = declared.needs
        if not isinstance(needs, Permission):
            raise ConfigError(
                f"路由 {declared.path}（{where}）没有声明需要什么权限，拒绝启动", path=where
            )
        if needs is Permission.PUBLIC and declared.path not in OPEN_PATHS:
            raise ConfigError(
                f"路由 {declared.path}（{where}）不在免登录名单里，不能声明 PUBLIC，拒绝启动",
                path=where,
            )
        if (needs in SERVICE) != declared.path.startswith(SERVICE_PATHS):
            raise ConfigError(
                f"路由 {declared.path}（{where}）：{SERVICE_PATHS} 下只能是凭令牌的接口，"
                "凭令牌的接口也只能在那里，拒绝启动",
                path=where,
            )
        if not declared.methods or not METHODS.issuperset(declared.methods):
            raise ConfigError(f"路由 {declared.path}（{where}）的方法只能是 GET、POST", path=where)
        yield Route(
            declared.path,
            view,
            needs,
            declared.methods,
            declared.fragment,
            f"{endpoint}.{number}" if number else endpoint,
        )

"""The main navigation: one list, shown as far as the role allows and the page exists."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from types import FunctionType, MappingProxyType, ModuleType
from typing import Any, TypeVar

from dipgate.core.errors import ConfigError
from dipgate.web.guard import Permission

Counter = Callable[[Any], int | None]
F = TypeVar("F", bound=Callable[..., int | None])
_MARK = "__dipgate_counts__"


@dataclass(frozen=True, slots=True)
class NavItem:
    """One entry. `key` is what a template names in `{% block nav %}`."""

    key: str
    label: str
    path: str
    needs: Permission


NAVIGATION = (
    NavItem("queue", "队列", "/queue", Permission.LISTS_VIEW),
    NavItem("case", "病例", "/case", Permission.LISTS_VIEW),
    NavItem("reconcile", "对账", "/reconcile", Permission.RESULTS_VIEW),
    NavItem("registry", "科室与人员", "/registry", Permission.REGISTRY_VIEW),
    NavItem("maps", "编码对照", "/maps", Permission.MAPS_VIEW),
    NavItem("health", "上传与运行", "/health", Permission.HEALTH_VIEW),
    NavItem("users", "用户", "/users", Permission.USERS_MANAGE),
)


def nav_count(key: str) -> Callable[[F], F]:
    """Declare `(page) -> int | None`: the number beside the entry, on every page. Be quick."""

    def declare(function: F) -> F:
        setattr(function, _MARK, key)
        return function

    return declare


def counts_of(modules: Iterable[ModuleType]) -> Mapping[str, Counter]:
    """Entry → its counter. Raises ConfigError for an unknown entry or two counters of one."""
    found: dict[str, Counter] = {}
    for module in modules:
        for function in vars(module).values():
            if type(function) is not FunctionType or function.__module__ != module.__name__:
                continue
            key = getattr(function, _MARK, None)
            if key is None:
                continue
            if key in found or key not in {item.key for item in NAVIGATION}:
                raise ConfigError(
                    f"导航计数 {key} 重复或没有这一项，拒绝启动", path=module.__name__
                )
            found[key] = function
    return MappingProxyType(found)

"""Adapters by kind, found by walking this package: a new module is all a new adapter needs."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType

from dipgate.core.errors import ConfigError
from dipgate.core.record import SourceAdapter, SourceSpec
from dipgate.security.secret import Secret

Opener = Callable[[SourceSpec, Secret[str] | None], SourceAdapter]
_NAMES = ("ADAPTER", "ADAPTERS")
"""A module that is an adapter has `ADAPTER = AdapterKind(…)`; a family has `ADAPTERS = (…)`."""


@dataclass(frozen=True, slots=True)
class AdapterKind:
    """What a module of this package offers to the site file."""

    kind: str
    open: Opener
    place: str
    """Where it reads: `folder`, `file`, `server`, or `push` (rows come to us)."""
    whole_objects: bool = False
    """Its raw object is a whole file: the next version replaces what was said of it."""
    driver: str = ""
    """The package that has to be brought for it; empty: nothing to bring."""


def _modules() -> list[ModuleType]:
    package = importlib.import_module("dipgate.adapters")
    names = sorted(info.name for info in pkgutil.iter_modules(package.__path__))
    return [importlib.import_module(f"dipgate.adapters.{name}") for name in names]


def adapters() -> dict[str, AdapterKind]:
    """kind → what is offered, in the order of the kinds. ConfigError when one is claimed twice."""
    found: dict[str, AdapterKind] = {}
    for module in _modules():
        for declared in _declared(module):
            if declared.kind in found:
                raise ConfigError(f"适配器种类 {declared.kind} 被两次声明", path=module.__name__)
            found[declared.kind] = declared
    return dict(sorted(found.items()))


def _declared(module: ModuleType) -> tuple[AdapterKind, ...]:
    one, many = (getattr(module, name, None) for name in _NAMES)
    return (() if one is None else (one,)) + (() if many is None else tuple(many))


def adapter_kinds() -> tuple[str, ...]:
    """The kinds a site file may name (`csv`, `sqlite`, …)."""
    return tuple(adapters())


def adapters_in_folders() -> tuple[str, ...]:
    """The kinds whose `object` is a pattern of files in a folder."""
    return tuple(kind for kind, found in adapters().items() if found.place == "folder")


def adapter_of(spec: SourceSpec) -> AdapterKind:
    """What reads a configured source. Raises ConfigError for a kind that does not exist."""
    known = adapters()
    found = known.get(spec.kind)
    if found is None:
        raise ConfigError(
            f"来源 {spec.name} 的种类 {spec.kind!r} 不认识；可用：{'、'.join(known)}",
            path=f"sources.{spec.name}.kind",
        )
    return found


def open_source(spec: SourceSpec, password: Secret[str] | None = None) -> SourceAdapter:
    """The adapter of one configured source.

    Raises ConfigError for a kind, charset, path or driver that does not exist.
    """
    return adapter_of(spec).open(spec, password)

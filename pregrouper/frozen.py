"""A read-only dict that pickles, for tables that go to other processes.

`MappingProxyType` cannot be pickled; a compiled library must be.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, NoReturn, TypeVar

from dipgate.core.library import LibraryParts

K = TypeVar("K")
V = TypeVar("V")


class FrozenDict(dict[K, V]):
    """A dict that refuses every change after it is made; look-ups are those of a dict."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("this table is read-only")

    __setitem__ = _refuse
    __delitem__ = _refuse
    __ior__ = _refuse
    clear = _refuse
    pop = _refuse
    popitem = _refuse
    setdefault = _refuse
    update = _refuse

    def __reduce__(self) -> tuple[Callable[..., FrozenDict[K, V]], tuple[dict[K, V]]]:
        return FrozenDict, (dict(self),)


def frozen_parts(parts: LibraryParts) -> LibraryParts:
    """The parts with every table as a `FrozenDict`."""
    held: dict[str, Any] = {}
    for item in fields(parts):
        table = getattr(parts, item.name)
        if isinstance(table, Mapping) and not isinstance(table, FrozenDict):
            held[item.name] = FrozenDict(table)
    return replace(parts, **held) if held else parts

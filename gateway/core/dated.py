"""Values that a bureau can change, each with the day from which it holds and its source."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Generic, TypeVar

from dipgate.core.errors import ConfigError

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Since(Generic[T]):
    """One value, the first day it holds, and the document clause that says so."""

    first_day: date
    value: T
    source: str = ""


class Dated(Generic[T]):
    """A parameter as a series in time. Ask with a day; "the latest" does not exist."""

    __slots__ = ("_entries", "path")

    def __init__(self, path: str, entries: Iterable[Since[T]]) -> None:
        self.path = path
        self._entries = tuple(sorted(entries, key=lambda entry: entry.first_day))
        days = [entry.first_day for entry in self._entries]
        if len(set(days)) != len(days):
            raise ConfigError(f"参数 {path} 有两个相同的生效日期", path=path)

    def on(self, day: date) -> T:
        """The value that holds on `day`; ConfigError when none does yet."""
        found: Since[T] | None = None
        for entry in self._entries:
            if entry.first_day > day:
                break
            found = entry
        if found is None:
            raise ConfigError(f"参数 {self.path} 在 {day:%Y-%m-%d} 没有值", path=self.path)
        return found.value

    def entries(self) -> tuple[Since[T], ...]:
        return self._entries

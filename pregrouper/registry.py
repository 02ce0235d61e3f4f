"""Named functions that a policy may ask for; filled by decorators at import, then only read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from difflib import get_close_matches
from typing import Generic, TypeVar

from dipgate.core.errors import ConfigError

F = TypeVar("F")


def unknown_word(what: str, word: str, known: tuple[str, ...]) -> str:
    """That nobody knows this word, the nearest right one, and all that there are."""
    near = get_close_matches(word, known, n=1, cutoff=0.5)
    hint = f"，是不是想写 {near[0]!r}？" if near else "。"
    return f"不认识的{what} {word!r}{hint}可用的有：{'、'.join(known)}"


class Registry(Generic[F]):
    """name → function. A second function of the same name is a programming error."""

    def __init__(self, what: str) -> None:
        self.what = what
        self._entries: dict[str, F] = {}

    def add(self, name: str) -> Callable[[F], F]:
        def keep(entry: F) -> F:
            if name in self._entries:
                raise ValueError(f"{self.what} {name!r} is registered twice")
            self._entries[name] = entry
            return entry

        return keep

    def get(self, name: str) -> F | None:
        return self._entries.get(name)

    def named(self, name: str, path: str) -> F:
        """The entry. ConfigError names the policy path and the nearest right word."""
        found = self._entries.get(name)
        if found is None:
            text = unknown_word(self.what, name, tuple(self))
            raise ConfigError(f"参数 {path}：{text}", path=path)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(sorted(self._entries))

    def __contains__(self, name: object) -> bool:
        return name in self._entries

"""A secret that does not show itself: not in a repr, a log, a pickle or JSON."""

from __future__ import annotations

import hmac
from typing import Generic, NoReturn, TypeVar

S = TypeVar("S", str, bytes)


class Secret(Generic[S]):
    """Holds a secret; `reveal()` at the one place that needs it. Equality takes constant time."""

    __slots__ = ("_value",)
    _value: S
    __hash__ = None  # type: ignore[assignment]

    def __init__(self, value: S) -> None:
        self._value = value

    def reveal(self) -> S:
        """The secret itself. Never log, store or format what this returns."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return format("***", spec)

    def __bool__(self) -> bool:
        return bool(self._value)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(_bytes(self._value), _bytes(other._value))

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not picklable")

    def __copy__(self) -> Secret[S]:
        return self

    def __deepcopy__(self, memo: object) -> Secret[S]:
        return self


def _bytes(value: str | bytes) -> bytes:
    return value.encode() if isinstance(value, str) else value

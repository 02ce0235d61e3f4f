"""The check character of an 18-place identity number (GB 11643-1999)."""

from __future__ import annotations

from operator import mul

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK = "10X98765432"


def check_character(digits: str) -> str:
    """The 18th place that belongs to the first 17 digits: a digit or `X`."""
    return _CHECK[sum(map(mul, _WEIGHTS, map(int, digits[:17]))) % 11]

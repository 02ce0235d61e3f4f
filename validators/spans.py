"""Code spans compiled for speed: prefixes, closed ranges of prefixes, and exclusions.

`C51-C58 C79.6 !O83.400`: a code matches when it starts with a listed prefix, or its beginning
lies between the ends of a range, and no exclusion takes it out again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from typing import NamedTuple

_SPAN = re.compile(r"[A-Z](\d{1,2}(\.[0-9A-Za-z]{0,12})?)?|\d{1,2}(\.[0-9A-Za-z]{0,12})?")
MAX_SPANS = 2000


class _Span(NamedTuple):
    low: str
    high: str


def compile_spans(spans: Iterable[str]) -> Callable[[str], bool]:
    """Spans → a test of one code, by its category first. Raises ValueError naming a bad span."""
    taken: list[_Span] = []
    excluded: list[_Span] = []
    for text in spans:
        (excluded if text.startswith("!") else taken).append(_read(text.removeprefix("!")))
        if len(taken) + len(excluded) > MAX_SPANS:
            raise ValueError(f"代码范围超过 {MAX_SPANS} 段")
    if not taken:
        raise ValueError("代码范围是空的")
    table: dict[str, bool | tuple[_Span, ...]] = {}
    for span in taken:
        for key in _keys(span):
            if len(span.low) <= len(key):
                table[key] = True
            elif table.get(key) is not True:
                known = table.get(key, ())
                table[key] = (*known, span) if isinstance(known, tuple) else True
    holes = tuple(excluded)

    def matches(code: str) -> bool:
        found = table.get(code[:2] if code[:1].isdigit() else code[:3], False)
        if found is False:
            return False
        if found is not True and not any(_covers(span, code) for span in found):
            return False
        return not any(_covers(span, code) for span in holes)

    return matches


def _read(text: str) -> _Span:
    low, _, high = text.partition("-")
    high = high or low
    if not (_SPAN.fullmatch(low) and _SPAN.fullmatch(high)):
        raise ValueError(f"不是代码范围：{text!r}，应写成 C51-C58、K80.2 或 !O83.4 的形式")
    if len(low) != len(high) or low > high or low[0].isdigit() != high[0].isdigit():
        raise ValueError(f"代码范围的两端应一样长，且前小后大：{text!r}")
    return _Span(low, high)


def _covers(span: _Span, code: str) -> bool:
    return span.low <= code[: len(span.low)] <= span.high


def _keys(span: _Span) -> list[str]:
    """Categories (`K35`) or chapters (`36`) that hold codes of the span."""
    if span.low[0].isdigit():
        low, high = span.low[:2], span.high[:2]
        return [f"{n:02d}" for n in range(int(low.ljust(2, "0")), int(high.ljust(2, "9")) + 1)]
    low, high = span.low[:3].ljust(3, "0"), span.high[:3].ljust(3, "9")
    return [
        key
        for letter in range(ord(low[0]), ord(high[0]) + 1)
        for n in range(100)
        if low <= (key := f"{chr(letter)}{n:02d}") <= high
    ]

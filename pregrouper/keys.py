"""Candidate keys of a principal diagnosis, most specific first (dip-grouping.md 4)."""

from __future__ import annotations

import re
from collections.abc import Callable

from dipgate.core.codes import category, strip_marks, subcategory
from dipgate.pregrouper.registry import Registry

_CATEGORY = re.compile(r"^[A-Z]\d{2}$")
Keys = Callable[[str], tuple[str, ...]]
RANGE = "range"
DIAGNOSIS_KEYS: Registry[Keys] = Registry("诊断键")
COMPREHENSIVE_KEYS: Registry[Keys] = Registry("综合病种键")


@DIAGNOSIS_KEYS.add("full")
def full(code: str) -> tuple[str, ...]:
    """The code as written, then without its dagger or asterisk part."""
    bare = strip_marks(code)
    return (code,) if bare == code else (code, bare)


@DIAGNOSIS_KEYS.add("sub4")
def sub4(code: str) -> tuple[str, ...]:
    """亚目: with the mark first (`M47.0+`), then without; `N40.x00` also tries its category."""
    bare = strip_marks(code)
    key = subcategory(bare)
    keys: tuple[str, ...] = (key,)
    if "+" in code:
        keys = (f"{key}+", key)
    elif code.endswith("*"):
        keys = (f"{key}*", key)
    return (*keys, category(bare)) if key.endswith(".x") else keys


@DIAGNOSIS_KEYS.add("cat3")
@COMPREHENSIVE_KEYS.add("cat3")
def cat3(code: str) -> tuple[str, ...]:
    """类目."""
    return (category(code),)


@DIAGNOSIS_KEYS.add(RANGE)
def by_range(code: str) -> tuple[str, ...]:  # noqa: ARG001
    """Ranges are those of a library: whoever asks looks the category up in `Library.spans`."""
    return ()


@COMPREHENSIVE_KEYS.add("cat2")
def cat2(code: str) -> tuple[str, ...]:
    return (code[:2],)


@COMPREHENSIVE_KEYS.add("chapter1")
@COMPREHENSIVE_KEYS.add("chapter")
def chapter1(code: str) -> tuple[str, ...]:
    return (code[:1],)


def categories_in(span: str) -> tuple[str, ...]:
    """Every category of a closed range (`A15-A16` → A15, A16); letters first, then the number.

    A range of one end is that category; text that is no range gives none.
    """
    low, _, high = span.partition("-")
    first, last = category(low), category(high or low)
    if not (_CATEGORY.match(first) and _CATEGORY.match(last)):
        return ()
    start, end = _number(first), _number(last)
    return tuple(f"{chr(ord('A') + at // 100)}{at % 100:02d}" for at in range(start, end + 1))


def _number(code: str) -> int:
    return (ord(code[0]) - ord("A")) * 100 + int(code[1:3])

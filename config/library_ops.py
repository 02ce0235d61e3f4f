"""Operation expressions of a library file: which grammar a column is written in, and its key.

The three grammars of dip-grouping.md section 5 differ in their separators: `A+B/C` (cnf),
`A|B+C` (dnf), `A,B` (all). Only the policy names the grammar; the import sees to it that a file
is written in one of them throughout.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

GRAMMARS = (frozenset("+/"), frozenset("|+"), frozenset(","))
"""Separators that may stand together."""
DNF = (frozenset("|+"),)
"""What the national scheme is written in."""
ROLE = "_"
"""Between principal and related operations where a city prints both in one expression."""
_SEPARATORS = re.compile(r"[_+|/,]")
_CODE = re.compile(r"\d{2}\.[0-9A-Zx]{1,5}(x\d{3,4})?")

Key = frozenset[frozenset[str]] | None


def codes_of(text: str) -> list[str]:
    """Every code of an expression, in the order of the text."""
    return [code for code in _SEPARATORS.split(text) if code]


def strange(text: str) -> str | None:
    """What is wrong with the codes or separators of one expression, in one sentence; or None."""
    for code in _SEPARATORS.split(text) if text else ():
        if not _CODE.fullmatch(code):
            return f"表达式“{text[:60]}”里的“{code[:30]}”不是手术操作代码"
    if text.count(ROLE) > 1:
        return f"表达式“{text[:60]}”里有几个“{ROLE}”，分不清主要和相关手术操作"
    return None


def separators(text: str) -> str:
    """The separators of an expression between operations of one role, each once."""
    return "".join(sorted(set(_SEPARATORS.findall(text)) - {ROLE}))


class Grammar:
    """The separators that one column of a file has used so far; a second grammar is refused."""

    def __init__(self, allowed: Iterable[frozenset[str]] = GRAMMARS) -> None:
        self._allowed = tuple(allowed)
        self._first: dict[str, int] = {}

    def mixed(self, row: int, text: str) -> str | None:
        """Whether this row mixes separators, alone or with the rows before: the sentence."""
        found = set(separators(text))
        if not found:
            return None
        if not self._fits(found):
            shown = "、".join(f"“{mark}”" for mark in sorted(found))
            known = "，或 ".join("".join(sorted(one)) for one in self._allowed)
            return f"表达式“{text[:60]}”用了分隔符{shown}，不合任何一种写法（可用：{known}）"
        for mark in sorted(found):
            others = [
                (other, at) for other, at in self._first.items() if not self._fits({mark, other})
            ]
            if others:
                other, at = others[0]
                return f"分隔符“{mark}”与第{at}行的“{other}”属于不同的写法，分不清“且”和“或”"
        for mark in found:
            self._first.setdefault(mark, row)
        return None

    def _fits(self, marks: set[str]) -> bool:
        return any(marks <= one for one in self._allowed)


def key_of(text: str) -> tuple[str, object]:
    """An expression in a form in which the order of its codes makes no difference."""
    if "/" in text:
        terms = frozenset(frozenset(term.split("/")) for term in text.split("+"))
        return "cnf", terms
    choices = text.split("|") if text else []
    return "dnf", frozenset(frozenset(re.split(r"[+,]", choice)) for choice in choices)

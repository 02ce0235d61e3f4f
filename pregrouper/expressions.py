"""Operation expressions of a library: three grammars, one result (dip-grouping.md section 5).

Every grammar is parsed once, at load, into alternatives; each alternative is the set of codes
that must all be there.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from dipgate.core.codes import procedure_code
from dipgate.core.errors import ConfigError
from dipgate.core.policy_parts import OpExpr
from dipgate.pregrouper.registry import Registry

Alternatives = tuple[frozenset[str], ...]
"""A or B or …, each a set of codes that are all required."""

MAX_ALTERNATIVES = 2000
MAX_TEXT = 20_000
_CODE = re.compile(r"^\d{2}(\.[0-9A-Za-z]{1,14})?$")
_SEPARATORS = re.compile(r"[^0-9A-Za-z.]")

Grammar = Callable[[str, str, str], list[list[str]]]
GRAMMARS: Registry[Grammar] = Registry("手术表达式文法")


@GRAMMARS.add("cnf")
def conjunction_of_choices(text: str, and_: str, or_: str) -> list[list[str]]:
    """`A+B/C` → A and (B or C)."""
    terms = [_split(term, or_) for term in _split(text, and_)]
    size = 1
    for term in terms:
        size *= len(term)
    if size > MAX_ALTERNATIVES:
        raise ValueError(f"展开后超过 {MAX_ALTERNATIVES} 种组合")
    return [list(choice) for choice in product(*terms)]


@GRAMMARS.add("dnf")
def choice_of_conjunctions(text: str, and_: str, or_: str) -> list[list[str]]:
    """`A|B+C` → A or (B and C)."""
    return [_split(term, and_) for term in _split(text, or_)]


@GRAMMARS.add("all")
def all_of_them(text: str, and_: str, or_: str) -> list[list[str]]:  # noqa: ARG001
    """`A,B` → A and B."""
    return [_split(text, and_)]


def _split(text: str, separator: str) -> list[str]:
    return text.split(separator) if separator else [text]


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads one library's expressions as its policy says; null parts refuse when needed."""

    spec: OpExpr

    def parse(self, text: str) -> Alternatives:
        """Expression without main/related separator → alternatives; empty text gives none.

        Raises ValueError for codes or separators that the grammar does not know, and ConfigError
        when the policy does not name the grammar that this text needs.
        """
        text = text.strip()
        if not text:
            return ()
        if len(text) > MAX_TEXT:
            raise ValueError("表达式过长")
        if not _SEPARATORS.search(text):
            return (frozenset((_code(text),)),)
        if self.spec.grammar is None:
            raise ConfigError(
                "目录含有多个手术操作的组合，政策没有写 grouping.op_expr.grammar",
                path="grouping.op_expr.grammar",
            )
        grammar = GRAMMARS.named(self.spec.grammar, "grouping.op_expr.grammar")
        terms = grammar(text, self.spec.and_ or "", self.spec.or_ or "")
        if len(terms) > MAX_ALTERNATIVES:
            raise ValueError(f"超过 {MAX_ALTERNATIVES} 种组合")
        return tuple(dict.fromkeys(frozenset(_code(item) for item in term) for term in terms))

    def column(self, text: str) -> Alternatives:
        """A column of its own for principal or related operations; commas mean every code."""
        codes = [part.strip() for part in text.split(",")]
        if len(codes) == 1:
            return self.parse(text)
        return (frozenset(_code(part) for part in codes),)

    def split(self, text: str) -> tuple[str, str]:
        """Principal part and related part of `MAIN_REL1+REL2`."""
        separator = self.spec.main_related_separator
        if not separator:
            return text, ""
        main, _, related = text.partition(separator)
        return main, related


def _code(text: str) -> str:
    code = procedure_code(text)
    if not _CODE.match(code):
        raise ValueError(f"{text!r} 不是手术操作编码，或用了文法不认识的分隔符")
    return code

"""Selectors: how one group is chosen when several remain (dip-grouping.md section 11).

Each takes candidates and the question, and returns those it keeps. One that would keep nothing
passes its input through; the runner logs what each dropped. A policy lists them in order.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING

from msgspec import Struct

from dipgate.core.grouping import Layer
from dipgate.core.money import Fen, yuan_decimal
from dipgate.pregrouper.registry import Registry

if TYPE_CHECKING:
    from dipgate.pregrouper.library import Group


CORE_LAYERS = frozenset(
    (Layer.CORE, Layer.BASIC, Layer.PRE, Layer.MERGE, Layer.AUX_SPLIT, Layer.BASE)
)
"""Layers of groups of their own; the others are what is left over."""


class Candidate(Struct, frozen=True, eq=False, gc=False):
    """A group that the case satisfies, and how. Operations in the case's order."""

    group: Group
    keys: tuple[str, ...]
    """Directory codes that were satisfied (short codes as the directory writes them)."""
    matched: tuple[str, ...]
    unmatched: tuple[str, ...]
    required: int
    related: int
    letter: str
    """S, T, D or N: the treatment class of the group."""

    @property
    def core(self) -> bool:
        return self.group.layer in CORE_LAYERS

    @property
    def rank_class(self) -> str:
        """`CS`, `BN`, `ZT` …: layer letter and treatment letter."""
        if self.group.layer is Layer.BASIC:
            return "B" + self.letter
        return ("C" if self.core else "Z") + self.letter


class Question(Struct, frozen=True, gc=False):
    """What a selector may look at beside the candidates."""

    principal_op: str
    fee: Fen | None
    surgical_ops: frozenset[str]
    """Empty where the policy has no selector that asks (`COUNTS_LETTERS`)."""
    layers: tuple[str, ...]
    rank: tuple[str, ...]


Candidates = Sequence[Candidate]
Selector = Callable[[Candidates, Question], Candidates]
SELECTORS: Registry[Selector] = Registry("选择规则")
COUNTS_LETTERS = "comp_surgery_if_unmatched_surgery"
"""The selector that asks for the class of operations which its candidates do not name."""
CROSS_LAYER = frozenset(("rank", "core_first", COUNTS_LETTERS))
"""Selectors that compare layers; without one, the order of `grouping.layers` decides first."""
USES_FEE = frozenset(("closest_fee",))
SELECTOR_WORDS: Mapping[str, str] = MappingProxyType(
    {
        "layer_order": "按政策的层次先后",
        "core_first": "核心病种优先",
        "main_op_in_key": "含主要手术的优先",
        "full_code_over_prefix": "完整编码优先于短编码",
        "exact_cover": "手术全部对上的优先",
        "max_and_terms": "要求手术最多的优先",
        "max_matched_ops": "对上手术最多的优先",
        "max_related_matched": "对上相关手术最多的优先",
        "principal_only_row": "不带相关手术的优先",
        "surgery_max_score": "手术病种取分值最高",
        "max_score": "取分值最高",
        "closest_fee": "取平均费用最接近的",
        COUNTS_LETTERS: "核心病种都漏了手术时取手术综合病种",
        "rank": "按政策的类别先后",
        "table_order": "按目录顺序",
    }
)
"""What each selector is called in a sentence for people."""


def _of_core(keep: Callable[[list[Candidate]], Candidates], found: Candidates) -> Candidates:
    """Apply to core and basic candidates together; comprehensive ones wait for `rank`."""
    core = [item for item in found if item.core]
    if not core:
        return found
    kept = {id(item) for item in keep(core)} or {id(item) for item in core}
    return [item for item in found if not item.core or id(item) in kept]


def _most(found: list[Candidate], number: Callable[[Candidate], int]) -> Candidates:
    best = max(number(item) for item in found)
    return [item for item in found if number(item) == best]


@SELECTORS.add("layer_order")
def layer_order(found: Candidates, question: Question) -> Candidates:
    """The first layer, in the policy's order, that has a candidate."""
    for layer in question.layers:
        kept = [item for item in found if item.group.layer.value == layer]
        if kept:
            return kept
    return found


@SELECTORS.add("core_first")
def core_first(found: Candidates, question: Question) -> Candidates:  # noqa: ARG001
    """Core and basic before comprehensive."""
    return [item for item in found if item.core]


@SELECTORS.add("main_op_in_key")
def main_op_in_key(found: Candidates, question: Question) -> Candidates:
    """Groups whose key contains the principal operation."""
    return _of_core(
        lambda core: [item for item in core if question.principal_op in item.matched], found
    )


@SELECTORS.add("full_code_over_prefix")
def full_code_over_prefix(found: Candidates, question: Question) -> Candidates:  # noqa: ARG001
    """Drop rows of short codes where a longer code of another row matches too."""

    def keep(core: list[Candidate]) -> Candidates:
        def beaten(item: Candidate) -> bool:
            return any(
                longer != key and longer.startswith(key)
                for key in item.keys
                for other in core
                if other is not item
                for longer in other.keys
            )

        return [item for item in core if not beaten(item)]

    return _of_core(keep, found)


@SELECTORS.add("exact_cover")
def exact_cover(found: Candidates, question: Question) -> Candidates:  # noqa: ARG001
    """Groups that leave no operation of the case unmatched."""
    return _of_core(lambda core: [item for item in core if not item.unmatched], found)


@SELECTORS.add("max_and_terms")
def max_and_terms(found: Candidates, question: Question) -> Candidates:  # noqa: ARG001
    """Rows that require the most operations."""
    return _of_core(lambda core: _most(core, lambda item: item.required), found)


@SELECTORS.add("max_matched_ops")
def max_matched_ops(found: Candidates, question: Question) -> Candidates:  # noqa: ARG001
    """Rows that match the most operations of the case."""
    return _of_core(lambda core: _most(core, lambda item: len(item.matched)), found)


@SELECTORS.add("max_related_matched")
def max_related_matched(found: Candidates, question: Question) -> Candidates:  # noqa: ARG001
    """Rows that match the most related operations (official order of 2.0 and 3.0)."""
    return _of_core(lambda core: _most(core, lambda item: item.related), found)


@SELECTORS.add("principal_only_row")
def principal_only_row(found: Candidates, question: Question) -> Candidates:  # noqa: ARG001
    """Rows without related operations."""
    return _of_core(lambda core: [item for item in core if not item.group.related], found)


@SELECTORS.add("surgery_max_score")
def surgery_max_score(found: Candidates, question: Question) -> Candidates:
    """If any core candidate is surgical, the highest score among them."""

    def keep(core: list[Candidate]) -> Candidates:
        return _highest(core) if any(item.letter == "S" for item in core) else core

    del question
    return _of_core(keep, found)


@SELECTORS.add("max_score")
def max_score(found: Candidates, question: Question) -> Candidates:  # noqa: ARG001
    """The highest base score; rows without a score make the comparison impossible."""
    return _of_core(_highest, found) if any(item.core for item in found) else _highest(list(found))


def _highest(found: list[Candidate]) -> Candidates:
    scores = [item.group.row.score for item in found]
    known = [score for score in scores if score is not None]
    if len(known) < len(scores) or not known:
        return found
    best = max(known)
    return [item for item in found if item.group.row.score == best]


@SELECTORS.add("closest_fee")
def closest_fee(found: Candidates, question: Question) -> Candidates:
    """The smallest distance between the case's fee and the group's mean; the first of a tie."""
    if question.fee is None:
        return found
    fee = yuan_decimal(question.fee)

    def keep(core: list[Candidate]) -> Candidates:
        if any(item.group.row.average_fee is None for item in core):
            return core
        return [min(core, key=lambda item: abs(fee - (item.group.row.average_fee or Decimal(0))))]

    return _of_core(keep, found)


@SELECTORS.add(COUNTS_LETTERS)
def comp_surgery_if_unmatched_surgery(found: Candidates, question: Question) -> Candidates:
    """A comprehensive surgery row when every core candidate leaves a surgical operation out."""
    core = [item for item in found if item.core]
    surgery = [item for item in found if not item.core and item.letter == "S"]
    if surgery and core and all(question.surgical_ops & set(item.unmatched) for item in core):
        return surgery
    return found


@SELECTORS.add("rank")
def rank(found: Candidates, question: Question) -> Candidates:
    """The first class of the policy's rank list that has a candidate."""
    for name in question.rank:
        kept = [item for item in found if _in_class(item, name)]
        if kept:
            return kept
    return found


def _in_class(item: Candidate, name: str) -> bool:
    return item.rank_class == name or name.rstrip("*") == item.rank_class[0]


@SELECTORS.add("table_order")
def table_order(found: Candidates, question: Question) -> Candidates:  # noqa: ARG001
    """The first row of the table: last resort, always logged."""
    return [min(found, key=lambda item: item.group.order)]

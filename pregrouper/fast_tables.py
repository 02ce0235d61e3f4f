"""A compiled library and its policy as integer tables for the compiled loop.

Refuses what the loop does not know (prefix codes, the national 3.0 layers, auxiliary labels …)
by naming the policy path, so that nobody takes a slow run for a fast one.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from dipgate.core.errors import ConfigError
from dipgate.core.grouping import Layer
from dipgate.core.policy import Policy
from dipgate.pregrouper.fast_layout import (
    ABSENT,
    CLOSEST_FEE,
    COMP_SURGERY_IF_UNMATCHED_SURGERY,
    CONSERVATIVE,
    CORE_FIRST,
    EXACT_COVER,
    LAYER_ORDER,
    MAIN_OP_IN_KEY,
    MAX_AND_TERMS,
    MAX_MATCHED_OPS,
    MAX_OF_ALL,
    MAX_RELATED_MATCHED,
    MAX_SCORE,
    NO_EFFECT,
    NO_FEE,
    NO_LETTER,
    OF_EACH,
    OF_PRINCIPAL,
    PRINCIPAL_ONLY_ROW,
    RANK,
    SURGERY_MAX_SCORE,
    TABLE_ORDER,
    Rules,
    Tables,
)
from dipgate.pregrouper.library import Group, Library
from dipgate.pregrouper.plan import Plan
from dipgate.pregrouper.selectors import CROSS_LAYER

if TYPE_CHECKING:
    from dipgate.pregrouper.fast_layout import Ints, Longs

LETTERS: Mapping[str, int] = {"S": 0, "T": 1, "D": 2, "N": CONSERVATIVE, "": NO_LETTER}
_SELECTORS: Mapping[str, int] = {
    "layer_order": LAYER_ORDER,
    "core_first": CORE_FIRST,
    "main_op_in_key": MAIN_OP_IN_KEY,
    "exact_cover": EXACT_COVER,
    "max_and_terms": MAX_AND_TERMS,
    "max_matched_ops": MAX_MATCHED_OPS,
    "max_related_matched": MAX_RELATED_MATCHED,
    "principal_only_row": PRINCIPAL_ONLY_ROW,
    "surgery_max_score": SURGERY_MAX_SCORE,
    "max_score": MAX_SCORE,
    "closest_fee": CLOSEST_FEE,
    "comp_surgery_if_unmatched_surgery": COMP_SURGERY_IF_UNMATCHED_SURGERY,
    "rank": RANK,
    "table_order": TABLE_ORDER,
    # Without prefix codes a longer code of the directory never stands beside its beginning.
    "full_code_over_prefix": NO_EFFECT,
}
_CASE_TYPES: Mapping[str | None, int] = {"max_of_all": MAX_OF_ALL, "principal": OF_PRINCIPAL}
_LAYERS = (Layer.CORE, Layer.BASIC, Layer.COMPREHENSIVE)
_LAYER_LETTERS = "CBZ"
_FEE_PLACES = 9


@dataclass(frozen=True, slots=True)
class Compiled:
    """Library and policy in numbers. Directory operations have the first numbers of all codes."""

    rules: Rules
    tables: Tables
    groups: tuple[Group, ...]
    op_codes: tuple[str, ...]
    bucket_numbers: Mapping[str, int]
    row_numbers: Mapping[str, int]


def compiled(plan: Plan) -> Compiled:
    """Tables of the loop. Raises ConfigError for parts that the loop does not know."""
    library, policy = plan.library, plan.policy
    refuse(plan)
    groups = tuple(library.groups.values())
    op_codes = tuple(sorted(library.op_codes))
    _refuse_prefixes(policy, op_codes)
    numbers = {code: at for at, code in enumerate(op_codes)}
    rows = {group.code: at for at, group in enumerate(groups)}
    letters = {code: plan.rules.attributes.letter(code) for code in op_codes}
    fees, scale = _fees(library, policy, groups)
    return Compiled(
        _rules(policy, library, scale),
        _tables(_rows(groups, numbers, letters, policy), _buckets(library, numbers, rows), fees),
        groups,
        op_codes,
        {key: at for at, key in enumerate(library.buckets)},
        rows,
    )


def refuse(plan: Plan) -> None:
    """Raise ConfigError for what needs the plain engine."""
    rules, library = plan.policy.grouping, plan.library
    if plan.national:
        raise _slow(f"层 {plan.national[0].value}", "grouping.layers")
    if library.short_codes:
        raise _slow("按前缀匹配的手术编码", "grouping.op_match.prefix_if_shorter_than")
    if plan.policy.auxiliary.mode not in (None, "none"):
        raise _slow(f"辅助目录（{plan.policy.auxiliary.mode}）", "auxiliary.mode")
    if plan.mapping:
        raise _slow("编码版本映射", "catalogue.map_case_down")
    if plan.rules.op_list and plan.rules.not_main is not None:
        raise _slow("不纳入分组的手术操作目录", "grouping.exclusions.op_list")
    if plan.rules.simple_op == "incision0_and_level_lt3":
        raise _slow("按切口和级别判断的简单操作", "grouping.op_type.simple_op")
    levels = any(group.row.op_level is not None for group in library.groups.values())
    if rules.comprehensive.level_split and levels:
        raise _slow("按手术级别细分的综合病种", "grouping.comprehensive.level_split")
    unknown = [name for name in rules.select or () if name not in _SELECTORS]
    if unknown:
        raise _slow(f"选择规则 {unknown[0]}", "grouping.select")


def _slow(what: str, path: str) -> ConfigError:
    return ConfigError(f"快速分组不支持{what}（{path}）；请不用快速分组，改用多进程运行", path=path)


def _refuse_prefixes(policy: Policy, op_codes: Sequence[str]) -> None:
    if "full_code_over_prefix" in (policy.grouping.select or ()):
        for code, after in pairwise(op_codes):
            if after.startswith(code):
                raise _slow(f"目录中互为前缀的手术编码 {code}、{after}", "grouping.select")


def _rules(policy: Policy, library: Library, fee_scale: int) -> Rules:
    spec = policy.grouping
    names = list(spec.select or ())
    if not CROSS_LAYER.intersection(names):
        names.insert(0, "layer_order")
    layers = spec.layers or ()
    places = [layers.index(layer.value) if layer.value in layers else ABSENT for layer in _LAYERS]
    ranks = [ABSENT] * (len(_LAYERS) * 4)
    for layer, first in enumerate(_LAYER_LETTERS):
        for letter, second in enumerate("STDN"):
            for place, name in enumerate(spec.rank or ()):
                if name == first + second or name.rstrip("*") == first:
                    ranks[layer * 4 + letter] = place
                    break
    return Rules(
        related_apart=library.principal_related,
        comprehensive="comprehensive" in layers,
        level_split=bool(spec.comprehensive.level_split),
        unused_layers=any(
            group.layer.value not in layers
            for bucket in library.buckets.values()
            for group in bucket.groups
        ),
        case_type=_CASE_TYPES.get(spec.op_type.case_type_from, OF_EACH),
        fee_scale=fee_scale,
        select=ints([_SELECTORS[name] for name in names]),
        layer_place=ints(places),
        rank=ints(ranks),
    )


def _fees(library: Library, policy: Policy, groups: Sequence[Group]) -> tuple[list[int], int]:
    """Mean fees as whole numbers of one unit, and that unit's share of a fen."""
    if "closest_fee" not in (policy.grouping.select or ()):
        return [NO_FEE] * len(groups), 1
    known = [group.row.average_fee for group in groups if group.row.average_fee is not None]
    places = max((_places(fee) for fee in known), default=2)
    if places > _FEE_PLACES or any(fee >= 10**8 for fee in known):
        raise _slow(f"目录 {library.label} 平均费用的小数位数", "grouping.select")
    places = max(places, 2)
    unit = Decimal(10) ** places
    fees = [
        NO_FEE if group.row.average_fee is None else int(group.row.average_fee * unit)
        for group in groups
    ]
    return fees, 10 ** (places - 2)


def _places(number: Decimal) -> int:
    exponent = number.normalize().as_tuple().exponent
    return max(0, -exponent) if isinstance(exponent, int) else 0


def _tables(rows: _Rows, buckets: _Buckets, fees: Sequence[int]) -> Tables:
    return Tables(
        wide(rows.rows, 8),
        longs(fees),
        wide(rows.parts, 4),
        ints(rows.keys),
        wide(buckets.buckets, 4),
        wide(buckets.entries, 3),
        ints(buckets.members),
    )


@dataclass(slots=True)
class _Rows:
    rows: list[tuple[int, ...]] = field(default_factory=list)
    parts: list[tuple[int, ...]] = field(default_factory=list)
    keys: list[int] = field(default_factory=list)

    def add_part(self, codes: Sequence[int], letter: int, extra: int) -> None:
        begin = len(self.keys)
        self.keys += codes
        self.parts.append((begin, len(self.keys), letter, extra))


def _rows(
    groups: Sequence[Group],
    numbers: Mapping[str, int],
    letters: Mapping[str, str],
    policy: Policy,
) -> _Rows:
    scores = sorted({group.row.score for group in groups if group.row.score is not None})
    places = {score: at for at, score in enumerate(scores)}
    first_only = policy.grouping.op_type.case_type_from == "principal"
    out = _Rows()

    def add(codes: frozenset[str], extra: int) -> None:
        ordered = sorted(codes)
        classes = [LETTERS[letters[code]] for code in ordered]
        letter = classes[0] if first_only else min(min(item, CONSERVATIVE) for item in classes)
        out.add_part([numbers[code] for code in ordered], letter, extra)

    for group in groups:
        main = len(out.parts)
        for codes in group.main:
            add(codes, 0)
        principals = {code for codes in group.main for code in codes}
        related = len(out.parts)
        for codes in group.related:
            add(codes, len(codes - principals))
        layer = _LAYERS.index(group.layer) if group.layer in _LAYERS else len(_LAYERS)
        letter = LETTERS[group.treatment] if group.treatment else -1
        score = -1 if group.row.score is None else places[group.row.score]
        single = not group.related and len(group.main) == 1 and len(group.main[0]) == 1
        ends = (main, related, related, len(out.parts))
        out.rows.append((layer, letter, score, *ends, int(single)))
    return out


@dataclass(slots=True)
class _Buckets:
    buckets: list[tuple[int, ...]] = field(default_factory=list)
    entries: list[tuple[int, ...]] = field(default_factory=list)
    members: list[int] = field(default_factory=list)

    def add_members(self, rows: Iterable[int]) -> tuple[int, int]:
        begin = len(self.members)
        self.members += rows
        return begin, len(self.members)


def _buckets(library: Library, numbers: Mapping[str, int], rows: Mapping[str, int]) -> _Buckets:
    out = _Buckets()
    for bucket in library.buckets.values():
        begin = len(out.entries)
        for code in sorted(bucket.by_op):
            span = out.add_members(rows[group.code] for group in bucket.by_op[code])
            out.entries.append((numbers[code], *span))
        plain = out.add_members(rows[group.code] for group in bucket.conservative)
        out.buckets.append((begin, len(out.entries), *plain))
    return out


def wide(values: Sequence[tuple[int, ...]], width: int) -> Ints:
    return np.array(values, dtype=np.int32).reshape(-1, width)


def ints(values: Iterable[int]) -> Ints:
    return np.array(list(values), dtype=np.int32)


def longs(values: Iterable[int]) -> Longs:
    return np.array(list(values), dtype=np.int64)

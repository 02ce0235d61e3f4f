"""Words of a policy that nobody knows, found before a case is."""

from __future__ import annotations

from collections.abc import Iterator
from operator import attrgetter
from typing import Any

from dipgate.core.errors import ConfigError
from dipgate.core.grouping import Zone
from dipgate.core.money import ROUNDING
from dipgate.core.policy import Policy
from dipgate.pregrouper.add_ons import AFTER_K, BEFORE_K
from dipgate.pregrouper.aux_factor import CHOICES
from dipgate.pregrouper.aux_question import DIMENSIONS, LOCAL, SECONDARY
from dipgate.pregrouper.auxiliary import MODES, NO_MODE
from dipgate.pregrouper.coefficients import AVERAGES, COMPOSITIONS
from dipgate.pregrouper.conditions import conditions_of, read_condition
from dipgate.pregrouper.deviation import FORMS, OPERATORS, PAY_COST, REVIEW
from dipgate.pregrouper.expressions import GRAMMARS
from dipgate.pregrouper.policy_check import (
    ABSENT,
    Key,
    grouping_keys,
    strange_positions,
    strange_words,
)
from dipgate.pregrouper.price import BASES, FUND_SHARES, KINDS, PRICE_KEYS
from dipgate.pregrouper.registry import Registry
from dipgate.pregrouper.settling_bounds import FORBIDDEN
from dipgate.pregrouper.settling_points import MEAN_OF_MEANS, WEIGHTED_TOTALS
from dipgate.pregrouper.settling_year import APPLIES_TO, BAND_FORMS
from dipgate.pregrouper.severity import (
    LADDER,
    SOURCES,
    SPLIT_LADDER,
    SPLIT_TUMOUR_LADDER,
    TUMOUR_LADDER,
)
from dipgate.pregrouper.zone_score import NET, TOTAL

_NO_FORMULA = (ABSENT, REVIEW, PAY_COST)
"""Words that stand where a form does."""


def wrong_words(policy: Policy) -> Iterator[tuple[str, str]]:
    """Path and sentence for each condition, name and ladder that nobody knows."""
    yield from strange_words(grouping_keys(policy))
    yield from strange_positions(policy)
    for path, text in conditions_of(policy):
        try:
            read_condition(text, path)
        except ConfigError as error:
            yield path, str(error).removeprefix(f"参数 {path}：")
    yield from strange_words(_keys(policy))
    yield from _ladders(policy)


def _keys(policy: Policy) -> Iterator[Key]:
    """Every key outside the grouping section that takes words."""
    for path, known in _WORDS:
        yield Key(path, _said(policy, path), known)
    for path, registry in _REGISTERED:
        yield Key(path, _said(policy, path), (*registry, ABSENT), registry.what)
    for zone in ("low", "high", "extreme"):
        path = f"scoring.deviation.{zone}"
        rule = getattr(policy.scoring.deviation, zone)
        yield Key(f"{path}.op", (rule.op,), (*OPERATORS, ABSENT))
        yield Key(f"{path}.k", (rule.k,), ("after", "none", ABSENT))
        yield Key(f"{path}.base", (rule.base,), ("one", "k", ABSENT))
        yield Key(f"{path}.form", (rule.form,), (*FORMS, *_NO_FORMULA), FORMS.what)
    for number, item in enumerate(policy.scoring.add_ons):
        yield Key(f"scoring.add_ons[{number}].apply", (item.apply,), (BEFORE_K, AFTER_K))
    for number, rule in enumerate(policy.scoring.case_rules):
        yield Key(f"scoring.case_rules[{number}].zone", (rule.zone,), _ZONES)
    for number, band in enumerate(policy.settlement.year_end.bands or ()):
        path = f"settlement.year_end.bands[{number}].pay"
        yield Key(path, (band.pay.form,), tuple(BAND_FORMS), BAND_FORMS.what)
    assess = policy.settlement.year_end.assess
    if assess is not None:
        path = "settlement.year_end.assess.applies_to"
        yield Key(path, (assess.applies_to,), (*APPLIES_TO, ABSENT))


def _said(policy: Policy, path: str) -> tuple[str | None, ...]:
    """The words at a path: one, or those of a list."""
    found = attrgetter(path)(policy)
    return found if isinstance(found, tuple) else (found,)


_ZONES = tuple(zone.value for zone in Zone if zone.value)
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("auxiliary.mode", (*filter(None, NO_MODE), *MODES)),
    ("auxiliary.choose", (*CHOICES, ABSENT)),
    ("auxiliary.severity_source", SOURCES),
    ("scoring.institution.composition", (*COMPOSITIONS, "base", ABSENT)),
    ("scoring.institution.basic_groups", ("none", "group_factor", "same", ABSENT)),
    ("scoring.fee_basis", (TOTAL, NET)),
    ("scoring.rounding.mode", tuple(ROUNDING)),
    ("scoring.time_weight_mode", (MEAN_OF_MEANS, WEIGHTED_TOTALS)),
    ("scoring.zero_score_group", (PAY_COST,)),
    ("scoring.special_review.per_hospital_cap", (FORBIDDEN, ABSENT)),
    ("settlement.point_value.basis", BASES),
    ("settlement.point_value.kind", KINDS),
    ("settlement.fund_share_from", ("pool", "case")),
)
_REGISTERED: tuple[tuple[str, Registry[Any]], ...] = (
    ("grouping.op_expr.grammar", GRAMMARS),
    ("scoring.average_fee", AVERAGES),
    ("settlement.fund_share", FUND_SHARES),
    ("settlement.price_keys", PRICE_KEYS),
    ("settlement.fallback_price_key", PRICE_KEYS),
)


def _ladders(policy: Policy) -> Iterator[tuple[str, str]]:
    rules = policy.auxiliary
    for name, labels, ladders in (
        ("severity_labels", rules.severity_labels, (LADDER, SPLIT_LADDER)),
        ("tumour_labels", rules.tumour_labels, (TUMOUR_LADDER, SPLIT_TUMOUR_LADDER)),
    ):
        lengths = tuple(len(ladder) for ladder in ladders)
        if labels is not None and len(labels) not in lengths:
            numbers = " 或 ".join(map(str, lengths))
            yield f"auxiliary.{name}", f"有 {len(labels)} 个标签，应为 {numbers} 个，从轻到重"


def unheard_dimensions(policy: Policy) -> tuple[str, ...]:
    """Dimensions that get no label in this version; a person must know."""
    names = policy.auxiliary.dimensions or ()
    return tuple(name for name in names if name not in (LOCAL, SECONDARY, *DIMENSIONS))

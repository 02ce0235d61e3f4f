"""Words of a policy's auxiliary and scoring sections that nobody knows, found before a case is."""

from __future__ import annotations

from collections.abc import Iterator

from dipgate.core.errors import ConfigError
from dipgate.core.grouping import Zone
from dipgate.core.money import ROUNDING
from dipgate.core.policy import Policy
from dipgate.pregrouper.add_ons import AFTER_K, BEFORE_K
from dipgate.pregrouper.aux_factor import CHOICES
from dipgate.pregrouper.aux_question import DIMENSIONS, LOCAL, SECONDARY
from dipgate.pregrouper.coefficients import COMPOSITIONS
from dipgate.pregrouper.conditions import conditions_of, read_condition
from dipgate.pregrouper.deviation import OPERATORS, PAY_COST
from dipgate.pregrouper.settling_bounds import FORBIDDEN
from dipgate.pregrouper.settling_points import MEAN_OF_MEANS, WEIGHTED_TOTALS
from dipgate.pregrouper.severity import (
    LADDER,
    SOURCES,
    SPLIT_LADDER,
    SPLIT_TUMOUR_LADDER,
    TUMOUR_LADDER,
)
from dipgate.pregrouper.zone_score import NET, TOTAL

_ABSENT = "n/a"


def wrong_words(policy: Policy) -> Iterator[tuple[str, str]]:
    """Path and sentence for each condition, name and ladder that scoring would not understand."""
    for path, text in conditions_of(policy):
        try:
            read_condition(text, path)
        except ConfigError as error:
            yield path, str(error).removeprefix(f"参数 {path}：")
    rules, scoring = policy.auxiliary, policy.scoring
    zones = tuple(zone.value for zone in Zone if zone.value)
    words: list[tuple[str, str | None, tuple[str, ...]]] = [
        ("auxiliary.choose", rules.choose, (*CHOICES, _ABSENT)),
        ("auxiliary.severity_source", rules.severity_source, SOURCES),
        (
            "scoring.institution.composition",
            scoring.institution.composition,
            (*COMPOSITIONS, "base", _ABSENT),
        ),
        (
            "scoring.institution.basic_groups",
            scoring.institution.basic_groups,
            ("none", "group_factor", "same", _ABSENT),
        ),
        ("scoring.fee_basis", scoring.fee_basis, (TOTAL, NET)),
        ("scoring.rounding.mode", scoring.rounding.mode, tuple(ROUNDING)),
        ("scoring.time_weight_mode", scoring.time_weight_mode, (MEAN_OF_MEANS, WEIGHTED_TOTALS)),
        ("scoring.zero_score_group", scoring.zero_score_group, (PAY_COST,)),
        (
            "scoring.special_review.per_hospital_cap",
            scoring.special_review.per_hospital_cap,
            (FORBIDDEN, _ABSENT),
        ),
        *_zone_words(policy),
        *(
            (f"scoring.add_ons[{number}].apply", item.apply, (BEFORE_K, AFTER_K))
            for number, item in enumerate(scoring.add_ons)
        ),
        *(
            (f"scoring.case_rules[{number}].zone", rule.zone, zones)
            for number, rule in enumerate(scoring.case_rules)
        ),
    ]
    for path, word, known in words:
        if word is not None and word not in known:
            yield path, f"不认识 {word!r}；可用的有：{'、'.join(known)}"
    yield from _ladders(policy)


def _zone_words(policy: Policy) -> Iterator[tuple[str, str | None, tuple[str, ...]]]:
    for name in ("low", "high", "extreme"):
        zone = getattr(policy.scoring.deviation, name)
        path = f"scoring.deviation.{name}"
        yield f"{path}.op", zone.op, (*OPERATORS, _ABSENT)
        yield f"{path}.k", zone.k, ("after", "none", _ABSENT)
        yield f"{path}.base", zone.base, ("one", "k", _ABSENT)


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

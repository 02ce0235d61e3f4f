"""A dimension is in use for a group by its statistics, where the library brings them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, fields
from decimal import Decimal
from typing import Any

import pytest

from dipgate.core.grouping import ScoreStatus
from dipgate.core.library import Coefficient, LibraryRow
from dipgate.core.policy_parts import Trigger
from dipgate.pregrouper.aux_trigger import LISTED, activation
from dipgate.pregrouper.auxiliary import AuxLabel

FULL = {"min_group_cases": "100", "min_type_cases": "15", "min_cv_drop": "0.2", "cv_before": "0.7"}


def group(cases: int | None = 100, cv: str | None = "0.8") -> LibraryRow:
    texts = {
        item.name: ""
        for item in fields(LibraryRow)
        if item.type == "str" and item.default is MISSING
    }
    return LibraryRow(
        row=1,
        **texts,
        score=Decimal(100),
        average_fee=None,
        average_stay=None,
        cv=None if cv is None else Decimal(cv),
        case_count=cases,
    )


def row(cases: int | None = 15, after: str | None = "0.64", dimension: str = "cci") -> Coefficient:
    cv_after = None if after is None else Decimal(after)
    return Coefficient("G1", dimension, "严重", Decimal("1.2"), cases=cases, cv_after=cv_after)


def rules(**over: Any) -> Trigger:
    return Trigger.model_validate(FULL | over)


def test_a_row_without_statistics_is_a_decision() -> None:
    assert activation(row(None, None), group(), rules()) is LISTED
    assert activation(None, group(), rules()) is LISTED


def test_every_edge_belongs_inside_but_for_the_cv() -> None:
    """100 and 15 cases are enough, a drop of exactly 20 % too; a CV of exactly 0.7 is not."""
    assert activation(row(), group(), rules()) == LISTED
    assert activation(row(after="0.56"), group(cv="0.7000001"), rules()).on


@pytest.mark.parametrize(
    ("one", "of", "ref", "why"),
    [
        (row(), group(cases=99), "min_group_cases", "病种病例数 99 少于 100"),
        (row(cases=14), group(), "min_type_cases", "分型病例数 14 少于 15"),
        (row(after="0.56"), group(cv="0.7"), "cv_before", "0.7 不大于 0.7"),
        (row(after="0.6400001"), group(), "min_cv_drop", "下降不到 20%"),
    ],
)
def test_one_failed_test_is_enough(one: Any, of: Any, ref: str, why: str) -> None:
    found = activation(one, of, rules())
    assert (found.on, found.ref) == (False, f"auxiliary.trigger.{ref}")
    assert why in found.why
    # What fails for certain needs no other number.
    others = {name: None for name in FULL if name != ref}
    assert not activation(one, of, rules(**others)).on
    assert activation(one, of, rules(**{ref: "n/a"})) == LISTED


@pytest.mark.parametrize(
    ("one", "of", "over", "lacks"),
    [
        (row(), group(), {"min_group_cases": None}, "auxiliary.trigger.min_group_cases"),
        (row(), group(), {"min_type_cases": None}, "auxiliary.trigger.min_type_cases"),
        (row(), group(), {"cv_before": None}, "auxiliary.trigger.cv_before"),
        (row(), group(), {"min_cv_drop": None}, "auxiliary.trigger.min_cv_drop"),
        (row(), group(cases=None), {}, "library.case_count"),
        (row(), group(cv=None), {}, "library.cv"),
        (row(cases=None), group(), {}, "library.coefficients.case_count"),
        (row(after=None), group(), {}, "library.coefficients.cv_after"),
    ],
)
def test_what_cannot_be_tested_is_named(
    one: Any, of: Any, over: dict[str, Any], lacks: str
) -> None:
    found = activation(one, of, rules(**over))
    assert (found.on, found.lacks) == (True, (lacks,))


@pytest.mark.parametrize("word", [None, "true"])
def test_intensive_care_is_looser_by_what_nobody_says(word: str | None) -> None:
    strict, wide = row(dimension="icu"), row(dimension="icu", after="0.8")
    relaxed = rules(icu_relaxed=word)
    assert activation(strict, group(), relaxed) == LISTED
    assert activation(wide, group(), relaxed).lacks == ("auxiliary.trigger.icu_relaxed",)
    assert not activation(wide, group(), rules(icu_relaxed="false")).on
    assert not activation(wide, group(cases=1), relaxed).on


def test_the_score_waits_for_what_is_unknown(
    make_policy: Callable[..., Any], make_case: Callable[..., Any], make_group: Callable[..., Any]
) -> None:
    from dipgate.pregrouper import score

    aux = {
        "mode": "coefficient_table",
        "dimensions": ["cci", "age"],
        "choose": "max_factor",
        "cap": "n/a",
        "coefficients": {"*": {"age": {"老年": "1.2"}}},
    }
    path = "auxiliary.trigger.min_type_cases"
    labels = (
        AuxLabel("cci", "严重", "", Decimal("1.3"), None, (path,)),
        AuxLabel("age", "老年", ""),
    )
    found = score(
        make_case("K80.100", fee="1000.00"),
        make_group(labels=labels),
        make_policy(auxiliary=aux),
        hospital_level="3",
    )
    assert (found.status, found.not_configured) == (ScoreStatus.NOT_CONFIGURED, (path,))

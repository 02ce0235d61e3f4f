"""A: which label counts, in which zone, and that an unknown coefficient is never 1."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from dipgate.core.grouping import (
    AuxLabel,
    GroupStatus,
    Layer,
    ScoreResult,
    ScoreStatus,
    TcmRoute,
)
from dipgate.pregrouper import score

Make = Callable[..., Any]
TABLE = {
    "G1": {
        "severity": {"轻度": "0.9", "中度": "1.1", "重度": "1.3"},
        "age": {"老年": "1.2"},
    },
    "*": {"cci": {"严重": "1.25"}},
}
RULES = {
    "mode": "coefficient_table",
    "dimensions": ["severity", "cci", "age"],
    "choose": "max_factor",
    "coefficients": TABLE,
    "cap": "n/a",
}


def labels(*given: tuple[Any, ...]) -> tuple[AuxLabel, ...]:
    """`("severity", "重度", coefficient, trigger)`; the last two may be left out."""
    return tuple(
        AuxLabel(item[0], item[1], "", *(None if n is None else Decimal(n) for n in item[2:]))
        for item in given
    )


SEVERE, OLD, SICK = ("severity", "重度"), ("age", "老年"), ("cci", "严重")


@pytest.fixture
def run(make_policy: Make, make_case: Make, make_group: Make) -> Callable[..., ScoreResult]:
    """`run(SEVERE, OLD, fee="1000.00", aux={…})`: RW 100, K 1.1, mean fee 1000 yuan."""

    def go(
        *given: tuple[Any, ...],
        fee: str = "1000.00",
        aux: dict[str, Any] | None = None,
        result: dict[str, Any] | None = None,
        **policy: Any,
    ) -> ScoreResult:
        rules = make_policy(auxiliary=RULES | (aux or {}), **policy)
        grouped = make_group(**({"labels": labels(*given)} | (result or {})))
        return score(make_case("K80.100", fee=fee), grouped, rules, hospital_level="3")

    return go


@pytest.mark.parametrize(
    ("given", "a", "label"),
    [
        ((SEVERE,), "1.3", "重度"),
        ((("severity", "轻度"),), "0.9", "轻度"),
        ((SEVERE, OLD, SICK), "1.3", "重度"),
        ((("severity", "中度"), OLD, SICK), "1.25", "严重"),
        ((SICK,), "1.25", "严重"),
    ],
)
def test_max_factor(run: Make, given: Any, a: str, label: str) -> None:
    found = run(*given)
    assert (found.auxiliary, found.auxiliary_label) == (Decimal(a), label)
    assert found.score == Decimal("110.0000") * Decimal(a)
    assert any(step.step == "auxiliary" and label in step.text for step in found.trace)


def test_first_of_list_follows_the_dimensions(run: Make) -> None:
    aux = {"choose": "first_of_list", "dimensions": ["age", "severity"]}
    found = run(("severity", "中度"), SICK, OLD, aux=aux)
    assert (found.auxiliary, found.auxiliary_label) == (Decimal("1.2"), "老年")


def test_max_trigger_is_not_max_factor(run: Make) -> None:
    given = (("severity", "重度", "1.3", "1.1"), ("age", "老年", "1.2", "1.4"))
    aux = {"choose": "max_trigger", "coefficients": None}
    assert run(*given, aux=aux).auxiliary == Decimal("1.2")
    assert run(*given, aux=aux | {"choose": "max_factor"}).auxiliary == Decimal("1.3")
    bare = (("severity", "重度", "1.3"), ("age", "老年", "1.2"))
    assert run(*bare, aux=aux).auxiliary == Decimal("1.3")


def test_the_policys_table_comes_before_the_librarys(run: Make) -> None:
    found = run(("severity", "重度", "2"))
    assert found.auxiliary == Decimal("1.3")
    of_library = run(("severity", "重度", "2"), aux={"coefficients": None})
    assert of_library.auxiliary == 2


def test_what_the_policys_table_does_not_say_the_librarys_may(run: Make) -> None:
    aux = {"coefficients": {"*": {"severity": {"轻度": "1"}}}}
    assert run(("severity", "重度", "1.6"), aux=aux).auxiliary == Decimal("1.6")
    assert run(("severity", "轻度", "1.6"), aux=aux).auxiliary == 1


@pytest.mark.parametrize(
    ("given", "aux", "path"),
    [
        (SEVERE, {"coefficients": None}, "auxiliary.coefficients.G1.severity.重度"),
        (
            SEVERE,
            {"coefficients": {"G1": {"severity": {"重度": None}}}},
            "auxiliary.coefficients.G1.severity.重度",
        ),
        (
            SEVERE,
            {"coefficients": {"G2": {"severity": {"重度": "1.3"}}}},
            "auxiliary.coefficients.G1.severity.重度",
        ),
        (
            SICK,
            {"coefficients": {"*": {"cci": {"一般": "1.3"}}}},
            "auxiliary.coefficients.G1.cci.严重",
        ),
        (SEVERE, {"cap": None}, "auxiliary.cap"),
    ],
)
def test_an_unknown_coefficient_is_named(
    run: Make, given: tuple[str, str], aux: dict[str, Any], path: str
) -> None:
    aux = {"coefficients": TABLE} | aux
    found = run(given, aux=aux)
    assert (found.status, found.score) == (ScoreStatus.NOT_CONFIGURED, None)
    assert found.not_configured == (path,)
    assert found.auxiliary is None


def test_the_choice_is_needed_only_between_labels(run: Make) -> None:
    assert run(SEVERE, aux={"choose": None}).auxiliary == Decimal("1.3")
    assert run(SEVERE, OLD, aux={"choose": None}).not_configured == ("auxiliary.choose",)
    odd = run(SEVERE, OLD, aux={"choose": "by_moon"})
    assert odd.not_configured == ("auxiliary.choose",)
    assert any("by_moon" in text for text in odd.warnings)


def test_a_dimension_that_is_off_for_the_group_has_no_say(run: Make) -> None:
    table = {"G1": {"severity": {"重度": "1.3"}, "age": "n/a"}}
    assert run(SEVERE, OLD, aux={"coefficients": table}).auxiliary == Decimal("1.3")
    off = run(SEVERE, aux={"coefficients": {"G1": "n/a"}})
    assert (off.auxiliary, off.auxiliary_label) == (1, "")


@pytest.mark.parametrize(("cap", "a"), [("1.3", "1.3"), ("1.29", "1.29"), ("1.31", "1.3")])
def test_the_cap(run: Make, cap: str, a: str) -> None:
    assert run(SEVERE, aux={"cap": cap}).auxiliary == Decimal(a)


def test_no_cap_is_needed_up_to_one(run: Make) -> None:
    assert run(("severity", "轻度"), aux={"cap": None}).auxiliary == Decimal("0.9")


def test_no_label_is_one_and_says_why(run: Make) -> None:
    found = run()
    assert (found.auxiliary, found.auxiliary_label, found.score) == (1, "", Decimal("110.0000"))
    assert any("没有辅助标签" in step.text for step in found.trace)


@pytest.mark.parametrize(
    "result",
    [
        {"layer": Layer.COMPREHENSIVE, "status": GroupStatus.GROUPED_COMPREHENSIVE},
        {"group_type": "中医优势病种"},
        {"tcm": TcmRoute("own_group", "TCM-GB2021", "A07", None, 3)},
    ],
)
def test_groups_without_auxiliary_directory(run: Make, result: dict[str, Any]) -> None:
    found = run(SEVERE, result=result)
    assert (found.auxiliary, found.score) == (1, Decimal("110.0000"))
    assert run(SEVERE, result=result, aux={"mode": None}).score == Decimal("110.0000")


def test_sub_rows_have_their_factor_in_the_score(run: Make) -> None:
    found = run(SEVERE, aux={"mode": "sub_rows", "coefficients": None})
    assert (found.auxiliary, found.score) == (1, Decimal("110.0000"))


def test_dated_coefficients(run: Make) -> None:
    dated = {"values": {"2025-01-01": "1.2", "2025-04-01": "1.4"}}
    aux = {"coefficients": {"G1": {"severity": {"重度": dated}}}}
    assert run(SEVERE, aux=aux).auxiliary == Decimal("1.2")


ROWS = [{"label": "老年重度", "when": "age_years > 65", "dimension": "age", "factor": "1.15"}]


def test_expression_tables_count_rows_not_their_facts(run: Make) -> None:
    aux = {"mode": "expression_table", "expressions": ROWS, "coefficients": None}
    assert run(SEVERE, ("age", "老年重度"), aux=aux).auxiliary == Decimal("1.15")
    assert run(SEVERE, aux=aux).auxiliary == 1
    none = run(SEVERE, aux=aux | {"expressions": []})
    assert none.not_configured == ("auxiliary.coefficients.G1.severity.重度",)
    unknown = [ROWS[0] | {"factor": None}]
    found = run(("age", "老年重度"), aux=aux | {"expressions": unknown})
    assert found.not_configured == ("auxiliary.expressions[0].factor",)


def zones(**over: Any) -> dict[str, Any]:
    """Hubei: K and A in every zone, K + 1 past 5."""
    both = {"k": "after", "a": "true"}
    return {
        "scoring": {
            "deviation": {
                "low": both | over.get("low", {}),
                "high": both | over.get("high", {}),
                "extreme": {"form": "as_normal_k"} | over.get("extreme", {}),
            }
        }
    }


@pytest.mark.parametrize(
    ("fee", "over", "expected"),
    [
        ("499.99", {}, "71.4986"),
        ("500.00", {}, "143.0000"),
        ("2000.00", {}, "143.0000"),
        ("2000.01", {}, "143.0014"),
        ("3000.00", {}, "286.0000"),
        ("5000.00", {}, "572.0000"),
        ("5000.01", {}, "110.0000"),
        ("400.00", {"low": {"a": "false"}}, "44.0000"),
        ("400.00", {"low": {"k": "none"}}, "52.0000"),
        ("400.00", {"low": {"form": "ratio_std", "a": "false"}}, "44.0000"),
        ("3000.00", {"high": {"base": "k", "k": "none"}}, "273.0000"),
        ("3000.00", {"high": {"form": "times"}}, "286.0000"),
        ("3000.00", {"high": {"form": "as_normal", "a": "false"}}, "143.0000"),
        ("6000.00", {"extreme": {"form": "as_normal"}}, "143.0000"),
    ],
)
def test_a_in_every_zone(run: Make, fee: str, over: dict[str, Any], expected: str) -> None:
    found = run(SEVERE, fee=fee, **zones(**over))
    assert found.score == Decimal(expected)


def test_whether_a_holds_in_a_zone_is_asked_only_where_it_matters(run: Make) -> None:
    open_ = zones(low={"a": None})
    assert run(SEVERE, fee="400.00", **open_).not_configured == ("scoring.deviation.low.a",)
    assert run(fee="400.00", **open_).score == Decimal("44.0000")
    assert run(SEVERE, **open_).score == Decimal("143.0000")
    off = zones(low={"a": "false"})
    unknown = run(SEVERE, fee="400.00", aux={"coefficients": None}, **off)
    assert (unknown.status, unknown.auxiliary) == (ScoreStatus.SCORED, None)


def test_a_review_needs_no_coefficient(run: Make) -> None:
    rules = zones(extreme={"form": "review"})
    found = run(SEVERE, fee="6000.00", aux={"coefficients": None}, **rules)
    assert (found.status, found.not_configured) == (ScoreStatus.REVIEW, ())

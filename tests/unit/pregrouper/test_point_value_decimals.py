"""The decimals of a point value that is worked out, where a policy states them."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from dipgate.core.settle_input import SettleInput
from dipgate.pregrouper.settling import settle

YEAR: dict[str, Any] = {"assess": "n/a", "bands": "n/a", "audit_deduct": "true"}


def year(**line: Any) -> dict[str, Any]:
    return {"year": "2025", "total_score": "1000"} | line


def rounding(dp: int | None, mode: str | None = "half_up") -> dict[str, Any]:
    return {"rounding": {"score_dp": "4", "money_dp": "2", "point_value_dp": dp, "mode": mode}}


POINTS = [
    # floating: (70000 ÷ 0.7) ÷ 14993 = 6.66977923…
    (year(fund="70000", pool_score="14993", payment_ratio="0.7"), None, "half_up", 466885),
    (year(fund="70000", pool_score="14993", payment_ratio="0.7"), 4, "half_up", 466886),
    (year(fund="70000", pool_score="14993", payment_ratio="0.7"), 4, "down", 466879),
    (year(fund="70000", pool_score="14993", payment_ratio="0.7"), 0, "half_up", 490000),
    # published and stated ones stay: 10 and 6.66977 yuan
    (year(), 4, "half_up", 700000),
    (year(point_value="6.66977"), 2, "half_up", 466884),
]


@pytest.mark.parametrize(("line", "dp", "mode", "payable"), POINTS)
def test_a_point_value_that_is_worked_out_has_the_policys_decimals(
    make_policy: Callable[..., Any], line: dict[str, Any], dp: int | None, mode: str, payable: int
) -> None:
    policy = make_policy(scoring=rounding(dp, mode), settlement={"year_end": YEAR})
    found = settle(SettleInput.model_validate({"pool": "职工"} | line), policy)
    assert (found.payable, found.not_configured) == (payable, ())
    worked_out = "fund" in line
    paths = [step.ref for step in found.trace if step.step == "rounding"]
    assert paths == ["scoring.rounding.point_value_dp"] * (dp is not None and worked_out)


MONTHS = [
    # 200000 ÷ 30000 = 6.666…; 2 decimals
    ({"pool_fee": "200000", "pool_score": "30000"}, "6.67"),
    # (1 × 50000 + 7 × 60000 …) by weights 2:7 of two years: (100000 + 420000) ÷ (20000 + 63000)
    (
        {
            "closed_years": [
                {"total_fee": "50000", "total_score": "10000"},
                {"total_fee": "60000", "total_score": "9000"},
            ]
        },
        "6.27",
    ),
]


@pytest.mark.parametrize(("line", "value"), MONTHS)
def test_a_months_point_value_too(
    make_policy: Callable[..., Any], line: dict[str, Any], value: str
) -> None:
    scoring = {"time_weights": [1, 2, 7], "time_weight_mode": "weighted_totals"} | rounding(2)
    monthly = {"form": "points * rate", "ratio": "1", "deposit": "n/a"}
    policy = make_policy(scoring=scoring, settlement={"monthly": monthly})
    found = settle(
        SettleInput.model_validate(
            {"pool": "职工", "month": "2025-03", "total_score": "1000"} | line
        ),
        policy,
    )
    assert found.payable == int(Decimal(value) * 1000 * 100)


def test_decimals_without_a_mode_are_not_enough(make_policy: Callable[..., Any]) -> None:
    policy = make_policy(scoring=rounding(2, None), settlement={"year_end": YEAR})
    line = {"pool": "职工", "fund": "7", "pool_score": "3", "payment_ratio": "1"} | year()
    found = settle(SettleInput.model_validate(line), policy)
    assert found.not_configured == ("scoring.rounding.mode",)


@pytest.mark.parametrize(
    ("dp", "cap", "payable"),
    [(None, "n/a", 266667), (2, "n/a", 266800), (2, "11.105", 266575), (1, "11.15", 267250)],
)
def test_the_increments_value_too(
    make_policy: Callable[..., Any], dp: int | None, cap: str, payable: int
) -> None:
    # base 100 × 10 + increment 150 × (increment fund 2000 ÷ 180 = 11.11…), at most the cap
    value = {"kind": "elastic", "elastic_split": [["0.8", "0.2"]], "increment_cap": cap}
    policy = make_policy(
        scoring=rounding(dp, "up"),
        settlement={"year_end": YEAR, "point_value": value | {"basis": "fund"}},
    )
    line = year(total_score="250", base_score="100", fund="10000")
    pool = {"pool_score": "1180", "pool_base_score": "1000", "pool": "职工"}
    found = settle(SettleInput.model_validate(line | pool), policy)
    assert (found.payable, found.not_configured) == (payable, ())

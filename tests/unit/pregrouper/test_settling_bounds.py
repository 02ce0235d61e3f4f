"""Bounds that change no amount: the share of clearing, the ceiling of special reviews."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from dipgate.core.settle_input import SettleInput
from dipgate.pregrouper.settling import Settled, settle

YEAR: dict[str, Any] = {"assess": "n/a", "bands": "n/a", "audit_deduct": "true"}


@pytest.fixture
def run(make_policy: Callable[..., Any]) -> Callable[..., Settled]:
    """A line of pool 职工, V 10, g 0.7."""

    def go(line: dict[str, Any], **settlement: Any) -> Settled:
        policy = make_policy(settlement={"year_end": YEAR} | settlement)
        return settle(SettleInput.model_validate({"pool": "职工"} | line), policy)

    return go


def year(**line: Any) -> dict[str, Any]:
    return {"year": "2025", "total_score": "1000"} | line


TARGET = {"2025": "0.05", "2026": "0.03-0.05", "2027+": "0.03", "2024": None}


@pytest.mark.parametrize(
    ("line", "text"),
    [
        # payable 7000; clearing 400, 350, 360 yuan
        ({"prepaid": "0", "monthly_paid": "6600"}, "清算占年终应付的 5.714285…%，超过目标 5%"),
        ({"prepaid": "0", "monthly_paid": "6650"}, ""),
        ({"prepaid": "0", "monthly_paid": "6640", "year": "2026"}, "5.142857…%，超过目标 5%"),
        ({"prepaid": "0", "monthly_paid": "6700", "year": "2029"}, "超过目标 3%"),
        ({"prepaid": "0", "monthly_paid": "7400"}, "清算占年终应付的 5.714285…%"),
        ({"prepaid": "0", "monthly_paid": "6600", "year_fund": "10000"}, ""),
        ({"prepaid": "0", "monthly_paid": "6000", "year_fund": "10000"}, "占年度基金的 10%"),
        ({"prepaid": "0", "monthly_paid": "0", "hospital": "H1"}, ""),
        ({"prepaid": "0", "monthly_paid": "0", "year": "2023"}, ""),
        ({}, ""),
    ],
)
def test_clearing_is_compared_with_the_share_it_should_have(
    run: Callable[..., Settled], line: dict[str, Any], text: str
) -> None:
    rules = {"year_end": YEAR | {"clearing_share_target": TARGET}, "carve_outs": []}
    more = {"point_value": "10"} if "year_fund" in line else {}
    found = run(year(**line, **more), **rules)
    told = [item for item in found.warnings if item.startswith("W_CLEARING_SHARE")]
    assert (found.payable, found.not_configured) == (700000, ())
    assert len(told) == bool(text)
    assert text in "".join(told)


def test_an_unknown_share_of_clearing_is_named_and_stops_nothing(
    run: Callable[..., Settled],
) -> None:
    rules = {"year_end": YEAR | {"clearing_share_target": TARGET}}
    found = run(year(year="2024", prepaid="0", monthly_paid="0"), **rules)
    assert found.not_configured == ("settlement.year_end.clearing_share_target.2024",)
    assert (found.status, found.clearing) == ("SETTLED", 700000)


REGION = {"region_discharges": "23775", "region_special_reviews": "119"}
CAP = {"cap_of_region_discharges": "0.005"}


@pytest.mark.parametrize(
    ("line", "review", "value", "missing"),
    [
        (REGION, CAP, "118", ()),
        (REGION | {"hospital": "H1"}, CAP | {"per_hospital_cap": "forbidden"}, "118", ()),
        (REGION | {"hospital": "H1"}, CAP, "118", ("scoring.special_review.per_hospital_cap",)),
        (REGION, {}, None, ("scoring.special_review.cap_of_region_discharges",)),
        (REGION, {"cap_of_region_discharges": "n/a"}, "", ()),
        (REGION, {"exists": "false"}, "", ()),
        ({"region_special_reviews": "1"}, CAP, None, ("input.region_discharges",)),
    ],
)
def test_the_ceiling_of_special_reviews_is_the_regions(
    make_policy: Callable[..., Any],
    line: dict[str, Any],
    review: dict[str, Any],
    value: str | None,
    missing: tuple[str, ...],
) -> None:
    policy = make_policy(settlement={"year_end": YEAR}, scoring={"special_review": review})
    found = settle(SettleInput.model_validate({"pool": "职工"} | year(**line)), policy)
    steps = [step.value for step in found.trace if step.step == "special_review"]
    assert (found.payable, found.not_configured) == (700000, missing)
    assert steps[-1:] == ([] if value is None else [value])
    over = [item for item in found.warnings if "119 例，超过名额 118 例" in item]
    assert len(over) == (value == "118")
    assert ("forbidden" in steps) == ("per_hospital_cap" in review)


@pytest.mark.parametrize("number", ["-1", "1.5"])
def test_stays_of_the_region_are_whole(number: str) -> None:
    with pytest.raises(ValueError, match="region_discharges 是病例数"):
        SettleInput.model_validate({"pool": "职工"} | year(region_discharges=number))

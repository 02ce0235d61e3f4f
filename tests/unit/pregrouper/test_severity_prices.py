"""Point values by severity: of one case, and what `policy check` says of them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dipgate.core.grouping import ScoreResult
from dipgate.pregrouper import score
from dipgate.pregrouper.policy_needs import missing_parameters
from dipgate.pregrouper.review import review

Make = Callable[..., Any]
DAY = date(2025, 3, 15)
VALUE: dict[str, Any] = {
    "kind": "severe_fixed",
    "severe_groups": ["G1"],
    "table": {"职工": {"重症": "12", "轻症": "9"}},
}
KEYS = ["pool", "severity"]


@pytest.fixture
def run(make_policy: Make, make_case: Make, make_group: Make) -> Callable[..., ScoreResult]:
    """RW 100, K 1.1, g 0.7; settlement parts laid over."""

    def go(group: str = "G1", value: dict[str, Any] | None = None, **money: Any) -> ScoreResult:
        spec = VALUE | (value or {})
        policy = make_policy(settlement={"price_keys": KEYS, "point_value": spec} | money)
        case = make_case("K80.100", fee="1000.00")
        return score(case, make_group(group_code=group), policy, hospital_level="3")

    return go


@pytest.mark.parametrize(("group", "value", "amount"), [("G1", "12", 92400), ("G2", "9", 69300)])
def test_a_case_has_the_price_of_its_group(
    run: Callable[..., ScoreResult], group: str, value: str, amount: int
) -> None:
    found = run(group)
    assert (found.point_value, found.amount) == (Decimal(value), amount)
    assert any(text.startswith("W_LIGHT") for text in found.warnings) == (group == "G2")
    fixed = run(group, {"kind": "fixed"})
    assert (fixed.amount, fixed.warnings) == (amount, ())


def test_what_the_price_lacks_is_named(run: Callable[..., ScoreResult]) -> None:
    assert run(value={"severe_groups": None}).not_configured[0] == (
        "settlement.point_value.severe_groups"
    )
    assert run(price_keys=["pool"]).not_configured == ("settlement.price_keys",)
    assert run("G2", {"table": {"职工": {"重症": "12", "轻症": None}}}).not_configured == (
        "settlement.point_value.table.职工.轻症",
    )


def test_the_check_tells_what_is_missing_and_wrong(make_policy: Make) -> None:
    def told(**money: Any) -> set[str]:
        policy = make_policy(settlement={"price_keys": KEYS, "point_value": VALUE} | money)
        needs = {need.path for need in missing_parameters(policy, DAY)}
        return needs | {note.path for note in review(policy, DAY) if note.level == "error"}

    usual = told()
    assert told(price_keys=["pool"]) - usual == {"settlement.price_keys"}
    assert told(point_value=VALUE | {"severe_groups": None}) - usual == {
        "settlement.point_value.severe_groups"
    }
    words = VALUE | {"table": {"职工": {"重症": "12", "轻": "9"}}}
    assert told(point_value=words) - usual == {"settlement.point_value.table"}

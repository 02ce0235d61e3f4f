"""A null raises NOT_CONFIGURED exactly where it is needed.

For every leaf of a complete policy and cases in every zone: the null is named exactly where two
values of it would give two results, and elsewhere the result is that of any value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import product
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dipgate.core.case import Case
from dipgate.core.grouping import AuxLabel, GroupResult, GroupStatus, Layer, ScoreResult, TcmRoute
from dipgate.core.money import Fen, fen_of
from dipgate.core.policy import Policy
from dipgate.pregrouper import score

Make = Callable[..., Any]
Path = tuple[str | int, ...]
ZONE = {"k": "after", "a": "true"}
COMPLETE: dict[str, Any] = {
    "auxiliary": {
        "mode": "coefficient_table",
        "dimensions": ["age", "severity"],
        "choose": "max_factor",
        "coefficients": {
            "G1": {"severity": {"重度": "1.31"}, "age": {"老年": "1.17"}},
        },
        "cap": "1.4",
    },
    "scoring": {
        "institution": {
            "by": "level",
            "table": {"3": "1.13"},
            "basic_groups": "group_factor",
            "group_factors": {"G1": "0.93"},
            "composition": "sum",
            "bonus": {"CMI": {"3": "0.02"}},
            "cap": "1.2",
        },
        "average_fee": "same_level_prev_year",
        "average_fee_table": {"3": {"G1": "1003"}},
        "fee_basis": "total",
        "deviation": {
            "low": {"op": "<", "at": "0.5", "form": "ratio", **ZONE},
            "high": {"op": ">", "at": "2", "form": "excess", "base": "k", **ZONE},
            "extreme": {"op": ">", "at": "5", "form": "times", **ZONE},
        },
        "normal": {"form": "rw_k_a"},
        "ungrouped": {"form": "ratio_times", "factor": "0.7"},
        "zero_score_group": "pay_cost",
        "add_ons": [
            {
                "name": "中医",
                "when": "tcm_share > 0.6",
                "factor": "1.1",
                "valid": "n/a",
                "replaces_deviation": "false",
            },
            {
                "name": "新技术",
                "when": "dx in (K80*)",
                "score": "7",
                "valid": "2025",
                **{"apply": "after_k", "replaces_deviation": "false"},
            },
        ],
        "case_rules": [{"name": "转院", "when": "transferred", "factor": "0.9"}],
        "rounding": {"score_dp": "4", "money_dp": "2", "mode": "half_up"},
    },
    "settlement": {
        "point_value": {"kind": "floating", "basis": "total_fee", "table": {"职工": "10"}},
        "fund_share": "multiplicative",
        "fund_share_from": "pool",
        "fund_ratio": {"职工": "0.7"},
        "price_keys": ["pool"],
    },
}
VALUES: dict[str, tuple[Any, ...]] = {
    "rounding.mode": ("half_up", "down", "up"),
    "choose": ("max_factor", "first_of_list"),
    "by": ("level", "n/a"),
    "basic_groups": ("none", "group_factor", "same"),
    "composition": ("sum", "product", "n/a"),
    "scoring.average_fee": ("same_level_prev_year", "payment_standard"),
    "fee_basis": ("total", "net_of_excluded"),
    "low.at": ("0.01", "1.05"),
    "high.at": ("0.6", "4"),
    "extreme.at": ("2.1", "9"),
    "form": ("ratio", "rw_k_a", "pay_cost", "none"),
    "base": ("one", "k"),
    "k": ("after", "none"),
    "a": ("true", "false"),
    "zero_score_group": ("pay_cost", "by_hand"),
    "when": ("tcm_share > 0.6", "fee >= 0", "fee < 0"),
    "valid": ("n/a", "2024"),
    "replaces_deviation": ("true", "false"),
    "apply": ("before_k", "after_k"),
    "score_dp": ("4", "1"),
    "money_dp": ("2", "0"),
    "basis": ("total_fee", "fund"),
    "fund_share": ("multiplicative", "deduct_self_pay"),
    "fund_share_from": ("pool", "case"),
    "price_keys": (["pool"], ["month"]),
}
NUMBERS = ("0.01", "0.73", "1.21", "2.5", "9")
SKIPPED = ("name", "mode", "dimensions", "op", "kind", "fund_share_from")
"""Mode and dimensions decide which labels a case has before it is scored; an operator is told
from its neighbour only at the very edge; the kind of a point value matters to a year; a
table of fund ratios says by itself that the pool's is meant."""
FEES = ("401.17", "1000.07", "2600.33", "6000.31")


def leaves(value: Any, path: Path = ()) -> Iterator[Path]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield from leaves(item, (*path, key))
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for number, item in enumerate(value):
            yield from leaves(item, (*path, number))
    elif path[-1] not in SKIPPED or path[-2] == "rounding":
        yield path


def put(value: Any, path: Path, new: Any) -> Any:
    if not path:
        return new
    copy = list(value) if isinstance(value, list) else dict(value)
    copy[path[0]] = put(value[path[0]], path[1:], new)
    return copy


def named(path: Path) -> str:
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else part
    return text


def values_of(path: Path) -> tuple[Any, ...]:
    for name in (".".join(map(str, path[-2:])), str(path[-1])):
        if name in VALUES:
            return VALUES[name]
    return NUMBERS


def outcome(found: ScoreResult) -> tuple[Any, ...]:
    return (found.status, found.zone, found.score, found.amount, found.not_configured)


@pytest.fixture
def judge(make_policy: Make, make_case: Make) -> Callable[[Path, Any, str, str], ScoreResult]:
    """`judge(path, value, fee, kind)`: one leaf replaced, one kind of case scored."""

    def go(path: Path, value: Any, fee: str, kind: str) -> ScoreResult:
        policy: Policy = make_policy(**put(COMPLETE, path, value))
        case: Case = make_case(
            "K80.100",
            fee=fee,
            discharge_way="2" if kind == "transferred" else "1",
            item_fees=(("X", Fen(fen_of(fee) or 0)),),
        )
        labels = (AuxLabel("severity", "重度", ""), AuxLabel("age", "老年", ""))
        result = GroupResult(
            GroupStatus.BLANK if kind == "blank" else GroupStatus.GROUPED,
            Layer.BLANK if kind == "blank" else Layer.CORE,
            "G1",
            base_score=Decimal(0) if kind == "zero" else Decimal("100.3"),
            average_fee=Decimal(970),
            is_basic=kind == "basic",
            labels=() if kind == "bare" else labels,
            tcm=TcmRoute("uplift", "T", "A", Decimal("1.05"), 3) if kind == "tcm" else None,
        )
        return score(case, result, policy, hospital_level="3")

    return go


KINDS = ("plain", "bare", "basic", "blank", "zero", "transferred", "tcm")
LEAVES = tuple(leaves(COMPLETE))


def lacks(found: ScoreResult, path: Path) -> bool:
    """The leaf itself, or the table of which it was the only number, is named."""
    paths = {named(path[:length]) for length in range(2, len(path) + 1)}
    return bool(paths & set(found.not_configured))


def test_the_complete_policy_lacks_nothing(judge: Make) -> None:
    for fee, kind in product(FEES, KINDS):
        assert judge(("scoring", "rounding", "score_dp"), "4", fee, kind).not_configured == ()


@pytest.mark.parametrize("path", LEAVES, ids=named)
def test_a_null_is_named_exactly_where_it_is_needed(judge: Make, path: Path) -> None:
    for fee, kind in product(FEES, KINDS):
        null = judge(path, None, fee, kind)
        found = [judge(path, value, fee, kind) for value in values_of(path)]
        outcomes = {outcome(item) for item in found}
        if lacks(null, path):
            assert null.amount is None
            assert len(outcomes) > 1, f"{fee} {kind}: named, but every value gives the same"
        else:
            assert outcomes == {outcome(null)}, f"{fee} {kind}: not named, but it matters"


@settings(
    max_examples=200,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(
    path=st.sampled_from([path for path in LEAVES if values_of(path) is NUMBERS]),
    value=st.decimals("0.01", "50", places=3),
    fee=st.sampled_from(FEES),
    kind=st.sampled_from(KINDS),
)
def test_no_number_changes_a_result_that_did_not_ask_for_it(
    judge: Make, path: Path, value: Decimal, fee: str, kind: str
) -> None:
    null = judge(path, None, fee, kind)
    if not lacks(null, path):
        assert outcome(judge(path, str(value), fee, kind)) == outcome(null)

"""K from base and bonus, average fees, add-ons, rules for special stays, the net fee."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from dipgate.core.clock import CHINA
from dipgate.core.grouping import (
    AuxLabel,
    GroupResult,
    GroupStatus,
    Layer,
    ScoreResult,
    ScoreStatus,
    TcmRoute,
    Zone,
)
from dipgate.core.money import Fen
from dipgate.pregrouper import score

Make = Callable[..., Any]
IN = datetime(2025, 3, 10, 9, tzinfo=CHINA)


@pytest.fixture
def run(make_policy: Make, make_case: Make, make_group: Make) -> Callable[..., ScoreResult]:
    """`run("1000.00", scoring={…})`: RW 100, K 1.1, mean fee 1000 yuan, level 3."""

    def go(
        fee: str,
        *,
        result: dict[str, Any] | None = None,
        case: dict[str, Any] | None = None,
        **scoring: Any,
    ) -> ScoreResult:
        stay = make_case("K80.100", fee=fee, **(case or {}))
        rules = make_policy(scoring=scoring)
        return score(stay, make_group(**(result or {})), rules, hospital_level="3")

    return go


def k(**over: Any) -> dict[str, Any]:
    return {"institution": over}


@pytest.mark.parametrize(
    ("institution", "expected"),
    [
        ({"composition": "sum", "bonus": {"CMI": {"3": "0.05"}, "专科": {"3": "0.02"}}}, "117"),
        ({"composition": "base + bonus", "bonus": {"CMI": {"*": "0.1"}}}, "120"),
        ({"composition": "product", "bonus": {"考核": {"H99010000001": "0.9"}}}, "99"),
        ({"composition": "sum", "bonus": {"儿童": {"H99010000001": "0", "3": "9"}}}, "110"),
        ({"composition": "sum", "bonus": {"CMI": {"3": "0.5"}}, "cap": "1.3"}, "130"),
        ({"composition": "sum", "bonus": {"CMI": {"3": "0.2"}}, "cap": "1.3"}, "130"),
        ({"composition": "sum", "bonus": {"CMI": {"3": "0.1"}}, "cap": "1.3"}, "120"),
        ({"composition": "sum", "bonus": {"CMI": {"3": "n/a"}}}, "110"),
        ({"composition": "sum", "bonus": {"CMI": {"3": "n/a"}, "专科": {"3": "0.1"}}}, "120"),
        ({"composition": "sum", "bonus": {"CMI": {"3": {"职工": "0.1", "居民": "9"}}}}, "120"),
        ({"composition": "n/a"}, "110"),
    ],
)
def test_k_from_base_and_bonus(run: Make, institution: dict[str, Any], expected: str) -> None:
    found = run("1000.00", **k(**({"cap": "n/a"} | institution)))
    assert found.score == Decimal(expected)


BONUS = {"CMI": {"3": "0.1"}}


@pytest.mark.parametrize(
    ("institution", "path"),
    [
        ({"composition": "sum"}, "scoring.institution.bonus"),
        ({"composition": "sum", "bonus": {"CMI": {"2": "0.1"}}}, "scoring.institution.bonus.CMI.3"),
        (
            {"composition": "sum", "bonus": {"CMI": None, "专科": {"3": "0.1"}}, "cap": "n/a"},
            "scoring.institution.bonus.CMI.3",
        ),
        ({"pools_differ": "true"}, "scoring.institution.table.3.职工"),
        (
            {"pools_differ": "true", "table": {"3": {"居民": "1"}}},
            "scoring.institution.table.3.职工",
        ),
        ({"bonus": BONUS}, "scoring.institution.composition"),
        ({"composition": "mix", "bonus": BONUS}, "scoring.institution.composition"),
        ({"composition": "sum", "bonus": BONUS, "cap": None}, "scoring.institution.cap"),
        (
            {"composition": "sum", "bonus": {"CMI": {"3": {"居民": "0.1"}}}},
            "scoring.institution.bonus.CMI.3.职工",
        ),
    ],
)
def test_an_unknown_part_of_k_is_named(run: Make, institution: dict[str, Any], path: str) -> None:
    found = run("1000.00", **k(**institution))
    assert (found.status, found.not_configured) == (ScoreStatus.NOT_CONFIGURED, (path,))


def test_group_factor_of_the_library_and_of_the_policy(run: Make) -> None:
    basic = {"is_basic": True, "layer": Layer.BASIC, "group_factor": Decimal("0.95")}
    assert run("1000.00", result=basic, **k(basic_groups="group_factor")).score == 95
    over = k(basic_groups="group_factor", group_factors={"G1": "0.9"})
    assert run("1000.00", result=basic, **over).score == 90


def test_selected_groups_and_the_rest(run: Make) -> None:
    table = {"3": {"G1": "1.5", "*": "1.2"}}
    rules = k(by="level_and_group", table=table)
    assert run("1000.00", **rules).score == 150
    assert run("1000.00", result={"group_code": "G2"}, **rules).score == 120
    conservative = {"treatment": "保守治疗"}
    assert run("1000.00", result=conservative, **rules).score == 120


def test_pools_are_asked_only_where_the_table_has_them(run: Make) -> None:
    unheard = {"insurance": "999"}
    one = run("1000.00", case=unheard, **k())
    assert "settlement.pool_codes.999" in one.not_configured  # the price needs it
    assert one.institution_coefficient == Decimal("1.1")


def test_a_table_by_pool_that_the_policy_denies_is_used_and_told(run: Make) -> None:
    found = run("1000.00", **k(pools_differ="false", table={"3": {"职工": "1.2", "居民": "1"}}))
    assert found.score == 120
    assert ["scoring.institution.pools_differ" in text for text in found.warnings] == [True]


def test_average_fees_of_the_library_by_level(run: Make) -> None:
    fees = {"level_fees": (("2", Decimal(500)), ("3", Decimal(4000)))}
    found = run("1000.00", result=fees, average_fee="same_level_prev_year")
    assert found.ratio == Decimal("0.25")
    table = {"average_fee": "same_level_prev_year", "average_fee_table": {"3": {"G1": "2000"}}}
    assert run("1000.00", result=fees, **table).ratio == Decimal("0.5")


def test_average_fees_by_label_and_a_simulated_price(run: Make) -> None:
    label = {"labels": (AuxLabel("severity", "重度", ""),)}
    rules = {"label_average_fees": {"G1": {"重度": "4000"}}, "average_fee_factor": {"3": "0.5"}}
    assert run("1000.00", result=label, **rules).ratio == Decimal("0.5")
    assert run("1000.00", **rules).ratio == 2
    unit = {"simulated_price": "8", "average_fee_factor": {"3": "0.5"}}
    assert run("1000.00", result={"average_fee": None}, **unit).ratio == Decimal("2.5")
    assert run("1000.00", **unit).ratio == 2
    bare = run("1000.00", result={"average_fee": None})
    assert "library.average_fee" in bare.not_configured


def test_a_long_stay_may_go_to_review(run: Make) -> None:
    stay = {"admitted": IN, "discharged": IN + timedelta(days=22)}
    rules = {"special_review": {"los_over_mean": "3"}}
    found = run("1000.00", case=stay, result={"average_stay": Decimal(7)}, **rules)
    assert any("住院 22 天" in text for text in found.warnings)
    day_less = stay | {"discharged": IN + timedelta(days=21)}
    found = run("1000.00", case=day_less, result={"average_stay": Decimal(7)}, **rules)
    assert found.warnings == ()


def test_zone_forms_that_pay_the_cost(run: Make) -> None:
    rules = {"deviation": {"low": {"form": "pay_cost"}}}
    found = run("400.00", **rules)
    assert (found.status, found.zone, found.amount) == (ScoreStatus.PAY_COST, Zone.LOW, 28_000)


@pytest.mark.parametrize(
    ("fee", "over", "zone"),
    [
        ("6000.00", {"high": {"at": None}}, Zone.EXTREME),
        ("6000.00", {"high": {"op": "n/a"}}, Zone.EXTREME),
        ("4000.00", {"high": {"op": "n/a"}}, Zone.NORMAL),
        ("3000.00", {"low": {"at": None}}, Zone.HIGH),
        ("6000.00", {"low": {"at": None}}, Zone.EXTREME),
        ("3000.00", {"high": {"at": None}}, Zone.NONE),
        ("1000.00", {"extreme": {"at": None}}, Zone.NORMAL),
        ("3000.00", {"high": {"op": "n/a"}, "extreme": {"at": None}}, Zone.NONE),
    ],
)
def test_an_unknown_edge_matters_only_on_its_side(
    run: Make, fee: str, over: dict[str, Any], zone: Zone
) -> None:
    found = run(fee, deviation=over)
    assert found.zone is zone
    assert (found.status is ScoreStatus.NOT_CONFIGURED) == (zone is Zone.NONE)


def test_ungrouped_at_a_distance(make_policy: Make, make_case: Make) -> None:
    def go(**over: Any) -> ScoreResult:
        rules = make_policy(
            scoring={"ungrouped": {"form": "distance", "factor": over.get("factor", "0.8")}},
            settlement={"point_value": {"budget": over.get("budget", {"职工": "8"})}},
        )
        stay = make_case("K80.100", fee="1000.00")
        return score(stay, GroupResult(GroupStatus.UNGROUPED), rules, hospital_level="3")

    assert go().score == 100  # 1000 × 0.8 ÷ 8
    assert go(factor=None).not_configured == ("scoring.ungrouped.factor",)
    assert go(budget=None).not_configured == ("settlement.point_value.budget",)


ITEMS = (("XN05", Fen(60000)), ("004300000010000", Fen(61000)), ("001102", Fen(29000)))


def test_the_net_fee_decides_zone_and_formula(run: Make) -> None:
    rules = {"fee_basis": "net_of_excluded", "fee_excluded": ["XN"]}
    found = run("2400.00", case={"item_fees": ITEMS}, **rules)
    assert (found.zone, found.ratio) == (Zone.NORMAL, Decimal("1.8"))
    assert any(text.startswith("W_ITEM_PAID") for text in found.warnings)
    assert run("2400.00", case={"item_fees": ITEMS}).zone is Zone.HIGH
    low = run("1000.00", case={"item_fees": ITEMS}, **rules)
    assert (low.zone, low.score) == (Zone.LOW, Decimal("44.0000"))


@pytest.mark.parametrize(
    ("rules", "items", "path"),
    [
        ({"fee_basis": None}, ITEMS, "scoring.fee_basis"),
        ({"fee_basis": "half"}, ITEMS, "scoring.fee_basis"),
        ({"fee_basis": "net_of_excluded"}, ITEMS, "scoring.fee_excluded"),
        ({"fee_basis": "net_of_excluded", "fee_excluded": ["X"]}, None, "case.charges"),
    ],
)
def test_an_unknown_net_fee_is_named(
    run: Make, rules: dict[str, Any], items: Any, path: str
) -> None:
    found = run("1000.00", case={"item_fees": items}, **rules)
    assert path in found.not_configured
    assert found.score is None


ADD_ON = {
    "name": "中医技术",
    "when": "tcm_share > 0.6",
    "factor": "1.1",
    "valid": "2025",
    "replaces_deviation": "false",
}


def with_add_on(**over: Any) -> dict[str, Any]:
    return {"tcm_items": ["004"], "add_ons": [ADD_ON | over]}


@pytest.mark.parametrize(
    ("fee", "over", "expected"),
    [
        ("1000.00", {}, "121.0000"),
        ("1016.66", {}, "121.0000"),
        ("1016.67", {}, "110.0000"),
        ("1000.00", {"valid": "2024"}, "110.0000"),
        ("1000.00", {"valid": "2025-03-15/2025-03-15"}, "121.0000"),
        ("1000.00", {"valid": "2025-03-16/"}, "110.0000"),
        ("1000.00", {"valid": "/2025-03-14"}, "110.0000"),
        ("1000.00", {"valid": "n/a"}, "121.0000"),
        ("1000.00", {"factor": None, "score": "10", "apply": "after_k"}, "120.0000"),
        ("1000.00", {"factor": None, "score": "10", "apply": "before_k"}, "121.0000"),
    ],
)
def test_add_ons(run: Make, fee: str, over: dict[str, Any], expected: str) -> None:
    assert run(fee, case={"item_fees": ITEMS}, **with_add_on(**over)).score == Decimal(expected)


def test_an_add_on_in_a_zone(run: Make) -> None:
    case = {"item_fees": (("004", Fen(30000)), ("001", Fen(10000)))}
    beside = run("400.00", case=case, **with_add_on())
    assert (beside.zone, beside.score) == (Zone.LOW, Decimal("48.4000"))
    instead = run("400.00", case=case, **with_add_on(replaces_deviation="true"))
    assert (instead.zone, instead.score) == (Zone.LOW, Decimal("121.0000"))
    unsaid = run("400.00", case=case, **with_add_on(replaces_deviation=None))
    assert unsaid.not_configured == ("scoring.add_ons[0].replaces_deviation",)
    assert run("1000.00", case={"item_fees": ITEMS}, **with_add_on(replaces_deviation=None)).score


def test_an_add_on_may_take_the_place_of_a_review(run: Make) -> None:
    case = {"item_fees": (("004", Fen(400000)), ("001", Fen(200000)))}
    review = run("6000.00", case=case, **with_add_on(factor=None))
    assert (review.status, review.not_configured) == (ScoreStatus.REVIEW, ())
    scored = run("6000.00", case=case, **with_add_on(replaces_deviation="true"))
    assert (scored.status, scored.score) == (ScoreStatus.SCORED, Decimal("121.0000"))


@pytest.mark.parametrize(
    ("over", "path"),
    [
        ({"when": None}, "scoring.add_ons[0].when"),
        ({"valid": None}, "scoring.add_ons[0].valid"),
        ({"valid": "soon"}, "scoring.add_ons[0].valid"),
        ({"factor": None}, "scoring.add_ons[0].factor"),
        ({"factor": None, "score": "local"}, "scoring.add_ons[0].score"),
        ({"factor": None, "score": "10"}, "scoring.add_ons[0].apply"),
    ],
)
def test_an_unknown_part_of_an_add_on_is_named(run: Make, over: dict[str, Any], path: str) -> None:
    found = run("1000.00", case={"item_fees": ITEMS}, **with_add_on(**over))
    assert found.status is ScoreStatus.NOT_CONFIGURED
    assert path in found.not_configured
    assert all(item.startswith("scoring.add_ons[0].") for item in found.not_configured)
    if "when" not in over:
        missed = with_add_on(when="tcm_share > 0.99", **over)
        assert run("1000.00", case={"item_fees": ITEMS}, **missed).score == 110


@pytest.mark.parametrize("when", ["tcm_share > 0.6", "local_list", "by the moon"])
def test_what_cannot_be_decided_is_a_warning(run: Make, when: str) -> None:
    found = run("1000.00", **with_add_on(when=when))
    assert found.score == 110
    assert any(text.startswith("W_ADD_ON") and "人工" in text for text in found.warnings)


def test_uplift_of_tcm(run: Make) -> None:
    route = {"tcm": TcmRoute("uplift", "TCM-GB2021", "A07", Decimal("1.05"), 3)}
    assert run("1000.00", result=route).score == Decimal("115.5000")
    bare = {"tcm": TcmRoute("uplift", "TCM-GB2021", "A07", None, 3)}
    assert run("1000.00", result=bare).not_configured == ("library.tcm_map.A07.factor",)
    same = {"tcm": TcmRoute("same_price", "TCM-GB2021", "A07", None, 3)}
    assert run("1000.00", result=same).score == 110


RULE = {"name": "死亡", "when": "died and stay_days <= 3"}


@pytest.mark.parametrize(
    ("rule", "fee", "expected"),
    [
        ({"zone": "normal"}, "300.00", (Zone.NORMAL, "110.0000")),
        ({"factor": "0.8"}, "1000.00", (Zone.NORMAL, "88.0000")),
        ({"zone": "normal", "factor": "0.5"}, "300.00", (Zone.NORMAL, "55.0000")),
        ({"zone": "high"}, "3000.00", (Zone.HIGH, "220.0000")),
    ],
)
def test_rules_for_special_stays(
    run: Make, rule: dict[str, Any], fee: str, expected: tuple[Zone, str]
) -> None:
    dead = {"discharge_way": "5", "admitted": IN, "discharged": IN + timedelta(days=3)}
    found = run(fee, case=dead, case_rules=[RULE | rule])
    assert (found.zone, found.score) == (expected[0], Decimal(expected[1]))
    alive = run(fee, case_rules=[RULE | rule])
    assert alive.score == run(fee).score


def test_a_rule_that_says_nothing_or_nonsense_is_named(run: Make) -> None:
    dead = {"discharge_way": "5"}
    none = run("1000.00", case=dead, case_rules=[RULE])
    assert none.not_configured == ("scoring.case_rules[0].factor",)
    odd = run("1000.00", case=dead, case_rules=[RULE | {"zone": "middle"}])
    assert odd.not_configured == ("scoring.case_rules[0].zone",)


def test_a_formula_of_the_policy(run: Make) -> None:
    normal = {
        "form": "(initial + initial * support) * assess",
        "factors": {"support": {"3": "0.05", "H99010000001": "0.1"}, "assess": "0.98"},
    }
    assert run("1000.00", normal=normal).score == Decimal("118.5800")
    lacking = normal | {"factors": {"assess": "0.98"}}
    assert run("1000.00", normal=lacking).not_configured == ("scoring.normal.factors.support",)
    by_level = normal | {"factors": {"support": {"2": "0.05"}, "assess": "0.98"}}
    assert run("1000.00", normal=by_level).not_configured == ("scoring.normal.factors.support.3",)

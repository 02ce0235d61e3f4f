"""Scores and money: every form, both sides of every edge, and no default for money."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from dipgate.core.grouping import GroupResult, GroupStatus, Layer, ScoreResult, ScoreStatus, Zone
from dipgate.pregrouper import pay_for_score, score

Make = Callable[..., Any]


@pytest.fixture
def run(make_policy: Make, make_case: Make, make_group: Make) -> Callable[..., ScoreResult]:
    """`run("2500.00", scoring={…})`: a group of score 100, mean fee 1000 yuan, K 1.1, V 10."""

    def go(
        fee: str | None,
        *,
        result: GroupResult | None = None,
        level: str = "3",
        case: dict[str, Any] | None = None,
        **policy: Any,
    ) -> ScoreResult:
        stay = make_case("K80.100", fee=fee, **(case or {}))
        rules = make_policy(**policy)
        return score(stay, result or make_group(), rules, hospital_level=level)

    return go


def deviation(name: str, **over: Any) -> dict[str, Any]:
    return {"scoring": {"deviation": {name: over}}}


def test_steps_of_the_trace_end_in_their_results(run: Make) -> None:
    found = run("1000.50", case={"fund": "700.00"})
    texts = {step.step: step.text for step in found.trace}
    assert texts["ratio"] == "费用倍率 = 1000.50 ÷ 1000 = 1.0005"
    assert texts["form"] == "病种分值 × 机构系数 = 110（未舍入）"
    assert texts["score"] == "最终分值 = 110.0000（4 位小数）"
    assert texts["price"] == "分值 × 点值 = 1100 元"
    assert texts["gain_fund"] == "与记账基金相比多 70.00 元"
    assert texts["gain_total"] == "按总费用口径盈余 99.50 元"
    lost = {step.step: step.text for step in run("1500.00", case={"fund": "900.00"}).trace}
    assert lost["gain_fund"] == "与记账基金相比少 130.00 元"
    assert lost["gain_total"] == "按总费用口径亏损 400.00 元"


def test_normal_zone(run: Make) -> None:
    found = run("1000.00")
    assert (found.status, found.zone) == (ScoreStatus.SCORED, Zone.NORMAL)
    assert found.score == Decimal("110.0000")
    assert found.amount == 110 * 10 * 70
    assert found.point_value == 10
    assert found.fund_share == Decimal("0.7")
    assert found.institution_coefficient == Decimal("1.1")


@pytest.mark.parametrize(
    ("fee", "zone"),
    [
        ("0.01", Zone.LOW),
        ("499.99", Zone.LOW),
        ("500.00", Zone.NORMAL),
        ("2000.00", Zone.NORMAL),
        ("2000.01", Zone.HIGH),
        ("5000.00", Zone.HIGH),
        ("5000.01", Zone.EXTREME),
    ],
)
def test_both_sides_of_every_edge(run: Make, fee: str, zone: Zone) -> None:
    assert run(fee).zone is zone


@pytest.mark.parametrize(
    ("fee", "zone"), [("500.00", Zone.LOW), ("500.01", Zone.NORMAL), ("2000.00", Zone.HIGH)]
)
def test_closed_edges_where_the_policy_says(run: Make, fee: str, zone: Zone) -> None:
    rules = {"scoring": {"deviation": {"low": {"op": "<="}, "high": {"op": ">="}}}}
    assert run(fee, **rules).zone is zone


@pytest.mark.parametrize(
    ("fee", "policy", "expected"),
    [
        ("400.00", {}, "44.0000"),
        ("400.00", deviation("low", k="none"), "40.0000"),
        ("3000.00", {}, "220.0000"),
        ("3000.00", deviation("high", k="none"), "200.0000"),
        ("3000.00", deviation("high", base="k", k="none"), "210.0000"),
        ("3000.00", deviation("high", form="times", k="none"), "200.0000"),
        ("3000.00", deviation("high", form="as_normal"), "110.0000"),
        ("6000.00", deviation("extreme", form="as_normal_k"), "110.0000"),
        ("3000.00", deviation("high", form="ratio", k="none"), "300.0000"),
    ],
)
def test_every_form(run: Make, fee: str, policy: dict[str, Any], expected: str) -> None:
    found = run(fee, **policy)
    assert found.status is ScoreStatus.SCORED
    assert format(found.score, "f") == expected


def test_ratio_std_pays_about_the_fee(run: Make) -> None:
    rules = {
        "scoring": {
            "average_fee": "payment_standard",
            "deviation": {"low": {"form": "ratio_std"}},
        },
        "settlement": {"point_value": {"budget": {"职工": "8"}}},
    }
    # The level's standard is 100 × 1.1 × 8 = 880; 400 / 880 < 0.5; s = f / V_std = 400 / 8.
    found = run("400.00", **rules)
    assert (found.zone, found.score) == (Zone.LOW, Decimal("50.0000"))


def test_extreme_goes_to_review_without_a_score(run: Make) -> None:
    found = run("6000.00")
    assert (found.status, found.score, found.amount) == (ScoreStatus.REVIEW, None, None)


def test_exact_halves_round_up_after_one_division(run: Make, make_group: Make) -> None:
    # 0.00015 × 1 ÷ 3 = 0.00005 exactly; r = 1 ÷ 3 taken first would fall below the half.
    result = make_group(base_score=Decimal("0.00015"), average_fee=Decimal("3"))
    found = run("1.00", result=result, **deviation("low", k="none"))
    assert found.score == Decimal("0.0001")


@pytest.mark.parametrize(
    ("mode", "expected"), [("half_up", "0.0003"), ("half_even", "0.0002"), ("down", "0.0002")]
)
def test_rounding_mode_is_the_policys(
    run: Make, make_group: Make, mode: str, expected: str
) -> None:
    result = make_group(base_score=Decimal("0.00025"))
    rules = {"scoring": {"rounding": {"mode": mode}, "institution": {"table": {"3": "1"}}}}
    assert run("1000.00", result=result, **rules).score == Decimal(expected)


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"scoring": {"institution": {"by": None}}}, "scoring.institution.by"),
        ({"scoring": {"average_fee": None}}, "scoring.average_fee"),
        ({"scoring": {"average_fee": "same_level_prev_year"}}, "scoring.average_fee_table.3.G1"),
        ({"scoring": {"average_fee": "score_x_factor"}}, "scoring.average_fee_factor"),
        (deviation("low", at=None), "scoring.deviation.low.at"),
        (deviation("high", at=None), "scoring.deviation.high.at"),
        (deviation("low", op=None), "scoring.deviation.low.op"),
        ({"scoring": {"normal": {"form": None}}}, "scoring.normal.form"),
        ({"scoring": {"normal": {"form": "(a + b) * c"}}}, "scoring.normal.form"),
        ({"scoring": {"rounding": {"score_dp": None}}}, "scoring.rounding.score_dp"),
        ({"scoring": {"rounding": {"money_dp": None}}}, "scoring.rounding.money_dp"),
        ({"scoring": {"rounding": {"mode": None}}}, "scoring.rounding.mode"),
        ({"auxiliary": {"mode": None}}, "auxiliary.mode"),
        ({"auxiliary": {"mode": "by_moon"}}, "auxiliary.mode"),
        (
            {"auxiliary": {"mode": "coefficient_table", "dimensions": None}},
            "auxiliary.dimensions",
        ),
        ({"settlement": {"fund_share": None}}, "settlement.fund_share"),
        (
            {"settlement": {"fund_ratio": {"职工": None, "居民": "0.6"}}},
            "settlement.fund_ratio.职工",
        ),
        ({"settlement": {"point_value": {"basis": None}}}, "settlement.point_value.basis"),
        ({"settlement": {"point_value": {"kind": None}}}, "settlement.point_value.kind"),
        ({"settlement": {"price_keys": None}}, "settlement.price_keys"),
        ({"settlement": {"price_keys": ["month"]}}, "settlement.point_value.table.2025-03"),
    ],
)
def test_unknown_parameter_is_named_never_assumed(
    run: Make, policy: dict[str, Any], path: str
) -> None:
    found = run("1000.00", **policy)
    assert found.status is ScoreStatus.NOT_CONFIGURED
    assert path in found.not_configured
    assert found.amount is None


@pytest.mark.parametrize(
    ("fee", "policy", "path"),
    [
        ("400.00", deviation("low", form=None), "scoring.deviation.low.form"),
        ("400.00", deviation("low", k=None), "scoring.deviation.low.k"),
        ("3000.00", deviation("high", base=None), "scoring.deviation.high.base"),
        ("3000.00", deviation("extreme", at=None), "scoring.deviation.extreme.at"),
        ("6000.00", deviation("extreme", form=None), "scoring.deviation.extreme.form"),
    ],
)
def test_zone_parameters_are_named_where_the_zone_needs_them(
    run: Make, fee: str, policy: dict[str, Any], path: str
) -> None:
    assert run(fee, **policy).not_configured == (path,)
    assert run("1000.00", **policy).status is ScoreStatus.SCORED


def test_level_without_coefficient_names_the_level(run: Make) -> None:
    found = run("1000.00", level="9")
    assert found.not_configured == ("scoring.institution.table.9",)


def test_absent_zone_does_not_exist(run: Make) -> None:
    found = run("9000.00", **deviation("extreme", at="n/a", op="n/a", form="n/a"))
    assert found.zone is Zone.HIGH


def test_unknown_form_of_a_zone_is_a_warning_too(run: Make) -> None:
    found = run("400.00", **deviation("low", form="ratoi"))
    assert any("ratoi" in text for text in found.warnings)


def test_basic_groups(run: Make, make_group: Make) -> None:
    basic = make_group(is_basic=True, layer=Layer.BASIC)
    assert run("1000.00", result=basic).score == Decimal("100.0000")
    same = {"scoring": {"institution": {"basic_groups": "same"}}}
    assert run("1000.00", result=basic, **same).score == Decimal("110.0000")
    factor = {
        "scoring": {"institution": {"basic_groups": "group_factor", "group_factors": {"G1": "0.9"}}}
    }
    assert run("1000.00", result=basic, **factor).score == Decimal("90.0000")
    missing = {"scoring": {"institution": {"basic_groups": "group_factor"}}}
    assert run("1000.00", result=basic, **missing).not_configured == (
        "scoring.institution.group_factors.G1",
    )


def test_coefficient_by_institution_and_pool(run: Make) -> None:
    rules = {
        "scoring": {
            "institution": {
                "by": "institution",
                "pools_differ": "true",
                "table": {"H99010000001": {"职工": "0.611", "居民": "0.631"}},
            }
        },
        "settlement": {
            "fund_ratio": {"居民": "0.6"},
            "point_value": {"table": {"居民": "9"}},
        },
    }
    assert run("1000.00", **rules).score == Decimal("61.1000")
    assert run("1000.00", case={"insurance": "390"}, **rules).score == Decimal("63.1000")


def test_coefficient_by_institution_and_group(run: Make) -> None:
    rules = {
        "scoring": {"institution": {"by": "institution_and_group", "table": {"3": {"G1": "2"}}}}
    }
    assert run("1000.00", **rules).score == Decimal("200.0000")


def test_average_fee_rules(run: Make) -> None:
    table = {
        "scoring": {
            "average_fee": "same_level_prev_year",
            "average_fee_table": {"3": {"G1": "4000"}},
        }
    }
    assert run("1000.00", **table).zone is Zone.LOW
    factor = {
        "scoring": {"average_fee": "same_level_prev_year", "average_fee_factor": {"3": "0.4"}}
    }
    assert run("1000.00", **factor).zone is Zone.HIGH
    by_score = {
        "scoring": {"average_fee": "score_x_factor", "average_fee_factor": {"3": {"职工": "5"}}}
    }
    assert run("1000.00", **by_score).ratio == 2


def test_dated_coefficient_follows_the_settlement_day(run: Make) -> None:
    dated = {"values": {"2025-01-01": {"value": "1.2", "source": "第一条"}, "2025-04-01": "1.3"}}
    rules = {"scoring": {"institution": {"table": {"3": dated}}}}
    assert run("1000.00", **rules).score == Decimal("120.0000")
    later = run("1000.00", case={"settled": date(2025, 4, 1)}, **rules)
    assert later.score == Decimal("130.0000")
    before = run("1000.00", case={"settled": date(2024, 12, 31)}, **rules)
    assert before.not_configured == ("scoring.institution.table.3",)


def test_discharge_basis_uses_the_discharge_day(run: Make) -> None:
    dated = {"values": {"2025-03-12": "1.5"}}
    rules = {"scoring": {"institution": {"table": {"3": dated}}}}
    assert run("1000.00", **rules).score == Decimal("150.0000")
    found = run("1000.00", policy={"date_basis": "discharge"}, **rules)
    assert found.status is ScoreStatus.NOT_CONFIGURED


def test_month_key_prefers_the_month_over_the_year(run: Make) -> None:
    table = {"职工": {"2025": "10", "2025-04": "12"}}
    rules = {"settlement": {"price_keys": ["pool", "month"], "point_value": {"table": table}}}
    assert run("1000.00", **rules).point_value == 10
    assert run("1000.00", case={"settled": date(2025, 4, 30)}, **rules).point_value == 12
    gone = run("1000.00", case={"settled": date(2026, 1, 1)}, **rules)
    assert gone.not_configured == ("settlement.point_value.table.职工.2026-01",)


def test_price_by_insured_place(run: Make) -> None:
    rule = {"local_prefix": "9901", "other_in_province": {"from": "2025-03-01", "key": "省内异地"}}
    rules = {
        "settlement": {
            "price_keys": ["insured_place"],
            "insured_place_rule": rule,
            "point_value": {
                "table": {"990100": "10", "省内异地": "8", "990300": "7", "880000": "6"}
            },
        }
    }
    assert run("1000.00", **rules).point_value == 10
    other = {"insured_place": "990300"}
    assert run("1000.00", case=other, **rules).point_value == 8
    early = other | {"settled": date(2025, 2, 28)}
    assert run("1000.00", case=early, **rules).point_value == 7
    far = {"insured_place": "880000"}
    assert run("1000.00", case=far, **rules).point_value == 6


def test_fallback_price_keys_are_tried_last(run: Make) -> None:
    rules = {
        "settlement": {
            "price_keys": ["institution", "month", "pool"],
            "fallback_price_key": ["institution", "pool"],
            "point_value": {"table": {"H9": {"2025": {"职工": "9"}, "职工": "8"}}},
        }
    }
    ours = {"hospital_code": "H9"}
    assert run("1000.00", case=ours, **rules).point_value == 9
    later = ours | {"settled": date(2026, 1, 1)}
    assert run("1000.00", case=later, **rules).point_value == 8
    gone = run("1000.00", case={"hospital_code": "H1"}, **rules)
    assert gone.not_configured == ("settlement.point_value.table.H1.2025-03.职工",)


def test_elastic_point_value_prices_a_case_at_its_fixed_part_and_says_so(run: Make) -> None:
    found = run("1000.00", settlement={"point_value": {"kind": "elastic"}})
    assert found.amount is not None
    assert any(text.startswith("W_ELASTIC") for text in found.warnings)


def test_deduct_self_pay(run: Make) -> None:
    rules = {"settlement": {"fund_share": "deduct_self_pay"}}
    found = run("1000.00", case={"fund": "700.00"}, **rules)
    assert found.amount == 110_000 - 30_000
    by_patient = {"settlement": {"fund_share": "deduct_self_pay", "self_paid_from": "self_and_own"}}
    found = run("1000.00", case={"fund": "700.00", "self_paid": "250.00"}, **by_patient)
    assert found.amount == 110_000 - 25_000
    unknown = run("1000.00", **rules)
    assert unknown.amount is None
    assert any("W_MISSING_INPUT" in text for text in unknown.warnings)


def test_never_below_zero_unless_the_policy_says(run: Make) -> None:
    rules = {"settlement": {"fund_share": "deduct_self_pay"}}
    poor = {"fund": "0.00"}
    found = run("1900.00", case=poor, **rules)
    assert found.amount == 0
    assert any(text.startswith("W_NEGATIVE") for text in found.warnings)
    rules["settlement"]["allow_negative"] = "true"
    assert run("1900.00", case=poor, **rules).amount == 110_000 - 190_000


def test_fund_share_from_the_case(run: Make) -> None:
    rules = {"settlement": {"fund_share_from": "case", "fund_ratio": None}}
    found = run("900.00", case={"fund": "300.00"}, **rules)
    assert found.amount == 36_667
    assert run("900.00", **rules).amount is None


def test_point_value_per_yuan_of_fund_is_not_shared_again(run: Make) -> None:
    found = run("1000.00", settlement={"point_value": {"basis": "fund"}})
    assert found.amount == 110_000


def test_pool_of_an_unknown_insurance_type(run: Make) -> None:
    found = run("1000.00", case={"insurance": "340"})
    assert "settlement.pool_codes.340" in found.not_configured
    found = run("1000.00", case={"insurance": ""})
    assert "case.insurance_type" in found.not_configured
    assert not any(path.startswith("settlement.pool_codes") for path in found.not_configured)


@pytest.mark.parametrize(
    "status",
    [
        GroupStatus.AMBIGUOUS,
        GroupStatus.EXCLUDED_DX,
        GroupStatus.ROUTED_OUT,
        GroupStatus.INVALID_INPUT,
    ],
)
def test_not_grouped_is_out_of_scope(run: Make, status: GroupStatus) -> None:
    found = run("1000.00", result=GroupResult(status))
    assert (found.status, found.amount) == (ScoreStatus.OUT_OF_SCOPE, None)
    assert found.trace[0].text.endswith("不计分")
    assert not any(letter.isascii() and letter.isalpha() for letter in found.trace[0].text)


def test_ungrouped_forms(run: Make, make_group: Make) -> None:
    none = GroupResult(GroupStatus.UNGROUPED)
    blank = make_group(status=GroupStatus.BLANK, layer=Layer.BLANK)
    assert run("1000.00", result=none).status is ScoreStatus.OUT_OF_SCOPE
    unknown = run("1000.00", result=none, scoring={"ungrouped": {"form": None}})
    assert unknown.not_configured == ("scoring.ungrouped.form",)
    cost = run("1000.00", result=blank, scoring={"ungrouped": {"form": "pay_cost"}})
    assert (cost.status, cost.amount) == (ScoreStatus.PAY_COST, 70_000)
    times = {"scoring": {"ungrouped": {"form": "ratio_times", "factor": "0.7"}}}
    found = run("500.00", result=blank, **times)
    assert (found.status, found.score) == (ScoreStatus.SCORED, Decimal("35.0000"))
    assert run("500.00", result=none, **times).not_configured == ("library.blank_group",)


def test_zero_score_group_pays_cost(run: Make, make_group: Make) -> None:
    zero = make_group(base_score=Decimal(0))
    assert run("1000.00", result=zero).not_configured == ("scoring.zero_score_group",)
    found = run("1000.00", result=zero, scoring={"zero_score_group": "pay_cost"})
    assert found.status is ScoreStatus.PAY_COST


def test_library_without_scores(run: Make, make_group: Make) -> None:
    assert run("1000.00", result=make_group(base_score=None)).not_configured == ("library.score",)
    assert (
        "library.average_fee" in run("1000.00", result=make_group(average_fee=None)).not_configured
    )


def test_missing_fee_or_day(run: Make) -> None:
    found = run(None)
    assert (found.status, found.not_configured) == (ScoreStatus.NOT_CONFIGURED, ("case.fee",))
    assert found.warnings == ("W_MISSING_INPUT 没有总费用，不能计分",)
    found = run("1000.00", case={"settled": None})
    assert found.status is ScoreStatus.NOT_CONFIGURED
    assert found.not_configured == ("case.setl_end_date",)
    assert found.warnings == ("W_MISSING_INPUT 没有结算日期，不能确定按哪一天的参数计分",)
    assert found.amount is None


def test_a_negative_fee_is_named(run: Make) -> None:
    found = run("-5.00")
    assert (found.status, found.not_configured) == (ScoreStatus.NOT_CONFIGURED, ("case.fee",))
    assert "是负数" in found.warnings[0]


def test_day_surgery_needs_its_rule(run: Make) -> None:
    found = run("1000.00", case={"stay_type": "2"}, routing={"day_surgery": None})
    assert found.not_configured == ("routing.day_surgery",)


def test_trace_names_paths_and_evidence(run: Make) -> None:
    rules = {
        "evidence": {"E1": {"grade": "A", "title": "文件"}},
        "scoring": {"src": ["E1"]},
    }
    found = run("1000.00", **rules)
    refs = [step.ref for step in found.trace]
    assert "scoring.institution.table.3 [E1]" in refs
    assert "settlement.point_value.table.职工" in refs


def test_same_input_same_result(run: Make) -> None:
    assert run("1234.56") == run("1234.56")


def test_money_for_a_score_settled_elsewhere(make_policy: Make, make_case: Make) -> None:
    case = make_case("K80.100")
    day = date(2025, 3, 15)
    assert pay_for_score(case, Decimal("100"), make_policy(), day=day) == 70_000
    unknown = make_policy(settlement={"fund_share": None})
    assert pay_for_score(case, Decimal("100"), unknown, day=day) is None


@pytest.mark.parametrize(
    ("case", "over", "lacking"),
    [
        ({"insurance": ""}, {}, ("case.insurance_type",)),
        ({"insurance": "999"}, {}, ("settlement.pool_codes.999",)),
        ({}, {"settlement": {"price_keys": ["county"]}}, ("case.county",)),
    ],
)
def test_what_the_case_does_not_say_is_named_as_its_own(
    run: Callable[..., ScoreResult],
    case: dict[str, Any],
    over: dict[str, Any],
    lacking: tuple[str, ...],
) -> None:
    assert run("1000.00", case=case, **over).not_configured == lacking


def test_a_level_that_nobody_said_is_what_is_missing(run: Callable[..., ScoreResult]) -> None:
    assert run("1000.00", level="").not_configured == ("case.level",)


STANDARD = {"average_fee": "payment_standard"}
BUDGET = {"point_value": {"budget": {"职工": "8"}}}


@pytest.mark.parametrize(
    ("scoring", "settlement", "said"),
    [
        (STANDARD, BUDGET, "平均费用 = 病种分值 100 × 机构系数 1.1 × 预算点值 8 = 880 元"),
        (
            {"average_fee_factor": {"3": "1.05"}},
            {},
            "平均费用 = 病种平均费用 1000 × 平均费用系数 1.05 = 1050 元",
        ),
        (
            {"average_fee": "score_x_factor", "average_fee_factor": {"3": "9.5"}},
            {},
            "平均费用 = 病种分值 100 × 平均费用系数 9.5 = 950 元",
        ),
    ],
)
def test_an_average_that_was_worked_out_says_how(
    run: Make, scoring: dict[str, Any], settlement: dict[str, Any], said: str
) -> None:
    trace = run("1000.00", scoring=scoring, settlement=settlement).trace
    worked_out = [step for step in trace if step.text == said]
    assert [step.step for step in worked_out] == ["average"]
    divisor = said.removesuffix(" 元").rpartition(" ")[2]
    assert any(f"÷ {divisor} = " in step.text for step in trace if step.step == "ratio")
    assert len(trace) == len(set(trace))
    assert [step.text for step in trace if step.step == "zone"][-1] == "偏差区间：正常"


def test_a_zone_without_k_says_that_k_is_not_used(run: Make) -> None:
    texts = [step.text for step in run("9000.00").trace]
    assert texts.index("偏差区间：超高倍率") < texts.index("本区间计分不用机构系数")
    assert "本区间计分不用机构系数" not in [step.text for step in run("1000.00").trace]

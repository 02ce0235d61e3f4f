"""Months and years in money: point values, both identities, assessment, bands, clearing."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from dipgate.core.errors import ConfigError
from dipgate.core.settle_input import SettleInput
from dipgate.pregrouper.settling import Settled, settle
from dipgate.pregrouper.settling_points import budget_point_value, elastic, trimmed

D = Decimal
BANDS = [
    {"lo": "0", "hi": "0.85", "pay": "billed"},
    {"lo": "0.85", "hi": "1", "pay": "payable"},
    {"lo": "1", "hi": "1.1", "pay": {"payable_plus_share": "0.6"}},
    {"lo": "1.1", "hi": None, "pay": {"payable_plus_capped": {"share": "0.6", "upto": "1.1"}}},
]
YEAR: dict[str, Any] = {"assess": "n/a", "bands": "n/a", "audit_deduct": "true"}
DEDUCT = "(points * rate - patient_paid) * ratio - audit"


@pytest.fixture
def run(make_policy: Callable[..., Any]) -> Callable[..., Settled]:
    """`run({"month": …, …}, monthly={…})`: pool 职工, V 10, g 0.7, no deposit, unless said."""

    def go(line: dict[str, Any], **settlement: Any) -> Settled:
        monthly = {"deposit": "n/a"} | settlement.pop("monthly", {})
        policy = make_policy(settlement={"year_end": YEAR, "monthly": monthly} | settlement)
        return settle(SettleInput.model_validate({"pool": "职工"} | line), policy)

    return go


def month(**line: Any) -> dict[str, Any]:
    return {"month": "2025-03", "total_score": "1000"} | line


def year(**line: Any) -> dict[str, Any]:
    return {"year": "2025", "total_score": "1000"} | line


@pytest.mark.parametrize(
    ("form", "line", "expected"),
    [
        (DEDUCT, {"self_pay": "3000", "audit": "100.50"}, 619950),
        (DEDUCT, {"self_pay": "3000"}, 630000),
        ("points * rate * ratio", {}, 900000),
        ("points * rate * fund_share * ratio", {}, 630000),
        ("billed_fund * ratio", {"billed_fund": "6543.21"}, 588889),
    ],
)
def test_each_monthly_form(
    run: Callable[..., Settled], form: str, line: dict[str, Any], expected: int
) -> None:
    found = run(month(**line), monthly={"form": form, "ratio": "0.9"})
    assert found.not_configured == ()
    assert found.payable == expected


def test_deposit_is_not_one_minus_ratio(run: Callable[..., Settled]) -> None:
    rules = {"form": DEDUCT, "ratio": "0.9", "deposit": "0.05"}
    found = run(month(self_pay="3000"), monthly=rules)
    assert (found.payable, found.deposit) == (630000, 35000)
    capped = run(month(self_pay="3000"), monthly=rules | {"deposit_cap_2025": "0.03"})
    assert capped.deposit == 21000
    none = run(month(self_pay="3000"), monthly=rules | {"deposit": "n/a"})
    assert (none.status, none.payable, none.deposit) == ("SETTLED", 630000, None)


@pytest.mark.parametrize("deposit", [None, {"values": {"2025-04-01": "0.05"}}])
def test_an_unknown_deposit_is_named(run: Callable[..., Settled], deposit: Any) -> None:
    rules = {"form": DEDUCT, "ratio": "0.9", "deposit": deposit}
    found = run(month(self_pay="3000"), monthly=rules)
    assert (found.status, found.payable, found.deposit) == ("NOT_CONFIGURED", None, None)
    assert found.not_configured == ("settlement.monthly.deposit",)


def test_bounds_that_are_dated_later_are_unknown_and_not_open(run: Callable[..., Settled]) -> None:
    later = {"values": {"2026-01-01": "1.5"}}
    bands = [
        {"lo": None, "hi": later, "pay": "payable"},
        {"lo": later, "hi": None, "pay": {"billed_plus_share": "0.5"}},
    ]
    found = run(year(billed_fund="9000"), year_end=YEAR | {"bands": bands})
    assert found.payable is None
    assert "settlement.year_end.bands[0].hi" in found.not_configured
    line = year(base_score="800", fund="7000", pool_score="5000", pool_base_score="4000")
    elastic_later = run(line, point_value=ELASTIC | {"increment_cap": later})
    assert elastic_later.not_configured == ("settlement.point_value.increment_cap",)


def test_a_month_never_pays_below_zero_unless_the_policy_says(run: Callable[..., Settled]) -> None:
    rules = {"form": DEDUCT, "ratio": "0.9"}
    poor = month(self_pay="20000")
    assert run(poor, monthly=rules).payable == 0
    assert run(poor, monthly=rules, allow_negative="true").payable == -900000


@pytest.mark.parametrize(
    ("line", "monthly", "missing"),
    [
        (month(), {}, ("settlement.monthly.form",)),
        (month(), {"form": "points * rate * ratio"}, ("settlement.monthly.ratio",)),
        (month(), {"form": DEDUCT, "ratio": "0.9"}, ("input.self_pay",)),
        (
            {"month": "2025-03"},
            {"form": "points * rate * ratio", "ratio": "0.9"},
            ("input.total_score",),
        ),
        (month(), {"form": "billed_fund * ratio", "ratio": "1"}, ("input.billed_fund",)),
        (month(pool="其他"), {"form": "points * ratio", "ratio": "1"}, ("input.pool",)),
    ],
)
def test_a_month_names_what_is_missing_and_nothing_else(
    run: Callable[..., Settled], line: dict[str, Any], monthly: dict[str, Any], missing: Any
) -> None:
    found = run(line, monthly=monthly)
    assert found.payable is None
    assert found.status == "NOT_CONFIGURED"
    assert found.not_configured == missing


def test_the_formula_may_hold_only_known_words(run: Callable[..., Settled]) -> None:
    with pytest.raises(ConfigError, match="pionts"):
        run(month(), monthly={"form": "pionts * rate", "ratio": "1"})
    with pytest.raises(ConfigError, match="读不懂"):
        run(month(), monthly={"form": "points *", "ratio": "1"})
    nothing = run(month(self_pay="0"), monthly={"form": "points / patient_paid"})
    assert nothing.not_configured == ("settlement.monthly.form",)


def test_a_stated_point_value_goes_before_the_table_and_is_said(
    run: Callable[..., Settled],
) -> None:
    rules = {"form": "points * rate * ratio", "ratio": "1"}
    found = run(month(point_value="9.5", billed_fund="1"), monthly=rules)
    assert found.payable == 950000
    assert found.used == ("total_score", "point_value")
    assert found.unused == ("billed_fund",)


def test_prepayment_is_months_of_last_years_fund(run: Callable[..., Settled]) -> None:
    rules = {"form": "points * rate * ratio", "ratio": "1"}
    found = run(month(last_year_fund="1000000"), monthly=rules, prepayment_months="1")
    assert found.prepayment == 8333333
    gone = run(month(last_year_fund="1000000"), monthly=rules)
    assert gone.not_configured == ("settlement.prepayment_months",)
    assert gone.payable == 1000000


def test_multiplicative_year(run: Callable[..., Settled]) -> None:
    assert run(year(audit="123.45")).payable == 700000 - 12345
    assert run(year(fund_share="0.65")).payable == 650000


def test_deduct_year(run: Callable[..., Settled]) -> None:
    found = run(year(self_pay="2999.99"), fund_share="deduct_self_pay")
    assert found.payable == 700001
    assert "self_pay" in found.used


def test_fund_share_of_the_line_itself_is_said_to_be_an_average(
    run: Callable[..., Settled],
) -> None:
    found = run(year(billed_fund="600", self_pay="200"), fund_share_from="case")
    assert found.payable == 750000
    assert any(text.startswith("W_AVERAGE") for text in found.warnings)


@pytest.mark.parametrize(
    ("where", "expected"), [("score", 686000), ("payable", 686000), ("deposit", 700000)]
)
def test_assessment_enters_where_the_policy_says(
    run: Callable[..., Settled], where: str, expected: int
) -> None:
    rules = YEAR | {"assess": {"applies_to": where}}
    assert run(year(assessment="0.98"), year_end=rules).payable == expected


def test_assessment_on_the_score_and_on_the_payable_differ_under_deduction(
    run: Callable[..., Settled],
) -> None:
    line = year(assessment="0.9", self_pay="3000")
    rules = {"fund_share": "deduct_self_pay"}
    on_score = run(line, year_end=YEAR | {"assess": {"applies_to": "score"}}, **rules)
    on_payable = run(line, year_end=YEAR | {"assess": {"applies_to": "payable"}}, **rules)
    assert on_score.payable == 600000
    assert on_payable.payable == 630000


def test_words_of_a_record_are_understood_or_asked_for(run: Callable[..., Settled]) -> None:
    said = run(year(assessment="0.98"), year_end=YEAR | {"assess": "applied to the score"})
    assert said.payable == 686000
    local = run(year(assessment="0.98"), year_end=YEAR | {"assess": "local"})
    assert local.not_configured == ("settlement.year_end.assess.applies_to",)
    with pytest.raises(ConfigError, match="applies_to"):
        run(year(assessment="1"), year_end=YEAR | {"assess": {"applies_to": "scores"}})


@pytest.mark.parametrize(
    ("billed", "expected"),
    [
        ("5949.99", 594999),  # just under 0.85 × 7000
        ("5950.00", 700000),
        ("6999.99", 700000),
        ("7000.00", 700000),
        ("7000.01", 700001),  # + 0.6 of a fen, rounded half up
        ("7699.99", 741999),  # 7000 + 0.6 × 699.99 = 7419.994
        ("7700.00", 742000),
        ("9000.00", 742000),
    ],
)
def test_both_sides_of_every_band_edge(
    run: Callable[..., Settled], billed: str, expected: int
) -> None:
    found = run(year(billed_fund=billed), year_end=YEAR | {"bands": BANDS})
    assert found.payable == expected
    assert found.dip_payable == 700000


def test_a_band_may_share_the_surplus(run: Callable[..., Settled]) -> None:
    bands = [{"lo": None, "hi": None, "pay": {"billed_plus_share": "0.5"}}]
    assert run(year(billed_fund="6000"), year_end=YEAR | {"bands": bands}).payable == 650000


def test_nothing_payable_but_something_billed_is_above_every_band(
    run: Callable[..., Settled],
) -> None:
    found = run(year(total_score="0", billed_fund="5"), year_end=YEAR | {"bands": BANDS})
    assert found.payable == 0


@pytest.mark.parametrize(
    ("year_end", "line", "missing"),
    [
        ({"bands": None}, {}, ("settlement.year_end.bands",)),
        ({"bands": []}, {}, ("settlement.year_end.bands",)),
        ({"bands": BANDS}, {}, ("input.billed_fund",)),
        (
            {"bands": [{"pay": {"payable_plus_share": None}}]},
            {"billed_fund": "1"},
            ("settlement.year_end.bands[0].pay.share",),
        ),
        ({"assess": None}, {}, ("settlement.year_end.assess",)),
        ({"assess": {"applies_to": "payable"}}, {}, ("input.assessment",)),
        ({"audit_deduct": None}, {"audit": "1"}, ("settlement.year_end.audit_deduct",)),
    ],
)
def test_a_year_names_what_is_missing_and_nothing_else(
    run: Callable[..., Settled], year_end: dict[str, Any], line: dict[str, Any], missing: Any
) -> None:
    found = run(year(**line), year_end=YEAR | year_end)
    assert found.payable is None
    assert found.not_configured == missing


@pytest.mark.parametrize(
    ("settlement", "missing"),
    [
        ({"fund_share": None}, "settlement.fund_share"),
        ({"fund_ratio": None}, "settlement.fund_share_from"),
        ({"fund_ratio": {"职工": None, "居民": "0.6"}}, "settlement.fund_ratio.职工"),
        ({"point_value": {"kind": None}}, "settlement.point_value.kind"),
        ({"point_value": {"kind": ["fixed", "floating"]}}, "settlement.point_value.kind"),
        ({"point_value": {"basis": None}}, "settlement.point_value.basis"),
        (
            {"point_value": {"table": {"职工": None, "居民": "1"}}},
            "settlement.point_value.table.职工",
        ),
        ({"price_keys": None}, "settlement.price_keys"),
    ],
)
def test_each_unknown_of_the_price_is_named(
    make_policy: Callable[..., Any], settlement: dict[str, Any], missing: str
) -> None:
    point_value = {"kind": "fixed", "basis": "total_fee", "table": {"职工": "10"}}
    policy = make_policy(
        settlement={
            "year_end": YEAR,
            **settlement,
            "point_value": point_value | settlement.get("point_value", {}),
        }
    )
    found = settle(SettleInput.model_validate({"pool": "职工"} | year()), policy)
    assert found.payable is None
    assert found.not_configured == (missing,)


def test_a_floating_value_is_fund_over_ratio_over_score(run: Callable[..., Settled]) -> None:
    own = run(year(fund="8400", point_value=None))
    assert own.payable == 840000  # the line is the whole pool: it gets the whole fund
    part = run(year(fund="840000", pool_score="100000"))
    assert part.payable == 840000
    ratio = run(year(fund="8000", payment_ratio="0.8", fund_share="0.8"))
    assert ratio.payable == 800000


def test_a_pools_own_line_holds_its_payment_ratio(run: Callable[..., Settled]) -> None:
    rules = {"fund_ratio": None, "fund_share_from": "pool"}
    own = {"billed_fund": "6000", "self_pay": "2000"}
    found = run(year(fund="6300", **own), **rules)
    assert found.payable == 630000  # 6300 / 0.75 / 1000 × 1000 × 0.75
    assert {"fund", "billed_fund", "self_pay"} <= set(found.used)
    hospital = run(year(point_value="10", **own), **rules)
    assert hospital.not_configured == ("settlement.fund_ratio.职工",)
    sums = {"pool_billed_fund": "60", "pool_fee": "80"}
    assert run(year(point_value="10", **sums), **rules).payable == 750000


def test_a_value_per_yuan_of_fund_knows_no_share(run: Callable[..., Settled]) -> None:
    found = run(year(fund="8000"), point_value={"basis": "fund"}, fund_share=None)
    assert found.payable == 800000


def test_the_fund_is_what_is_left_after_every_named_carve_out(run: Callable[..., Settled]) -> None:
    line = year(year_fund="10000", carve_outs={"risk_reserve": "500", "bed_day": "1000"})
    rules = {"carve_outs": ["risk_reserve", "bed_day"]}
    assert run(line, **rules).payable == 850000
    lacking = run(line, carve_outs=["risk_reserve", "bed_day", "cross_region"])
    assert lacking.not_configured == ("input.carve_outs.cross_region",)
    unknown = run(line)
    assert unknown.not_configured == ("settlement.carve_outs",)
    extra = run(line, carve_outs=["risk_reserve"])
    assert extra.payable == 950000
    assert any("bed_day" in text for text in extra.warnings)


ELASTIC: dict[str, Any] = {
    "kind": "elastic",
    "basis": "total_fee",
    "elastic_split": [["0.8", "0.2"]],
    "increment_cap": "n/a",
}


def test_elastic_year(run: Callable[..., Settled]) -> None:
    # fund 7000 / 0.7 = 10000; base 800 × 10; increment fund 2000 over 200 points = 10 each
    line = year(base_score="800", fund="7000")
    assert run(line, point_value=ELASTIC).payable == 700000
    # the pool has 1000 increment points, this hospital 200 of them: 2 yuan each
    line |= {"pool_score": "5000", "pool_base_score": "4000"}
    assert run(line, point_value=ELASTIC).payable == int((8000 + 400) * D("0.7") * 100)
    capped = run(line, point_value=ELASTIC | {"increment_cap": "1.5"})
    assert capped.payable == int((8000 + 300) * D("0.7") * 100)


@pytest.mark.parametrize(
    ("spec", "line", "missing"),
    [
        ({"increment_cap": None}, {}, "settlement.point_value.increment_cap"),
        ({"elastic_split": None}, {}, "settlement.point_value.elastic_split"),
        (
            {"elastic_split": [["0.8", "0.2"], ["0.7", "0.3"]]},
            {},
            "settlement.point_value.elastic_split",
        ),
        ({}, {"base_score": None}, "input.base_score"),
        ({}, {"pool_score": "5000"}, "input.pool_base_score"),
        ({}, {"fund": None}, "input.year_fund"),
        ({}, {"base_score": "1001"}, "input.base_score"),
    ],
)
def test_elastic_names_what_is_missing(
    run: Callable[..., Settled], spec: dict[str, Any], line: dict[str, Any], missing: str
) -> None:
    found = run(year(**{"base_score": "800", "fund": "7000"} | line), point_value=ELASTIC | spec)
    assert found.payable is None
    assert missing in found.not_configured


def test_without_increment_the_increment_fund_stays(run: Callable[..., Settled]) -> None:
    assert elastic(D(10), D(2000), D(0), None).worth(D(800), D(0)) == 8000
    assert run(year(base_score="1000", fund="7000"), point_value=ELASTIC).payable == 700000


def test_clearing_takes_off_what_was_paid(run: Callable[..., Settled]) -> None:
    line = year(prepaid="1000", monthly_paid="5000", interest="1.5")
    assert run(line).clearing == 700000 - 600150
    assert run(year()).clearing is None
    half = run(year(prepaid="1000"))
    assert (half.payable, half.clearing) == (700000, None)
    assert half.not_configured == ("input.monthly_paid",)


def test_deposit_comes_back_by_assessment(run: Callable[..., Settled]) -> None:
    rules = {"year_end": YEAR | {"assess": {"applies_to": "deposit"}}}
    line = year(assessment="0.9", deposit_held="350", prepaid="0", monthly_paid="6650")
    found = run(line, **rules)
    assert found.deposit_returned == 31500
    assert found.clearing == 700000 - 665000 - 3500
    no_deposit = {key: value for key, value in line.items() if key != "deposit_held"}
    assert run(no_deposit, **rules).not_configured == ("input.deposit_held",)


def test_deadlines(run: Callable[..., Settled]) -> None:
    dates = {"2025": "2026-05-31", "2027+": "03-31"}
    rules = {"year_end": YEAR | {"deadline": dates}}
    assert run(year(), **rules).deadline == "2026-05-31"
    assert run(year(year="2026"), **rules).deadline == ""
    assert run(year(year="2028"), **rules).deadline == "2029-03-31"


def test_parts_of_the_score_share_the_payable_to_the_fen(run: Callable[..., Settled]) -> None:
    parts = {"core": "333.3333", "comprehensive": "333.3333", "tcm": "333.3334"}
    found = run({"year": "2025", "score_parts": parts})
    assert sum(found.shares.values()) == found.payable == 700000
    assert run({"year": "2025", "score_parts": {"core": "0"}}).shares == {}


def test_budget_point_value_in_both_readings() -> None:
    years = [(D(1000), D(100)), (D(3300), D(300)), (D(9600), D(800))]
    assert budget_point_value(years, (1, 2, 7), "weighted_totals") == D(74800) / D(6300)
    assert budget_point_value(years, (1, 2, 7), "mean_of_means") == D("11.6")
    assert budget_point_value(years[1:], (1, 2, 7), "mean_of_means") == D(106) / D(9)
    with pytest.raises(ConfigError, match="time_weight_mode"):
        budget_point_value(years, (1, 2, 7), "median")
    with pytest.raises(ValueError, match="年度"):
        budget_point_value([], (1, 2, 7), "mean_of_means")


def test_closed_years_give_a_months_value_only_with_a_reading(
    make_policy: Callable[..., Any],
) -> None:
    line = SettleInput.model_validate(
        {"pool": "职工"}
        | month(closed_years=[{"total_fee": "1100", "total_score": "100"}], point_value=None)
    )
    monthly = {"form": "points * rate * ratio", "ratio": "1", "deposit": "n/a"}
    unknown = settle(line, make_policy(settlement={"monthly": monthly}))
    assert unknown.not_configured == ("scoring.time_weights", "scoring.time_weight_mode")
    known = make_policy(
        scoring={"time_weights": ["1", "2", "7"], "time_weight_mode": "weighted_totals"},
        settlement={"monthly": monthly},
    )
    assert settle(line, known).payable == 1100000


def test_trimming_keeps_fees_that_occurred() -> None:
    cases = [(D(number), D(1)) for number in range(1, 101)]
    kept = trimmed(cases, D("0.025"), D("0.975"))
    assert (kept[0][0], kept[-1][0], len(kept)) == (3, 98, 96)
    assert trimmed([], D("0.025"), D("0.975")) == ()
    assert trimmed([(D(5), D(1))], D("0.025"), D("0.975")) == ((5, 1),)
    with pytest.raises(ValueError, match="百分位"):
        trimmed(cases, D("0.9"), D("0.1"))


def test_listed_cases_are_trimmed_as_the_policy_says(make_policy: Callable[..., Any]) -> None:
    cases = [["1", "1"], ["100", "10"], ["110", "10"], ["9000", "10"]]
    line = SettleInput.model_validate({"pool": "职工"} | month(closed_years=[{"cases": cases}]))
    weights = {"time_weights": ["1", "2", "7"], "time_weight_mode": "weighted_totals"}
    monthly = {"form": "points * rate * ratio", "ratio": "1", "deposit": "n/a"}

    def paid(trim: dict[str, str] | None) -> Settled:
        money = {"monthly": monthly, "point_value": {"trim": trim}}
        return settle(line, make_policy(scoring=weights, settlement=money))

    unknown = paid(None)
    assert unknown.not_configured == (
        "settlement.point_value.trim.low",
        "settlement.point_value.trim.high",
    )
    assert paid({"low": "0.26", "high": "0.75"}).payable == 1050000
    assert paid({"low": "n/a", "high": "0.75"}).payable == 1004762  # 211 / 21


def test_a_half_fen_that_a_division_left_is_still_a_half(run: Callable[..., Settled]) -> None:
    # half of 100.01: 50.005 exactly, whatever 1/0.7 leaves behind
    found = run(year(total_score="1", pool_score="2", fund="100.01"))
    assert found.payable == 5001


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ({}, "month 和 year"),
        ({"month": "2025-03", "year": "2025"}, "month 和 year"),
        ({"month": "2025-13"}, "2025-03"),
        ({"year": "25"}, "2025"),
        ({"year": "2025", "scores": ["1"], "total_score": "1"}, "只写一个"),
        ({"year": "2025", "self_pay": "1.001"}, "小数"),
        ({"year": "2025", "self_pay": "1,000"}, "不是数字"),
        ({"year": "2025", "point_value": "-1"}, "负数"),
        ({"year": "2025", "payment_ratio": "1.2"}, "0 到 1"),
        ({"year": "2025", "assessment": "98"}, "0.98"),
        ({"year": "2025", "total_score": "1e999999"}, "最多 18 位"),
        ({"year": "2025", "scores": ["1e-99"]}, "最多 18 位"),
        ({"year": "2025", "scores": [None]}, "scores"),
        ({"month": "2025-01", "closed_years": [{"total_fee": "1"}]}, "total_score"),
    ],
)
def test_a_bad_line_is_refused_in_words(line: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        SettleInput.model_validate({"pool": "职工"} | line)


def test_every_number_of_the_trace_names_where_it_comes_from(run: Callable[..., Settled]) -> None:
    found = run(year(billed_fund="7100"), year_end=YEAR | {"bands": BANDS})
    paths = {step.ref for step in found.trace if step.step in ("parameter", "input", "band")}
    assert {"input.total_score", "settlement.fund_ratio.职工", "input.billed_fund"} <= paths
    assert "settlement.year_end.bands[2]" in paths


def test_the_period_picks_dated_numbers_by_its_last_day(run: Callable[..., Settled]) -> None:
    ratio = {"values": {"2025-01-01": "0.9", "2025-03-31": "0.8"}}
    rules = {"form": "points * rate * ratio", "ratio": ratio}
    assert run(month(), monthly=rules).payable == 800000
    assert run(month(month="2025-02"), monthly=rules).payable == 900000


def test_the_numbers_of_a_band_have_their_words(run: Callable[..., Settled]) -> None:
    # payable = 1000 × 10 × 0.7; billed is 1.05 and 1.2 of it
    for billed, said in (
        ("7350", ("分成或分担比例 = 0.6",)),
        ("8400", ("封顶的记账 ÷ 应付 = 1.1",)),
    ):
        found = run(year(billed_fund=billed), year_end=YEAR | {"bands": BANDS})
        texts = [step.text for step in found.trace]
        assert set(said) <= set(texts)
        assert not [text for text in texts if text.startswith("settlement.")]

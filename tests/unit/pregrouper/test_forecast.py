"""The forecast kernel: scenarios, the region's share, the pace of a month, the record."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from dipgate.core.money import Fen
from dipgate.pregrouper.change import PARTS, Period, change
from dipgate.pregrouper.forecast import (
    Graded,
    months_before,
    own_growth_effect,
    pace,
    pay_at,
    pool_of,
    projected,
    record,
    scenario_value,
    share_income,
)

LAST = date(2025, 3, 31)


@pytest.fixture
def policy(make_policy):  # type: ignore[no-untyped-def]
    return make_policy(
        settlement={
            "point_value": {
                "kind": "floating",
                "basis": "total_fee",
                "table": {"职工": {"2024": "8.00", "2024-11": "7.50", "2025-03": "8.20"}},
                "budget": {"职工": "8.10"},
            },
            "price_keys": ["pool", "month"],
        }
    )


def test_every_scenario_takes_its_own_point_value(policy, make_case) -> None:  # type: ignore[no-untyped-def]
    case = make_case("K35.800", settled=date(2025, 3, 10))
    found = {
        name: scenario_value(name, case, policy, hospital="H1", month="2025-03").yuan
        for name in ("current", "last_year", "budget", "low")
    }
    assert found == {
        "current": Decimal("8.20"),
        "last_year": Decimal("8.00"),
        "budget": Decimal("8.10"),
        "low": Decimal("7.50"),
    }


def test_a_scenario_without_a_value_names_the_path(policy, make_case) -> None:  # type: ignore[no-untyped-def]
    case = make_case("K35.800", settled=date(2023, 3, 10))
    for name in ("current", "last_year", "low"):
        found = scenario_value(name, case, policy, hospital="H1", month="2023-03")
        assert found.yuan is None
        assert found.path.startswith("settlement.point_value.table")


def test_pay_at_a_value_is_score_times_value_times_share(policy, make_case) -> None:  # type: ignore[no-untyped-def]
    case = make_case("K35.800", settled=date(2025, 3, 10))
    amount, missing = pay_at(case, Decimal("100.5"), Decimal("7.9"), policy, day=date(2025, 3, 10))
    assert (amount, missing) == (Fen(55577), ())  # 100.5 × 7.9 × 0.7 = 555.765 yuan, half up
    assert pool_of(case, policy) == "职工"


def test_months_go_back_over_the_year() -> None:
    assert [months_before("2025-03", back) for back in (0, 2, 3, 15)] == [
        "2025-03",
        "2025-01",
        "2024-12",
        "2023-12",
    ]


def test_share_nowcast_and_the_effect_of_own_growth() -> None:
    assert share_income(Decimal(10), Decimal(400), Fen(1_000_001)) == Fen(25_000)
    # With 10 % of the region, 20 % more points bring 1.2 / 1.02 − 1.
    grown = own_growth_effect(Decimal("0.1"), Decimal("0.2"))
    assert abs(grown - (Decimal("1.2") / Decimal("1.02") - 1)) < Decimal("1e-20")
    assert own_growth_effect(Decimal(1), Decimal("0.2")) == 0
    with pytest.raises(ValueError, match="正数"):
        share_income(Decimal(1), Decimal(0), Fen(1))


def test_pace_is_learnt_from_earlier_months() -> None:
    half = {5: Decimal(30), 20: Decimal(70)}
    more = {5: Decimal(50), 20: Decimal(50)}
    found = pace(date(2025, 3, 10), LAST, [half, more, {}])
    assert (found.share, found.months) == (Decimal("0.4"), 2)
    assert projected(Fen(400), found.share) == Fen(1000)


def test_pace_without_earlier_months_is_that_of_the_days() -> None:
    found = pace(date(2025, 3, 10), LAST, [{}])
    assert (found.share, found.months) == (Decimal(10) / 31, 0)
    assert pace(LAST, LAST, []).share == 1


def test_the_record_says_how_far_off_and_whether_to_warn() -> None:
    graded = [
        Graded("2025-03", Fen(110), Fen(90), Fen(120), Fen(100)),
        Graded("2025-01", Fen(300), Fen(290), Fen(310), Fen(100)),
        Graded("2025-02", Fen(95), Fen(101), Fen(110), Fen(100)),
        Graded("2025-04", Fen(100), Fen(90), Fen(110), Fen(100)),
    ]
    found = record(graded)
    assert [item.month for item in found.graded] == ["2025-01", "2025-02", "2025-03", "2025-04"]
    assert found.recent == Decimal("0.05")  # 0.05, 0.10 and 0: January is too long ago
    assert found.coverage == Decimal("0.5")
    assert found.poor(Decimal("0.049"))
    assert not found.poor(Decimal("0.05"))
    assert record([]).recent is None
    assert not record([]).poor(Decimal(0))


def test_change_in_four_parts() -> None:
    before = Period(100, Decimal(100_000), Decimal("5.6"), Fen(56_000_000))
    after = Period(110, Decimal(121_000), Decimal("5.8"), Fen(70_000_000))
    found = change(before, after)
    assert found.whole == 14_000_000
    assert found.volume == 5_600_000  # 10 cases × 1000 × 5.6 yuan
    assert found.structure == 6_160_000  # 110 × 100 × 5.6 yuan
    assert found.price == 2_420_000  # 121000 × 0.2 yuan
    assert found.residual == -180_000


def test_change_without_a_period_before_says_only_the_whole() -> None:
    found = change(Period(0, Decimal(0), None, Fen(0)), Period(1, Decimal(1), Decimal(1), Fen(7)))
    assert found.whole == 7
    assert [getattr(found, part) for part in PARTS] == [None] * 4

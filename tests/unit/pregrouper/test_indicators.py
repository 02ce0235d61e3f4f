"""Indicators: each figure by hand, and what it left out."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

from dipgate.core.grouping import GroupStatus, Layer, ScoreStatus, Zone
from dipgate.core.money import Fen
from dipgate.pregrouper.indicators import CaseFact, Indicator, indicators

PLAIN = CaseFact(
    settlement_id="1",
    pool="职工",
    department="A03",
    person="P1",
    admitted=date(2025, 3, 1),
    discharged=date(2025, 3, 6),
    settled=date(2025, 3, 6),
    status=GroupStatus.GROUPED,
    layer=Layer.CORE,
    group_code="K35.8",
    is_basic=False,
    score_status=ScoreStatus.SCORED,
    zone=Zone.NORMAL,
    base_score=Decimal(1200),
    score=Decimal(1320),
    fee=Fen(900_000),
    fund=Fen(500_000),
    pay=Fen(600_000),
    stay=5,
    average_fee=Decimal(6000),
    average_stay=Decimal(4),
)


def figures(*facts: CaseFact) -> dict[str, Indicator]:
    return {item.code: item for item in indicators(facts)}


def test_means_over_two_cases() -> None:
    other = replace(
        PLAIN,
        settlement_id="2",
        person="P2",
        base_score=Decimal(800),
        fee=Fen(300_000),
        average_fee=Decimal(6000),
        stay=3,
        fund=Fen(300_000),
        pay=Fen(200_000),
        status=GroupStatus.GROUPED_COMPREHENSIVE,
        layer=Layer.COMPREHENSIVE,
        zone=Zone.LOW,
    )
    found = figures(PLAIN, other)
    assert found["cmi"].value == 1
    assert found["cost_index"].value == 1  # (1.5 + 0.5) ÷ 2
    assert found["time_index"].value == 1  # (1.25 + 0.75) ÷ 2
    assert (found["in_group"].value, found["core"].value) == (1, Decimal("0.5"))
    assert (found["low"].value, found["high"].value) == (Decimal("0.5"), 0)
    assert found["settlement"].value == 1  # 8000 ÷ 8000
    assert (found["settlement"].numerator, found["settlement"].denominator) == (8000, 8000)
    assert not found["cmi"].note


def test_cases_without_what_a_formula_needs_are_left_out_and_counted() -> None:
    bare = replace(
        PLAIN,
        settlement_id="2",
        person="",
        status=GroupStatus.UNGROUPED,
        layer=Layer.NONE,
        base_score=None,
        average_fee=None,
        average_stay=None,
        pay=None,
        zone=Zone.NONE,
        score_status=ScoreStatus.NOT_CONFIGURED,
    )
    found = figures(PLAIN, bare)
    assert found["in_group"].value == Decimal("0.5")
    for code in ("cmi", "cost_index", "time_index", "settlement", "low", "review"):
        assert found[code].denominator in (1, 5000), code
        assert found[code].note.startswith("1 例"), code


def test_routed_out_cases_are_no_denominator() -> None:
    out = replace(PLAIN, settlement_id="2", person="P2", status=GroupStatus.ROUTED_OUT)
    found = figures(PLAIN, out)
    assert (found["in_group"].numerator, found["in_group"].denominator) == (1, 1)


def test_readmissions() -> None:
    def again(number: str, admitted: date, group: str = "K35.8") -> CaseFact:
        return replace(
            PLAIN,
            settlement_id=number,
            admitted=admitted,
            discharged=date(admitted.year, admitted.month, admitted.day + 2),
            group_code=group,
        )

    on_day_14 = again("2", date(2025, 3, 20))
    on_day_15 = again("2", date(2025, 3, 21), "J18.9")
    other_person = replace(on_day_14, person="P9")
    assert figures(PLAIN, on_day_14)["readmission_14"].numerator == 1
    assert figures(PLAIN, on_day_15)["readmission_14"].numerator == 0
    assert figures(PLAIN, on_day_14)["readmission_30_same"].numerator == 1
    assert figures(PLAIN, on_day_15)["readmission_30_same"].numerator == 0
    assert figures(PLAIN, other_person)["readmission_14"].numerator == 0


def test_no_case_gives_no_value() -> None:
    assert {item.value for item in figures().values()} == {None}

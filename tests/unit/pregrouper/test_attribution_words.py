"""What an attribution says: every cause that fits, in order; what is printed decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from dipgate.core.case import Case
from dipgate.core.grouping import GroupResult, ScoreResult, Zone
from dipgate.core.library import LibraryData
from dipgate.core.money import Fen
from dipgate.core.policy import Policy
from dipgate.core.reference import CodeMap, MapEntry, Reference
from dipgate.pregrouper import compile_library
from dipgate.pregrouper.attribution import OurSide, editions_of, known_from, why
from dipgate.pregrouper.attribution_score import with_average
from dipgate.pregrouper.difference_steps import Mark, cause_steps, difference_steps, divisor_of
from dipgate.pregrouper.differences import BureauResult, Difference, Reason

K_TABLE = {"3": "1.1", "2": "0.92"}


@pytest.fixture
def ours(
    make_policy: Callable[..., Policy],
    make_library: Callable[..., LibraryData],
    make_case: Callable[..., Case],
) -> Callable[..., Any]:
    """`ours(fee=…, policy={…})` → (side, group, score) of a case of K80.1 with an operation."""

    def make(fee: str = "9000.00", dx: str = "K80.100", **policy: Any) -> Any:
        rules = make_policy(**{"scoring": {"institution": {"table": K_TABLE}}, **policy})
        library = compile_library(
            make_library(
                ("K80.1", "51.2300", "900.5"),
                ("K80.1", "保守治疗", "400"),
                ("K81.0", "51.2300", "700"),
            ),
            rules,
        )
        case = make_case(dx, "51.2300", fee=fee, fund="6000.00")
        side = OurSide(case, library, rules, None, "3", "H1")
        grouped = side.group()
        return side, grouped, side.score(grouped)

    return make


def theirs(grouped: GroupResult, scored: ScoreResult, **more: Any) -> BureauResult:
    """A result like ours, but for what is given."""
    same = BureauResult("S1", True, True, grouped.group_code, "", grouped.base_score, scored.score)
    return replace(same, **more)


def d(text: str) -> Decimal:
    return Decimal(text)


def test_alike_in_all_that_was_returned(ours: Callable[..., Any]) -> None:
    side, grouped, scored = ours()
    same = theirs(grouped, scored, payable=scored.amount, point_value=d("10"), zone=Zone.NORMAL)
    assert why(side, grouped, scored, same).reason is Reason.EQUAL


def test_a_number_of_our_table_is_named_with_its_place(ours: Callable[..., Any]) -> None:
    side, grouped, scored = ours()
    found = why(side, grouped, scored, theirs(grouped, scored, settled_score=d("828.46")))
    assert (found.reason, found.ours, found.theirs) == (Reason.COEFFICIENT, "1.1", "0.92")
    assert found.text == "机构系数不同：机构系数我方 1.1，平台 0.92（政策表 二级）"


def test_a_number_of_no_table_is_solved_for_and_said_to_be(ours: Callable[..., Any]) -> None:
    side, grouped, scored = ours()
    found = why(side, grouped, scored, theirs(grouped, scored, settled_score=d("869.8830")))
    assert (found.reason, found.theirs) == (Reason.COEFFICIENT, "0.966")
    assert "推算" in found.note


def test_as_many_places_as_they_wrote(ours: Callable[..., Any]) -> None:
    side, grouped, scored = ours(fee="3000.20")
    whole = theirs(grouped, scored, settled_score=scored.score.quantize(d("1")))
    found = why(side, grouped, scored, whole)
    assert (found.reason, found.theirs) == (Reason.ROUNDING, "0 位，四舍五入")


def test_every_single_change_that_explains_it_is_named(ours: Callable[..., Any]) -> None:
    """A low case paid at its base score times ratio: no K in that zone, or a K of 1."""
    side, grouped, scored = ours(fee="3000.00")
    assert scored.zone is Zone.LOW
    without = (d("900.5") * d("3000") / d("9005")).quantize(d("0.0001"))
    found = why(side, grouped, scored, theirs(grouped, scored, settled_score=without))
    assert [cause.reason for cause in found.causes][:2] == [Reason.ZONE, Reason.COEFFICIENT]
    assert found.reason is Reason.ZONE
    assert "也可能是：机构系数不同" in found.text
    assert cause_steps(found)[0].label == f"依据：{found.note}"


def test_what_the_bureau_prints_decides_between_causes(ours: Callable[..., Any]) -> None:
    side, grouped, scored = ours(fee="3000.00")
    without = (d("900.5") * d("3000") / d("9005")).quantize(d("0.0001"))
    printed = theirs(grouped, scored, settled_score=without, coefficient=d("1"))
    assert why(side, grouped, scored, printed).reason is Reason.COEFFICIENT


def test_less_money_with_all_else_alike_is_a_deduction(ours: Callable[..., Any]) -> None:
    side, grouped, scored = ours()
    less = Fen(scored.amount - 31337)
    found = why(side, grouped, scored, theirs(grouped, scored, payable=less))
    assert found.reason is Reason.AUDIT
    assert "少付 313.37 元" in found.note


def test_the_bureaus_own_remark_makes_a_deduction_sure(ours: Callable[..., Any]) -> None:
    """Even where another point value would give the same amount."""
    side, grouped, scored = ours()
    value = d("9.50")
    amount = Fen(int((scored.score * value * d("0.7")).quantize(d("0.01")) * 100))
    silent = theirs(grouped, scored, payable=amount)
    assert why(side, grouped, scored, silent).reason is Reason.PRICE
    said = replace(silent, remarks="违规扣款")
    assert why(side, grouped, scored, said).reason is Reason.AUDIT


def test_more_money_that_nothing_explains_stays_unexplained(ours: Callable[..., Any]) -> None:
    side, grouped, scored = ours()
    more = theirs(grouped, scored, payable=Fen(scored.amount * 7))
    assert why(side, grouped, scored, more).reason is Reason.PAYABLE


def test_a_score_that_nothing_explains_stays_unexplained(ours: Callable[..., Any]) -> None:
    side, grouped, scored = ours()
    odd = theirs(grouped, scored, settled_score=d("12345.6789"))
    found = why(side, grouped, scored, odd)
    assert (found.reason, found.causes) == (Reason.SCORE, ())


def test_a_point_value_that_several_cases_share_is_no_deduction(ours: Callable[..., Any]) -> None:
    value = d("9.8213")
    cases = []
    for fee in ("8000.00", "9100.00", "10300.00", "11900.00"):
        side, grouped, scored = ours(fee=fee, dx="K80.100" if fee < "9" else "K81.000")
        amount = (scored.score * value * d("0.7")).quantize(d("0.01"))
        row = theirs(grouped, scored, payable=Fen(int(amount * 100)))
        cases.append((side, grouped, scored, row))
    assert why(*cases[0]).reason is Reason.AUDIT
    known = known_from(cases)
    assert value in known.point_values
    found = why(*cases[0], known)
    assert (found.reason, found.theirs) == (Reason.PRICE, "9.8213")


def test_a_cause_of_the_first_difference_is_named_though_another_follows(
    ours: Callable[..., Any],
) -> None:
    side, grouped, scored = ours()
    both = theirs(grouped, scored, settled_score=d("828.46"), payable=Fen(1))
    assert why(side, grouped, scored, both).reason is Reason.COEFFICIENT


def test_the_other_edition_of_a_code(ours: Callable[..., Any]) -> None:
    side, grouped, scored = ours()
    entry = MapEntry("K81.000", "", "K80.100", "", "national", "2.0", 2)
    ref = Reference(
        side.case.settled, icd10_map=CodeMap("icd10-map", ("2.0",), {"K81.000": (entry,)})
    )
    side = replace(side, editions=editions_of(ref))
    other = theirs(grouped, scored, group_code="K81.0:51.2300", base_score=d("700"))
    found = why(side, grouped, scored, other)
    assert (found.reason, found.ours, found.theirs) == (Reason.CODESET, "K80.100", "K81.000")


def test_an_operation_that_the_bureau_did_not_have(ours: Callable[..., Any]) -> None:
    side, grouped, scored = ours()
    code = next(code for code in side.library.groups if "51.2300" not in code)
    other = theirs(grouped, scored, group_code=code, base_score=d("400"))
    found = why(side, grouped, scored, other)
    assert found.reason is Reason.GROUP
    assert "没有 51.2300" in found.note


AMOUNTS = [None, Fen(0), Fen(1), Fen(100000000)]


@pytest.mark.parametrize("payable", AMOUNTS)
@pytest.mark.parametrize("settled", [None, d("0"), d("-1"), d("0.0001"), d("900.5"), d("1e9")])
@pytest.mark.parametrize("fee", ["0.00", "0.01", "4502.50", "18010.00", "90000.00"])
def test_any_answer_of_the_bureau_has_one_first_difference(
    ours: Callable[..., Any], fee: str, settled: Decimal | None, payable: Fen | None
) -> None:
    side, grouped, scored = ours(fee=fee)
    row = theirs(grouped, scored, settled_score=settled, payable=payable)
    found = why(side, grouped, scored, row)
    assert isinstance(found, Difference)
    steps = difference_steps(
        grouped, scored, row, found, divisor=None, expected=scored.amount, settled=payable
    )
    marked = [step for step in steps if step.mark is Mark.DIFF]
    assert len(marked) == (0 if found.reason is Reason.EQUAL else 1)


def test_an_average_fee_that_the_statement_prints_is_tried_and_not_called_worked_out(
    ours: Callable[..., Any],
) -> None:
    side, grouped, scored = ours(fee="3000.00")
    assert scored.zone is Zone.LOW
    normal = (grouped.base_score * d("1.1")).quantize(d("0.0001"))
    printed = theirs(grouped, scored, average_fee=d("5900"), zone=Zone.NORMAL, settled_score=normal)
    found = why(side, grouped, scored, printed)
    assert (found.reason, found.ours, found.theirs) == (Reason.AVERAGE_FEE, "9005.00", "5900.00")
    assert "推算" not in found.text
    assert "平台的结果里所列" in found.text
    low = with_average(side, grouped, d("8000"))
    settled = low[0].score(low[1]).score
    printed = theirs(grouped, scored, average_fee=d("8000"), settled_score=settled)
    found = why(side, grouped, scored, printed)
    assert (found.reason, found.theirs) == (Reason.AVERAGE_FEE, "8000.00")
    assert "推算" not in found.text


def test_a_coefficient_that_the_statement_prints_is_not_called_worked_out(
    ours: Callable[..., Any],
) -> None:
    side, grouped, scored = ours()
    printed = theirs(grouped, scored, coefficient=d("0.966"), settled_score=d("869.8830"))
    found = why(side, grouped, scored, printed)
    assert (found.reason, found.theirs) == (Reason.COEFFICIENT, "0.966")
    assert "推算" not in found.text


def test_the_average_fee_behind_a_ratio_of_a_fee_with_items_taken_off(
    ours: Callable[..., Any],
) -> None:
    side, grouped, scored = ours()
    assert divisor_of(side.case, grouped, scored, side.policy) == d("9005")
    net = side.under("scoring", fee_basis="net_of_excluded", fee_excluded=("09",))
    case = structs.replace(net.case, item_fees=(("09", Fen(100000)), ("01", Fen(800000))))
    net = replace(net, case=case)
    scored = net.score(grouped)
    assert divisor_of(case, grouped, scored, net.policy) == d("9005")

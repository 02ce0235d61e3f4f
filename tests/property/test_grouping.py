"""What must never change a group: order of other diagnoses, repeats, running twice."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dipgate.core.case import Case, Diagnosis, Procedure
from dipgate.core.grouping import GroupStatus, ScoreStatus
from dipgate.core.library import LibraryData, LibraryRow
from dipgate.core.money import Fen
from dipgate.core.policy import Policy
from dipgate.pregrouper import Library, compile_library, group, score

DX = ("K80.100", "K80.200", "K81.000", "I10.x00", "Z99.900", "K80.199")
OPS = ("51.2300", "54.5101", "47.0100", "99.1500", "44.1300x001", "88.8888")
CATEGORY = dict(zip(OPS, ("手术", "手术", "手术", "治疗性操作", "诊断性操作", ""), strict=True))


def row(number: int, code: str, kind: str, dx: str, ops: str, word: str, points: str) -> LibraryRow:
    value = Decimal(points)
    return LibraryRow(
        number, code, kind, dx, dx, "", "", "", "", ops, word, value, value * 8, None, None, 20
    )


DATA = LibraryData(
    "p",
    "1",
    date(2025, 1, 1),
    "2.0",
    False,
    "0",
    (
        row(2, "A", "核心", "K80.1", "", "保守治疗", "600"),
        row(3, "B", "核心", "K80.1", "51.2300", "", "1700"),
        row(4, "C", "核心", "K80.1", "51.2300_54.5101", "", "1500"),
        row(5, "D", "核心", "K80.1", "51.2300_54.5101+47.0100", "", "1900"),
        row(6, "E", "核心", "I10.x", "", "保守治疗", "500"),
        row(7, "F", "综合", "K80", "", "手术", "2400"),
        row(8, "G", "综合", "K80", "", "治疗性操作", "1300"),
        row(9, "H", "核心", "K80.2", "51.2300/47.0100", "", "1600"),
    ),
)
POLICY = Policy.model_validate(
    {
        "schema": "dip-policy/1",
        "policy": {"id": "p", "region": {"code": "990100"}, "date_basis": "settlement"},
        "routing": {"day_surgery": "same_group", "tcm_route": "none"},
        "grouping": {
            "dx_keys": ["sub4"],
            "op_expr": {"grammar": "cnf", "and": "+", "or": "/", "main_related_separator": "_"},
            "op_roles": "principal_related",
            "op_type": {"interventional_as": "手术", "case_type_from": "principal"},
            "layers": ["core", "comprehensive"],
            "comprehensive": {"keys": ["cat3"]},
            "select": ["core_first", "max_related_matched", "max_score"],
        },
        "auxiliary": {"mode": "none"},
        "scoring": {
            "institution": {"by": "level", "table": {"3": "0.97"}},
            "average_fee": "group_avg",
            "deviation": {
                "low": {"op": "<", "at": "0.5", "form": "ratio", "k": "after"},
                "high": {"op": ">", "at": "2", "form": "excess", "base": "one", "k": "after"},
                "extreme": {"op": ">", "at": "5", "form": "review"},
            },
            "normal": {"form": "rw_k_a"},
            "ungrouped": {"form": "none"},
            "rounding": {"score_dp": "4", "money_dp": "2", "mode": "half_up"},
        },
        "settlement": {
            "pools": ["职工"],
            "point_value": {"kind": "fixed", "basis": "total_fee", "table": {"职工": "8.13"}},
            "fund_share": "multiplicative",
            "fund_ratio": {"职工": "0.71"},
            "price_keys": ["pool"],
        },
    }
)
LIBRARY: Library = compile_library(DATA, POLICY)


def case_of_codes(dx: str, others: list[str], ops: list[str], fee: int) -> Case:
    values: dict[str, Any] = dict.fromkeys(Case.__struct_fields__)
    values |= {
        "case_id": "S",
        "hospital_code": "H",
        "insured_place": "990100",
        "insurance_type": "310",
        "sex": "1",
        "settled": date(2025, 3, 15),
        "discharge_way": "1",
        "stay_type": "1",
        "payment_method": "3",
        "principal": Diagnosis(dx, "", "1", "", 0),
        "others": tuple(Diagnosis(code, "", "1", "", n) for n, code in enumerate(others, 1)),
        "tcm": (),
        "procedures": tuple(Procedure(code, "", n == 0, None, n) for n, code in enumerate(ops)),
        "icu": (),
        "fee": Fen(fee),
        "problems": (),
    }
    return Case(**values)


@st.composite
def cases(draw: st.DrawFn) -> tuple[str, list[str], list[str], int]:
    return (
        draw(st.sampled_from(DX)),
        draw(st.lists(st.sampled_from(DX), max_size=4)),
        draw(st.lists(st.sampled_from(OPS), max_size=5)),
        draw(st.integers(min_value=1, max_value=20_000_000)),
    )


def grouped(case: Case) -> Any:
    return group(case, LIBRARY, POLICY, op_category=CATEGORY)


@settings(max_examples=150, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_order_of_other_diagnoses_changes_nothing(drawn: Any, rng: Any) -> None:
    dx, others, ops, fee = drawn
    mixed = list(others)
    rng.shuffle(mixed)
    assert grouped(case_of_codes(dx, others, ops, fee)) == grouped(
        case_of_codes(dx, mixed, ops, fee)
    )


@settings(max_examples=150, deadline=None)
@given(cases(), st.randoms(use_true_random=False))
def test_repeats_and_order_of_related_operations_change_nothing(drawn: Any, rng: Any) -> None:
    dx, others, ops, fee = drawn
    rest = ops[1:] + ops
    rng.shuffle(rest)
    one = grouped(case_of_codes(dx, others, ops, fee))
    two = grouped(case_of_codes(dx, others, ops[:1] + rest, fee))
    assert (one.status, one.group_code, set(one.matched)) == (
        two.status,
        two.group_code,
        set(two.matched),
    )


@settings(max_examples=150, deadline=None)
@given(cases())
def test_twice_is_the_same_and_money_is_whole(drawn: Any) -> None:
    case = case_of_codes(*drawn)
    one, two = grouped(case), grouped(case)
    assert one == two
    first = score(case, one, POLICY, hospital_level="3")
    assert first == score(case, two, POLICY, hospital_level="3")
    if first.status is ScoreStatus.SCORED:
        assert first.amount is not None
        assert first.amount >= 0
        assert first.score == first.score.quantize(Decimal("0.0001"))
    else:
        assert first.amount is None
    if one.status in (GroupStatus.GROUPED, GroupStatus.GROUPED_COMPREHENSIVE):
        assert one.group_code in LIBRARY.groups
        assert set(one.matched) | set(one.unmatched) == {
            procedure.code for procedure in case.procedures
        }


@settings(max_examples=60, deadline=None)
@given(st.integers(min_value=1, max_value=2_000_000), st.integers(min_value=1, max_value=2_000_000))
def test_a_higher_fee_never_scores_less_within_a_zone(one: int, two: int) -> None:
    low, high = sorted((one, two))
    found = []
    for fee in (low, high):
        case = case_of_codes("K80.100", [], [], fee)
        found.append(score(case, grouped(case), POLICY, hospital_level="3"))
    if found[0].zone is found[1].zone and found[0].score is not None:
        assert found[1].score is not None
        assert found[0].score <= found[1].score


UNRELATED = "86.9999"


@settings(max_examples=150, deadline=None)
@given(cases(), st.sampled_from(("手术", "治疗性操作", "诊断性操作", "")), st.integers(1, 5))
def test_an_unrelated_code_never_lowers_what_is_matched(drawn: Any, word: str, at: int) -> None:
    """Behind the principal operation, and among the other diagnoses; whatever its class."""
    dx, others, ops, fee = drawn
    category = {**CATEGORY, UNRELATED: word}
    more = [*ops[:at], UNRELATED, *ops[at:]] if ops else ops
    plain = group(case_of_codes(dx, others, ops, fee), LIBRARY, POLICY, op_category=category)
    found = group(
        case_of_codes(dx, [*others, "Y99.900"], more, fee), LIBRARY, POLICY, op_category=category
    )
    assert len(found.matched) >= len(plain.matched)
    assert set(plain.matched) <= set(found.matched)

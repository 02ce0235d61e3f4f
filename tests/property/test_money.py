"""Money loses no fen: splits, identities, bands, formulas."""

from __future__ import annotations

from decimal import Context, Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dipgate.core.errors import RecordError
from dipgate.core.money import rounded, split_fen
from dipgate.core.policy import Policy
from dipgate.core.settle_input import SettleInput
from dipgate.pregrouper.formulas import parse_formula
from dipgate.pregrouper.settling import Settled, settle

WEIGHTS = st.lists(
    st.decimals(min_value=0, max_value=10**9, places=4, allow_nan=False), min_size=1, max_size=40
)
CENTS = st.integers(min_value=0, max_value=10**13)


def policy(**settlement: object) -> Policy:
    whole = {
        "pools": ["职工"],
        "point_value": {"kind": "fixed", "basis": "total_fee"},
        "year_end": {"assess": "n/a", "bands": "n/a", "audit_deduct": "n/a"},
    }
    return Policy.model_validate(
        {
            "schema": "dip-policy/1",
            "policy": {"id": "t", "region": {"code": "990100"}, "date_basis": "settlement"},
            "scoring": {"rounding": {"score_dp": "4", "money_dp": "2", "mode": "half_up"}},
            "settlement": whole | settlement,
        }
    )


def yuan(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


@given(st.integers(min_value=-(10**15), max_value=10**15), WEIGHTS)
def test_a_split_adds_up_to_the_fen(total: int, weights: list[Decimal]) -> None:
    if sum(weights) == 0 and total != 0:
        with pytest.raises(ValueError, match="权重"):
            split_fen(total, weights)
        return
    parts = split_fen(total, weights)
    assert len(parts) == len(weights)
    assert sum(parts) == total


@given(st.integers(min_value=0, max_value=10**12), WEIGHTS)
def test_no_part_is_a_fen_away_from_its_exact_share(total: int, weights: list[Decimal]) -> None:
    whole = sum((Fraction(weight) for weight in weights), Fraction(0))
    if not whole:
        return
    for part, weight in zip(split_fen(total, weights), weights, strict=True):
        exact = Fraction(total) * Fraction(weight) / whole
        assert abs(part - exact) < 1
        assert part == 0 or weight > 0


@given(WEIGHTS)
def test_a_larger_weight_never_gets_less(weights: list[Decimal]) -> None:
    if not sum(weights):
        return
    parts = split_fen(1_000_003, weights)
    ordered = sorted(zip(weights, parts, strict=True))
    for (light, less), (heavy, more) in pairwise(ordered):
        assert light == heavy or less <= more


def test_a_split_refuses_negative_and_infinite_weights() -> None:
    with pytest.raises(ValueError, match="负数"):
        split_fen(1, [Decimal(-1), Decimal(2)])
    with pytest.raises(ValueError, match="有限"):
        split_fen(1, [Decimal("Infinity")])


SCORES = st.decimals(min_value=1, max_value=10**7, places=4)
VALUES = st.decimals(min_value="0.01", max_value=100, places=2)
SHARES = st.decimals(min_value=0, max_value=1, places=4)


@given(SCORES, VALUES, SHARES, st.integers(min_value=0, max_value=10**11))
def test_identities_agree_only_where_the_patients_pay_one_minus_g(
    score: Decimal, value: Decimal, share: Decimal, paid: int
) -> None:
    line = {"pool": "职工", "year": "2025", "total_score": score, "point_value": value}
    line |= {"self_pay": yuan(paid), "fund_share": share}
    given_line = SettleInput.model_validate(line)
    one = settle(given_line, policy(fund_share="multiplicative"))
    two = settle(given_line, policy(fund_share="deduct_self_pay", allow_negative="true"))
    assert one.payable is not None
    assert two.payable is not None
    worth = Fraction(score) * Fraction(value) * 100
    agree = Fraction(paid) == worth * (1 - Fraction(share))
    if agree:
        assert one.payable == two.payable
    exact = worth * Fraction(share) - (worth - paid)
    assert abs((one.payable - two.payable) - exact) <= 1


@given(SCORES, VALUES, SHARES)
def test_identities_agree_where_they_must(score: Decimal, value: Decimal, share: Decimal) -> None:
    with localcontext(Context(prec=60)):
        paid = (score * value * (1 - share)).quantize(Decimal("0.01"))
        exact = paid == score * value * (1 - share)
    line = SettleInput.model_validate(
        {"pool": "职工", "year": "2025", "total_score": score, "point_value": value}
        | {"self_pay": paid, "fund_share": share}
    )
    one = settle(line, policy(fund_share="multiplicative")).payable
    two = settle(line, policy(fund_share="deduct_self_pay")).payable
    assert one is not None
    assert two is not None
    assert abs(one - two) <= (0 if exact else 1)


BANDS = [
    {"lo": 0, "hi": "1", "pay": "payable"},
    {"lo": "1", "hi": "1.1", "pay": {"payable_plus_share": "0.6"}},
    {"lo": "1.1", "hi": None, "pay": {"payable_plus_capped": {"share": "0.6", "upto": "1.1"}}},
]


def banded(billed: int) -> Settled:
    line = {"pool": "职工", "year": "2025", "total_score": "12345.6789", "point_value": "10"}
    rules = {"assess": "n/a", "bands": BANDS, "audit_deduct": "n/a"}
    whole = policy(
        fund_share="multiplicative",
        fund_ratio={"职工": "0.7"},
        year_end=rules,
    )
    return settle(SettleInput.model_validate(line | {"billed_fund": yuan(billed)}), whole)


@given(st.integers(min_value=0, max_value=20_000_000))
def test_bands_of_the_common_family_neither_jump_nor_fall(billed: int) -> None:
    here, next_ = banded(billed).payable, banded(billed + 1).payable
    assert here is not None
    assert next_ is not None
    assert 0 <= next_ - here <= 1


@given(CENTS, CENTS, SHARES, SHARES)
def test_a_formula_means_what_it_says(a: int, b: int, c: Decimal, d: Decimal) -> None:
    formula = parse_formula("(points * rate - patient_paid) * ratio - audit / 4", "x")
    values = {
        "points": Decimal(a),
        "rate": c,
        "patient_paid": Decimal(b),
        "ratio": d,
        "audit": Decimal(b),
    }
    assert formula.names == ("points", "rate", "patient_paid", "ratio", "audit")
    with localcontext(Context(prec=60)):
        found = formula.value(values)
    exact = (a * Fraction(c) - b) * Fraction(d) - Fraction(b) / 4
    assert Fraction(found) == exact


@given(
    st.decimals(allow_nan=False, allow_infinity=False),
    st.integers(min_value=0, max_value=40),
    st.sampled_from(["half_up", "half_even", "down", "up"]),
)
def test_rounding_gives_a_number_or_says_why(value: Decimal, places: int, mode: str) -> None:
    try:
        found = rounded(value, places, mode)
    except RecordError:
        assert value.adjusted() + places >= 59
    else:
        assert abs(Fraction(found) - Fraction(value)) < Fraction(1, 10**places)

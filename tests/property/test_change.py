"""Whatever two months hold, the four parts of the change are the whole change to the fen."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dipgate.core.money import Fen
from dipgate.pregrouper.change import PARTS, Period, change

_POINTS = st.decimals(min_value=0, max_value=10**9, places=4)
_PRICE = st.decimals(min_value="0.01", max_value=100, places=6)


@st.composite
def periods(draw: st.DrawFn) -> Period:
    cases = draw(st.integers(1, 200_000))
    pay = Fen(draw(st.integers(0, 10**13)))
    return Period(cases, draw(_POINTS), draw(_PRICE), pay)


@given(periods(), periods())
def test_parts_add_up(before: Period, after: Period) -> None:
    found = change(before, after)
    assert sum(getattr(found, part) for part in PARTS) == found.whole == after.pay - before.pay


@given(periods())
def test_nothing_changes_between_a_month_and_itself(month: Period) -> None:
    found = change(month, month)
    assert [found.whole, *(getattr(found, part) for part in PARTS)] == [0] * 5


@given(periods(), st.integers(2, 9))
def test_more_of_the_same_cases_is_volume_alone(month: Period, times: int) -> None:
    more = Period(
        month.cases * times, month.base_score * times, month.price, Fen(month.pay * times)
    )
    found = change(month, more)
    assert found.structure == 0
    assert found.price == 0
    assert month.price is not None
    exact = month.base_score * (times - 1) * month.price * 100
    assert found.volume is not None
    assert abs(Decimal(found.volume) - exact) <= 1

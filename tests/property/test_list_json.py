"""List ⇄ JSON loses nothing, whatever the fields hold."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from dipgate.core.hashing import content_hash
from dipgate.core.lists import ROW_NODES, list_of, read_list

_TEXT = st.text(st.characters(codec="utf-8"), max_size=12)
_NUMBERS = st.decimals(
    allow_nan=False, allow_infinity=False, min_value=-(10**12), max_value=10**12, places=2
)
_VALUES = st.none() | st.booleans() | _TEXT | _NUMBERS | st.integers(-(2**60), 2**60)
_ROWS = st.dictionaries(_TEXT, _VALUES, max_size=5)
_LISTS = st.fixed_dictionaries(
    {"setlinfo": _ROWS},
    optional={
        **{node: st.lists(_ROWS, max_size=3) for node in ROW_NODES},
        "cover": _ROWS,
        "local_node": st.lists(_VALUES, max_size=3),
    },
)


@given(_LISTS)
def test_json_and_back_is_the_same_list(obj: dict[str, object]) -> None:
    lst = list_of(obj)
    data = lst.as_json()
    again = read_list(data)
    assert again == lst
    assert again.as_json() == data
    assert content_hash(again.as_object()) == content_hash(lst.as_object())


@given(_NUMBERS)
def test_digits_stay_as_written(number: Decimal) -> None:
    lst = list_of({"setlinfo": {"amt": number}})
    assert str(read_list(lst.as_json()).setlinfo["amt"]) == str(number)

"""The fee by category of a flat row."""

from __future__ import annotations

import pytest

from dipgate.core.case import Case, should_be
from dipgate.pregrouper.batch import entries_of


def read(fees: object) -> Case:
    (entry,) = entries_of({"setl_id": ["1"], "dx": ["K80.100"], "ops": [None], "fees": [fees]})
    return entry.case


@pytest.mark.parametrize("cell", ["05:1500.00|0901:20|09:5.5", ["05:1500.00", "0901:20", "09:5.5"]])
def test_fees_by_category(cell: object) -> None:
    case = read(cell)
    assert (case.category_fee("05"), case.category_fee("09")) == (150_000, 2_550)
    assert case.problems == ()


@pytest.mark.parametrize("cell", [None, "", "05", "05:", ":5", "05:abc", "05:1.234"])
def test_a_split_that_cannot_be_read_is_not_known(cell: object) -> None:
    assert read(cell).category_fees is None


@pytest.mark.parametrize("value", [True, False, "true"])
@pytest.mark.parametrize(
    ("column", "where", "field"),
    [
        ("medfee_sumamt", "setlinfo.medfee_sumamt", "fee"),
        ("fund_payamt", "setlinfo.fund_payamt", "fund"),
        ("self_paid", "setlinfo.self_paid", "self_paid"),
        ("nwb_bir_wt", "setlinfo.nwb_bir_wt", "birth_weight_g"),
    ],
)
def test_true_and_false_are_no_numbers(column: str, where: str, field: str, value: object) -> None:
    (entry,) = entries_of({"dx": ["K80.100"], "ops": [None], column: [value]})
    assert getattr(entry.case, field) is None
    assert entry.case.problems == (where,)


@pytest.mark.parametrize(
    ("where", "form"),
    [
        ("setlinfo.medfee_sumamt", "不带千分位"),
        ("iteminfo[0].amt", "两位小数"),
        ("setlinfo.setl_end_date", "2025-03-15"),
        ("icuinfo[1].scs_cutd_exit_time", "2025-03-15 09:30:00"),
        ("setlinfo.nwb_bir_wt", "以克为单位"),
    ],
)
def test_a_field_that_cannot_be_read_says_what_it_should_hold(where: str, form: str) -> None:
    assert form in should_be(where)

"""The invented hospital is plausible, complete, exact in every fen, and the same every time."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import date

import pytest

from dipgate.core.clock import read_date, read_time
from dipgate.core.errors import ConfigError
from dipgate.core.idcard import check_character
from dipgate.core.library import LibraryData
from dipgate.core.money import fen_of
from dipgate.core.reference import Reference
from dipgate.demo.hospital import Hospital, defect_free, generate
from dipgate.demo.people import FEMALE, MALE, identity_number
from dipgate.demo.stays import Stay

Sample = tuple[Reference, LibraryData]
MONTH = date(2025, 3, 1)


def fen(text: str) -> int:
    value = fen_of(text)
    assert value is not None
    return int(value)


def test_same_seed_same_hospital_and_another_seed_another(sample: Sample) -> None:
    first = generate(*sample, seed=3, month=MONTH, size=40)
    assert generate(*sample, seed=3, month=MONTH, size=40) == first
    assert generate(*sample, seed=4, month=MONTH, size=40).stays != first.stays
    longer = generate(*sample, seed=3, month=MONTH, size=60)
    assert longer.truths[:40] == first.truths, "a longer month begins with the same stays"


def test_numbers_are_unique_over_months(sample: Sample) -> None:
    march = generate(*sample, seed=3, month=MONTH, size=30)
    april = generate(*sample, seed=3, month=date(2025, 4, 1), size=30)
    both = [*march.truths, *april.truths]
    for name in ("setl_id", "mdtrt_id", "psn_no", "bill_no", "biz_sn"):
        assert len({stay.settlement[name] for stay in both}) == 60, name
    assert len({stay.key for stay in both}) == 60
    assert len({stay.front["medcasno"] for stay in both}) == 60


def test_everybody_leaves_within_the_month_after_coming(hospital: Hospital) -> None:
    for stay in hospital.truths:
        came, left = (read_time(stay.front[name]) for name in ("adm_time", "dscg_time"))
        assert came < left
        assert (left.year, left.month) == (2025, 3)
        assert stay.settlement["setl_end_date"] == left.date().isoformat()
        for row in stay.procedures:
            times = [read_time(value) for name, value in row.items() if name.endswith("time")]
            assert all(came <= moment <= left for moment in times)
        for row in stay.icu:
            entered, gone = (
                read_time(row[name]) for name in ("scs_cutd_inpool_time", "scs_cutd_exit_time")
            )
            assert came <= entered < gone <= left
        for line in stay.charges:
            assert came.date() <= read_date(line["date"]) <= left.date()


def test_money_agrees_to_the_fen(hospital: Hospital) -> None:
    for stay in hospital.truths:
        bill = {name: fen(stay.settlement[name]) for name in (
            "medfee_sumamt", "psn_selfpay", "psn_ownpay", "acct_pay", "psn_cashpay"
        )}  # fmt: skip
        lines = sum(fen(line["amount"]) for line in stay.charges)
        funds = sum(fen(yuan) for _, yuan in stay.funds)
        assert lines == sum(fen(item["amt"]) for item in stay.items) == bill["medfee_sumamt"]
        assert funds + bill["psn_selfpay"] + bill["psn_ownpay"] == bill["medfee_sumamt"]
        assert bill["psn_selfpay"] + bill["psn_ownpay"] == bill["acct_pay"] + bill["psn_cashpay"]
        assert min(bill.values()) >= 0
        assert funds > 0
        for line in stay.charges:
            assert fen(line["price"]) * int(line["quantity"]) == fen(line["amount"])
        for item in stay.items:
            classes = sum(fen(value) for name, value in item.items() if name not in
                          ("med_chrgitm", "amt"))  # fmt: skip
            assert classes == fen(item["amt"])


def test_people_fit_their_diagnoses(hospital: Hospital) -> None:
    seen = Counter(tag for stay in hospital.truths for tag in stay.tags)
    assert {"newborn", "delivery", "injury", "surgical"} <= seen.keys()
    for stay in hospital.truths:
        if "delivery" in stay.tags:
            assert stay.front["gend"] == FEMALE
            assert any(row["diag_code"].startswith("Z37") for row in stay.diagnoses)
        if "newborn" in stay.tags:
            assert stay.front["nwb_adm_type"]
            assert stay.front["nwb_bir_wt"]
            assert int(stay.front["nwb_age"]) <= 28
        if "injury" in stay.tags:
            assert stay.cover["ext_cause_code"][0] in "VWX"


def test_fees_lie_around_the_groups_average_with_some_far_off(
    hospital: Hospital, sample: Sample
) -> None:
    averages = {row.group_code: row.average_fee for row in sample[1].rows}
    ratios = [
        fen(stay.settlement["medfee_sumamt"]) / 100 / float(average)
        for stay in hospital.truths
        if (average := averages.get(stay.group_code))
    ]
    middle = sorted(ratios)[len(ratios) // 2]
    assert 0.8 < middle < 1.3
    assert sum(ratio < 0.5 for ratio in ratios) > 0.01 * len(ratios)
    assert sum(ratio > 2 for ratio in ratios) > 0.01 * len(ratios)


@pytest.mark.parametrize("sex", [MALE, FEMALE])
def test_identity_numbers_have_a_region_that_does_not_exist(sex: str) -> None:
    number = identity_number(date(1980, 2, 3), 41, sex)
    assert number.startswith("99010019800203")
    assert number[-1] == check_character(number[:17])
    assert int(number[16]) % 2 == (sex == MALE)
    assert len(number) == 18


def test_a_known_check_mark() -> None:
    assert check_character("11010519491231002") == "X", "the example of GB 11643"


def test_without_catalogues_it_says_what_is_missing(sample: Sample) -> None:
    ref, library = sample
    with pytest.raises(ConfigError, match="icd10"):
        generate(replace(ref, icd10=None), library, seed=1, month=MONTH, size=1)
    with pytest.raises(ConfigError, match="sample@"):
        generate(ref, replace(library, rows=()), seed=1, month=MONTH, size=1)


def test_without_wards_and_staff_it_invents_them(sample: Sample) -> None:
    ref = replace(sample[0], departments=None, staff=None)
    made = generate(ref, sample[1], seed=1, month=MONTH, size=30, defect_share=0)
    for stay in made.stays:
        assert stay.front["dscg_caty"] in ref.codesets["dept"]
        assert stay.front["chfpdr_code"].startswith("D990100")
    assert made.planted == ()


def test_a_part_keeps_its_own_defects(hospital: Hospital) -> None:
    first, second = hospital.part(0, 150), hospital.part(150, len(hospital.stays))
    assert first.stays + second.stays == hospital.stays
    assert first.planted + second.planted == hospital.planted


def test_untouched_stays_are_the_truth(hospital: Hospital) -> None:
    truths = {stay.settlement_id: stay for stay in hospital.truths}
    clean: list[Stay] = list(defect_free(hospital))
    assert len(clean) == len(hospital.stays) - len(hospital.planted)
    assert all(truths[stay.settlement_id] == stay for stay in clean)

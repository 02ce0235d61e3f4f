"""Whatever the list: nothing that the record does not support can be chosen or made."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dipgate.config.evidence import evidence_tables
from dipgate.core.grouping import GroupResult, GroupStatus, ScoreResult, ScoreStatus
from dipgate.core.lists import SettlementList, list_of, text_of
from dipgate.core.money import Fen
from dipgate.core.reference import CodeTable, Reference
from dipgate.pipeline.alternatives import Bench, alternatives
from dipgate.pregrouper.alternatives import Alternatives, Worked

DAY = date(2025, 3, 8)
TABLES = evidence_tables()
CATEGORIES = {
    "51.2300": "手术",
    "36.0700": "介入治疗",
    "39.9500": "治疗性操作",
    "44.1300": "诊断性操作",
}
REF = Reference(
    DAY,
    icd9cm3=CodeTable("icd9cm3", "t", DAY, dict.fromkeys(CATEGORIES, ""), {"category": CATEGORIES}),
)
DX = ("K80.101", "K81.100", "I10.x03", "I21.100", "J18.900", "E11.900", "N18.000", "O80.000", "")
CHARGES = ("手术费", "头孢曲松", "血液透析", "心电图", "胆囊切除", "床位费", "血糖测定", "")

diagnoses = st.lists(
    st.fixed_dictionaries(
        {
            "diag_code": st.sampled_from(DX),
            "diag_type": st.sampled_from(("1", "1", "1", "2")),
            "adm_cond_type": st.sampled_from(("", "1", "2", "3", "4")),
            "maindiag_flag": st.sampled_from(("0", "1")),
        }
    ),
    max_size=5,
)
operations = st.lists(
    st.fixed_dictionaries(
        {
            "oprn_oprt_code": st.sampled_from((*CATEGORIES, "", "99.9999")),
            "oprn_oprt_name": st.sampled_from(("", "腹腔镜下胆囊切除术", "血液透析")),
            "oper_dr_code": st.sampled_from(("", "D1")),
            "oprn_oprt_begntime": st.sampled_from(("", "2025-03-01 10:00:00")),
            "anst_dr_code": st.sampled_from(("", "D2")),
        }
    ),
    max_size=4,
)
charges = st.one_of(
    st.none(),
    st.lists(
        st.fixed_dictionaries(
            {
                "name": st.sampled_from(CHARGES),
                "category": st.sampled_from(("05", "06", "09", "0601", "")),
                "amount": st.sampled_from(("10.00", "-10.00", "0", "", "x")),
            }
        ),
        max_size=6,
    ),
)
lists = st.builds(
    lambda dx, op, bill, seen, ward: list_of(
        {
            "setlinfo": {"wm_dise_code": seen, "dscg_caty": ward, "vent_used_dura": "0/5/0"},
            "diseinfo": dx,
            "oprninfo": op,
            **({} if bill is None else {"charges": bill}),
        }
    ),
    diagnoses,
    operations,
    charges,
    st.sampled_from(DX),
    st.sampled_from(("", "A03.04", "A04.01", "A99")),
)


def worth(lst: SettlementList, turn: int) -> Worked:
    """Some money that depends on who stands first, so that gains and losses occur."""
    first = text_of((lst.diseinfo or ({},))[0].get("diag_code")) if lst.diseinfo else ""
    points = (sum(map(ord, first)) * turn) % 977 + 1
    money = ScoreResult(ScoreStatus.SCORED, score=Decimal(points), amount=Fen(points * 700))
    return Worked(GroupResult(GroupStatus.GROUPED, group_code=first), money, ())


def found_in(lst: SettlementList, turn: int = 1) -> Alternatives:
    return alternatives(Bench(lambda each: worth(each, turn), TABLES, REF, DAY), lst)


@settings(max_examples=200, deadline=None)
@given(lists)
def test_no_unsupported_candidate_is_selectable(lst: SettlementList) -> None:
    for item in found_in(lst).options:
        proved = [name for each in item.evidence for name in each.proves]
        if item.locked:
            assert item.fixes == ()
            assert item.reasons
            continue
        assert item.fixes
        assert "against" not in proved
        if item.diagnosis is not None:
            assert "stay" in proved
            assert sum(bool(each.proves) for each in item.evidence) >= 2
        if item.operation is not None:
            assert "record" in proved


@settings(max_examples=100, deadline=None)
@given(lists)
def test_all_evidence_stands_in_the_record(lst: SettlementList) -> None:
    found = found_in(lst)
    for item in (found.present, *found.options):
        for each in item.evidence:
            assert each.value == "" or lst.get(each.path).strip() == each.value, each.path
        for coded in (item.diagnosis, item.operation):
            node = "diseinfo" if coded is item.diagnosis else "oprninfo"
            field = "diag_code" if node == "diseinfo" else "oprn_oprt_code"
            assert coded is None or lst.get(f"{coded.path}.{field}") == coded.code


@settings(max_examples=50, deadline=None)
@given(lists, st.integers(2, 50))
def test_money_has_no_say_in_the_order(lst: SettlementList, turn: int) -> None:
    keys = [item.key for item in found_in(lst).options]
    assert [item.key for item in found_in(lst, turn).options] == keys


def test_the_lists_hold_both_kinds() -> None:
    """Else the first test might pass because nothing is ever open."""
    row: dict[str, Any] = {"diag_type": "1", "adm_cond_type": "1", "maindiag_flag": "0"}
    lst = list_of(
        {
            "setlinfo": {"wm_dise_code": "K81.100", "dscg_caty": "A04.01"},
            "diseinfo": [{**row, "diag_code": code} for code in ("K80.101", "K81.100", "I10.x03")],
        }
    )
    assert [item.locked for item in found_in(lst).options] == [False, True]

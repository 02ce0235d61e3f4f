"""Alternatives are drawn from the record, need its support, and are never ordered by money."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from msgspec import structs

from dipgate.config.evidence import evidence_tables
from dipgate.core.evidence import DX, OP, EvidenceTables
from dipgate.core.findings import Finding, FindingStatus, Severity
from dipgate.core.grouping import GroupResult, GroupStatus, ScoreResult, ScoreStatus
from dipgate.core.lists import SettlementList, list_of
from dipgate.core.money import Fen
from dipgate.core.reference import CodeTable, Reference
from dipgate.mapping import changed
from dipgate.pregrouper.alternatives import (
    Change,
    Worked,
    exposure,
    fixes_of,
    in_order,
    joint_changes,
    option_of,
    present_of,
    single_changes,
)
from dipgate.pregrouper.evidence import Record, billed_not_listed, record_of, support_of

DAY = date(2025, 3, 8)
CATEGORIES = {"51.2300": "手术", "54.5101": "手术", "39.9500": "治疗性操作"}
REF = Reference(
    DAY,
    icd9cm3=CodeTable("icd9cm3", "t", DAY, dict.fromkeys(CATEGORIES, ""), {"category": CATEGORIES}),
)


@pytest.fixture(scope="module")
def tables() -> EvidenceTables:
    return evidence_tables()


def dx(code: str, name: str = "", *, condition: str = "1", first: bool = False) -> dict[str, str]:
    return {
        "diag_type": "1",
        "diag_code": code,
        "diag_name": name,
        "adm_cond_type": condition,
        "maindiag_flag": "1" if first else "0",
    }


def op(code: str, name: str, **more: str) -> dict[str, str]:
    return {"oprn_oprt_code": code, "oprn_oprt_name": name, "oprn_oprt_type": "2", **more}


def charge(name: str, category: str = "09", amount: str = "10.00") -> dict[str, str]:
    return {"name": name, "category": category, "amount": amount}


def made(
    diagnoses: Sequence[dict[str, str]],
    operations: Sequence[dict[str, str]] = (),
    charges: Sequence[dict[str, str]] | None = (),
    **info: str,
) -> SettlementList:
    nodes: dict[str, Any] = {
        "setlinfo": info,
        "diseinfo": list(diagnoses),
        "oprninfo": list(operations),
    }
    if charges is not None:
        nodes["charges"] = list(charges)
    return list_of(nodes)


def recorded(lst: SettlementList, tables: EvidenceTables, ref: Reference = REF) -> Record:
    return record_of(lst, tables, ref, DAY)


def worked(
    code: str, points: str = "100", fen: int = 1000, findings: tuple[Finding, ...] = ()
) -> Worked:
    return Worked(
        GroupResult(GroupStatus.GROUPED, group_code=code),
        ScoreResult(ScoreStatus.SCORED, score=Decimal(points), amount=Fen(fen)),
        findings,
    )


GALL = (
    dx("K80.101", "胆囊结石伴慢性胆囊炎", first=True),
    dx("K81.100", "慢性胆囊炎"),
    dx("I10.x03", "高血压1级"),
)
SURGERY = {
    "oper_dr_code": "D1",
    "oper_dr_name": "欧阳问",
    "oprn_oprt_begntime": "2025-03-01 14:00:00",
}


class TestEvidence:
    def test_each_piece_names_its_place(self, tables: EvidenceTables) -> None:
        lst = made(
            GALL,
            [op("51.2300", "腹腔镜下胆囊切除术", **SURGERY)],
            wm_dise_code="K81.900",
            dscg_caty="A04.01",
        )
        found = support_of(recorded(lst, tables), DX, 1)
        assert found.holds
        assert [item.path for item in found.evidence] == [
            "setlinfo.wm_dise_code",
            "oprninfo[0].oprn_oprt_code",
            "setlinfo.dscg_caty",
            "diseinfo[1].adm_cond_type",
        ]
        assert found.strength == 3, "that it was there on admission proves nothing by itself"

    def test_a_companion_of_another_system_is_locked(self, tables: EvidenceTables) -> None:
        lst = made(GALL, wm_dise_code="K80.100", dscg_caty="A04.01")
        lacks = support_of(recorded(lst, tables), DX, 2).lacks
        assert "没有说明因它住院的依据" in lacks[0]

    def test_one_piece_is_not_enough(self, tables: EvidenceTables) -> None:
        lst = made(GALL, dscg_caty="A04.01")
        assert any("不到两处" in text for text in support_of(recorded(lst, tables), DX, 1).lacks)

    def test_what_began_in_hospital_is_not_principal(self, tables: EvidenceTables) -> None:
        late = (GALL[0], dx("K81.100", condition="4"))
        lst = made(late, wm_dise_code="K81.100", dscg_caty="A04.01")
        assert "住院期间才发生" in support_of(recorded(lst, tables), DX, 1).lacks[0]

    def test_a_bill_without_what_the_diagnosis_needs_locks_it(self, tables: EvidenceTables) -> None:
        both = (GALL[0], dx("J18.900", "肺炎"))
        info = {"wm_dise_code": "J18.900", "dscg_caty": "A03.01"}
        without = made(both, charges=[charge("普通病房床位费", "01")], **info)
        assert "收费明细里没有它应有的项目" in support_of(recorded(without, tables), DX, 1).lacks[0]
        treated = made(both, charges=[charge("头孢曲松钠注射液")], **info)
        assert support_of(recorded(treated, tables), DX, 1).holds
        unknown = made(both, charges=None, **info)
        assert support_of(recorded(unknown, tables), DX, 1).holds, "no lines: nothing is said"

    def test_a_charge_taken_back_proves_nothing(self, tables: EvidenceTables) -> None:
        lst = made(
            (GALL[0], dx("J18.900")),
            charges=[charge("头孢曲松钠注射液"), charge("头孢曲松钠注射液", amount="-10.00")],
            wm_dise_code="J18.900",
            dscg_caty="A03.01",
        )
        assert not support_of(recorded(lst, tables), DX, 1).holds

    @pytest.mark.parametrize(
        ("row", "charges", "held"),
        [
            (SURGERY, [charge("腹腔镜下肠粘连松解术", "06")], True),
            (SURGERY, [charge("手术费", "06")], True),
            (SURGERY, [charge("手术费", "0601")], True),
            (SURGERY, [charge("腹腔镜下胆囊切除术费", "06")], False),
            (SURGERY, [], False),
            ({**SURGERY, "anst_dr_code": "D2"}, [], True),
            ({}, [charge("腹腔镜下肠粘连松解术", "06")], False),
        ],
    )
    def test_an_operation_needs_record_and_bill_or_the_whole_record(
        self, tables: EvidenceTables, row: dict[str, str], charges: list[dict[str, str]], held: bool
    ) -> None:
        lst = made(
            GALL,
            [op("51.2300", "腹腔镜下胆囊切除术"), op("54.5101", "腹腔镜下肠粘连松解术", **row)],
            charges,
        )
        assert support_of(recorded(lst, tables), OP, 1).holds is held

    def test_the_longer_prefix_says_what_an_operation_treats(self, tables: EvidenceTables) -> None:
        record = recorded(made(GALL), tables)
        assert record.treats("36.0700", "I21.100") is True
        assert record.treats("36.0700", "I10.x03") is False, "38–39 would say yes"
        assert record.treats("47.0100", "K35.300") is True
        assert record.treats("99.9999", "K35.300") is None

    def test_imported_major_classes_speak_before_a_prefix(self, tables: EvidenceTables) -> None:
        ref = replace(
            REF,
            dx_mdc={"K35.300": frozenset("G"), "I21.100": frozenset("F")},
            op_mdc={"36.0700": frozenset("G"), "47.0100": frozenset("F")},
        )
        record = recorded(made(GALL), tables, ref)
        assert record.treats("36.0700", "I21.100") is False
        assert record.treats("47.0100", "K35.300") is True, "a full code of the official list stays"

    def test_what_only_the_bill_has_is_a_hint(self, tables: EvidenceTables) -> None:
        line = charge("血液透析", "05")
        found = billed_not_listed(recorded(made(GALL, charges=[line]), tables))
        assert [(item.name, item.path) for item in found] == [("血液透析", "charges[0].name")]
        listed = made(GALL, [op("39.9500", "血液透析")], [line])
        assert billed_not_listed(recorded(listed, tables)) == ()
        part = made(GALL, charges=[charge("血液透析管路", "08")])
        assert billed_not_listed(recorded(part, tables)) == ()


class TestChanges:
    def test_each_other_code_once_and_no_tcm(self) -> None:
        tcm = {"diag_type": "2", "diag_code": "A04.01.02", "maindiag_flag": "1"}
        lst = made((*GALL, dx("K81.100"), tcm, dx("")), [op("51.2300", "")])
        assert single_changes(lst) == (Change(diagnosis=1), Change(diagnosis=2))

    def test_the_corrections_make_it_principal_and_keep_the_others(self) -> None:
        lst = made(GALL)
        after = lst
        for fix in fixes_of(lst, Change(diagnosis=2)):
            after = changed(after, fix.op, fix.path, fix.value)
        assert [row["diag_code"] for row in after.diseinfo or ()] == [
            "I10.x03",
            "K80.101",
            "K81.100",
        ]
        assert [row["maindiag_flag"] for row in after.diseinfo or ()] == ["1", "0", "0"]

    def test_a_locked_option_cannot_be_made(self, tables: EvidenceTables) -> None:
        lst = made(GALL)
        option = option_of(
            recorded(lst, tables), Change(diagnosis=2), lst, worked("A"), worked("B", fen=9000)
        )
        assert option.locked
        assert option.fixes == ()
        assert option.gap == 8000

    def test_an_error_that_it_would_raise_locks_it(self, tables: EvidenceTables) -> None:
        lst = made(GALL, wm_dise_code="K81.900", dscg_caty="A04.01")
        record = recorded(lst, tables)
        error = Finding(
            "D031", Severity.ERROR, FindingStatus.FOUND, "diseinfo[0]", "", "不能", "改", ""
        )
        plain = option_of(record, Change(diagnosis=1), lst, worked("A"), worked("B"))
        assert not plain.locked
        assert plain.fixes
        bad = option_of(
            record, Change(diagnosis=1), lst, worked("A"), worked("B", findings=(error,))
        )
        assert bad.raised == (error,)
        assert "D031" in bad.reasons[0]
        warning = replace(error, severity=Severity.WARNING)
        told = option_of(
            record, Change(diagnosis=1), lst, worked("A", findings=(warning,)), worked("B")
        )
        assert told.cleared == (warning,)
        assert not told.locked

    def test_support_orders_them_not_money(self, tables: EvidenceTables) -> None:
        lst = made(
            (GALL[0], dx("K82.000"), dx("K81.100"), GALL[2]),
            [op("51.2300", "腹腔镜下胆囊切除术", **SURGERY)],
            wm_dise_code="K81.900",
            dscg_caty="A04.01",
        )
        record = recorded(lst, tables)
        found = [
            option_of(record, change, lst, worked("A"), worked("B", fen=money))
            for change, money in zip(single_changes(lst)[:3], (90_000, 100, 900_000), strict=True)
        ]
        assert [item.key for item in in_order(found)] == [
            "diseinfo[2]",
            "diseinfo[1]",
            "diseinfo[3]",
        ]


class TestExposure:
    def test_the_level_follows_the_table(self, tables: EvidenceTables) -> None:
        day = tables.on(DAY)
        small = exposure(DX, {"score_up_pct": (Decimal("5.0"), "5.0")}, day, rises=True)
        large = exposure(DX, {"score_up_pct": (Decimal("20.0"), "20.0")}, day, rises=True)
        assert (small.level, large.level) == ("低", "高")
        assert [text for _, text in large.notes] == ["换主诊后分值升高 20.0%，达到 20%"]
        assert exposure(DX, {"other_system": (None, "x")}, day, rises=False).level == "无"
        assert exposure(DX, {}, day, rises=True).level == "无"

    def test_another_system_and_little_cost_are_said(self, tables: EvidenceTables) -> None:
        lst = made(
            (dx("I10.x03", first=True), dx("K80.101")),
            [op("51.2300", "腹腔镜下胆囊切除术", **SURGERY)],
            wm_dise_code="K80.1",
        )
        now = worked("B", "150")
        now = Worked(now.group, structs.replace(now.score, ratio=Decimal("0.3333")), ())
        option = option_of(recorded(lst, tables), Change(diagnosis=0), lst, worked("A"), now)
        texts = [text for _, text in option.exposure.notes]
        assert option.exposure.level == "高"
        assert "主诊与主要手术不在同一系统：I10.x03 与 51.2300" in texts
        assert "资源消耗不支持：费用只有该病种平均的 0.33 倍" in texts
        assert "与门急诊诊断不在同一章：K80.1" in texts

    def test_the_present_choice_is_judged_by_the_same_tables(self, tables: EvidenceTables) -> None:
        present = present_of(recorded(made(GALL), tables), worked("A"))
        assert present.gap == 0
        assert present.fixes == ()

    def test_the_present_choice_lacks_nothing_for_a_change_that_it_is_not(
        self, tables: EvidenceTables
    ) -> None:
        record = recorded(made(GALL), tables)
        assert support_of(record, DX, 0).lacks
        present = present_of(record, worked("A"))
        assert (present.reasons, present.locked) == ((), False)


class TestBoth:
    def test_a_supported_pair_that_belongs_together_is_one_change(
        self, tables: EvidenceTables
    ) -> None:
        whole = {**SURGERY, "anst_dr_code": "D2"}
        lst = made(
            (GALL[2], GALL[0]),
            [op("36.0700", "支架置入", **whole), op("51.2300", "腹腔镜下胆囊切除术", **whole)],
            wm_dise_code="K80.100",
            dscg_caty="A04.01",
        )
        first = {**dict((lst.diseinfo or ())[0]), "maindiag_flag": "1"}
        second = {**dict((lst.diseinfo or ())[1]), "maindiag_flag": "0"}
        lst = lst.with_whole_row("diseinfo", 0, first).with_whole_row("diseinfo", 1, second)
        record = recorded(lst, tables)
        found = [
            option_of(record, change, lst, worked("A"), worked("B"))
            for change in single_changes(lst)
        ]
        assert [item.locked for item in found] == [False, False]
        (both,) = joint_changes(record, found)
        assert both.key == "diseinfo[1]+oprninfo[1]"
        after = lst
        for fix in fixes_of(lst, both):
            after = changed(after, fix.op, fix.path, fix.value)
        assert after.get("diseinfo[0].diag_code") == "K80.101"
        assert after.get("oprninfo[0].oprn_oprt_code") == "51.2300"

    def test_a_pair_that_does_not_is_none(self, tables: EvidenceTables) -> None:
        whole = {**SURGERY, "anst_dr_code": "D2"}
        lst = made(
            GALL[:2],
            [op("51.2300", "腹腔镜下胆囊切除术", **whole), op("36.0700", "支架置入", **whole)],
            wm_dise_code="K81.900",
            dscg_caty="A04.01",
        )
        record = recorded(lst, tables)
        found = [
            option_of(record, change, lst, worked("A"), worked("B"))
            for change in single_changes(lst)
        ]
        assert [item.locked for item in found] == [False, False]
        assert joint_changes(record, found) == ()

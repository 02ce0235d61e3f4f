"""`check_library`: each remark, and that a clean library has none."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from dipgate.config.library_check import Checked, Known, check_library, derived_mean
from dipgate.config.library_workbook import facts
from dipgate.core.library import (
    Coefficient,
    LevelFee,
    LibraryData,
    LibraryParts,
    LibraryRow,
    NotMain,
    OpNotMain,
    PrimaryCareRow,
    SeverityCode,
    TcmRow,
)

ROW = LibraryRow(
    row=2,
    group_code="K80.1",
    kind="核心",
    dx_code="K80.1",
    dx_name="胆囊结石",
    main_ops="",
    main_op_names="",
    other_ops="",
    other_op_names="",
    op_expression="51.2300",
    treatment_class="",
    score=Decimal(1000),
    average_fee=Decimal(8000),
    average_stay=None,
    cv=Decimal("0.3"),
    case_count=30,
)
KNOWN = Known(
    frozenset({"K80.100", "K80.100x001", "J18.900", "N40.x00", "M47.001"}),
    frozenset({"51.2300", "54.5101", "33.2400x001"}),
)
Look = Callable[..., Checked]


def _data(*rows: LibraryRow, parts: LibraryParts | None = None, **more: bool) -> LibraryData:
    return LibraryData(
        name="某市",
        version="2025",
        first_day=date(2025, 1, 1),
        edition="2.0",
        partial=more.get("partial", False),
        source_hash="",
        rows=rows,
        parts=parts or LibraryParts(),
    )


@pytest.fixture
def look() -> Look:
    """`look(row, row, parts=…, known=…)`."""

    def run(*rows: LibraryRow, known: Known = KNOWN, **more: object) -> Checked:
        return check_library(_data(*rows, **more), facts(), known)  # type: ignore[arg-type]

    return run


def _said(checked: Checked) -> dict[str, tuple[str, int]]:
    return {remark.kind: (remark.level, remark.count) for remark in checked.remarks}


def _row(code: str, **more: object) -> LibraryRow:
    return replace(ROW, group_code=code, row=int(more.pop("row", 3)), **more)  # type: ignore[arg-type, call-overload]


def test_nothing_strange(look: Look) -> None:
    conservative = _row("J18.9", dx_code="J18.9", op_expression="", treatment_class="保守治疗")
    checked = look(ROW, conservative)
    assert checked.remarks == ()
    assert checked.counts == {"核心": 2}
    assert checked.conservative == {"核心": 1}
    assert (checked.scored, checked.mean, checked.errors) == (2, Decimal(8000), 0)


@pytest.mark.parametrize(
    ("change", "kind", "level"),
    [
        ({"op_expression": "51.2300_54.5101_33.2400"}, "expressions", "error"),
        ({"op_expression": "51.2300/54.5101|33.2400x001"}, "expressions", "error"),
        ({"dx_code": "K81.0"}, "diagnoses", "warning"),
        ({"secondary_dx": "T31.0"}, "diagnoses", "warning"),
        ({"op_expression": "51.2301"}, "operations", "warning"),
        ({"score": None}, "scores", "warning"),
        ({"average_fee": None}, "fees", "warning"),
        ({"cv": Decimal("0.71")}, "cv", "note"),
        ({"cv": Decimal("0.71"), "is_basic": True}, "basic-cv", "warning"),
        ({"score": Decimal(1002)}, "mean", "warning"),
        ({"parent_code": "K80.1", "sub_label": "重度"}, "sub-rows", "note"),
    ],
)
def test_each_remark(change: dict[str, object], kind: str, level: str, look: Look) -> None:
    checked = look(
        ROW,
        _row("甲", op_expression="54.5101"),
        _row("乙", row=9, **({"dx_code": "J18.9"} | change)),
    )
    assert _said(checked)[kind] == (level, 1)
    (remark,) = (remark for remark in checked.remarks if remark.kind == kind)
    assert remark.rows[0].startswith("第9行 乙")
    assert checked.errors == (level == "error")


@pytest.mark.parametrize(
    "change",
    [
        {"cv": Decimal("0.70")},
        {"score": Decimal("1000.9")},
        {"dx_code": "N40.x"},
        {"dx_code": "M47.0+"},
        {"dx_code": "A00-B99"},
        {"dx_code": "K"},
        {"dx_code": "所有诊断"},
        {"op_expression": "33.24"},
        {"op_expression": "51.2300_54.5101"},
    ],
)
def test_what_is_not_remarked(change: dict[str, object], look: Look) -> None:
    assert (
        look(
            ROW, _row("甲", op_expression="54.5101"), _row("乙", **({"dx_code": "J18.9"} | change))
        ).remarks
        == ()
    )


def test_one_key_twice(look: Look) -> None:
    first = _row("甲", op_expression="51.2300_54.5101+33.2400x001")
    second = _row("乙", row=7, op_expression="51.2300_33.2400x001+54.5101")
    (remark,) = look(first, second).remarks
    assert (remark.kind, remark.level, remark.rows) == (
        "repeated", "error", ("第7行 乙：与 甲 完全相同",),
    )  # fmt: skip


def test_separators_of_two_grammars_in_one_column(look: Look) -> None:
    first = _row("甲", op_expression="51.2300/54.5101")
    second = _row("乙", row=7, op_expression="51.2300|33.2400x001")
    (remark,) = look(first, second).remarks
    assert remark.kind == "expressions"
    assert "分隔符“|”与第3行的“/”属于不同的写法" in remark.rows[0]


def test_only_five_rows_are_named(look: Look) -> None:
    rows = [_row(f"甲{n}", dx_code=f"B{n}.0") for n in range(10, 19)]
    (remark,) = look(*rows).remarks
    assert (remark.count, len(remark.rows)) == (9, 5)


def test_without_catalogues_nothing_is_looked_up(look: Look) -> None:
    said = _said(look(_row("甲", dx_code="Q99.9", op_expression="99.9999"), known=Known()))
    assert said == {"diagnoses": ("note", 0), "operations": ("note", 0)}


def test_counts_of_the_national_scheme(look: Look) -> None:
    row = _row(
        "JC-1", kind="JC", main_ops="51.2300", op_expression="", score=None, average_fee=None
    )
    whole = look(row)
    counts = [remark for remark in whole.remarks if remark.kind == "counts"]
    assert [remark.level for remark in counts] == ["error"] * 4
    assert counts[3].what == "JC 有1行，国家方案是3268行"
    assert _said(whole)["scores"][0] == "note"
    assert sum(remark.kind == "parts" for remark in whole.remarks) == 4
    assert whole.expected["BX"] == 1725
    excerpt = look(row, partial=True)
    assert {remark.level for remark in excerpt.remarks if remark.kind == "counts"} == {"note"}
    assert excerpt.errors == 0


def test_a_slash_is_no_separator_of_the_national_scheme(look: Look) -> None:
    row = _row("JC-1", kind="JC", main_ops="51.2300/54.5101", op_expression="")
    assert _said(look(row, partial=True))["expressions"] == ("error", 1)


@pytest.mark.parametrize(
    ("parts", "kind"),
    [
        (
            LibraryParts(coefficients=(Coefficient("甲", "cci", "严重", Decimal(1)),)),
            "coefficients",
        ),
        (LibraryParts(average_fees=(LevelFee("甲", "三级", None, Decimal(1)),)), "average-fees"),
        (
            LibraryParts(tcm_map=(TcmRow(2, "甲", "A", "", "J18", "", "own_group", None, "甲"),)),
            "tcm-map",
        ),
        (LibraryParts(primary_care=(PrimaryCareRow(2, "J18.9", "", "保守治疗"),)), "primary-care"),
        (
            LibraryParts(severity={"J96.000": SeverityCode("J96.000", "重度", (), "呼吸")}),
            "severity",
        ),
    ],
)
def test_a_part_that_names_what_is_not_there(parts: LibraryParts, kind: str, look: Look) -> None:
    assert _said(look(ROW, parts=parts)) == {kind: ("warning", 1)}


def test_a_star_stands_for_every_group(look: Look) -> None:
    parts = LibraryParts(coefficients=(Coefficient("*", "cci", "严重", Decimal(1)),))
    assert look(ROW, parts=parts).remarks == ()


@pytest.mark.parametrize(
    ("treatment", "there"), [("never", 1), ("conservative", 1), ("limited", 0)]
)
def test_a_group_that_no_case_can_reach(treatment: str, there: int, look: Look) -> None:
    listed = OpNotMain("51.2300", "", NotMain(treatment), ("K80",), 2)
    row = _row("BX-2", kind="BX", main_ops="51.2300", op_expression="")
    other = _row("BX-3", kind="BX", main_ops="51.2300|54.5101", op_expression="")
    checked = look(row, other, parts=LibraryParts(ops_not_main={"51.2300": listed}), partial=True)
    assert _said(checked).get("unreachable", ("warning", 0)) == ("warning", there)


def test_the_mean_is_the_middle_one() -> None:
    fees = [_row("甲", average_fee=Decimal(fee)) for fee in ("8000", "8000.004", "9000")]
    assert derived_mean(fees) == Decimal("8000.004")
    assert derived_mean([_row("甲", score=None)]) is None

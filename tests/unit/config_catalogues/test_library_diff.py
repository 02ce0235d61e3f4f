"""`changes` and `part_changes`: a row is found again, and every difference has its words."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from dipgate.config.library_diff import PartChange, changes, part_changes, sentence
from dipgate.core.library import (
    AgeLabel,
    Coefficient,
    LibraryData,
    LibraryParts,
    LibraryRow,
    NotMain,
    OpNotMain,
)

A = LibraryRow(
    row=2,
    group_code="BX-20",
    kind="BX",
    dx_code="K80.1",
    dx_name="胆囊结石",
    main_ops="51.2300|51.2301",
    main_op_names="",
    other_ops="54.5101",
    other_op_names="",
    op_expression="",
    treatment_class="",
    score=Decimal("1000.00"),
    average_fee=Decimal(8000),
    average_stay=None,
    cv=None,
    case_count=None,
)
B = replace(A, row=3, group_code="BX-21", dx_code="K81.0", dx_name="")


def _data(*rows: LibraryRow) -> LibraryData:
    return LibraryData("某市", "1", date(2025, 1, 1), "3.0", False, "", rows)


def _said(old: tuple[LibraryRow, ...], new: tuple[LibraryRow, ...]) -> list[str]:
    return [sentence(change) for change in changes(_data(*old), _data(*new))]


def test_equal_libraries() -> None:
    assert _said((A, B), (A, B)) == []


def test_order_spelling_and_places_make_no_difference() -> None:
    other = replace(A, row=9, main_ops="51.2301|51.2300", score=Decimal(1000))
    assert _said((A, B), (B, other)) == []


def test_added_and_removed() -> None:
    assert _said((A,), (B,)) == [
        "新增 BX-21：BX，51.2300|51.2301 伴 54.5101，分值 1000.00",
        "取消 BX-20（K80.1 胆囊结石）：BX，51.2300|51.2301 伴 54.5101，分值 1000.00",
    ]


def test_a_conservative_row_is_called_so() -> None:
    row = replace(
        B, main_ops="", other_ops="", treatment_class="保守治疗", condition="耐药=是", score=None
    )
    assert _said((), (row,)) == ["新增 BX-21：BX，保守治疗，耐药=是"]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"score": Decimal(1100)}, "分值 1000.00 → 1100（+10.00%）"),
        ({"average_fee": Decimal(7000)}, "平均费用 8000 → 7000（-12.50%）"),
        ({"score": None}, "分值 1000.00 → 无"),
        ({"cv": Decimal("0.5")}, "变异系数 无 → 0.5"),
        ({"is_basic": True}, "基层病种 否 → 是"),
        ({"group_factor": Decimal("1.05")}, "基层病种系数 无 → 1.05"),
        ({"dx_name": "别名"}, "诊断名称 胆囊结石 → 别名"),
        ({"case_count": 30}, "病例数 无 → 30"),
        ({"group_code": "BX-99"}, "编码 BX-20 → BX-99"),
        (
            {"other_ops": ""},
            "手术操作 51.2300|51.2301 伴 54.5101 → 51.2300|51.2301",
        ),
        ({"condition": "甲"}, "条件 无 → 甲"),
        ({"secondary_dx": "T31.0"}, "其他诊断 无 → T31.0"),
        ({"treatment_class": "手术"}, "治疗方式 无 → 手术"),
        ({"kind": "JC"}, "类型 BX → JC"),
    ],
)
def test_each_difference(change: dict[str, object], said: str) -> None:
    after = replace(A, **change)  # type: ignore[arg-type]
    (line,) = _said((A,), (after,))
    assert line.endswith(f"（{after.dx_code} {after.dx_name}）：{said}")
    assert line.startswith("变更 ")


def test_a_new_number_does_not_hide_which_row_it_is() -> None:
    """Row 20 became row 21, and row 20 is another group now."""
    moved = replace(A, group_code="BX-21")
    fresh = replace(B, group_code="BX-20", dx_code="K85.0")
    assert _said((A,), (fresh, moved)) == [
        "新增 BX-20：BX，51.2300|51.2301 伴 54.5101，分值 1000.00",
        "变更 BX-21（K80.1 胆囊结石）：编码 BX-20 → BX-21",
    ]


def test_rows_of_one_key_are_told_apart_by_their_code() -> None:
    """In a version of before repeated keys were refused."""
    twin = replace(A, group_code="BX-22")
    assert _said((A, twin), (A, twin)) == []
    (line,) = _said((A, twin), (A,))
    assert line.startswith("取消 BX-22（K80.1 胆囊结石）：")


def test_parts() -> None:
    op = OpNotMain("51.2300", "", NotMain.NEVER, (), 2)
    old = LibraryParts(
        ops_not_main={"51.2300": op, "51.2301": replace(op, code="51.2301")},
        tb_resistant=frozenset({"A15.000", "A15.001"}),
        coefficients=(
            Coefficient("*", "cci", "严重", Decimal(1)),
            Coefficient("1", "cci", "严重", Decimal(2)),
        ),
        age=(AgeLabel("老年", from_years=65),),
    )
    new = LibraryParts(
        ops_not_main={
            "51.2300": replace(op, treatment=NotMain.CONSERVATIVE, row=9),
            "51.2302": replace(op, code="51.2302"),
            "51.2301": replace(op, code="51.2301", row=7),
        },
        tb_resistant=frozenset({"A15.001", "A15.002"}),
        coefficients=(
            Coefficient("*", "cci", "严重", Decimal("1.1")),
            Coefficient("1", "cci", "严重", Decimal(2)),
        ),
        cci={"I50.900": 1},
    )
    assert part_changes(old, new) == (
        PartChange("ops-not-main", 2, 3, added=1, removed=0, changed=1),
        PartChange("tb-resistant", 2, 2, added=1, removed=1, changed=0),
        PartChange("cci", None, 1, added=1, removed=0, changed=0),
        PartChange("age", 1, None, added=0, removed=1, changed=0),
        PartChange("coefficients", 2, 2, added=0, removed=0, changed=1),
    )
    assert part_changes(old, old) == ()

"""The national lists and a real city library, imported as they are (skips without them)."""

from __future__ import annotations

import csv
import time
from collections import Counter
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
import xlsxwriter

from dipgate.config.catalogues import import_catalogue
from dipgate.config.libraries import import_library, load_library
from dipgate.config.library_check import Known, check_library
from dipgate.config.library_workbook import facts
from dipgate.config.references import References
from dipgate.core.clock import FixedClock
from dipgate.core.errors import RecordError
from dipgate.core.library import NotMain

DAY = date(2025, 1, 1)
pytestmark = pytest.mark.shared_data


@pytest.mark.parametrize(
    ("kind", "file", "rows"),
    [
        ("icd10", "data/icd/icd10_nhsa_v2.csv", 33_304),
        ("icd9cm3", "data/icd/icd9cm3_nhsa_v2.csv", 13_686),
        ("icd9cm3", "data/icd/icd9cm3_gl2_with_category.csv", 12_855),
        ("icd10-map", "data/mapping/icd10_gl2_to_nhsa2.csv", 35_587),
        ("icd9cm3-map", "data/mapping/icd9cm3_gl3_to_nhsa2.csv", 13_653),
        ("not-principal", "data/icd/dx_not_allowed_as_principal_dip3.csv", 4_742),
        ("not-principal", "standards/validation-data-not-principal.csv", 4_746),
        ("dx-mdc", "standards/validation-data-dx-mdc.csv", 28_636),
        ("op-mdc", "standards/validation-data-op-mdc.csv", 11_348),
    ],
)
def test_every_row_of_a_national_list_is_taken(
    kind: str, file: str, rows: int, state: Path, shared: Path, clock: FixedClock
) -> None:
    report = import_catalogue(state, kind, "2.0", DAY, shared / file, now=clock.now())
    assert (report.rows, report.skipped) == (rows, 0)


def test_diagnoses_load_in_half_a_second(state: Path, shared: Path, clock: FixedClock) -> None:
    file = shared / "data/icd/icd10_nhsa_v2.csv"
    import_catalogue(state, "icd10", "2.0", DAY, file, now=clock.now())
    start = time.process_time()
    icd10 = References(state, None).on(DAY).icd10
    spent = time.process_time() - start
    assert icd10 is not None
    assert icd10.name("J18.900") == "肺炎"
    assert icd10.attribute("finer", "J18.900") == "3"
    assert spent < 0.5


def test_city_library(state: Path, shared: Path, clock: FixedClock) -> None:
    file = shared / "data/dip/pingdingshan_2025.csv"
    report = import_library(state, "平顶山", "2025", DAY, file, now=clock.now())
    assert dict(report.counts) == {"核心": 3_877, "综合": 567, "未入组": 92}
    rows = load_library(state, "平顶山").rows
    assert len(rows) == 4_536
    assert all(row.score is not None for row in rows)


def test_national_excerpt_needs_partial(state: Path, shared: Path, clock: FixedClock) -> None:
    file = shared / "data/dip/national_3.0_excerpt.csv"
    with pytest.raises(RecordError, match="序号不连续"):
        import_library(state, "国家", "3.0", DAY, file, now=clock.now())
    report = import_library(state, "国家", "3.0", DAY, file, partial=True, now=clock.now())
    assert dict(report.counts) == {"XQ": 19, "BX": 70, "FZ": 113, "JC": 247}
    assert load_library(state, "国家").edition == "3.0"


PART_FILES = {
    "dx-excluded": ("data/icd/dx_not_allowed_as_principal_dip3.csv", 4_742),
    "ops-not-main": ("data/dip/national_3.0_ops_not_main_excerpt.csv", 389),
    "op-dictionary": ("data/icd/icd9cm3_nhsa_v2.csv", 13_686),
    "tb-resistant": ("data/dip/national_3.0_tb_drug_resistant_dx.csv", 48),
    "primary-care": ("data/dip/national_3.0_primary_care.csv", 127),
    "severity": ("data/drg/chs_drg_11_mcc_cc.csv", 21_246),
    "severity-exclusions": ("data/drg/chs_drg_11_cc_exclusion_of_principal_dx.csv", 28_302),
    "cci": ("data/lists/charlson_nhsa_v2_derived.csv", 3_753),
}


def test_national_excerpt_with_every_list(state: Path, shared: Path, clock: FixedClock) -> None:
    report = import_library(
        state,
        "国家",
        "3.0",
        DAY,
        shared / "data/dip/national_3.0_excerpt.csv",
        parts={kind: shared / file for kind, (file, _) in PART_FILES.items()},
        partial=True,
        now=clock.now(),
    )
    assert dict(report.counts) == {"XQ": 19, "BX": 70, "FZ": 113, "JC": 247}
    assert dict(report.parts) == {kind: rows for kind, (_, rows) in PART_FILES.items()}
    assert report.notes == (
        "节选：序号有6处间断",
        "查尔森合并症权重：27行与前面重复，取权重最大的一行",
    )
    parts = load_library(state, "国家").parts
    assert parts.ops_not_main is not None
    counted = Counter(item.treatment for item in parts.ops_not_main.values())
    assert counted == {NotMain.CONSERVATIVE: 382, NotMain.NEVER: 7}
    assert parts.primary_care is not None
    assert sum(bool(item.main_ops) for item in parts.primary_care) == 30
    assert parts.op_dictionary is not None
    attributes = Counter(item.attribute for item in parts.op_dictionary.values())
    assert attributes == {
        "手术": 9_804, "治疗性操作": 2_151, "诊断性操作": 1_250, "介入治疗": 355, "": 126,
    }  # fmt: skip
    assert parts.severity is not None
    assert Counter(item.level for item in parts.severity.values()) == {"CC": 16_568, "MCC": 4_678}
    assert parts.cci is not None
    assert max(parts.cci.values()) == 6


def test_national_excerpt_must_say_so(state: Path, shared: Path, clock: FixedClock) -> None:
    file = shared / "data/dip/national_3.0_excerpt.csv"
    with pytest.raises(RecordError, match="序号不连续，缺 49–1595、1635–1742、1878–3131"):
        import_library(state, "国家", "3.0", DAY, file, now=clock.now())


def test_a_national_library_loads_fast(state: Path, shared: Path, clock: FixedClock) -> None:
    file = shared / "data/dip/national_3.0_excerpt.csv"
    parts = {kind: shared / name for kind, (name, _) in PART_FILES.items()}
    import_library(state, "国家", "3.0", DAY, file, parts=parts, partial=True, now=clock.now())
    start = time.process_time()
    load_library(state, "国家")
    assert time.process_time() - start < 1.0


def test_what_check_says_of_real_libraries(state: Path, shared: Path, clock: FixedClock) -> None:
    city = shared / "data/dip/pingdingshan_2025.csv"
    excerpt = shared / "data/dip/national_3.0_excerpt.csv"
    import_library(state, "平顶山", "2025", DAY, city, now=clock.now())
    import_library(state, "国家", "3.0", DAY, excerpt, partial=True, now=clock.now())
    known = Known(*(_codes(shared / f"data/icd/{name}_nhsa_v2.csv") for name in ICD))
    checked = check_library(load_library(state, "平顶山"), facts(), known)
    # M as its source states it, and not one row that disagrees.
    assert checked.mean == Decimal("5718.153489")
    assert {(remark.kind, remark.level, remark.count) for remark in checked.remarks} == {
        ("cv", "note", 630)
    }
    national = check_library(load_library(state, "国家"), facts(), known)
    (absent,) = (remark for remark in national.remarks if remark.kind == "operations")
    assert absent.rows == (
        "第3行 XQ-2：手术操作 37.5100x001",
        "第5行 XQ-4：手术操作 50.5100x002",
        "第8行 XQ-7：手术操作 33.5000x001",
        "第12行 XQ-11：手术操作 39.6500x001",
    )
    assert national.errors == 0


ICD = ("icd10", "icd9cm3")


def _codes(file: Path) -> frozenset[str]:
    with file.open(encoding="utf-8") as opened:
        return frozenset(row["code"] for row in csv.DictReader(opened))


def test_the_workbook_gives_what_the_csv_gives(
    state: Path, shared: Path, clock: FixedClock, tmp_path: Path
) -> None:
    """The excerpt written as sheets: every stored row is the same but for its row number."""
    excerpt = shared / "data/dip/national_3.0_excerpt.csv"
    with excerpt.open(encoding="utf-8") as opened:
        rows = list(csv.DictReader(opened))
    book = _written(tmp_path / "方案.xlsx", rows)
    for name, file in (("表格", excerpt), ("工作簿", book)):
        import_library(state, name, "3.0", DAY, file, partial=True, now=clock.now())
    first, second = (load_library(state, name).rows for name in ("表格", "工作簿"))
    assert len(first) == len(rows)
    assert [replace(row, row=0) for row in first] == [replace(row, row=0) for row in second]


def _written(path: Path, rows: list[dict[str, str]]) -> Path:
    main, related = ("main_op_codes", "main_op_names"), ("related_op_codes", "related_op_names")
    dx = ("dx_codes", "dx_name")
    heads = {
        "category": "分类", "seq": "序号", "group_name": "分组名称", "dx_codes": "主要诊断编码",
        "dx_name": "主要诊断名称", "main_op_codes": "主要手术操作编码",
        "main_op_names": "主要手术操作名称", "related_op_codes": "相关手术操作编码",
        "related_op_names": "相关手术操作名称", "secondary_dx_codes": "其他诊断编码",
        "secondary": "其他诊断名称", "condition": "说明", "degree": "烧伤腐蚀伤程度",
        "area": "烧伤腐蚀伤面积", "resistant": "是否耐药", "why": "是否耐药说明",
        "days": "天龄", "weight": "出生体重",
    }  # fmt: skip
    sheets = {
        "先期分组": ("一、先期分组", 3, ("group_name", *dx, *main, "condition")),
        "并项规则": ("二、并项规则下的核心病种", 2, (*dx, *main, *related)),
        "诊断辅助细分-烧伤": (
            "三、诊断辅助细分-烧伤类病种", 3,
            ("dx_codes", "degree", "secondary_dx_codes", "area", *main, *related),
        ),
        "诊断辅助细分-肿瘤": (
            "三、诊断辅助细分-肿瘤类病种", 2, (*dx, "secondary_dx_codes", "secondary", *main),
        ),
        "诊断辅助细分-结核": ("三、诊断辅助细分-结核类病种", 2, (*dx, *main, "resistant", "why")),
        "基础规则": ("四、基础规则下的核心病种", 2, (*dx, *main)),
    }  # fmt: skip
    light = ("category", "seq", "group_name", *dx, "days", "weight")
    with xlsxwriter.Workbook(str(path)) as book:
        for layer, (name, heading_row, columns) in sheets.items():
            lines = [(), ("标题",), (), [heads[column] for column in ("category", "seq", *columns)]]
            del lines[: 4 - heading_row]
            for row in map(_cells, (row for row in rows if row["layer"] == layer)):
                if "weight" in row and len(lines) == 18:
                    lines.append([heads[column] for column in light])
                wanted = light if "weight" in row else ("category", "seq", *columns)
                lines.append([row.get(column, "") for column in wanted])
            sheet = book.add_worksheet(name)
            for at, line in enumerate(lines):
                sheet.write_row(at, 0, line)
    return path


def _cells(row: dict[str, str]) -> dict[str, str]:
    """The columns that the sheets have in place of the condition."""
    said = row["condition"]
    if "出生体重" in said:
        days, weight, _ = said.split("；")
        return row | {"days": days.removeprefix("天龄"), "weight": weight.removeprefix("出生体重")}
    if row["layer"].endswith("烧伤"):
        degree, area = said.split("；")
        return row | {"degree": degree, "area": area}
    if row["layer"].endswith("结核"):
        answer, why = said.removeprefix("耐药=").split("：", 1)
        return row | {"resistant": answer, "why": why}
    return row | {"secondary": said.removeprefix("其他诊断：")}

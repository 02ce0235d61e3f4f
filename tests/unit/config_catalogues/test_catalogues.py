"""Catalogues: whole file or nothing, versions side by side, every broken row named."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from dipgate.config import catalogues, shelf, tablefile
from dipgate.config.catalogues import (
    KINDS,
    BadRows,
    ImportReport,
    import_catalogue,
    list_catalogues,
)
from dipgate.config.references import References
from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, RecordError

DAY = date(2025, 1, 1)
Table = Callable[..., Path]
Import = Callable[..., ImportReport]

GOOD = {
    "icd10": ("诊断代码,诊断名称", "A01.000,伤寒"),
    "icd9cm3": ("code,name,类别", "36.0700,药物洗脱冠状动脉支架置入,介入治疗"),
    "icd10-map": ("临床版代码,医保版代码,医保版名称", "C22.101M81600/3,C22.101,虚构名称"),
    "icd9cm3-map": ("gl3_code,nhsa2_code", "45.4300x010,45.4307"),
    "not-principal": ("code,name,dip3_official,chs_drg11_derived", "I10.x00,高血压,1,0"),
    "dx-mdc": ("dx_code,mdcs", "A01.000,G"),
    "op-mdc": ("op_code,mdcs", "36.0700,FVZ"),
    "department": ("科室代码,科室名称,国家科室代码", "0101,呼吸科,A03.01"),
    "staff": ("工号,姓名,国家编码", "1001,柏青禾,D990100000001"),
}
"""One good file of every kind: heading and row."""


@pytest.fixture
def put(state: Path, clock: FixedClock) -> Import:
    """`put(kind, file, version="1", first_day=DAY, …)` imports into the test's state folder."""

    def run(
        kind: str,
        file: Path,
        version: str = "1",
        first_day: date = DAY,
        *,
        layer: str = "",
        supersede: bool = False,
    ) -> ImportReport:
        return import_catalogue(
            state,
            kind,
            version,
            first_day,
            file,
            layer=layer,
            author="某人",
            supersede=supersede,
            now=clock.now(),
        )

    return run


def test_a_good_file_of_every_kind_is_tried() -> None:
    assert set(GOOD) == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("charset", ["utf-8", "gb18030"])
def test_every_kind_is_imported_and_listed(
    kind: str, charset: str, state: Path, table: Table, put: Import, clock: FixedClock
) -> None:
    file = table("表.csv", *GOOD[kind], charset=charset)
    report = put(kind, file)
    (listed,) = list_catalogues(state)
    assert (report.rows, report.skipped, report.label) == (1, 0, f"{kind}@1")
    assert (listed.kind, listed.version, listed.first_day, listed.rows) == (kind, "1", DAY, 1)
    assert listed.source_hash == report.source_hash
    assert (listed.source_file, listed.author) == ("表.csv", "某人")
    assert listed.imported_at == clock.now()
    assert listed.layer == ("national" if KINDS[kind].layered else "")


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_refuses_a_file_without_its_columns(
    kind: str, table: Table, put: Import, state: Path
) -> None:
    with pytest.raises(RecordError, match="缺少列"):
        put(kind, table("表.csv", "甲,乙", "1,2"))
    assert list_catalogues(state) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_refuses_a_repeated_row(kind: str, table: Table, put: Import) -> None:
    heading, row = GOOD[kind]
    with pytest.raises(BadRows, match=r"第3行 字段 .*与第2行重复；处理：删去重复的一行"):
        put(kind, table("表.csv", heading, row, row))


def test_every_bad_row_is_counted_and_the_first_are_shown(
    table: Table, put: Import, state: Path
) -> None:
    rows = ["code,name", "A01.000,伤寒", *(f"坏{n},某病" for n in range(30)), ",某病", "A02.000,"]
    with pytest.raises(BadRows) as caught:
        put("icd10", table("诊断.csv", *rows))
    said = str(caught.value)
    assert caught.value.count == 32
    assert len(caught.value.errors) == 20
    assert said.startswith("诊断.csv：共32行有错，整个文件没有导入")
    assert "诊断.csv 第3行 字段 code：“坏0”不是 ICD-10 代码；处理：" in said
    assert said.endswith("……另有12行")
    assert list_catalogues(state) == ()
    assert not (state / "catalogues").exists()


@pytest.mark.parametrize(
    ("kind", "heading", "row", "said"),
    [
        ("icd10", "code,name", ",伤寒", "字段 code：是空的"),
        ("icd10", "代码,名称", "A01.000,", "字段 名称：是空的"),
        ("icd10", "code,name", "36.0700,支架", "“36.0700”不是 ICD-10 代码"),
        ("icd10", "code,name", "A01.000,伤\u200b寒", "看不见的字符"),
        ("icd10", "code,name", "A01.000,伤寒,多余", "有3个单元格"),
        ("icd9cm3", "code,name", "A01.000,伤寒", "“A01.000”不是 ICD-9-CM-3 代码"),
        (
            "icd9cm3",
            "code,name,类别",
            "36.0700,支架,大手术",
            "字段 类别：“大手术”不认识；可用：手术",
        ),
        ("icd10-map", "gl2_code,nhsa2_code", "A01.000,", "字段 nhsa2_code：是空的"),
        (
            "icd10-map",
            "gl2_code,nhsa2_code,启用日期",
            "A01.000,A01.000,2025-02-30",
            "字段 启用日期：“2025-02-30”不是日期；处理：日期写成 2024-01-31",
        ),
        (
            "icd10-map",
            "gl2_code,nhsa2_code,启用日期,停用日期",
            "A01.000,A01.000,2025-02-02,2025-02-01",
            "字段 停用日期：早于启用日期",
        ),
        ("not-principal", "code,dip3_official", "I10.x00,对", "“对”不认识；可用：1、0"),
        ("department", "科室代码,科室名称,国家科室代码", "1,内科,03.01", "不是国家科室代码"),
        ("staff", "工号,姓名,国家编码", "1,柏青禾,D12", "不是国家编码（D 或 N 加12位数字）"),
        ("staff", "工号,姓名,国家编码,人员类别", "1,柏青禾,D990100000001,厨师", "“厨师”不认识"),
        ("staff", "工号,姓名,国家编码", "1,,D990100000001", "字段 姓名：是空的"),
    ],
)
def test_a_bad_cell_names_row_field_and_remedy(
    kind: str, heading: str, row: str, said: str, table: Table, put: Import
) -> None:
    with pytest.raises(BadRows) as caught:
        put(kind, table("表.csv", heading, row))
    (error,) = caught.value.errors
    assert error.place.row == 2
    assert said in str(error)
    assert error.remedy


def test_codes_are_brought_to_one_spelling(table: Table, put: Import, state: Path) -> None:
    put("icd10", table("表.csv", "code,name", " ａ09.900X001 , 急性肠炎（某某）"))
    icd10 = References(state, None).on(DAY).icd10
    assert icd10 is not None
    assert dict(icd10.names) == {"A09.900x001": "急性肠炎（某某）"}


def test_a_number_in_a_code_column_is_refused(tmp_path: Path, put: Import) -> None:
    import xlsxwriter

    path = tmp_path / "手术.xlsx"
    with xlsxwriter.Workbook(str(path)) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, ("code", "name"))
        sheet.write_row(1, 0, (36.07, "药物洗脱冠状动脉支架置入"))
    with pytest.raises(BadRows, match="数值格式，前后的零可能已经丢失"):
        put("icd9cm3", path)


def test_heading_without_rows_is_refused(table: Table, put: Import) -> None:
    with pytest.raises(RecordError, match="没有数据"):
        put("icd10", table("表.csv", "code,name"))


def test_rows_without_national_code_are_left_out_and_said(table: Table, put: Import) -> None:
    file = table("表.csv", "工号,姓名,国家编码", "1,柏青禾,D990100000001", "2,楚南溪,")
    report = put("staff", file)
    assert (report.rows, report.skipped) == (1, 1)
    assert report.notes == ("1行没有国家编码，没有导入",)


def test_a_plain_not_principal_list_holds_for_both_editions(
    table: Table, put: Import, state: Path
) -> None:
    report = put("not-principal", table("表.csv", "code,name", "I10.x00,高血压"))
    listed = References(state, None).on(DAY).not_principal
    assert listed is not None
    assert listed["I10.x00"].dip3
    assert listed["I10.x00"].drg11
    assert "两者都适用" in report.notes[0]


# --- versions ------------------------------------------------------------------------------


def test_unknown_kind_layer_and_version_name_are_refused(table: Table, put: Import) -> None:
    file = table("表.csv", *GOOD["icd10"])
    with pytest.raises(ConfigError, match="没有“icd11”这种目录；可用：icd10"):
        put("icd11", file)
    with pytest.raises(ConfigError, match="不分层"):
        put("icd10", file, layer="area")
    with pytest.raises(ConfigError, match="没有“省”这一层；可用：national"):
        put("icd10-map", table("映射.csv", *GOOD["icd10-map"]), layer="省")
    for version in ("../1", "", "a/b", "1~2", ".hidden"):
        with pytest.raises(ConfigError, match=r"版本号“.*”不能用"):
            put("icd10", file, version)


def test_overlapping_versions_need_supersede(table: Table, put: Import, state: Path) -> None:
    file = table("表.csv", *GOOD["icd10"])
    put("icd10", file, "2.0", DAY)
    put("icd10", file, "2.1", date(2025, 7, 1))
    with pytest.raises(ConfigError, match=r"与已有版本重叠：2\.0（2025-01-01 起）"):
        put("icd10", file, "2.0", date(2026, 1, 1))
    with pytest.raises(ConfigError, match=r"重叠.*--supersede"):
        put("icd10", file, "3.0", DAY)
    assert [item.version for item in list_catalogues(state)] == ["2.0", "2.1"]


def test_superseded_versions_stay_but_are_not_looked_at(
    table: Table, put: Import, state: Path
) -> None:
    put("icd10", table("旧.csv", "code,name", "A01.000,旧名"), "2.0")
    report = put("icd10", table("新.csv", "code,name", "A01.000,新名"), "2.0", supersede=True)
    third = put("icd10", table("三.csv", "code,name", "A01.000,三名"), "2.0", supersede=True)
    assert (report.superseded, third.superseded) == (("2.0",), ("2.0",))
    everything = list_catalogues(state, superseded=True)
    assert sorted((item.version, item.superseded_by) for item in everything) == [
        ("2.0", ""),
        ("2.0~1", "2.0"),
        ("2.0~2", "2.0"),
    ]
    kept = next(item for item in everything if item.version == "2.0~1")
    rows = shelf.rows_of(catalogues.shelf_of(state, "icd10"), kept)
    assert rows[0][2] == "旧名"
    icd10 = References(state, None).on(DAY).icd10
    assert icd10 is not None
    assert icd10.name("A01.000") == "三名"


def test_layers_of_a_map_do_not_overlap(table: Table, put: Import, state: Path) -> None:
    file = table("映射.csv", *GOOD["icd10-map"])
    put("icd10-map", file, "国家", layer="national")
    put("icd10-map", file, "本院", layer="hospital")
    assert {(item.version, item.layer) for item in list_catalogues(state)} == {
        ("国家", "national"),
        ("本院", "hospital"),
    }


def test_a_failed_import_leaves_the_old_version(
    table: Table, put: Import, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put("icd10", table("旧.csv", "code,name", "A01.000,旧名"))
    monkeypatch.setattr(shelf, "_build", _disk_full)
    with pytest.raises(ConfigError, match=r"写不了目录文件.*no space"):
        put("icd10", table("新.csv", "code,name", "A01.000,新名"), supersede=True)
    icd10 = References(state, None).on(DAY).icd10
    assert icd10 is not None
    assert icd10.name("A01.000") == "旧名"
    assert sorted(path.name for path in (state / "catalogues/icd10").iterdir()) == [
        "1.json",
        "1.sqlite",
    ]


def _disk_full(*_: object) -> None:
    raise OSError("no space left")


def test_catalogue_files_are_read_only(table: Table, put: Import, state: Path) -> None:
    put("icd10", table("表.csv", *GOOD["icd10"]))
    assert (state / "catalogues/icd10/1.sqlite").stat().st_mode & 0o222 == 0


def test_damaged_files_are_named_with_a_remedy(table: Table, put: Import, state: Path) -> None:
    put("icd10", table("表.csv", *GOOD["icd10"]))
    folder = state / "catalogues/icd10"
    manifest = json.loads((folder / "1.json").read_text(encoding="utf-8"))
    (folder / "1.json").write_text(json.dumps(manifest | {"source_hash": "0"}), encoding="utf-8")
    with pytest.raises(ConfigError, match=r"不是同一次导入.*--supersede"):
        References(state, None).on(DAY)
    (folder / "1.sqlite").unlink()
    with pytest.raises(ConfigError, match="不见了；请重新导入"):
        References(state, None).on(DAY)
    (folder / "1.sqlite").write_bytes(b"not a database at all" * 100)
    with pytest.raises(ConfigError, match="已损坏；请重新导入"):
        References(state, None).on(DAY)
    (folder / "1.json").write_text("{", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"版本清单 .* 读不了"):
        list_catalogues(state)


def test_progress_is_told(table: Table, state: Path, clock: FixedClock) -> None:
    lines = [f"A{n // 100:02d}.{n % 100:02d}0,某病{n}" for n in range(4100)]
    told: list[tuple[int, int | None]] = []
    import_catalogue(
        state,
        "icd10",
        "1",
        DAY,
        table("表.csv", "code,name", *lines),
        now=clock.now(),
        progress=lambda done, total: told.append((done, total)),
    )
    assert told == [(2000, None), (4000, None), (4100, 4100)]


def test_in_force_is_the_latest_first_day_not_after(table: Table, put: Import, state: Path) -> None:
    file = table("表.csv", *GOOD["icd10"])
    put("icd10", file, "1", date(2024, 1, 1))
    put("icd10", file, "2", date(2025, 1, 1))
    held = list_catalogues(state)

    def chosen(day: date) -> str | None:
        found = shelf.in_force(held, day)
        return found.version if found else None

    assert chosen(date(2023, 12, 31)) is None
    assert chosen(date(2024, 1, 1)) == "1"
    assert chosen(date(2024, 12, 31)) == "1"
    assert chosen(date(2025, 1, 1)) == "2"
    assert shelf.in_force([replace(held[0], first_day=DAY)], DAY) is not None


@pytest.mark.parametrize(
    ("length", "words"), [(501, "超过500个"), (1_000_001, "单元格超过1000000个字符")]
)
def test_a_name_pasted_whole_is_a_row_error(
    tmp_path: Path, put: Import, monkeypatch: pytest.MonkeyPatch, length: int, words: str
) -> None:
    # A workbook cell of that length cannot be written by honest tools: its sheet is played.
    file = tmp_path / "list.xlsx"
    file.write_bytes(b"PK\x03\x04")
    rows = [["诊断代码", "诊断名称"], ["A01.000", "伤寒"], ["A01.001", "x" * length]]
    monkeypatch.setattr(
        tablefile, "_workbook_sheets", lambda file: [(file.name, iter(enumerate(rows, start=1)))]
    )
    with pytest.raises(BadRows) as caught:
        put("icd10", file)
    (error,) = caught.value.errors
    assert error.place.row == 3
    assert words in error.what


def test_a_name_of_500_characters_is_one(table: Table, put: Import) -> None:
    assert put("icd10", table("a.csv", "诊断代码,诊断名称", f"A01.000,{'x' * 500}")).rows == 1

"""Workbooks and DBF files: what only these formats can do wrong."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from dipgate.adapters import open_source
from dipgate.adapters.registry import adapters_in_folders
from dipgate.config.site_check import FOLDER_KINDS
from dipgate.core.hashing import bytes_hash
from dipgate.core.record import RawRow, Rejected, SourceSpec, TableMap

TABLE = TableMap("settlement", "s*", "K", {"a": "A", "b": "B"})


@dataclass
class Kept:
    raw: dict[str, bytes] = field(default_factory=dict)
    rows: list[RawRow] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)

    def keep_raw(self, source: str, object_name: str, data: bytes) -> str:  # noqa: ARG002
        self.raw[object_name] = data
        return bytes_hash(data)

    def commit(self, rows: Sequence[RawRow], rejected: Sequence[Rejected], watermark: str) -> None:  # noqa: ARG002
        self.rows += rows
        self.rejected += rejected


def read(kind: str, folder: Path, table: TableMap = TABLE, charset: str = "gb18030") -> Any:
    spec = SourceSpec("his", kind, charset, str(folder), "nhsa", {"settlement": table})
    sink = Kept()
    report = open_source(spec).read(sink, None)
    return sink, report


def book(path: Path, *rows: Sequence[Any], sheets: Sequence[str] = ()) -> None:
    with xlsxwriter.Workbook(path) as made:
        for name in (*sheets, None):
            sheet = made.add_worksheet(name)
        day = made.add_format({"num_format": "yyyy-mm-dd"})
        moment = made.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        hour = made.add_format({"num_format": "hh:mm"})
        for number, row in enumerate(rows):
            for place, cell in enumerate(row):
                if isinstance(cell, datetime):
                    sheet.write_datetime(number, place, cell, moment)
                elif isinstance(cell, date):
                    sheet.write_datetime(number, place, cell, day)
                elif isinstance(cell, time):
                    sheet.write_datetime(number, place, cell, hour)
                elif cell == "=":
                    sheet.write_formula(number, place, "=1/0", None, "#DIV/0!")
                elif isinstance(cell, str):
                    sheet.write_string(number, place, cell)
                elif cell is not None:
                    sheet.write(number, place, cell)


def test_numbers_and_dates_become_their_exact_text(tmp_path: Path) -> None:
    book(
        tmp_path / "s.xlsx",
        ["K", "A", "B"],
        ["1", 12, 1.5],
        [2, 0.1, True],
        ["003", date(2025, 3, 1), datetime(2025, 3, 1, 8, 9, 10)],  # noqa: DTZ001
        ["4", time(8, 9), None],
        [None, None, None],
        ["5", -3.25, 99999999999999],
    )
    sink, report = read("xlsx", tmp_path)
    assert [(row.key, row.values["A"], row.values["B"]) for row in sink.rows] == [
        ("1", "12", "1.5"),
        ("2", "0.1", "1"),
        ("003", "2025-03-01", "2025-03-01 08:09:10"),
        ("4", "08:09:00", ""),
        ("5", "-3.25", "99999999999999"),
    ]
    assert [row.row for row in sink.rows] == [2, 3, 4, 5, 7]
    assert (report.rows, report.rejected) == (5, 0)


def test_what_a_workbook_has_spoilt_is_set_aside(tmp_path: Path) -> None:
    """An identity number that became a number, and a cell that shows an error."""
    book(
        tmp_path / "s.xlsx",
        ["K", "A", "B"],
        ["1", 110101199001011234, "x"],
        ["2", "=", "x"],
        ["3", "#DIV/0!", "x"],
        ["", "no key", "x"],
    )
    sink, _ = read("xlsx", tmp_path)
    assert [(row.key, row.values["A"]) for row in sink.rows] == [("3", "#DIV/0!")]
    assert [(item.row, item.field) for item in sink.rejected] == [(2, "A"), (3, "A"), (5, "K")]
    assert "15 位" in sink.rejected[0].what
    assert "错误值" in sink.rejected[1].what
    assert all(item.remedy for item in sink.rejected)


def test_error_cells_are_found_on_the_right_sheet_after_sheets_were_moved(tmp_path: Path) -> None:
    """The book's order and the parts' numbers differ: the relation decides."""
    path = tmp_path / "s.xlsx"
    with xlsxwriter.Workbook(path) as made:
        for number in (1, 2):
            sheet = made.add_worksheet(f"表{number}")
            sheet.write_row(0, 0, ["K", "A", "B"])
            sheet.write_row(1, 0, [f"{number}", "x", "y"])
            if number == 2:
                sheet.write_formula(1, 1, "=1/0", None, "#DIV/0!")
    moved = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(moved, "w") as new:
        for item in old.namelist():
            data = old.read(item)
            if item == "xl/workbook.xml":
                one, two = re.findall(rb"<sheet [^>]*/>", data)
                data = data.replace(one + two, two + one)
            new.writestr(item, data)
    path.write_bytes(moved.getvalue())
    sink, _ = read("xlsx", tmp_path, replace(TABLE, sheet="表2"))
    assert sink.rows == []
    assert "错误值" in sink.rejected[0].what
    sink, _ = read("xlsx", tmp_path, replace(TABLE, sheet="表1"))
    assert [row.key for row in sink.rows] == ["1"]


def test_merged_headings_are_told(tmp_path: Path) -> None:
    with xlsxwriter.Workbook(tmp_path / "s.xlsx") as made:
        sheet = made.add_worksheet()
        sheet.merge_range(0, 0, 0, 2, "首页")
        sheet.write_row(1, 0, ["K", "A", "B"])
    sink, _ = read("xlsx", tmp_path)
    assert "合并单元格" in sink.rejected[0].what


def test_dbf_names_cut_to_ten_bytes_are_named_with_what_is_there(tmp_path: Path) -> None:
    fields = (("出院诊断编", "C", 10, 0), ("K", "C", 10, 0))
    (tmp_path / "s.dbf").write_bytes(table(fields, [(b" ", [b"J18.9", b"1"])]))
    wanted = replace(TABLE, columns={"a": "出院诊断编码"})
    sink, _ = read("dbf", tmp_path, wanted)
    assert "缺少映射用到的列：出院诊断编码；文件的列：出院诊断编" in sink.rejected[0].what


def test_the_sheet_is_named_or_the_first_and_that_is_said(tmp_path: Path) -> None:
    book(tmp_path / "s.xlsx", ["K", "A", "B"], ["1", "x", "y"], sheets=["说明"])
    sink, report = read("xlsx", tmp_path)
    assert sink.rejected
    assert "只读第一张 说明" in report.notes[0]
    sink, report = read("xlsx", tmp_path, replace(TABLE, sheet="Sheet2"))
    assert [row.key for row in sink.rows] == ["1"]
    assert report.notes == ()
    sink, _ = read("xlsx", tmp_path, replace(TABLE, sheet="没有"))
    assert "没有名为 没有 的表" in sink.rejected[0].what


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "空的"),
        (b"K,A,B\n1,2,3", "不是工作簿"),
        (b"PK\x03\x04 cut off", "不是工作簿"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "密码"),
    ],
)
def test_what_is_no_workbook_is_told(tmp_path: Path, data: bytes, says: str) -> None:
    (tmp_path / "s.xlsx").write_bytes(data)
    sink, _ = read("xlsx", tmp_path)
    (aside,) = sink.rejected
    assert (aside.row, says in aside.what) == (None, True)
    assert sink.raw["s.xlsx"] == data


def test_values_can_be_found_in_the_kept_workbook(tmp_path: Path) -> None:
    book(tmp_path / "s.xlsx", ["K", "A", "B"], ["ZY1", "虚构甲", "1.50"])
    sink, _ = read("xlsx", tmp_path)
    with zipfile.ZipFile(io.BytesIO(sink.raw["s.xlsx"])) as archive:
        text = "".join(archive.read(name).decode("utf-8") for name in archive.namelist())
    assert all(value in text for value in sink.rows[0].values.values())


def table(
    fields: Sequence[tuple[str, str, int, int]],
    records: Sequence[tuple[bytes, Sequence[bytes]]],
    *,
    version: int = 3,
    language: int = 0,
) -> bytes:
    """A DBF file; each record has its mark (blank, or `*` for deleted)."""
    length = 1 + sum(size for _, _, size, _ in fields)
    head = struct.pack("<BBBBLHH", version, 125, 3, 1, len(records), 33 + 32 * len(fields), length)
    head += bytes(17) + bytes([language]) + bytes(2)
    for name, kind, size, places in fields:
        head += struct.pack("<11sc4xBB14x", name.encode("gb18030"), kind.encode(), size, places)
    body = b""
    for mark, cells in records:
        padded = [
            cell.rjust(size) if kind in "NF" else cell.ljust(size)
            for cell, (_, kind, size, _) in zip(cells, fields, strict=True)
        ]
        body += mark + b"".join(padded)
    return head + b"\r" + body + b"\x1a"


FIELDS = (("K", "C", 10, 0), ("A", "N", 12, 2), ("B", "D", 8, 0))


def test_dbf_values_are_taken_as_they_stand(tmp_path: Path) -> None:
    data = table(
        FIELDS,
        [
            (b" ", [b"1", b"1.50", b"20250301"]),
            (b"*", [b"deleted", b"9", b"20250301"]),
            (b" ", [b"  2", b"", b""]),
            (b" ", [b"3", b"12x", b"20250301"]),
            (b" ", [b"4", b"0.10", b"20251345"]),
            (b" ", ["五号".encode("gb18030"), b"007", b"20250302"]),
        ],
    )
    (tmp_path / "s.dbf").write_bytes(data)
    sink, _ = read("dbf", tmp_path)
    assert [(row.key, row.values["A"], row.values["B"]) for row in sink.rows] == [
        ("1", "1.50", "2025-03-01"),
        ("2", "", ""),
        ("3", "12x", "2025-03-01"),
        ("五号", "007", "2025-03-02"),
    ]
    (aside,) = sink.rejected
    assert (aside.field, "读不出" in aside.what) == ("B", True)


def test_memo_texts_come_from_the_file_beside_and_are_kept(tmp_path: Path) -> None:
    import dbf

    path = tmp_path / "s.dbf"
    made = dbf.Table(str(path), "K C(10); A M; B C(5)", codepage="cp936", dbf_type="vfp")
    made.open(dbf.READ_WRITE)
    made.append(("1", "备注里的一段话", "x"))
    made.close()
    sink, _ = read("dbf", tmp_path)
    assert [row.values["A"] for row in sink.rows] == ["备注里的一段话"]
    assert set(sink.raw) == {"s.dbf", "s.fpt"}
    (tmp_path / "s.fpt").unlink()
    sink, _ = read("dbf", tmp_path)
    assert "备注文件" in sink.rejected[0].what


def test_a_header_that_says_another_charset_is_told(tmp_path: Path) -> None:
    data = table(FIELDS, [(b" ", [b"1", b"1", b"20250301"])], language=0x78)
    (tmp_path / "s.dbf").write_bytes(data)
    _, report = read("dbf", tmp_path)
    assert "big5" in report.notes[0]
    _, report = read("dbf", tmp_path, charset="big5")
    assert report.notes == ()


@pytest.mark.parametrize(("cut", "says"), [(0, "空的"), (20, "不是 DBF"), (-15, "没有写完")])
def test_a_broken_dbf_is_told(tmp_path: Path, cut: int, says: str) -> None:
    data = table(FIELDS, [(b" ", [b"1", b"1", b"20250301"]), (b" ", [b"2", b"2", b"20250301"])])
    (tmp_path / "s.dbf").write_bytes(data[:cut] if cut else b"")
    sink, _ = read("dbf", tmp_path)
    (aside,) = sink.rejected
    assert (aside.row, sink.rows, says in aside.what) == (None, [], True), aside.what


def test_foreign_bytes_cost_one_row(tmp_path: Path) -> None:
    fields = (("K", "C", 10, 0), ("A", "C", 12, 0), ("B", "C", 8, 0))
    data = table(fields, [(b" ", [b"1", b"\xff\xfe", b"x"]), (b" ", [b"2", b"ok", b"x"])])
    (tmp_path / "s.dbf").write_bytes(data)
    sink, _ = read("dbf", tmp_path)
    assert [row.key for row in sink.rows] == ["2"]
    assert sink.rejected[0].field == "A"


def test_the_site_check_knows_the_kinds_of_folders() -> None:
    assert sorted(FOLDER_KINDS) == sorted(adapters_in_folders())

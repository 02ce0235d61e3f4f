"""Tables in files: encodings, headings, row numbers, and every way in which a file can be bad."""

from __future__ import annotations

from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from dipgate.config import tablefile
from dipgate.config.tablefile import Column, NumberText, find_table, read_file
from dipgate.core.errors import ConfigError, RecordError

COLUMNS = (Column("code", ("code", "代码"), True), Column("name", ("name", "名称")))


def table(path: Path, *shapes: tuple[Column, ...]) -> tuple[int, list[tuple[int, Any]]]:
    shape, sheet = find_table(read_file(path), shapes or (COLUMNS,))
    return shape, list(sheet.rows)


def csv_file(folder: Path, text: str | bytes, charset: str = "utf-8") -> Path:
    path = folder / "表.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode(charset))
    return path


def workbook(folder: Path, **sheets: list[list[Any]]) -> Path:
    path = folder / "表.xlsx"
    book = xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd"})
    for name, rows in sheets.items():
        sheet = book.add_worksheet(name)
        for number, cells in enumerate(rows):
            for at, cell in enumerate(cells):
                if cell is not None:
                    sheet.write(number, at, cell)
    book.close()
    return path


@pytest.mark.parametrize("charset", ["utf-8", "utf-8-sig", "gb18030"])
@pytest.mark.parametrize("delimiter", [",", "\t", ";"])
def test_charset_and_delimiter_are_recognised(tmp_path: Path, charset: str, delimiter: str) -> None:
    text = f"代码{delimiter}名称\nA01.000{delimiter}伤寒\n"
    assert table(csv_file(tmp_path, text, charset))[1] == [(2, ("A01.000", "伤寒"))]


def test_rows_are_numbered_as_a_person_sees_them(tmp_path: Path) -> None:
    text = '表的标题\ncode,name\n\nA,"两行\n的名称"\nB,b\n'
    assert table(csv_file(tmp_path, text))[1] == [(4, ("A", "两行\n的名称")), (6, ("B", "b"))]


def test_headings_ignore_width_case_and_blanks(tmp_path: Path) -> None:
    assert table(csv_file(tmp_path, " ＣＯＤＥ , Na me\nA,b\n"))[1] == [(2, ("A", "b"))]


def test_first_heading_of_the_wish_wins_and_absent_columns_are_left_out(tmp_path: Path) -> None:
    path = csv_file(tmp_path, "代码,code\n旧,新\n")
    _, sheet = find_table(read_file(path), (COLUMNS,))
    assert sheet.found == ("code",)
    assert list(sheet.rows) == [(2, ("新",))]


def test_short_rows_are_filled_and_long_ones_come_as_errors(tmp_path: Path) -> None:
    rows = table(csv_file(tmp_path, "code,name\nA\nB,b,多余\nC,c,,\n"))[1]
    assert rows[0] == (2, ("A", ""))
    assert isinstance(rows[1][1], RecordError)
    assert str(rows[1][1]).startswith("表.csv 第3行：有3个单元格，表头只有2个")
    assert rows[2] == (4, ("C", "c"))


def test_second_shape_is_found(tmp_path: Path) -> None:
    other = (Column("seq", ("seq",), True),)
    assert table(csv_file(tmp_path, "seq\n1\n"), COLUMNS, other) == (1, [(2, ("1",))])


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "文件是空的"),
        (b"\n\n", "文件是空的"),
        ("名称,拼音\n伤寒,SH\n".encode(), "第1行：缺少列：code、代码"),
        ("名称,拼音\n伤寒,SH\n".encode(), "文件里的列是：名称、拼音"),
        (b"code,code\nA,B\n", "列名“code”出现了2次"),
        ("code\nA".encode("utf-16"), "UTF-16"),
        (b"code\nA\nB\0\n", "第3行：有空字节"),
        (b"code\nA\n\xff\xfe\xff\n", "第3行：既不是 UTF-8 也不是 GB18030"),
        (b'code\nA\n"B\nC\n', "第3行：引号不成对"),
        (b'code\n"A"B\n', "第2行：引号不成对"),
        (b"PK\x03\x04broken", "不是能读的 Excel 工作簿"),
    ],
)
def test_unreadable_files_are_refused_with_row_and_remedy(
    tmp_path: Path, content: bytes, said: str
) -> None:
    with pytest.raises(RecordError) as caught:
        table(csv_file(tmp_path, content))
    assert said in str(caught.value)
    assert caught.value.place.file == "表.csv"
    assert caught.value.remedy


def test_a_huge_cell_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecordError, match="第2行：单元格超过1000000个字符"):
        table(csv_file(tmp_path, "code\n" + "A" * (tablefile.MAX_CELL + 1)))


def test_missing_file_and_folder_are_configuration_errors(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="没有文件"):
        read_file(tmp_path / "无")
    with pytest.raises(ConfigError, match="是目录"):
        read_file(tmp_path)


def test_workbook_cells_become_text_and_numbers_are_marked(tmp_path: Path) -> None:
    path = workbook(
        tmp_path,
        甲=[
            ["code", "name"],
            ["36.0700", 5.0],
            [],
            [36.07, True],
            [date(2025, 1, 31), datetime(2025, 1, 31, 8, 30)],  # noqa: DTZ001
        ],
    )
    rows = table(path)[1]
    assert rows[0] == (2, ("36.0700", "5"))
    assert rows[1] == (4, ("36.07", "1"))
    assert type(rows[1][1][0]) is NumberText
    assert type(rows[0][1][0]) is str
    assert rows[2] == (5, ("2025-01-31", "2025-01-31 08:30:00"))


def test_sheet_with_the_headings_is_found_among_several(tmp_path: Path) -> None:
    path = workbook(tmp_path, 说明=[["这是说明"]], 数据=[["标题"], [None], ["代码"], ["A"]])
    _, sheet = find_table(read_file(path), (COLUMNS,))
    assert sheet.file == "表.xlsx[数据]"
    assert list(sheet.rows) == [(4, ("A",))]

"""Workbooks: a folder of XLSX files, one glob per canonical table, one sheet of each.

A cell becomes text without a silent change: whole numbers without a point, other numbers by their
shortest exact form, dates as ISO. A number longer than a workbook can hold, or a cell that shows
an error, sets its row aside.
"""

from __future__ import annotations

import io
import re
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from itertools import islice
from pathlib import Path
from typing import Any

from python_calamine import CalamineError, CalamineWorkbook

from dipgate.adapters.registry import AdapterKind
from dipgate.adapters.rows import MAX_CELL, RowPlace, raw_row
from dipgate.adapters.whole_files import FileAt, FolderSource, Head, columns_of
from dipgate.core.errors import RecordError
from dipgate.core.record import RawRow, Rejected, SeenColumn, SourceAdapter, SourceSpec
from dipgate.security.secret import Secret

DIGITS = 15
"""A workbook keeps this many significant digits of a number; a longer one is already wrong."""
_ENCRYPTED = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
"""First bytes of an OLE file: an old .xls, or a workbook with a password."""
_ERROR_CELL = re.compile(
    rb"<(?:\w+:)?c\b(?=[^>]*\bt=[\"']e[\"'])[^>]*\br=[\"']([A-Z]+)([0-9]+)[\"']"
)
_SHEET = re.compile(rb"<(?:\w+:)?sheet\b[^>]*\br:id=[\"']([^\"']+)[\"']", re.IGNORECASE)
_RELATION = re.compile(rb"<(?:\w+:)?Relationship\b([^>]*)>", re.IGNORECASE)
_ATTRIBUTE = re.compile(rb"(\w+)=[\"']([^\"']*)[\"']")


@dataclass(frozen=True, slots=True)
class XlsxReader:
    """Rows and rejects of workbooks."""

    def items(self, file: FileAt, data: bytes) -> Iterator[RawRow | Rejected]:
        try:
            header, rows, errors = _opened(file, data)
            columns = columns_of(header, file.table)
        except RecordError as error:
            yield file.aside(None, error.place.field, error)
            return
        for number, cells in rows:
            if any(cell != "" for cell in cells):
                yield _row(file, number, cells, columns, errors)

    def head(self, file: FileAt, data: bytes, limit: int) -> Head:
        header, rows, _ = _opened(file, data)
        filled = (cells for _, cells in rows if any(cell != "" for cell in cells))
        seen = tuple(
            {name: _seen(cell) for name, cell in zip(header, cells, strict=False)}
            for cells in islice(filled, limit)
        )
        return tuple(SeenColumn(name) for name in header), seen

    def notes(self, file: FileAt, data: bytes) -> tuple[str, ...]:
        """Sheets that are not read, where the site file does not name one."""
        if file.table.sheet:
            return ()
        try:
            names = _workbook(data).sheet_names
        except RecordError:
            return ()
        if len(names) < 2:
            return ()
        return (f"{file.name} 有 {len(names)} 张表，只读第一张 {names[0]}；要读别的请写 sheet",)

    def beside(self, path: Path) -> tuple[Path, ...]:  # noqa: ARG002
        return ()


Errors = frozenset[tuple[int, int]]
"""(row from 1, column from 0) of the cells that show an error."""


def _opened(
    file: FileAt, data: bytes
) -> tuple[list[str], Iterator[tuple[int, Sequence[Any]]], Errors]:
    """Headings, (row number, cells) below them, and the error cells."""
    book = _workbook(data)
    name = file.table.sheet or (book.sheet_names[0] if book.sheet_names else "")
    if name not in book.sheet_names:
        raise RecordError(
            f"工作簿里没有名为 {name} 的表；有：{'、'.join(book.sheet_names[:20])}",
            remedy="核对站点文件的 sheet，或改表名",
        )
    sheet = book.get_sheet_by_name(name)
    first_column = sheet.start[1] if sheet.start else 0
    rows = enumerate(sheet.iter_rows(), start=1)
    header, number = _header(rows)
    merged = sheet.merged_cell_ranges or ()
    if "" in header and any(top < number <= bottom + 1 for (top, _), (bottom, _) in merged):
        raise RecordError(
            f"第{number}行的表头有合并单元格", remedy="取消合并，让每列在同一行有自己的名字"
        )
    errors = frozenset(
        (row, column - first_column) for row, column in _error_cells(data, book, name)
    )
    return header, rows, errors


def _header(rows: Iterator[tuple[int, Sequence[Any]]]) -> tuple[list[str], int]:
    """The first row that is not blank, and its number."""
    for number, cells in rows:
        header = [_heading(cell) for cell in cells]
        if any(header):
            return header, number
    raise RecordError("表里没有内容", remedy="重新导出；至少要有表头")


def _workbook(data: bytes) -> Any:
    if data.startswith(_ENCRYPTED):
        raise RecordError(
            "这是旧格式 .xls，或者带打开密码的工作簿", remedy="去掉密码，另存为 .xlsx 后重新导出"
        )
    if not data.strip():
        raise RecordError("文件是空的", remedy="重新导出；至少要有表头")
    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(data))
    except CalamineError:
        raise RecordError(
            "文件不是工作簿，或已损坏", remedy="用表格软件打开另存为 .xlsx；文本导出请用 kind csv"
        ) from None


def _heading(cell: Any) -> str:
    return cell.strip() if isinstance(cell, str) else _text(cell, "表头") if cell != "" else ""


def _row(
    file: FileAt, number: int, cells: Sequence[Any], columns: dict[str, int], errors: Errors
) -> RawRow | Rejected:
    place = RowPlace(file.name, number, file.raw_hash)
    values: dict[str, str] = {}
    column = ""
    try:
        for column, index in columns.items():
            if (number, index) in errors:
                raise RecordError(
                    f"列 {column} 的单元格显示错误值（如 #N/A）",
                    remedy="在表格里改好公式或补上值后重新导出",
                )
            values[column] = _text(cells[index] if index < len(cells) else "", column)
        column = file.table.key
        return raw_row(file.table, place, values)
    except RecordError as error:
        return file.aside(number, column, error)


def _text(cell: Any, column: str) -> str:
    """One cell as text. RecordError for what a workbook has already spoilt."""
    if isinstance(cell, str):
        if "\x00" in cell:
            raise RecordError(f"列 {column} 含有 NUL 字节", remedy="清除该字段中的控制字符")
        if len(cell) > MAX_CELL:
            raise RecordError(f"列 {column} 的内容超过 1 MB", remedy="该列不应存放大段文本")
        return cell
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, int | float):
        if abs(cell) >= 10**DIGITS:
            raise RecordError(
                f"列 {column} 是超过 {DIGITS} 位的数字，末几位已经丢失",
                remedy="导出时把这一列设为文本格式",
            )
        whole = isinstance(cell, int) or cell.is_integer()
        return str(int(cell)) if whole else repr(cell)
    if isinstance(cell, datetime):
        return cell.isoformat(sep=" ")
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        seconds = int(cell.total_seconds())
        return f"{seconds // 3600}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
    return str(cell)


def _seen(cell: Any) -> Any:
    return _text(cell, "") if isinstance(cell, timedelta) else cell


def _error_cells(data: bytes, book: Any, name: str) -> Iterator[tuple[int, int]]:
    """The reader gives an empty text for a cell that shows an error; the file itself says so."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            for part in _parts_of(archive, book.sheet_names.index(name)):
                for letters, digits in _ERROR_CELL.findall(archive.read(part)):
                    yield int(digits), _column(letters.decode("ascii"))
    except (zipfile.BadZipFile, KeyError):
        raise RecordError(
            "文件不是 .xlsx 格式的工作簿", remedy="用表格软件打开，另存为 .xlsx 后重新导出"
        ) from None


def _parts_of(archive: zipfile.ZipFile, place: int) -> list[str]:
    """Where the sheet at a place in the book stands in the file.

    Its number says nothing once sheets were moved: the book names a relation, the relation a part.
    Where that cannot be followed, every sheet is looked at: rather a row too many set aside.
    """
    ids = _SHEET.findall(archive.read("xl/workbook.xml"))
    targets = {
        found[b"id"]: found[b"target"]
        for relation in _RELATION.findall(archive.read("xl/_rels/workbook.xml.rels"))
        if (found := dict(_ATTRIBUTE.findall(relation.lower()))).keys() >= {b"id", b"target"}
    }
    every = [part for part in archive.namelist() if part.startswith("xl/worksheets/")]
    if place >= len(ids):
        return every
    target = targets.get(ids[place].lower(), b"").decode("ascii", "strict")
    wanted = target.removeprefix("/xl/").removeprefix("xl/")
    return [part for part in every if part.lower() == f"xl/{wanted}"] or every


def _column(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number - 1


def _open(spec: SourceSpec, password: Secret[str] | None) -> SourceAdapter:  # noqa: ARG001
    sheets = ",".join(f"{name}={table.sheet}" for name, table in sorted(spec.tables.items()))
    return FolderSource(spec, XlsxReader(), f"xlsx:{sheets}")


ADAPTER = AdapterKind("xlsx", _open, "folder", whole_objects=True)

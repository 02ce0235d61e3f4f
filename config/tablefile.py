"""Tables that people keep in files: CSV (UTF-8 or GB18030) and workbooks, row by row.

Nothing is decoded with errors ignored. Row numbers are those a person sees in the file: the line
on which a CSV record begins, the row of a worksheet.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources.abc import Traversable
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

from dipgate.core.codes import tidy
from dipgate.core.errors import ConfigError, Place, RecordError
from dipgate.core.hashing import bytes_hash
from dipgate.core.system_words import system_sentence

if TYPE_CHECKING:
    from python_calamine import CalamineWorkbook

MAX_CELL = 1_000_000
"""Characters of one cell; a longer one is an unclosed quote or a broken export."""
_TITLE_ROWS = 5
"""The headings stand in one of the first rows: exports often put a title above them."""
_WORKBOOK_MAGIC = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")

Row = tuple[int, Sequence[Any]]


class NumberText(str):
    """Text of a cell that was stored as a number: leading and trailing zeros may be gone."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Column:
    """One wanted column: the headings it may stand under, the best first."""

    name: str
    headings: tuple[str, ...]
    required: bool = False


@dataclass(frozen=True, slots=True)
class Sheet:
    """A table with its headings found. `rows` gives (row number, wanted cells as text)."""

    file: str
    """File name, with the sheet's name for a workbook."""
    found: tuple[str, ...]
    """Names of the wanted columns that the file has, in the order of the wish."""
    headings: tuple[str, ...]
    """The headings those columns have in the file."""
    rows: Iterator[tuple[int, tuple[str, ...] | RecordError]]
    """A row that cannot be cut into cells comes as its error; the rest goes on."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """A file's bytes, read once: what is hashed is what is parsed."""

    name: str
    data: bytes

    @property
    def sha256(self) -> str:
        return bytes_hash(self.data)

    @property
    def is_workbook(self) -> bool:
        return self.data.startswith(_WORKBOOK_MAGIC)


def read_file(path: Traversable) -> TableFile:
    """The whole file. ConfigError when it is not there or cannot be read."""
    try:
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise ConfigError(f"没有文件 {path}", path=str(path)) from error
    except IsADirectoryError as error:
        raise ConfigError(f"{path} 是目录，需要一个 CSV 或 XLSX 文件", path=str(path)) from error
    except OSError as error:
        sentence = system_sentence(f"读不了文件 {path}", error)
        raise ConfigError(sentence, path=str(path)) from error
    return TableFile(path.name, data)


def find_table(file: TableFile, shapes: Sequence[Sequence[Column]]) -> tuple[int, Sheet]:
    """The first sheet whose headings fit one of the shapes → (which shape, the sheet).

    Raises RecordError when no heading row fits: it names the missing columns of the nearest shape
    and the columns found; when a cell or byte cannot be read, with its row.
    """
    nearest: RecordError | None = None
    for name, rows in _sheets(file):
        head = list(islice(rows, _TITLE_ROWS))
        for at, (_, cells) in enumerate(head):
            for number, columns in enumerate(shapes):
                wanted = _match(columns, cells, name)
                if wanted is not None:
                    rest = chain(head[at + 1 :], rows)
                    found = tuple(column.name for column, _ in wanted)
                    positions = [position for _, position in wanted]
                    headings = tuple(_cell_text(cells[position]).strip() for position in positions)
                    picked = _picked(rest, positions, len(cells), name)
                    return number, Sheet(name, found, headings, picked)
        if nearest is None and head:
            nearest = _no_heading(shapes, head, name)
    if nearest is None:
        raise RecordError("文件是空的", place=Place(file.name), remedy="确认导出的文件含有数据")
    raise nearest


def heading_key(text: str) -> str:
    """Headings are compared without blanks, width and case: ` ＩＣＤ 编码` is `icd编码`."""
    return "".join(tidy(text).split()).casefold()


def _match(
    columns: Sequence[Column], cells: Sequence[Any], file: str
) -> list[tuple[Column, int]] | None:
    """Wanted columns → positions; None when a required one is missing."""
    keys = [heading_key(_cell_text(cell)) for cell in cells]
    wanted: list[tuple[Column, int]] = []
    for column in columns:
        for heading in column.headings:
            key = heading_key(heading)
            if key not in keys:
                continue
            if keys.count(key) > 1:
                raise RecordError(
                    f"列名“{heading}”出现了{keys.count(key)}次",
                    place=Place(file),
                    remedy="给重复的列换一个名字，或删去多余的一列",
                )
            wanted.append((column, keys.index(key)))
            break
        else:
            if column.required:
                return None
    return wanted


def _no_heading(shapes: Sequence[Sequence[Column]], head: Sequence[Row], file: str) -> RecordError:
    def missing(columns: Sequence[Column], cells: Sequence[Any]) -> list[Column]:
        keys = {heading_key(_cell_text(cell)) for cell in cells}
        return [
            column
            for column in columns
            if column.required and not keys.intersection(map(heading_key, column.headings))
        ]

    absent, (row, cells) = min(
        ((missing(columns, line[1]), line) for columns in shapes for line in head),
        key=lambda item: len(item[0]),
    )
    names = "；".join("、".join(column.headings[:3]) for column in absent)
    there = "、".join(text for text in map(_cell_text, cells) if text) or "（空行）"
    return RecordError(
        f"缺少列：{names}（每列写出了可用的列名）；文件里的列是：{there[:300]}",
        place=Place(file, row),
        remedy="改用所列的列名，或换成正确的文件",
    )


def _picked(
    rows: Iterator[Row], positions: list[int], width: int, file: str
) -> Iterator[tuple[int, tuple[str, ...] | RecordError]]:
    """Wanted cells as text. Cells beyond the headings are an error, missing ones are empty."""
    for number, cells in rows:
        size = len(cells)
        if size > width and any(cell not in ("", None) for cell in cells[width:]):
            yield (
                number,
                RecordError(
                    f"有{size}个单元格，表头只有{width}个",
                    place=Place(file, number),
                    remedy="检查分隔符和引号；值里的逗号要用双引号括住",
                ),
            )
            continue
        wanted = [cells[at] if at < size else "" for at in positions]
        texts = tuple([cell if type(cell) is str else _cell_text(cell) for cell in wanted])
        if any([len(text) > MAX_CELL for text in texts]):
            yield (
                number,
                RecordError(
                    f"单元格超过{MAX_CELL}个字符",
                    place=Place(file, number),
                    remedy="检查这一行的各格；去掉粘进去的多余内容",
                ),
            )
            continue
        yield number, texts


def _cell_text(cell: Any) -> str:
    """A cell → text; numbers come marked as `NumberText`, whole ones without a point."""
    if isinstance(cell, str):
        return cell
    if cell is None:
        return ""
    if isinstance(cell, bool):
        return "1" if cell else "0"
    if isinstance(cell, (int, float)):
        return NumberText(int(cell) if cell == int(cell) else repr(cell))
    if isinstance(cell, datetime):
        return cell.strftime("%Y-%m-%d %H:%M:%S") if cell.time() else cell.strftime("%Y-%m-%d")
    if isinstance(cell, date):
        return cell.isoformat()
    return str(cell)


def _sheets(file: TableFile) -> Iterator[tuple[str, Iterator[Row]]]:
    if file.is_workbook:
        yield from _workbook_sheets(file)
    else:
        yield file.name, _csv_rows(file)


def workbook(file: TableFile) -> Mapping[str, tuple[Row, ...]]:
    """Every worksheet of a workbook: its rows that are not blank, with their row numbers.

    Raises RecordError when the file is no workbook that can be read.
    """
    book = _opened(file)
    return {name: tuple(_sheet_rows(book, name, file)) for name in book.sheet_names}


def sheet_at(
    label: str, rows: Sequence[Row], columns: Sequence[Column], first_row: int
) -> Sheet | None:
    """A table whose data begin in a given row, its headings in the nearest row above that has them.

    None when no row above has the required ones.
    """
    for number, cells in reversed(rows):
        wanted = _match(columns, cells, label) if number < first_row else None
        if wanted is None:
            continue
        positions = [position for _, position in wanted]
        return Sheet(
            label,
            tuple(column.name for column, _ in wanted),
            tuple(_cell_text(cells[position]).strip() for position in positions),
            _picked((row for row in rows if row[0] >= first_row), positions, len(cells), label),
        )
    return None


def texts(cells: Sequence[Any]) -> tuple[str, ...]:
    """Cells of one row as text; numbers come marked as `NumberText`."""
    return tuple(map(_cell_text, cells))


def _workbook_sheets(file: TableFile) -> Iterator[tuple[str, Iterator[Row]]]:
    book = _opened(file)
    for name in book.sheet_names:
        label = file.name if len(book.sheet_names) == 1 else f"{file.name}[{name}]"
        yield label, _sheet_rows(book, name, file)


def _opened(file: TableFile) -> CalamineWorkbook:
    from python_calamine import CalamineError, CalamineWorkbook, PasswordError

    try:
        return CalamineWorkbook.from_filelike(io.BytesIO(file.data))
    except PasswordError as error:
        raise RecordError(
            "工作簿有密码", place=Place(file.name), remedy="去掉密码另存后再导入"
        ) from error
    except CalamineError as error:
        raise RecordError(
            "不是能读的 Excel 工作簿", place=Place(file.name), remedy="用 Excel 打开并另存为 .xlsx"
        ) from error


def _sheet_rows(book: CalamineWorkbook, name: str, file: TableFile) -> Iterator[Row]:
    from python_calamine import CalamineError

    try:
        cells = book.get_sheet_by_name(name).to_python(skip_empty_area=False)
    except CalamineError as error:
        raise RecordError(
            f"工作表 {name} 已损坏", place=Place(file.name), remedy="用 Excel 打开并另存"
        ) from error
    return _not_blank(enumerate(cells, start=1))


def _not_blank(rows: Iterator[tuple[int, list[Any]]]) -> Iterator[Row]:
    return (row for row in rows if any(cell not in ("", None) for cell in row[1]))


def _csv_rows(file: TableFile) -> Iterator[Row]:
    text = _decoded(file)
    first = "\n".join(text.split("\n", _TITLE_ROWS)[:_TITLE_ROWS])
    delimiter = max(",\t;", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    # The limit is the csv module's own global; it only ever grows here.
    csv.field_size_limit(max(MAX_CELL, csv.field_size_limit()))
    while True:
        number = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            long = "field larger" in str(error)
            raise RecordError(
                f"单元格超过{MAX_CELL}个字符" if long else "引号不成对，这一行读不开",
                place=Place(file.name, number),
                remedy="检查这一行起的双引号是否缺一个；值里的引号要写成两个",
            ) from error
        if any(cells):
            yield number, cells


def _decoded(file: TableFile) -> str:
    """Strict UTF-8, then strict GB18030. RecordError names the row of the first bad byte."""
    data = file.data
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise RecordError(
            "文件是 UTF-16 编码", place=Place(file.name), remedy="另存为“CSV UTF-8”后再导入"
        )
    at = data.find(b"\0")
    if at >= 0:
        raise RecordError(
            "有空字节（NUL），不是文本文件",
            place=Place(file.name, data.count(b"\n", 0, at) + 1),
            remedy="确认是 CSV 或 XLSX 文件，重新导出",
        )
    furthest = 0
    decoders: tuple[Callable[[], str], ...] = (
        lambda: data.decode("utf-8-sig"),
        lambda: data.decode("gb18030"),
    )
    for decode in decoders:
        try:
            return decode()
        except UnicodeDecodeError as error:
            furthest = max(furthest, error.start)
    raise RecordError(
        "既不是 UTF-8 也不是 GB18030 编码",
        place=Place(file.name, data.count(b"\n", 0, furthest) + 1),
        remedy="另存为“CSV UTF-8”后再导入；不会跳过读不出的字节",
    )

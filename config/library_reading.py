"""Rows of a library's files, gathered: what may not repeat, and what must refer to another row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from dipgate.config.library_ops import Grammar
from dipgate.config.library_rows import FIELDS, BadCell, Cells, Shape, key_of_row
from dipgate.config.row_errors import RowErrors
from dipgate.config.tablefile import Sheet
from dipgate.core.errors import RecordError

OPERATIONS = ("main_ops", "other_ops", "op_expression")
NATIONAL = ("XQ", "BX", "FZ", "JC")
Stored = tuple[object, ...]
"""Row number, then `FIELDS`."""


@dataclass(slots=True)
class Gathered:
    """Rows of all files of one import, in order."""

    rows: list[Stored] = field(default_factory=list)
    places: dict[str, tuple[str, int]] = field(default_factory=dict)
    """Group code → file and row."""
    keys: dict[tuple[object, ...], str] = field(default_factory=dict)
    """Key of a row → its group code."""
    numbers: dict[int, str] = field(default_factory=dict)
    """Number of the national scheme → group code."""

    def take(self, file: str, row: int, values: Sequence[str], number: int | None = None) -> None:
        """Keep one row. BadCell when its code, key or national number is there already."""
        value = dict(zip(FIELDS, values, strict=True))
        code = value["group_code"]
        there = self.places.get(code)
        if there is not None:
            where = _where(there, file)
            raise BadCell(
                "group_code", f"病种“{code[:60]}”与{where}重复", "删去重复的一行，或改正编码"
            )
        key = key_of_row(value)
        twin = self.keys.get(key)
        if twin is not None:
            where = _where(self.places[twin], file)
            raise BadCell(
                "dx_code",
                f"病种“{code[:60]}”的诊断、手术操作和条件与{where}的“{twin[:60]}”完全相同",
                "只留对的一行；辅助分型的行要写上级病种和分型，按手术级别分的综合病种要写手术级别",
            )
        if number is not None:
            same = self.numbers.setdefault(number, code)
            if same != code:
                where = _where(self.places[same], file)
                raise BadCell("seq", f"序号{number}与{where}重复", "改正序号")
        self.places[code] = (file, row)
        self.keys[key] = code
        self.rows.append((row, *values))

    def counts(self) -> dict[str, int]:
        """Rows by kind."""
        at = 1 + FIELDS.index("kind")
        return dict(Counter(str(row[at]) for row in self.rows))

    def check_parents(self) -> None:
        """Raises BadRows when a sub-row names a group that is not there, or another sub-row."""
        code_at, parent_at = (1 + FIELDS.index(name) for name in ("group_code", "parent_code"))
        parents = {str(row[code_at]): str(row[parent_at]) for row in self.rows}
        errors: dict[str, RowErrors] = {}
        for code, parent in parents.items():
            if not parent:
                continue
            if parent not in parents:
                what = f"上级病种“{parent[:60]}”不在目录里"
            elif parents[parent]:
                what = f"上级病种“{parent[:60]}”自己也是辅助分型的行"
            else:
                continue
            file, row = self.places[code]
            found = errors.setdefault(file, RowErrors(file))
            found.add(row, "parent_code", what, "改正上级病种编码")
        for found in errors.values():
            found.check()


def _where(there: tuple[str, int], file: str) -> str:
    return f"第{there[1]}行" if there[0] == file else f"{there[0]} 第{there[1]}行"


def read_rows(
    gathered: Gathered, sheet: Sheet, shape: Shape, counted: Callable[[int], None]
) -> None:
    """Read one table into `gathered`. Raises BadRows with every broken row of the table."""
    headings = {column.name: column.headings[0] for column in shape.columns}
    headings |= zip(sheet.found, sheet.headings, strict=True)
    if "group_code" not in sheet.found:
        headings["group_code"] = headings.get("seq", "group_code")
    errors = RowErrors(sheet.file)
    grammars = {name: Grammar(shape.grammars) for name in OPERATIONS}
    for row, cells in sheet.rows:
        if isinstance(cells, RecordError):
            errors.take(cells)
            continue
        try:
            value = Cells(dict(zip(sheet.found, cells, strict=True)))
            values = shape.read(value)
            check_separators(grammars, row, values)
            gathered.take(
                sheet.file, row, values, int(value.text("seq")) if shape.numbered else None
            )
        except BadCell as bad:
            errors.add(row, headings[bad.column], bad.what, bad.remedy)
        counted(1)
    errors.check()


def check_separators(grammars: Mapping[str, Grammar], row: int, values: Sequence[str]) -> None:
    """BadCell when an expression does not fit the grammar of its column so far."""
    for name in OPERATIONS:
        text = values[FIELDS.index(name)]
        what = grammars[name].mixed(row, text) if text else None
        if what:
            raise BadCell(name, what, "一个文件只用一种写法：A+B/C，或 A|B+C，或 A,B")


def gaps(numbers: Iterable[int]) -> tuple[str, ...]:
    """Spans of numbers missing from the national numbering, from 1: ("21–1595", …)."""
    found = []
    ordered = sorted(numbers)
    for before, after in zip([0, *ordered], ordered, strict=False):
        if after - before > 1:
            low, high = before + 1, after - 1
            found.append(f"{low}" if low == high else f"{low}–{high}")
    return tuple(found)

"""The national 3.0 workbook: its sheets, second headings, counts and lists (dip-grouping.md 16).

What the workbook must hold is data: `config/workbooks/dip-3.0.yaml`. Whatever does not agree is
refused with the sheet, what was expected and what was found.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dipgate.config.library_ops import DNF, Grammar
from dipgate.config.library_parts import KINDS, Part, part_rows
from dipgate.config.library_reading import OPERATIONS, Gathered, check_separators
from dipgate.config.library_rows import CONSERVATIVE, FIELDS, BadCell, Cells
from dipgate.config.resources import resource_text
from dipgate.config.row_errors import RowErrors
from dipgate.config.strict_model import StrictModel, read_model
from dipgate.config.strict_yaml import parse_yaml
from dipgate.config.tablefile import (
    Column,
    NumberText,
    Row,
    Sheet,
    TableFile,
    heading_key,
    sheet_at,
    texts,
)
from dipgate.core.codes import tidy
from dipgate.core.errors import Place, RecordError


class GroupSheet(StrictModel):
    sheet: str
    layer: str
    first_row: int
    rows: int
    columns: tuple[str, ...]
    second_heading_row: int | None = None
    second_columns: tuple[str, ...] = ()


class PartSheet(StrictModel):
    sheet: str
    part: str
    first_row: int
    rows: int


class Facts(StrictModel):
    """`config/workbooks/dip-3.0.yaml`. `evidence`: grade by kind of fact."""

    edition: str
    evidence: Mapping[str, str]
    last_number: int
    known_copies: tuple[str, ...]
    groups: tuple[GroupSheet, ...]
    parts: tuple[PartSheet, ...]
    headings: Mapping[str, tuple[str, ...]]

    def rows_by_layer(self) -> dict[str, int]:
        found: dict[str, int] = {}
        for sheet in self.groups:
            found[sheet.layer] = found.get(sheet.layer, 0) + sheet.rows
        return found

    def rows_by_part(self) -> dict[str, int]:
        return {sheet.part: sheet.rows for sheet in self.parts}


def facts() -> Facts:
    """What the national 3.0 workbook must hold."""
    name = "dip-3.0.yaml"
    document = parse_yaml(resource_text("workbooks", name), file=name)
    return read_model(Facts, document.value, file=name, line_of=document.line_of)


@dataclass(frozen=True, slots=True)
class Found:
    """What a workbook gave beside its groups."""

    parts: tuple[Part, ...]
    notes: tuple[str, ...]


def is_national(known: Facts, sheets: Mapping[str, tuple[Row, ...]]) -> bool:
    """Whether a workbook has one of the national sheets of groups."""
    names = {_name(name) for name in sheets}
    return any(_name(sheet.sheet) in names for sheet in known.groups)


def read_workbook(
    gathered: Gathered,
    table: TableFile,
    sheets: Mapping[str, tuple[Row, ...]],
    known: Facts,
    *,
    partial: bool,
) -> Found:
    """Read the national workbook: groups into `gathered`, lists as parts.

    `partial`: sheets may be missing and counts differ. Raises RecordError naming the sheet, what
    was expected and what was found; BadRows with every broken row of a sheet.
    """
    by_name = {_name(name): (name, rows) for name, rows in sheets.items()}
    wanted = [item.sheet for item in known.groups] + [item.sheet for item in known.parts]
    missing = [name for name in wanted if _name(name) not in by_name]
    if missing and not partial:
        raise RecordError(
            f"缺少工作表 {'、'.join(missing)}（应有{len(wanted)}个）；"
            f"文件里的工作表：{'、'.join(sheets)[:300]}",
            place=Place(table.name),
            remedy="换成完整的方案；确为节选时加 --partial",
        )
    notes = [f"节选：没有工作表 {'、'.join(missing)}"] if missing else []
    number = 0
    for sheet in known.groups:
        if _name(sheet.sheet) in by_name:
            name, rows = by_name[_name(sheet.sheet)]
            number = _read_groups(
                gathered, f"{table.name}[{name}]", rows, sheet, known, number, partial=partial
            )
    if not partial and number != known.last_number:
        raise RecordError(
            f"序号应到{known.last_number}，文件到{number}",
            place=Place(table.name),
            remedy="换成完整的方案；确为节选时加 --partial",
        )
    parts = []
    for part in known.parts:
        if _name(part.sheet) in by_name:
            name, rows = by_name[_name(part.sheet)]
            parts.append(_read_part(table, f"{table.name}[{name}]", rows, part, partial=partial))
    if not partial and table.sha256 not in known.known_copies:
        notes.append("行数与国家方案一致，但文件的 SHA-256 不是已知副本的；请核对来源")
    return Found(tuple(parts), tuple(notes))


# --- groups --------------------------------------------------------------------------------

_NAMED = ("main", "related", "any_op")
_DAYS = re.compile(r"[<≤]?\s*(\d{1,3})\s*天?")
_WEIGHT = re.compile(r"(\d{1,4})\D{1,12}(\d{1,4})\D{0,8}")
_BREAK = re.compile(r"(_x000D_|\r|\n)+")
_YES_NO = {"是": "是", "否": "否", "1": "是", "0": "否"}


def _read_groups(
    gathered: Gathered,
    label: str,
    rows: Sequence[Row],
    spec: GroupSheet,
    known: Facts,
    number: int,
    *,
    partial: bool,
) -> int:
    """Read one sheet of groups → its last number. `number`: the last one before it."""
    tables = _tables(label, rows, spec, known, partial=partial)
    errors = RowErrors(label)
    grammars = {name: Grammar(DNF) for name in OPERATIONS}
    count = 0
    for sheet in tables:
        headings = dict(zip(sheet.found, sheet.headings, strict=True))
        for row, cells in sheet.rows:
            count += 1
            if isinstance(cells, RecordError):
                errors.take(cells)
                continue
            try:
                value = Cells(dict(zip(sheet.found, map(_one_line, cells), strict=True)))
                seq, values = _group(value, spec.layer)
                check_separators(grammars, row, values)
                if seq <= number or (seq != number + 1 and not partial):
                    raise BadCell("seq", f"序号应为{number + 1}，这里是{seq}", "改正序号")
                number = seq
                gathered.take(label, row, values, seq)
            except BadCell as bad:
                name = _COLUMN_OF.get(bad.column, bad.column)
                errors.add(row, headings.get(name, name), bad.what, bad.remedy)
    errors.check()
    _check_count(label, spec.rows, count, partial=partial)
    return number


def _tables(
    label: str, rows: Sequence[Row], spec: GroupSheet, known: Facts, *, partial: bool
) -> tuple[Sheet, ...]:
    """The table of a sheet; two where a second heading row divides it."""
    if not spec.second_columns:
        return (_table(label, rows, spec.columns, known, spec.first_row),)
    second = [
        number
        for number, cells in rows
        if number >= spec.first_row and _has(cells, spec.second_columns, known)
    ]
    expected = spec.second_heading_row
    if second != [expected] and not (partial and len(second) <= 1):
        there = "、".join(f"第{number}行" for number in second) or "没有找到"
        raise RecordError(
            f"第{expected}行应是第二个表头（{_shown(spec.second_columns[-2:], known)}），{there}",
            place=Place(label),
            remedy="换成完整的方案；确为节选时加 --partial",
        )
    if not second:
        return (_table(label, rows, spec.columns, known, spec.first_row),)
    above = [line for line in rows if line[0] < second[0]]
    return (
        _table(label, above, spec.columns, known, spec.first_row),
        _table(label, rows, spec.second_columns, known, second[0] + 1),
    )


def _table(
    label: str, rows: Sequence[Row], names: Sequence[str], known: Facts, first_row: int
) -> Sheet:
    columns = [Column(name, known.headings[name], required=True) for name in names]
    for name in ("dx_name", "note", *(f"{name}_name" for name in _NAMED if name in names)):
        if name not in names:
            columns.append(Column(name, known.headings[name]))
    found = sheet_at(label, rows, columns, first_row)
    if found is None:
        raise _no_headings(label, rows, columns, first_row)
    return found


def _has(cells: Sequence[object], names: Sequence[str], known: Facts) -> bool:
    keys = {heading_key(text) for text in texts(cells)}
    return all(
        keys.intersection(heading_key(heading) for heading in known.headings[name])
        for name in names
    )


def _group(cells: Cells, layer: str) -> tuple[int, tuple[str, ...]]:
    """One row → (number, values as stored), as `library_rows.national_row` stores its rows."""
    category = cells.filled("category").upper()
    if category != layer:
        raise BadCell("category", f"分类应为 {layer}，这里是“{category[:30]}”", "核对这一行")
    seq = cells.filled("seq").removesuffix(".0")
    if not (seq.isascii() and seq.isdigit()):
        raise BadCell("seq", f"序号“{seq[:30]}”不是整数", "改成方案里的序号")
    main_column = "any_op" if "any_op" in cells.values else "main"
    main, related = cells.choice(main_column), cells.choice("related")
    if related and not main:
        raise BadCell("related", "有相关手术操作，没有主要手术操作", "核对这一行")
    conservative = layer == "JC" and not main
    value = dict.fromkeys(FIELDS, "")
    value |= {
        "group_code": f"{layer}-{int(seq)}",
        "kind": layer,
        "dx_code": cells.dx_text("dx"),
        "dx_name": cells.text("dx_name") or cells.text("burn_degree") or cells.text("group_name"),
        "main_ops": main,
        "main_op_names": cells.text(f"{main_column}_name"),
        "other_ops": related,
        "other_op_names": cells.text("related_name"),
        "treatment_class": CONSERVATIVE if conservative else "",
        "secondary_dx": cells.dx_text("secondary", required=False),
        "condition": _condition(cells),
        "group_name": cells.text("group_name"),
    }
    return int(seq), tuple(value[name] for name in FIELDS)


def _condition(cells: Cells) -> str:
    """The condition in the words of the CSV form, from the columns of the sheet."""
    there = cells.values
    if "birth_weight" in there:
        days = _DAYS.fullmatch(tidy(cells.filled("age_days")))
        if days is None:
            raise BadCell("age_days", f"天龄“{cells.text('age_days')[:30]}”看不懂", "写成 <29天")
        weight = _WEIGHT.fullmatch(tidy(cells.filled("birth_weight")))
        if weight is None or int(weight[1]) > int(weight[2]):
            raise BadCell(
                "birth_weight",
                f"出生体重“{cells.text('birth_weight')[:30]}”看不懂",
                "写成 1000-1499克",
            )
        return (
            f"天龄<{days[1]}天；出生体重{weight[1]}-{weight[2]}克；诊断中包含P07，不限定为主要诊断"
        )
    if "burn_degree" in there:
        return f"{cells.filled('burn_degree')}；{cells.filled('burn_area')}"
    if "secondary_name" in there:
        return f"其他诊断：{cells.filled('secondary_name')}"
    if "resistant" in there:
        answer = _YES_NO.get(cells.filled("resistant"))
        if answer is None:
            raise BadCell("resistant", "是否耐药应为“是”或“否”", "核对这一行")
        return f"耐药={answer}：{cells.text('resistant_note')}"
    return cells.text("note")


_COLUMN_OF = {
    "dx_code": "dx",
    "main_ops": "main",
    "other_ops": "related",
    "group_code": "seq",
}
"""Column of a stored row → column of the sheet that it comes from."""


def _one_line(text: str) -> str:
    """Cells of the workbook are broken into lines for print; codes and names are not."""
    if type(text) is NumberText or not _BREAK.search(text):
        return text
    return _BREAK.sub("", text)


# --- lists ---------------------------------------------------------------------------------


def _read_part(
    table: TableFile, label: str, rows: Sequence[Row], spec: PartSheet, *, partial: bool
) -> Part:
    kind = KINDS[spec.part]
    columns = [cell.column for cell in kind.cells]
    sheet = sheet_at(label, rows, columns, spec.first_row)
    if sheet is None:
        raise _no_headings(label, rows, columns, spec.first_row)
    body = tuple(
        (row, cells if isinstance(cells, RecordError) else tuple(map(_one_line, cells)))
        for row, cells in sheet.rows
    )
    _check_count(label, spec.rows, len(body), partial=partial)
    stored, notes = part_rows(kind, Sheet(label, sheet.found, sheet.headings, iter(body)))
    return Part(kind, label, table.sha256, stored, notes)


# --- refusals ------------------------------------------------------------------------------


def _check_count(label: str, expected: int, found: int, *, partial: bool) -> None:
    if found != expected and not partial:
        raise RecordError(
            f"应有{expected}行数据，找到{found}行",
            place=Place(label),
            remedy="换成完整的方案；确为节选时加 --partial",
        )


def _no_headings(
    label: str, rows: Sequence[Row], columns: Sequence[Column], first_row: int
) -> RecordError:
    heading_row = first_row - 1
    cells = next((cells for number, cells in rows if number == heading_row), ())
    keys = {heading_key(text) for text in texts(cells)}
    absent = [
        next((heading for heading in column.headings if not heading.isascii()), column.name)
        for column in columns
        if column.required and not keys.intersection(map(heading_key, column.headings))
    ]
    there = "、".join(filter(None, texts(cells))) or "（空行）"
    return RecordError(
        f"第{first_row}行起应是数据，上面的表头缺少列：{'、'.join(absent)}；第{heading_row}行是：{there[:300]}",
        place=Place(label, heading_row),
        remedy="换成国家医保局公布的原文件；工作表的行不能增删",
    )


def _shown(names: Sequence[str], known: Facts) -> str:
    return "、".join(known.headings[name][0] for name in names)


def _name(sheet: str) -> str:
    """Names of sheets are compared without blanks, width and the kind of dash."""
    return re.sub(r"[-—–－﹣]+", "-", heading_key(sheet))

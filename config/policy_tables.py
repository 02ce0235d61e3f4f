"""Tables of a policy that stand in a CSV file beside it: `table: {table_file: k.csv}`.

The columns before `value` are the table's keys, in the policy's order; with `from` (a first day)
and `source` a number is dated. An average fee by level and group has thousands of rows: nobody
wants them in YAML.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from importlib.resources.abc import Traversable
from pathlib import Path
from types import MappingProxyType

from dipgate.config.strict_model import path_text
from dipgate.config.strict_yaml import YamlDocument
from dipgate.core.errors import ConfigError
from dipgate.core.money import decimal_of
from dipgate.core.params import MAX_TABLE_DEPTH, NOT_APPLICABLE

Where = tuple[str | int, ...]
KEY = "table_file"
MAX_BYTES = 50_000_000
_VALUE, _FROM, _SOURCE = "value", "from", "source"
_MONTH = re.compile(r"\d{4}(-(0[1-9]|1[0-2]))?")
POINT_VALUES = ("settlement", "point_value", "table")
_HOSPITAL = ("institution", "hospital", "level")
_GROUP = ("group", "group_code")
_POOL = ("pool",)
_HEADINGS: Mapping[Where, tuple[tuple[str, ...], ...]] = MappingProxyType(
    {
        ("scoring", "institution", "table"): (_HOSPITAL, (*_POOL, *_GROUP), _POOL),
        ("scoring", "institution", "group_factors"): (_GROUP,),
        ("scoring", "average_fee_table"): (_HOSPITAL, _GROUP),
        ("scoring", "average_fee_factor"): (_HOSPITAL, _POOL),
        ("scoring", "label_average_fees"): (_GROUP, ("label",)),
        ("settlement", "point_value", "budget"): (_POOL,),
        ("settlement", "fund_ratio"): (_POOL,),
        ("auxiliary", "coefficients"): (_GROUP, ("dimension",), ("label",)),
    }
)
"""Words for each key column in turn; those of the point values are the policy's price keys."""


@dataclass(frozen=True, slots=True)
class TableFile:
    """A CSV file that fills a table: its name, key columns, and the line of each key."""

    name: str
    place: str
    headings: tuple[str, ...]
    lines: dict[tuple[str, ...], int] = field(default_factory=dict)


def filled_tables(
    value: Mapping[str, object],
    source: Traversable,
    document: YamlDocument,
    tables: dict[Where, TableFile],
) -> dict[str, object]:
    """The value with every `{table_file: …}` replaced by the rows of that file.

    What was read from where is put into `tables` by the table's path.
    """
    return {key: _filled(item, source, document, (key,), tables) for key, item in value.items()}


def check_headings(tables: Mapping[Where, TableFile], price_keys: Sequence[str] | None) -> None:
    """Raises ConfigError where the key columns are not those of the table, in its order."""
    for path, table in tables.items():
        if path == POINT_VALUES:
            wanted: tuple[tuple[str, ...], ...] = tuple((key,) for key in price_keys or ())
        else:
            wanted = _HEADINGS.get(path, ())
        fits = len(table.headings) <= len(wanted) and all(
            heading in words for heading, words in zip(table.headings, wanted, strict=False)
        )
        if wanted and not fits:
            order = "、".join("/".join(words) for words in wanted)
            hint = "（按 price_keys 的次序）" if path == POINT_VALUES else ""
            raise ConfigError(
                f"{table.place} 第1行：键列是 {'、'.join(table.headings)}，"
                f"应依次为 {order}{hint}，再写 value",
                path=path_text(path),
            )


def _filled(
    value: object,
    source: Traversable,
    document: YamlDocument,
    path: Where,
    tables: dict[Where, TableFile],
) -> object:
    if not isinstance(value, dict):
        return value
    if KEY in value:
        line = document.line_of(path)
        place = f"{source.name} 第{line}行 {path_text(path)}"
        if len(value) > 1:
            raise ConfigError(f"{place}：写了 {KEY} 就不能再写别的键", path=path_text(path))
        text = _data(value[KEY], source, place)
        rows, tables[path] = _rows(text, str(value[KEY]), place, path_text(path))
        return rows
    return {
        key: _filled(item, source, document, (*path, key), tables) for key, item in value.items()
    }


def _data(name: object, source: Traversable, place: str) -> str:
    if not isinstance(source, Path):
        raise ConfigError(f"{place}：内置政策不能引用表文件", path=KEY)
    if not isinstance(name, str) or not name or "/" in name or "\\" in name or name[0] == ".":
        raise ConfigError(f"{place}：{KEY} 应写同一目录下的文件名，不是 {name!r}", path=KEY)
    file = source.parent / name
    if not file.is_file():
        raise ConfigError(f"{place}：没有文件 {name}，应放在 {source.name} 旁边", path=KEY)
    data = file.read_bytes()
    if len(data) > MAX_BYTES:
        raise ConfigError(f"{place}：{name} 太大（超过 {MAX_BYTES} 字节）", path=KEY)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigError(f"{place}：{name} 不是 UTF-8 编码；另存为 UTF-8", path=KEY) from error


def _rows(text: str, name: str, named: str, path: str) -> tuple[dict[str, object], TableFile]:
    place = f"{named} 的 {name}"
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(reader, [])]
        keys = header.index(_VALUE) if _VALUE in header else 0
        after = header[keys + 1 :]
        if not 0 < keys <= MAX_TABLE_DEPTH or set(after) - {_FROM, _SOURCE}:
            raise ConfigError(
                f"{place}：表头应为 1 到 {MAX_TABLE_DEPTH} 个键列、value，再加可选的 from、source",
                path=path,
            )
        found: dict[str, object] = {}
        table = TableFile(name, place, tuple(header[:keys]))
        for row in reader:
            if any(cell.strip() for cell in row):
                _put(found, header, keys, row, f"{place} 第{reader.line_num}行", path)
                key = tuple(cell.strip() for cell in row[:keys])
                table.lines.setdefault(key, reader.line_num)
    except csv.Error as error:
        raise ConfigError(f"{place} 第{reader.line_num}行：引号不成对", path=path) from error
    if not found:
        raise ConfigError(f"{place}：没有数据行", path=path)
    return found, table


def _put(
    found: dict[str, object], header: list[str], keys: int, row: list[str], place: str, path: str
) -> None:
    if len(row) != len(header):
        raise ConfigError(f"{place}：有 {len(row)} 列，表头有 {len(header)} 列", path=path)
    cells = dict(zip(header[keys:], (cell.strip() for cell in row[keys:]), strict=True))
    names = [cell.strip() for cell in row[:keys]]
    if not all(names):
        raise ConfigError(f"{place}：键列不能为空", path=path)
    _check_cells(dict(zip(header, map(str.strip, row), strict=True)), names, place, path)
    here = found
    for name in names[:-1]:
        below = here.setdefault(name, {})
        if not isinstance(below, dict):
            raise ConfigError(f"{place}：{name} 已经有数值，下面不能再分", path=path)
        here = below
    text: str | None = cells[_VALUE] or None
    day = cells.get(_FROM, "")
    if not day:
        if names[-1] in here:
            raise ConfigError(f"{place}：{'、'.join(names)} 重复", path=path)
        here[names[-1]] = text
        return
    series = here.setdefault(names[-1], {"values": {}})
    days = series.get("values") if isinstance(series, dict) else None
    if not isinstance(days, dict) or day in days:
        raise ConfigError(f"{place}：{'、'.join(names)} 重复", path=path)
    days[day] = {"value": text, "source": cells.get(_SOURCE, "")}


def _check_cells(cells: Mapping[str, str], names: list[str], place: str, path: str) -> None:
    """Number, first day and month of a row; a wrong one is told with the row's line."""
    key, text = "、".join(map(repr, names)), cells[_VALUE]
    if text and text != NOT_APPLICABLE:
        try:
            decimal_of(text)
        except ValueError as error:
            raise ConfigError(
                f"{place}：{key} 的 value {text!r} {error}；未知留空，没有这条规则写 n/a", path=path
            ) from None
    day, month = cells.get(_FROM, ""), cells.get("month")
    if day:
        try:
            date.fromisoformat(day)
        except ValueError:
            raise ConfigError(f"{place}：from {day!r} 不是 yyyy-MM-dd 的日期", path=path) from None
    if month is not None and not _MONTH.fullmatch(month):
        raise ConfigError(f"{place}：month {month!r} 应写成 2025-03，或全年 2025", path=path)

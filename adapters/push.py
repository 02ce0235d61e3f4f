"""Rows that the hospital's system pushes as JSON: one array of objects per canonical table.

`{"settlement": [{"结算ID": "…", …}], "charge": […]}` with the source column names of the site
file. This module parses bytes; the route that receives them belongs to the web. A number is taken
as it is written (`0.10` stays `0.10`), null is blank.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from dipgate.adapters.registry import AdapterKind
from dipgate.adapters.rows import RowPlace, codec_of, raw_row, rejected, surely_utf8
from dipgate.adapters.views import cell_text
from dipgate.core.errors import RecordError
from dipgate.core.record import (
    TABLES,
    Cell,
    RawRow,
    ReadReport,
    Rejected,
    SeenColumn,
    SeenTable,
    Sink,
    SourceAdapter,
    SourceSpec,
    TableMap,
)
from dipgate.security.secret import Secret

KIND = "push"
MAX_BODY = 16 << 20
"""Bytes of one push."""
MAX_ROWS = 20_000
"""Rows of one push: they are stored in one transaction, which others wait for."""
MAX_DEPTH = 64
"""Levels of nesting that are read at all; rows need three."""
_BOM = "\ufeff"


class _Twice:
    """Stands for an object that names a key twice: what it says is not known."""


_TWICE = _Twice()


@dataclass(frozen=True, slots=True)
class Pushed:
    """What one body holds: rows, and rows set aside, in the order of the tables."""

    rows: tuple[RawRow, ...]
    rejected: tuple[Rejected, ...]


def parse(spec: SourceSpec, data: bytes, raw_hash: str, *, charset: str = "") -> Pushed:
    """The rows of a body. One bad row never costs the others.

    `charset` is what the sender says the bytes are, else the source's own. Raises RecordError
    when the body as a whole cannot be read: nothing of it is taken then.
    """
    found = _tables(spec, decode(data, codec_of(spec), charset))
    rows: list[RawRow] = []
    aside: list[Rejected] = []
    for name, items in found.items():
        table = spec.tables[name]
        for number, item in enumerate(items, start=1):
            made = _row(table, RowPlace(table.object_name, number, raw_hash), item)
            if isinstance(made, RawRow):
                rows.append(made)
            else:
                aside.append(made)
    return Pushed(tuple(rows), tuple(aside))


def decode(data: bytes, codec: str, charset: str = "") -> str:
    """The body as text. RecordError for a charset that is not agreed, or bytes of another."""
    if charset and charset not in ("utf-8", codec):
        raise RecordError(
            f"字符集 {charset[:20]!r} 不是 utf-8，也不是来源声明的 {codec}",
            remedy=f"按 utf-8 或 {codec} 编码，并在 Content-Type 里写对 charset",
        )
    used = charset or codec
    if not charset and codec != "utf-8" and surely_utf8(data):
        raise RecordError(
            f"内容是 UTF-8，而来源声明为 {codec}",
            remedy="在 Content-Type 里写 charset=utf-8，或按声明的字符集编码",
        )
    try:
        text = data.decode(used)
    except UnicodeDecodeError:
        raise RecordError(
            f"内容不是合法的 {used}", remedy="核对发送方的编码和 Content-Type 里的 charset"
        ) from None
    return text.removeprefix(_BOM)


def seen(spec: SourceSpec, data: bytes, limit: int, charset: str = "") -> tuple[SeenTable, ...]:
    """The columns and first rows of each table in a body that was received."""
    found = _tables(spec, decode(data, codec_of(spec), charset))
    return tuple(_seen_table(spec, name, found.get(name, [])[:limit]) for name in spec.tables)


def _seen_table(spec: SourceSpec, name: str, items: list[object]) -> SeenTable:
    table = spec.tables[name]
    rows = [item for item in items if isinstance(item, dict)]
    if not rows:
        return SeenTable(
            name, table.object_name, (), (), "最近一次推送里没有这张表", "等下一次推送后再看"
        )
    columns = tuple(
        SeenColumn(column) for column in dict.fromkeys(key for row in rows for key in row)
    )
    return SeenTable(
        name,
        table.object_name,
        columns,
        tuple({key: _shown(value) for key, value in row.items()} for row in rows),
    )


def _shown(value: object) -> Cell:
    return value if isinstance(value, str | int | None) else json.dumps(value, ensure_ascii=False)


def _tables(spec: SourceSpec, text: str) -> dict[str, list[object]]:
    """Table → its items, in the order of the tables."""
    try:
        found = json.loads(
            text,
            object_pairs_hook=_object,
            parse_int=str,
            parse_float=str,
            parse_constant=_no_number,
        )
    except RecursionError:
        raise _too_deep() from None
    except ValueError as error:
        line = getattr(error, "lineno", None)
        raise RecordError(
            f"不是合法的 JSON{f'（第 {line} 行）' if line else ''}", remedy="用标准的 JSON 库生成"
        ) from None
    if not isinstance(found, dict):
        raise RecordError(
            "最外层要是一个对象，每张表一个数组，表名不重复",
            remedy='例如 {"settlement": [{…}], "charge": [{…}]}',
        )
    for name, items in found.items():
        if name not in spec.tables:
            known = "、".join(table for table in TABLES if table in spec.tables)
            raise RecordError(
                f"有这个来源没有的表；它的表：{known}", remedy="改表名，或在站点文件里加上这张表"
            )
        if not isinstance(items, list):
            raise RecordError(f"表 {name} 要是数组", remedy='例如 {"settlement": [{…}]}')
    if sum(map(len, found.values())) > MAX_ROWS:
        raise RecordError(f"一次超过 {MAX_ROWS} 行", remedy="分几次推送，每次带自己的消息号")
    if any(_deeper(item) for items in found.values() for item in items):
        raise _too_deep()
    return {name: found[name] for name in TABLES if name in found}


def _object(pairs: list[tuple[str, object]]) -> dict[str, object] | _Twice:
    made = dict(pairs)
    return made if len(made) == len(pairs) else _TWICE


def _no_number(_literal: str) -> object:
    raise ValueError


def _too_deep() -> RecordError:
    return RecordError(f"嵌套超过 {MAX_DEPTH} 层", remedy="每一行是一个平的对象，值是文本或数字")


def _deeper(item: object) -> bool:
    """Does an item of a table, itself at the third level, go below the deepest one?"""
    level = [item]
    for _ in range(3, MAX_DEPTH + 1):
        level = [inner for found in level for inner in _inside(found)]
        if not level:
            return False
    return True


def _inside(item: object) -> Iterator[object]:
    values = item.values() if isinstance(item, dict) else item if isinstance(item, list) else ()
    return (value for value in values if isinstance(value, dict | list))


def _row(table: TableMap, place: RowPlace, item: object) -> RawRow | Rejected:
    column = ""
    try:
        if item is _TWICE:
            raise RecordError("这一行有重复的键", remedy="每个列名只写一次")
        if not isinstance(item, dict):
            raise RecordError("这一行不是对象", remedy='每一行写成 {"列名": "值", …}')
        values: dict[str, str] = {}
        for column in table.source_columns():
            values[column] = _text(item, column)
        column = table.key
        return raw_row(table, place, values)
    except RecordError as error:
        return rejected(table, place, column, error.what, error.remedy)


def _text(item: Mapping[str, object], column: str) -> str:
    if column not in item:
        raise RecordError(f"缺少列 {column}", remedy="没有内容也要写出这一列，值写 null 或空文本")
    value = item[column]
    if value is None or isinstance(value, str | bool):
        return cell_text(value, "utf-8", column)
    raise RecordError(f"列 {column} 的值不是文本或数字", remedy="每个值写成文本、数字或 null")


class PushSource:
    """A source that is never asked: its rows come by themselves."""

    def __init__(self, spec: SourceSpec) -> None:
        """Raises ConfigError for a charset that does not exist."""
        self.name = spec.name
        self._spec = spec
        codec_of(spec)

    def read(self, sink: Sink, watermark: str | None) -> ReadReport:  # noqa: ARG002
        """Nothing: what was pushed is stored already."""
        return ReadReport(self.name, 0, 0, 0, watermark or "")

    def look(self, limit: int) -> tuple[SeenTable, ...]:  # noqa: ARG002
        """Nothing can be fetched from here; what came last is in the store."""
        return _nothing(
            self._spec, "推送来源等对方送来，这里没有可看的", "收到推送后用 dipgate source look 看"
        )


def unseen(spec: SourceSpec) -> tuple[SeenTable, ...]:
    """Each table of a source of which nothing has come yet."""
    remedy = f"用 dipgate token add 发一个令牌，让对方 POST 到 /api/push/{spec.name}"
    return _nothing(spec, "还没有收到推送", remedy)


def _nothing(spec: SourceSpec, what: str, remedy: str) -> tuple[SeenTable, ...]:
    return tuple(
        SeenTable(name, table.object_name, (), (), what, remedy)
        for name, table in spec.tables.items()
    )


def _open(spec: SourceSpec, password: Secret[str] | None) -> SourceAdapter:  # noqa: ARG001
    return PushSource(spec)


ADAPTER = AdapterKind(KIND, _open, "push")

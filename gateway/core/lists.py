"""The settlement list as a case file holds it: nodes of 4101 in national field names.

A list is immutable; an edit makes a new one. An absent node (None) means *no data*: rules that
need it answer "not checked". An empty node (`()`) means *none*. Unknown fields are kept.
Numbers are kept as written (int or Decimal), so list ⇄ JSON loses nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Container, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

import msgspec

from dipgate.core.errors import Place, RecordError

Value = str | int | bool | Decimal | None
Row = Mapping[str, Any]
"""One node row: national field code → `Value` (nested values of unknown fields are kept)."""

ROW_NODES = (
    "diseinfo",
    "oprninfo",
    "icuinfo",
    "bldinfo",
    "iteminfo",
    "payinfo",
    "opspdiseinfo",
    "charges",
    "history",
)
"""Nodes with many rows; `charges` and `history` are not uploaded, rules read them."""

_PATH = re.compile(r"^(?P<node>[A-Za-z]+)(?:\[(?P<index>\d+)\])?(?:\.(?P<name>[\w-]+))?$")
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")
_MARK = re.compile(rb'"(?:[^"\\]|\\.)*"|[\[\]{},]', re.DOTALL)
"""Text, or a sign that opens, closes or separates."""
_NOTHING: Row = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class FieldPath:
    """A place in a list: `setlinfo.adm_time`, `diseinfo[2].diag_code`, or a row `oprninfo[1]`."""

    node: str
    index: int | None = None
    name: str = ""

    @classmethod
    def parse(cls, text: str) -> FieldPath:
        """Raises ValueError for text that is not a path."""
        match = _PATH.match(text)
        if match is None:
            raise ValueError(f"不是字段路径：{text!r}")
        index = match["index"]
        return cls(match["node"], int(index) if index is not None else None, match["name"] or "")

    def __str__(self) -> str:
        middle = "" if self.index is None else f"[{self.index}]"
        return f"{self.node}{middle}" + (f".{self.name}" if self.name else "")


@dataclass(frozen=True, slots=True)
class SettlementList:
    """One list (4101 nodes) with what only our rules read: charges, history, cover (front page)."""

    setlinfo: Row
    diseinfo: tuple[Row, ...] | None = None
    oprninfo: tuple[Row, ...] | None = None
    icuinfo: tuple[Row, ...] | None = None
    bldinfo: tuple[Row, ...] | None = None
    iteminfo: tuple[Row, ...] | None = None
    payinfo: tuple[Row, ...] | None = None
    opspdiseinfo: tuple[Row, ...] | None = None
    charges: tuple[Row, ...] | None = None
    history: tuple[Row, ...] | None = None
    cover: Row | None = None
    extra: Row = field(default_factory=lambda: _NOTHING)
    """Top-level keys we do not know, kept as they came."""

    @property
    def settlement_id(self) -> str:
        """`setl_id`, or empty text."""
        return text_of(self.setlinfo.get("setl_id"))

    def rows(self, node: str) -> tuple[Row, ...] | None:
        """The rows of a many-row node; None when the node is absent. KeyError: no such node."""
        if node not in ROW_NODES:
            raise KeyError(node)
        found: tuple[Row, ...] | None = getattr(self, node)
        return found

    def get(self, path: str) -> str:
        """The value at a path as text; empty text when absent."""
        place = FieldPath.parse(path)
        row = self._row(place)
        return "" if row is None else text_of(row.get(place.name))

    def with_value(self, path: str, value: Value) -> SettlementList:
        """A new list with one value set. Raises KeyError when the node or row does not exist."""
        place = FieldPath.parse(path)
        if not place.name:
            raise KeyError(path)
        row = self._row(place)
        if row is None:
            raise KeyError(path)
        return self._with_row(place, {**row, place.name: value})

    def without_row(self, path: str) -> SettlementList:
        """A new list without one row (`oprninfo[2]`). Raises KeyError when it is not there."""
        place = FieldPath.parse(path)
        rows = self.rows(place.node)
        if rows is None or place.index is None or place.index >= len(rows):
            raise KeyError(path)
        kept = rows[: place.index] + rows[place.index + 1 :]
        return self._replaced(place.node, kept)

    def with_row(self, node: str, row: Row) -> SettlementList:
        """A new list with one row added at the end of a node (an absent node becomes present)."""
        rows = self.rows(node) or ()
        return self._replaced(node, (*rows, row))

    def with_whole_row(self, node: str, index: int, row: Row) -> SettlementList:
        """A new list with one row of a node replaced. Raises KeyError when it is not there."""
        rows = self.rows(node)
        if rows is None or not 0 <= index < len(rows):
            raise KeyError(f"{node}[{index}]")
        return self._replaced(node, (*rows[:index], row, *rows[index + 1 :]))

    def as_object(self) -> dict[str, Any]:
        """The case-file object; absent nodes stay absent."""
        out: dict[str, Any] = {"setlinfo": dict(self.setlinfo)}
        for node in ROW_NODES:
            rows = getattr(self, node)
            if rows is not None:
                out[node] = [dict(row) for row in rows]
        if self.cover is not None:
            out["cover"] = dict(self.cover)
        out.update(self.extra)
        return out

    def as_json(self) -> bytes:
        """UTF-8 JSON of the case-file object, numbers as they were written."""
        return _ENCODER.encode(self.as_object())

    def _replaced(self, node: str, value: Any) -> SettlementList:
        changes: dict[str, Any] = {node: value}
        return replace(self, **changes)

    def _row(self, place: FieldPath) -> Row | None:
        if place.node == "setlinfo":
            return self.setlinfo
        if place.node == "cover":
            return self.cover
        rows = self.rows(place.node)
        if rows is None or place.index is None or place.index >= len(rows):
            return None
        return rows[place.index]

    def _with_row(self, place: FieldPath, row: Row) -> SettlementList:
        if place.index is None:
            return self._replaced(place.node, row)
        rows = self.rows(place.node) or ()
        changed = (*rows[: place.index], row, *rows[place.index + 1 :])
        return self._replaced(place.node, changed)


def text_of(value: object) -> str:
    """A field value as wire text: None → "", Decimal and int as written, text as it is."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "1" if value else "0"
    return str(value)


def list_of(obj: object, *, place: Place | None = None) -> SettlementList:
    """A decoded case-file object → list.

    `setlinfo` may be an object or an array of one; row nodes arrays of objects.
    Raises RecordError naming the field when the shape is wrong.
    """
    if not isinstance(obj, dict):
        raise RecordError("病例应为一个 JSON 对象", place=place, remedy="每行写一个病例对象")
    nodes: dict[str, Any] = {}
    extra: dict[str, Any] = {}
    for key, value in obj.items():
        if key == "setlinfo":
            if isinstance(value, list) and len(value) == 1:
                value = value[0]
            nodes[key] = _object(value, key, place)
        elif key == "cover":
            nodes[key] = None if value is None else _object(value, key, place)
        elif key in ROW_NODES:
            nodes[key] = None if value is None else _rows(value, key, place)
        else:
            extra[key] = value
    if "setlinfo" not in nodes:
        where = Place(place.file if place else "", place.row if place else None, "setlinfo")
        raise RecordError("缺少节点 setlinfo", place=where, remedy="按 4101 节点补齐清单信息")
    return SettlementList(**nodes, extra=MappingProxyType(extra) if extra else _NOTHING)


def read_list(data: bytes, *, place: Place | None = None) -> SettlementList:
    """One JSON object (UTF-8) → list. RecordError for broken JSON or a wrong shape."""
    try:
        obj = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(
            "不是合法的 JSON（UTF-8）", place=place, remedy="检查编码和括号、引号是否完整"
        ) from error
    except RecursionError:
        raise _too_deep(place) from None
    return list_of(obj, place=place)


def read_case_file(data: bytes, *, file: str) -> Iterator[SettlementList | RecordError]:
    """A case file (JSON Lines, or one JSON array) → lists; a broken one comes as its error.

    A case that gives a field or node twice is broken: nobody can say which of the two holds.
    Raises RecordError when nothing of the file can be read (empty, not UTF-8, broken array).
    """
    for _, item in numbered_cases(data, file=file):
        yield item


def numbered_cases(data: bytes, *, file: str) -> Iterator[tuple[int, SettlementList | RecordError]]:
    """`read_case_file` with the number of each case: its line, or its place in the array, from 1.

    Raises RecordError as `read_case_file` does.
    """
    body = data.removeprefix(b"\xef\xbb\xbf")
    if not body.strip():
        raise RecordError("文件是空的", place=Place(file), remedy="确认导出的文件含有病例")
    if body.lstrip()[:1] == b"[":
        yield from _numbered_items(body, file)
        return
    lines = body.split(b"\n")
    if not any(line.lstrip().startswith(b"{") for line in lines):
        raise RecordError(
            "不是 JSON Lines：没有一行是 JSON 对象（看起来是表格或别的文件）",
            place=Place(file),
            remedy="每行写一个病例对象，或整个文件写一个 JSON 数组",
        )
    for number, line in enumerate(lines, start=1):
        if line.strip():
            yield number, _read_or_error(line, Place(file, number))


def read_case_object(
    data: bytes, *, place: Place, flat: Container[str]
) -> SettlementList | Mapping[str, Any] | RecordError:
    """One JSON object → list, or the object itself where it is a flat case.

    That is one without `setlinfo` that has a key of `flat`.

    A broken one, or one that says a key twice, comes as its error.
    """
    try:
        obj = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read_or_error(data, place)
    if not isinstance(obj, dict) or "setlinfo" in obj or not any(key in flat for key in obj):
        return _read_or_error(data, place)
    try:
        return _repeated(data, place) if _repeats_a_key(data) else obj
    except RecursionError:
        return _too_deep(place)


def array_items(data: bytes, *, file: str) -> Iterator[tuple[int, bytes]]:
    """The items of a JSON array of cases as their own text, numbered from 1.

    Raises RecordError when the array cannot be read or holds nothing.
    """
    body = data.removeprefix(b"\xef\xbb\xbf")
    try:
        empty = not _DECODER.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(
            "不是合法的 JSON 数组（UTF-8）", place=Place(file), remedy="检查编码和括号"
        ) from error
    except RecursionError:
        empty = False
    if empty:
        raise RecordError("文件里没有病例", place=Place(file), remedy="确认导出的文件含有病例")
    yield from enumerate(_items_of(body), start=1)


def _numbered_items(body: bytes, file: str) -> Iterator[tuple[int, SettlementList | RecordError]]:
    try:
        items = _DECODER.decode(body)
        one_by_one = _repeats_a_key(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise RecordError(
            "不是合法的 JSON 数组（UTF-8）", place=Place(file), remedy="检查编码和括号"
        ) from error
    except RecursionError:
        one_by_one = True
    if one_by_one:
        # One item nests too deeply or has a key twice: the others are good.
        for number, item in enumerate(_items_of(body), start=1):
            yield number, _read_or_error(item, Place(file, number))
        return
    if not items:
        raise RecordError("文件里没有病例", place=Place(file), remedy="确认导出的文件含有病例")
    for number, item in enumerate(items, start=1):
        try:
            yield number, list_of(item, place=Place(file, number))
        except RecordError as error:
            yield number, error


def _read_or_error(data: bytes, place: Place) -> SettlementList | RecordError:
    try:
        found = read_list(data, place=place)
        if _repeats_a_key(data):
            return _repeated(data, place)
    except RecordError as error:
        return error
    except RecursionError:
        return _too_deep(place)
    return found


def _repeats_a_key(data: bytes) -> bool:
    """True when an object of this JSON (valid, as read before) has the same key twice."""
    twice = False

    def look(pairs: list[tuple[str, object]]) -> None:
        nonlocal twice
        twice = twice or len(dict(pairs)) < len(pairs)

    json.loads(data, object_pairs_hook=look, parse_int=str, parse_float=str)
    return twice


class _Pairs(list[tuple[str, object]]):
    """An object as its pairs, in the order they were written."""


def _repeated(data: bytes, place: Place) -> RecordError:
    """The error that names the first key that stands twice, by its list path."""
    tree = json.loads(data, object_pairs_hook=_Pairs, parse_int=str, parse_float=str)
    path = next(_paths_twice(tree, ""))
    return RecordError(
        f"{path} 写了两次，不知道以哪一个为准",
        place=Place(place.file, place.row, path),
        remedy="在导出程序里去掉重复的键，每个字段只写一次",
    )


def _paths_twice(value: object, path: str) -> Iterator[str]:
    if isinstance(value, _Pairs):
        seen: set[str] = set()
        for key, inner in value:
            here = f"{path}.{key}" if path else key
            if key in seen:
                yield here
            seen.add(key)
            yield from _paths_twice(inner, here)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _paths_twice(inner, f"{path}[{index}]")


def _items_of(body: bytes) -> Iterator[bytes]:
    """The items of a JSON array as their own text, whatever their depth."""
    depth, start = 0, 0
    for mark in _MARK.finditer(body):
        sign = mark[0]
        if sign in b"[{":
            depth += 1
            if depth == 1:
                start = mark.end()
        elif sign in b"]}":
            depth -= 1
        if (depth == 1 and sign == b",") or (depth == 0 and sign == b"]"):
            yield body[start : mark.start()]
            start = mark.end()
            if depth == 0:
                return
    if body[start:].strip():
        yield body[start:]


def _too_deep(place: Place | None) -> RecordError:
    return RecordError(
        "JSON 嵌套太深，不是一个病例",
        place=place,
        remedy="按 4101 节点重新导出：节点下是行，行下是字段",
    )


def _object(value: object, key: str, place: Place | None) -> Row:
    if not isinstance(value, dict):
        where = Place(place.file if place else "", place.row if place else None, key)
        raise RecordError("节点应为 JSON 对象", place=where, remedy="一行数据写成 {字段: 值}")
    return value


def _rows(value: object, key: str, place: Place | None) -> tuple[Row, ...]:
    if isinstance(value, dict):
        return (value,)
    where = Place(place.file if place else "", place.row if place else None, key)
    if not isinstance(value, list) or any(not isinstance(item, dict) for item in value):
        raise RecordError("节点应为对象的数组", place=where, remedy="多行数据写成 [{…}, {…}]")
    return tuple(value)

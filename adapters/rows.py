"""What every adapter checks before a row is a row: size, control bytes, key, charset."""

from __future__ import annotations

import codecs
import json
from collections.abc import Mapping
from dataclasses import dataclass

from dipgate.core.errors import ConfigError, RecordError
from dipgate.core.record import RawRow, Rejected, SourceSpec, TableMap

MAX_CELL = 1 << 20
"""Bytes of one cell; a longer one is a broken export, not a field of a bill."""
BATCH = 500
"""Rows handed over in one commit."""
_SURE_UTF8 = 10
"""Characters beyond ASCII from which valid UTF-8 is no accident in a GB text."""
CHARSETS = (
    "gb18030",
    "gbk",
    "gb2312",
    "utf-8",
    "utf-16",
    "utf-16-le",
    "utf-16-be",
    "big5",
    "big5hkscs",
    "cp950",
    "ascii",
)
"""Charsets a source may declare; each refuses bytes that are not its own."""


def codec_of(spec: SourceSpec) -> str:
    """The Python codec of the source's charset.

    ConfigError for one that is unknown, or that accepts any byte and so can refuse nothing.
    """
    try:
        name = codecs.lookup(spec.charset).name
    except LookupError:
        name = ""
    name = "utf-8" if name == "utf-8-sig" else name
    if name not in CHARSETS:
        raise ConfigError(
            f"来源 {spec.name} 的字符集 {spec.charset!r} 不认识；可用：{'、'.join(CHARSETS)}",
            path=f"sources.{spec.name}.charset",
        )
    return name


def rejected(table: TableMap, place: RowPlace, field: str, what: str, remedy: str) -> Rejected:
    """A row (or, with no row number, a whole object) set aside."""
    return Rejected(
        table=table.table,
        object_name=place.object_name,
        row=place.row,
        field=field,
        what=what,
        remedy=remedy,
        raw_hash=place.raw_hash,
    )


@dataclass(frozen=True, slots=True)
class RowPlace:
    """Where a row stands: object, 1-based row (None: the whole object), kept raw bytes."""

    object_name: str
    row: int | None
    raw_hash: str


def decoded(data: bytes, codec: str, column: str) -> str:
    """One cell's text. RecordError naming the column for undecodable or oversized bytes."""
    if len(data) > MAX_CELL:
        raise RecordError(
            f"列 {column} 的内容超过 1 MB",
            remedy="多半是引号不成对或串列，检查导出；该列不应存放大段文本",
        )
    try:
        text = data.decode(codec)
    except UnicodeDecodeError:
        raise RecordError(
            f"列 {column} 含有不属于 {codec} 的字节",
            remedy="核对来源声明的字符集，或在源系统改正该字段后重新导出",
        ) from None
    if "\x00" in text:
        raise RecordError(
            f"列 {column} 含有 NUL 字节", remedy="在源系统清除该字段中的控制字符后重新导出"
        )
    return text


def surely_utf8(data: bytes) -> bool:
    """Is this UTF-8 whatever was declared: valid, with enough characters beyond ASCII?"""
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return len(data) - len(text) >= 2 * _SURE_UTF8


def raw_row(table: TableMap, place: RowPlace, values: Mapping[str, str]) -> RawRow:
    """The row as the inbox keeps it. RecordError when the key is blank."""
    key = values[table.key].strip()
    if not key:
        raise RecordError(
            f"主键列 {table.key} 为空", remedy="补上住院流水号后重新导出；没有它无法与其他表相连"
        )
    return RawRow(
        table=table.table,
        key=key,
        object_name=place.object_name,
        row=place.row or 0,
        values=values,
        raw_hash=place.raw_hash,
    )


def read_watermark(text: str | None, source: str) -> dict[str, dict[str, object]]:
    """The watermark of the last committed read; empty at first. ConfigError when it is broken."""
    if not text:
        return {}
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict) or any(not isinstance(mark, dict) for mark in found.values()):
        raise ConfigError(
            f"来源 {source} 的读取位置已损坏；清除它会从头重读，重复的行不会再收一次",
            path=f"sources.{source}",
        )
    return found


def write_watermark(marks: Mapping[str, Mapping[str, object]]) -> str:
    """Watermark text, stable for equal content."""
    return json.dumps(marks, ensure_ascii=False, sort_keys=True, separators=(",", ":"))

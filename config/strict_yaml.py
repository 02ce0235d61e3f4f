"""YAML read strictly: scalars stay text, mistakes are refused with file and line.

`0.10`, `no`, `011` and `1e3` arrive as written; the model that wants a number converts it.
Refused: duplicate keys, anchors and aliases (so no expansion bombs), tags, several documents,
keys that are not text, nesting deeper than 40.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from dipgate.core.errors import ConfigError

MAX_DEPTH = 40
MAX_CHARACTERS = 8_000_000

Path = tuple[str | int, ...]
"""Keys and 0-based positions from the root to a value."""

_NULL = frozenset({"", "~", "null", "Null", "NULL"})


@dataclass(frozen=True, slots=True)
class YamlDocument:
    """`value` is dicts, lists, text and None; `lines` gives the 1-based line of each path."""

    file: str
    value: object
    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int | None:
        """Line of a path, or of its nearest parent that stands in the file."""
        for length in range(len(path), -1, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return line
        return None


def load_yaml(text: str, *, file: str) -> object:
    """YAML text → dicts, lists, text and None. ConfigError names file and line."""
    return parse_yaml(text, file=file).value


def parse_yaml(text: str, *, file: str) -> YamlDocument:
    """Like `load_yaml`, with the line of every value."""
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(f"{file} 太大（超过 {MAX_CHARACTERS} 个字符）", path=file)
    reader = _Reader(file, text)
    try:
        value = reader.document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark is not None else 1
        raise _problem(file, line, "不是合法的 YAML，检查缩进、冒号和引号") from error
    except yaml.YAMLError as error:
        raise ConfigError(f"{file} 含有 YAML 不允许的字符", path=file) from error
    return YamlDocument(file, value, reader.lines)


def _problem(file: str, line: int, what: str) -> ConfigError:
    return ConfigError(f"{file} 第{line}行：{what}", path=f"{file}:{line}")


class _Reader:
    """Builds the value from parser events, so nothing is expanded before it is checked."""

    def __init__(self, file: str, text: str) -> None:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        self.file = file
        self.lines: dict[Path, int] = {}
        self._events: Iterator[yaml.Event] = iter(yaml.parse(text, Loader=loader))

    def document(self) -> object:
        value: object = None
        seen = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                seen += 1
                if seen > 1:
                    raise self._refuse(event, "一个文件只能有一段 YAML 文档")
                value = self._value(next(self._events), ())
        return value

    def _value(self, event: yaml.Event, path: Path) -> object:
        if isinstance(event, yaml.AliasEvent):
            raise self._refuse(event, "不支持别名（*），请把内容写全")
        if getattr(event, "anchor", None) is not None:
            raise self._refuse(event, "不支持锚点（&），请把内容写全")
        if getattr(event, "tag", None) is not None:
            raise self._refuse(event, "不支持标签（!），值一律按文本读取")
        if len(path) > MAX_DEPTH:
            raise self._refuse(event, f"嵌套超过 {MAX_DEPTH} 层")
        self.lines[path] = _line(event)
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(path)
        return self._mapping(path)

    def _sequence(self, path: Path) -> list[object]:
        items: list[object] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            items.append(self._value(event, (*path, len(items))))
        return items

    def _mapping(self, path: Path) -> dict[str, object]:
        entries: dict[str, object] = {}
        first_lines: dict[str, int] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                raise self._refuse(event, "键必须是一个词")
            key = self._value(event, (*path, "?"))
            if not isinstance(key, str):
                raise self._refuse(event, "键不能为空")
            line = _line(event)
            if key in entries:
                raise self._refuse(event, f"键 {key!r} 重复，第一次在第{first_lines[key]}行")
            first_lines[key] = line
            entries[key] = self._value(next(self._events), (*path, key))
            self.lines[(*path, key)] = line
        self.lines.pop((*path, "?"), None)
        return entries

    def _refuse(self, event: yaml.Event, what: str) -> ConfigError:
        return _problem(self.file, _line(event), what)


def _line(event: yaml.Event) -> int:
    mark: Any = event.start_mark
    return int(mark.line) + 1


def _scalar(event: yaml.ScalarEvent) -> str | None:
    plain = bool(event.implicit[0])
    if plain and event.value in _NULL:
        return None
    text: str = event.value
    return text

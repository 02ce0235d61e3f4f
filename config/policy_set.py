"""`--set PATH=VALUE`: a policy with some of its values replaced, read as strictly as the file.

A path is what NOT_CONFIGURED names (`scoring.deviation.low.at`, `scoring.institution.table.3`,
`scoring.add_ons[0].factor`). A value is YAML: `0.5`, `null`, `n/a`, `[severity, age]`,
`{values: {"2025-01-01": 1.04}}`. A key that holds a dot may be quoted (`table."K81.0"`); in tables
by group code it need not be.
"""

from __future__ import annotations

import re
import types
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel

from dipgate.config.policies import merged_policy, read_policy
from dipgate.config.strict_model import did_you_mean, path_text
from dipgate.config.strict_yaml import parse_yaml
from dipgate.core.errors import ConfigError
from dipgate.core.params import MAX_TABLE_DEPTH, Param, ParamTable
from dipgate.core.policy import Policy

Key = str | int
_PART = re.compile(r'"(?P<quoted>[^"]*)"|\[(?P<place>\d+)\]|(?P<plain>[^."\[\]=]+)')
_GROUP_TABLES: Mapping[tuple[str, ...], tuple[int, int]] = MappingProxyType(
    {
        ("scoring", "average_fee_table"): (1, 0),
        ("scoring", "institution", "group_factors"): (0, 0),
        ("scoring", "label_average_fees"): (0, 1),
        ("auxiliary", "coefficients"): (0, 2),
    }
)
"""Tables keyed by a group code, which may hold dots: how many keys stand before and after it."""


@dataclass(frozen=True, slots=True)
class Setting:
    """One `PATH=VALUE`, read but not yet checked against the policy's shape."""

    text: str
    parts: tuple[Key, ...]
    quoted: tuple[bool, ...]
    value: object


def with_settings(id_or_path: str, sets: Sequence[str], state: Path | None = None) -> Policy:
    """`load_policy` with the settings laid over it, in order.

    The digest is that of the changed content. Raises ConfigError that quotes the setting and, for
    an unknown key, names the nearest right word.
    """
    document, value = merged_policy(id_or_path, state=state)
    if not sets:
        return read_policy(value, file=document.file, line_of=document.line_of)
    whole: object = value
    touched: list[tuple[Key, ...]] = []
    for text in sets:
        setting = read_setting(text)
        path = _checked(setting)
        whole = _placed(whole, path, setting.value, setting)
        touched.append(path)

    def line_of(path: tuple[Key, ...]) -> int | None:
        ours = any(path[: len(done)] == done or done[: len(path)] == path for done in touched)
        return None if ours else document.line_of(path)

    return read_policy(whole, file=f"{document.file} + --set", line_of=line_of)


def read_setting(text: str) -> Setting:
    """`PATH=VALUE` → Setting. ConfigError when it is no such thing."""
    parts: list[Key] = []
    quoted: list[bool] = []
    at = 0
    while True:
        found = _PART.match(text, at)
        if found is None:
            raise _bad(text, "应写成 路径=值，如 scoring.deviation.low.at=0.5")
        if found["place"] is not None:
            parts.append(int(found["place"]))
        else:
            parts.append(found["quoted"] if found["quoted"] is not None else found["plain"].strip())
        quoted.append(found["quoted"] is not None)
        at = found.end()
        if text[at : at + 1] == "=":
            break
        at += text[at : at + 1] == "."
    try:
        value = parse_yaml(text[at + 1 :], file="--set").value
    except ConfigError as error:
        raise _bad(text, f"值不是合法的 YAML（{error}）") from error
    return Setting(text, tuple(parts), tuple(quoted), value)


def _bad(text: str, what: str, path: str = "--set") -> ConfigError:
    return ConfigError(f"--set {text}：{what}", path=path)


def _checked(setting: Setting) -> tuple[Key, ...]:
    """The path with table keys joined where a group code holds dots; every word is known."""
    here: Any = Policy
    path: list[Key] = []
    parts = setting.parts
    for number, part in enumerate(parts):
        here = _bare(here)
        if here is ParamTable:
            return (*path, *_table_keys(tuple(map(str, path)), setting, number))
        place = path_text((*path, part))
        if isinstance(here, type) and issubclass(here, BaseModel):
            here = _field(here, part, setting, place)
            path.append(part)
            continue
        holder = get_origin(here)
        inner = [item for item in get_args(here) if item is not Ellipsis]
        if holder is dict and isinstance(part, str):
            here = inner[-1]
        elif holder in (tuple, list) and isinstance(part, int):
            here = inner[0]
        elif holder in (tuple, list):
            raise _bad(setting.text, f"{path_text(path)} 是列表，用 [0]、[1] 写第几项", place)
        else:
            raise _bad(setting.text, f"{path_text(path)} 是一个值，下面没有 {part!r}", place)
        path.append(part)
    return tuple(path)


def _field(model: type[BaseModel], part: Key, setting: Setting, place: str) -> Any:
    names = {field.alias or name: field for name, field in model.model_fields.items()}
    field = names.get(part) if isinstance(part, str) else None
    if field is None:
        raise _bad(setting.text, f"{place} 是不认识的键{did_you_mean(str(part), names)}", place)
    return field.annotation


def _table_keys(table: tuple[str, ...], setting: Setting, start: int) -> tuple[Key, ...]:
    keys = [str(part) for part in setting.parts[start:]]
    shape = _GROUP_TABLES.get(table)
    if shape is not None and not any(setting.quoted[start:]):
        before, after = shape
        if len(keys) > before + after + 1:
            end = len(keys) - after
            keys = [*keys[:before], ".".join(keys[before:end]), *keys[end:]]
    if len(keys) > MAX_TABLE_DEPTH:
        raise _bad(setting.text, f"表的层数超过 {MAX_TABLE_DEPTH}", ".".join(table))
    return tuple(keys)


def _bare(kind: Any) -> Any:
    """The annotation without `Annotated` and `| None`."""
    while True:
        origin = get_origin(kind)
        if origin is Annotated:
            kind = get_args(kind)[0]
        elif origin in (Union, types.UnionType):
            kinds = [item for item in get_args(kind) if item is not type(None)]
            kind = kinds[0] if len(kinds) == 1 else Param
        else:
            return kind


def _placed(whole: object, path: tuple[Key, ...], value: object, setting: Setting) -> object:
    """A copy of `whole` with `value` at `path`; sections that were null are begun."""
    if not path:
        return value
    head, rest = path[0], path[1:]
    if isinstance(head, int):
        items = list(whole) if isinstance(whole, list) else []
        if head >= len(items):
            raise _bad(setting.text, f"列表只有 {len(items)} 项，没有第 {head + 1} 项")
        items[head] = _placed(items[head], rest, value, setting)
        return items
    below = dict(whole) if isinstance(whole, Mapping) else {}
    below[head] = _placed(below.get(head), rest, value, setting)
    return below

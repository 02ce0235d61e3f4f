"""Settings read into frozen models; every mistake comes back as one Chinese ConfigError.

Unknown keys are errors that name the nearest right word, the file and (if known) the line.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Iterable, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar, Union, get_args, get_origin

from pydantic import BaseModel, ConfigDict, ValidationError

from dipgate.core.errors import ConfigError

M = TypeVar("M", bound=BaseModel)
LineOf = Callable[[tuple[str | int, ...]], int | None]

SHOWN = 10
"""How many mistakes one message lists; the rest are counted."""

_SENTENCES: Mapping[str, str] = {
    "missing": "缺少这一项",
    "string_type": "应为文本（用引号括起来）",
    "int_type": "应为整数",
    "int_parsing": "应为整数",
    "float_type": "应为数字",
    "float_parsing": "应为数字",
    "decimal_parsing": "应为数字",
    "decimal_type": "应为数字",
    "bool_type": "应为 true 或 false",
    "bool_parsing": "应为 true 或 false",
    "date_type": "应为 yyyy-MM-dd 的日期",
    "date_parsing": "应为 yyyy-MM-dd 的日期",
    "date_from_datetime_parsing": "应为 yyyy-MM-dd 的日期",
    "list_type": "应为列表",
    "tuple_type": "应为列表",
    "dict_type": "应为一组键和值",
    "mapping_type": "应为一组键和值",
    "model_type": "应为一组键和值",
    "model_attributes_type": "应为一组键和值",
    "finite_number": "应为有限的数字",
    "int_from_float": "应为整数",
    "date_from_datetime_inexact": "应为 yyyy-MM-dd 的日期",
    "frozen_set_type": "应为列表",
    "set_type": "应为列表",
    "none_required": "应为空",
    "decimal_whole_digits": "整数位数太多",
    "decimal_max_digits": "位数太多",
    "decimal_max_places": "小数位数太多",
    "union_tag_invalid": "的种类不认识",
    "union_tag_not_found": "没有写种类",
}


class StrictModel(BaseModel):
    """Base of settings models: frozen, no unknown keys."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)


def nearest_word(word: str, choices: Iterable[str]) -> str:
    """The choice most like `word`, or empty text when none is close."""
    found = get_close_matches(word, list(choices), n=1, cutoff=0.5)
    return found[0] if found else ""


def did_you_mean(word: str, choices: Iterable[str]) -> str:
    """`，是不是想写 "mode"？可用的有：…` for a sentence about an unknown word."""
    words = sorted(choices)
    near = nearest_word(word, words)
    hint = f"，是不是想写 {near!r}？" if near else "。"
    return f"{hint}可用的有：{'、'.join(words)}" if len(words) <= 40 else hint


def read_model(model: type[M], value: object, *, file: str, line_of: LineOf | None = None) -> M:
    """A decoded value → model. ConfigError lists every mistake with file, line, key and remedy."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        problems = [
            _sentence(model, dict(item), line_of).strip()
            for item in error.errors(include_url=False)
        ]
        shown = problems[:SHOWN]
        if len(problems) > SHOWN:
            shown.append(f"另有 {len(problems) - SHOWN} 处")
        first = error.errors(include_url=False)[0]["loc"]
        raise ConfigError(f"{file}：" + "；".join(shown), path=path_text(first)) from error


def path_text(path: Iterable[str | int]) -> str:
    """`("sources", 0, "charset")` → `sources[0].charset`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else (f".{part}" if text else part)
    return text


def _sentence(model: type[BaseModel], item: Mapping[str, Any], line_of: LineOf | None) -> str:
    path: tuple[str | int, ...] = tuple(item["loc"])
    line = line_of(path) if line_of is not None else None
    place = (f"第{line}行 " if line is not None else "") + path_text(path)
    kind = str(item["type"])
    context = item.get("ctx") or {}
    if kind == "extra_forbidden":
        return f"{place} 是不认识的键{did_you_mean(str(path[-1]), _keys_at(model, path[:-1]))}"
    if kind in ("literal_error", "enum"):
        choices = str(context.get("expected", "")).replace(" or ", "、").replace(", ", "、")
        if path and path[-1] == "[key]":
            words = [choice.strip("'") for choice in choices.split("、")]
            place = place.removesuffix(".[key]")
            return f"{place} 是不认识的键{did_you_mean(str(path[-2]), words)}"
        return f"{place} 只能是 {choices}"
    if kind == "value_error":
        return f"{place} {context.get('error', item['msg'])}"
    bounds = {
        "greater_than": f"应大于 {context.get('gt')}",
        "greater_than_equal": f"应不小于 {context.get('ge')}",
        "less_than": f"应小于 {context.get('lt')}",
        "less_than_equal": f"应不大于 {context.get('le')}",
        "string_too_short": "不能为空",
        "string_too_long": f"最多 {context.get('max_length')} 个字符",
        "string_pattern_mismatch": f"格式不对，应符合 {context.get('pattern')}",
        "too_short": f"至少要有 {context.get('min_length')} 项",
    }
    return f"{place} {bounds.get(kind) or _SENTENCES.get(kind) or item['msg']}"


def _keys_at(model: type[BaseModel], path: tuple[str | int, ...]) -> list[str]:
    """Keys that the model allows at a path (aliases where a field has one)."""
    current: Any = model
    for part in path:
        current = _model_in(current)
        if isinstance(current, type) and issubclass(current, BaseModel):
            field = _field_named(current, str(part))
            if field is None:
                return []
            current = field
        else:
            current = _inner(current)
    current = _model_in(current)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return [field.alias or name for name, field in current.model_fields.items()]
    return []


def _field_named(model: type[BaseModel], key: str) -> Any:
    for name, field in model.model_fields.items():
        if key in (name, field.alias):
            return field.annotation
    return None


def _model_in(kind: Any) -> Any:
    """The model or container in `X | None`."""
    if get_origin(kind) in (Union, types.UnionType):
        found = [item for item in get_args(kind) if item is not type(None)]
        return found[0] if found else kind
    return kind


def _inner(kind: Any) -> Any:
    """What a list, tuple or mapping holds."""
    arguments = [item for item in get_args(kind) if item is not Ellipsis]
    return arguments[-1] if arguments else None

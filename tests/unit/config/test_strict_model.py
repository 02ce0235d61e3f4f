"""Model mistakes as sentences: every kind in Chinese, with key, line and nearest word."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated, Literal

import pytest
from pydantic import Field

from dipgate.config.strict_model import (
    SHOWN,
    StrictModel,
    did_you_mean,
    nearest_word,
    path_text,
    read_model,
)
from dipgate.core.errors import ConfigError


class Inner(StrictModel):
    ratio: Annotated[Decimal, Field(max_digits=4, decimal_places=2, le=1)]
    starts: date
    mode: Literal["a", "b"] = "a"


class Outer(StrictModel):
    count: int = 0
    flag: bool = False
    one: Inner | None = None
    many: tuple[Inner, ...] = ()
    named: Mapping[str, Inner] = Field(default_factory=dict)


GOOD = {"ratio": "0.5", "starts": "2025-01-01"}


def mistake(value: object) -> str:
    with pytest.raises(ConfigError) as caught:
        read_model(Outer, value, file="x.yaml", line_of=lambda path: len(path))
    return str(caught.value)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ({"one": {**GOOD, "rato": 1}}, "第2行 one.rato 是不认识的键，是不是想写 'ratio'"),
        ({"many": [GOOD, {**GOOD, "mod": 1}]}, "many[1].mod 是不认识的键，是不是想写 'mode'"),
        ({"named": {"x": {**GOOD, "start": 1}}}, "named.x.start 是不认识的键，是不是想写 'starts'"),
        ({"zzzzzz": 1}, "zzzzzz 是不认识的键。可用的有：count、flag、many、named、one"),
        ({"one": {"ratio": "0.5"}}, "one.starts 缺少这一项"),
        ({"count": "many"}, "count 应为整数"),
        ({"count": 1.5}, "count 应为整数"),
        ({"flag": "perhaps"}, "flag 应为 true 或 false"),
        ({"one": {**GOOD, "ratio": "high"}}, "one.ratio 应为数字"),
        ({"one": {**GOOD, "ratio": "NaN"}}, "one.ratio 应为有限的数字"),
        ({"one": {**GOOD, "ratio": "0.123"}}, "one.ratio 小数位数太多"),
        ({"one": {**GOOD, "ratio": "1.5"}}, "one.ratio 应不大于 1"),
        ({"one": {**GOOD, "starts": "2025-02-30"}}, "one.starts 应为 yyyy-MM-dd 的日期"),
        ({"one": {**GOOD, "mode": "c"}}, "one.mode 只能是 'a'、'b'"),
        ({"one": "x"}, "one 应为一组键和值"),
        ({"many": "x"}, "many 应为列表"),
        ({"named": []}, "named 应为一组键和值"),
        ([], "应为一组键和值"),
        (None, "应为一组键和值"),
    ],
)
def test_each_mistake_is_a_chinese_sentence(value: object, says: str) -> None:
    text = mistake(value)
    assert text.startswith("x.yaml：")
    assert says in text
    assert "Input should" not in text


def test_a_long_list_of_mistakes_is_cut_and_counted() -> None:
    text = mistake({f"unknown{n}": 1 for n in range(SHOWN + 3)})
    assert "另有 3 处" in text


def test_the_path_of_the_first_mistake_is_given() -> None:
    with pytest.raises(ConfigError) as caught:
        read_model(Outer, {"many": [{}]}, file="x")
    assert caught.value.path == "many[0].ratio"


def test_words_and_paths() -> None:
    assert nearest_word("mod", ["mode", "url"]) == "mode"
    assert nearest_word("qqq", ["mode", "url"]) == ""
    assert did_you_mean("x", [str(n) for n in range(50)]) == "。"
    assert path_text(("a", 0, "b", "c")) == "a[0].b.c"
    assert path_text(()) == ""

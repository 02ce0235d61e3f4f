"""YAML is read as text; every mistake names file and line."""

from __future__ import annotations

import pytest

from dipgate.config.resources import resource, resource_text
from dipgate.config.strict_yaml import MAX_CHARACTERS, load_yaml, parse_yaml
from dipgate.core.errors import ConfigError


def test_scalars_stay_as_written() -> None:
    text = "ratio: 0.10\nflag: no\ncode: 011\nbig: 1e3\nday: 2025-01-01\nyes: on\n"
    assert load_yaml(text, file="a.yaml") == {
        "ratio": "0.10",
        "flag": "no",
        "code": "011",
        "big": "1e3",
        "day": "2025-01-01",
        "yes": "on",
    }


def test_only_plain_null_is_none() -> None:
    text = 'a: null\nb: ~\nc:\nd: "null"\ne: ""\nf: [~, x]\n'
    assert load_yaml(text, file="a.yaml") == {
        "a": None,
        "b": None,
        "c": None,
        "d": "null",
        "e": "",
        "f": [None, "x"],
    }


def test_an_empty_file_is_none() -> None:
    assert load_yaml("# nothing\n", file="a.yaml") is None


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("a: 1\nb: 2\na: 3\n", 3, "键 'a' 重复，第一次在第1行"),
        ("a:\n  x: 1\n  x: 2\n", 3, "键 'x' 重复"),
        ("a: &one 1\n", 1, "锚点"),
        ("a: 1\nb: *one\n", 2, "别名"),
        ("a: !!int 3\n", 1, "标签"),
        ("a: !!python/object:os.system x\n", 1, "标签"),
        ("? [a, b]\n: 1\n", 1, "键必须是一个词"),
        ("~: 1\n", 1, "键不能为空"),
        ("a: 1\n---\nb: 2\n", 2, "一段"),
        ("a: [1, 2\nb: 3\n", 2, "不是合法的 YAML"),
        ("a: 1\n  b: 2\n", 2, "不是合法的 YAML"),
        ("a: " + "[" * 60 + "]" * 60, 1, "嵌套"),
        ("a: 'open\n", 2, "不是合法的 YAML"),
    ],
)
def test_a_mistake_names_file_and_line(text: str, line: int, what: str) -> None:
    with pytest.raises(ConfigError, match=what) as caught:
        load_yaml(text, file="policy.yaml")
    assert caught.value.path == f"policy.yaml:{line}"
    assert f"policy.yaml 第{line}行" in str(caught.value)


def test_aliases_are_refused_before_they_multiply() -> None:
    bomb = "a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n"
    with pytest.raises(ConfigError, match="锚点"):
        load_yaml(bomb, file="bomb.yaml")


@pytest.mark.parametrize("text", ["a: \0\n", "a: \x07\n"])
def test_forbidden_characters_are_refused(text: str) -> None:
    with pytest.raises(ConfigError, match=r"a\.yaml"):
        load_yaml(text, file="a.yaml")


def test_too_large_a_text_is_refused_unread() -> None:
    with pytest.raises(ConfigError, match="太大"):
        load_yaml("a" * (MAX_CHARACTERS + 1), file="a.yaml")


def test_lines_of_values_and_their_parents() -> None:
    document = parse_yaml("a: 1\nb:\n  - c: 2\n  - d:\n      e: 3\n", file="a.yaml")
    assert document.line_of(("a",)) == 1
    assert document.line_of(("b", 1, "d")) == 4
    assert document.line_of(("b", 1, "d", "e")) == 5
    assert document.line_of(("b", 1, "missing")) == 4
    assert document.line_of(("elsewhere",)) == 1


@pytest.mark.parametrize("part", ["..", ".", "", "a/b", "..\\x", "C:x", "a\0b"])
def test_a_resource_name_can_not_climb_out(part: str) -> None:
    with pytest.raises(ConfigError):
        resource("dialects", part)


def test_a_missing_resource_is_named() -> None:
    with pytest.raises(ConfigError, match=r"dialects/none\.yaml"):
        resource_text("dialects", "none.yaml")
    assert resource_text("dialects", "national.yaml").startswith("#")

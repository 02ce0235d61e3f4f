"""Help pages of every command are Chinese, click's own words too."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import click
import pytest

from dipgate.cli.root import dipgate


def commands(at: click.Command, *path: str) -> Iterator[tuple[str, ...]]:
    yield path
    if isinstance(at, click.Group):
        context = click.Context(at)
        for name in at.list_commands(context):
            found = at.get_command(context, name)
            assert found is not None
            yield from commands(found, *path, name)


@pytest.mark.parametrize("line", [*commands(dipgate)], ids=" ".join)
def test_help_is_chinese(line: tuple[str, ...], cli: Callable[..., Any]) -> None:
    said = cli(*line, "--help")
    assert said.code == 0
    assert said.out.startswith(f"用法：{' '.join(('dipgate', *line))} ")
    assert "\n选项：\n" in said.out
    assert "显示这段说明" in said.out
    for word in ("Usage", "Options", "OPTIONS", "ARGS", "Commands", "Show", "default:", "required"):
        assert word not in said.out


def test_a_text_of_two_lines_has_no_hole(cli: Callable[..., Any]) -> None:
    assert "（一行一例，列名见" in cli("group", "--help").out.replace("\n  ", "")


def test_version(cli: Callable[..., Any]) -> None:
    assert re.fullmatch(r"dipgate \d+\.\d+\.\d+\n", cli("--version").out)

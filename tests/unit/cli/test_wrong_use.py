"""A wrong command line is answered in one Chinese sentence that names the program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (["group"], "缺少 FILE（用法见 dipgate group --help）"),
        (["score", "x.jsonl"], "缺少 --policy"),
        (["group", "x.csv", "--polcy", "a"], "没有选项 --polcy，是不是想写 --policy？"),
        (["grup"], "没有命令 grup，是不是想写 group？"),
        (["group", "x.csv", "--processes", "0"], "--processes 应为不小于 1"),
        (["group", "x.csv", "--processes", "many"], "--processes 应为不小于 1"),
        (["group", "x.csv", "--encoding", "utf-16"], "--encoding 应为其中之一："),
        (["group", "a.csv", "b.csv"], "多了 b.csv"),
        (["group", "x.csv", "--policy"], "选项 --policy 后面要写一个值"),
        (["forecast", "make", "--month", "2025-13"], "--month 月份写作 2025-03"),
        (["forecast", "make", "--month", "2025-03", "--limit", "5"], "5% 写作 0.05"),
    ],
)
def test_wrong_use(line: list[str], told: str, cli: Callable[..., Any]) -> None:
    said = cli(*line)
    assert said.code == 2
    assert told in said.err
    assert said.err.count("\n") == 1
    for word in ("Usage", "Error", "Try", "Invalid", "Missing"):
        assert word not in said.err


@pytest.mark.parametrize(
    "line",
    [
        "group x.jsonl",
        "alternatives x.jsonl",
        "why x.jsonl --theirs y.csv",
        "score x.jsonl --policy sample_2025",
        "settle x.jsonl --policy sample_2025",
        "policy list",
        "library list",
    ],
)
def test_a_state_folder_that_is_not_there_is_said(
    line: str, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    said = cli("--state", tmp_path / "nowhere", *line.split())
    assert said.code == 2
    assert f"没有状态目录 {tmp_path / 'nowhere'}；先运行 dipgate init" in said.err


@pytest.mark.parametrize(
    "line", ["preview --policy x", "indicators --month 2025-03", "forecast score"]
)
def test_without_a_site_the_desk_is_not_opened(
    line: str, tmp_path: Path, cli: Callable[..., Any]
) -> None:
    said = cli("--state", tmp_path / "nowhere", *line.split())
    assert said.code == 2
    assert "先运行 dipgate init" in said.err
    assert not (tmp_path / "nowhere").exists()

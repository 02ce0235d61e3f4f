"""A wrong command line is answered in one Chinese sentence that names the program."""

from __future__ import annotations

from collections.abc import Callable
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

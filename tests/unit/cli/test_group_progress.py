"""What a whole-year run says of its pace where stderr is no terminal."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dipgate.cli import group_progress
from dipgate.cli.group_progress import Told
from dipgate.pipeline.bulk_group import Pace


@pytest.mark.parametrize(
    ("left", "says"),
    [
        (7.4, "约剩 7 秒"),
        (100.0, "约剩 1 分 40 秒"),
        (7260.0, "约剩 2 小时 1 分"),
        (None, "每秒 8,200 例\n"),
    ],
)
def test_rate_and_time_left(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    left: float | None,
    says: str,
) -> None:
    monkeypatch.setattr(group_progress, "EVERY", 0.0)
    with Told() as told:
        told.pace(Pace(123_000, 0.41, 8200.0, left))
    said = capsys.readouterr().err
    assert said.startswith("已处理 41%，123,000 例，每秒 8,200 例")
    assert says in said


def test_lines_come_now_and_then_only(capsys: pytest.CaptureFixture[str]) -> None:
    with Told() as told:
        for _ in range(50):
            told.pace(Pace(1, 0.0, 1.0, None))
    with Told(quiet=True) as told:
        told.pace(Pace(1, 0.0, 1.0, None))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(("out", "told"), [("o.jsonl", True), ("", False)])
def test_an_interrupted_run_says_that_it_can_go_on(
    out: str,
    told: bool,
    state: Path,
    tmp_path: Path,
    cli: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dipgate.pipeline.bulk_group.run", stopped)
    to = ("--out", tmp_path / out) if out else ("--json",)
    said = cli("--state", state, "group", tmp_path / "x.csv", *to)
    assert said.code == 130
    assert "已中断" in said.err
    assert ("同一条命令再运行一次，从停下的地方接着做" in said.err) is told

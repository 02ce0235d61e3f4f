"""Whole invented policies for the money rules that the shipped samples do not use."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from dipgate.config.policies import worked_cases
from dipgate.pipeline.policy_report import examine

FOLDER = Path(__file__).parent / "money"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.mark.parametrize("path", FILES, ids=[path.stem for path in FILES])
def test_nothing_is_missing_or_wrong_and_every_example_holds(path: Path) -> None:
    report = examine(str(path), state=None, today=date(2025, 6, 1))
    assert [need.path for need in report.missing] == []
    assert [note for note in report.notes if note.level == "error"] == []
    assert len(report.cases) == len(worked_cases(str(path)).money) >= 5
    assert [case for case in report.cases if case.differences] == []

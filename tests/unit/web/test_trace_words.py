"""The group trace on a screen: every step and what it stands on have their words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dipgate.core.grouping import Layer, Step
from dipgate.web.trace_words import (
    GROUP_STEPS,
    SCORE_STEPS,
    missing_words,
    ref_words,
)


def test_every_step_of_a_trace_has_words(checkout: Path) -> None:
    """Names of steps as the grouper and the money write them, wherever they are written."""
    named: set[str] = set()
    for path in (checkout / "pregrouper").glob("*.py"):
        if path.name.startswith("settling"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            called = node.func
            name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
            first = node.args[0]
            if name in ("step", "_step", "Step") and isinstance(first, ast.Constant):
                named.add(str(first.value))
    assert "result" in named
    assert "score" in named
    layers = {layer.value for layer in Layer if layer not in (Layer.NONE, Layer.BLANK)}
    assert named | layers <= set(GROUP_STEPS) | set(SCORE_STEPS)
    assert layers <= set(GROUP_STEPS)


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("scoring.institution.table.3 [E1]", "政策 · 机构系数"),
        ("scoring.add_ons[0].score", "政策 · 加成"),
        ("settlement.point_value.table.居民.2025", "政策 · 点值"),
        ("grouping.select", "政策 · 选择规则"),
        ("sample@sample-1 K80.1", "目录 sample@sample-1 K80.1"),
        ("nobody.knows", "nobody.knows"),
        ("", ""),
    ],
)
def test_what_a_step_stands_on_is_said_in_words(ref: str, words: str) -> None:
    assert ref_words(Step("core", "一句话", ref)) == words


def test_a_group_names_its_row_and_nothing_twice() -> None:
    assert ref_words(Step("result", "入组 K80.1 胆石", "K80.1", "第118行")) == "目录第118行"
    assert ref_words(Step("select", "入组 K80.1 胆石", "K80.1")) == ""


def test_what_is_missing_is_said_with_its_path() -> None:
    said = missing_words(("scoring.institution.table.3", "nobody.knows"))
    assert said == "政策 · 机构系数（scoring.institution.table.3）、nobody.knows"

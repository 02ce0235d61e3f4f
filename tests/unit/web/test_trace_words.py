"""The group trace speaks Chinese: every name a policy may use has its words."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from dipgate.core.grouping import Layer, Step
from dipgate.pregrouper.conditions import FLAGS, NUMBERS, WORDS
from dipgate.pregrouper.deviation import FORM_WORDS, FORMS
from dipgate.pregrouper.selectors import SELECTORS
from dipgate.web.trace_words import (
    CONDITION_WORDS,
    GROUP_STEPS,
    SCORE_STEPS,
    SELECTOR_WORDS,
    condition_words,
    missing_words,
    ref_words,
    selector_words,
    step_words,
)


def test_every_selector_and_form_has_words() -> None:
    assert set(SELECTOR_WORDS) == set(SELECTORS)
    assert set(FORM_WORDS) == set(FORMS)


def test_names_of_the_policy_file_become_words() -> None:
    step = Step("select", "选择规则 core_first 去掉 1 个")
    assert step_words(step) == "核心病种优先 去掉 1 个"
    assert selector_words("选择规则 nobody 没有分出先后") == "选择规则 nobody 没有分出先后"
    form = Step("form", "按 rw_k_a 计分 = 1558.712828（未舍入）", value="1558.712828")
    assert step_words(form) == "病种分值 × 机构系数 = 1558.712828"
    stored = Step("form", "按 rw_k_a 计分（未舍入）", value="1558.712828")
    assert step_words(stored) == "病种分值 × 机构系数 = 1558.712828"
    labelled = Step("form", "按 ratio 计分，乘辅助系数 1.3（未舍入）", value="71.4986")
    assert step_words(labelled) == "病种分值 × 费用倍率，乘辅助系数 1.3 = 71.4986"
    score = Step("score", "病例分值（4 位小数）", value="1558.7128")
    assert step_words(score) == "病例分值（4 位小数） = 1558.7128"


def test_why_a_list_is_not_scored() -> None:
    assert step_words(Step("exclude", "gray-parent")) == "不能作主要诊断，选细码"
    assert step_words(Step("exclude", "unheard-of")) == "不能作主要诊断"
    assert step_words(Step("exclude", "地方规定")) == "不能作主要诊断，地方规定"


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
    assert step_words(Step("core", "诊断键 K80.1 有 3 个病种，满足 1 个")) == (
        "按诊断编码 K80.1 查到 3 个病种，条件都满足的 1 个"
    )


def test_a_parameter_without_a_name_is_told_by_what_it_is() -> None:
    step = Step("parameter", "scoring.normal.k = 1.04", "scoring.normal.k [E2]", "1.04")
    assert step_words(step) == "政策 · 正常病例 = 1.04"


def test_what_is_missing_is_said_with_its_path() -> None:
    said = missing_words(("scoring.institution.table.3", "nobody.knows"))
    assert said == "政策 · 机构系数（scoring.institution.table.3）、nobody.knows"


def test_conditions_of_a_policy_become_words() -> None:
    assert set(NUMBERS) | set(WORDS) | set(FLAGS) <= set(CONDITION_WORDS)
    step = Step(
        "condition", "加成 中医：符合 tcm_share > 0.6 and not died", "scoring.add_ons[0].when"
    )
    assert step_words(step) == "加成 中医：符合 中医治疗占比 > 0.6 且 不是 死亡"
    label = Step("auxiliary", "辅助分型 severity：重度，其他诊断 I50.900x001 在表里", "auxiliary")
    assert step_words(label) == "辅助分型 疾病严重程度：重度，其他诊断 I50.900x001 在表里"
    assert condition_words("dx in (C50*, C00-C75)") == "主要诊断 属于 (C50*, C00-C75)"
    assert condition_words("sample@sample-1 scoring.add_ons") == "sample@sample-1 scoring.add_ons"

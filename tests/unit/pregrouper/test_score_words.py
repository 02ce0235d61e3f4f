"""Words that scoring would not understand are found before a case meets them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from dipgate.config.policies import builtin_policies
from dipgate.core.errors import ConfigError
from dipgate.pregrouper import compile_library
from dipgate.pregrouper.review import ERROR, review
from dipgate.pregrouper.score_words import unheard_dimensions, wrong_words

Make = Callable[..., Any]


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        (
            {"scoring": {"add_ons": [{"name": "x", "when": "tcm_shar > 1"}]}},
            "scoring.add_ons[0].when",
        ),
        (
            {"scoring": {"case_rules": [{"name": "x", "when": "dead"}]}},
            "scoring.case_rules[0].when",
        ),
        (
            {"scoring": {"case_rules": [{"name": "x", "when": "died", "zone": "middle"}]}},
            "scoring.case_rules[0].zone",
        ),
        (
            {"auxiliary": {"expressions": [{"label": "x", "when": "age > 1"}]}},
            "auxiliary.expressions[0].when",
        ),
        ({"auxiliary": {"choose": "min_factor"}}, "auxiliary.choose"),
        ({"auxiliary": {"severity_labels": ["轻", "重"]}}, "auxiliary.severity_labels"),
        ({"auxiliary": {"tumour_labels": ["轻"] * 8}}, "auxiliary.tumour_labels"),
        ({"scoring": {"institution": {"composition": "mix"}}}, "scoring.institution.composition"),
        (
            {"scoring": {"institution": {"basic_groups": "half"}}},
            "scoring.institution.basic_groups",
        ),
        ({"scoring": {"fee_basis": "half"}}, "scoring.fee_basis"),
        (
            {"scoring": {"add_ons": [{"name": "x", "when": "died", "apply": "k"}]}},
            "scoring.add_ons[0].apply",
        ),
    ],
)
def test_a_wrong_word_is_an_error_with_its_path(
    make_policy: Make, policy: dict[str, Any], path: str
) -> None:
    rules = make_policy(**policy)
    assert path in [found for found, _ in wrong_words(rules)]
    notes = review(rules, date(2025, 3, 1))
    assert path in [note.path for note in notes if note.level == ERROR]


def test_every_wrong_word_of_the_grouping_is_told_with_the_nearest_right_one(
    make_policy: Make, make_library: Make
) -> None:
    """The compiler refuses the first in the same words."""
    rules = make_policy(
        grouping={"select": ["core_frist"], "bx_tie": "frist", "pre_any_position": ["x"]},
        settlement={"price_keys": ["poool"]},
    )
    told = dict(wrong_words(rules))
    assert set(told) == {
        "grouping.select",
        "grouping.bx_tie",
        "grouping.pre_any_position",
        "settlement.price_keys",
    }
    assert "是不是想写 'core_first'？" in told["grouping.select"]
    assert "是不是想写 'first'？" in told["grouping.bx_tie"]
    assert "是不是想写 'pool'？" in told["settlement.price_keys"]
    with pytest.raises(ConfigError) as refused:
        compile_library(make_library(), rules)
    assert str(refused.value) == f"参数 grouping.select：{told['grouping.select']}"


def test_published_policies_have_none() -> None:
    for policy in builtin_policies():
        assert list(wrong_words(policy)) == [], policy.policy.id
        assert unheard_dimensions(policy) == ()


def test_a_dimension_that_nobody_knows(make_policy: Make) -> None:
    rules = make_policy(auxiliary={"dimensions": ["cci", "local", "secondary_dx", "weather"]})
    assert unheard_dimensions(rules) == ("weather",)


def test_a_library_is_not_compiled_for_labels_that_cannot_be_read(
    make_policy: Make, make_library: Make
) -> None:
    rules = make_policy(auxiliary={"expressions": [{"label": "x", "when": "agee > 1"}]})
    with pytest.raises(ConfigError) as caught:
        compile_library(make_library(("K80.1", "", "100")), rules)
    assert caught.value.path == "auxiliary.expressions[0].when"

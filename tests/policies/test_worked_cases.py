"""The worked examples beside every built-in policy hold exactly."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime
from functools import cache
from pathlib import Path

import pytest

from dipgate.config.catalogues import activate_sample
from dipgate.config.libraries import load_library
from dipgate.config.policies import builtin_policies, load_policy, worked_cases
from dipgate.config.policy_set import with_settings
from dipgate.config.references import References
from dipgate.core.clock import CHINA
from dipgate.core.grouping import Layer, Zone
from dipgate.core.policy import Policy
from dipgate.core.policy_cases import MoneyCase, PolicyCase
from dipgate.core.reference import Reference
from dipgate.pregrouper import Library, compile_library, group_with, score
from dipgate.pregrouper.conditions import VOCABULARY
from dipgate.pregrouper.deviation import FORMS
from dipgate.pregrouper.review import review
from dipgate.pregrouper.selectors import SELECTORS
from dipgate.pregrouper.worked import case_from, run_example, run_money_example

EXAMPLES = [
    pytest.param(policy.policy.id, example, id=f"{policy.policy.id}-{example.name}")
    for policy in builtin_policies()
    for example in worked_cases(policy.policy.id).cases
]

MONEY = [
    pytest.param(policy.policy.id, example, id=f"{policy.policy.id}-{example.name}")
    for policy in builtin_policies()
    for example in worked_cases(policy.policy.id).money
]


@cache
def policy_of(policy_id: str) -> Policy:
    """The policy with the settings that its examples bring."""
    return with_settings(policy_id, worked_cases(policy_id).settings)


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> Path:
    state = tmp_path_factory.mktemp("sample")
    activate_sample(state, datetime(2025, 6, 16, tzinfo=CHINA))
    return state


@pytest.fixture(scope="module")
def compiled(sample: Path) -> Callable[[str], Library]:
    """Policy id → the library that it names, compiled for it once."""

    @cache
    def compile_for(policy_id: str) -> Library:
        policy, bench = policy_of(policy_id), worked_cases(policy_id).library
        if bench is not None:
            return compile_library(bench.data(policy_id), policy)
        name, _, version = (policy.catalogue.library or "").partition("@")
        return compile_library(load_library(sample, name, version), policy)

    return compile_for


@pytest.fixture(scope="module")
def library(compiled: Callable[[str], Library]) -> Library:
    return compiled("sample_2025")


@pytest.fixture(scope="module")
def references(sample: Path) -> References:
    return References(sample, None)


@pytest.mark.parametrize(("policy_id", "example"), EXAMPLES)
def test_worked_example(
    policy_id: str,
    example: PolicyCase,
    compiled: Callable[[str], Library],
    references: References,
) -> None:
    # A bench brings codes and dictionary of its own; the sample's catalogues know others.
    alone = worked_cases(policy_id).library is not None
    reference = Reference(example.settled_on) if alone else references.on(example.settled_on)
    assert run_example(example, compiled(policy_id), policy_of(policy_id), reference) == ()


def test_no_step_of_any_example_quotes_a_word_of_the_policy_file(
    compiled: Callable[[str], Library], references: References
) -> None:
    """`core_first`, `rw_k_a`, `tcm_share` are for the file; a sentence says what they mean."""
    words = "|".join({*SELECTORS, *FORMS, *VOCABULARY, *(layer.value for layer in Layer if layer)})
    quoted = re.compile(rf"(?<![\w.])(?:{words})(?![\w.])")
    seen = 0
    for param in EXAMPLES:
        policy_id, example = param.values
        alone = worked_cases(policy_id).library is not None
        day = example.settled_on
        reference = Reference(day) if alone else references.on(day)
        policy, case = policy_of(policy_id), case_from(example)
        grouped = group_with(case, compiled(policy_id), policy, reference)
        scored = score(case, grouped, policy, hospital_level=example.input.hospital_level)
        texts = [step.text for step in (*grouped.trace, *scored.trace)]
        texts += [item.why for item in (*grouped.alternatives, *grouped.labels)]
        assert [text for text in texts if quoted.search(text)] == [], (policy_id, example.name)
        seen += len(texts)
    assert seen > 1000


@pytest.mark.parametrize("policy_id", ["sample_2025", "sample_neighbour_2025"])
def test_a_sample_policy_has_an_example_for_every_zone(policy_id: str) -> None:
    zones = {example.expect.zone for example in worked_cases(policy_id).cases}
    assert {zone.value for zone in Zone if zone.value} <= zones


def test_a_wrong_example_is_told(library: Library, references: References) -> None:
    example = worked_cases("sample_2025").cases[0]
    wrong = example.model_copy(
        update={"expect": example.expect.model_copy(update={"score": "1.0000", "steps": ("x",)})}
    )
    found = run_example(
        wrong, library, load_policy("sample_2025"), references.on(example.settled_on)
    )
    assert found[0] == "score：应为 1.0000，得到 713.5313"
    assert found[1].startswith("steps")


def test_sample_policy_passes_its_review(library: Library) -> None:
    policy = load_policy("sample_2025")
    day = worked_cases("sample_2025").cases[0].settled_on
    assert [note for note in review(policy, day, library) if note.level == "error"] == []


@pytest.mark.parametrize(("policy_id", "example"), MONEY)
def test_worked_month_or_year(policy_id: str, example: MoneyCase) -> None:
    assert run_money_example(example, policy_of(policy_id)) == ()


def test_a_wrong_month_is_told() -> None:
    example = worked_cases("sample_2025").money[0]
    expect = example.expect.model_copy(update={"payable": "1.00", "deposit": ""})
    wrong = example.model_copy(update={"expect": expect})
    found = run_money_example(wrong, policy_of("sample_2025"))
    assert found == ("payable：应为 1.00，得到 7714.00", "deposit：应为 （空），得到 406.00")

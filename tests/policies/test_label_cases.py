"""Every label of a policy's ladder on an invented library, beside its own worked cases."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from dipgate.config.policy_set import with_settings
from dipgate.config.strict_model import read_model
from dipgate.config.strict_yaml import parse_yaml
from dipgate.core.policy import Policy
from dipgate.core.policy_cases import PolicyCases
from dipgate.core.reference import Reference
from dipgate.pregrouper import Library, compile_library
from dipgate.pregrouper.worked import run_example

FOLDER = Path(__file__).parent / "labels"
POLICIES = sorted(path.stem for path in FOLDER.glob("*.yaml"))


@cache
def cases_of(policy_id: str) -> PolicyCases:
    path = FOLDER / f"{policy_id}.yaml"
    document = parse_yaml(path.read_text("utf-8"), file=path.name)
    return read_model(PolicyCases, document.value, file=path.name, line_of=document.line_of)


@cache
def prepared(policy_id: str) -> tuple[Policy, Library]:
    cases = cases_of(policy_id)
    policy = with_settings(policy_id, cases.settings)
    assert cases.library is not None
    return policy, compile_library(cases.library.data(policy_id), policy)


@pytest.mark.parametrize(
    ("policy_id", "number"),
    [(name, number) for name in POLICIES for number in range(len(cases_of(name).cases))],
)
def test_label_case(policy_id: str, number: int) -> None:
    example = cases_of(policy_id).cases[number]
    policy, library = prepared(policy_id)
    assert run_example(example, library, policy, Reference(example.settled_on)) == ()


def test_every_label_of_the_1_0_ladder_is_shown() -> None:
    shown = {
        label.removeprefix("severity ")
        for example in cases_of("yichang_2023").cases
        for label in example.expect.labels or ()
    }
    ladder = {"轻度I-A", "轻度I-B", "中度II", "重度III", "转移IV", "放疗V-A", "化疗V-B"}
    assert ladder | {"死亡IV-A", "死亡IV-B", "死亡VI-A", "死亡VI-B"} <= shown

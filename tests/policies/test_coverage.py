"""Worked cases cover what policies can say: every selector, zone, edge and label has its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest

from dipgate.config.catalogues import activate_sample
from dipgate.config.libraries import load_library
from dipgate.config.policies import builtin_policies, worked_cases
from dipgate.config.policy_set import with_settings
from dipgate.config.references import References
from dipgate.core.clock import CHINA
from dipgate.core.grouping import GroupResult, ScoreResult, Zone
from dipgate.core.policy import Policy
from dipgate.core.policy_cases import PolicyCase
from dipgate.core.reference import Reference
from dipgate.pregrouper import compile_library, group_with, score
from dipgate.pregrouper.selectors import SELECTORS
from dipgate.pregrouper.worked import case_from

WITHOUT_CASES = {"yunfu_2022": "the record is a scope without grouping rules"}
NEVER_DECIDES = {"principal_only_row": "after max_related_matched the rows it would drop are gone"}
NO_CASE_ON_AN_EDGE = {"sample_neighbour_2025": "no whole fen lies on an edge of its standards"}
NOT_NAMED = {"layer_order": "the engine's own, where a policy compares no layers"}


Judged = tuple[PolicyCase, GroupResult, ScoreResult]
IDS = [policy.policy.id for policy in builtin_policies() if worked_cases(policy.policy.id).cases]


def policy_of(name: str) -> Policy:
    return with_settings(name, worked_cases(name).settings)


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, tuple[Judged, ...]]:
    """Policy id → its worked cases, grouped and scored."""
    state = tmp_path_factory.mktemp("sample")
    activate_sample(state, datetime(2025, 6, 16, tzinfo=CHINA))
    return {name: tuple(_judged(name, state)) for name in IDS}


def _judged(name: str, state: Path) -> Iterator[Judged]:
    found, policy = worked_cases(name), policy_of(name)
    if found.library is not None:
        library, references = compile_library(found.library.data(name), policy), None
    else:
        named, _, version = (policy.catalogue.library or "").partition("@")
        library = compile_library(load_library(state, named, version), policy)
        references = References(state, None)
    for example in found.cases:
        day, level = example.settled_on, example.input.hospital_level
        ref = Reference(day) if references is None else references.on(day)
        case = case_from(example)
        grouped = group_with(case, library, policy, ref)
        yield example, grouped, score(case, grouped, policy, hospital_level=level)


def test_every_policy_has_worked_cases() -> None:
    everyone = {policy.policy.id for policy in builtin_policies()}
    assert everyone - set(IDS) == set(WITHOUT_CASES)


def test_each_selector_that_a_policy_names_decides_a_worked_case(
    judged: Mapping[str, tuple[Judged, ...]],
) -> None:
    decided = {
        step.value
        for results in judged.values()
        for _, grouped, _ in results
        for step in grouped.trace
        if step.step == "select" and step.dropped
    }
    named = {selector for policy in builtin_policies() for selector in policy.grouping.select or ()}
    assert named - decided == set(NEVER_DECIDES)
    assert set(SELECTORS) - named == set(NOT_NAMED), "a selector without a policy"


def edges(policy: Policy) -> Iterator[tuple[str, str, Decimal]]:
    """(zone, operator, ratio) of every edge that the policy knows."""
    zones = policy.scoring.deviation
    for name in ("low", "high", "extreme"):
        rule = getattr(zones, name)
        at = rule.at.fixed if rule.at is not None else None
        if at is not None and rule.op not in (None, "n/a"):
            yield name, rule.op, at


@pytest.mark.parametrize("name", IDS)
def test_every_edge_has_a_case_on_it_and_on_both_sides(
    name: str, judged: Mapping[str, tuple[Judged, ...]]
) -> None:
    policy = policy_of(name)
    ratios = {result.ratio for _, _, result in judged[name] if result.ratio is not None}
    for zone, op, at in edges(policy):
        near = at / 100
        assert at in ratios or name in NO_CASE_ON_AN_EDGE, f"{name}: nothing on {zone} {op} {at}"
        assert any(at - near < ratio < at for ratio in ratios), f"{name}: just under {zone} {at}"
        assert any(at < ratio < at + near for ratio in ratios), f"{name}: just over {zone} {at}"


@pytest.mark.parametrize("name", IDS)
def test_every_zone_that_a_policy_has_is_reached(
    name: str, judged: Mapping[str, tuple[Judged, ...]]
) -> None:
    policy = policy_of(name)
    reached = {result.zone for _, _, result in judged[name]}
    wanted = {Zone(zone) for zone, _, _ in edges(policy)}
    assert wanted <= reached


def test_every_label_of_a_policy_is_given_to_a_worked_case(
    judged: Mapping[str, tuple[Judged, ...]],
) -> None:
    missing = {}
    for name, results in judged.items():
        rules = policy_of(name).auxiliary
        wanted = {
            *(rules.severity_labels or ()),
            *(rules.local_labels or ()),
            *(band.label for band in rules.age_bands or () if "age" in (rules.dimensions or ())),
        }
        given = {label.label for _, grouped, _ in results for label in grouped.labels}
        if wanted - given:
            missing[name] = sorted(wanted - given)
    assert missing == {}

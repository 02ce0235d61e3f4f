"""The fault plan: seeded, countable, and strict about what it does not know."""

from __future__ import annotations

from collections import Counter

import pytest

from dipgate.core.errors import ConfigError
from dipgate.twin.faults import NO_FAULTS, FaultKind, FaultPlan, read_plan


def test_no_plan_no_faults() -> None:
    assert all(NO_FAULTS.draw(number) is None for number in range(1, 1000))


def test_the_same_seed_gives_the_same_faults() -> None:
    plan = read_plan({"seed": 5, "share": {"cut": 0.1, "garbage": 0.1}})
    first = [plan.draw(number) for number in range(1, 500)]
    assert first == [plan.draw(number) for number in range(1, 500)]
    other = read_plan({"seed": 6, "share": {"cut": 0.1, "garbage": 0.1}})
    assert first != [other.draw(number) for number in range(1, 500)]


def test_shares_are_kept_and_half_of_the_cuts_come_after_the_commit() -> None:
    plan = read_plan({"seed": 1, "share": {"cut": 0.2, "http_503": 0.1}})
    drawn = [fault for fault in map(plan.draw, range(1, 10_001)) if fault is not None]
    count = Counter(fault.kind for fault in drawn)
    assert count[FaultKind.CUT] == pytest.approx(2000, abs=150)
    assert count[FaultKind.HTTP_503] == pytest.approx(1000, abs=150)
    commits = [fault.commits for fault in drawn if fault.kind is FaultKind.CUT]
    assert 0.4 < sum(commits) / len(commits) < 0.6
    assert not any(fault.commits for fault in drawn if fault.kind is FaultKind.HTTP_503)


def test_a_named_request_gets_its_fault() -> None:
    plan = read_plan({"at": {"3": "http_500", "5": "timeout_after_commit"}})
    kinds = [fault.kind if (fault := plan.draw(number)) else None for number in range(1, 6)]
    assert kinds == [None, None, FaultKind.HTTP_500, None, FaultKind.TIMEOUT_AFTER_COMMIT]


def test_a_plan_reads_back_as_it_was_written() -> None:
    plan = FaultPlan(seed=3, share={FaultKind.SLOW: 0.5}, at={2: FaultKind.CUT}, slow_seconds=0.1)
    assert read_plan(plan.as_json()) == plan


@pytest.mark.parametrize(
    ("obj", "path", "words"),
    [
        ([], "faults", "JSON 对象"),
        ({"sed": 1}, "faults.sed", "'seed'"),
        ({"share": {"timeout": 1}}, "faults.share", "timeout_"),
        ({"share": {"cut": 2}}, "faults.share.cut", "0 到 1"),
        ({"share": {"cut": True}}, "faults.share.cut", "0 到 1"),
        ({"share": {"cut": 0.6, "slow": 0.6}}, "faults.share", "超过 1"),
        ({"share": []}, "faults.share", "JSON 对象"),
        ({"at": {"0": "cut"}}, "faults.at", "从 1 起"),
        ({"at": {"x": "cut"}}, "faults.at", "从 1 起"),
        ({"at": {"1": "kut"}}, "faults.at", "'cut'"),
        ({"seed": "1"}, "faults.seed", "整数"),
        ({"infno": "4101A"}, "faults.infno", "数组"),
        ({"hold_seconds": -1}, "faults.hold_seconds", "0 到 600"),
        ({"slow_seconds": "1"}, "faults.slow_seconds", "0 到 600"),
    ],
)
def test_a_wrong_plan_names_its_mistake(obj: object, path: str, words: str) -> None:
    with pytest.raises(ConfigError, match=words) as caught:
        read_plan(obj)
    assert caught.value.path == path

"""What a person sees before a policy is put to use."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

import pytest

from dipgate.pregrouper import compile_library
from dipgate.pregrouper.review import review

Make = Callable[..., Any]
DAY = date(2025, 3, 15)


@pytest.mark.parametrize(
    ("policy", "path", "level"),
    [
        ({"grouping": {"select": ["nearest"]}}, "grouping.select", "error"),
        ({"scoring": {"normal": {"form": "a * b"}}}, "scoring.normal.form", "error"),
        (
            {"scoring": {"deviation": {"low": {"at": "2"}}}},
            "scoring.deviation.high.at",
            "error",
        ),
        (
            {"scoring": {"deviation": {"high": {"k": "none"}}}},
            "scoring.deviation.high",
            "warning",
        ),
        (
            {"scoring": {"institution": {"pools_differ": "true"}}},
            "scoring.institution.pools_differ",
            "error",
        ),
        (
            {"scoring": {"institution": {"pools_differ": "false", "table": {"2": {"居民": "1"}}}}},
            "scoring.institution.pools_differ",
            "warning",
        ),
        ({"settlement": {"merged": "true"}}, "settlement.merged", "error"),
        ({"auxiliary": {"severity_source": "mcc"}}, "auxiliary.severity_source", "error"),
        (
            {"scoring": {"special_review": {"per_hospital_cap": "0.005"}}},
            "scoring.special_review.per_hospital_cap",
            "error",
        ),
        ({"settlement": {"fund_ratio": {"职工": "1.2"}}}, "settlement.fund_ratio.职工", "error"),
        (
            {"settlement": {"point_value": {"basis": "gross"}}},
            "settlement.point_value.basis",
            "error",
        ),
        ({"scoring": {"time_weights": ["1", "0"]}}, "scoring.time_weights[1]", "error"),
        ({}, "scoring.src", "warning"),
    ],
)
def test_notes(make_policy: Make, policy: dict[str, Any], path: str, level: str) -> None:
    assert (level, path) in [(note.level, note.path) for note in review(make_policy(**policy), DAY)]


@pytest.mark.parametrize(
    "policy",
    [
        {"scoring": {"institution": {"pools_differ": "false"}}},
        {"scoring": {"institution": {"pools_differ": "true", "table": {"3": {"职工": "1"}}}}},
        {"settlement": {"merged": "true", "pools": ["全体"]}},
        {"settlement": {"merged": "false"}},
    ],
)
def test_pools_that_stand_as_the_policy_says(make_policy: Make, policy: dict[str, Any]) -> None:
    policy.setdefault("scoring", {}).setdefault("institution", {}).setdefault("table", {})
    paths = [note.path for note in review(make_policy(**policy), DAY)]
    assert not {"scoring.institution.pools_differ", "settlement.merged"} & set(paths)


def test_continuous_high_zone_is_not_noted(make_policy: Make) -> None:
    assert "scoring.deviation.high" not in [note.path for note in review(make_policy(), DAY)]


def test_groups_that_the_library_lacks(make_policy: Make, make_library: Make) -> None:
    policy = make_policy(grouping={"basic_groups": ["X"], "blank_code": "KBBZ"})
    library = compile_library(make_library(("K80.1", "", "1")), policy)
    paths = [note.path for note in review(policy, DAY, library)]
    assert paths[:2] == ["grouping.basic_groups", "grouping.blank_code"]

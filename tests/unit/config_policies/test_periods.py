"""Which policy holds on a day: overlays, versions that follow one another, no dates at all."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from pathlib import Path

import pytest

from dipgate.config.policies import policies_for, policies_of, policy_in_force
from dipgate.core.errors import ConfigError

AREA = "990300"


@pytest.fixture
def put(state: Path) -> Callable[..., None]:
    """`put("a", "2024-01-01", "2024-12-31")` writes a site's own policy of area 990300."""
    folder = state / "policies"
    folder.mkdir()

    def write(name: str, first: str = "null", last: str = "null", more: str = "") -> None:
        text = (
            f'schema: dip-policy/1\npolicy: {{id: {name}, region: {{code: "{AREA}"}}, '
            f"date_basis: settlement, effective_from: {first}, effective_to: {last}{more}}}\n"
        )
        (folder / f"{name}.yaml").write_text(text, encoding="utf-8")

    return write


def ids(state: Path, day: date) -> list[str]:
    return [item.policy.id for item in policies_for(AREA, day, state=state)]


def test_versions_follow_one_another(state: Path, put: Callable[..., None]) -> None:
    put("one", "2024-01-01", "2024-12-31")
    put("two", "2025-01-01")
    assert ids(state, date(2024, 12, 31)) == ["one"]
    assert ids(state, date(2025, 1, 1)) == ["two"]


def test_an_open_version_ends_where_the_next_begins(state: Path, put: Callable[..., None]) -> None:
    put("one", "2024-01-01")
    put("two", "2025-01-01")
    assert ids(state, date(2025, 6, 1))[0] == "two"
    assert ids(state, date(2024, 6, 1)) == ["one"]


def test_stated_periods_must_not_overlap(state: Path, put: Callable[..., None]) -> None:
    put("one", "2024-01-01", "2025-12-31")
    put("two", "2025-01-01")
    with pytest.raises(ConfigError, match=r"有效期重叠.*supersedes: one"):
        ids(state, date(2025, 6, 1))
    assert ids(state, date(2024, 6, 1)) == ["one"]
    put("two", "2025-01-01", more=", supersedes: one")
    assert ids(state, date(2025, 6, 1))[0] == "two"


def test_two_of_the_same_day_are_refused(state: Path, put: Callable[..., None]) -> None:
    put("one", "2025-01-01")
    put("two", "2025-01-01")
    with pytest.raises(ConfigError, match="同日生效"):
        ids(state, date(2025, 6, 1))


def test_a_gap_has_no_policy(state: Path, put: Callable[..., None]) -> None:
    put("one", "2024-01-01", "2024-11-30")
    put("two", "2025-01-01")
    assert ids(state, date(2024, 12, 15)) == []
    assert policy_in_force(date(2024, 12, 15), area=AREA, state=state) is None


def test_a_policy_without_dates_is_found_only_by_name(
    state: Path, put: Callable[..., None]
) -> None:
    put("undated")
    day = date(2025, 6, 1)
    assert ids(state, day) == []
    assert policy_in_force(day, area=AREA, state=state) is None
    named = policy_in_force(day, area=AREA, named="undated", state=state)
    assert named is not None
    assert [item.policy.id for item in policies_of(AREA, state=state)] == ["undated"]


def test_an_overlay_of_the_same_day_stands_for_its_base(state: Path) -> None:
    folder = state / "policies"
    folder.mkdir()
    text = "extends: pingdingshan_2025\npolicy: {id: ours}\n"
    (folder / "ours.yaml").write_text(text, encoding="utf-8")
    found = policies_for("410400", date(2025, 6, 1), state=state)
    assert [item.policy.id for item in found] == ["ours"]


def test_an_overlay_of_a_later_day_leaves_its_base_in_force_before(state: Path) -> None:
    folder = state / "policies"
    folder.mkdir()
    text = "extends: pingdingshan_2025\npolicy: {id: ours, effective_from: 2026-01-01}\n"
    (folder / "ours.yaml").write_text(text, encoding="utf-8")
    early = policies_for("410400", date(2025, 12, 31), state=state)
    late = policies_for("410400", date(2026, 1, 1), state=state)
    assert [item.policy.id for item in early] == ["pingdingshan_2025"]
    assert late[0].policy.id == "ours"

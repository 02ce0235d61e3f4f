"""The settlement day and the insured place choose the policy."""

from __future__ import annotations

from datetime import date
from functools import partial

import pytest

from dipgate.config.policies import policy_in_force

choose = partial(policy_in_force, area="990100", agreed_areas=("990200",))


@pytest.mark.parametrize(
    ("day", "place", "expected"),
    [
        (date(2025, 3, 1), "990100", "sample_2025"),
        (date(2025, 3, 1), "", "sample_2025"),
        (date(2025, 3, 1), "990200", "sample_neighbour_2025"),
        (date(2025, 3, 1), "990203", "sample_neighbour_2025"),
        (date(2025, 3, 1), "990300", "sample_2025"),
        (date(2025, 3, 1), "9902", "sample_2025"),
        (date(2024, 12, 31), "990100", "sample_2025"),
        (date(2024, 12, 31), "990200", None),
        (date(2025, 1, 1), "990200", "sample_neighbour_2025"),
        (date(2027, 1, 1), "990200", None),
        (date(2027, 1, 1), "990100", None),
    ],
)
def test_day_and_place_choose(day: date, place: str, expected: str | None) -> None:
    """A neighbour's insured are never priced by our own policy for want of theirs."""
    for named in ("", "sample_2025"):
        found = choose(day, insured_place=place, named=named)
        assert (found.policy.id if found else None) == expected


def test_without_an_agreement_the_own_policy_holds_for_everybody() -> None:
    found = policy_in_force(date(2025, 3, 1), area="990100", insured_place="990200")
    assert found is not None
    assert found.policy.id == "sample_2025"

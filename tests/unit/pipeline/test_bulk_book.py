"""The policy of a case in a whole-year run is the one by which the desk pays it."""

from __future__ import annotations

import re
from datetime import date
from pathlib import Path

import pytest

from dipgate.config.policies import policy_in_force
from dipgate.config.resources import resource
from dipgate.core.errors import ConfigError
from dipgate.core.policy_cases import CaseExpect, CaseInput, PolicyCase
from dipgate.pipeline.bulk_group_book import Book, BookNames
from dipgate.pregrouper.batch import Tables
from dipgate.pregrouper.worked import case_from

OVERLAY = "extends: sample_2025\npolicy: {id: ours}\nscoring: {rounding: {score_dp: 2}}\n"


@pytest.fixture
def unnamed(sample_state: Path) -> Path:
    """A site whose policy is chosen by area and day."""
    site = sample_state / "site.toml"
    text = re.sub(r'(\[policy\]\n(?:#.*\n)*)id = ".*"', r'\1id = ""', site.read_text("utf-8"))
    site.write_text(text, encoding="utf-8")
    (sample_state / "policies").mkdir(exist_ok=True)
    return sample_state


def policy_for(state: Path, day: date, place: str = "990100") -> str:
    book = Book(BookNames(str(state), str(state / "site.toml")))
    given = CaseInput(principal="K35.800", insured_place=place)
    found = book(
        case_from(
            PolicyCase(name="x", settled_on=day, input=given, expect=CaseExpect(), source="x")
        )
    )
    assert isinstance(found, Tables)
    return found.policy.policy.id


def test_an_overlay_stands_for_its_base(unnamed: Path) -> None:
    (unnamed / "policies" / "ours.yaml").write_text(OVERLAY, encoding="utf-8")
    day = date(2025, 3, 10)
    wanted = policy_in_force(day, area="990100", state=unnamed)
    assert wanted is not None
    assert policy_for(unnamed, day) == wanted.policy.id == "ours"


def test_those_insured_elsewhere_go_by_their_own_area(unnamed: Path) -> None:
    assert policy_for(unnamed, date(2025, 3, 10), "990203") == "sample_neighbour_2025"
    assert policy_for(unnamed, date(2025, 3, 10)) == "sample_2025"


def test_two_policies_of_one_day_are_refused(unnamed: Path) -> None:
    text = resource("policies", "990100", "sample_2025.yaml").read_text("utf-8")
    twin = unnamed / "policies" / "twin.yaml"
    twin.write_text(text.replace("id: sample_2025", "id: twin"), encoding="utf-8")
    with pytest.raises(ConfigError, match="两份同日生效的政策"):
        policy_for(unnamed, date(2025, 3, 10))

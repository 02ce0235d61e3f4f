"""The engine on a real city's library, where it is at hand."""

from __future__ import annotations

import csv
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dipgate.config.libraries import import_library, load_library
from dipgate.config.policies import load_policy
from dipgate.core.clock import CHINA
from dipgate.core.grouping import GroupStatus
from dipgate.core.policy import Policy
from dipgate.pregrouper import Library, compile_library, group, score

Make = Callable[..., Any]
pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def policy() -> Policy:
    return load_policy("pingdingshan_2025")


@pytest.fixture(scope="module")
def library(shared: Path, tmp_path_factory: pytest.TempPathFactory, policy: Policy) -> Library:
    state = tmp_path_factory.mktemp("city")
    now = datetime(2025, 1, 1, tzinfo=CHINA)
    file = shared / "data" / "dip" / "pingdingshan_2025.csv"
    import_library(state, "city", "2025", now.date(), file, partial=False, supersede=False, now=now)
    return compile_library(load_library(state, "city", "2025"), policy)


@pytest.fixture(scope="module")
def category(shared: Path) -> dict[str, str]:
    with (shared / "data" / "icd" / "icd9cm3_nhsa_v2.csv").open(encoding="utf-8") as file:
        return {line["code"]: line["category"] for line in csv.DictReader(file)}


def test_money_is_not_configured_and_says_what_is_missing(
    library: Library, policy: Policy, category: dict[str, str], make_case: Make
) -> None:
    case = make_case("K80.100", "51.2300")
    found = group(case, library, policy, op_category=category)
    money = score(case, found, policy, hospital_level="3")
    assert found.group_code == "K80.1:51.2300"
    assert money.amount is None
    assert {"scoring.institution.by", "settlement.fund_share"} <= set(money.not_configured)


def test_blank_group_of_the_city(library: Library, policy: Policy, make_case: Make) -> None:
    found = group(make_case("Z99.900"), library, policy)
    assert (found.status, found.group_code) == (GroupStatus.BLANK, "KBBZ")
    assert found.base_score == Decimal("1485.354916")

"""Take one number away from a policy: whatever needs it says so by its path, nothing else moves.

Every value of two complete policies is made null in turn, and every worked month and year runs
again. An amount stays exactly what it was, or it is gone and the missing path is named.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from dipgate.config.policies import worked_cases
from dipgate.config.policy_set import with_settings
from dipgate.config.policy_show import shown_values
from dipgate.core.policy import Policy
from dipgate.core.policy_cases import MoneyCase
from dipgate.pregrouper.settling import Settled, settle

ELASTIC = str(Path(__file__).parent / "money" / "elastic_2025.yaml")
SECTIONS = ("settlement.", "scoring.rounding.")
SHOWN_ONLY = (
    "settlement.monthly.deposit",  # the deposit is not shown; what is paid does not need it
    "settlement.allow_negative",  # nothing below zero unless the policy says so (section 5)
)


def paths(policy: str) -> list[str]:
    """Parameters that one `--set` can make null: a list is one, a dated number is one."""
    found = [item.path for item in shown_values(policy) if item.path.startswith(SECTIONS)]
    whole = [
        path.partition(".values.")[0].partition("[")[0].removesuffix(".unit") for path in found
    ]
    return list(dict.fromkeys(path for path in whole if not path.endswith(".note")))


CASES = [
    pytest.param(policy, path, id=f"{Path(policy).stem}-{path}")
    for policy in ("sample_2025", ELASTIC)
    for path in paths(policy)
]


@cache
def policy_of(policy: str, path: str = "") -> Policy:
    settings = worked_cases(policy).settings
    return with_settings(policy, [*settings, f"{path}=null"] if path else settings)


@cache
def months_and_years(policy: str) -> tuple[tuple[MoneyCase, Settled], ...]:
    examples = worked_cases(policy).money
    return tuple((item, settle(item.settle, policy_of(policy))) for item in examples)


def related(one: str, other: str) -> bool:
    """A path, or one above or below it: a table that is gone is named by its cell or as a whole."""
    return one == other or one.startswith((f"{other}.", f"{other}[")) or other.startswith(f"{one}.")


@pytest.mark.parametrize(("policy", "path"), CASES)
def test_an_amount_stays_or_its_missing_number_is_named(policy: str, path: str) -> None:
    without = policy_of(policy, path)
    for example, before in months_and_years(policy):
        after = settle(example.settle, without)
        if after.payable is not None or before.payable is None:
            assert after.payable == before.payable or path in SHOWN_ONLY, example.name
            continue
        new = set(after.not_configured) - set(before.not_configured)
        # Without `fund_share_from` a table of shares says enough, without it the way is asked for.
        ways = ("settlement.fund_share_from", "settlement.fund_ratio")
        named = [item for item in new if related(item, path) or path.startswith(ways)]
        assert named, (example.name, after.not_configured)


def test_most_numbers_matter_to_some_example() -> None:
    """The examples above are not idle: they miss most of the numbers that are taken away."""
    missed = 0
    for parameter in CASES:
        policy, path = parameter.values
        without = policy_of(str(policy), str(path))
        missed += any(
            settle(example.settle, without).payable != before.payable
            for example, before in months_and_years(str(policy))
        )
    assert missed >= len(CASES) // 3

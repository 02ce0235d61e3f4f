"""What `dipgate policy check` calls missing is all that a case, a month or a year then names."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal

import pytest

from dipgate.config.policies import builtin_policies
from dipgate.core.case import Case, Diagnosis
from dipgate.core.clock import CHINA
from dipgate.core.codes import diagnosis_code
from dipgate.core.grouping import GroupResult, GroupStatus, Layer
from dipgate.core.money import Fen
from dipgate.core.policy import Policy
from dipgate.core.settle_input import SettleInput
from dipgate.pregrouper import score
from dipgate.pregrouper.policy_needs import missing_parameters
from dipgate.pregrouper.settling import settle

DAY = date(2025, 3, 15)
POLICIES = builtin_policies()
NOT_THE_POLICY = ("case.", "input.", "library.")
OUTSIDE = ("settlement.pool_codes.", "scoring.institution.group_factors")
"""Tables that a policy may do without: national codes and the library's own factors stand in."""


def case(fee: int, insurance_type: str) -> Case:
    moment = datetime(2025, 3, 10, 8, tzinfo=CHINA)
    return Case(
        case_id="1",
        hospital_code="H1",
        insured_place="990100",
        insurance_type=insurance_type,
        sex="1",
        born=date(1960, 1, 1),
        admitted=moment,
        discharged=moment.replace(day=15),
        settled=DAY,
        discharge_way="1",
        stay_type="1",
        payment_method="3",
        principal=Diagnosis(diagnosis_code("K80.100"), "", "1", "", 0),
        others=(),
        tcm=(),
        procedures=(),
        icu=(),
        fee=Fen(fee),
        fund=Fen(fee // 2),
        self_paid=Fen(fee - fee // 2),
        birth_weight_g=None,
        vent_hours=None,
    )


def named(policy: Policy) -> Iterator[str]:
    """Every path that scoring of all kinds of cases, a month and a year find missing."""
    numbers = {"base_score": Decimal(100), "average_fee": Decimal(1000), "group_code": "G"}
    results = [
        GroupResult(GroupStatus.GROUPED, Layer.CORE, **numbers),
        GroupResult(GroupStatus.GROUPED, Layer.BASIC, is_basic=True, **numbers),
        GroupResult(GroupStatus.GROUPED_COMPREHENSIVE, Layer.COMPREHENSIVE, **numbers),
        GroupResult(GroupStatus.BLANK, Layer.BLANK, **numbers),
        GroupResult(GroupStatus.GROUPED, Layer.CORE, **numbers | {"base_score": Decimal(0)}),
    ]
    for result in results:
        for fee in (1_000, 40_000, 100_000, 250_000, 9_000_000):
            for kind in ("310", "390"):
                found = score(case(fee, kind), result, policy, hospital_level="3")
                yield from found.not_configured
    money = {"total_score": "1000", "billed_fund": "7000", "self_pay": "2000", "assessment": "1"}
    more = {"audit": "0", "base_score": "1", "fund": "1", "last_year_fund": "1"}
    for pool in ("职工", "居民"):
        for period in ({"month": "2025-03"}, {"year": "2025"}):
            line = SettleInput.model_validate(
                {"pool": pool, "hospital": "H1", "insured_place": "990100"} | period | money | more
            )
            yield from settle(line, policy).not_configured


def covers(need: str, path: str) -> bool:
    return path == need or path.startswith((f"{need}.", f"{need}[")) or need.startswith(f"{path}.")


@pytest.mark.parametrize("policy", POLICIES, ids=[item.policy.id for item in POLICIES])
def test_nothing_is_named_that_the_check_did_not_tell(policy: Policy) -> None:
    needs = [need.path for need in missing_parameters(policy, DAY)]
    untold = {
        path
        for path in named(policy)
        if not path.startswith((*NOT_THE_POLICY, *OUTSIDE))
        and not any(covers(need, path) for need in needs)
    }
    # A table that the policy has, without our hospital, month or place: told by its cell alone.
    tables = ("scoring.institution.table.", "settlement.point_value.table.", "scoring.average_fee_")
    assert {path for path in untold if not path.startswith(tables)} == set()

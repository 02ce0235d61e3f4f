"""Money for a score that somebody else has given: the bureau's, or a scenario's."""

from __future__ import annotations

from datetime import date
from decimal import Context, Decimal, localcontext

from dipgate.core.case import Case
from dipgate.core.grouping import GroupResult, GroupStatus
from dipgate.core.money import Fen
from dipgate.core.policy import Policy
from dipgate.pregrouper.asking import Asker
from dipgate.pregrouper.price import fund_amount, point_value
from dipgate.pregrouper.scoring import PRECISION


def pay_for_score(case: Case, score: Decimal, policy: Policy, *, day: date) -> Fen | None:
    """What the fund pays for `score` points of this case; None while a parameter is missing.

    Point value and fund share are those of `day`, as in `score`.
    """
    with localcontext(Context(prec=PRECISION)):
        ask = Asker(
            case=case,
            result=GroupResult(GroupStatus.GROUPED),
            policy=policy,
            level="",
            hospital=case.hospital_code,
            county="",
            day=day,
            month=f"{day:%Y-%m}",
        )
        value = point_value(ask)
        if value is None:
            return None
        amount, _ = fund_amount(ask, score * value)
        return None if ask.missing else amount

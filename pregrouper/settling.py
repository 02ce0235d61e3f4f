"""A hospital's or a pool's month or year in money: the one way in, and its result.

Source: dip-settlement.md sections 4 and 5. A pure function of a line and a policy: no default for
money, every missing parameter or input named, every step with the path that decided.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Context, localcontext
from typing import Any

from dipgate.core.grouping import Step
from dipgate.core.money import Fen, split_fen
from dipgate.core.policy import Policy
from dipgate.core.settle_input import SettleInput
from dipgate.pregrouper.scoring import PRECISION
from dipgate.pregrouper.settling_ask import SettleAsk
from dipgate.pregrouper.settling_bounds import clearing_share, review_quota
from dipgate.pregrouper.settling_month import prepayment, settle_month
from dipgate.pregrouper.settling_year import clearing, deadline_of, settle_year

SETTLED, NOT_CONFIGURED = "SETTLED", "NOT_CONFIGURED"


@dataclass(frozen=True, slots=True)
class Settled:
    """`payable` is None while something is missing; then `not_configured` says what."""

    status: str
    payable: Fen | None = None
    dip_payable: Fen | None = None
    """At year end: the payable by points, before the retention and overrun bands."""
    deposit: Fen | None = None
    deposit_returned: Fen | None = None
    prepayment: Fen | None = None
    clearing: Fen | None = None
    deadline: str = ""
    shares: Mapping[str, Fen] = field(default_factory=dict)
    """The payable split over the named parts of the score; adds up to the fen."""
    used: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()
    not_configured: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    trace: tuple[Step, ...] = ()
    policy: str = ""


def settle(given: SettleInput, policy: Policy) -> Settled:
    """Settle one line. Raises ConfigError for a policy that names a form nobody knows."""
    with localcontext(Context(prec=PRECISION)):
        ask = SettleAsk(given, policy)
        _period_hint(ask)
        ask.pool  # noqa: B018 - a pool that the policy does not have is missing whatever the form
        if given.month:
            payable, deposit = settle_month(ask)
            found: dict[str, Any] = {"deposit": deposit, "prepayment": prepayment(ask)}
        else:
            payable, dip = settle_year(ask)
            cleared, returned = clearing(ask, payable)
            clearing_share(ask, payable, cleared)
            found = {
                "dip_payable": dip,
                "clearing": cleared,
                "deposit_returned": returned,
                "deadline": deadline_of(ask),
            }
        review_quota(ask)
        return Settled(
            status=NOT_CONFIGURED if payable is None else SETTLED,
            payable=payable,
            shares=_shares(given, payable),
            used=tuple(ask.used),
            unused=tuple(name for name in given.given() if name not in ask.used),
            not_configured=tuple(ask.missing),
            warnings=tuple(ask.warnings),
            trace=tuple(ask.steps),
            policy=policy.label,
            **found,
        )


def _period_hint(ask: SettleAsk) -> None:
    if not ask.policy.holds_on(ask.day):
        ask.warnings.append(f"W_PERIOD 政策的有效期不包括 {ask.month}，按政策的数字照算")


def _shares(given: SettleInput, payable: Fen | None) -> dict[str, Fen]:
    """The payable by the parts of the score; nothing is split where every part is nought."""
    parts = given.score_parts
    if not parts or payable is None or not any(parts.values()):
        return {}
    return dict(zip(parts, split_fen(payable, list(parts.values())), strict=True))


def settled_as_json(line: SettleInput, found: Settled) -> dict[str, Any]:
    """The output line of `dipgate settle --json`; amounts in fen, empty ones left out."""
    period = {"month": line.month} if line.month else {"year": line.year}
    optional = {
        "dip_payable_fen": found.dip_payable,
        "deposit_fen": found.deposit,
        "deposit_returned_fen": found.deposit_returned,
        "prepayment_fen": found.prepayment,
        "clearing_fen": found.clearing,
        "deadline": found.deadline or None,
        "shares_fen": dict(found.shares) or None,
    }
    return {
        **({"id": line.id} if line.id else {}),
        "pool": line.pool,
        **period,
        **({"hospital": line.hospital} if line.hospital else {}),
        "status": found.status,
        "payable_fen": found.payable,
        **{name: value for name, value in optional.items() if value is not None},
        "not_configured": list(found.not_configured),
        "inputs_used": list(found.used),
        "inputs_unused": list(found.unused),
        "warnings": list(found.warnings),
        "steps": [
            {"step": step.step, "text": step.text, "ref": step.ref, "value": step.value}
            for step in found.trace
        ],
        "policy": found.policy,
    }

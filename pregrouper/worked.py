"""Runs the worked examples that travel with a policy, and says how each differs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, time, timedelta
from decimal import Decimal

from dipgate.core.case import Case, Diagnosis, IcuStay, Procedure
from dipgate.core.clock import CHINA
from dipgate.core.codes import diagnosis_code, procedure_code
from dipgate.core.grouping import GroupResult, ScoreResult
from dipgate.core.money import Fen, fen_of, yuan_text
from dipgate.core.policy import Policy
from dipgate.core.policy_cases import MoneyCase, PolicyCase
from dipgate.core.reference import Reference
from dipgate.pregrouper.engine import group_with
from dipgate.pregrouper.library import Library
from dipgate.pregrouper.scoring import score
from dipgate.pregrouper.settling import Settled, settle

SYNDROME = "syndrome:"


def case_from(example: PolicyCase) -> Case:
    """The stay of an example: discharged on the day it was settled."""
    given = example.input
    left = datetime.combine(example.settled_on, time(8), CHINA)
    entered = left - timedelta(days=given.stay_days)
    icu: tuple[IcuStay, ...] = ()
    if given.icu_hours is not None:
        icu = (IcuStay("9", entered, entered + timedelta(hours=given.icu_hours)),)
    return Case(
        case_id=example.name,
        hospital_code=given.hospital_code,
        insured_place=given.insured_place,
        insurance_type=given.insurance_type,
        sex=given.sex,
        born=given.born,
        admitted=entered,
        discharged=left,
        settled=example.settled_on,
        discharge_way=given.discharge_way,
        stay_type=given.stay_type,
        payment_method=given.payment_method,
        principal=Diagnosis(diagnosis_code(given.principal), "", "1", "", 0),
        others=tuple(
            Diagnosis(diagnosis_code(code), "", "1", "", number)
            for number, code in enumerate(given.others, start=1)
        ),
        tcm=tuple(
            Diagnosis(code.removeprefix(SYNDROME), "", kind, "", number)
            for number, code in enumerate(given.tcm)
            for kind in ("3" if code.startswith(SYNDROME) else "2",)
        ),
        procedures=tuple(
            Procedure(procedure_code(code), "", number == 0, None, number)
            for number, code in enumerate(given.procedures)
        ),
        icu=icu,
        fee=fen_of(given.fee),
        fund=fen_of(given.fund),
        self_paid=fen_of(given.self_paid),
        birth_weight_g=given.birth_weight_g,
        vent_hours=given.vent_hours,
        category_fees=_fees(given.fees),
        item_fees=_fees(given.items),
    )


def _fees(given: Mapping[str, Decimal] | None) -> tuple[tuple[str, Fen], ...] | None:
    if given is None:
        return None
    return tuple((code, fen_of(yuan) or Fen(0)) for code, yuan in given.items())


def run_example(
    example: PolicyCase, library: Library, policy: Policy, ref: Reference
) -> tuple[str, ...]:
    """What differs, as `field：应为 x，得到 y`; empty when the example holds exactly."""
    case = case_from(example)
    grouped = group_with(case, library, policy, ref)
    scored = score(case, grouped, policy, hospital_level=example.input.hospital_level)
    return tuple(_differences(example, grouped, scored))


_READ: Mapping[str, Callable[[GroupResult, ScoreResult], str]] = {
    "status": lambda grouped, _: grouped.status.value,
    "layer": lambda grouped, _: grouped.layer.value,
    "group_code": lambda grouped, _: grouped.group_code,
    "score_status": lambda _, scored: scored.status.value,
    "zone": lambda _, scored: scored.zone.value,
    "labels": lambda grouped, _: "、".join(
        f"{item.dimension} {item.label}" for item in grouped.labels
    ),
    "auxiliary": lambda _, scored: "" if scored.auxiliary is None else f"{scored.auxiliary:f}",
    "split": lambda grouped, _: grouped.split,
    "score": lambda _, scored: "" if scored.score is None else format(scored.score, "f"),
    "amount": lambda _, scored: "" if scored.amount is None else yuan_text(scored.amount),
    "not_configured": lambda _, scored: "、".join(scored.not_configured),
}


def _differences(example: PolicyCase, grouped: GroupResult, scored: ScoreResult) -> Iterator[str]:
    for name, read in _READ.items():
        wanted = getattr(example.expect, name)
        if wanted is None:
            continue
        wanted = wanted if isinstance(wanted, str) else "、".join(wanted)
        got = read(grouped, scored)
        if got != wanted:
            yield f"{name}：应为 {wanted}，得到 {got or '（空）'}"
    steps = iter([step.step for step in (*grouped.trace, *scored.trace)])
    for name in example.expect.steps or ():
        if name not in steps:
            yield f"steps：缺少步骤 {name}，或次序不对"


def run_money_example(example: MoneyCase, policy: Policy) -> tuple[str, ...]:
    """What differs of a month or a year, like `run_example`; empty when it holds exactly."""
    return tuple(_money_differences(example, settle(example.settle, policy)))


_AMOUNTS = ("payable", "dip_payable", "deposit", "deposit_returned", "prepayment", "clearing")


def _money_differences(example: MoneyCase, found: Settled) -> Iterator[str]:
    for name in _AMOUNTS:
        wanted: str | None = getattr(example.expect, name)
        fen: Fen | None = getattr(found, name)
        got = "" if fen is None else yuan_text(fen)
        if wanted is not None and got != wanted:
            yield f"{name}：应为 {wanted or '（空）'}，得到 {got or '（空）'}"
    missing = example.expect.not_configured
    if missing is not None and missing != found.not_configured:
        got = "、".join(found.not_configured)
        yield f"not_configured：应为 {'、'.join(missing) or '（空）'}，得到 {got or '（空）'}"
    steps = iter([step.step for step in found.trace])
    for name in example.expect.steps or ():
        if name not in steps:
            yield f"steps：缺少步骤 {name}，或次序不对"

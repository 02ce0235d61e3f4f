"""The score of a case whose group, and perhaps coefficients, somebody else has found.

Points only: no point value and no fund share is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from types import MappingProxyType
from typing import Any

from dipgate.core.case import Case
from dipgate.core.grouping import GroupResult, GroupStatus, Layer, ScoreResult
from dipgate.core.money import fen_of, rounded
from dipgate.core.policy import Policy
from dipgate.core.score_input import ScoreInput
from dipgate.pregrouper.asking import Asker
from dipgate.pregrouper.policy_fit import pools_of
from dipgate.pregrouper.scoring import PRECISION, score_alone

SHOWN_DECIMALS = 12
_NUMBERS = ("average_fee", "k", "a", "group_factor", "tcm_share")
_PATHS: Mapping[str, str] = MappingProxyType(
    {
        "case.fee": "input.fee",
        "library.score": "input.base_score",
        "case.insurance_type": "input.pool",
        "case.level": "input.level",
        "case.hospital": "input.hospital",
        "case.group_code": "input.group_code",
        "case.setl_end_date": "input.settled_on",
        "case.dscg_time": "input.settled_on",
        "library.average_fee": "input.average_fee",
    }
)
"""What a whole case would be asked for → where the line may say it."""


@dataclass(frozen=True, slots=True)
class GivenScore:
    """`used` and `unused` share out the names that the line states."""

    result: ScoreResult
    used: tuple[str, ...]
    unused: tuple[str, ...]


def score_given(line: ScoreInput, policy: Policy) -> GivenScore:
    """Score one line. Unknown parameters are named by path, those of the line as `input.…`."""
    with localcontext(Context(prec=PRECISION)):
        ask = _asker(line, policy)
        found = score_alone(ask)
    if "pool" in ask.used and not line.pool:
        ask.used["insurance_type"] = None
    stated = line.stated()
    used = [name for name in stated if name in ask.used or name in _always_used(line, found)]
    result = ScoreResult(
        status=found.status,
        zone=found.zone,
        ratio=found.ratio,
        base_score=found.base_score,
        institution_coefficient=found.institution_coefficient,
        auxiliary=found.auxiliary,
        auxiliary_label=found.auxiliary_label,
        score=found.score,
        not_configured=_lacking(line, found),
        warnings=(*found.warnings, *_hints(line, policy, found)),
        trace=found.trace,
    )
    return GivenScore(result, tuple(used), tuple(name for name in stated if name not in used))


def _lacking(line: ScoreInput, found: ScoreResult) -> tuple[str, ...]:
    """What is missing, as the line may say it; without a base score nothing else comes first."""
    paths = tuple(_PATHS.get(path, path) for path in found.not_configured)
    first = () if line.base_score is not None else ("input.base_score",)
    return (*first, *(path for path in paths if path not in first))


def _always_used(line: ScoreInput, found: ScoreResult) -> tuple[str, ...]:
    names = ["case", "base_score", "fee"]
    lines = " ".join((*found.not_configured, *(step.ref for step in found.trace)))
    for name, value in (("level", line.level), ("hospital", line.hospital)):
        if value and f".{value}" in lines:
            names.append(name)
    if line.group_code and f".{line.group_code}" in lines:
        names.append("group_code")
    return tuple(names)


def _hints(line: ScoreInput, policy: Policy, found: ScoreResult) -> Iterator[str]:
    pools = "、".join(pools_of(policy))
    if line.pool and line.pool not in pools_of(policy):
        yield f"W_POOL 政策没有统筹池 {line.pool!r}；可用的有：{pools}"
    if any(path.startswith("settlement.pool_codes.") for path in found.not_configured):
        yield (
            f"W_POOL 险种 {line.insurance_type!r} 不属于哪个统筹池；insurance_type 写险种代码"
            f"（310 职工、390 居民），或用 pool 写统筹池：{pools}"
        )
    if line.settled_on is not None and not policy.holds_on(line.settled_on):
        yield f"W_PERIOD 政策的有效期不包括 {line.settled_on}，按政策的数字照算"


def _asker(line: ScoreInput, policy: Policy) -> Asker:
    case = Case(
        case_id=line.case,
        hospital_code=line.hospital,
        insured_place="",
        insurance_type=line.insurance_type,
        sex="",
        born=None,
        admitted=None,
        discharged=None,
        settled=line.settled_on,
        discharge_way="",
        stay_type="",
        payment_method="",
        principal=None,
        others=(),
        tcm=(),
        procedures=(),
        icu=(),
        fee=fen_of(line.fee),
        fund=None,
        self_paid=None,
        birth_weight_g=None,
        vent_hours=None,
    )
    result = GroupResult(
        GroupStatus.GROUPED,
        Layer.BASIC if line.is_basic else Layer.CORE,
        group_code=line.group_code,
        is_basic=line.is_basic,
        base_score=line.base_score,
        library="input.base_score",
    )
    given = {name: getattr(line, name) for name in _NUMBERS}
    return Asker(
        case=case,
        result=result,
        policy=policy,
        level=line.level,
        hospital=line.hospital,
        county="",
        day=line.settled_on,
        month="",
        said_pool=line.pool or _pool_word(line, policy),
        given={name: value for name, value in given.items() if value is not None},
    )


def _pool_word(line: ScoreInput, policy: Policy) -> str:
    """The pool that stands in the place of an insurance type; empty for a code."""
    return line.insurance_type if line.insurance_type in pools_of(policy) else ""


def given_as_json(case_id: str, found: GivenScore, policy: Policy) -> dict[str, Any]:
    """The object that `dipgate score --json` prints; numbers as exact text."""
    result = found.result
    ratio = None if result.ratio is None else _short(result.ratio)
    return {
        "case": case_id,
        "r": ratio,
        "zone": result.zone.value,
        "score": _text(result.score),
        "score_status": result.status.value,
        "not_configured": list(result.not_configured),
        "k": _text(result.institution_coefficient),
        "a": _text(result.auxiliary),
        "inputs_used": list(found.used),
        "inputs_unused": list(found.unused),
        "warnings": list(result.warnings),
        "policy": policy.label,
        "steps": [
            {"step": step.step, "text": step.text, "ref": step.ref, "value": step.value}
            for step in result.trace
        ],
    }


def _text(value: Decimal | None) -> str | None:
    return None if value is None else format(value, "f")


def _short(value: Decimal) -> str:
    """At most twelve decimals, for reading: the zone is tested on the exact ratio."""
    shown = format(rounded(value, SHOWN_DECIMALS, "half_up"), "f").rstrip("0").rstrip(".")
    return shown or "0"

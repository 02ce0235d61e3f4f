"""Results of grouping and scoring, with their trace (dip-grouping.md 15, dip-settlement.md 10)."""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Any

from msgspec import Struct

from dipgate.core.money import Fen


class GroupStatus(StrEnum):
    GROUPED = "GROUPED"
    GROUPED_COMPREHENSIVE = "GROUPED_COMPREHENSIVE"
    BLANK = "BLANK"
    AMBIGUOUS = "AMBIGUOUS"
    UNGROUPED = "UNGROUPED"
    EXCLUDED_DX = "EXCLUDED_DX"
    ROUTED_OUT = "ROUTED_OUT"
    INVALID_INPUT = "INVALID_INPUT"


class Layer(StrEnum):
    PRE = "pre"
    MERGE = "merge"
    AUX_SPLIT = "aux_split"
    BASE = "base"
    CORE = "core"
    BASIC = "basic"
    COMPREHENSIVE = "comprehensive"
    BLANK = "blank"
    NONE = ""


class ScoreStatus(StrEnum):
    SCORED = "SCORED"
    NOT_CONFIGURED = "NOT_CONFIGURED"
    PAY_COST = "PAY_COST"
    REVIEW = "REVIEW"
    OUT_OF_SCOPE = "OUT_OF_SCOPE"


class Zone(StrEnum):
    """费用偏差区间 of the case."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"
    EXTREME = "extreme"
    NONE = ""


class Step(Struct, frozen=True, gc=False):
    """One step of the trace: what went in, which rule or table row, what came out, who lost."""

    step: str
    text: str
    """One Chinese sentence for the screen."""
    ref: str = ""
    """Rule id, library row or policy path that decided."""
    value: str = ""
    dropped: tuple[str, ...] = ()


class Alternative(Struct, frozen=True, gc=False):
    """A group that was possible and was not taken, and why."""

    group_code: str
    group_name: str
    score: Decimal | None
    why: str


class AuxLabel(Struct, frozen=True, gc=False):
    """One label of the auxiliary directory that fits, and what made it fit.

    Coefficient and trigger are those of the chosen group in the library; None where it has none.
    """

    dimension: str
    label: str
    why: str
    coefficient: Decimal | None = None
    trigger: Decimal | None = None
    lacks: tuple[str, ...] = ()
    """Paths without which nobody knows whether, or with which label, the dimension counts."""


class TcmRoute(Struct, frozen=True, gc=False):
    """Which row of `tcm_map` the case took: `route` is same_price, own_group or uplift."""

    route: str
    code_system: str
    code: str
    factor: Decimal | None
    row: int


class GroupResult(Struct, frozen=True, gc=False):
    status: GroupStatus
    layer: Layer = Layer.NONE
    group_code: str = ""
    group_name: str = ""
    dx_key: str = ""
    treatment: str = ""
    is_basic: bool = False
    base_score: Decimal | None = None
    average_fee: Decimal | None = None
    average_stay: Decimal | None = None
    matched: tuple[str, ...] = ()
    unmatched: tuple[str, ...] = ()
    alternatives: tuple[Alternative, ...] = ()
    warnings: tuple[str, ...] = ()
    trace: tuple[Step, ...] = ()
    policy: str = ""
    """Policy id @ content hash."""
    library: str = ""
    """Library name @ version."""
    group_type: str = ""
    """The library's own word for the kind of row (核心, 综合, XQ, BX …)."""
    key_main: tuple[str, ...] = ()
    """Principal operations of the structured key, as matched."""
    key_related: tuple[str, ...] = ()
    split: str = ""
    """Label of the split that the row stands for (an area band, resistant, a weight band)."""
    group_factor: Decimal | None = None
    labels: tuple[AuxLabel, ...] = ()
    """Auxiliary labels that fit, per dimension; the money chooses between them."""
    level_fees: tuple[tuple[str, Decimal], ...] = ()
    """Average fee in yuan by hospital level, where the library has them for this group."""
    tcm: TcmRoute | None = None


class ScoreResult(Struct, frozen=True, gc=False):
    status: ScoreStatus
    zone: Zone = Zone.NONE
    ratio: Decimal | None = None
    """r = fee / average fee, unrounded."""
    base_score: Decimal | None = None
    institution_coefficient: Decimal | None = None
    auxiliary: Decimal | None = None
    """A; None when it was not needed or is not known."""
    auxiliary_label: str = ""
    score: Decimal | None = None
    point_value: Decimal | None = None
    fund_share: Decimal | None = None
    amount: Fen | None = None
    """What the fund is expected to pay, in fen."""
    not_configured: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    trace: tuple[Step, ...] = ()


def result_as_json(
    case_id: str, group: GroupResult, score: ScoreResult, *, trace: bool
) -> dict[str, Any]:
    """The object that `dipgate group --json` prints per case; numbers as text, money in fen."""

    def text(number: Decimal | None) -> str | None:
        return None if number is None else format(number, "f")

    out: dict[str, Any] = {
        "case": case_id,
        "status": group.status.value,
        "layer": group.layer.value,
        "group_code": group.group_code,
        "group_name": group.group_name,
        "group_type": group.group_type,
        "treatment": group.treatment,
        "is_basic": group.is_basic,
        "key": {
            "dx": group.dx_key,
            "main": list(group.key_main),
            "related": list(group.key_related),
            "split": group.split,
        },
        "matched": list(group.matched),
        "unmatched": list(group.unmatched),
        "labels": [
            {
                "dimension": item.dimension,
                "label": item.label,
                "why": item.why,
                "coefficient": text(item.coefficient),
                "trigger": text(item.trigger),
            }
            for item in group.labels
        ],
        "base_score": text(group.base_score),
        "score_status": score.status.value,
        "not_configured": list(score.not_configured),
        "zone": score.zone.value,
        "institution_coefficient": text(score.institution_coefficient),
        "auxiliary": text(score.auxiliary),
        "auxiliary_label": score.auxiliary_label,
        "score": text(score.score),
        "amount_fen": score.amount,
        "alternatives": [
            {
                "group_code": item.group_code,
                "group_name": item.group_name,
                "score": text(item.score),
                "why": item.why,
            }
            for item in group.alternatives
        ],
        "warnings": [*group.warnings, *score.warnings],
        "policy": group.policy,
        "library": group.library,
    }
    if trace:
        out["trace"] = [
            {
                "step": step.step,
                "text": step.text,
                "ref": step.ref,
                "value": step.value,
                "dropped": list(step.dropped),
            }
            for step in (*group.trace, *score.trace)
        ]
    return out

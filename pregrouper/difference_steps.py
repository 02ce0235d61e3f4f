"""Ours beside theirs, step by step: where the two results part, and what follows from it.

The platform returns group, base score and final score (3606), a statement more; what it does not
return is worked out from the cause that was found, and said to be so, or it stays unknown.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Context, Decimal, localcontext
from enum import StrEnum

from dipgate.core.case import Case
from dipgate.core.grouping import GroupResult, GroupStatus, ScoreResult
from dipgate.core.grouping_words import VALUE_WORDS, ZONE_WORDS
from dipgate.core.money import Fen, rounded, yuan_decimal, yuan_text
from dipgate.core.policy import Policy
from dipgate.pregrouper.differences import BureauResult, Difference, Reason
from dipgate.pregrouper.scoring import PRECISION
from dipgate.pregrouper.zone_score import NET

NOT_RETURNED = "不返回"
_SHOWN_RATIO = Decimal("0.01")


class Mark(StrEnum):
    """How a step compares. AFTER: different only because an earlier one is.

    CAUSE is no step: a sentence about what gives their value, as `cause_steps` makes it.
    """

    SAME = "same"
    DIFF = "diff"
    AFTER = "after"
    UNKNOWN = "unknown"
    CAUSE = "cause"


@dataclass(frozen=True, slots=True)
class DiffStep:
    """One step with both values as text."""

    label: str
    ours: str
    theirs: str
    mark: Mark


_PLACE = {
    Reason.NOT_GROUPED_THERE: "group",
    Reason.NOT_GROUPED_HERE: "group",
    Reason.CODESET: "group",
    Reason.GROUP: "group",
    Reason.TIE: "group",
    Reason.BASE_SCORE: "base",
    Reason.AUXILIARY: "auxiliary",
    Reason.AVERAGE_FEE: "average",
    Reason.ZONE: "zone",
    Reason.COEFFICIENT: "k",
    Reason.ROUNDING: "score",
    Reason.SCORE: "score",
    Reason.NOT_CONFIGURED: "score",
    Reason.PRICE: "value",
    Reason.POOL: "value",
    Reason.SHARE: "share",
    Reason.AUDIT: "pay",
    Reason.PAYABLE: "pay",
}
"""Reason → the step at which the two part."""
_FIELDS = {
    "auxiliary": "auxiliary",
    "average_fee": "average",
    "zone": "zone",
    "k": "k",
    "point_value": "value",
    "fund_share": "share",
    "payable": "pay",
}
"""What a cause changes → the step that shows it."""


def difference_steps(
    group: GroupResult,
    score: ScoreResult,
    theirs: BureauResult,
    difference: Difference,
    *,
    divisor: Decimal | None,
    expected: Fen | None,
    settled: Fen | None,
) -> tuple[DiffStep, ...]:
    """The steps of one list in the order of the clause; none when the two are alike.

    `divisor` is the average fee that our ratio was worked out with (`divisor_of`).
    """
    place = _place(difference, theirs, score)
    if place is None:
        return ()
    rows = [
        ("group", "病种组", group.group_code or "未入组", _their_group(theirs)),
        ("base", VALUE_WORDS["base_score"], _text(group.base_score), _text(theirs.base_score)),
        ("auxiliary", VALUE_WORDS["auxiliary"], *_labels(score, theirs)),
        ("mean", f"目录的{VALUE_WORDS['average_fee']}", _other_mean(group, divisor), ""),
        ("average", VALUE_WORDS["average_fee"], _yuan(divisor), _text(theirs.average_fee)),
        (
            "zone",
            VALUE_WORDS["zone"],
            _our_zone(score),
            ZONE_WORDS[theirs.zone] if theirs.zone else "",
        ),
        ("k", VALUE_WORDS["k"], _text(score.institution_coefficient), _text(theirs.coefficient)),
        ("score", VALUE_WORDS["score"], _text(score.score), _text(theirs.settled_score)),
        ("value", VALUE_WORDS["point_value"], _text(score.point_value), _text(theirs.point_value)),
        ("share", "基金支付比例", _text(score.fund_share), ""),
        ("pay", "应付（元）", _money(expected), _money(settled)),
    ]
    found: list[DiffStep] = []
    parted = False
    for key, label, mine, other in rows:
        if key == _FIELDS.get(difference.field) and key == place:
            mine, other = _worked_out(mine, other, difference)
        if key != place and not _shown(key, mine, other):
            continue
        if key == place:
            mark, parted = Mark.DIFF, True
        elif not other:
            mark = Mark.UNKNOWN
        elif parted and mine != other:
            mark = Mark.AFTER
        else:
            mark = Mark.SAME
        found.append(DiffStep(label, mine or "—", other or NOT_RETURNED, mark))
    return tuple(found)


def cause_steps(difference: Difference) -> tuple[DiffStep, ...]:
    """Where their value comes from, and what else would explain it; none without a cause."""
    said = [f"依据：{difference.note}"] if difference.note else []
    said += [f"也可能是{cause.text}" for cause in difference.causes[1:]]
    return tuple(DiffStep(text, "", "", Mark.CAUSE) for text in said)


def _place(difference: Difference, theirs: BureauResult, score: ScoreResult) -> str | None:
    """Where the two part: by the reason, but for a reason that shows in several places."""
    place = _PLACE.get(difference.reason)
    if difference.reason is Reason.BASE_SCORE and difference.field == "group_code":
        return "group"
    if difference.reason is Reason.ROUNDING and theirs.settled_score in (None, score.score):
        return "pay"
    if difference.reason is Reason.POOL:
        if theirs.settled_score not in (None, score.score):
            return "score"
        return _FIELDS.get(difference.field, place)
    return place


def _shown(key: str, mine: str, other: str) -> bool:
    """Auxiliary label and fund share stand only where somebody has one."""
    if key == "share":
        return False
    return bool(mine or other)


def _worked_out(mine: str, other: str, difference: Difference) -> tuple[str, str]:
    """The values of the cause where the platform printed none."""
    shown = difference.ours or mine
    return (shown, other) if other else (shown, f"推算 {difference.theirs}")


def _labels(score: ScoreResult, theirs: BureauResult) -> tuple[str, str]:
    if not score.auxiliary_label and not theirs.auxiliary:
        return "", ""
    return score.auxiliary_label or "没有", "" if theirs.auxiliary is None else theirs.auxiliary


def _their_group(theirs: BureauResult) -> str:
    return theirs.group_code or ("未入组" if theirs.grouped is False else "")


def _other_mean(group: GroupResult, divisor: Decimal | None) -> str:
    """The library's mean, where the ratio was worked out with another average fee or with none."""
    mean = _yuan(group.average_fee)
    return "" if mean == _yuan(divisor) else mean


def _yuan(value: Decimal | None) -> str:
    return "" if value is None else _text(rounded(value, 2, "half_up"))


def _our_zone(score: ScoreResult) -> str:
    word = ZONE_WORDS[score.zone]
    if score.ratio is None or not word:
        return word
    return f"{score.ratio.quantize(_SHOWN_RATIO):f} {word}"


def _text(number: Decimal | None) -> str:
    return "" if number is None else format(number, "f")


def _money(fen: Fen | None) -> str:
    return "" if fen is None else yuan_text(fen)


def divisor_of(
    case: Case, grouped: GroupResult, scored: ScoreResult, policy: Policy
) -> Decimal | None:
    """The average fee that the fee was divided by for the ratio, in yuan; None without a ratio."""
    if not scored.ratio or case.fee is None:
        return None
    fee = yuan_decimal(case.fee)
    rules = policy.scoring
    whole = grouped.status in (GroupStatus.BLANK, GroupStatus.UNGROUPED)
    if rules.fee_basis == NET and rules.fee_excluded is not None and not whole:
        excluded = case.item_fee(rules.fee_excluded)
        fee -= yuan_decimal(excluded) if excluded is not None else 0
    with localcontext(Context(prec=PRECISION)):
        # The quotient of a quotient: the last digits are not the table's.
        return rounded(fee / scored.ratio, 10, "half_even")

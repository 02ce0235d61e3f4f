"""Ours beside the bureau's for one case: the first of the returned values that differs.

Order and codes: dip-settlement.md section 7 (group id → base score → auxiliary label → zone → final
score → point value → payable). Which parameter is behind it is worked out in `attribution`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from dipgate.core.grouping import GroupResult, GroupStatus, ScoreResult, ScoreStatus, Zone
from dipgate.core.grouping_words import GROUP_WORDS, VALUE_WORDS, ZONE_WORDS
from dipgate.core.money import Fen, yuan_text


class Reason(StrEnum):
    """What the first difference is. EQUAL means that none was found."""

    EQUAL = "EQUAL"
    NOT_RETURNED = "NOT_RETURNED"
    NOT_OURS = "NOT_OURS"
    UNREAD = "UNREAD"
    NOT_UPLOADED = "NOT_UPLOADED"
    ANNULLED = "ANNULLED"
    CODESET = "R_CODESET"
    GROUP = "R_GROUP"
    TIE = "R_TIE"
    NOT_GROUPED_THERE = "R_UNGROUPED"
    NOT_GROUPED_HERE = "R_UNGROUPED_HERE"
    BASE_SCORE = "R_LIBRARY"
    AUXILIARY = "R_AUX"
    ZONE = "R_ZONE"
    AVERAGE_FEE = "R_AVGFEE"
    COEFFICIENT = "R_K"
    ROUNDING = "R_ROUND"
    PRICE = "R_PRICE"
    POOL = "R_POOL"
    SHARE = "R_SHARE"
    AUDIT = "R_AUDIT"
    SCORE = "R_SCORE"
    PAYABLE = "R_PAY"
    NOT_CONFIGURED = "NOT_CONFIGURED"


REASON_TEXT: Mapping[Reason, str] = {
    Reason.EQUAL: "一致",
    Reason.NOT_RETURNED: "平台还没给结果",
    Reason.UNREAD: "平台的这一行读不出来",
    Reason.NOT_OURS: "平台有，我方没有",
    Reason.NOT_UPLOADED: "平台说没上传",
    Reason.ANNULLED: "平台已作废",
    Reason.CODESET: "编码版本不同",
    Reason.GROUP: "入组不同",
    Reason.TIE: "多组可入，取法不同",
    Reason.NOT_GROUPED_THERE: "平台未入组",
    Reason.NOT_GROUPED_HERE: "我方未入组",
    Reason.BASE_SCORE: "目录版本不同",
    Reason.AUXILIARY: "辅助分型不同",
    Reason.ZONE: "偏差区间不同",
    Reason.AVERAGE_FEE: "平均费用不同",
    Reason.COEFFICIENT: "机构系数不同",
    Reason.ROUNDING: "仅四舍五入",
    Reason.PRICE: "点值不同",
    Reason.POOL: "险种（基金池）不同",
    Reason.SHARE: "基金支付比例不同",
    Reason.AUDIT: "审核扣减",
    Reason.SCORE: "分值不同，原因待核",
    Reason.PAYABLE: "应付不同，原因待核",
    Reason.NOT_CONFIGURED: "我方缺参数",
}
"""What a reason is called, on the page as in a command."""


class Stage(StrEnum):
    """The values in the order in which they are compared."""

    GROUP = "group_code"
    BASE = "base_score"
    AUXILIARY = "auxiliary"
    ZONE = "zone"
    SCORE = "score"
    PRICE = "point_value"
    PAYABLE = "payable"
    NONE = ""


STAGES = tuple(Stage)
FIELD_WORDS: Mapping[str, str] = MappingProxyType(
    {
        **VALUE_WORDS,
        "group_code": "病种组",
        "codes": "编码",
        "rounding": "舍入",
        "pool": "险种",
        "fund_share": "基金支付",
        "payable": "应付（元）",
    }
)
"""What differs → its word on the screen."""


@dataclass(frozen=True, slots=True)
class BureauResult:
    """One row of the bureau's group results (3606), scores as Decimal; None: not returned.

    `grouped` None: no word about a group, so there is none to compare; `group_code` is then empty.
    `auxiliary`: the label as the bureau writes it, empty text when it says that there is none.
    `deducted` is what an audit took off, `average_fee` and `ratio` the yardstick of the zone,
    where a statement prints them.
    """

    settlement_id: str
    uploaded: bool
    grouped: bool | None
    group_code: str
    group_name: str
    base_score: Decimal | None
    settled_score: Decimal | None
    auxiliary: str | None = None
    zone: Zone | None = None
    point_value: Decimal | None = None
    payable: Fen | None = None
    annulled: bool = False
    remarks: str = ""
    dx_code: str = ""
    """Diagnosis that the bureau grouped on (`grp_diag_code`)."""
    op_codes: tuple[str, ...] = ()
    """Operations that it grouped on (`oprn_grp_code`)."""
    coefficient: Decimal | None = None
    average_fee: Decimal | None = None
    ratio: Decimal | None = None
    deducted: Fen | None = None

    @property
    def says_nothing(self) -> bool:
        """None of the values that are compared was returned."""
        values = (self.base_score, self.settled_score, self.point_value, self.payable)
        others = (self.grouped, self.auxiliary, self.zone)
        return all(value is None for value in (*values, *others))


@dataclass(frozen=True, slots=True)
class Cause:
    """One change that, alone, gives the bureau's values: the two values of what is changed."""

    reason: Reason
    field: str
    ours: str
    theirs: str
    note: str = ""
    """Where their value stands, in words (`政策表 2级`)."""

    @property
    def text(self) -> str:
        word = FIELD_WORDS.get(self.field, self.field)
        values = f"{word}我方 {self.ours or '—'}，平台 {self.theirs or '—'}"
        tail = f"（{self.note}）" if self.note else ""
        return f"{REASON_TEXT[self.reason]}：{values}{tail}"


@dataclass(frozen=True, slots=True)
class Difference:
    """The first difference and the two values that differ, as text.

    `causes` are the single changes that explain it, the most plausible first; the first of them
    is what the fields in front say.
    """

    reason: Reason
    field: str = ""
    ours: str = ""
    theirs: str = ""
    note: str = ""
    causes: tuple[Cause, ...] = ()

    @property
    def text(self) -> str:
        """One sentence for the screen."""
        if not self.field:
            return REASON_TEXT[self.reason]
        first = Cause(self.reason, self.field, self.ours, self.theirs, self.note).text
        others = "；".join(item.text for item in self.causes[1:])
        return f"{first}。也可能是：{others}" if others else first


_NO_TABLES = ("W_NO_POLICY", "W_NO_LIBRARY")
GROUPED = (GroupStatus.GROUPED, GroupStatus.GROUPED_COMPREHENSIVE, GroupStatus.BLANK)


def first_difference(group: GroupResult, score: ScoreResult, theirs: BureauResult) -> Difference:
    """Compare what the bureau returned with ours, in the order of the clause."""
    if theirs.annulled:
        return Difference(Reason.ANNULLED)
    if not theirs.uploaded:
        return Difference(Reason.NOT_UPLOADED)
    if theirs.says_nothing:
        return Difference(Reason.NOT_RETURNED)
    if theirs.grouped and any(text.startswith(_NO_TABLES) for text in group.warnings):
        return Difference(Reason.NOT_CONFIGURED, "group_code", _missing(score), theirs.group_code)
    return _group_difference(group, theirs) or _score_difference(group, score, theirs)


def stage_of(group: GroupResult, score: ScoreResult, theirs: BureauResult) -> Stage:
    """The first value that differs; `NONE` when all that was returned is alike."""
    found = _group_difference(group, theirs)
    if found is None:
        found = _score_difference(group, score, theirs)
    if found.reason is Reason.EQUAL:
        return Stage.NONE
    return Stage(found.field) if found.field else Stage.GROUP


def _group_difference(group: GroupResult, theirs: BureauResult) -> Difference | None:
    ours_grouped = group.status in GROUPED
    if ours_grouped and theirs.grouped is False:
        return Difference(Reason.NOT_GROUPED_THERE, "group_code", group.group_code, "")
    possible = {item.group_code for item in group.alternatives}
    if theirs.grouped and not ours_grouped:
        tied = group.status is GroupStatus.AMBIGUOUS and theirs.group_code in possible
        reason = Reason.TIE if tied else Reason.NOT_GROUPED_HERE
        ours = GROUP_WORDS[group.status] if tied else ""
        return Difference(reason, "group_code", ours, theirs.group_code)
    if not ours_grouped:
        return None if theirs.grouped is None else Difference(Reason.EQUAL)
    if theirs.group_code and group.group_code != theirs.group_code:
        reason = Reason.TIE if theirs.group_code in possible else Reason.GROUP
        return Difference(reason, "group_code", group.group_code, theirs.group_code)
    if theirs.base_score is not None and group.base_score != theirs.base_score:
        return Difference(
            Reason.BASE_SCORE, "base_score", plain(group.base_score), plain(theirs.base_score)
        )
    return None


def _score_difference(group: GroupResult, score: ScoreResult, theirs: BureauResult) -> Difference:
    settled = theirs.settled_score
    unknown = score.status is ScoreStatus.NOT_CONFIGURED
    if unknown and score.score is None and (settled is not None or theirs.payable is not None):
        return _not_configured(score, theirs)
    if not _same_label(group, score, theirs.auxiliary):
        labels = (score.auxiliary_label or "没有", theirs.auxiliary or "没有")
        return Difference(Reason.AUXILIARY, "auxiliary", *labels)
    if theirs.zone is not None and score.zone is not theirs.zone and score.zone is not Zone.NONE:
        words = (ZONE_WORDS[score.zone], ZONE_WORDS[theirs.zone])
        return Difference(Reason.ZONE, "zone", *words)
    if settled is not None and score.score != settled:
        return Difference(Reason.SCORE, "score", plain(score.score), plain(settled))
    return _money_difference(score, theirs)


def _money_difference(score: ScoreResult, theirs: BureauResult) -> Difference:
    given = theirs.point_value
    if given is not None and score.point_value is not None and score.point_value != given:
        return Difference(Reason.PRICE, "point_value", plain(score.point_value), plain(given))
    if theirs.payable is None or score.amount == theirs.payable:
        return Difference(Reason.EQUAL)
    if score.amount is None and score.status is ScoreStatus.NOT_CONFIGURED:
        return _not_configured(score, theirs)
    return Difference(Reason.PAYABLE, "payable", money(score.amount), money(theirs.payable))


def _not_configured(score: ScoreResult, theirs: BureauResult) -> Difference:
    shown = plain(theirs.settled_score) or money(theirs.payable)
    return Difference(Reason.NOT_CONFIGURED, "score", _missing(score), shown)


def _missing(score: ScoreResult) -> str:
    return f"缺 {'、'.join(score.not_configured)}"


def _same_label(group: GroupResult, score: ScoreResult, theirs: str | None) -> bool:
    """Bureaus write a label with its dimension or a reason around it; ours must occur in it.

    A label that the zone has no use for is none of the score, but still one of the case.
    """
    if theirs is None:
        return True
    if score.auxiliary_label:
        return score.auxiliary_label in theirs
    return not theirs or any(item.label in theirs for item in group.labels)


def plain(number: Decimal | None) -> str:
    """Text of a number; empty when there is none."""
    return "" if number is None else format(number, "f")


def money(fen: Fen | None) -> str:
    """Yuan with two decimals; empty when there is none."""
    return "" if fen is None else yuan_text(fen)

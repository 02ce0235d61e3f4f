"""One pooling area's rules for one period, format dip-policy/1, frozen.

Three values of a parameter differ: a value, `null` (unknown: whoever needs it answers
NOT_CONFIGURED and names the path), and `"n/a"` (the policy says that the rule does not exist).
Names of selectors, forms and keys are open text here; the grouper's registries know them.
"""

from __future__ import annotations

from datetime import date
from functools import cached_property
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from dipgate.core.hashing import content_hash
from dipgate.core.params import NOT_APPLICABLE, Number, ParamTable, Table
from dipgate.core.policy_parts import (
    Auxiliary,
    CatalogueOf,
    Evidence,
    Flag,
    Grouping,
    Header,
    Part,
    Recorded,
    Routing,
    Sec,
    Texts,
    Words,
)

_EMPTY = ParamTable({})


class Institution(Part):
    """K, keyed by level or hospital code (`by`), then by pool where pools differ."""

    by: str | None = None
    table: Table = _EMPTY
    pools_differ: Flag = None
    """True: each K is given by pool. False: a table by pool is told of, and used."""
    basic_groups: str | None = None
    group_factors: Table = _EMPTY
    """For `basic_groups: group_factor`: factor by group code."""
    composition: str | None = None
    """How base and bonuses make K: `sum` (also `base + bonus`), `product`, `n/a` (base alone)."""
    bonus: dict[str, Table] = Field(default_factory=dict)
    """Bonus by its name (CMI, key specialty …), then by hospital code, level or `*`."""
    cap: Number = None
    """Highest K that a composition may come to; `n/a`: none."""


class ZoneRule(Part):
    """One zone of the deviation band over r = fee / average fee."""

    op: str | None = None
    at: Number = None
    upto: Number = None
    form: str | None = None
    base: str | None = None
    k: str | None = None
    a: Flag = None


class Deviation(Part):
    low: Annotated[ZoneRule, Sec] = ZoneRule()
    high: Annotated[ZoneRule, Sec] = ZoneRule()
    extreme: Annotated[ZoneRule, Sec] = ZoneRule()


class FormName(Part):
    """A named form, or for `normal` a formula over `initial` (RW × K × A) and named factors."""

    form: str | None = None
    factor: Number = None
    factors: Table = _EMPTY
    """Numbers of the formula by name (support, assess), then perhaps by hospital or level."""


class AddOn(Part):
    """A factor or points on top of the score, where `when` holds (dip-settlement.md 2.3).

    `valid`: a year (`2025`) or two days (`2025-01-01/2025-12-31`, either may be left out); `n/a`
    for no end. `apply`: before_k or after_k. `replaces_deviation`: the normal form is used then.
    """

    name: str
    when: str | None = None
    factor: Number = None
    score: str | None = None
    """Points as a number, or a word of the text (`local`) that no program can work out."""
    valid: str | None = None
    apply: str | None = None
    replaces_deviation: Flag = None


class CaseRule(Part):
    """A stay scored otherwise (transfer, death, readmission …): another zone, or a factor."""

    name: str
    when: str | None = None
    zone: str | None = None
    factor: Number = None


class Rounding(Part):
    score_dp: int | None = Field(default=None, ge=0, le=12)
    money_dp: int | None = Field(default=None, ge=0, le=2)
    point_value_dp: int | None = Field(default=None, ge=0, le=12)
    """Decimals of a point value that is worked out; None: it stays exact."""
    mode: str | None = None


class SpecialReview(Part):
    exists: Flag = None
    cap_of_region_discharges: Number = None
    fee_over_standard: Number = None
    los_over_mean: Number = None
    result: Annotated[str | None, Recorded("特例单议的结果如何支付，由人办理")] = None
    per_hospital_cap: str | None = None
    """`forbidden`: the region's ceiling is never split among hospitals."""


class Scoring(Part):
    time_weights: tuple[int, ...] | None = None
    time_weight_mode: str | None = None
    method: Annotated[str | None, Recorded("制定目录时分值的算法；目录里的分值已按它算好")] = None
    methods: Annotated[Words, Recorded("办法允许的几种分值算法；目录里的分值已按其中一种算好")] = (
        None
    )
    institution: Annotated[Institution, Sec] = Institution()
    average_fee: str | None = None
    average_fee_table: Table = _EMPTY
    """Average fee in yuan by level and group code, where the area publishes it."""
    average_fee_factor: Table = _EMPTY
    """Factor by level (then pool): on the group's mean fee, or on the score."""
    label_average_fees: Table = _EMPTY
    """For `group_avg`: mean fee in yuan by group code and auxiliary label, before the group's."""
    simulated_price: Number = None
    """For `group_avg` of a group without a mean fee: yuan per point that stands in for it."""
    fee_basis: str | None = "total"
    """`total`, or `net_of_excluded`: without the charge items that `fee_excluded` names."""
    fee_excluded: Words = None
    """Beginnings of the codes of charge items that are settled by item."""
    tcm_items: Words = None
    """Beginnings of the codes of charge items that count as TCM technique (`tcm_share`)."""
    deviation: Annotated[Deviation, Sec] = Deviation()
    normal: Annotated[FormName, Sec] = FormName()
    ungrouped: Annotated[FormName, Sec] = FormName()
    zero_score_group: str | None = None
    add_ons: tuple[AddOn, ...] = ()
    case_rules: tuple[CaseRule, ...] = ()
    rounding: Annotated[Rounding, Sec] = Rounding()
    special_review: Annotated[SpecialReview, Sec] = SpecialReview()


class Trim(Part):
    """Percentiles between which a case's fee must lie to count; `n/a` for no trimming."""

    low: Number = None
    high: Number = None


class PointValue(Part):
    """`table` holds yuan per point by the policy's price keys; a month key may be a whole year."""

    kind: Words = None
    basis: str | None = None
    table: Table = _EMPTY
    budget: Table = _EMPTY
    """Budget point value (年初预算点值) by pool: for standards and zone tests."""
    keys: Words = None
    elastic_split: tuple[tuple[str, ...], ...] | None = None
    """Base and increment share of the fund; several pairs: the text offers a choice."""
    trim: Annotated[Trim, Sec] = Trim()
    severe_groups: Words = None
    """Codes of the groups whose points are severe (price key `severity`); all others are light."""
    increment_cap: Number = None
    """Highest value of an increment point in yuan; `n/a`: no cap."""


class PlaceFrom(Part):
    from_: date = Field(alias="from")
    key: str


class InsuredPlaceRule(Part):
    local_prefix: str
    other_in_province: PlaceFrom | None = None
    before: Annotated[str | None, Recorded("省内异地的键启用之前用什么；程序总是用参保地代码")] = (
        None
    )


class Monthly(Part):
    form: str | None = None
    ratio: Number = None
    deposit: Number = None
    deposit_cap_2025: Number = None


class BandPay(Part):
    """What a band pays: `billed`, `payable`, or payable plus a share, perhaps capped."""

    form: str
    share: Number = None
    upto: Number = None

    @model_validator(mode="before")
    @classmethod
    def _short(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"form": value}
        if isinstance(value, dict) and len(value) == 1 and "form" not in value:
            (name, inner), *_ = value.items()
            more = inner if isinstance(inner, dict) else {"share": inner}
            return {"form": name, **more}
        return value


class Band(Part):
    lo: Number = None
    hi: Number = None
    pay: BandPay


class Assess(Part):
    """Where the assessment result enters: `score`, `payable` or `deposit`. `text`: in words."""

    text: str | None = None
    applies_to: str | None = None


def _assess(value: object) -> object:
    return {"text": value} if isinstance(value, str) else value


def _bands(value: object) -> object:
    """`n/a` (no retention, no sharing) is one band that pays the payable whatever was billed."""
    return [{"pay": "payable"}] if value == NOT_APPLICABLE else value


class YearEnd(Part):
    assess: Annotated[Assess | None, BeforeValidator(_assess)] = None
    bands: Annotated[tuple[Band, ...] | None, BeforeValidator(_bands)] = None
    """Over x = billed / payable. Outermost bounds may be null: open. Empty: not yet known."""
    audit_deduct: Flag = None
    deadline: Texts | None = None
    clearing_share_target: Texts | None = None
    """Share of the year's fund that clearing should move at most, by year as `deadline` is."""


class Settlement(Part):
    pools: Words = None
    pool_codes: Texts | None = None
    """Insurance type code → pool; by default the national codes 310 and 390."""
    merged: Flag = None
    """One pool for all insured: then `pools` holds one name and `pool_codes` leads to it."""
    point_value: Annotated[PointValue, Sec] = PointValue()
    fund_share: str | None = None
    fund_share_from: str | None = None
    """`pool` (use `fund_ratio`) or `case` (billed fund / fee)."""
    fund_ratio: Table = _EMPTY
    self_paid_from: str | None = None
    """`fee_minus_fund` (what the formula says) or `self_and_own` (自付 + 自费)."""
    allow_negative: Flag = None
    price_keys: Words = None
    fallback_price_key: Words = None
    insured_place_rule: InsuredPlaceRule | None = None
    report_split: Annotated[Words, Recorded("经办报表分列的统筹池；报表不由程序出")] = None
    observed_2024: Annotated[
        Texts | None, Recorded("公布的清算统计，供人比较；不作为基金或点值")
    ] = None
    carve_outs: Words = None
    """What is taken from the year's fund before it is shared out; each must be given by name."""
    prepayment_months: Number = None
    monthly: Annotated[Monthly, Sec] = Monthly()
    year_end: Annotated[YearEnd, Sec] = YearEnd()


class Policy(Part):
    """A whole policy. `digest` is the hash of its content, not of its spelling."""

    schema_: Literal["dip-policy/1"] = Field(alias="schema")
    policy: Header
    evidence: Annotated[dict[str, Evidence], Sec] = Field(default_factory=dict)
    catalogue: Annotated[CatalogueOf, Sec] = CatalogueOf()
    routing: Annotated[Routing, Sec] = Routing()
    grouping: Annotated[Grouping, Sec] = Grouping()
    auxiliary: Annotated[Auxiliary, Sec] = Auxiliary()
    scoring: Annotated[Scoring, Sec] = Scoring()
    settlement: Annotated[Settlement, Sec] = Settlement()

    @cached_property
    def digest(self) -> str:
        return content_hash(self.model_dump(mode="json", exclude_none=True, by_alias=True))

    @cached_property
    def label(self) -> str:
        """`id@hash` as results carry it."""
        return f"{self.policy.id}@{self.digest[:12]}"

    def holds_on(self, day: date) -> bool:
        """True when the policy's period, as far as it is known, contains the day."""
        first, last = self.policy.effective_from, self.policy.effective_to
        return (first is None or first <= day) and (last is None or day <= last)

    def covers(self, day: date) -> bool:
        """Like `holds_on`, but False when the first day is unknown."""
        return self.policy.effective_from is not None and self.holds_on(day)

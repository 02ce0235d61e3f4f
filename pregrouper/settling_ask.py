"""Reading a policy and a line for one settlement: what was used, what is missing, every step."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType

from dipgate.core.grouping import Step
from dipgate.core.money import Fen, fen_rounded, rounded
from dipgate.core.params import Param
from dipgate.core.policy import Policy
from dipgate.core.settle_input import SettleInput
from dipgate.pregrouper.asking import (
    NATIONAL_POOLS,
    SEVERE_GROUPS,
    before_marks,
    lacking_in,
    marked,
)

INPUT = "input."
"""What a line lacks is named `input.<name>`, what a policy lacks by its own path."""
_GUARD = 30
_LONGEST = 58
"""Digits that a number may have before and behind the point together."""
_SHOWN = 6
"""Digits after the point in a sentence; the step's value holds the number as it is."""
WORDS: Mapping[str, str] = MappingProxyType(
    {
        "points": "分值",
        "rate": "点值",
        "fund_share": "基金支付比例",
        "patient_paid": "个人及其他负担",
        "billed_fund": "记账基金",
        "ratio": "拨付比例",
        "deposit": "保证金比例",
        "audit": "审核扣款",
        "billed": "记账金额",
        "payable": "应付金额",
        "billed_plus_share": "记账金额加分成",
        "payable_plus_share": "应付金额加分担",
        "payable_plus_capped": "应付金额加分担（封顶）",
        "mean_of_means": "各年点值加权平均",
        "weighted_totals": "费用合计 ÷ 分值合计",
        "risk_reserve": "风险金",
        "cross_region": "异地就医",
        "bed_day": "床日付费",
        "item_paid": "按项目付费",
        "core": "核心病种",
        "comprehensive": "综合病种",
        "basic": "基层病种",
        "tcm": "中医病种",
    }
)


@dataclass(slots=True)
class SettleAsk:
    """One settlement run. Lives for one call; the numbers are those of `day`, the period's last."""

    given: SettleInput
    policy: Policy
    missing: dict[str, None] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    used: dict[str, None] = field(default_factory=dict)
    severity: str = ""
    """Which price is looked up, where they differ by severity; set for each of the two."""

    @property
    def day(self) -> date:
        return self.given.day

    @property
    def month(self) -> str:
        return self.given.month or self.given.year

    @property
    def hospital(self) -> str:
        return self.given.hospital

    @property
    def county(self) -> str:
        return self.given.county

    @property
    def insured_place(self) -> str:
        return self.given.insured_place

    @property
    def pool(self) -> str:
        """The line's pool; empty (and missing) when the policy does not have it."""
        pools = self.policy.settlement.pools
        known = NATIONAL_POOLS.values() if pools is None else pools
        if self.given.pool not in known:
            self.lack("settlement.pools" if pools is None else f"{INPUT}pool")
            words = "、".join(dict.fromkeys(known))
            text = f"W_POOL 没有统筹池 {self.given.pool!r}；可用的有：{words}"
            if text not in self.warnings:
                self.warnings.append(text)
            return ""
        return self.given.pool

    def unsaid(self, name: str) -> str:
        """The key for what the line does not say (`pool`, `hospital` …)."""
        if name == "severity":
            return marked(SEVERE_GROUPS)
        unknown_pools = name == "pool" and self.policy.settlement.pools is None
        return marked("settlement.pools" if unknown_pools else f"{INPUT}{name}")

    def lack(self, path: str) -> None:
        self.missing.update(dict.fromkeys(lacking_in(path)))

    def step(self, step: str, text: str, ref: str = "", value: object = "") -> None:
        shown = format(value, "f") if isinstance(value, Decimal) else str(value)
        self.steps.append(Step(step, text, self._evidence(ref), shown))

    def number(self, param: Param | None, path: str, *, why: str = "") -> Decimal | None:
        """A number of the policy on the period's last day; None and remembered when unknown."""
        value = None if param is None else param.on(self.day)
        if value is None:
            self.lack(path)
            return None
        source = param.source_on(self.day) if param is not None else ""
        quoted = f"（{source}）" if source else ""
        path = before_marks(path)
        self.step("parameter", f"{why or path} = {plain(value)}{quoted}", path, value)
        return value

    def bound(self, param: Param | None, path: str) -> Decimal | None:
        """A number that may be `n/a`; None then, and None and remembered when it is unknown."""
        value = None if param is None else param.on(self.day)
        if value is None and (param is None or not param.absent):
            self.lack(path)
        return value

    def text(self, value: str | None, path: str) -> str | None:
        if value is None:
            self.lack(path)
        return value

    def take(self, name: str, what: str = "") -> Decimal | None:
        """An amount or number of the line, remembered as used; None when it is not stated."""
        value: Decimal | None = getattr(self.given, name)
        if value is not None and name not in self.used:
            self.used[name] = None
            self.step("input", f"{what or name} = {plain(value)}", INPUT + name, value)
        return value

    def need(self, name: str, what: str = "") -> Decimal | None:
        """Like `take`; its absence is remembered as missing."""
        value = self.take(name, what)
        if value is None:
            self.lack(INPUT + name)
        return value

    def fen(self, yuan: Decimal) -> Fen | None:
        """Rounded as the policy says; None when it does not say."""
        rules = self.policy.scoring.rounding
        if rules.money_dp is None:
            self.lack("scoring.rounding.money_dp")
        mode = self.text(rules.mode, "scoring.rounding.mode")
        if rules.money_dp is None or mode is None:
            return None
        return fen_rounded(exact(yuan), rules.money_dp, mode)

    def not_below_zero(self, yuan: Decimal) -> Decimal:
        if yuan < 0 and not self.policy.settlement.allow_negative:
            self.warnings.append("W_NEGATIVE 应付金额为负，按零计算")
            self.step("floor", f"{plain(yuan)} 元为负，按零计算", "settlement.allow_negative", 0)
            return Decimal(0)
        return yuan

    def _evidence(self, ref: str) -> str:
        head = ref.partition(".")[0]
        section = getattr(self.policy, head, None) if head in Policy.model_fields else None
        src = getattr(section, "src", None)
        return f"{ref} [{','.join(src)}]" if src else ref


def exact(value: Decimal) -> Decimal:
    """Takes off what a division left behind the thirtieth digit, so that halves stay halves."""
    return rounded(value, max(0, min(_GUARD, _LONGEST - value.adjusted())), "half_even")


def total_score(ask: SettleAsk) -> Decimal | None:
    """S of the line: the total as stated, or the sum of its scores or parts."""
    given = ask.given
    if given.total_score is not None:
        return ask.take("total_score", "分值合计")
    if given.scores is not None:
        total = sum(given.scores, Decimal(0))
        if "scores" in ask.used:
            return total
        ask.used["scores"] = None
        ask.step("score", f"{len(given.scores)} 例分值合计 {plain(total)}", "input.scores", total)
        return total
    if given.score_parts is not None:
        total = sum(given.score_parts.values(), Decimal(0))
        if "score_parts" in ask.used:
            return total
        ask.used["score_parts"] = None
        words = " + ".join(
            f"{word_of(name)} {plain(part)}" for name, part in given.score_parts.items()
        )
        ask.step("score", f"分值合计 = {words} = {plain(total)}", "input.score_parts", total)
        return total
    ask.lack(f"{INPUT}total_score")
    return None


def plain(value: Decimal) -> str:
    """A number for a sentence: no zeros at the end, a long fraction cut at six digits with `…`."""
    whole, _, fraction = format(value, "f").partition(".")
    fraction = fraction.rstrip("0")
    if len(fraction) > _SHOWN:
        return f"{whole}.{fraction[:_SHOWN]}…"
    return f"{whole}.{fraction}" if fraction else whole


def word_of(name: str) -> str:
    """What a name of a policy or a line means; others stand as they are written."""
    return WORDS.get(name, name)


def formula_words(text: str) -> str:
    """A formula with its names in words: `points * rate` → `分值 × 点值`."""
    text = re.sub(r"[a-z_]+", lambda found: word_of(found.group()), text)
    return " ".join(text.replace("*", " × ").replace("/", " ÷ ").replace("-", " − ").split())

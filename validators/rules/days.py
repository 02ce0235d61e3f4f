"""Whether a list's day is one that the rules know at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

from dipgate.core.case import Case
from dipgate.core.findings import Severity
from dipgate.core.lists import text_of
from dipgate.validators.registry import Hit, Subject, rule

RULES_FROM = date(2021, 1, 1)
"""First day of the earliest rules: before it a list would be checked by none of them."""
LONGEST_WAIT = timedelta(days=400)
"""Between discharge and settlement; more is a slip of the year."""


@rule(
    "U001",
    severity=Severity.ERROR,
    fields=("setlinfo.setl_end_date", "setlinfo.dscg_time"),
    clause="医保结算清单填写规范；规则和字典按结算日取版本",
    message="结算日期不在规则包有效期内",
    remedy="核对结算日期和出院时间，按结算单改正",
    since=date.min,
    confidence="high",
    looks_at_today=True,
)
def day_is_one_the_rules_know(subject: Subject) -> Iterator[Hit]:
    """结算日期可信，且在规则包有效期内。

    日期不可信时，按它取到的规则和字典也不可信：早于全部规则的清单一条规则也不会查。
    """
    case, day = subject.case, subject.ref.day
    if case.settled is not None:
        what = _about_settlement(case.settled, case, subject.today)
        if what:
            yield Hit("setlinfo.setl_end_date", _text(subject, "setl_end_date"), what)
            return
    elif case.discharged is not None and case.discharged.date() < RULES_FROM:
        what = f"出院日期 {case.discharged.date()} 早于规则包的施行日 {RULES_FROM}"
        yield Hit("setlinfo.dscg_time", _text(subject, "dscg_time"), what)
        return
    if day < RULES_FROM:
        what = f"校验所用的日期 {day} 早于规则包的施行日 {RULES_FROM}，没有规则可用"
        yield Hit("setlinfo.setl_end_date", _text(subject, "setl_end_date"), what)


def _about_settlement(settled: date, case: Case, today: date) -> str:
    """What is wrong with a settlement date; empty when nothing is."""
    if settled < RULES_FROM:
        return f"结算日期 {settled} 早于规则包的施行日 {RULES_FROM}"
    if settled > today:
        return f"结算日期 {settled} 晚于今天 {today}"
    if case.discharged is not None:
        left = case.discharged.date()
        if abs(settled - left) > LONGEST_WAIT:
            days = abs((settled - left).days)
            return (
                f"结算日期 {settled} 与出院日期 {left} 相差 {days} 天，超过 {LONGEST_WAIT.days} 天"
            )
    return ""


def _text(subject: Subject, name: str) -> str:
    return text_of(subject.lst.setlinfo.get(name)).strip()[:40]

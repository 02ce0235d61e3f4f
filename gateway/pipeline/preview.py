"""Before → after of a change that nobody has saved: group, score, pay, gap. Nothing is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dipgate.core.case import Case, case_of
from dipgate.core.errors import RecordError
from dipgate.core.findings import Finding, FindingStatus, Fix
from dipgate.core.grouping import GroupResult, ScoreResult
from dipgate.core.lists import SettlementList
from dipgate.core.money import Fen
from dipgate.mapping import changed
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.judge_stage import judge


@dataclass(frozen=True, slots=True)
class Worth:
    """What one list comes to. Money in fen; None where it is not known."""

    group: GroupResult
    score: ScoreResult
    principal: str
    """Code and name of the principal diagnosis."""
    fee: Fen | None
    """Total fee."""
    fund: Fen | None
    """What the bill charged to the pooled fund."""

    @property
    def pay(self) -> Fen | None:
        """What the fund is expected to pay."""
        return self.score.amount

    @property
    def gap(self) -> Fen | None:
        """Expected pay less the fund part billed: like against like."""
        return None if self.pay is None or self.fund is None else Fen(self.pay - self.fund)

    def same_as(self, other: Worth) -> bool:
        """Same group, score and pay?"""
        return (self.group.group_code, self.score.score, self.pay, self.fee, self.fund) == (
            other.group.group_code,
            other.score.score,
            other.pay,
            other.fee,
            other.fund,
        )


@dataclass(frozen=True, slots=True)
class Preview:
    """A list before and after changes, and the findings that would go and come."""

    before: Worth
    after: Worth
    list: SettlementList
    gone: tuple[Finding, ...]
    new: tuple[Finding, ...]

    @property
    def moves(self) -> bool:
        """Would group, score or money be another?"""
        return not self.before.same_as(self.after)


def worth_of(lst: SettlementList, group: GroupResult, score: ScoreResult) -> Worth:
    """The worth of a list from a result that is stored or was just made."""
    case = case_of(lst)
    return Worth(group, score, _principal(case), case.fee, case.fund)


def preview(desk: Desk, lst: SettlementList, fixes: Sequence[Fix]) -> Preview:
    """What a list would come to after these changes; pure apart from look-ups.

    Raises RecordError when a change does not fit the list.
    """
    after = lst
    for fix in fixes:
        try:
            after = changed(after, fix.op, fix.path, fix.value)
        except (KeyError, ValueError):
            raise RecordError(f"清单上没有 {fix.path}", remedy="刷新后再试") from None
    was, now = judge(desk, lst), judge(desk, after)
    old = {_key(item) for item in was.findings}
    new = {_key(item) for item in now.findings}
    return Preview(
        worth_of(lst, was.group, was.score),
        worth_of(after, now.group, now.score),
        after,
        tuple(item for item in was.findings if _found(item) and _key(item) not in new),
        tuple(item for item in now.findings if _found(item) and _key(item) not in old),
    )


def _found(finding: Finding) -> bool:
    return finding.status is FindingStatus.FOUND


def _key(finding: Finding) -> tuple[str, str, str, str]:
    return (finding.rule, finding.status.value, finding.field, finding.message)


def _principal(case: Case) -> str:
    return f"{case.principal.code} {case.principal.name}".strip() if case.principal else ""

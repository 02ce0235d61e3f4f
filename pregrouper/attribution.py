"""Which single parameter makes the bureau's result differ from ours, found by re-computation.

The values are compared in the order of dip-settlement.md section 7. For the first one that differs
our own result is computed again with one thing changed at a time; a change after which everything
that the bureau returned is met exactly is a cause. Several may be: they are all named, in the order
in which they are tried (`score_trials`, `money_trials`, `group_causes`), which runs from what our
own tables know to what had to be solved for. A cause that explains all values goes before one that
explains only the first.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal

from dipgate.core.grouping import GroupResult, ScoreResult
from dipgate.pregrouper.attribution_group import base_causes, group_causes
from dipgate.pregrouper.attribution_money import (
    audit_note,
    counted_values,
    money_trials,
    solved_money_trials,
    sure_audit,
)
from dipgate.pregrouper.attribution_score import Trial, score_trials, solved_score_trials
from dipgate.pregrouper.attribution_side import (
    NO_EDITIONS,
    NOTHING_KNOWN,
    Editions,
    Known,
    OurSide,
    editions_of,
)
from dipgate.pregrouper.difference_steps import divisor_of
from dipgate.pregrouper.differences import (
    GROUPED,
    STAGES,
    BureauResult,
    Cause,
    Difference,
    Reason,
    Stage,
    first_difference,
    money,
    stage_of,
)

__all__ = [
    "NOTHING_KNOWN",
    "NO_EDITIONS",
    "Editions",
    "Known",
    "OurSide",
    "editions_of",
    "known_from",
    "why",
]
_MOST_CAUSES = 3
_ENOUGH_CASES = 3
_LAST_FEN = Decimal("0.01")
_SETTLED = (
    Reason.EQUAL,
    Reason.NOT_RETURNED,
    Reason.NOT_UPLOADED,
    Reason.ANNULLED,
    Reason.NOT_CONFIGURED,
)


def why(
    side: OurSide,
    group: GroupResult,
    score: ScoreResult,
    theirs: BureauResult,
    known: Known = NOTHING_KNOWN,
) -> Difference:
    """The first difference and its causes; without a cause the difference as it stands."""
    first = first_difference(group, score, theirs)
    if first.reason in _SETTLED:
        return first
    if group.status not in GROUPED and theirs.grouped is None:
        # Neither side names a group: there is nothing to compute again.
        return first
    stage = stage_of(group, score, theirs)
    if stage is Stage.GROUP:
        return _named(first, group_causes(side, group, theirs))
    if stage is Stage.BASE:
        return _named(first, base_causes(side, group, theirs))
    causes = tuple(_causes(side, group, score, theirs, known, stage))
    if stage is Stage.AUXILIARY and not causes:
        return first
    return _named(first, causes)


def known_from(
    cases: Iterable[tuple[OurSide, GroupResult, ScoreResult, BureauResult]],
) -> Known:
    """Point values that several cases of one return imply alike: a deduction would not do that."""
    counted: Counter[Decimal] = Counter()
    for side, group, score, theirs in cases:
        if stage_of(group, score, theirs) is Stage.PAYABLE and not sure_audit(score, theirs):
            counted.update(counted_values(side, group, theirs.payable))
    return Known(frozenset(value for value, cases_ in counted.items() if cases_ >= _ENOUGH_CASES))


def _named(first: Difference, causes: tuple[Cause, ...]) -> Difference:
    if not causes:
        return first
    chief = causes[0]
    return Difference(
        chief.reason, chief.field, chief.ours, chief.theirs, chief.note, causes[:_MOST_CAUSES]
    )


def _causes(
    side: OurSide,
    group: GroupResult,
    score: ScoreResult,
    theirs: BureauResult,
    known: Known,
    stage: Stage,
) -> Iterator[Cause]:
    if stage is Stage.PAYABLE and sure_audit(score, theirs):
        yield _audit(score, theirs)
        return
    whole: list[Cause] = []
    first_only: list[Cause] = []
    for solved in (False, True):
        trials = _trials(side, group, score, theirs, known, stage, solved=solved)
        for cause, complete in _tested(trials, score, theirs, stage):
            (whole if complete else first_only).append(cause)
        if whole:
            break
    yield from _one_per_reason([*whole, *first_only])
    if stage is Stage.PAYABLE and not whole and _pays_less(score, theirs):
        yield _audit(score, theirs)


def _tested(
    trials: Iterator[Trial], ours: ScoreResult, theirs: BureauResult, stage: Stage
) -> Iterator[tuple[Cause, bool]]:
    """Trials that get past the first difference, and whether they meet everything returned."""
    place = STAGES.index(stage)
    for trial in trials:
        found = trial.score()
        reached = stage_of(trial.group, found, theirs)
        passed = reached is Stage.NONE or STAGES.index(reached) > place
        if passed and _as_printed(trial, found, ours, theirs):
            cause = Cause(trial.reason, trial.field, trial.ours, trial.theirs, trial.note)
            yield cause, reached is Stage.NONE


def _as_printed(trial: Trial, found: ScoreResult, ours: ScoreResult, theirs: BureauResult) -> bool:
    """K, average fee and ratio that the bureau prints must be those of the trial."""
    if theirs.coefficient is not None and found.institution_coefficient != theirs.coefficient:
        return False
    # A ratio that was rounded first is still one by our own average fee.
    by_average = ours if trial.field == "ratio" else found
    average = divisor_of(trial.side.case, trial.group, by_average, trial.side.policy)
    if theirs.average_fee is not None and average is not None:
        if abs(average - theirs.average_fee) > _LAST_FEN:
            return False
    if theirs.ratio is not None and found.ratio is not None:
        mine = found.ratio if trial.field != "ratio" else ours.ratio or found.ratio
        step = Decimal(1).scaleb(int(theirs.ratio.as_tuple().exponent))
        return abs(mine - theirs.ratio) <= step
    return True


def _one_per_reason(causes: list[Cause]) -> Iterator[Cause]:
    """Two readings of one reason help nobody: the likelier stays."""
    seen: set[Reason] = set()
    for cause in causes:
        if cause.reason not in seen:
            seen.add(cause.reason)
            yield cause


def _trials(
    side: OurSide,
    group: GroupResult,
    score: ScoreResult,
    theirs: BureauResult,
    known: Known,
    stage: Stage,
    *,
    solved: bool,
) -> Iterator[Trial]:
    of_score = stage in (Stage.AUXILIARY, Stage.ZONE, Stage.SCORE)
    if of_score or theirs.settled_score is None:
        if solved:
            yield from solved_score_trials(side, group, score, theirs)
        else:
            yield from score_trials(side, group, score, theirs)
    if not of_score:
        if solved:
            yield from solved_money_trials(side, group, score, theirs)
        else:
            yield from money_trials(side, group, score, known)


def _pays_less(score: ScoreResult, theirs: BureauResult) -> bool:
    return score.amount is not None and theirs.payable is not None and theirs.payable < score.amount


def _audit(score: ScoreResult, theirs: BureauResult) -> Cause:
    return Cause(
        Reason.AUDIT,
        "payable",
        money(score.amount),
        money(theirs.payable),
        audit_note(score, theirs),
    )

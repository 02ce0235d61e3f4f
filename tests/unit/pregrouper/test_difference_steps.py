"""Step by step: the first difference is marked, what follows is its result, the rest is honest."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from msgspec import structs

from dipgate.core.grouping import (
    Alternative,
    GroupResult,
    GroupStatus,
    ScoreResult,
    ScoreStatus,
    Zone,
)
from dipgate.core.grouping_words import VALUE_WORDS
from dipgate.core.money import Fen
from dipgate.pregrouper.difference_steps import NOT_RETURNED, DiffStep, Mark, difference_steps
from dipgate.pregrouper.differences import (
    FIELD_WORDS,
    BureauResult,
    Difference,
    Reason,
    first_difference,
)

GROUP = GroupResult(
    GroupStatus.GROUPED,
    group_code="K80.1:51.2300",
    base_score=Decimal("1874.90"),
    average_fee=Decimal("10210.00"),
    alternatives=(Alternative("K80.1", "保守", Decimal("700"), "分值较低"),),
)
SCORE = ScoreResult(
    ScoreStatus.SCORED,
    zone=Zone.NORMAL,
    ratio=Decimal("0.6123"),
    base_score=Decimal("1874.90"),
    institution_coefficient=Decimal("1.05"),
    score=Decimal("1968.645"),
    point_value=Decimal("5.72"),
)
DIVISOR = Decimal("10618.4")
"""The mean of the library times 1.04."""
THEIRS = BureauResult(
    "S1", True, True, "K80.1:51.2300", "", Decimal("1874.90"), Decimal("1968.645")
)


def steps(theirs: BureauResult, score: ScoreResult = SCORE) -> dict[str, DiffStep]:
    difference = first_difference(GROUP, score, theirs)
    return {step.label: step for step in steps_of(theirs, score, difference)}


def steps_of(
    theirs: BureauResult, score: ScoreResult, difference: Difference
) -> tuple[DiffStep, ...]:
    return difference_steps(
        GROUP,
        score,
        theirs,
        difference,
        divisor=DIVISOR,
        expected=Fen(1072443),
        settled=Fen(527681),
    )


def test_alike_needs_no_steps() -> None:
    assert steps(THEIRS) == {}


def test_another_library_parts_at_the_base_score() -> None:
    found = steps(replace(THEIRS, base_score=Decimal("1800"), settled_score=Decimal("1890")))
    assert found["病种组"].mark is Mark.SAME
    assert found["病种分值"] == DiffStep("病种分值", "1874.90", "1800", Mark.DIFF)
    assert found["最终分值"].mark is Mark.AFTER
    assert found["应付（元）"] == DiffStep("应付（元）", "10724.43", "5276.81", Mark.AFTER)


def test_what_the_platform_does_not_return_is_not_made_up() -> None:
    found = steps(replace(THEIRS, base_score=Decimal("1800"), settled_score=Decimal("1890")))
    for label in ("平均费用", "偏差区间", "机构系数", "点值"):
        assert found[label].theirs == NOT_RETURNED
        assert found[label].mark is Mark.UNKNOWN


CAUSES = [
    (Difference(Reason.ZONE, "zone", "0.61 正常", "低倍率"), "偏差区间"),
    (Difference(Reason.COEFFICIENT, "k", "1.05", "0.95"), "机构系数"),
    (Difference(Reason.AVERAGE_FEE, "average_fee", "10210.00", "9817.31"), "平均费用"),
    (Difference(Reason.AUXILIARY, "auxiliary", "没有", "重度 1.3"), "辅助分型"),
    (Difference(Reason.PRICE, "point_value", "5.72", "5.90"), "点值"),
    (Difference(Reason.POOL, "point_value", "5.72", "5.90"), "点值"),
    (Difference(Reason.SHARE, "fund_share", "0.76", "0.63"), "基金支付比例"),
    (Difference(Reason.AUDIT, "payable", "10724.43", "5276.81"), "应付（元）"),
]


@pytest.mark.parametrize(("cause", "label"), CAUSES)
def test_what_a_cause_worked_out_stands_at_its_step(cause: Difference, label: str) -> None:
    marked = [step for step in steps_of(THEIRS, SCORE, cause) if step.mark is Mark.DIFF]
    assert [step.label for step in marked] == [label]
    assert cause.theirs in marked[0].theirs


def test_what_the_platform_prints_is_not_called_worked_out() -> None:
    cause = Difference(Reason.COEFFICIENT, "k", "1.05", "0.95")
    theirs = replace(THEIRS, coefficient=Decimal("0.95"))
    found = difference_steps(
        GROUP, SCORE, theirs, cause, divisor=DIVISOR, expected=None, settled=None
    )
    assert next(step for step in found if step.label == "机构系数").theirs == "0.95"


def test_another_pool_parts_at_the_score_where_the_score_is_another() -> None:
    cause = Difference(Reason.POOL, "pool", "职工", "居民")
    theirs = replace(THEIRS, settled_score=Decimal("1900"))
    found = difference_steps(
        GROUP, SCORE, theirs, cause, divisor=DIVISOR, expected=None, settled=None
    )
    assert [step.label for step in found if step.mark is Mark.DIFF] == ["最终分值"]


@pytest.mark.parametrize(
    "theirs",
    [
        replace(THEIRS, group_code="K80.2"),
        replace(THEIRS, group_code="K80.1"),
        replace(THEIRS, grouped=False, group_code="", base_score=None, settled_score=None),
    ],
)
def test_another_group_parts_at_once(theirs: BureauResult) -> None:
    found = steps(theirs)
    assert found["病种组"].mark is Mark.DIFF
    assert found["病种组"].theirs == (theirs.group_code or "未入组")
    assert all(step.mark is not Mark.DIFF for label, step in found.items() if label != "病种组")


@pytest.mark.parametrize("settled", ["1968.65", "5000", "0.01", "1781.155", "1148.00"])
def test_there_is_always_exactly_one_first_difference(settled: str) -> None:
    theirs = replace(THEIRS, settled_score=Decimal(settled))
    assert first_difference(GROUP, SCORE, theirs).reason is not Reason.EQUAL
    assert [step.mark for step in steps(theirs).values()].count(Mark.DIFF) == 1


def test_not_uploaded_has_no_steps() -> None:
    assert steps(replace(THEIRS, uploaded=False)) == {}


def test_missing_parameters_are_told_at_the_score() -> None:
    unknown = structs.replace(
        SCORE, status=ScoreStatus.NOT_CONFIGURED, score=None, not_configured=("scoring.k",)
    )
    found = steps(THEIRS, unknown)
    assert found["最终分值"] == DiffStep("最终分值", "—", "1968.645", Mark.DIFF)


def test_a_group_that_was_not_returned_is_not_said_to_be_none() -> None:
    theirs = replace(THEIRS, grouped=None, group_code="", settled_score=Decimal("1890"))
    assert steps(theirs)["病种组"] == DiffStep(
        "病种组", "K80.1:51.2300", NOT_RETURNED, Mark.UNKNOWN
    )


def test_the_average_fee_that_the_ratio_was_divided_by_is_shown_and_the_mean_by_its_name() -> None:
    found = steps(replace(THEIRS, settled_score=Decimal("1890")))
    assert found["平均费用"].ours == "10618.40"
    assert found["目录的平均费用"].ours == "10210.00"
    group = structs.replace(GROUP, average_fee=DIVISOR)
    theirs = replace(THEIRS, settled_score=Decimal("1890"))
    same = difference_steps(
        group,
        SCORE,
        theirs,
        first_difference(group, SCORE, theirs),
        divisor=DIVISOR,
        expected=None,
        settled=None,
    )
    assert [step.label for step in same if "平均费用" in step.label] == ["平均费用"]


def test_a_cause_calls_a_value_what_its_step_is_called() -> None:
    for cause, label in CAUSES[:4]:
        assert FIELD_WORDS[cause.field] == label
    named = set(steps(replace(THEIRS, settled_score=Decimal("1890"))))
    assert {
        VALUE_WORDS[key] for key in ("base_score", "average_fee", "zone", "k", "score")
    } <= named

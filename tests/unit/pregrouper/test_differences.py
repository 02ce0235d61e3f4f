"""The first difference between our result and the bureau's, cause by cause."""

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
from dipgate.core.money import Fen
from dipgate.pregrouper.differences import (
    REASON_TEXT,
    BureauResult,
    Reason,
    Stage,
    first_difference,
    stage_of,
)

GROUP = GroupResult(
    GroupStatus.GROUPED,
    group_code="K35.8:47.0100",
    base_score=Decimal("1291.91"),
    alternatives=(Alternative("K35.8:54.5101", "阑尾炎伴松解", Decimal("1260.75"), "分值较低"),),
)
SCORE = ScoreResult(
    ScoreStatus.SCORED,
    zone=Zone.NORMAL,
    ratio=Decimal("0.90"),
    base_score=Decimal("1291.91"),
    institution_coefficient=Decimal("1.05"),
    score=Decimal("1356.5055"),
    point_value=Decimal("8.12"),
    amount=Fen(837126),
)
THEIRS = BureauResult(
    "S1", True, True, "K35.8:47.0100", "", Decimal("1291.91"), Decimal("1356.5055")
)
ALL_DIFFERENT: dict[str, object] = {
    "group_code": "K35.9",
    "base_score": Decimal("1"),
    "auxiliary": "死亡",
    "zone": Zone.LOW,
    "settled_score": Decimal("1"),
    "point_value": Decimal("1"),
    "payable": Fen(1),
}


def test_equal_results_have_no_difference() -> None:
    found = first_difference(GROUP, SCORE, THEIRS)
    assert found.reason is Reason.EQUAL
    assert found.text == "一致"


@pytest.mark.parametrize(
    ("theirs", "reason"),
    [
        (replace(THEIRS, uploaded=False), Reason.NOT_UPLOADED),
        (replace(THEIRS, grouped=False), Reason.NOT_GROUPED_THERE),
        (replace(THEIRS, group_code="K35.9"), Reason.GROUP),
        (replace(THEIRS, group_code="K35.8:54.5101"), Reason.TIE),
        (replace(THEIRS, base_score=Decimal("1300")), Reason.BASE_SCORE),
        (replace(THEIRS, annulled=True), Reason.ANNULLED),
        (replace(THEIRS, auxiliary="死亡"), Reason.AUXILIARY),
        (replace(THEIRS, zone=Zone.LOW), Reason.ZONE),
        (replace(THEIRS, settled_score=Decimal("1356.51")), Reason.SCORE),
        (replace(THEIRS, point_value=Decimal("8.1")), Reason.PRICE),
        (replace(THEIRS, payable=Fen(100)), Reason.PAYABLE),
    ],
)
def test_each_planted_cause_gets_its_reason(theirs: BureauResult, reason: Reason) -> None:
    assert first_difference(GROUP, SCORE, theirs).reason is reason


@pytest.mark.parametrize(
    ("change", "stage"),
    [
        ({"group_code": "K35.9"}, Stage.GROUP),
        ({"base_score": Decimal("1")}, Stage.BASE),
        ({"auxiliary": "死亡"}, Stage.AUXILIARY),
        ({"zone": Zone.LOW}, Stage.ZONE),
        ({"settled_score": Decimal("1")}, Stage.SCORE),
        ({"point_value": Decimal("1")}, Stage.PRICE),
        ({"payable": Fen(1)}, Stage.PAYABLE),
    ],
)
def test_the_first_in_the_order_decides(change: dict[str, object], stage: Stage) -> None:
    """Everything after it may differ too."""
    later: dict[str, object] = {}
    for name, value in reversed(ALL_DIFFERENT.items()):
        later[name] = value
        if name in change:
            break
    assert stage_of(GROUP, SCORE, replace(THEIRS, **{**later, **change})) is stage


def test_a_label_may_stand_within_the_words_of_the_bureau() -> None:
    ours = structs.replace(SCORE, auxiliary_label="重度")
    assert stage_of(GROUP, ours, replace(THEIRS, auxiliary="疾病严重程度：重度")) is Stage.NONE
    assert stage_of(GROUP, ours, replace(THEIRS, auxiliary="")) is Stage.AUXILIARY


def test_what_is_not_returned_is_no_difference() -> None:
    silent = replace(THEIRS, base_score=None, settled_score=None)
    assert first_difference(GROUP, SCORE, silent).reason is Reason.EQUAL


def test_ambiguous_with_their_group_among_the_candidates_is_a_tie() -> None:
    ours = structs.replace(GROUP, status=GroupStatus.AMBIGUOUS, group_code="")
    found = first_difference(ours, SCORE, replace(THEIRS, group_code="K35.8:54.5101"))
    assert found.reason is Reason.TIE


def test_a_case_that_only_one_side_grouped_names_the_side() -> None:
    ungrouped = GroupResult(GroupStatus.UNGROUPED)
    assert first_difference(ungrouped, SCORE, THEIRS).reason is Reason.NOT_GROUPED_HERE
    both = first_difference(ungrouped, SCORE, replace(THEIRS, grouped=False))
    assert both.reason is Reason.EQUAL


def test_an_unconfigured_score_is_named_by_its_path() -> None:
    ours = ScoreResult(ScoreStatus.NOT_CONFIGURED, not_configured=("settlement.fund_share",))
    found = first_difference(GROUP, ours, THEIRS)
    assert found.reason is Reason.NOT_CONFIGURED
    assert "settlement.fund_share" in found.text


@pytest.mark.parametrize("warning", ["W_NO_POLICY 没有政策", "W_NO_LIBRARY 没有目录"])
def test_without_policy_or_library_nothing_is_compared(warning: str) -> None:
    ours = GroupResult(GroupStatus.UNGROUPED, warnings=(warning,))
    money = ScoreResult(ScoreStatus.NOT_CONFIGURED, not_configured=("catalogue.library",))
    found = first_difference(ours, money, THEIRS)
    assert (found.reason, found.ours) == (Reason.NOT_CONFIGURED, "缺 catalogue.library")


def test_every_reason_has_its_words() -> None:
    assert set(REASON_TEXT) == set(Reason)


def test_no_word_about_a_group_leaves_scores_and_money_to_compare() -> None:
    bare = replace(THEIRS, grouped=None, group_code="", base_score=None)
    assert first_difference(GROUP, SCORE, bare).reason is Reason.EQUAL
    assert stage_of(GROUP, SCORE, replace(bare, settled_score=Decimal(1))) is Stage.SCORE
    ungrouped = structs.replace(GROUP, status=GroupStatus.UNGROUPED, group_code="")
    none = ScoreResult(ScoreStatus.OUT_OF_SCOPE)
    assert first_difference(ungrouped, none, bare).reason is Reason.SCORE
    silent = replace(bare, settled_score=None)
    assert first_difference(GROUP, SCORE, silent).reason is Reason.NOT_RETURNED

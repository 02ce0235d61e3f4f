"""A grouper of another payment: judged, stored, shown and reconciled without a word of DIP's.

Two diagnosis categories and four groups are enough to show that nothing outside `pregrouper/`
needs to know how DIP finds its groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from dipgate.core.case import Case
from dipgate.core.clock import FixedClock
from dipgate.core.exchange import Event
from dipgate.core.grouper import Grouper
from dipgate.core.grouping import GroupResult, GroupStatus, Layer, Step
from dipgate.core.library import LibraryData
from dipgate.core.policy import Policy
from dipgate.core.reference import Reference
from dipgate.pipeline import exchange_stage
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.edits import release_clean
from dipgate.pipeline.judge_stage import judge, store_judgements
from dipgate.pipeline.reconcile_stage import reconcile
from dipgate.pregrouper.differences import Reason
from dipgate.store import cases, groupings, outbox, results

MONTH = "2025-03"
CATEGORIES = {"K": ("MDCG", "消化系统疾病"), "I": ("MDCF", "循环系统疾病")}
WEIGHTS = {"surgical": Decimal("1.8"), "medical": Decimal("0.6")}


@dataclass(frozen=True)
class ToyDrg:
    """MDC by the first letter of the principal diagnosis, ADRG by whether anything was done."""

    label: str
    policy: Policy

    def group(self, case: Case, ref: Reference, *, trace: bool = True) -> GroupResult:  # noqa: ARG002
        letter = case.principal.code[:1] if case.principal else ""
        if letter not in CATEGORIES:
            return GroupResult(
                GroupStatus.UNGROUPED,
                warnings=("W_NO_MDC 主要诊断不属于任何主要诊断大类",),
                policy=self.policy.label,
                library=self.label,
            )
        code, name = CATEGORIES[letter]
        surgical = bool(case.procedures)
        adrg = f"{code[-1]}{'B' if surgical else 'R'}1"
        weight = WEIGHTS["surgical" if surgical else "medical"]
        steps = (
            Step("mdc", f"主要诊断大类 {code} {name}", value=code),
            Step("adrg", f"{'手术' if surgical else '内科'}组 {adrg}", value=adrg),
        )
        return GroupResult(
            GroupStatus.GROUPED,
            layer=Layer.CORE,
            group_code=f"{adrg}9",
            group_name=f"{name}，{'有' if surgical else '没有'}手术",
            base_score=weight,
            average_fee=weight * 10_000,
            trace=steps if trace else (),
            policy=self.policy.label,
            library=self.label,
        )


def toy(data: LibraryData, policy: Policy) -> Grouper:
    return ToyDrg(f"toy-drg@{data.version}", policy)


@pytest.fixture
def desk(listed_state: Path, tmp_path: Path, clock: FixedClock, kit: Any) -> Iterator[Desk]:
    """A month of lists, each judged by the toy."""
    with kit.opened_desk(listed_state, tmp_path, clock) as opened:
        opened.make_grouper = toy
        with opened.store.read() as conn:
            held = cases.cases_in(conn, limit=500)
        work = [(case, judge(opened, case.settlement_list())) for case in held]
        opened.store.write(lambda conn: store_judgements(conn, work, now=opened.clock.now()))
        yield opened


def stored(desk: Desk) -> dict[str, groupings.Grouping]:
    with desk.store.read() as conn:
        return dict(groupings.latest_of_month(conn, MONTH))


def test_its_groups_and_points_are_stored(desk: Desk) -> None:
    found = stored(desk)
    codes = {item.group.group_code for item in found.values()}
    assert any(item.score.score is not None for item in found.values())
    assert {"GB19", "GR19"} <= codes
    for item in found.values():
        assert item.library.startswith("toy-drg@")
        if item.group.group_code == "GB19":
            assert item.score.base_score == Decimal("1.8")
            assert [step.step for step in item.group.trace] == ["mdc", "adrg"]


def test_the_case_page_shows_them(desk: Desk, browser: Callable[..., Any]) -> None:
    settlement_id = next(
        key for key, item in stored(desk).items() if item.group.group_code == "GB19"
    )
    with desk.store.read() as conn:
        case = cases.case_by_settlement(conn, settlement_id)
    assert case is not None
    coder = browser("coder")
    page = coder.get(f"/case/{case.id}")
    assert page.status_code == 200
    assert "GB19" in page.text
    assert "消化系统疾病，有手术" in page.text
    assert "主要诊断大类 MDCG 消化系统疾病" in coder.get(f"/case/{case.id}/trace", htmx=True).text


def test_they_are_reconciled_with_the_bureaus(desk: Desk) -> None:
    release_clean(desk, author="甲")
    exchange_stage.queue_ready(desk)
    with desk.store.read() as conn:
        sent = outbox.list_rows(conn)
    for row in sent:
        desk.store.write(lambda conn, number=row.id: accept(conn, desk, number))  # type: ignore[misc]
    held = stored(desk)
    with desk.store.read() as conn:
        taken = [row.settlement_id for row in cases.cases_in(conn, states=("accepted",))]
    answers = [answer(key, held[key].group, held[key].score.score) for key in taken]
    other = next(item for item in answers if item["dip_dise_grp_code"] == "GR19")
    other["dip_dise_grp_code"] = "GB19"
    now = desk.clock.now()
    desk.store.write(lambda conn: results.put_page(conn, "3606", MONTH, answers, now))
    report = reconcile(desk, MONTH)
    assert report.different == 1
    apart = next(item for item in report.lists if item.difference.reason is not Reason.EQUAL)
    assert (apart.our_group, apart.their_group) == ("GR19", "GB19")


def answer(settlement_id: str, group: GroupResult, points: Decimal | None) -> dict[str, str]:
    """The bureau's row that agrees with ours."""
    return {
        "setl_id": settlement_id,
        "nuld_flag": "0",
        "grp_stas": "1" if group.group_code else "0",
        "dip_dise_grp_code": group.group_code,
        "grp_dise_sco": "" if group.base_score is None else str(group.base_score),
        "act_setl_sco": "" if points is None else str(points),
    }


def accept(conn: Any, desk: Desk, number: int) -> None:
    now = desk.clock.now()
    outbox.claim(
        conn,
        now=now,
        lease_seconds=60,
        epoch=desk.store.epoch,
        hospital_code=desk.store.hospital_code,
    )
    outbox.apply(conn, number, Event.RECEIPT_OK, now=now, epoch=desk.store.epoch, list_no="L1")

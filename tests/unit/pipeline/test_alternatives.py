"""Alternatives at the desk: what is shown is what taking it then gives, and all of it is kept."""

from __future__ import annotations

from typing import Any

import pytest

from dipgate.core.errors import RecordError
from dipgate.pipeline import alternatives, edits, simulations
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.pipeline.trail import trail
from dipgate.pregrouper.alternatives import Option
from dipgate.store import Connection, audit, cases, groupings, overlays


@pytest.fixture
def desk(ward: Any) -> Desk:
    made: Desk = ward.desk
    read_sources(made)
    map_new_stays(made)
    judge_new_cases(made)
    return made


def options(desk: Desk) -> list[tuple[cases.CaseRow, Option]]:
    with desk.store.read() as conn:
        found = cases.cases_in(conn)
    pairs = []
    for case in found:
        lst = case.settlement_list()
        made = alternatives.alternatives(alternatives.bench_of(desk, lst), lst)
        pairs += [(case, item) for item in made.options]
    return pairs


def test_what_was_shown_is_what_taking_it_gives(desk: Desk) -> None:
    done = 0
    for case, shown in options(desk):
        if shown.locked:
            continue
        done += 1
        alternatives.take(
            desk,
            case.settlement_id,
            shown.key,
            revision=_now(desk, case).revision,
            reason="出院小结第一诊断",
            author="bian",
        )
        with desk.store.read() as conn:
            after = groupings.latest(conn, case.id)
        assert after is not None
        assert after.group.group_code == shown.group.group_code
        assert (after.score.score, after.score.amount) == (shown.score.score, shown.score.amount)
        revision = _now(desk, case).revision
        edits.undo_last(desk, case.settlement_id, revision=revision, author="bian")
    assert done


def test_no_locked_one_can_be_taken(desk: Desk) -> None:
    locked = [(case, item) for case, item in options(desk) if item.locked]
    assert locked
    for case, item in locked:
        with pytest.raises(RecordError, match="病历不支持"):
            alternatives.take(
                desk,
                case.settlement_id,
                item.key,
                revision=_now(desk, case).revision,
                reason="想要的",
                author="bian",
            )
    with desk.store.read() as conn:
        assert not any(overlays.acts_of(conn, case.settlement_id) for case, _ in locked)


def test_every_look_is_kept_with_who_and_what(desk: Desk) -> None:
    case, _ = options(desk)[0]
    first = alternatives.simulate(desk, case, actor="bian")
    alternatives.simulate(desk, case, actor="bian")
    alternatives.simulate(desk, case, actor="yiban")
    with desk.store.read() as conn:
        rows = audit.rows(conn, object=f"case:{case.id}", act="case.simulated")
    assert [row.actor for row in rows] == ["bian", "yiban"]
    detail = rows[0].detail
    assert detail["tried"] == len(first.options)
    assert detail["locked"] == sum(item.locked for item in first.options)
    assert str(detail["results"]).startswith(f"now {first.present.group.status.value}")
    assert detail["policy"] == first.present.group.policy
    lst = case.settlement_list()
    text = str(detail)
    assert lst.get("setlinfo.psn_name") not in text
    assert lst.get("setlinfo.certno") not in text


def _now(desk: Desk, case: cases.CaseRow) -> cases.CaseRow:
    with desk.store.read() as conn:
        found = cases.get_case(conn, case.id)
    assert found is not None
    return found


def test_many_trials_hide_no_act_in_the_way_of_a_list(desk: Desk) -> None:
    case, _ = options(desk)[0]

    def many(conn: Connection) -> None:
        for number in range(600):
            detail = {"what": "fields", "number": number}
            simulations.keep(conn, desk.clock.now(), "bian", f"case:{case.id}", detail)

    desk.store.write(many)
    edits.hold(desk, case.settlement_id, reason="等病理", author="bian")
    steps = trail(desk, case.settlement_id)
    acts = [step.ids["act"] for step in steps if "act" in step.ids]
    assert acts.count("case.simulated") == 1
    assert acts[-1] == "case.held"

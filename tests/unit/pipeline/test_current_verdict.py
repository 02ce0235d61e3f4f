"""Nothing is released or queued on a verdict of other rules, or of another day."""

from __future__ import annotations

from datetime import timedelta

import pytest

from dipgate.config.rules import read_rows, rule_world
from dipgate.core.clock import FixedClock
from dipgate.core.errors import RecordError
from dipgate.core.findings import Fix
from dipgate.pipeline import edits, exchange_stage
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.store import cases, verdicts
from dipgate.validators import compile_pack

DAY = 24 * 3600
STRICT = """id,pack,for_each,when,must,needs,severity,fields,clause,message,remedy,since
X001,strict,case,,given(poscode),,error,poscode,本地约定,邮编未填,补填,2021-01-01
"""


@pytest.fixture
def desk(ward) -> Desk:  # type: ignore[no-untyped-def]
    """A clean month, judged."""
    read_sources(ward.desk)
    map_new_stays(ward.desk)
    judge_new_cases(ward.desk)
    found: Desk = ward.desk
    return found


def first(desk: Desk) -> cases.CaseRow:
    with desk.store.read() as conn:
        return cases.cases_in(conn, limit=1)[0]


def verdict(desk: Desk, case: cases.CaseRow) -> verdicts.Verdict:
    with desk.store.read() as conn:
        found = verdicts.latest(conn, case.id)
    assert found is not None
    return found


def stricter(desk: Desk) -> None:
    """As after an upgrade: another pack holds, which no list of the month can satisfy."""
    pack = compile_pack(read_rows(STRICT, file="strict.csv"), (), rule_world(), "strict")
    edition = desk.reference(desk.today()).edition
    desk._packs[edition] = (*desk.packs(edition), pack)
    desk._versions.clear()


def claim(desk: Desk, case: cases.CaseRow) -> None:
    """A reporting time of tomorrow: wrong today, right tomorrow."""
    tomorrow = (desk.today() + timedelta(days=1)).isoformat()
    edits.correct_all(
        desk,
        case.settlement_id,
        (Fix("set", "setlinfo.dcla_time", tomorrow),),
        revision=case.revision,
        reason="试填",
        author="甲",
    )


def test_a_release_under_new_rules_judges_again_and_keeps_what_it_found(desk: Desk) -> None:
    case = first(desk)
    before = verdict(desk, case)
    stricter(desk)
    with pytest.raises(RecordError, match="还有 1 处错误"):
        edits.release(desk, case.settlement_id, author="甲")
    after = verdict(desk, case)
    assert after.pack_version != before.pack_version
    assert [item.rule for item in after.findings if item.rule == "X001"] == ["X001"]
    with pytest.raises(RecordError, match="还有 1 处错误"):
        edits.release_seen(desk, case.settlement_id, revision=case.revision, author="甲")
    assert edits.release_clean(desk, author="甲") == 0
    assert first(desk).state == "checked"


def test_a_released_list_goes_back_instead_of_into_the_outbox(desk: Desk) -> None:
    released = edits.release_clean(desk, author="甲")
    assert released > 10
    stricter(desk)
    report = exchange_stage.queue_ready(desk)
    assert (report.queued, report.refused) == (0, released)
    assert first(desk).state == "checked"
    assert verdict(desk, first(desk)).errors == 1


def test_the_same_rules_on_the_same_day_judge_nothing_again(desk: Desk, clock: FixedClock) -> None:
    before = verdict(desk, first(desk))
    clock.advance(60)
    edits.release(desk, first(desk).settlement_id, author="甲")
    exchange_stage.queue_ready(desk)
    assert verdict(desk, first(desk)).judged_at == before.judged_at
    assert judge_new_cases(desk).judged == 0


def test_what_was_of_tomorrow_is_released_tomorrow(desk: Desk, clock: FixedClock) -> None:
    claim(desk, first(desk))
    with pytest.raises(RecordError, match="还有 1 处错误"):
        edits.release(desk, first(desk).settlement_id, author="甲")
    clock.advance(DAY)
    assert edits.release(desk, first(desk).settlement_id, author="甲").state == "ready"


def test_the_stage_judges_again_only_what_the_day_decided(desk: Desk, clock: FixedClock) -> None:
    claim(desk, first(desk))
    assert judge_new_cases(desk).judged == 0
    clock.advance(DAY)
    assert judge_new_cases(desk).judged == 1
    assert verdict(desk, first(desk)).errors == 0
    clock.advance(DAY)
    assert judge_new_cases(desk).judged == 0

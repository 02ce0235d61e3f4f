"""Rows of the hospital's map layer: two persons, dated, nothing deleted."""

from __future__ import annotations

from datetime import date

import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import IntegrityError

from dipgate.core.clock import FixedClock
from dipgate.core.errors import RecordError
from dipgate.store import Store, map_proposals
from dipgate.store.map_proposals import NEXT, STATES, Proposal, Wanted
from dipgate.store.map_tables import map_proposals as table

ROW = Wanted("icd10", "I10.x00x999", "某病", "I10.x00", "高血压")


@pytest.fixture
def number(store: Store, clock: FixedClock) -> int:
    return store.write(
        lambda conn: map_proposals.propose(
            conn, ROW, reason="病历如此", author="bian", at=clock.now()
        )
    )


def decide(store: Store, clock: FixedClock, number: int, goal: str, by: str) -> Proposal | None:
    return store.write(
        lambda conn: map_proposals.decide(conn, number, goal, by=by, at=clock.now(), reason="看过")
    )


@pytest.mark.parametrize("goal", ["approved", "rejected"])
@pytest.mark.parametrize("by", ["bian", "BIAN", " bian ", "ｂｉａｎ"])
def test_the_author_decides_nothing(
    store: Store, clock: FixedClock, number: int, goal: str, by: str
) -> None:
    with pytest.raises(RecordError, match="不能自己批准"):
        decide(store, clock, number, goal, by)
    with store.read() as conn:
        held = map_proposals.get(conn, number)
    assert held is not None
    assert held.state == "proposed"


def test_a_second_person_approves_and_it_is_in_force(
    store: Store, clock: FixedClock, number: int
) -> None:
    with store.read() as conn:
        assert map_proposals.in_force(conn) == {"icd10-map": (), "icd9cm3-map": ()}
    done = decide(store, clock, number, "approved", "yiban")
    assert done is not None
    assert (done.state, done.author, done.decided_by) == ("approved", "bian", "yiban")
    with store.read() as conn:
        (entry,) = map_proposals.in_force(conn)["icd10-map"]
    assert (entry.target_code, entry.layer, entry.row) == ("I10.x00", "hospital", number)


def test_every_move_that_the_table_of_states_does_not_know_is_refused(
    store: Store, clock: FixedClock
) -> None:
    for start in STATES:
        for goal in NEXT:
            made = store.write(
                lambda conn: map_proposals.propose(
                    conn, ROW, reason="r", author="a", at=clock.now()
                )
            )
            if start != "proposed":
                assert decide(store, clock, made, start, "b") is not None
            moved = decide(store, clock, made, goal, "c")
            assert (moved is not None) == (start in NEXT[goal]), (start, goal)


def test_withdrawn_keeps_who_approved(store: Store, clock: FixedClock, number: int) -> None:
    decide(store, clock, number, "approved", "yiban")
    done = decide(store, clock, number, "withdrawn", "bian")
    assert done is not None
    assert (done.decided_by, done.ended_by, done.ending) == ("yiban", "bian", "看过")
    with store.read() as conn:
        assert not any(map_proposals.in_force(conn).values())
        assert len(map_proposals.proposals(conn, source_code="I10.x00x999")) == 1


@pytest.mark.parametrize("by", ["", "bian", "Bian"])
def test_the_database_refuses_it_too(store: Store, clock: FixedClock, number: int, by: str) -> None:
    change = update(table).where(table.c.id == number).values(state="approved", decided_by=by)
    with pytest.raises(IntegrityError):
        store.write(lambda conn: conn.execute(change))
    row = {"kind": "icd10", "state": "approved", "source_code": "A", "source_name": "",
           "target_code": "B", "target_name": "", "reason": "", "author": "bian",
           "made_at": clock.now(), "decided_by": by}  # fmt: skip
    with pytest.raises(IntegrityError):
        store.write(lambda conn: conn.execute(insert(table).values(row)))


@pytest.mark.parametrize(
    ("first", "last", "meets"),
    [
        (None, None, True),
        (date(2025, 2, 1), None, False),
        (date(2025, 1, 31), None, True),
        (None, date(2024, 12, 31), False),
        (None, date(2025, 1, 1), True),
    ],
)
def test_rows_of_one_code_meet_by_days(first: date | None, last: date | None, meets: bool) -> None:
    held = Wanted("icd10", "A", "", "B", "", date(2025, 1, 1), date(2025, 1, 31))
    assert held.meets(Wanted("icd10", "A", "", "C", "", first, last)) is meets
    assert not held.meets(Wanted("icd9cm3", "A", "", "C", "", first, last))

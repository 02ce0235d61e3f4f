"""Dated look-ups never give a row outside its days; nobody approves what he proposed."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import create_engine

from dipgate.config.map_rows import on_day, turning_days
from dipgate.core.errors import RecordError
from dipgate.core.reference import MapEntry
from dipgate.core.registry import DESK
from dipgate.store import map_proposals
from dipgate.store.map_proposals import NEXT, Wanted
from dipgate.store.map_tables import map_proposals as table

START = date(2025, 1, 1)
DAYS = st.none() | st.integers(0, 40).map(lambda days: START + timedelta(days=days))
ROWS = st.lists(
    st.builds(
        lambda code, first, last: MapEntry(code, "", "T", "", "hospital", DESK, 1, "", first, last),
        st.sampled_from("AB"),
        DAYS,
        DAYS,
    ),
    max_size=6,
)


@given(ROWS, st.integers(-2, 43))
def test_a_row_is_found_on_its_days_and_on_no_other(rows: list[MapEntry], number: int) -> None:
    day = START + timedelta(days=number)
    found = [row for held in on_day(rows, day).values() for row in held]
    inside = [
        row for row in rows if (row.first_day or date.min) <= day <= (row.last_day or date.max)
    ]
    assert sorted(map(id, found)) == sorted(map(id, inside))


@given(ROWS, st.integers(-2, 43))
def test_between_turning_days_nothing_changes(rows: list[MapEntry], number: int) -> None:
    day = START + timedelta(days=number)
    if day not in set(turning_days(rows)):
        assert on_day(rows, day) == on_day(rows, day - timedelta(days=1))


PEOPLE = st.sampled_from(["bian", "Bian", " bian", "ｂｉａｎ", "yiban", "YIBAN"])
MOVES = st.lists(st.tuples(st.sampled_from(sorted(NEXT)), PEOPLE), max_size=6)


@given(PEOPLE, MOVES)
def test_whatever_is_tried_two_persons_stand_behind_what_holds(
    author: str, moves: list[tuple[str, str]]
) -> None:
    engine = create_engine("sqlite://")
    now = datetime(2025, 6, 16, tzinfo=UTC)
    with engine.begin() as conn:
        table.create(conn)
        wanted = Wanted("icd10", "A", "", "B", "")
        number = map_proposals.propose(conn, wanted, reason="r", author=author, at=now)
        for state, by in moves:
            try:
                map_proposals.decide(conn, number, state, by=by, at=now, reason="r")
            except RecordError:
                assert state != "withdrawn"
            held = map_proposals.get(conn, number)
            assert held is not None
            if held.decided_by:
                assert not map_proposals.same_person(held.author, held.decided_by)
            rows = map_proposals.in_force(conn)["icd10-map"]
            assert bool(rows) == (held.state == "approved")
    engine.dispose()

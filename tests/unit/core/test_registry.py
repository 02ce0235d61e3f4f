"""Entries with days: what the desk says from a day on, and what the imported table says before."""

from __future__ import annotations

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from dipgate.core.registry import RegistryEntry, joined, on_day, overlaps

DAYS = [date(2025, 1, 1) + timedelta(days=number) for number in range(12)]
ends = st.sampled_from([None, *DAYS])


def spans(version: str, role: str = "doctor") -> st.SearchStrategy[list[RegistryEntry]]:
    one = st.builds(
        lambda code, national, first, last, number: RegistryEntry(
            "staff", code, "甲", national, "", role, "", first, last, version, number
        ),
        st.sampled_from("AB"),
        st.sampled_from(("D990100000001", "D990100000002")),
        ends,
        ends,
        st.integers(1, 99),
    )
    sound = one.filter(lambda e: not (e.first_day and e.last_day and e.last_day < e.first_day))
    return st.lists(sound, max_size=5)


@given(spans("v1"), spans("desk"), st.sampled_from(DAYS))
def test_each_day_has_one_speaker_per_code(
    table: list[RegistryEntry], desk: list[RegistryEntry], day: date
) -> None:
    """Said once more, plainly: has the desk begun to speak for the code by that day?"""
    for code in "AB":
        own = [entry for entry in desk if entry.local_code == code]
        begun = any(entry.first_day is None or entry.first_day <= day for entry in own)
        speaker = own if begun else [entry for entry in table if entry.local_code == code]
        expected = {(e.national_code, e.version) for e in speaker if e.holds(day)}
        got = {
            (e.national_code, e.version) for e in on_day(table, desk, day) if e.local_code == code
        }
        assert got == expected


@given(spans("v1"), spans("desk"))
def test_days_that_are_shown_are_the_days_that_hold(
    table: list[RegistryEntry], desk: list[RegistryEntry]
) -> None:
    shown = joined(table, desk)
    for day in DAYS:
        assert [entry for entry in shown if entry.holds(day)] == on_day(table, desk, day)


@given(spans("v1", "nurse"), spans("desk", "doctor"), st.sampled_from(DAYS))
def test_a_nurse_keeps_a_number_that_a_doctor_has_too(
    nurses: list[RegistryEntry], doctors: list[RegistryEntry], day: date
) -> None:
    kept = [entry for entry in on_day(nurses, doctors, day) if entry.role == "nurse"]
    assert kept == [entry for entry in nurses if entry.holds(day)]


def entry(first: date | None, last: date | None) -> RegistryEntry:
    return RegistryEntry("department", "0101", "内科", "A03", first_day=first, last_day=last)


def test_entries_of_one_code_may_touch_but_not_share_a_day() -> None:
    old = entry(None, DAYS[3])
    assert overlaps(entry(DAYS[4], None), [old]) is None
    assert overlaps(entry(DAYS[3], None), [old]) is old
    assert overlaps(entry(None, None), [old]) is old

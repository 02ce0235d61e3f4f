"""The timetable asks at its times, Asia/Shanghai, and tells when it asks next."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest

from dipgate.core.clock import CHINA
from dipgate.service.scheduler import Timetable, is_overdue


@pytest.fixture
def timetable() -> Iterator[Timetable]:
    made = Timetable()
    yield made
    made.stop()


def test_it_asks_and_goes_on_after_an_error(timetable: Timetable) -> None:
    asked = threading.Semaphore(0)

    def ask() -> None:
        asked.release()
        raise ValueError

    entry = timetable._scheduler.add_job(ask, "interval", seconds=0.02)
    timetable._entries["often"] = [entry.id]
    timetable.start()
    assert all(asked.acquire(timeout=5) for _ in range(3))
    assert timetable.alive


def test_the_next_time_is_the_soonest_of_a_job(timetable: Timetable) -> None:
    timetable.daily("pull", "02:10", lambda: None)
    timetable.every("pull", 7, lambda: None)
    timetable.daily("backup", "23:59", lambda: None)
    assert timetable.next_run("pull") is None
    assert not timetable.alive
    timetable.start()
    daily = timetable._scheduler.get_job(timetable._entries["pull"][0]).next_run_time
    often = timetable._scheduler.get_job(timetable._entries["pull"][1]).next_run_time
    assert timetable.next_run("pull") == min(daily, often)
    at = daily.astimezone(CHINA)
    assert (at.hour, at.minute) == (2, 10)
    assert timetable.next_run("nothing") is None


def test_stopping_before_the_start_and_twice_is_harmless() -> None:
    timetable = Timetable()
    timetable.stop()
    timetable.start()
    timetable.stop()
    timetable.stop()
    assert not timetable.alive


def test_a_missed_night_is_known() -> None:
    now = datetime(2025, 6, 16, 12, tzinfo=CHINA)
    day = timedelta(hours=25)
    assert is_overdue(None, now, within=day)
    assert not is_overdue(now - timedelta(hours=10), now, within=day)
    assert not is_overdue(now - day, now, within=day)
    assert is_overdue(now - day - timedelta(seconds=1), now, within=day)

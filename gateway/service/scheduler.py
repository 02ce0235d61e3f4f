"""The timetable: at its times a job is asked to run. APScheduler counts, the workers work."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from apscheduler.executors.debug import DebugExecutor  # type: ignore[import-untyped]
from apscheduler.schedulers.background import (  # type: ignore[import-untyped]
    BackgroundScheduler,
)
from apscheduler.triggers.cron import CronTrigger  # type: ignore[import-untyped]
from apscheduler.triggers.interval import IntervalTrigger  # type: ignore[import-untyped]

from dipgate.core.clock import CHINA


class Timetable:
    """Times at which jobs are asked. One that was missed (sleep, a long pause) is caught up once.

    The scheduler's own thread only asks; it never does the work, so nothing can hold it up.
    """

    def __init__(self) -> None:
        logging.getLogger("apscheduler").setLevel(logging.WARNING)
        self._scheduler = BackgroundScheduler(
            timezone=CHINA,
            executors={"default": DebugExecutor()},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        self._entries: dict[str, list[str]] = {}

    def every(self, name: str, minutes: int, ask: Callable[[], object]) -> None:
        """Ask every so many minutes, the first time after that many."""
        self._add(name, IntervalTrigger(seconds=minutes * 60, timezone=CHINA), ask)

    def daily(self, name: str, at: str, ask: Callable[[], object]) -> None:
        """Ask each day at `HH:MM`, Asia/Shanghai."""
        hour, minute = at.split(":")
        self._add(name, CronTrigger(hour=int(hour), minute=int(minute), timezone=CHINA), ask)

    def _add(self, name: str, trigger: object, ask: Callable[[], object]) -> None:
        entry = self._scheduler.add_job(ask, trigger)
        self._entries.setdefault(name, []).append(entry.id)

    def start(self) -> None:
        self._scheduler.start()

    def stop(self) -> None:
        if self._scheduler.running:
            self._scheduler.shutdown(wait=False)

    @property
    def alive(self) -> bool:
        """Is the scheduler's thread there? (It says `running` also when the thread has died.)"""
        thread = getattr(self._scheduler, "_thread", None)
        return bool(self._scheduler.running and thread is not None and thread.is_alive())

    def next_run(self, name: str) -> datetime | None:
        """When a job is asked next; None before the start, and for a job without times."""
        found = [
            entry.next_run_time
            for entry in map(self._scheduler.get_job, self._entries.get(name, []))
            if entry is not None and getattr(entry, "next_run_time", None) is not None
        ]
        return min(found, default=None)


def is_overdue(last: datetime | None, now: datetime, *, within: timedelta) -> bool:
    """Was a nightly job missed, because the process was not there at its time?"""
    return last is None or now - last > within

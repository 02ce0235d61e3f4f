"""A thread that runs one job whenever it is asked to, and never dies unseen.

What a job may raise is known: the five kinds of error. They are noted, shown on the health page,
and the job runs again. Anything that leaves the thread is reported to the supervisor, who ends
the process: a living process with a dead worker is the worst state.
"""

from __future__ import annotations

import logging
import threading
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from dipgate.core.clock import Clock
from dipgate.core.errors import DipgateError, RetryLater
from dipgate.core.events import LogEvent
from dipgate.core.progress import Progress
from dipgate.security.eventlog import log
from dipgate.store import StaleOwner
from dipgate.web.context import JobState, JobStatus

_SHOWN_AFTER = timedelta(seconds=1)
_PLACES = 8
"""Stack frames that a report names, the innermost."""


class Stopped(Exception):
    """The process is to end; the job leaves at the next point where nothing is half done."""


@dataclass(frozen=True, slots=True)
class Done:
    """How one run of a job ended well. `detail` is one Chinese sentence without personal data."""

    detail: str = ""
    again: float | None = None
    """Seconds after which the job runs again by itself; None: when it is asked."""


@dataclass(frozen=True, slots=True)
class Death:
    """An exception that left a worker: its type and places, never its text (it may quote data)."""

    worker: str
    at: datetime
    error: str
    places: tuple[str, ...]


def death_of(worker: str, at: datetime, error: BaseException) -> Death:
    """The report of an exception."""
    frames = traceback.extract_tb(error.__traceback__)[-_PLACES:]
    places = tuple(f"{Path(item.filename).name}:{item.lineno} {item.name}" for item in frames)
    return Death(worker, at, type(error).__name__, places)


class Pulse:
    """What a running job may ask: is it to stop, is it called again, wait a while."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._stopping = False
        self._asked = False
        self.said = ""
        """What the job is doing now, in a Chinese sentence, for the health page."""

    @property
    def stopping(self) -> bool:
        return self._stopping

    @property
    def interrupted(self) -> bool:
        """Is the job to stop, or asked to begin anew?"""
        return self._stopping or self._asked

    def ask(self) -> None:
        with self._changed:
            self._asked = True
            self._changed.notify_all()

    def stop(self) -> None:
        with self._changed:
            self._stopping = True
            self._changed.notify_all()

    def wait(self, seconds: float | None) -> None:
        """Wait; shorter when the job is asked to begin anew or to stop. None: until then."""
        with self._changed:
            self._changed.wait_for(lambda: self._stopping or self._asked, seconds)

    def begin(self) -> None:
        """The call is heard."""
        with self._changed:
            self._asked = False
            self.said = ""

    def stage(self, label: str) -> Progress:
        """For a stage that tells how far it is. Its progress raises Stopped when we are to end."""
        self.said = f"正在{label}"

        def progress(done: int, total: int | None) -> None:
            if self._stopping:
                raise Stopped
            self.said = f"正在{label}：{done:,}" + (f" / {total:,}" if total else "")

        return progress


Work = Callable[[Pulse], Done]


class Worker:
    """One job and its thread.

    `strict`: an exception that is none of the five kinds leaves the thread. Without it such an
    exception is logged and the job waits for its next run: for jobs that one odd record of a
    source could trip, so that the pages stay up. A stale owner always leaves.
    """

    def __init__(
        self,
        name: str,
        label: str,
        work: Work,
        clock: Clock,
        on_death: Callable[[Death], None],
        *,
        strict: bool,
        retry_seconds: float | None,
        last_succeeded: datetime | None = None,
        off: str = "",
    ) -> None:
        """`retry_seconds`: after a failure; None: the job waits until it is asked. `off`: why the
        job does not run at all (one Chinese sentence); its thread is then never started."""
        self.name = name
        self.label = label
        self.off = off
        self._work = work
        self._clock = clock
        self._on_death = on_death
        self._strict = strict
        self._retry = retry_seconds
        self._pulse = Pulse()
        self._state: JobState = "off" if off else "waiting"
        self._detail = off
        self._last_started: datetime | None = None
        self._last_succeeded = last_succeeded
        self._due: datetime | None = None
        self._thread = threading.Thread(target=self._run, name=f"dipgate-{name}", daemon=True)

    def start(self) -> None:
        if not self.off:
            self._thread.start()

    def ask(self) -> bool:
        """Run as soon as possible; False when the job is off."""
        if self.off:
            return False
        self._pulse.ask()
        return True

    def stop(self) -> None:
        self._pulse.stop()

    def join(self, seconds: float) -> bool:
        """Wait for the thread to end; has it?"""
        if self._thread.is_alive():
            self._thread.join(seconds)
        return not self._thread.is_alive()

    @property
    def alive(self) -> bool:
        return bool(self.off) or self._thread.is_alive()

    def status(self, next_run: datetime | None = None) -> JobStatus:
        """As the health page shows it; `next_run` by the timetable."""
        planned = [at for at in (next_run, self._due) if at is not None]
        state, detail, started = self._state, self._detail, self._last_started
        if state == "running":
            # The sender looks again and again; only what lasts is shown as running.
            lasts = started is not None and self._clock.now() - started >= _SHOWN_AFTER
            if self._strict and not lasts:
                state = "waiting"
            else:
                detail = self._pulse.said
        return JobStatus(
            name=self.name,
            label=self.label,
            state=state,
            last_started=started,
            last_succeeded=self._last_succeeded,
            next_run=None if self.off or not planned else min(planned),
            detail=detail,
        )

    def _run(self) -> None:
        again: float | None = None
        try:
            while True:
                self._pulse.wait(again)
                if self._pulse.stopping:
                    return
                self._pulse.begin()
                again = self._once()
        except Stopped:
            return
        except BaseException as error:
            if self._pulse.stopping:
                # The store may be closed already; what was not committed is done anew.
                return
            self._state, self._detail = "failed", "程序出错，进程即将结束"
            self._on_death(death_of(self.name, self._clock.now(), error))

    def _once(self) -> float | None:
        """One run; seconds until the next one by itself."""
        self._last_started, self._due = self._clock.now(), None
        self._state = "running"
        began = time.monotonic()
        try:
            done = self._work(self._pulse)
        except (Stopped, StaleOwner):
            raise
        except RetryLater as error:
            self._ended("waiting", f"没有做完：{error}")
            return self._later(self._retry)
        except DipgateError as error:
            self._ended("failed", str(error))
            log(
                LogEvent.JOB_FAILED,
                level=logging.WARNING,
                job=self.name,
                error=type(error).__name__,
            )
            return self._later(self._retry)
        except Exception as error:
            if self._strict or self._pulse.stopping:
                raise
            death = death_of(self.name, self._clock.now(), error)
            log(
                LogEvent.JOB_CRASHED,
                level=logging.ERROR,
                job=self.name,
                error=death.error,
                places=">".join(death.places),
            )
            self._ended("failed", "程序出错，位置已记入日志")
            return self._later(self._retry)
        self._last_succeeded = self._clock.now()
        self._ended("waiting", done.detail)
        seconds = round(time.monotonic() - began, 1)
        log(LogEvent.JOB_DONE, level=logging.DEBUG, job=self.name, seconds=seconds)
        return self._later(done.again)

    def _ended(self, state: JobState, detail: str) -> None:
        self._state, self._detail = state, detail

    def _later(self, seconds: float | None) -> float | None:
        if seconds is not None:
            self._due = self._clock.now() + timedelta(seconds=seconds)
        return seconds

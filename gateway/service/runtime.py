"""What runs beside the pages: intake, sender, results, comparison, backup; watched all the time.

One process holds them all. A worker that dies, a scheduler that dies, a store that cannot write
any more: each ends the process with exit code 70 and a report, and the service manager starts it
again. What was on its way to the platform is asked about then, never sent twice.
"""

from __future__ import annotations

import logging
import platform
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from types import TracebackType

from dipgate.core.clock import CHINA, wire_time
from dipgate.core.events import LogEvent
from dipgate.pipeline.desk import Desk
from dipgate.security.eventlog import log
from dipgate.service import jobs
from dipgate.service.scheduler import Timetable, is_overdue
from dipgate.service.sender import RETRY_SECONDS, SendJob
from dipgate.service.worker import Death, Worker
from dipgate.store import vitals
from dipgate.web.context import JobStatus

EXIT_DEAD_WORKER = 70
"""Of the process, when something in it died; EX_SOFTWARE of sysexits.h."""
REPORTS = "reports"
STOP_SECONDS = 5.0
"""How long jobs under way may take to come to a safe point when the process stops."""
_WATCH_SECONDS = 1.0
_PULL_AGAIN = 15 * 60.0
_INTAKE_AGAIN = 60.0
_DAY = timedelta(hours=25)


class Runtime:
    """The jobs of one opened desk, as the health page sees them (`RuntimeStatus`).

    `start` begins, `stop` ends them within seconds. `death` says what died; the process must end
    with `exit_code` then.
    """

    def __init__(self, desk: Desk, *, version: str = "") -> None:
        self._desk = desk
        self._version = version
        self._started_at: datetime | None = None
        self._on_death: Callable[[], object] = lambda: None
        self._death: Death | None = None
        self._dying = threading.Lock()
        self._stopping = threading.Event()
        self._timetable = Timetable()
        self._send = SendJob(desk)
        self._workers = {worker.name: worker for worker in self._make_workers()}
        self._plan()
        self._watcher = threading.Thread(target=self._watch, name="dipgate-watch", daemon=True)

    # the health page

    @property
    def started_at(self) -> datetime | None:
        return self._started_at

    def jobs(self) -> tuple[JobStatus, ...]:
        return tuple(
            worker.status(self._timetable.next_run(name)) for name, worker in self._workers.items()
        )

    def ask_soon(self, name: str) -> bool:
        """Ask for a job to run as soon as it can; False when there is no such job, or it is off."""
        worker = self._workers.get(name)
        return worker is not None and worker.ask()

    # the process

    @property
    def death(self) -> Death | None:
        return self._death

    @property
    def exit_code(self) -> int:
        return 0 if self._death is None else EXIT_DEAD_WORKER

    def start(self, on_death: Callable[[], object] = lambda: None) -> None:
        """Begin. `on_death` is called once, from another thread, when something has died."""
        self._on_death = on_death
        self._started_at = self._desk.clock.now()
        self._timetable.start()
        for worker in self._workers.values():
            worker.start()
        self._watcher.start()
        self.ask_soon("intake")
        self.ask_soon("sender")
        self.ask_soon("codes")
        for name in self._missed():
            self.ask_soon(name)

    def stop(self) -> bool:
        """End all jobs at their next safe point; False when one of them did not come to it.

        Nothing is lost then either: what was not committed is done anew at the next start, and
        a list that was just being sent is asked about first.
        """
        self._stopping.set()
        self._timetable.stop()
        for worker in self._workers.values():
            worker.stop()
        until = time.monotonic() + STOP_SECONDS
        ended = [
            worker.name
            for worker in self._workers.values()
            if worker.join(max(0.0, until - time.monotonic()))
        ]
        if len(ended) == len(self._workers):
            self._send.close()
            return True
        late = sorted(set(self._workers) - set(ended))
        log(LogEvent.STOP_LATE, level=logging.WARNING, jobs=tuple(late))
        return False

    def __enter__(self) -> Runtime:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    # what there is to do, and when

    def _make_workers(self) -> tuple[Worker, ...]:
        desk, clock = self._desk, self._desk.clock
        mode = desk.site.platform.mode
        with desk.store.read() as conn:
            pulled = vitals.last_act(conn, "result.pulled")
            compared = vitals.last_act(conn, "reconciliation.made")
            copied = vitals.last_act(conn, "store.backed_up")
        loose = partial(Worker, clock=clock, on_death=self._died, strict=False)
        not_live = "" if mode == "live" else "没有正式上传，没有结果可取"
        no_backup = "" if desk.site.schedule.backup_at else "没有设自动备份（schedule.backup_at）"
        pull = jobs.Pull(desk, lambda: self.ask_soon("reconcile"))
        return (
            loose("intake", "读取和检查", partial(jobs.take_in, desk), retry_seconds=_INTAKE_AGAIN),
            loose(
                "codes",
                "准备编码查找",
                partial(jobs.prepare_codes, desk),
                retry_seconds=_INTAKE_AGAIN,
            ),
            Worker(
                "sender",
                "上传",
                self._send,
                clock,
                self._died,
                strict=True,
                retry_seconds=RETRY_SECONDS,
                off="只看方式，不上传" if mode == "observe" else "",
            ),
            loose(
                "pull",
                "取回结果",
                pull,
                retry_seconds=_PULL_AGAIN,
                last_succeeded=pulled,
                off=not_live,
            ),
            loose(
                "reconcile",
                "对账",
                partial(jobs.compare, desk),
                retry_seconds=None,
                last_succeeded=compared,
                off=not_live,
            ),
            loose(
                "backup",
                "自动备份",
                partial(jobs.copy_database, desk),
                retry_seconds=_PULL_AGAIN,
                last_succeeded=copied,
                off=no_backup,
            ),
        )

    def _plan(self) -> None:
        schedule = self._desk.site.schedule
        self._timetable.every("intake", schedule.intake_minutes, self._asking("intake"))
        if not self._workers["pull"].off:
            self._timetable.daily("pull", schedule.pull_at, self._asking("pull"))
            if schedule.pull_minutes is not None:
                self._timetable.every("pull", schedule.pull_minutes, self._asking("pull"))
        if schedule.backup_at is not None:
            self._timetable.daily("backup", schedule.backup_at, self._asking("backup"))

    def _asking(self, name: str) -> Callable[[], object]:
        return self._workers[name].ask

    def _missed(self) -> tuple[str, ...]:
        """Nightly jobs whose time passed while no process was there."""
        now = self._desk.clock.now()
        return tuple(
            name
            for name in ("pull", "backup")
            if is_overdue(self._workers[name].status().last_succeeded, now, within=_DAY)
        )

    # when something dies

    def _watch(self) -> None:
        while not self._stopping.wait(_WATCH_SECONDS):
            dead = self._dead_part()
            if dead and not self._stopping.is_set():
                self._died(Death(dead, self._desk.clock.now(), "NotRunning", ()))
                return

    def _dead_part(self) -> str:
        if not self._desk.store.alive:
            return "store"
        if not self._timetable.alive:
            return "scheduler"
        return next((w.name for w in self._workers.values() if not w.alive), "")

    def _died(self, death: Death) -> None:
        with self._dying:
            if self._death is not None or self._stopping.is_set():
                return
            self._death = death
        log(
            LogEvent.WORKER_DIED,
            level=logging.CRITICAL,
            job=death.worker,
            error=death.error,
            places=">".join(death.places),
        )
        _write_report(self._desk.store.state, death, self._version)
        self._on_death()


def _write_report(state: Path, death: Death, version: str) -> None:
    """What died, where and when, as a small text file for whoever looks after the program."""
    lines = [
        f"time: {wire_time(death.at)}",
        f"worker: {death.worker}",
        f"error: {death.error}",
        *(f"at: {place}" for place in death.places),
        f"dipgate: {version}",
        f"python: {platform.python_version()} {platform.system()} {platform.machine()}",
    ]
    stamp = f"{death.at.astimezone(CHINA):%Y%m%d-%H%M%S}"
    try:
        folder = state / REPORTS
        folder.mkdir(exist_ok=True)
        (folder / f"{stamp}-{death.worker}.txt").write_text(
            "\n".join(lines) + "\n", encoding="utf-8"
        )
    except OSError as error:
        log(LogEvent.REPORT_LOST, level=logging.ERROR, error=type(error).__name__)

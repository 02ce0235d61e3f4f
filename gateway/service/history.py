"""`dipgate intake --history` at work: its own store, lock, processes and pace beside `serve`.

It is a process of its own with a store of its own, so live work never waits for its transactions.
What it does is told in a small file that another process reads; another file asks it to end.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import msgspec

from dipgate.core.clock import Clock
from dipgate.core.errors import ConfigError
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.history import HistoryEnded, HistoryReport, Step, Wanted, take_history
from dipgate.pipeline.history_card import Card, write_card
from dipgate.pipeline.history_load import load_stays
from dipgate.security.eventlog import LogFile
from dipgate.service.clock import SystemClock
from dipgate.service.wiring import open_desk, owner_name
from dipgate.store import Store, history, inbox, open_store
from dipgate.store.history import Loaded
from dipgate.store.lock import StateLock

STOP = "stop"
GENTLE = 10
"""How far below live work the operating system puts us (`nice`)."""
_TELL_SECONDS = 1.0
_WAIT_SECONDS = 0.5


@contextmanager
def past_desk(
    state: Path, site_file: Path, *, read_only: bool = False, clock: Clock | None = None
) -> Iterator[tuple[Desk, Store]]:
    """A desk on the store of past months, and the live store, which is only read.

    Raises ConfigError when another run holds the past months, or there are none to read.
    """
    clock = clock or SystemClock()
    with open_desk(state, site_file, read_only=True, clock=clock) as live:
        past = open_store(
            history.folder(state),
            clock,
            owner=f"{owner_name()}，历史",
            hospital_code=live.site.hospital.code or None,
            read_only=read_only,
            past=True,
        )
        with past:
            yield replace(live, store=past, home=state), live.store


class Here:
    """Maps and judges in this process."""

    workers = 0

    def __init__(self, desk: Desk, live: Store) -> None:
        self._desk = desk
        self._live = live

    def submit(self, source: str, stays: Sequence[inbox.Stay]) -> Future[Loaded]:
        done: Future[Loaded] = Future()
        done.set_result(_load(self._desk, self._live, source, stays))
        return done


class Processes:
    """Maps and judges in processes of their own, which end when this one does, however it ends."""

    def __init__(self, state: Path, site_file: Path, workers: int, clock: Clock) -> None:
        self.workers = workers
        self._pool = ProcessPoolExecutor(
            workers,
            mp_context=multiprocessing.get_context("spawn"),
            initializer=_begin,
            initargs=(state, site_file, clock),
        )
        # They read catalogues and compile rules while the sources are read.
        for _ in range(workers):
            self._pool.submit(os.getpid)

    def submit(self, source: str, stays: Sequence[inbox.Stay]) -> Future[Loaded]:
        return self._pool.submit(_load_here, source, stays)

    def close(self) -> None:
        self._pool.shutdown(cancel_futures=True)


_opened: list[tuple[Desk, Store]] = []
"""Of a worker process: its desk and the live store, opened once."""


def _begin(state: Path, site_file: Path, clock: Clock) -> None:
    _be_gentle()
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    desk = past_desk(state, site_file, read_only=True, clock=clock)
    _opened.append(desk.__enter__())


def _end_with(sentinel: int) -> None:
    from multiprocessing.connection import wait

    wait([sentinel])
    os._exit(1)


def _load_here(source: str, stays: Sequence[inbox.Stay]) -> Loaded:
    desk, live = _opened[0]
    return _load(desk, live, source, stays)


def _load(desk: Desk, live: Store, source: str, stays: Sequence[inbox.Stay]) -> Loaded:
    spec = next(spec for spec in desk.site.source_specs() if spec.name == source)
    with desk.store.read() as past, live.read() as ours:
        return load_stays(desk, past, ours, spec, stays)


@dataclass
class _Phase:
    name: str = ""
    began: float = 0.0
    done_before: int = 0


class Teller:
    """Writes the card, keeps the pace, and hears that it is to end."""

    def __init__(
        self,
        folder: Path,
        clock: Clock,
        *,
        per_minute: int | None,
        show: Callable[[Card], None],
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self._folder = folder
        self._clock = clock
        self._most = per_minute
        self._show = show
        self._wait = wait
        self._phase = _Phase()
        self._told = 0.0
        self._started_at = clock.now()
        self.card: Card | None = None
        (folder / STOP).unlink(missing_ok=True)

    def __call__(self, step: Step) -> None:
        """Raises HistoryEnded when a person asked for the end."""
        now = time.monotonic()
        if self._phase.name != f"{step.phase} {step.source}":
            self._phase = _Phase(f"{step.phase} {step.source}", self._told or now, 0)
        self._tell(step)
        self._keep_pace(step, now)
        if (self._folder / STOP).exists():
            raise HistoryEnded

    def end(self, how: str) -> None:
        """The last word of a run: `done`, `stopped` or `failed`."""
        if self.card is not None:
            write_card(
                self._folder, msgspec.structs.replace(self.card, ended=how, at=self._clock.now())
            )

    def _keep_pace(self, step: Step, now: float) -> None:
        if self._most is None or step.phase != "judge":
            return
        due = self._phase.began + step.done * 60 / self._most
        if now < due and self.card is not None:
            write_card(self._folder, self.card)
        while now < due and not (self._folder / STOP).exists():
            self._wait(min(_WAIT_SECONDS, due - now))
            now = time.monotonic()

    def _tell(self, step: Step) -> None:
        now = time.monotonic()
        spent = max(now - self._phase.began, 1e-3)
        rate = step.done / spent
        left = None
        if step.total is not None and rate > 0:
            left = round((step.total - step.done) / rate)
        self.card = Card(
            step.phase,
            step.source,
            step.month,
            step.done,
            step.total,
            round(rate * 60),
            left,
            self._started_at,
            self._clock.now(),
            os.getpid(),
        )
        if now - self._told >= _TELL_SECONDS or step.done == step.total:
            write_card(self._folder, self.card)
            self._show(self.card)
            self._told = now


def run_history(
    state: Path,
    site_file: Path,
    wanted: Wanted,
    *,
    jobs: int,
    per_minute: int | None,
    show: Callable[[Card], None],
    clock: Clock | None = None,
) -> tuple[HistoryReport, bool]:
    """One run; what it did, and whether it came to the end. Raises ConfigError."""
    clock = clock or SystemClock()
    with past_desk(state, site_file, clock=clock) as (desk, live), _log_of(state, desk):
        teller = Teller(history.folder(state), clock, per_minute=per_minute, show=show)
        pool = Processes(state, site_file, jobs, clock) if jobs > 1 else None
        _be_gentle()
        how = "failed"
        try:
            report = take_history(desk, wanted, pool or Here(desk, live), teller)
            how = "done"
            return report, True
        except HistoryEnded:
            how = "stopped"
            return HistoryReport(), False
        except KeyboardInterrupt:
            how = "stopped"
            raise
        finally:
            teller.end(how)
            if pool is not None:
                pool.close()


def is_running(state: Path, clock: Clock) -> bool:
    """Does a process hold the past months now?"""
    folder = history.folder(state)
    if not folder.is_dir():
        return False
    try:
        StateLock(folder, owner_name(), clock.now()).release()
    except ConfigError:
        return True
    return False


def ask_to_end(state: Path) -> None:
    """The running process ends after the step it is at."""
    (history.folder(state) / STOP).touch()


def _log_of(state: Path, desk: Desk) -> LogFile:
    """A log of its own: the live one belongs to the process that serves."""
    site = desk.site.log
    return LogFile(history.folder(state), megabytes=site.megabytes, files=site.files)


def _be_gentle() -> None:
    with suppress(OSError, AttributeError):
        os.nice(max(0, GENTLE - os.nice(0)))

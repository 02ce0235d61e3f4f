"""A worker runs when asked, survives what it knows, and never dies unseen."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from time import monotonic

import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, RetryLater
from dipgate.service.worker import Death, Done, Pulse, Work, Worker
from dipgate.store import StaleOwner

LIMIT = 5.0


def until(true: Callable[[], bool]) -> None:
    """Wait for a condition, with a limit."""
    limit, pause = monotonic() + LIMIT, threading.Event()
    while not true():
        assert monotonic() < limit, "did not happen in time"
        pause.wait(0.005)


class Rig:
    """Makes workers and ends them."""

    def __init__(self, clock: FixedClock) -> None:
        self.clock = clock
        self.deaths: list[Death] = []
        self.workers: list[Worker] = []

    def worker(
        self, work: Work, *, strict: bool = True, retry: float | None = None, off: str = ""
    ) -> Worker:
        made = Worker(
            "sender",
            "上传",
            work,
            self.clock,
            self.deaths.append,
            strict=strict,
            retry_seconds=retry,
            off=off,
        )
        self.workers.append(made)
        made.start()
        return made


@pytest.fixture
def rig(clock: FixedClock) -> Iterator[Rig]:
    made = Rig(clock)
    yield made
    for worker in made.workers:
        worker.stop()
        assert worker.join(LIMIT)


def test_it_runs_once_per_call_and_says_what_it_did(rig: Rig) -> None:
    runs: list[int] = []

    def work(_pulse: Pulse) -> Done:
        runs.append(1)
        return Done(f"第 {len(runs)} 次")

    worker = rig.worker(work)
    assert worker.status().state == "waiting"
    assert worker.status().last_started is None
    for number in (1, 2):
        assert worker.ask()
        until(lambda number=number: worker.status().detail == f"第 {number} 次")  # type: ignore[misc]
    status = worker.status()
    assert status.last_succeeded == status.last_started == rig.clock.now()
    assert status.next_run is None
    assert len(runs) == 2


def test_calls_during_a_run_make_one_more_run(rig: Rig) -> None:
    gate, runs = threading.Event(), []

    def work(_pulse: Pulse) -> Done:
        runs.append(1)
        gate.wait(LIMIT)
        return Done()

    worker = rig.worker(work)
    worker.ask()
    until(lambda: len(runs) == 1)
    for _ in range(5):
        worker.ask()
    gate.set()
    until(lambda: len(runs) == 2)
    worker.stop()
    assert worker.join(LIMIT)
    assert len(runs) == 2


def test_it_comes_back_by_itself_when_the_work_says_so(rig: Rig) -> None:
    runs: list[int] = []

    def work(_pulse: Pulse) -> Done:
        runs.append(1)
        return Done(again=0.0 if len(runs) < 3 else None)

    rig.worker(work).ask()
    until(lambda: len(runs) == 3)


@pytest.mark.parametrize(
    ("error", "state"),
    [(RetryLater("平台没有答复"), "waiting"), (ConfigError("没有平台密钥"), "failed")],
)
def test_a_known_error_is_shown_and_tried_again(rig: Rig, error: Exception, state: str) -> None:
    runs: list[int] = []

    def work(_pulse: Pulse) -> Done:
        runs.append(1)
        if len(runs) == 1:
            raise error
        return Done("好了")

    worker = rig.worker(work, retry=60.0)
    worker.ask()
    until(lambda: worker.status().detail != "")
    status = worker.status()
    assert status.state == state
    assert str(error) in status.detail
    assert status.last_succeeded is None
    assert status.next_run is not None
    assert (status.next_run - rig.clock.now()).total_seconds() == 60
    worker.ask()
    until(lambda: worker.status().detail == "好了")
    assert worker.status().state == "waiting"
    assert rig.deaths == []


def raising(error: BaseException) -> Work:
    def work(_pulse: Pulse) -> Done:
        raise error

    return work


def test_an_unknown_exception_leaves_a_strict_worker_and_is_reported_without_its_text(
    rig: Rig,
) -> None:
    worker = rig.worker(raising(KeyError("张三 的证件")))
    worker.ask()
    until(lambda: not worker.alive)
    (death,) = rig.deaths
    assert (death.worker, death.error, death.at) == ("sender", "KeyError", rig.clock.now())
    assert any("test_worker.py" in place for place in death.places)
    assert "张三" not in repr(death)
    assert worker.status().state == "failed"


def test_a_loose_worker_survives_it_but_never_another_owner(rig: Rig) -> None:
    worker = rig.worker(raising(ValueError("x")), strict=False)
    worker.ask()
    until(lambda: worker.status().state == "failed")
    assert worker.alive
    assert rig.deaths == []
    stale = rig.worker(raising(StaleOwner()), strict=False)
    stale.ask()
    until(lambda: not stale.alive)
    assert rig.deaths[0].error == "StaleOwner"


def test_even_a_loose_worker_does_not_swallow_an_exit(rig: Rig) -> None:
    rig.worker(raising(SystemExit(3)), strict=False).ask()
    until(lambda: bool(rig.deaths))
    assert rig.deaths[0].error == "SystemExit"


def test_stopping_cuts_a_wait_and_a_stage_short(rig: Rig) -> None:
    begun = threading.Event()

    def waits(pulse: Pulse) -> Done:
        begun.set()
        pulse.wait(3600)
        assert pulse.stopping
        return Done()

    def stages(pulse: Pulse) -> Done:
        progress = pulse.stage("映射")
        while True:
            progress(1, None)

    for work in (waits, stages):
        worker = rig.worker(work)
        worker.ask()
        begun.wait(LIMIT)
        worker.stop()
        assert worker.join(LIMIT)
    assert rig.deaths == []


def test_what_fails_because_the_store_closes_is_no_death(rig: Rig) -> None:
    begun, closed = threading.Event(), threading.Event()

    def work(_pulse: Pulse) -> Done:
        begun.set()
        closed.wait(LIMIT)
        raise RuntimeError("store closed")

    worker = rig.worker(work)
    worker.ask()
    begun.wait(LIMIT)
    worker.stop()
    closed.set()
    assert worker.join(LIMIT)
    assert rig.deaths == []


def test_only_work_that_lasts_is_shown_as_running(rig: Rig) -> None:
    begun, go = threading.Event(), threading.Event()

    def work(pulse: Pulse) -> Done:
        pulse.stage("映射")(1200, 3000)
        begun.set()
        go.wait(LIMIT)
        return Done("映射完了")

    worker = rig.worker(work)
    worker.ask()
    begun.wait(LIMIT)
    assert worker.status().state == "waiting"
    rig.clock.advance(2)
    assert worker.status().state == "running"
    assert worker.status().detail == "正在映射：1,200 / 3,000"
    go.set()
    until(lambda: worker.status().detail == "映射完了")


def test_a_job_that_is_off_says_why_and_cannot_be_asked(rig: Rig) -> None:
    worker = rig.worker(raising(ValueError()), off="只看方式，不上传")
    assert not worker.ask()
    assert worker.alive
    assert worker.status().state == "off"
    assert worker.status().detail == "只看方式，不上传"

"""The one writing thread: callers hand it closures, it commits what is queued together.

One commit for up to 64 closures; each closure has a savepoint of its own, so one failure undoes
only itself. A caller gets its result after the commit, never before.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError

from dipgate.core.errors import ConfigError
from dipgate.store.database import FILE_NAME, StoreUnavailable, translated

T = TypeVar("T")
GROUP = 64
"""Most closures that share one commit."""


class _Job(Generic[T]):
    __slots__ = ("done", "error", "fn", "value")

    def __init__(self, fn: Callable[[Connection], T]) -> None:
        self.fn = fn
        self.done: Future[T] = Future()
        self.value: T | None = None
        self.error: BaseException | None = None

    def settle(self, failure: BaseException | None = None) -> None:
        error = self.error or failure
        if error is not None:
            self.done.set_exception(error)
        else:
            self.done.set_result(self.value)  # type: ignore[arg-type]


class _Undo(Exception):
    """Rolls the only closure of a group back."""


class Writer:
    """Owns the writing connection from start to stop.

    `guard` runs first in every commit; `settle` after each closure, as part of it.
    """

    def __init__(
        self,
        engine: Engine,
        guard: Callable[[Connection], None],
        settle: Callable[[Connection], object] = lambda _: None,
    ) -> None:
        self._engine = engine
        self._guard = guard
        self._settle = settle
        self._jobs: SimpleQueue[_Job[Any] | None] = SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._dead: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="dipgate-store", daemon=True)
        self._thread.start()

    def write(self, fn: Callable[[Connection], T]) -> T:
        """Run `fn` in the writing thread; return its value once it is committed."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("store.write called inside store.write: use the connection given")
        job = _Job(fn)
        with self._gate:
            if self._closed or self._dead is not None:
                raise ConfigError("数据库已关闭，不能再写入") from self._dead
            self._jobs.put(job)
        try:
            return job.done.result()
        finally:
            del job

    @property
    def alive(self) -> bool:
        """False once the thread has died of an error; closing is no death."""
        return self._dead is None

    def close(self) -> None:
        """Finish what is queued, then stop."""
        with self._gate:
            if self._closed:
                return
            self._closed = True
            self._jobs.put(None)
        self._thread.join()

    def _run(self) -> None:
        jobs: list[_Job[Any]] = []
        try:
            with self._engine.connect() as conn:
                running = True
                while running:
                    jobs, running = self._take()
                    if jobs:
                        self._commit(conn, jobs)
                    jobs = []
        except BaseException as error:
            with self._gate:
                self._dead = error
            for job in [*jobs, *self._rest()]:
                if not job.done.done():
                    job.done.set_exception(error)

    def _take(self) -> tuple[list[_Job[Any]], bool]:
        first = self._jobs.get()
        if first is None:
            return [], False
        jobs = [first]
        while len(jobs) < GROUP:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                break
            if job is None:
                return jobs, False
            jobs.append(job)
        return jobs, True

    def _rest(self) -> list[_Job[Any]]:
        rest: list[_Job[Any]] = []
        while True:
            try:
                job = self._jobs.get_nowait()
            except Empty:
                return rest
            if job is not None:
                rest.append(job)

    def _commit(self, conn: Connection, jobs: list[_Job[Any]]) -> None:
        failure: BaseException | None = None
        try:
            with conn.begin():
                self._guard(conn)
                if len(jobs) == 1:
                    self._alone(conn, jobs[0])
                else:
                    for job in jobs:
                        self._together(conn, job)
        except _Undo:
            pass
        except OperationalError as error:
            failure = translated(error) or error
            failure.__cause__ = error if failure is not error else None
        except BaseException as error:
            failure = error
        for job in jobs:
            job.settle(failure)

    def _alone(self, conn: Connection, job: _Job[Any]) -> None:
        try:
            job.value = job.fn(conn)
            self._settle(conn)
        except OperationalError:
            raise
        except BaseException as error:
            job.error = error
            raise _Undo from None
        _refuse_lost_transaction(conn)

    def _together(self, conn: Connection, job: _Job[Any]) -> None:
        point = conn.begin_nested()
        try:
            job.value = job.fn(conn)
            self._settle(conn)
        except BaseException as error:
            if isinstance(error, OperationalError) and translated(error) is not None:
                # A full or failing disk ends the whole transaction: nobody in it was stored.
                raise
            _refuse_lost_transaction(conn)
            job.error = error
            point.rollback()
        else:
            _refuse_lost_transaction(conn)
            point.commit()


def _refuse_lost_transaction(conn: Connection) -> None:
    """SQLite drops the transaction on a full disk; going on would commit row by row."""
    raw = conn.connection.dbapi_connection
    if not getattr(raw, "in_transaction", True):
        raise StoreUnavailable("写入中断（磁盘满或读写失败），没有写入；请检查磁盘", path=FILE_NAME)

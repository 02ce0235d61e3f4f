"""Whole years: a case file of any size grouped and priced, in one process or many, or on Spark."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from dipgate import __version__
from dipgate.core.errors import ConfigError
from dipgate.core.grouping import GroupResult, ScoreResult
from dipgate.core.progress import Progress, silent
from dipgate.pipeline.bulk_group_book import Book, BookNames
from dipgate.pipeline.bulk_group_ids import SeenIds
from dipgate.pipeline.bulk_group_place import check_place
from dipgate.pipeline.bulk_group_pool import Orders, work_here, work_in_processes
from dipgate.pipeline.bulk_group_read import Chunk, Position, Source, open_source
from dipgate.pipeline.bulk_group_work import Aside, Done, Form, Totals, counted
from dipgate.pipeline.bulk_group_write import (
    FileSink,
    Sink,
    StreamSink,
    files_beside,
    form_of,
    job_of,
)

Results = Generator[tuple[Chunk, Done], None, None]


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be grouped, with what, and how. `out` None: JSON Lines to `write`."""

    file: Path
    names: BookNames
    out: Path | None = None
    trace: bool = False
    processes: int = 1
    engine: str = "process"
    encoding: str | None = None
    fast: bool = False


@dataclass(frozen=True, slots=True)
class Pace:
    """How far a run is: cases so far, part of the file (0–1), cases per second, seconds left."""

    cases: int
    part: float
    rate: float
    left: float | None


class Teller(Protocol):
    """Whom a run tells what happens."""

    def begun(self, source: Source, sink: Sink, *, resumed: bool, dropped: bool) -> None: ...

    def pace(self, pace: Pace) -> None: ...


def run(
    job: Job,
    teller: Teller,
    *,
    write: Callable[[bytes], None],
    tell: Callable[[Aside], None],
    now: Callable[[], float] = time.monotonic,
) -> Totals:
    """Group the whole file. Rows that cannot be used are set aside and never stop it.

    Raises RecordError when nothing of the file can be read, ConfigError when policy, library or
    engine are missing. What an interrupted run with `out` has done is kept, and gone on with.
    """
    source = open_source(job.file, job.encoding)
    if job.engine == "spark":
        from dipgate.pipeline.bulk_group_spark import check_spark

        check_spark()
    form = form_of(job.out) if job.out is not None else Form.JSON
    if job.trace and form is not Form.JSON:
        raise ConfigError("表格放不下每一步的依据；--trace 要写成 .jsonl", path="--trace")
    if job.trace and job.fast:
        raise ConfigError("--fast 不记每一步的依据；去掉 --trace 或 --fast", path="--fast")
    orders = Orders(job.names, source.shape, form, job.trace, job.fast)
    if job.out is not None:
        check_place(job.out, files_beside(job.out), form, job.file)
    # Before anything is written: a policy that cannot be used is told.
    book = Book(job.names)
    sink = _sink(job, form, source, book, write, tell)
    try:
        resumed = sink.totals.cases + sink.totals.unread > 0
        dropped = isinstance(sink, FileSink) and sink.other_job
        teller.begun(source, sink, resumed=resumed, dropped=dropped)
        if not (isinstance(sink, FileSink) and sink.complete):
            watch = _Watch(source, sink, now)
            with closing(_results(job, orders, book, source, sink)) as results:
                for chunk, done in results:
                    sink.take(chunk, counted(done, sink.seen, source.shape.file))
                    teller.pace(watch.pace(chunk))
        sink.finish()
    finally:
        sink.close()
    return sink.totals


def look(
    job: Job,
    see: Callable[[str, GroupResult, ScoreResult], None],
    *,
    tell: Callable[[Aside], None],
    progress: Progress = silent,
) -> Totals:
    """Every case of the file with its whole result, in this process; errors as `run`."""
    if job.engine == "spark":
        raise ConfigError("Spark 的结果要写到文件；加 --out", path="--engine")
    source = open_source(job.file, job.encoding)
    worker = Orders(job.names, source.shape, Form.JSON, job.trace, job.fast).worker()
    totals, seen = Totals(), SeenIds()
    for chunk in source.chunks(Position()):
        done = counted(worker.work(chunk, see), seen, source.shape.file)
        totals.merge(done.totals)
        for aside in done.asides:
            tell(aside)
        progress(totals.cases, None)
    return totals


def _sink(
    job: Job,
    form: Form,
    source: Source,
    book: Book,
    write: Callable[[bytes], None],
    tell: Callable[[Aside], None],
) -> Sink:
    if job.out is None:
        return StreamSink(write, tell)
    shape = source.shape
    parts = [__version__, book.fingerprint(), source.fingerprint(), form.value, f"{job.trace}"]
    name = job_of([*parts, shape.encoding, shape.delimiter])
    return FileSink(job.out, form, name, marks=job.engine != "spark")


def _results(job: Job, orders: Orders, book: Book, source: Source, sink: Sink) -> Results:
    if job.engine == "spark":
        from dipgate.pipeline.bulk_group_spark import work_on_spark

        return work_on_spark(orders, source, sink.start, job.file, job.processes)
    own, chunks = orders.worker(book), source.chunks(sink.start)
    if job.processes > 1:
        return work_in_processes(orders, own, chunks, job.processes)
    return work_here(own, chunks)


class _Watch:
    """Rate and estimate of this run, without what an earlier one had done.

    The first chunk also has the start in it (policy, library, compiled code), so what is left is
    estimated from the chunks after it.
    """

    def __init__(self, source: Source, sink: Sink, now: Callable[[], float]) -> None:
        self._now = now
        self._began = now()
        self._size = max(1, source.size)
        self._before = sink.totals.cases + sink.totals.unread
        self._cases = 0
        self._first: tuple[float, int] | None = None
        """When the first chunk was done, and where it ended."""

    def pace(self, chunk: Chunk) -> Pace:
        self._cases += chunk.rows
        now, at = self._now(), min(self._size, chunk.after.offset)
        left = None
        if self._first is None:
            self._first = now, at
        elif at > self._first[1]:
            left = (now - self._first[0]) * (self._size - at) / (at - self._first[1])
        rate = self._cases / max(1e-6, now - self._began)
        return Pace(self._before + self._cases, at / self._size, rate, left)

"""Chunks worked on in this process, or in several that end when this one does.

Results come in the order of the chunks, whoever was first. How much waits is bounded, so memory
does not grow with the file.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import threading
from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from multiprocessing.connection import wait
from typing import TYPE_CHECKING

from dipgate.core.errors import ConfigError, DipgateError
from dipgate.pipeline.bulk_group_book import Book, BookNames
from dipgate.pipeline.bulk_group_read import Chunk, Shape
from dipgate.pipeline.bulk_group_work import Done, Form, Worker

if TYPE_CHECKING:
    from multiprocessing.context import SpawnProcess

AHEAD = 3
"""Chunks per process that may be under way or waiting to be written."""
_LOOK = 0.5


@dataclass(frozen=True, slots=True)
class Orders:
    """What every worker of a run is made from, in any process."""

    names: BookNames
    shape: Shape
    form: Form
    trace: bool = False
    fast: bool = False

    def worker(self, book: Book | None = None) -> Worker:
        """With `book` where one is open. Raises ConfigError: policy or library cannot be used."""
        opened = book or Book(self.names)
        return Worker(opened, self.shape, self.form, trace=self.trace, fast=self.fast)


def work_here(worker: Worker, chunks: Iterable[Chunk]) -> Generator[tuple[Chunk, Done], None, None]:
    for chunk in chunks:
        yield chunk, worker.work(chunk)


def work_in_processes(
    orders: Orders, own: Worker, chunks: Iterable[Chunk], count: int
) -> Generator[tuple[Chunk, Done], None, None]:
    """As `work_here`, in `count` processes. Raises ConfigError when one of them dies.

    They take a second or two to start; until the first of them is ready `own` does the work here.
    """
    context = multiprocessing.get_context("spawn")
    tasks: multiprocessing.Queue[Chunk] = context.Queue()
    answers: Answers = context.Queue()
    coming = iter(chunks)
    workers = [
        context.Process(target=_serve, args=(orders, tasks, answers), daemon=True)
        for _ in range(count)
    ]
    for worker in workers:
        worker.start()
    try:
        yield from _while_they_start(own, coming, answers)
        yield from _in_order(coming, tasks, answers, workers)
    finally:
        for worker in workers:
            worker.kill()
        for worker in workers:
            worker.join()
        for held in (tasks, answers):
            held.cancel_join_thread()
            held.close()


@dataclass(frozen=True, slots=True)
class _Failed:
    """A worker could not go on: the sentence and the path of a ConfigError, or what it was."""

    what: str
    path: str


@dataclass(frozen=True, slots=True)
class _Ready:
    """A worker has opened policy and library."""


if TYPE_CHECKING:
    Answers = multiprocessing.Queue[Done | _Failed | _Ready]


def _while_they_start(
    own: Worker, coming: Iterator[Chunk], answers: Answers
) -> Generator[tuple[Chunk, Done], None, None]:
    """Chunks worked on here, one at least, until a process has said something."""
    for done in work_here(own, coming):
        yield done
        if not answers.empty():
            return


def _in_order(
    coming: Iterator[Chunk],
    tasks: multiprocessing.Queue[Chunk],
    answers: Answers,
    workers: list[SpawnProcess],
) -> Generator[tuple[Chunk, Done], None, None]:
    under_way: dict[int, Chunk] = {}
    done: dict[int, Done] = {}
    more = True
    while more or under_way:
        while more and len(under_way) < AHEAD * len(workers):
            chunk = next(coming, None)
            if chunk is None:
                more = False
            else:
                # What a worker needs of it travels; only the place is needed here.
                under_way[chunk.index] = Chunk(chunk.index, chunk.rows, chunk.after)
                tasks.put(chunk)
        if under_way:
            expected = min(under_way)
            if expected in done:
                yield under_way.pop(expected), done.pop(expected)
            else:
                answer = _next_answer(answers, workers)
                done[answer.chunk] = answer


def _next_answer(answers: Answers, workers: list[SpawnProcess]) -> Done:
    while True:
        try:
            answer = answers.get(timeout=_LOOK)
        except queue.Empty:
            dead = next((item for item in workers if item.exitcode is not None), None)
            if dead is None:
                continue
            raise ConfigError(
                f"一个工作进程意外结束（退出码 {dead.exitcode}），多半是内存不够；"
                "用较小的 --processes 再运行一次，会从上次的进度接着做",
                path="--processes",
            ) from None
        if isinstance(answer, _Failed):
            raise ConfigError(answer.what, path=answer.path)
        if isinstance(answer, Done):
            return answer


def _serve(
    orders: Orders,
    tasks: multiprocessing.Queue[Chunk],
    answers: Answers,
) -> None:
    """The life of a worker process; it ends with its parent, however that ends."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()
    try:
        worker = orders.worker()
        answers.put(_Ready())
        while True:
            answers.put(worker.work(tasks.get()))
    except DipgateError as error:
        answers.put(_Failed(str(error), getattr(error, "path", "")))
    except KeyboardInterrupt:
        pass


def _end_with(sentinel: int) -> None:
    wait([sentinel])
    os._exit(1)

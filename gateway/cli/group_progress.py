"""How a whole-year run shows that it goes on: a bar on a terminal, else a line now and then."""

from __future__ import annotations

import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from dipgate.pipeline.bulk_group import Pace
    from dipgate.pipeline.bulk_group_read import Source
    from dipgate.pipeline.bulk_group_write import Sink

EVERY = 10.0
"""Seconds between two lines where stderr is no terminal."""


class Told:
    """Tells of a run on stderr; `quiet`: nothing of its pace where that is no terminal."""

    def __init__(self, *, quiet: bool = False) -> None:
        self._screen = sys.stderr.isatty()
        self._quiet = quiet and not self._screen
        self._last = time.monotonic()
        self._bar: Any = None
        self._task: Any = None

    def __enter__(self) -> Told:
        if self._screen:
            from rich.console import Console
            from rich.progress import BarColumn, TaskProgressColumn, TextColumn
            from rich.progress import Progress as Bar

            columns = (
                TextColumn("入组"),
                BarColumn(),
                TaskProgressColumn(),
                TextColumn("{task.description}"),
            )
            self._bar = Bar(*columns, console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("", total=1.0)
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        where: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def begun(self, source: Source, sink: Sink, *, resumed: bool, dropped: bool) -> None:
        if dropped:
            click.echo("上次没做完的结果用的是别的文件、政策或目录，这次从头做", err=True)
        if resumed:
            click.echo(f"接着上次的进度，从第 {sink.start.row} 行开始", err=True)
        if source.shape.unused:
            click.echo(f"没有用到的列：{'、'.join(source.shape.unused)}", err=True)

    def pace(self, pace: Pace) -> None:
        if self._bar is not None:
            self._bar.update(self._task, completed=pace.part, description=_words(pace))
            return
        now = time.monotonic()
        if not self._quiet and now - self._last >= EVERY:
            self._last = now
            click.echo(f"已处理 {pace.part:.0%}，{_words(pace)}", err=True)


def _words(pace: Pace) -> str:
    left = "" if pace.left is None else f"，约剩 {_span(pace.left)}"
    return f"{pace.cases:,} 例，每秒 {pace.rate:,.0f} 例{left}"


def _span(seconds: float) -> str:
    whole = round(seconds)
    hours, minutes = divmod(whole // 60, 60)
    if hours:
        return f"{hours} 小时 {minutes} 分"
    return f"{minutes} 分 {whole % 60} 秒" if minutes else f"{whole} 秒"

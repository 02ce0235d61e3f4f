"""`dipgate group`: DIP group, score and expected fund payment of every case of a file."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dipgate.cli.case_files import case_options
from dipgate.cli.frame import (
    UNUSABLE,
    global_options,
    print_json,
    progress_bar,
)
from dipgate.cli.json_lines import lacking

if TYPE_CHECKING:
    from dipgate.core.grouping import GroupResult, ScoreResult
    from dipgate.pipeline.bulk_group import Job
    from dipgate.pipeline.bulk_group_book import BookNames
    from dipgate.pipeline.bulk_group_work import Aside, Totals


WIDE = 180
SHOWN = 1000
"""Cases of the table for people; more are for a file."""


@click.command()
@case_options
@click.option("--trace", is_flag=True, help="带上每一步的依据（与 --json 合用，或逐步列出）")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="结果写到文件（.jsonl、.csv 或 .parquet）；中断后再运行一次接着做",
)
@click.option(
    "--processes", metavar="N", type=click.IntRange(1, 256), default=1, help="同时用几个进程"
)
@click.option(
    "--engine",
    type=click.Choice(["process", "spark"]),
    default="process",
    help="process：本机进程；spark：Spark（见 docs/whole-years.md）",
)
@click.option("--fast", is_flag=True, help="用编译过的分组（附加组件 fast），结果相同")
@click.option(
    "--encoding",
    type=click.Choice(["utf-8", "gb18030"]),
    help="CSV 文件的编码（默认：看文件内容）",
)
@global_options
def group(
    file: Path,
    names: BookNames,
    as_json: bool,
    trace: bool,
    out: Path | None,
    processes: int,
    engine: str,
    encoding: str | None,
    fast: bool,
) -> int:
    """给病例文件入组、计分，算出基金预计支付。

    文件可以是 JSON Lines 或一个 JSON 数组（结算清单），也可以是整年的 CSV 或 Parquet（一行一例，
    列名见 docs/whole-years.md）。
    """
    from dipgate.pipeline.bulk_group import Job

    job = Job(file, names, out, trace, processes, engine, encoding, fast)
    if as_json or out is not None:
        return _run(job, as_json=as_json)
    return _show(job)


def _run(job: Job, *, as_json: bool) -> int:
    """To a file, or as JSON Lines to stdout; nothing is kept in memory."""
    from dipgate.cli.group_progress import Told
    from dipgate.pipeline.bulk_group import run
    from dipgate.pipeline.bulk_group_write import aside_file

    def write(data: bytes) -> None:
        click.echo(data.decode(), nl=False)

    try:
        with Told(quiet=job.out is None) as teller:
            totals = run(job, teller, write=write, tell=_tell_aside)
    except KeyboardInterrupt:
        if job.out is not None:
            click.echo("做完的已经留下；同一条命令再运行一次，从停下的地方接着做", err=True)
        raise
    if job.out is not None and as_json:
        print_json(totals.as_json())
    elif job.out is not None:
        _print_totals(totals)
        click.echo(f"结果：{job.out}")
        if totals.unread or totals.noted or totals.repeated:
            click.echo(f"要改正的行：{aside_file(job.out)}")
    return UNUSABLE if totals.unread or not totals.cases else 0


def _tell_aside(aside: Aside) -> None:
    if not aside.grouped:
        click.echo(f"已搁置：{aside}", err=True)


def _show(job: Job) -> int:
    """A table for people, of the first cases, and the totals of all."""
    from dipgate.pipeline.bulk_group import look

    shown: list[tuple[str, GroupResult, ScoreResult]] = []
    rest = 0

    def see(case_id: str, grouped: GroupResult, scored: ScoreResult) -> None:
        nonlocal rest
        if len(shown) < SHOWN:
            shown.append((case_id, grouped, scored))
        else:
            rest += 1

    with progress_bar("入组") as progress:
        totals = look(job, see, tell=_tell_aside, progress=progress)
    _print_table(shown, trace=job.trace)
    if rest:
        click.echo(f"只列出前 {SHOWN} 例，另有 {rest} 例；用 --out 写到文件")
    _print_totals(totals)
    return UNUSABLE if totals.unread or not totals.cases else 0


def _print_table(rows: list[tuple[str, GroupResult, ScoreResult]], *, trace: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    from dipgate.core.grouping_words import GROUP_WORDS, SCORE_WORDS, ZONE_WORDS
    from dipgate.core.money import yuan_text

    if not rows:
        return
    table = Table(
        "病例", "入组", "病种", "名称", "病种分值", "区间", "分值", "基金预计（元）", "计分"
    )
    for case_id, grouped, scored in rows:
        table.add_row(
            case_id,
            GROUP_WORDS[grouped.status],
            grouped.group_code,
            grouped.group_name,
            "" if grouped.base_score is None else format(grouped.base_score, "f"),
            ZONE_WORDS[scored.zone],
            "" if scored.score is None else format(scored.score, "f"),
            "" if scored.amount is None else yuan_text(scored.amount),
            SCORE_WORDS[scored.status],
        )
    # A file or pipe has no width of its own; a screen keeps the width that it has.
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    with console.capture() as text:
        console.print(table)
    click.echo(text.get(), nl=False)
    for line in _notes(rows, trace=trace):
        click.echo(line)


def _notes(rows: list[tuple[str, GroupResult, ScoreResult]], *, trace: bool) -> Iterator[str]:
    for case_id, grouped, scored in rows:
        warnings = (*grouped.warnings, *scored.warnings)
        steps = (*grouped.trace, *scored.trace) if trace else ()
        if warnings or steps:
            yield f"{case_id}："
        yield from (f"  ! {warning}" for warning in warnings)
        for step in steps:
            lost = f"；落选：{'；'.join(step.dropped)}" if step.dropped else ""
            yield f"  · {step.text}{lost}{f' [{step.ref}]' if step.ref else ''}"


def _print_totals(totals: Totals) -> None:
    from dipgate.core.grouping import GroupStatus, ScoreStatus
    from dipgate.core.grouping_words import GROUP_WORDS, SCORE_WORDS
    from dipgate.core.money import yuan_text

    words = "，".join(
        f"{GROUP_WORDS[GroupStatus(name)]} {count}"
        for name, count in sorted(totals.statuses.items())
    )
    click.echo(f"共 {totals.cases} 例：{words or '无'}")
    words = "，".join(
        f"{SCORE_WORDS[ScoreStatus(name)]} {count}" for name, count in sorted(totals.scores.items())
    )
    click.echo(
        f"计分：{words or '无'}；分值合计 {totals.score:f}；"
        f"基金预计支付合计 {yuan_text(totals.amount)} 元"
    )
    for path, count in sorted(totals.missing.items()):
        click.echo(f"  {lacking(path)}（影响 {count} 例）")
    if totals.noted:
        click.echo(f"{totals.noted} 例有要改正的地方，已按能读出的部分处理")
    if totals.repeated:
        click.echo(f"{totals.repeated} 例的结算ID 在前面已有，都计入了合计；核对是否重复导出")
    if totals.unchecked:
        click.echo(f"病例太多，后面 {totals.unchecked} 例没有查结算ID 是否重复")
    if totals.unread:
        click.echo(f"另有 {totals.unread} 例不能读取，已搁置")

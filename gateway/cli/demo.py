"""`dipgate demo`: the whole line with a synthetic hospital, in a fresh folder."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dipgate.cli.frame import print_json, progress_bar
from dipgate.core.progress import Progress

if TYPE_CHECKING:
    from dipgate.core.clock import Clock
    from dipgate.demo.desk import Days
    from dipgate.demo.hospital import Hospital as Month
    from dipgate.demo.run import Detail, Summary


@click.command()
@click.option("--cases", type=click.IntRange(1, 200_000), default=200, show_default=True)
@click.option("--seed", type=int, default=7, show_default=True, help="随机种子；相同种子结果相同")
@click.option("--exit", "leave", is_flag=True, help="跑完就结束，删除演示目录，不打开工作台")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=0,
    show_default=True,
    help="工作台的端口；0：任一空闲端口",
)
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 汇总")
def demo(cases: int, seed: int, leave: bool, port: int, as_json: bool) -> int:
    """用虚构医院演示全过程：导出、映射、校验、更正、上传（中途断电一次）、取回、对账。

    跑完以后打开工作台，里面有没人处理过的清单，印出地址、用户和密码，直到 Ctrl-C。
    全部人员和数据都是虚构的；平台是本机另一个进程里的替身。
    """
    from dipgate.demo.desk import days_for, fresh_days
    from dipgate.demo.run import MONTH, finished
    from dipgate.service.clock import SystemClock
    from dipgate.service.serving import stopping_at_signals

    folder = Path(tempfile.mkdtemp(prefix="dipgate-demo-"))
    clock = SystemClock()
    days = days_for(clock)
    fresh: list[Month] = []

    def later(state: Path) -> list[Month]:
        fresh.extend(() if leave else fresh_days(state, days, seed=seed))
        return fresh

    summary: Summary | None = None
    code = 0
    with stopping_at_signals(), ExitStack() as bars:
        if leave:
            bars.callback(shutil.rmtree, folder, ignore_errors=True)
        stages = bars.enter_context(_Stages(quiet=as_json))
        with finished(
            folder,
            size=cases,
            seed=seed,
            clock=clock,
            stage=stages.next,
            month=MONTH if leave else days.worked,
            later=later,
        ) as (summary, detail):
            stages.close()
            _tell(summary, detail, as_json=as_json)
            if not leave:
                click.echo(f"演示目录：{folder}", err=True)
                code = _serve(folder, fresh, days, clock, port, err=as_json)
    if summary is None:
        raise click.Abort
    return code or (0 if summary.sound else 1)


class _Stages:
    """One progress bar at a time, each with the name of its stage."""

    def __init__(self, *, quiet: bool) -> None:
        self._quiet = quiet
        self._bars = ExitStack()

    def next(self, label: str) -> Progress:
        self.close()
        if not self._quiet:
            click.echo(f"· {label}", err=True)
        return self._bars.enter_context(progress_bar(label, quiet=self._quiet))

    def close(self) -> None:
        self._bars.pop_all().close()

    def __enter__(self) -> _Stages:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()


def _tell(summary: Summary, detail: Detail, *, as_json: bool) -> None:
    from dipgate.core.money import yuan_text
    from dipgate.pregrouper.differences import REASON_TEXT, Reason

    if as_json:
        print_json(summary.as_json())
        return
    click.echo(
        f"{summary.cases} 例出院：映射 {summary.mapped}，有错误 {summary.with_errors}，"
        f"改正 {summary.fixed}，扣留 {summary.held}，放行 {summary.released}"
    )
    click.echo(
        f"上传{'（中途断电一次）' if detail.killed else ''}：接收 {summary.accepted}，"
        f"拒绝 {summary.rejected}，不明 {summary.unknown}；"
        f"丢失 {summary.lost}，重复 {summary.doubled}"
    )
    click.echo(f"埋下缺陷 {summary.planted} 处，找到 {summary.planted_found} 处")
    reasons = "；".join(
        f"{REASON_TEXT[Reason(reason)]} {count}"
        for reason, count in sorted(detail.differences.items())
        if reason != Reason.EQUAL
    )
    click.echo(
        f"对账 {summary.reconciled} 份，一致 {summary.groups_equal}，"
        f"不同 {summary.groups_different}{f'（{reasons}）' if reasons else ''}"
    )
    click.echo(
        f"我方预计 {yuan_text(summary.expected_fen)} 元，"
        f"平台结算 {yuan_text(summary.settled_fen)} 元；用时 {summary.seconds} 秒"
    )
    for line in detail.missed[:10]:
        click.echo(f"没有找到：{line}", err=True)


def _serve(
    folder: Path, fresh: Sequence[Month], days: Days, clock: Clock, port: int, *, err: bool
) -> int:
    from importlib.metadata import version

    from dipgate.demo.desk import USERS, Opened, serve
    from dipgate.security.eventlog import log_to_stderr

    def ready(opened: Opened) -> None:
        click.echo("", err=err)
        click.echo(f"工作台：{opened.address}（{opened.fresh} 份新清单等着处理）", err=err)
        for login, password in opened.passwords.items():
            role = USERS[login][1].label
            click.echo(f"  {role}\t用户 {login}\t密码 {password}", err=err)
        click.echo("平台替身一直开着，放行的清单会上传、取回、对账。结束：Ctrl-C", err=err)

    log_to_stderr()
    return serve(
        folder, fresh, days, clock=clock, version=version("dipgate"), port=port, ready=ready
    )

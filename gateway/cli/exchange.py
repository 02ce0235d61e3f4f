"""`dipgate send`, `pull` and `reconcile`: the exchange with the platform."""

from __future__ import annotations

import re
import time
from datetime import timedelta
from typing import TYPE_CHECKING

import click

from dipgate.cli.frame import global_options, globals_of, print_json, progress_bar

if TYPE_CHECKING:
    from dipgate.sync.sender import SendReport


def month_of(_ctx: click.Context, _param: click.Parameter, value: str | None) -> str | None:
    """`2025-03` or `202503` → `2025-03`, as a click callback."""
    if value is None:
        return None
    match = re.fullmatch(r"(\d{4})-?(0[1-9]|1[0-2])", value)
    if match is None:
        raise click.BadParameter("月份写作 2025-03")
    return f"{match[1]}-{match[2]}"


month_option = click.option(
    "--month", callback=month_of, metavar="YYYY-MM", help="结算年月；省略时为全部有病例的月份"
)


@click.command()
@click.option("--release-clean", is_flag=True, help="先放行全部没有错误的清单")
@click.option(
    "--seconds",
    type=click.FloatRange(min=0, min_open=True),
    default=3600.0,
    show_default=True,
    help="最长运行时间（秒）",
)
@click.option("--json", "as_json", is_flag=True, help="输出 JSON")
@global_options
@click.pass_context
def send(ctx: click.Context, release_clean: bool, seconds: float, as_json: bool) -> int:
    """把已放行的清单上传到平台，并核实结果不明的清单，直到没有可做的事。

    只有站点文件里 platform.mode = "live" 时才会发送。
    """
    from dipgate.pipeline import edits, exchange_stage
    from dipgate.service.wiring import open_desk
    from dipgate.sync.sender import require_live

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file()) as desk:
        require_live(desk.site.platform.mode)
        released = edits.release_clean(desk, author=desk.actor) if release_clean else 0
        queued = exchange_stage.queue_ready(desk)
        with progress_bar("上传") as progress:
            report = exchange_stage.send(
                desk,
                until=desk.clock.now() + timedelta(seconds=seconds),
                wait=time.sleep,
                progress=progress,
                waiting=lambda sentence: click.echo(sentence, err=True),
            )
    address = desk.site.platform.url
    problems = _problems(report)
    states = {state.value: count for state, count in report.states.items() if count}
    if as_json:
        print_json(
            {
                "released": released,
                "queued": queued.queued,
                "unchanged": queued.unchanged,
                "refused": queued.refused,
                "states": states,
                "finished": report.finished,
                "address": address,
                "problems": problems,
            }
        )
    else:
        click.echo(
            f"放行 {released} 份，入队 {queued.queued} 份，内容未变不再上传 {queued.unchanged} 份"
        )
        words = {"accepted": "已接收", "rejected": "被拒绝", "unknown": "结果不明", "ready": "待发"}
        for state, count in states.items():
            click.echo(f"  {words.get(state, state)} {count}")
        if queued.refused:
            click.echo(f"  {queued.refused} 份写不成报文，没有入队；原因在各病例的页面上")
        if problems:
            click.echo(f"与平台 {address} 的往来没有都成功：")
        for problem in problems:
            click.echo(f"  {problem['count']} 次：{problem['sentence']}")
        if not report.finished:
            click.echo("还有清单在等待；再次运行 dipgate send 会接着做")
    return 0 if report.finished else 1


def _problems(report: SendReport) -> list[dict[str, object]]:
    """What kept lists from going, the most frequent first; numbers of persons masked."""
    from dipgate.cli.queue import mask_text

    reasons = sorted(report.tally.reasons.items(), key=lambda item: -item[1])
    return [
        {"kind": kind, "count": count, "sentence": mask_text(sentence)}
        for (kind, sentence), count in reasons
    ]


@click.command()
@month_option
@click.option("--json", "as_json", is_flag=True, help="输出 JSON")
@global_options
@click.pass_context
def pull(ctx: click.Context, month: str | None, as_json: bool) -> None:
    """取回平台的质控结果（3607）和分组结果（3606）。"""
    from dipgate.pipeline import exchange_stage
    from dipgate.service.wiring import open_desk
    from dipgate.store import cases

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file()) as desk:
        with desk.store.read() as conn:
            months = (month,) if month else tuple(item for item in cases.months(conn) if item)
        for each in months:
            for report in exchange_stage.pull(desk, each):
                if as_json:
                    print_json({"month": each, "infno": report.infno, "rows": report.rows})
                else:
                    click.echo(f"{each} {report.infno}：取回 {report.rows} 行")


@click.command()
@month_option
@click.option("--all", "show_all", is_flag=True, help="也列出一致的清单")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON，一份清单一行")
@global_options
@click.pass_context
def reconcile(ctx: click.Context, month: str | None, show_all: bool, as_json: bool) -> None:
    """逐份比较我方与平台的入组和分值，说明第一处不同在哪里。"""
    from dipgate.core.money import yuan_text
    from dipgate.pipeline import reconcile_stage
    from dipgate.pregrouper.differences import Reason
    from dipgate.service.wiring import open_desk
    from dipgate.store import cases

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file()) as desk:
        with desk.store.read() as conn:
            months = (month,) if month else tuple(item for item in cases.months(conn) if item)
        for each in months:
            report = reconcile_stage.reconcile(desk, each)
            if not as_json:
                click.echo(
                    f"{each}：{len(report.lists)} 份，一致 {report.equal}，"
                    f"不同 {report.different}；"
                    f"我方预计 {yuan_text(report.expected_fen)} 元，"
                    f"平台 {yuan_text(report.settled_fen)} 元"
                )
                if report.apart:
                    click.echo(f"  另有 {report.apart} 份平台结果不比：结算已撤销，或清单后来变了")
            for item in report.lists:
                difference = item.difference
                if difference.reason is Reason.EQUAL and not show_all:
                    continue
                if as_json:
                    print_json(
                        {
                            "month": each,
                            "settlement_id": item.settlement_id,
                            "reason": difference.reason.value,
                            "field": difference.field,
                            "ours": difference.ours,
                            "theirs": difference.theirs,
                            "expected_fen": item.expected_fen,
                            "settled_fen": item.settled_fen,
                        }
                    )
                else:
                    click.echo(f"  {item.settlement_id} {difference.text}")

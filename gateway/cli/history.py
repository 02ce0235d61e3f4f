"""`dipgate intake --history`: past months beside live work, its progress, and its end."""

from __future__ import annotations

import os
import re
import sys
from typing import TYPE_CHECKING

import click

from dipgate.cli.frame import globals_of, print_json

if TYPE_CHECKING:
    from dipgate.pipeline.history_card import Card

_PHASES = {"read": "读取", "note": "登记", "judge": "判定"}
_ENDS = {"done": "已做完", "stopped": "已停下", "failed": "没有做完"}
_MONTH = re.compile(r"20[0-9]{2}-(0[1-9]|1[0-2])")


def take(
    ctx: click.Context,
    sources: tuple[str, ...],
    first: str,
    last: str,
    rate: int | None,
    jobs: int | None,
    as_json: bool,
) -> None:
    """Read and judge; Ctrl-C ends after the step it is at."""
    from dipgate.config.settings import load_site
    from dipgate.core.errors import ConfigError
    from dipgate.pipeline.history import Wanted
    from dipgate.service.history import run_history
    from dipgate.service.serving import stopping_at_signals

    held = globals_of(ctx)
    before = load_site(held.site_file()).history.before
    if not before:
        raise ConfigError(
            "站点文件里还没有写 history.before：结算月份早于它的才是历史，"
            '例如在 [history] 一节写 before = "2025-01"',
            path="history.before",
        )
    for month in (first, last):
        if month and not _MONTH.fullmatch(month):
            raise click.UsageError(f"月份应写成 2025-01 的样子，不是 {month}")
    newest = _month_before(before)
    if last > newest:
        raise click.UsageError(f"--to {last} 还没有封账；历史到 {newest} 为止（history.before）")
    wanted = Wanted(sources, first, last or newest)
    report, whole = None, False
    with stopping_at_signals():
        report, whole = run_history(
            held.state_dir(),
            held.site_file(),
            wanted,
            jobs=jobs or max(1, (os.cpu_count() or 2) - 1),
            per_minute=rate,
            show=_show,
        )
    if report is None or not whole:
        click.echo("已停下；再运行一次 dipgate intake --history 就接着做", err=True)
        ctx.exit(130)
    if as_json:
        print_json(vars(report))
        return
    for note in report.notes:
        click.echo(f"注意：{note}")
    click.echo(
        f"历史：读到 {report.rows:,} 行，搁置 {report.rejected:,} 行；判定 {report.judged:,} 份，"
        f"日常已有 {report.live:,} 份，不能判定 {report.aside:,} 份"
    )
    tell(ctx, as_json=False)


def tell(ctx: click.Context, as_json: bool) -> None:
    """How far it is, and every month as judged."""
    from dipgate.core.money import yuan_text
    from dipgate.pipeline.history_card import card_of
    from dipgate.service.clock import SystemClock
    from dipgate.service.history import is_running, past_desk
    from dipgate.store import history

    held = globals_of(ctx)
    state = held.state_dir()
    card = card_of(state)
    if not history.folder(state).is_dir():
        click.echo("还没有读过历史；用 dipgate intake --history")
        return
    with past_desk(state, held.site_file(), read_only=True) as (desk, _live):
        before = desk.site.history.before
        with desk.store.read() as conn:
            bills, money = history.bill_counts(conn), history.month_money(conn)
    running = card is not None and not card.ended and is_running(state, SystemClock())
    if as_json:
        print_json(
            {
                "running": running,
                "progress": card,
                "before": before,
                "months": {
                    month: {**counts, **({} if month not in money else _plain(money[month]))}
                    for month, counts in bills.items()
                },
            }
        )
        return
    if card is not None:
        head = "正在" if running else _ENDS.get(card.ended, "中断了，再运行一次就接着做")
        click.echo(f"{head}{_words(card) if running else ''}")
    for month, counts in bills.items():
        open_month = "（未封账，不读）" if month >= before else ""
        parts = [f"{history.STATES[name]} {number:,}" for name, number in counts.items() if number]
        line = f"{month or '没有结算日期'}{open_month}  {'，'.join(parts)}"
        if month in money:
            found = money[month]
            other = found.lists - found.core - found.comprehensive
            line += (
                f"；有错误 {found.with_errors:,}；核心 {found.core:,}，"
                f"综合 {found.comprehensive:,}，未入组 {other:,}；"
                f"预计基金支付 {yuan_text(found.pay_fen)} 元"
            )
        click.echo(line)


def tell_to_stop(ctx: click.Context) -> None:
    """Ask the running one to end; exit code 1 when none runs."""
    from dipgate.service.clock import SystemClock
    from dipgate.service.history import ask_to_end, is_running

    state = globals_of(ctx).state_dir()
    if not is_running(state, SystemClock()):
        click.echo("没有正在运行的历史读入")
        ctx.exit(1)
    ask_to_end(state)
    click.echo("已通知它停下；做完手上的一批就停")


def _show(card: Card) -> None:
    """One line that renews itself on a terminal; a line now and then elsewhere would only fill."""
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{_words(card)}")
        if card.done == card.total:
            sys.stderr.write("\n")
        sys.stderr.flush()


def _words(card: Card) -> str:
    unit = "行" if card.phase == "read" else "份"
    total = f" / {card.total:,}" if card.total is not None else ""
    month = f" {card.month}" if card.month else ""
    left = "" if card.seconds_left is None else f"，还要约 {_long(card.seconds_left)}"
    return (
        f"{_PHASES[card.phase]} {card.source}{month}：{card.done:,}{total} {unit}，"
        f"每分钟 {card.per_minute:,} {unit}{left}"
    )


def _long(seconds: int) -> str:
    minutes = round(seconds / 60)
    if minutes < 1:
        return f"{seconds} 秒"
    return f"{minutes} 分钟" if minutes < 90 else f"{minutes / 60:.1f} 小时"


def _month_before(month: str) -> str:
    year, number = (int(part) for part in month.split("-"))
    return f"{year}-{number - 1:02d}" if number > 1 else f"{year - 1}-12"


def _plain(found: object) -> dict[str, int]:
    return {name: getattr(found, name) for name in type(found).__dataclass_fields__}  # type: ignore[attr-defined]

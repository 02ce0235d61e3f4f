"""`dipgate preview`: what a coming library or policy would change in this hospital's money."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import click

from dipgate.cli.exchange import month_option
from dipgate.cli.frame import global_options, globals_of, print_json, progress_bar
from dipgate.core.errors import ConfigError

if TYPE_CHECKING:
    from dipgate.pipeline.coming import CaseShift, ComingReport, Standing, Sum
    from dipgate.pipeline.desk import Desk

SHOWN = 20
WIDE = 160


@click.command()
@click.option("--policy", metavar="ID|PATH", default="", help="将要使用的政策（默认：现行政策）")
@click.option("--library", metavar="N@V", default="", help="将要使用的 DIP 目录（默认：政策所写）")
@month_option
@click.option("--year", type=click.IntRange(2000, 2099), help="整年，代替 --month")
@click.option("--past", is_flag=True, help="看历史月份（intake --history 读入的），不看日常")
@click.option("--cases", "show_cases", is_flag=True, help="逐例列出有变化的病例")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON，一行一个对象")
@global_options
@click.pass_context
def preview(
    ctx: click.Context,
    policy: str,
    library: str,
    month: str | None,
    year: int | None,
    past: bool,
    show_cases: bool,
    as_json: bool,
) -> None:
    """按将要使用的目录和政策，把本院自己的病例重新入组、计价，看钱怎样变；什么也不保存。"""
    from dipgate.pipeline.coming import coming, look_ahead
    from dipgate.service.history import past_desk
    from dipgate.service.wiring import open_desk

    if month and year:
        raise click.UsageError("--month 和 --year 只用一个")
    if not policy and not library:
        raise click.UsageError("至少要用 --policy 或 --library 指定一样将要使用的")
    held = globals_of(ctx)
    found: list[CaseShift] = []

    def keep(item: CaseShift) -> None:
        if not (show_cases and item.moved):
            return
        if as_json:
            print_json(_case(item))
        else:
            found.append(item)

    def run(desk: Desk) -> tuple[ComingReport, Mapping[str, str]]:
        what = coming(desk, policy=policy, library=library)
        with progress_bar("试算", quiet=as_json) as progress:
            report = look_ahead(
                desk, what, _months(desk, month, year), each=keep, progress=progress
            )
        return report, desk.forms.codesets.get("dept", {})

    if past:
        with past_desk(held.state_dir(), held.site_file(), read_only=True) as (desk, _):
            report, wards = run(desk)
    else:
        with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
            report, wards = run(desk)
    if as_json:
        for line in _lines(report, wards):
            print_json(line)
        return
    _print(report, wards)
    if show_cases:
        _print_cases(found)


def _months(desk: Desk, month: str | None, year: int | None) -> tuple[str, ...]:
    from dipgate.store import cases

    with desk.store.read() as conn:
        held = tuple(item for item in cases.months(conn) if item)
    if month:
        wanted = tuple(item for item in held if item == month)
    elif year:
        wanted = tuple(item for item in held if item.startswith(f"{year}-"))
    else:
        wanted = held
    if not wanted:
        there = f"有的月份：{held[0]} 至 {held[-1]}" if held else "还没有病例"
        raise ConfigError(f"所选的月份没有病例；{there}", path="--month")
    return wanted


def _sum(item: Sum) -> dict[str, Any]:
    return {
        "cases": item.cases,
        "regrouped": item.regrouped,
        "compared": item.compared,
        "one_sided": item.one_sided,
        "score_now": str(item.score_now),
        "score_coming": str(item.score_coming),
        "pay_now_fen": item.pay_now,
        "pay_coming_fen": item.pay_coming,
        "pay_shift_fen": item.pay_shift,
    }


def _lines(report: ComingReport, wards: Mapping[str, str]) -> Iterable[dict[str, Any]]:
    for code, item in _by_shift(report.departments):
        yield {"part": "department", "code": code, "name": wards.get(code, ""), **_sum(item)}
    for (now, then), item in _by_shift(report.groups):
        names = {"now_name": report.names.get(now, ""), "coming_name": report.names.get(then, "")}
        yield {"part": "group", "now": now, "coming": then, **names, **_sum(item)}
    for month, item in sorted(report.months.items()):
        yield {"part": "month", "month": month, **_sum(item)}
    yield {
        "part": "total",
        "policy": report.policy,
        "library": report.library,
        "statuses_now": dict(report.statuses_now),
        "statuses_coming": dict(report.statuses_coming),
        "not_configured": dict(report.not_configured),
        "as_of": report.as_of.isoformat() if report.as_of and report.advanced else None,
        "elsewhere": dict(report.elsewhere),
        **_sum(report.total),
    }


def _case(item: CaseShift) -> dict[str, Any]:
    def side(one: Standing) -> dict[str, Any]:
        return {
            "status": one.status,
            "group_code": one.group_code,
            "score_status": one.score_status,
            "score": None if one.score is None else format(one.score, "f"),
            "pay_fen": one.pay,
            "not_configured": list(one.not_configured),
        }

    return {
        "part": "case",
        "case": item.settlement_id,
        "month": item.month,
        "department": item.department,
        "now": side(item.now),
        "coming": side(item.coming),
        "pay_shift_fen": item.pay_shift,
    }


def _by_shift(sums: Mapping[Any, Sum]) -> list[tuple[Any, Sum]]:
    return sorted(sums.items(), key=lambda pair: (-abs(pair[1].pay_shift), str(pair[0])))


def _print(report: ComingReport, wards: Mapping[str, str]) -> None:
    from dipgate.core.money import signed_yuan_text, yuan_text

    total = report.total
    click.echo(f"按 {report.policy} 和目录 {report.library} 试算，没有保存任何东西。")
    if report.as_of and report.advanced:
        click.echo(
            f"按将来政策第一天 {report.as_of:%Y-%m-%d} 的参数算"
            f"（{report.advanced:,} 例的日期在它之前）"
        )
    for area, count in sorted(report.elsewhere.items()):
        click.echo(f"{count:,} 例属于 {area}，没有按它试算；两边都是现在的数")
    click.echo(
        f"共 {total.cases:,} 例，其中 {total.regrouped:,} 例入组不同；"
        f"两边都能算出金额的 {total.compared:,} 例"
        + (f"，只有一边能算的 {total.one_sided:,} 例不计入差额" if total.one_sided else "")
    )
    click.echo(
        f"基金预计支付：现在 {yuan_text(total.pay_now)} 元，将来 {yuan_text(total.pay_coming)} 元，"
        f"变化 {signed_yuan_text(total.pay_shift)} 元"
    )
    for path, count in sorted(report.not_configured.items()):
        what = "病例缺少或读不出" if path.startswith("case.") else "将来的政策缺少参数"
        click.echo(f"  {what} {path}（影响 {count} 例）")
    rows = [
        (wards.get(code) or code or "（没有写）", item)
        for code, item in _by_shift(report.departments)
    ]
    _table("科别", rows)
    pairs = [
        (_pair(report, now, then), item)
        for (now, then), item in _by_shift(report.groups)
        if item.regrouped or item.pay_shift
    ]
    _table("病种（现在 → 将来）", pairs[:SHOWN])
    if len(pairs) > SHOWN:
        click.echo(f"另有 {len(pairs) - SHOWN} 种变化；--json 全部列出")


def _pair(report: ComingReport, now: str, then: str) -> str:
    left, right = now or "未入组", then or "未入组"
    name = report.names.get(then) or report.names.get(now, "")
    return f"{left} {name}" if now == then else f"{left} → {right} {name}"


def _table(head: str, rows: list[tuple[str, Sum]]) -> None:
    from rich.console import Console
    from rich.table import Table

    from dipgate.core.money import signed_yuan_text, yuan_text

    if not rows:
        return
    table = Table(head, "例数", "入组不同", "现在（元）", "将来（元）", "变化（元）")
    for word, item in rows:
        table.add_row(
            word,
            str(item.cases),
            str(item.regrouped),
            yuan_text(item.pay_now),
            yuan_text(item.pay_coming),
            signed_yuan_text(item.pay_shift),
        )
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    with console.capture() as text:
        console.print(table)
    click.echo(text.get(), nl=False)


def _print_cases(found: list[CaseShift]) -> None:
    click.echo(f"有变化的病例 {len(found):,} 例：")
    for item in sorted(found, key=lambda one: (-abs(one.pay_shift or 0), one.settlement_id)):
        click.echo(f"  {item.settlement_id}：{_side(item.now)} → {_side(item.coming)}")


def _side(one: Standing) -> str:
    from dipgate.core.grouping import GroupStatus, ScoreStatus
    from dipgate.core.grouping_words import GROUP_WORDS, SCORE_WORDS
    from dipgate.core.money import yuan_text

    score = "—" if one.score is None else _plain(one.score)
    unpaid = SCORE_WORDS[ScoreStatus(one.score_status)]
    pay = unpaid if one.pay is None else f"{yuan_text(one.pay)} 元"
    return f"{one.group_code or GROUP_WORDS[GroupStatus(one.status)]} 分值 {score} 支付 {pay}"


def _plain(number: Decimal) -> str:
    return format(number, "f")

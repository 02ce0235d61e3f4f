"""`dipgate log`: what the program did, and the way of one list from source row to receipt."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any

import click

from dipgate.cli.frame import global_options, globals_of, print_json


@click.group()
@global_options
def log() -> None:
    """日志：程序做了什么；一份清单从源记录到平台回执的全程。只有编号和数目，没有个人信息。"""


@log.command()
@click.option("--event", default="", help="只看这种事件，如 list.answered；可只写前一段，如 list")
@click.option(
    "--id", "wanted", default="", help="只看含有这个编号的行（病例、结算、报文、原文哈希）"
)
@click.option(
    "--since", default="", metavar="TIME", help="从什么时候起，如 2025-06-16 或 2025-06-16T08:30"
)
@click.option("-n", "--last", type=click.IntRange(1, 100_000), default=50, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="每行输出一个 JSON 对象")
@global_options
@click.pass_context
def show(ctx: click.Context, event: str, wanted: str, since: str, last: int, as_json: bool) -> None:
    """显示最近的日志。"""
    from dipgate.core.clock import CHINA
    from dipgate.core.errors import ConfigError
    from dipgate.security.eventlog import read_log

    try:
        first = datetime.fromisoformat(since).replace(tzinfo=CHINA) if since else None
    except ValueError:
        raise ConfigError(
            f"--since 应为日期或时间，如 2025-06-16T08:30，写的是 {since!r}", path="--since"
        ) from None
    kept: deque[dict[str, Any]] = deque(maxlen=last)
    for line in read_log(globals_of(ctx).state_dir()):
        if event and line["event"] != event and not line["event"].startswith(f"{event}."):
            continue
        if first is not None and datetime.fromisoformat(line["at"]) < first:
            continue
        if wanted and not _holds(line, frozenset((wanted,))):
            continue
        kept.append(line)
    for line in kept:
        _print(line, as_json)


@log.command()
@click.argument("case")
@click.option("--json", "as_json", is_flag=True, help="每步输出一个 JSON 对象")
@global_options
@click.pass_context
def trace(ctx: click.Context, case: str, as_json: bool) -> None:
    """一份清单的全程：源记录、原文、校验、放行、每次与平台的交换、回执、结果，和日志里的行。

    CASE 是结算ID或病例编号。
    """
    from dipgate.core.clock import CHINA
    from dipgate.pipeline.trail import ids_of, trail
    from dipgate.security.eventlog import read_log
    from dipgate.service.wiring import open_desk

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        steps = trail(desk, case)
    for step in steps:
        at = f"{step.at.astimezone(CHINA):%Y-%m-%d %H:%M:%S}" if step.at else ""
        if as_json:
            print_json({"at": at, "what": step.what, **step.ids})
            continue
        ids = " ".join(f"{name}={value}" for name, value in step.ids.items() if value)
        click.echo(f"{at or '—':<19}  {step.what}  {ids}")
    wanted = ids_of(steps)
    for line in read_log(held.state_dir()):
        if _holds(line, wanted):
            _print(_narrowed(line, wanted), as_json)


def _holds(line: dict[str, Any], wanted: frozenset[str]) -> bool:
    return any(
        value in wanted if isinstance(value, str) else bool(wanted.intersection(value))
        for value in line.values()
        if isinstance(value, str | list)
    )


def _narrowed(line: dict[str, Any], wanted: frozenset[str]) -> dict[str, Any]:
    """A line about many lists, with only the wanted one."""
    return {
        name: [item for item in value if item in wanted] if isinstance(value, list) else value
        for name, value in line.items()
    }


def _print(line: dict[str, Any], as_json: bool) -> None:
    if as_json:
        print_json(line)
        return
    head = f"{line['at'][:19].replace('T', ' ')}  {line['level']:<7} {line['event']}"
    rest = {name: value for name, value in line.items() if name not in ("at", "level", "event")}
    words = [
        f"{name}={','.join(value) if isinstance(value, list) else value}"
        for name, value in rest.items()
    ]
    click.echo("  ".join((head, " ".join(words))).rstrip())

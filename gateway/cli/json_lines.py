"""JSON Lines for a command: a file or standard input, one object per line, exact numbers."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import click
from pydantic import BaseModel

from dipgate.cli.frame import UNUSABLE
from dipgate.core.errors import ConfigError, Place, RecordError

M = TypeVar("M", bound=BaseModel)
F = TypeVar("F", bound=Callable[..., Any])
MAX_LINE = 16_000_000
STANDARD_INPUT = "-"


def line_options(command: F) -> F:
    """What a command over lines takes: the file, the policy, its changes for one run, JSON."""
    for option in (
        click.option("--json", "as_json", is_flag=True, help="每行输出一个 JSON 对象"),
        click.option(
            "--set",
            "sets",
            multiple=True,
            metavar="PATH=VALUE",
            help="只在这一次改一个参数，可写多次",
        ),
        click.option("--policy", "policy_id", required=True, metavar="ID|PATH", help="付费政策"),
        click.argument("file", metavar="[FILE]", required=False, default=STANDARD_INPUT),
    ):
        command = option(command)
    return command


def each_line(model: type[M], file: str, work: Callable[[int, M], None]) -> int:
    """Give every line and its number to `work`; the exit code of the command.

    Blank lines are passed over; one that cannot be read, or is refused by `work`, is told on
    stderr and set aside.
    """
    done = unusable = 0
    with opened(file) as source:
        for number, data in enumerate(source, start=1):
            if not data.strip():
                continue
            try:
                work(number, read_line(model, data, file=file, number=number))
            except RecordError as error:
                unusable += 1
                where = "" if error.place.row is not None else f"{_name(file)} 第{number}行："
                click.echo(f"已搁置：{where}{error}", err=True)
                continue
            done += 1
    if not done and not unusable:
        click.echo("没有读到任何一行", err=True)
    return UNUSABLE if unusable or not done else 0


def print_lacking(
    not_configured: Iterable[str], warnings: Iterable[str], unused: Iterable[str]
) -> None:
    """What a line or the policy lacks, what a person should look at, what was given for nothing."""
    for path in not_configured:
        click.echo(f"  {lacking(path)}")
    for warning in warnings:
        click.echo(f"  [提示] {warning}")
    names = "、".join(unused)
    if names:
        click.echo(f"  没有用到的输入：{names}")


def lacking(path: str) -> str:
    """A missing thing with its owner: the case, the line, the library, or the policy."""
    if path.startswith("case."):
        return f"病例缺少或读不出 {path}"
    if path.startswith("library."):
        return f"{LIBRARY_LACKS.get(path, '目录缺少')} {path}"
    return f"{'输入缺少或不能用' if path.startswith('input.') else '政策缺少参数'} {path}"


LIBRARY_LACKS = {
    "library.score": "目录没有分值",
    "library.average_fee": "目录没有平均费用",
    "library.blank_group": "目录没有空白病组的分值或平均费用",
}
"""What the library does not hold, by the path that scoring names."""


@contextmanager
def opened(file: str) -> Iterator[BinaryIO]:
    """The file, or standard input for `-`."""
    if file == STANDARD_INPUT:
        yield sys.stdin.buffer
        return
    with Path(file).open("rb") as source:
        yield source


def read_line(model: type[M], data: bytes, *, file: str, number: int) -> M:
    """One line → model. RecordError names file, line, field and remedy."""
    from dipgate.config.strict_model import read_model

    name = _name(file)
    place = Place(name, number)
    if len(data) > MAX_LINE:
        raise RecordError("这一行太长", place=place, remedy=f"一行最多 {MAX_LINE} 字节")
    try:
        value = json.loads(
            data.decode("utf-8-sig" if number == 1 else "utf-8"),
            parse_float=Decimal,
            parse_int=_whole,
            object_pairs_hook=_unique,
        )
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, _TwiceError) else "不是合法的 JSON"
        raise RecordError(why, place=place, remedy="每行写一个 JSON 对象，UTF-8 编码") from error
    if not isinstance(value, dict):
        raise RecordError("不是一个 JSON 对象", place=place, remedy="每行写一个 JSON 对象")
    try:
        return read_model(model, value, file="")
    except ConfigError as error:
        what = str(error).lstrip("：").removeprefix(f"{error.path} ")
        place = Place(name, number, error.path)
        raise RecordError(what, place=place, remedy="改正这一行后重新运行") from error


def _name(file: str) -> str:
    return "标准输入" if file == STANDARD_INPUT else Path(file).name


def _whole(text: str) -> int | Decimal:
    """A Decimal where an int would be refused for its length; its reader refuses it in words."""
    return int(text) if len(text) < 1000 else Decimal(text)


class _TwiceError(ValueError):
    """A key stands twice in one object."""


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _TwiceError(f"键 {key!r} 写了两次")
        found[key] = value
    return found

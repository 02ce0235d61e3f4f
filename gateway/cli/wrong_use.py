"""What was wrong with a command line, in one Chinese sentence; click itself speaks English."""

from __future__ import annotations

import re
from difflib import get_close_matches

import click

_CHINESE = re.compile("[\u4e00-\u9fff]")
_EXTRA = re.compile(r"\((?P<what>.*)\)$")


def sentence(error: click.ClickException) -> str:
    """`错误：…（用法见 dipgate group --help）`."""
    context = getattr(error, "ctx", None)
    told = _told(error).rstrip("。")
    path = context.command_path if context is not None else "dipgate"
    return f"错误：{told}（用法见 {path} --help）"


def _told(error: click.ClickException) -> str:
    if isinstance(error, click.NoSuchOption):
        near = f"，是不是想写 {error.possibilities[0]}？" if error.possibilities else ""
        return f"没有选项 {error.option_name}{near}"
    if isinstance(error, click.exceptions.NoSuchCommand):
        return f"没有命令 {error.command_name}{_near(error)}"
    if isinstance(error, click.MissingParameter):
        return f"缺少 {_name(error.param)}"
    if isinstance(error, click.BadParameter):
        return f"{_name(error.param)} {_value(error)}"
    if isinstance(error, click.BadOptionUsage):
        return f"选项 {error.option_name} 后面要写一个值"
    if _CHINESE.search(error.message):
        return error.message
    extra = _EXTRA.search(error.message)
    if isinstance(error, click.UsageError) and "extra argument" in error.message and extra:
        return f"多了 {extra['what']}"
    if isinstance(error, click.UsageError) and "Missing command" in error.message:
        return "还要写一个子命令"
    return f"用法不对：{error.message}"


def _near(error: click.exceptions.NoSuchCommand) -> str:
    context = error.ctx
    group = context.command if context is not None else None
    if context is None or not isinstance(group, click.Group):
        return ""
    found = get_close_matches(error.command_name, group.list_commands(context), n=1)
    return f"，是不是想写 {found[0]}？" if found else ""


def _name(param: click.Parameter | None) -> str:
    if isinstance(param, click.Option):
        return param.opts[0]
    return param.make_metavar(click.Context(click.Command("dipgate"))) if param else "参数"


def _value(error: click.BadParameter) -> str:
    if _CHINESE.search(error.message):
        return error.message
    kind = error.param.type if error.param is not None else None
    if isinstance(kind, click.Choice):
        return f"应为其中之一：{'、'.join(map(str, kind.choices))}"
    if isinstance(kind, click.IntRange | click.FloatRange):
        what = "整数" if isinstance(kind, click.IntRange) else "数"
        return f"应为{_range(kind)}的{what}"
    if isinstance(kind, click.types.IntParamType):
        return "应为整数"
    if isinstance(kind, click.types.FloatParamType):
        return "应为数字"
    return f"不能用：{error.message}"


def _range(kind: click.IntRange | click.FloatRange) -> str:
    low, high = kind.min, kind.max
    words = []
    if low is not None:
        words.append(f"{'大于' if kind.min_open else '不小于'} {low:g}")
    if high is not None:
        words.append(f"{'小于' if kind.max_open else '不大于'} {high:g}")
    return "、".join(words)

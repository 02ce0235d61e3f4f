"""The words of help pages in Chinese; click itself speaks English."""

from __future__ import annotations

import re
from collections.abc import Iterable

import click

_HEADINGS = {"Options": "选项", "Commands": "命令", "Arguments": "参数"}
_USAGE = {"[OPTIONS]": "[选项]", "COMMAND [ARGS]...": "命令 [参数]..."}
_SHOWN = {
    "Show this message and exit.": "显示这段说明",
    "Show the version and exit.": "显示版本",
}
_BROKEN = re.compile("(?<=[\u3000-\u9fff\uff00-\uffef])\n *(?=[\u3000-\u9fff\uff00-\uffef])")
"""A line that ends within a Chinese sentence: joined with a space, it would show a hole."""
_RANGE = re.compile(r"\[(?P<words>[^\[\]]*)\]$")
_RANGE_WORDS = {"default: ": "默认：", "required": "必填", "; ": "；"}


class ChineseHelp(click.HelpFormatter):
    """What click writes around our own texts."""

    def write_usage(self, prog: str, args: str = "", prefix: str | None = None) -> None:
        for word, chinese in _USAGE.items():
            args = args.replace(word, chinese)
        super().write_usage(prog, args, "用法：" if prefix is None else prefix)

    def write_heading(self, heading: str) -> None:
        self.write(f"{'':>{self.current_indent}}{_HEADINGS.get(heading, heading)}：\n")

    def write_text(self, text: str) -> None:
        super().write_text(_BROKEN.sub("", text))

    def write_dl(
        self, rows: Iterable[tuple[str, str]], col_max: int = 30, col_spacing: int = 2
    ) -> None:
        super().write_dl([(name, _shown(text)) for name, text in rows], col_max, col_spacing)


def _shown(text: str) -> str:
    return _RANGE.sub(_range, _SHOWN.get(text, text))


def _range(found: re.Match[str]) -> str:
    words = found["words"]
    for word, chinese in _RANGE_WORDS.items():
        words = words.replace(word, chinese)
    return f"[{words}]"


def speak_chinese() -> None:
    """Help of every command from now on; click has this one place for all of them."""
    click.Context.formatter_class = ChineseHelp

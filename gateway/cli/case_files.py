"""What commands over a file of whole cases share: how the cases are grouped, and reading them."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from dipgate.cli.frame import globals_of
from dipgate.core.errors import Place, RecordError
from dipgate.core.system_words import system_words

Command = Callable[..., int]


def case_options(command: Command) -> Command:
    """The file, and policy, library and level as the command's `names` (BookNames); JSON."""

    @wraps(command)
    def named(*, policy_id: str, library_name: str, level: str, **rest: Any) -> int:
        from dipgate.pipeline.bulk_group_book import BookNames

        held = globals_of(click.get_current_context())
        state, site_file = str(held.existing_state()), str(held.site_file())
        names = BookNames(state, site_file, policy_id, library_name, level)
        return command(names=names, **rest)

    decorated: Command = named
    for option in (
        click.option("--json", "as_json", is_flag=True, help="每个病例输出一个 JSON 对象"),
        click.option(
            "--level",
            metavar="LEVEL",
            default="",
            help="医院等级，按政策的写法（默认：站点文件所写）",
        ),
        click.option(
            "--library",
            "library_name",
            metavar="N@V",
            default="",
            help="DIP 目录，代替政策所写的目录",
        ),
        click.option(
            "--policy",
            "policy_id",
            metavar="ID|PATH",
            default="",
            help="付费政策（默认：站点文件所写）",
        ),
        click.argument("file", metavar="FILE", type=click.Path(path_type=Path)),
    ):
        decorated = option(decorated)
    return decorated


def read_cases(file: Path) -> bytes:
    """A whole file of cases. RecordError when it cannot be read."""
    try:
        return file.read_bytes()
    except OSError as error:
        what, remedy = system_words(error)
        raise RecordError(f"读不了文件：{what}", place=Place(str(file)), remedy=remedy) from error

"""What every command shares: global options, error sentences, output and progress."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import click
import msgspec

from dipgate.cli.help_words import speak_chinese
from dipgate.cli.wrong_use import sentence
from dipgate.core.errors import ConfigError, DipgateError
from dipgate.core.progress import Progress
from dipgate.core.system_words import system_words

F = TypeVar("F", bound=Callable[..., Any])

UNUSABLE = 2
"""Exit code: input or configuration that cannot be used. 1 is kept for "errors found"."""

_ENCODER = msgspec.json.Encoder(decimal_format="string")


@dataclass
class Globals:
    """Global options, given before or after the subcommand; the later one wins."""

    state: Path | None = None
    site: Path | None = None

    def state_dir(self) -> Path:
        """The state folder; ConfigError when none is named."""
        state = self.state or _from_environment("DIPGATE_STATE")
        if state is None:
            raise ConfigError(
                "没有指定状态目录；用 --state 目录 或环境变量 DIPGATE_STATE 指定，"
                "第一次使用先运行 dipgate init",
                path="--state",
            )
        return state

    def existing_state(self) -> Path:
        """The state folder; ConfigError when it is not there: a typing error makes no new one."""
        state = self.state_dir()
        if not state.is_dir():
            raise ConfigError(f"没有状态目录 {state}；先运行 dipgate init", path="--state")
        return state

    def state_if_named(self) -> Path | None:
        """The state folder if one is named: what ships with the product can be used without one.

        ConfigError when one is named and is not there.
        """
        try:
            self.state_dir()
        except ConfigError:
            return None
        return self.existing_state()

    def site_file(self) -> Path:
        """The site file: as named, else `site.toml` in the state folder."""
        site = self.site or _from_environment("DIPGATE_SITE")
        return site if site is not None else self.state_dir() / "site.toml"


def _from_environment(name: str) -> Path | None:
    value = os.environ.get(name)
    return Path(value) if value else None


def _remember(name: str) -> Callable[[click.Context, click.Parameter, str | None], None]:
    def callback(ctx: click.Context, _param: click.Parameter, value: str | None) -> None:
        held = ctx.ensure_object(Globals)
        if value:
            setattr(held, name, Path(value))

    return callback


def global_options(command: F) -> F:
    """`--state` and `--site` for a group or command; read them with `globals_of(ctx)`."""
    for name, help_text in (
        ("site", "站点文件（默认：状态目录下的 site.toml，或 DIPGATE_SITE）"),
        ("state", "状态目录（或 DIPGATE_STATE）"),
    ):
        command = click.option(
            f"--{name}",
            metavar="PATH",
            expose_value=False,
            callback=_remember(name),
            help=help_text,
        )(command)
    return command


def globals_of(ctx: click.Context) -> Globals:
    held: Globals = ctx.ensure_object(Globals)
    return held


def run(command: click.Command) -> int:
    """Run a command; turn our errors, and the system's, into one sentence on stderr and a code."""
    for stream in (sys.stdout, sys.stderr):
        reconfigure = getattr(stream, "reconfigure", None)
        if reconfigure is not None:
            reconfigure(encoding="utf-8", errors="backslashreplace")
    output = sys.stdout
    speak_chinese()
    try:
        code = _finished(command)
        sys.stdout.flush()
    except OSError as error:
        return _system_refused(error)
    except SystemExit:
        # click swallows a broken pipe: it puts wrappers in the place of the streams and exits.
        if sys.stdout is output:
            raise
        return _system_refused(BrokenPipeError())
    return code


def _finished(command: click.Command) -> int:
    try:
        result = command.main(prog_name="dipgate", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return UNUSABLE
    except click.ClickException as error:
        click.echo(sentence(error), err=True)
        return UNUSABLE
    except click.Abort:
        click.echo("已中断", err=True)
        return 130
    except DipgateError as error:
        click.echo(f"错误：{error}", err=True)
        return UNUSABLE
    return result if isinstance(result, int) else 0


def _system_refused(error: OSError) -> int:
    """The exit code for an error of the system, after saying it; nobody hears of a gone reader."""
    output = sys.__stdout__
    if output is not None:
        try:
            output.flush()
        except (OSError, ValueError):
            # What it still holds cannot be written: the end of the process must not try again.
            with suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())
    if isinstance(error, BrokenPipeError):
        return 0
    with suppress(OSError):
        click.echo(f"错误：{_system_words(error)}", err=True)
    return UNUSABLE


def _system_words(error: OSError) -> str:
    place = f"：{os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
    what, remedy = system_words(error)
    return f"{what}{place}；{remedy}"


def print_json(value: Any) -> None:
    """One JSON value on one line of stdout, UTF-8, Decimals as text."""
    click.echo(_ENCODER.encode(value).decode())


@contextmanager
def progress_bar(label: str, *, quiet: bool = False) -> Iterator[Progress]:
    """A progress bar on stderr for work over a second; nothing when stderr is not a terminal."""
    if quiet or not sys.stderr.isatty():
        yield lambda _done, _total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bar

    columns = (TextColumn(label), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Bar(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)

"""What the system refuses is one sentence and exit code 2, never a traceback."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest
from filelock import FileLock

from dipgate.cli.frame import run

Cli = Callable[..., Any]


def _raising(error: BaseException) -> click.Command:
    @click.command()
    def command() -> None:
        raise error

    return command


@pytest.fixture(autouse=True)
def _no_arguments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["dipgate"])


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (PermissionError(errno.EACCES, "Permission denied", "/x/y"), "没有权限：/x/y"),
        (OSError(errno.ENOSPC, "No space left on device", "/x/y"), "磁盘已满：/x/y"),
        (OSError(errno.ENOSPC, "No space left on device"), "磁盘已满"),
        (OSError(errno.EROFS, "Read-only file system", "/x"), "只读的磁盘：/x"),
        (OSError(errno.EIO, "Input/output error"), "磁盘读写出错"),
        (OSError("odd"), "odd"),
    ],
)
def test_an_error_of_the_system_is_one_sentence(
    error: OSError, words: str, capfd: pytest.CaptureFixture[str]
) -> None:
    assert run(_raising(error)) == 2
    said = capfd.readouterr().err
    assert said.startswith("错误：")
    assert words in said
    assert len(said.splitlines()) == 1


def test_other_exits_keep_their_code() -> None:
    with pytest.raises(SystemExit) as ended:
        run(_raising(SystemExit(3)))
    assert ended.value.code == 3


_ECHO = "import sys,click; sys.argv=['x']; from dipgate.cli.frame import run\n"


def _script(body: str, **streams: Any) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _ECHO + body],
        text=True,
        stderr=subprocess.PIPE,
        **streams,
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_output_is_said() -> None:
    with Path("/dev/full").open("w") as full:
        child = _script("sys.exit(run(click.command()(lambda: click.echo('a'))))", stdout=full)
        _, said = child.communicate(timeout=30)
    assert child.returncode == 2
    assert "磁盘已满" in said
    assert len(said.splitlines()) == 1


@pytest.mark.skipif(os.name != "posix", reason="pipes of POSIX")
@pytest.mark.parametrize("how", ["click.echo('a')", "sys.stdout.write('a')"])
def test_a_reader_that_has_gone_is_no_error(how: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    try:
        child = _script(f"sys.exit(run(click.command()(lambda: ({how}, None)[1])))", stdout=writing)
    finally:
        os.close(writing)
    _, said = child.communicate(timeout=30)
    assert (child.returncode, said) == (0, "")


def test_a_state_folder_that_may_not_be_written_is_named(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    assert cli("init", "--state", state).code == 0

    def refused(_self: FileLock, **_kwargs: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(state / ".lock"))

    monkeypatch.setattr(FileLock, "acquire", refused)
    said = cli("init", "--state", state)
    assert said.code == 2
    assert f"状态目录没有写权限：{state}；" in said.err


def test_a_state_folder_that_may_not_be_read_is_named(
    tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state"
    assert cli("init", "--state", state).code == 0
    real = Path.is_file

    def refused(self: Path) -> bool:
        if self.name == "dipgate.sqlite":
            raise PermissionError(errno.EACCES, "Permission denied", str(self))
        return real(self)

    monkeypatch.setattr(Path, "is_file", refused)
    said = cli("queue", "list", "--state", state)
    assert said.code == 2
    assert f"状态目录没有读权限：{state}；" in said.err


def test_a_file_without_cases_is_said(sample_state: Path, tmp_path: Path, cli: Cli) -> None:
    file = tmp_path / "none.json"
    file.write_text("[]")
    for command in ("check", "group"):
        said = cli("--state", sample_state, command, file)
        assert (said.code, "文件里没有病例" in said.err) == (2, True)

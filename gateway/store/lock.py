"""One process per state folder; another one hears by name who holds it."""

from __future__ import annotations

import getpass
import json
import os
import re
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from dipgate.core.clock import wire_time
from dipgate.core.errors import ConfigError
from dipgate.core.system_words import system_sentence

LOCK_NAME = ".lock"
_OWNER_NAME = ".lock.json"
_WORD = re.compile(r"[a-z][a-z-]{0,30}")
_WORDS = 2
"""Command and subcommand; what stands behind them may be anything and is not told."""
_WITH_VALUE = ("--state", "--site")


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a state folder, as the card beside the lock says. `since` is Chinese time."""

    owner: str
    pid: int
    command: str
    host: str
    user: str
    since: str

    def words(self) -> str:
        parts = [f"命令 {self.command}", f"进程 {self.pid}"]
        parts += [f"用户 {self.user}"] if self.user else []
        parts += [f"主机 {self.host}", f"自 {self.since}"]
        more = self.owner.removeprefix(f"dipgate pid {self.pid}").lstrip("，")
        return "，".join([*parts, more] if more else parts)


class StateLock:
    """The lock on a state folder, held until `release`."""

    def __init__(self, state: Path, owner: str, now: datetime) -> None:
        """Take the lock. Raises ConfigError naming who holds it, or why it cannot be taken."""
        self._lock = FileLock(state / LOCK_NAME, thread_local=False)
        self._card = state / _OWNER_NAME
        try:
            self._lock.acquire(timeout=0)
        except Timeout:
            held = holder_of(state)
            raise ConfigError(
                f"状态目录正被另一个进程使用（{held.words() if held else '没有留下进程号'}）；"
                "等它结束，或先停止它，再重试",
                path=str(state / LOCK_NAME),
            ) from None
        except OSError as error:
            raise unusable(state, error, "写") from error
        card = Holder(owner, os.getpid(), command_words(sys.argv), _host(), _user(), wire_time(now))
        try:
            self._card.write_text(json.dumps(asdict(card), ensure_ascii=False), encoding="utf-8")
        except OSError as error:
            self._lock.release()
            raise unusable(state, error, "写") from error

    def release(self) -> None:
        """Give the folder free; may be called twice."""
        if self._lock.is_locked:
            with suppress(OSError):
                self._card.unlink(missing_ok=True)
            self._lock.release()


def holder_of(state: Path) -> Holder | None:
    """Who wrote the card last; None when there is none, or it cannot be read."""
    try:
        held = json.loads((state / _OWNER_NAME).read_text(encoding="utf-8"))
        return Holder(**{name: held[name] for name in Holder.__slots__})
    except (OSError, ValueError, KeyError, TypeError):
        return None


def command_words(arguments: Sequence[str]) -> str:
    """`dipgate serve`: program and subcommands of a command line, without its arguments."""
    name = Path(arguments[0]).stem if arguments else ""
    words = ["dipgate" if name in ("__main__", "-c", "") else name]
    rest = iter(arguments[1:])
    for word in rest:
        if word in _WITH_VALUE:
            next(rest, None)
        elif word.startswith("-"):
            if len(words) > 1:
                break
        elif _WORD.fullmatch(word) and len(words) <= _WORDS:
            words.append(word)
        else:
            break
    return " ".join(words)


def _host() -> str:
    return socket.gethostname()


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return ""


def unusable(state: Path, error: OSError, act: str) -> ConfigError:
    """Why the folder cannot be used for this act (`读`, `写`), and what to do."""
    if isinstance(error, PermissionError):
        return ConfigError(
            f"状态目录没有{act}权限：{state}；用拥有它的系统用户运行，或请管理员修改属主和权限",
            path=str(state),
        )
    return ConfigError(system_sentence(f"不能使用状态目录 {state}", error), path=str(state))

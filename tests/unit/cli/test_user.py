"""`dipgate user`: made, listed, shut out, let in; nothing weak, nothing twice."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

GOOD = "ding-wu-ji-43"

Call = Callable[..., Any]


@pytest.fixture
def user(cli: Call, state: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """`user("add", "jia", …, typed="…")`: the command, with a password on standard input."""

    assert cli("--state", state, "init").code == 0

    def call(*arguments: str, typed: str = "") -> Any:
        monkeypatch.setattr("sys.stdin", io.StringIO(typed))
        return cli("--state", state, "user", *arguments)

    return call


def add(user: Call, login: str, role: str = "coder", password: str = GOOD) -> Any:
    return user(
        "add", login, "--name", "甲", "--role", role, "--password-stdin", typed=f"{password}\n"
    )


def test_a_user_is_made_and_listed(user: Call) -> None:
    assert "user add" in user("list").out
    said = add(user, "jia")
    assert (said.code, GOOD in said.out + said.err) == (0, False)
    assert user("list").out == "jia\t甲\t编码员\t可登录\n"
    listed = json.loads(user("list", "--json").out)
    assert (listed["login"], listed["role"], listed["disabled_at"]) == ("jia", "coder", None)
    assert "password" not in listed


def test_a_random_password_is_shown_once_and_works(user: Call, state: Path) -> None:
    from dipgate.service.clock import SystemClock
    from dipgate.store import accounts, open_store
    from dipgate.web.passwords import Passwords

    said = user("add", "jia", "--name", "甲", "--role", "office", "--random")
    shown = re.search(r"密码（只显示这一次）：(\S{16})$", said.out.strip())
    assert shown
    with open_store(state, SystemClock(), owner="test", read_only=True) as store:
        with store.read() as conn:
            row = accounts.user_by_login(conn, "jia")
    assert row is not None
    assert row.password.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert shown[1] not in row.password
    assert Passwords().matches(row.password, shown[1])
    assert not Passwords().matches(row.password, f"{shown[1]}x")


@pytest.mark.parametrize(
    ("login", "role", "password", "says"),
    [
        ("Jia", "coder", GOOD, "小写字母"),
        ("j", "coder", GOOD, "2–40"),
        ("j" * 41, "coder", GOOD, "2–40"),
        ("../etc", "coder", GOOD, "登录名"),
        ("jia", "root", GOOD, "administrator（系统管理员）"),
        ("jia", "coder", "short-1", "10–128"),
        ("jia", "coder", "my-jia-word-1", "登录名"),
        ("jia", "coder", "", "10–128"),
    ],
)
def test_what_is_refused(user: Call, login: str, role: str, password: str, says: str) -> None:
    said = add(user, login, role, password)
    assert said.code == 2
    assert says in said.err
    assert json.dumps(login) not in user("list", "--json").out


def test_a_log_in_name_is_given_once(user: Call) -> None:
    assert add(user, "jia").code == 0
    said = add(user, "jia")
    assert (said.code, "已经有了" in said.err) == (2, True)


def test_a_password_is_asked_for_only_on_a_terminal(user: Call) -> None:
    said = user("add", "jia", "--name", "甲", "--role", "coder")
    assert said.code == 2
    assert "--password-stdin" in said.err
    both = user("passwd", "jia", "--random", "--password-stdin", typed=GOOD)
    assert (both.code, "只能用一个" in both.err) == (2, True)


def test_shut_out_and_let_in_again(user: Call) -> None:
    add(user, "jia")
    assert "已停用" in user("disable", "jia").out
    assert "停用于" in user("list").out
    assert "本来就是停用的" in user("disable", "jia").out
    assert "已启用" in user("enable", "jia").out
    assert "本来就能登录" in user("enable", "jia").out


def test_the_last_administrator_stays(user: Call) -> None:
    add(user, "xin", "administrator")
    said = user("disable", "xin")
    assert (said.code, "唯一的系统管理员" in said.err) == (2, True)
    add(user, "xin2", "administrator")
    assert user("disable", "xin").code == 0


@pytest.mark.parametrize("act", ["disable", "enable", "passwd"])
def test_an_unknown_user_is_named(user: Call, act: str) -> None:
    more = ("--random",) if act == "passwd" else ()
    said = user(act, "nobody", *more)
    assert (said.code, "没有登录名为 nobody 的用户" in said.err) == (2, True)
    assert "密码（" not in said.out

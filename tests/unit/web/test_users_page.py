"""The administrator's page of users."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Open = Callable[..., Any]


def password_in(text: str) -> str:
    found = re.search(r'的密码：</b><span class="code">(\S{16})</span>', text)
    assert found, text
    return found[1]


def test_a_new_user_gets_a_password_once(browser: Open) -> None:
    admin = browser("administrator")
    made = admin.post("/users/add", {"login": "Ding", "name": "丁", "role": "coder"})
    given = password_in(made.text)
    assert given not in admin.get("/users").text
    assert browser().sign_in("ding", given).status_code == 303


def test_a_refused_user_says_why(browser: Open) -> None:
    admin = browser("administrator")
    for data, says in (
        ({"login": "bian", "name": "丁", "role": "coder"}, "已经有了"),
        ({"login": "a b", "name": "丁", "role": "coder"}, "登录名要"),
        ({"login": "ding", "name": " ", "role": "coder"}, "姓名要"),
        ({"login": "ding", "name": "丁", "role": "root"}, "没有角色 root"),
    ):
        answer = admin.post("/users/add", data)
        assert answer.status_code == 422
        assert says in answer.text


def test_a_new_password_ends_the_sessions_of_that_user(browser: Open) -> None:
    coder, admin = browser("coder"), browser("administrator")
    given = password_in(admin.post("/users/bian/password").text)
    assert coder.get("/account").status_code == 303
    assert browser().sign_in("bian").status_code == 401
    assert browser().sign_in("bian", given).status_code == 303
    own = admin.post("/users/xinxi/password")
    assert (own.status_code, "我的账号" in own.text) == (422, True)


def test_shut_out_at_once_and_let_in_again(browser: Open) -> None:
    coder, admin = browser("coder"), browser("administrator")
    assert admin.post("/users/bian/disable").status_code == 303
    assert coder.get("/account").status_code == 303
    assert browser().sign_in("bian").status_code == 401
    assert admin.post("/users/bian/enable").status_code == 303
    assert browser().sign_in("bian").status_code == 303
    assert "不能停用自己" in admin.post("/users/xinxi/disable").text


def test_a_new_role_holds_from_the_next_log_in(browser: Open) -> None:
    coder, admin = browser("coder"), browser("administrator")
    assert admin.post("/users/bian/role", {"role": "administrator"}).status_code == 303
    assert coder.get("/account").status_code == 303
    coder.sign_in("bian")
    assert coder.get("/users").status_code == 200
    # Two administrators now; the other one may go, the last may not.
    assert coder.post("/users/xinxi/disable").status_code == 303
    last = coder.post("/users/bian/role", {"role": "coder"})
    assert (last.status_code, "唯一的系统管理员" in last.text) == (422, True)


def test_unknown_users_are_no_errors_of_ours(browser: Open) -> None:
    admin = browser("administrator")
    for act in ("password", "disable", "enable", "role"):
        answer = admin.post(f"/users/nobody/{act}", {"role": "coder"})
        assert answer.status_code == 422, act
        assert "没有登录名为 nobody" in answer.text

"""The frame in front of and behind every page: log-in, sessions, headers, errors, navigation."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from flask import Flask, Response

from dipgate.core.clock import FixedClock
from dipgate.core.errors import ConfigError, RetryLater
from dipgate.pipeline.desk import Desk
from dipgate.security.eventlog import JsonLines
from dipgate.store import StoreUnavailable, accounts, audit
from dipgate.web.app import CSP, HEADERS
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.passwords import Passwords
from dipgate.web.routes import page_modules, route
from dipgate.web.session import BEFORE, COOKIE

PASSWORD = "jia-yi-bing-42"  # noqa: S105
CANARY = "张三丰 110101199003077758"

Open = Callable[..., Any]


def sample_pages() -> ModuleType:
    """Pages that fail in every way a page can."""
    module = ModuleType("sample_pages")

    @route("/sample", needs=Permission.LISTS_VIEW)
    def show(page: Page) -> str:
        page.remember("filter", page.args.get("keep", page.recall("filter")))
        return f"kept={page.recall('filter')}"

    @route("/sample/save", needs=Permission.LISTS_EDIT, methods=("POST",), fragment=True)
    def save(page: Page) -> str:
        return f"saved by {page.actor}"

    @route("/sample/fail/<kind>", needs=Permission.LISTS_VIEW)
    def fail(page: Page, kind: str) -> Response:
        if kind == "said":
            return page.error(409, "没有保存：别人刚改过。", "看两份差别。")
        if kind == "in_place":
            return page.error(409, "没有保存。", in_place=True)
        raise {
            "bug": ValueError(CANARY),
            "disk": StoreUnavailable(CANARY),
            "busy": RetryLater(CANARY),
            "config": ConfigError(CANARY),
        }[kind]

    @route("/sample/away", needs=Permission.LISTS_VIEW)
    def away(page: Page) -> Response:
        return page.redirect("/sample")

    for view in (show, save, fail, away):
        view.__module__ = module.__name__
        setattr(module, view.__name__, view)
    return module


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(modules=[*page_modules(), sample_pages()])


def acts(desk: Desk) -> list[str]:
    with desk.store.read() as conn:
        rows = audit.rows(conn)
    return [row.act for row in rows if row.act.startswith(("user.", "access."))]


# log-in


def test_a_stranger_is_sent_to_the_log_in_and_back(browser: Open) -> None:
    stranger = browser()
    answer = stranger.get("/sample?keep=1")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/login?next=%2Fsample%3Fkeep%3D1"
    token = re.search(r'name="csrf" value="([^"]+)"', stranger.get("/login").text)
    assert token
    data = {"login": "bian", "password": PASSWORD, "csrf": token[1], "next": "/sample?keep=1"}
    assert stranger.post("/login", data).headers["Location"] == "/sample?keep=1"


@pytest.mark.parametrize(
    "target",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "/login", "/nowhere", "x", ""],
)
def test_the_log_in_leads_nowhere_else(browser: Open, target: str) -> None:
    stranger = browser()
    token = re.search(r'name="csrf" value="([^"]+)"', stranger.get("/login").text)
    assert token
    data = {"login": "bian", "password": PASSWORD, "csrf": token[1], "next": target}
    assert stranger.post("/login", data).headers["Location"] == "/"


def test_the_cookie_is_locked_to_this_host(browser: Open) -> None:
    stranger = browser()
    answer = stranger.sign_in("bian")
    cookie = next(
        line for line in answer.headers.getlist("Set-Cookie") if line.startswith(f"{COOKIE}=")
    )
    flags = {part.strip() for part in cookie.split(";")[1:]}
    assert flags == {"Secure", "HttpOnly", "Path=/", "SameSite=Strict"}


def test_the_table_holds_only_a_hash(browser: Open, desk: Desk) -> None:
    opened = browser("coder")
    cookie = opened.client.get_cookie(COOKIE, domain="localhost")
    assert cookie is not None
    assert len(cookie.value) == 43
    with desk.store.read() as conn:
        rows = conn.exec_driver_sql("SELECT id_hash FROM sessions").all()
    assert len(rows) == 1
    assert re.fullmatch(r"[0-9a-f]{64}", rows[0][0])
    assert cookie.value not in str(rows)


def test_a_log_in_makes_a_new_id_and_drops_the_old_one(browser: Open) -> None:
    opened = browser("coder")
    old = opened.client.get_cookie(COOKIE, domain="localhost").value
    opened.post("/logout", {})
    opened.client.set_cookie(COOKIE, old, domain="localhost", secure=True)
    assert opened.get("/sample").status_code == 303
    again = browser("coder")
    before = again.client.get_cookie(COOKIE, domain="localhost").value
    form = again.client
    # A log-in over a live session replaces it, so a planted id is worth nothing.
    token = "t" * 32
    form.set_cookie(BEFORE, token, domain="localhost", secure=True)
    answer = again.post("/login", {"login": "bian", "password": PASSWORD}, X_CSRF_Token=token)
    assert answer.status_code == 303
    after = form.get_cookie(COOKIE, domain="localhost").value
    assert after != before
    form.set_cookie(COOKIE, before, domain="localhost", secure=True)
    assert again.get("/sample").status_code == 303


def test_wrong_name_and_wrong_password_sound_alike(browser: Open, desk: Desk) -> None:
    wrong = [browser().sign_in(login, "wrong-wrong-1") for login in ("bian", "nobody")]
    assert [answer.status_code for answer in wrong] == [401, 401]
    said = [re.search(r'<p class="say">(.*?)</p>', answer.text)[1] for answer in wrong]  # type: ignore[index]
    assert said == ["登录名或密码不对，还能试 4 次。"] * 2
    assert acts(desk).count("user.sign_in_failed") == 2


# lock-out


def test_five_failures_lock_for_half_an_hour(browser: Open, clock: FixedClock) -> None:
    stranger = browser()
    said = [stranger.sign_in("bian", f"wrong-{n}").text for n in range(5)]
    assert "已经错了 5 次" in said[-1]
    assert "试错太多，12:30 以后再试" in stranger.sign_in("bian").text
    clock.advance(29 * 60)
    assert stranger.sign_in("bian").status_code == 401
    clock.advance(61)
    assert stranger.sign_in("bian").status_code == 303


def test_a_lock_survives_a_restart(browser: Open, desk: Desk, clock: FixedClock) -> None:
    stranger = browser()
    for n in range(5):
        stranger.sign_in("bian", f"wrong-{n}")
    desk.store.close()
    from dipgate.store import open_store

    with open_store(desk.store.state, clock, owner="again") as store:
        admission = store.write(
            lambda conn: accounts.admit(conn, login="bian", address="x", now=clock.now())
        )
    assert not admission.allowed


def test_a_good_log_in_forgets_earlier_failures(browser: Open) -> None:
    stranger = browser()
    for _ in range(3):
        for n in range(4):
            assert stranger.sign_in("bian", f"wrong-{n}").status_code == 401
        assert stranger.sign_in("bian").status_code == 303
        stranger.client.delete_cookie(COOKIE, domain="localhost")


def test_parallel_guesses_cannot_outrun_the_lock(
    browser: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    reached: list[str] = []

    def counted(self: Passwords, encoded: str | None, password: str) -> bool:
        del self, encoded
        reached.append(password)
        return False

    monkeypatch.setattr(Passwords, "matches", counted)
    browsers = [browser() for _ in range(12)]
    threads = [
        threading.Thread(target=opened.sign_in, args=("bian", f"guess-{n}"))
        for n, opened in enumerate(browsers)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reached) == 5


def test_one_address_cannot_try_many_accounts(desk: Desk, clock: FixedClock) -> None:
    def admit(number: int) -> bool:
        return desk.store.write(
            lambda conn: accounts.admit(
                conn, login=f"user{number}", address="10.0.0.9", now=clock.now()
            )
        ).allowed

    allowed = [admit(number) for number in range(40)]
    assert allowed == [True] * accounts.ADDRESS_TRIES + [False] * (40 - accounts.ADDRESS_TRIES)


# how long a session lives, and what ends it


def test_idle_ends_a_session_and_use_keeps_it(browser: Open, clock: FixedClock) -> None:
    opened = browser("coder")
    for _ in range(5):
        clock.advance(14 * 60)
        assert opened.get("/sample").status_code == 200
    clock.advance(15 * 60)
    answer = opened.get("/sample")
    assert answer.status_code == 303
    assert "expired=1" in answer.headers["Location"]


def test_a_page_that_refreshes_itself_keeps_nobody_signed_in(
    browser: Open, clock: FixedClock
) -> None:
    opened = browser("coder")
    for _ in range(14):
        clock.advance(60)
        assert opened.get("/sample", X_Dipgate_Poll="1").status_code == 200
    clock.advance(61)
    assert opened.get("/sample", X_Dipgate_Poll="1").status_code == 303


def test_eight_hours_end_a_session_however_busy(browser: Open, clock: FixedClock) -> None:
    opened = browser("coder")
    for _ in range(47):
        clock.advance(10 * 60)
        assert opened.get("/sample").status_code == 200
    clock.advance(10 * 60)
    assert opened.get("/sample").status_code == 303


def test_a_new_password_ends_every_session(browser: Open) -> None:
    here, there = browser("coder"), browser("coder")
    new = "ding-wu-ji-43"
    answer = here.post("/account/password", {"old": PASSWORD, "new": new, "repeat": new})
    assert answer.headers["Location"] == "/login?changed=1"
    assert here.get("/sample").status_code == 303
    assert there.get("/sample").status_code == 303
    assert browser().sign_in("bian").status_code == 401
    assert browser().sign_in("bian", new).status_code == 303


@pytest.mark.parametrize(
    ("old", "new", "repeat", "says"),
    [
        ("wrong-old-1", "ding-wu-ji-43", "ding-wu-ji-43", "现在的密码不对"),
        (PASSWORD, "ding-wu-ji-43", "ding-wu-ji-44", "不一样"),
        (PASSWORD, PASSWORD, PASSWORD, "和现在的一样"),
        (PASSWORD, "short-1", "short-1", "10–128 个字符"),
        (PASSWORD, "aaaaaaaaaaaa1", "aaaaaaaaaaaa1", "太简单"),
        (PASSWORD, "abcdefghijkl", "abcdefghijkl", "太简单"),
        (PASSWORD, "my-bian-pass-1", "my-bian-pass-1", "登录名"),
        (PASSWORD, "x" * 129, "x" * 129, "10–128"),
    ],
)
def test_a_bad_new_password_changes_nothing(
    browser: Open, old: str, new: str, repeat: str, says: str
) -> None:
    opened = browser("coder")
    answer = opened.post("/account/password", {"old": old, "new": new, "repeat": repeat})
    assert answer.status_code == 422
    assert says in answer.text
    assert opened.get("/sample").status_code == 200
    assert browser().sign_in("bian").status_code == 303


def test_changing_the_password_cannot_be_used_to_guess_it(browser: Open) -> None:
    opened = browser("coder")
    data = {"new": "ding-wu-ji-43", "repeat": "ding-wu-ji-43"}
    for n in range(5):
        opened.post("/account/password", data | {"old": f"wrong-old-{n}"})
    answer = opened.post("/account/password", data | {"old": PASSWORD})
    assert "试错太多" in answer.text
    assert browser().sign_in("bian").status_code == 401


def test_what_is_remembered_belongs_to_one_browser(browser: Open) -> None:
    here, there = browser("coder"), browser("coder")
    assert here.get("/sample?keep=骨科").text == "kept=骨科"
    assert here.get("/sample").text == "kept=骨科"
    assert there.get("/sample").text == "kept="


# forged requests


def test_a_post_without_the_token_does_nothing(browser: Open) -> None:
    opened = browser("coder")
    token = opened.csrf
    assert opened.post("/sample/save").text == "saved by bian"
    for wrong in ("", "x" * 43, token[:-1]):
        opened.csrf = wrong
        answer = opened.post("/sample/save", {"csrf": wrong})
        assert answer.status_code == 403, wrong
        assert "saved" not in answer.text
    opened.csrf = ""
    assert opened.post("/sample/save", {"csrf": token}).status_code == 200
    other = browser("coder")
    opened.csrf = other.csrf
    assert opened.post("/sample/save").status_code == 403


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
def test_a_post_from_another_site_does_nothing(browser: Open, site: str) -> None:
    opened = browser("coder")
    assert opened.post("/sample/save", Sec_Fetch_Site=site).status_code == 403
    assert opened.post("/sample/save", Sec_Fetch_Site="same-origin").status_code == 200


def test_a_log_in_cannot_be_forged(browser: Open) -> None:
    stranger = browser()
    answer = stranger.post("/login", {"login": "bian", "password": PASSWORD, "csrf": "x"})
    assert answer.status_code == 403
    assert not [held for held in answer.headers.getlist("Set-Cookie") if f"{COOKIE}=" in held]


def test_a_log_in_form_that_lost_its_token_comes_again(browser: Open) -> None:
    """Two first answers at once bring two tokens; the form may hold the one that lost."""
    person = browser()
    person.get("/login")
    stale = {"login": "bian", "password": PASSWORD, "csrf": "x" * 32, "next": "/queue"}
    answer = person.post("/login", stale)
    assert answer.status_code == 403
    assert "请再登录一次" in answer.text
    assert 'value="bian"' in answer.text
    assert PASSWORD not in answer.text
    token = re.search(r'name="csrf" value="([^"]+)"', answer.text)
    assert token is not None
    answer = person.post("/login", stale | {"csrf": token.group(1)})
    assert answer.status_code == 303
    assert answer.headers["Location"].endswith("/queue")


def test_a_late_answer_takes_no_new_session_away(browser: Open) -> None:
    """A fragment asked before the log-in may be answered after it."""
    late = browser().post("/sample/save", htmx=True)
    assert late.status_code == 401
    assert not [held for held in late.headers.getlist("Set-Cookie") if f"{COOKIE}=" in held]


# a session that ends while somebody types


def test_a_fragment_asks_to_log_in_again_in_the_notice_line(
    browser: Open, clock: FixedClock
) -> None:
    opened = browser("coder")
    clock.advance(3600)
    answer = opened.post("/sample/save", {"value": "typed"}, htmx=True)
    assert answer.status_code == 401
    assert answer.headers["HX-Retarget"] == "#notice"
    assert "输入的内容还在原处" in answer.text
    token = re.search(r'name="csrf" value="([^"]+)"', answer.text)
    assert token
    data = {"login": "bian", "password": "wrong-wrong-1", "csrf": token[1]}
    opened.csrf = token[1]
    wrong = opened.post("/login/again", data, htmx=True)
    assert (wrong.status_code, wrong.headers["HX-Retarget"]) == (401, "#notice")
    right = opened.post("/login/again", data | {"password": PASSWORD}, htmx=True)
    assert right.status_code == 200
    opened.csrf = right.headers["X-CSRF-Token"]
    assert opened.post("/sample/save", htmx=True).text == "saved by bian"


# headers and errors


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/sample", 200),
        ("/sample/away", 303),
        ("/nowhere", 404),
        ("/sample/save", 405),
        ("/users", 403),
        ("/sample/fail/bug", 500),
        ("/sample/fail/disk", 503),
        ("/static/base.css", 200),
        ("/static/../app.py", 404),
        ("/static/%2e%2e/app.py", 404),
        ("/static/README.md", 404),
    ],
)
def test_every_answer_carries_the_headers(browser: Open, path: str, status: int) -> None:
    answer = browser("coder").get(path)
    assert answer.status_code == status
    nonce = re.search(r"script-src 'nonce-([\w-]+)'", answer.headers["Content-Security-Policy"])
    assert nonce
    assert answer.headers["Content-Security-Policy"] == CSP.format(nonce=nonce[1])
    for name, value in HEADERS.items():
        assert answer.headers[name] == value
    if not path.startswith("/static/base"):
        assert answer.headers["Cache-Control"] == "no-store"
    for used in re.findall(r'nonce="([^"]*)"', answer.text):
        assert used == nonce[1]


def test_a_nonce_is_used_once(browser: Open) -> None:
    opened = browser("coder")
    first, second = (opened.get("/account").headers["Content-Security-Policy"] for _ in range(2))
    assert first != second


def test_static_files_are_kept_by_the_browser_under_their_content(browser: Open) -> None:
    stranger = browser()
    page = stranger.get("/login").text
    found = re.findall(r'(?:src|href)="(/static/[^"]+)"', page)
    assert len(found) == 7
    for address in found:
        answer = stranger.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["Cache-Control"]
    assert stranger.get("/static/base.css?v=old").headers["Cache-Control"] == "no-cache"


@pytest.mark.parametrize("htmx", [False, True])
@pytest.mark.parametrize("kind", ["bug", "disk", "busy", "config"])
def test_an_error_shows_an_id_and_nothing_else(
    browser: Open, caplog: pytest.LogCaptureFixture, kind: str, htmx: bool
) -> None:
    with caplog.at_level(logging.DEBUG):
        answer = browser("coder").get(f"/sample/fail/{kind}", htmx=htmx)
    shown = re.search(r"编号 ([0-9a-f]{8})", answer.text)
    assert shown
    shown_as = JsonLines()
    logged = "\n".join(shown_as.format(record) for record in caplog.records)
    assert f'"id": "{shown[1]}"' in logged
    for word in (*CANARY.split(), "Traceback", "ValueError"):
        assert word not in answer.text
    for word in CANARY.split():
        assert word not in logged
    assert ("<html" in answer.text) is not htmx
    assert answer.headers.get("HX-Retarget") == ("#notice" if htmx else None)


def test_an_error_may_stand_where_the_act_was(browser: Open) -> None:
    opened = browser("coder")
    said = opened.get("/sample/fail/said", htmx=True)
    assert (said.status_code, said.headers["HX-Retarget"]) == (409, "#notice")
    assert "别人刚改过" in said.text
    assert "HX-Retarget" not in opened.get("/sample/fail/in_place", htmx=True).headers


def test_a_redirect_works_from_a_fragment_too(browser: Open) -> None:
    opened = browser("coder")
    assert opened.get("/sample/away").headers["Location"] == "/sample"
    answer = opened.get("/sample/away", htmx=True)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (204, "/sample")


def test_a_form_that_is_too_large_is_refused(browser: Open) -> None:
    opened = browser("coder")
    data = {"csrf": opened.csrf, "value": "x" * 3_000_000}
    opened.csrf = ""
    answer = opened.post("/sample/save", data, htmx=True)
    assert answer.status_code == 413
    assert "太大" in answer.text


# what the head shows


def test_the_head_names_hospital_mode_person_and_time(browser: Open) -> None:
    page = browser("coder").get("/account").text
    for words in ("示例市第一人民医院", "只看，不上传", "编码员 bian 甲", "6 月 16 日 12:00"):
        assert words in page


def test_each_role_sees_its_own_navigation(browser: Open) -> None:
    users = [
        'href="/users"' in browser(role).get("/account").text
        for role in ("coder", "office", "administrator")
    ]
    assert users == [False, False, True]


def test_a_refused_page_is_audited(browser: Open, desk: Desk) -> None:
    answer = browser("coder").get("/users")
    assert answer.status_code == 403
    assert "您的角色不能管理用户" in answer.text
    assert "access.refused" in acts(desk)

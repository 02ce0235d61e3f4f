"""Log in, log in again without losing what was typed, log out."""

from __future__ import annotations

import re
import secrets

from flask import Response, current_app
from werkzeug.exceptions import HTTPException
from werkzeug.routing import RequestRedirect

from dipgate.store import accounts
from dipgate.store.accounts import UserRow
from dipgate.web.filters import short_time
from dipgate.web.guard import Permission, role_of
from dipgate.web.page import Page, navigation
from dipgate.web.passwords import Passwords
from dipgate.web.routes import route
from dipgate.web.session import BEFORE, Sessions, clear_cookie, set_cookie
from dipgate.web.statics import StaticFile


@route("/static/<path:name>", needs=Permission.PUBLIC)
def static_file(page: Page, name: str) -> Response:
    """A file of ours by its exact name; the browser keeps it: its address names its content."""
    found: StaticFile | None = current_app.extensions["dipgate_static"].get(name)
    if found is None:
        return page.error(404, "没有这个文件。")
    answer = Response(found.data, content_type=found.media_type)
    fresh = page.args.get("v") == found.version
    answer.headers["Cache-Control"] = "public, max-age=31536000, immutable" if fresh else "no-cache"
    return answer


@route("/", needs=Permission.ACCOUNT)
def start(page: Page) -> Response:
    """The first page that this person's role opens."""
    entries = navigation(page)
    return page.redirect(entries[0]["path"] if entries else "/account")


@route("/login", needs=Permission.PUBLIC)
def form(page: Page) -> Response:
    if page.session is not None:
        return page.redirect(_target(page.args.get("next", "")))
    notes = {
        "expired": "15 分钟没有操作，或登录满 8 小时，请重新登录。",
        "changed": "密码已改，请用新密码登录。",
        "out": "已退出。",
    }
    note = next((text for key, text in notes.items() if key in page.args), "")
    return _form(page, note=note, target=page.args.get("next", ""))


@route("/login", needs=Permission.PUBLIC, methods=("POST",))
def submit(page: Page) -> Response:
    target = page.form.get("next", "")
    user, sentence = _try(page)
    if user is None:
        return _form(page, problem=sentence, target=target, status=401)
    token, _csrf = _sessions().start(user, page.request)
    answer = page.redirect(_target(target))
    set_cookie(answer, token)
    clear_cookie(answer, name=BEFORE)
    return answer


@route("/login/again", needs=Permission.PUBLIC, methods=("POST",), fragment=True)
def again(page: Page) -> Response:
    """Log in from the notice line; the page stays, with all that was typed in it."""
    user, sentence = _try(page)
    if user is None:
        return again_fragment(page, problem=sentence)
    token, csrf = _sessions().start(user, page.request)
    answer = Response(page.render("login_done.html", user=user), content_type="text/html")
    answer.headers["X-CSRF-Token"] = csrf
    set_cookie(answer, token)
    clear_cookie(answer, name=BEFORE)
    return answer


@route("/logout", needs=Permission.ACCOUNT, methods=("POST",))
def logout(page: Page) -> Response:
    if page.session is not None:
        _sessions().end(page.session)
    answer = page.redirect("/login?out=1")
    clear_cookie(answer)
    return answer


def log_in_anew(page: Page) -> Response:
    """A log-in whose form has lost its token: the form again, with the name that was typed.

    Two answers that come at once each bring a token when the browser had none yet; the form that
    was drawn first then holds the older one. Nobody signs in by it, and nobody stands at a wall.
    """
    problem = "登录页放得太久，请再登录一次。"
    if page.fragment or page.is_fragment:
        return again_fragment(page, problem=problem)
    return _form(page, problem=problem, target=page.form.get("next", ""), status=403)


def again_fragment(page: Page, *, problem: str = "") -> Response:
    """The log-in in the notice line, for a session that ended while somebody was typing.

    The cookie of the ended session stays: an answer that is late would take away a new one.
    """
    token = _form_token(page)
    html = page.render("login_again.html", token=token, problem=problem)
    answer = Response(html, status=401, content_type="text/html; charset=utf-8")
    answer.headers["HX-Retarget"] = "#notice"
    answer.headers["HX-Reswap"] = "innerHTML"
    set_cookie(answer, token, name=BEFORE)
    return answer


def _form(
    page: Page, *, note: str = "", problem: str = "", target: str = "", status: int = 200
) -> Response:
    token = _form_token(page)
    html = page.render(
        "login.html",
        token=token,
        note=note,
        problem=problem,
        target=target,
        login=page.form.get("login", "")[: accounts.LOGIN_LENGTH],
    )
    answer = Response(html, status=status, content_type="text/html; charset=utf-8")
    set_cookie(answer, token, name=BEFORE)
    return answer


def _form_token(page: Page) -> str:
    """The token of this browser's log-in forms; the same for two tabs, new after each log-in."""
    kept = page.request.cookies.get(BEFORE, "")
    return kept if re.fullmatch(r"[\w-]{32}", kept, re.ASCII) else secrets.token_urlsafe(24)


def _try(page: Page) -> tuple[UserRow | None, str]:
    """One try with the form's name and password → (user, "") or (None, sentence)."""
    login = page.form.get("login", "").strip().lower()
    password = page.form.get("password", "")
    if not login or not password:
        return None, "请填写登录名和密码。"
    store, now = page.desk.store, page.now
    address = page.request.remote_addr or ""
    admission = store.write(
        lambda conn: accounts.admit(conn, login=login, address=address, now=now)
    )
    if not admission.allowed:
        return (
            None,
            f"试错太多，{short_time(admission.locked_until)} 以后再试，或请系统管理员重设密码。",
        )
    with store.read() as conn:
        user = accounts.user_by_login(conn, login)
    passwords: Passwords = current_app.extensions["dipgate_passwords"]
    right = passwords.matches(user.password if user else None, password)
    if user is not None and right and user.disabled_at is None and role_of(user.role):
        return user, ""
    left = store.write(
        lambda conn: accounts.note_failure(conn, login=login, address=address, now=now)
    )
    if left == 0:
        return None, "登录名或密码不对。已经错了 5 次，30 分钟以后再试。"
    return None, f"登录名或密码不对，还能试 {left} 次。"


def _target(path: str) -> str:
    """Where to go after the log-in: a page of ours that can be opened, else the start page."""
    if not path.startswith("/") or path.startswith(("//", "/\\", "/login")):
        return "/"
    router = current_app.url_map.bind("localhost")
    try:
        router.match(path.partition("?")[0], method="GET")
    except (HTTPException, RequestRedirect):
        return "/"
    return path


def _sessions() -> Sessions:
    found: Sessions = current_app.extensions["dipgate_sessions"]
    return found

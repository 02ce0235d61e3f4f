"""The web application: guards in front of every view, headers behind every answer."""

from __future__ import annotations

import logging
import os
import secrets
import traceback
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import urlencode

import jinja2
from flask import Flask, Request, Response, g, make_response, request
from werkzeug.exceptions import HTTPException

from dipgate.core.errors import ConfigError, DipgateError, RetryLater
from dipgate.core.events import LogEvent
from dipgate.security.eventlog import log
from dipgate.store import StoreUnavailable, accounts
from dipgate.store.accounts import SessionRow
from dipgate.web import page as pages
from dipgate.web.context import WebContext
from dipgate.web.filters import FILTERS
from dipgate.web.guard import SERVICE, Permission
from dipgate.web.navigation import counts_of
from dipgate.web.page import Page, error_answer, error_id
from dipgate.web.pages.login import again_fragment, log_in_anew
from dipgate.web.passwords import Passwords
from dipgate.web.routes import Route, page_modules, routes_of
from dipgate.web.service import Gate, serve
from dipgate.web.session import BEFORE, COOKIE, Sessions, clear_cookie, same_token
from dipgate.web.statics import load_static

CSP = (
    "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'; object-src 'none'; require-trusted-types-for 'script'"
)
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Strict-Transport-Security": "max-age=31536000",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}
CSRF_HEADER = "X-CSRF-Token"
CSRF_FIELD = "csrf"
LARGEST_FORM = 2_000_000


@dataclass(frozen=True, slots=True)
class Weakened:
    """Protections switched off by the canaries of the security tests, and nowhere else."""

    escaping: bool = True
    policy: bool = True


STRONG = Weakened()
DEVELOPMENT = "DIPGATE_DEV"


def create_app(
    web: WebContext,
    *,
    instance: Path,
    hosts: Sequence[str] = (),
    modules: Iterable[ModuleType] | None = None,
    weakened: Weakened = STRONG,
) -> Flask:
    """The application over an opened desk. `instance` is a folder of ours; nothing is read there.

    `hosts`: the only host names answered (empty: any, the proxy decides). Raises ConfigError when
    a view does not declare what it needs, or a path may not be public. `weakened` is refused
    outside of tests: nothing that serves passes it, and it needs `DIPGATE_DEV=1`.
    """
    if weakened != STRONG and os.environ.get(DEVELOPMENT) != "1":
        raise ConfigError("不能关掉网页的保护：这只用于安全测试", path=DEVELOPMENT)
    app = Flask(
        "dipgate.web",
        instance_path=str(instance.resolve()),
        static_folder=None,
        template_folder="templates",
    )
    app.config.update(
        MAX_CONTENT_LENGTH=LARGEST_FORM,
        MAX_FORM_MEMORY_SIZE=LARGEST_FORM,
        TRUSTED_HOSTS=list(hosts) or None,
    )
    app.jinja_env.autoescape = weakened.escaping
    app.jinja_env.undefined = jinja2.StrictUndefined
    app.jinja_env.trim_blocks = True
    app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(FILTERS)
    searched = page_modules() if modules is None else tuple(modules)
    declared = routes_of(searched)
    files = load_static()
    sessions = Sessions(web.desk.store, web.clock)
    app.extensions.update(
        dipgate_web=web,
        dipgate_sessions=sessions,
        dipgate_passwords=Passwords(),
        dipgate_static=files,
        dipgate_routes=declared,
        dipgate_paths=frozenset(item.path for item in declared if "GET" in item.methods),
        dipgate_counts=counts_of(searched),
    )
    app.jinja_env.globals.update(
        static=lambda name: f"/static/{name}?v={files[name].version}",
        navigation=pages.navigation,
        header=pages.header,
    )
    app.context_processor(pages.frame_values)
    gate = Gate(web.clock)
    for item in declared:
        app.add_url_rule(
            item.path,
            endpoint=item.endpoint,
            view_func=_for_systems(web, gate, item)
            if item.needs in SERVICE
            else _guarded(web, sessions, item),
            methods=list(item.methods),
        )
    app.before_request(_prepare)
    app.before_request(partial(_follow, web))
    app.after_request(partial(_finish, policy=weakened.policy))
    app.register_error_handler(HTTPException, lambda error: _http_error(web, sessions, error))
    app.register_error_handler(Exception, lambda error: _failed(web, error))
    return app


def _prepare() -> None:
    g.nonce = secrets.token_urlsafe(18)


def _follow(web: WebContext) -> None:
    """A page sees the catalogues that were imported since the process began."""
    # A damaged file must not shut the desk; the next reading and the health page tell of it.
    if not request.path.startswith("/static/"):
        with suppress(ConfigError):
            web.desk.follow()


def _finish(answer: Response, *, policy: bool) -> Response:
    if policy:
        nonce = g.get("nonce") or secrets.token_urlsafe(18)
        answer.headers["Content-Security-Policy"] = CSP.format(nonce=nonce)
    for name, value in HEADERS.items():
        answer.headers[name] = value
    answer.headers.setdefault("Cache-Control", "no-store")
    answer.headers.pop("Server", None)
    return answer


def _guarded(web: WebContext, sessions: Sessions, item: Route) -> Callable[..., Response]:
    """The view behind its guards: session, CSRF, permission; in this order, default is no."""

    def guarded(**arguments: Any) -> Response:
        session = None if item.path.startswith("/static/") else sessions.find(request)
        page = Page(web, _real_request(), session, item.fragment)
        g.page = page
        public = item.needs is Permission.PUBLIC
        if not public and session is None:
            return sign_in_first(page)
        if request.method not in ("GET", "HEAD") and not _from_our_page(page, public=public):
            if public:
                return log_in_anew(page)
            return error_answer(
                page, 403, "没有保存：这个页面太旧，或不是从本系统打开的。", "刷新页面后再做一次。"
            )
        if not public and not page.may(item.needs):
            return _refused(page, item)
        return make_response(item.view(page, **arguments))

    return guarded


def _for_systems(web: WebContext, gate: Gate, item: Route) -> Callable[..., Response]:
    """The view behind the guards of systems: token, rate, room. No cookie, so no CSRF."""

    def guarded(**arguments: Any) -> Response:
        return serve(web, gate, _real_request(), lambda call: item.view(call, **arguments))

    return guarded


def _real_request() -> Request:
    """The request itself, not flask's stand-in: closures run in the store's writing thread."""
    found: Request = request._get_current_object()  # type: ignore[attr-defined]
    return found


def _from_our_page(page: Page, *, public: bool) -> bool:
    if page.request.headers.get("Sec-Fetch-Site", "same-origin") not in ("same-origin", "none"):
        return False
    given = page.request.headers.get(CSRF_HEADER) or page.form.get(CSRF_FIELD, "")
    if public:
        expected = page.request.cookies.get(BEFORE, "")
    else:
        expected = page.session.csrf if page.session is not None else ""
    return same_token(expected, given)


def _refused(page: Page, item: Route) -> Response:
    actor, now = page.actor, page.now
    page.desk.store.write(
        lambda conn: accounts.note_refused(conn, actor=actor, endpoint=item.endpoint, now=now)
    )
    return error_answer(
        page, 403, f"您的角色不能{item.needs.value}。", "需要的话，请系统管理员调整角色。"
    )


def sign_in_first(page: Page) -> Response:
    """Nobody is signed in: a whole page goes to the log-in; a fragment asks in the notice line."""
    expired = COOKIE in page.request.cookies
    if page.fragment or page.is_fragment:
        return again_fragment(page)
    target = page.request.full_path.rstrip("?") if page.request.method == "GET" else "/"
    query = {"next": target} if target != "/" else {}
    if expired:
        query["expired"] = "1"
    answer = Response(
        status=303, headers={"Location": "/login" + (f"?{urlencode(query)}" if query else "")}
    )
    clear_cookie(answer)
    return answer


_HTTP = {
    400: ("请求不完整，没有做任何事。", "返回上一页再试。"),
    404: ("没有这个页面，或它已经不在了。", "从上面的导航进入。"),
    405: ("这个地址不能这样打开。", "从上面的导航进入。"),
    413: ("内容太大，没有保存。", "分成几次提交。"),
}


def _page_for(web: WebContext, session: SessionRow | None) -> Page:
    """The page that failed; a plain one when no view was reached."""
    found: Page | None = g.get("page")
    return Page(web, _real_request(), session, False) if found is None else found


def _http_error(web: WebContext, sessions: Sessions, error: HTTPException) -> Response:
    code = error.code or 500
    if code in (301, 302, 303, 307, 308):
        return Response(status=code, headers=dict(error.get_headers()))
    sentence, remedy = _HTTP.get(code, ("没有做成。", "返回上一页再试。"))
    return error_answer(_page_for(web, sessions.find(request)), code, sentence, remedy)


def _failed(web: WebContext, error: Exception) -> Response:
    """Log type and place, never the text: it may quote a record. The person gets an id."""
    frames = traceback.extract_tb(error.__traceback__)
    places = [f"{Path(item.filename).name}:{item.lineno}" for item in frames[-4:]]
    log(
        LogEvent.PAGE_FAILED,
        level=logging.ERROR,
        id=error_id(),
        view=request.endpoint or "",
        error=type(error).__name__,
        places=">".join(places),
    )
    page = _page_for(web, None)
    if isinstance(error, StoreUnavailable):
        return error_answer(page, 503, "没有保存：磁盘或数据库不可用。", "请马上告诉信息科。")
    if isinstance(error, RetryLater):
        return error_answer(page, 503, "没有保存：系统正忙。", "过几秒再试一次。")
    if isinstance(error, ConfigError):
        return error_answer(page, 500, "没有做成：系统的设置或目录有问题。", "请告诉信息科。")
    if isinstance(error, DipgateError):
        return error_answer(page, 500, "没有做成。", "请再试一次；还不行就告诉信息科。")
    return error_answer(page, 500, "没有做成：程序出错，已经记录。", "请把右边的编号告诉信息科。")

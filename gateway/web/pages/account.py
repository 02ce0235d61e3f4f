"""One's own account: change the password, which ends every session."""

from __future__ import annotations

from flask import Response, current_app

from dipgate.core.errors import ConfigError
from dipgate.store import accounts
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.passwords import Passwords, check_new_password
from dipgate.web.routes import route
from dipgate.web.session import clear_cookie


@route("/account", needs=Permission.ACCOUNT)
def show(page: Page) -> str:
    return page.render("account.html", problem="")


@route("/account/password", needs=Permission.ACCOUNT, methods=("POST",))
def change_password(page: Page) -> Response:
    """Replace the password if the present one is right; all sessions end, this one too."""
    problem = _problem(page)
    if problem:
        return Response(page.render("account.html", problem=problem), status=422)
    passwords: Passwords = current_app.extensions["dipgate_passwords"]
    encoded = passwords.hash(page.form["new"])
    actor, now = page.actor, page.now
    page.desk.store.write(
        lambda conn: accounts.set_password(conn, actor, encoded, now=now, actor=actor)
    )
    answer = page.redirect("/login?changed=1")
    clear_cookie(answer)
    return answer


def _problem(page: Page) -> str:
    old, new = page.form.get("old", ""), page.form.get("new", "")
    if new != page.form.get("repeat", ""):
        return "两次输入的新密码不一样。"
    if new == old:
        return "新密码和现在的一样。"
    try:
        check_new_password(new, login=page.actor)
    except ConfigError as error:
        return f"{error}。"
    store, actor, now = page.desk.store, page.actor, page.now
    address = page.request.remote_addr or ""
    admission = store.write(
        lambda conn: accounts.admit(conn, login=actor, address=address, now=now)
    )
    if not admission.allowed:
        return "现在的密码试错太多，30 分钟以后再试。"
    passwords: Passwords = current_app.extensions["dipgate_passwords"]
    encoded = page.session.user.password if page.session else None
    if not passwords.matches(encoded, old):
        store.write(lambda conn: accounts.note_failure(conn, login=actor, address=address, now=now))
        return "现在的密码不对。"
    return ""

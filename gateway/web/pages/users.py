"""Users, for the administrator: new, role, new password, shut out, let in."""

from __future__ import annotations

from collections.abc import Callable

from flask import Response, current_app

from dipgate.core.errors import ConfigError
from dipgate.web.guard import Permission, Role, role_of
from dipgate.web.page import Page
from dipgate.web.passwords import random_password
from dipgate.web.people import People
from dipgate.web.routes import route


@route("/users", needs=Permission.USERS_MANAGE)
def show(page: Page) -> str:
    return _shown(page)


@route("/users/add", needs=Permission.USERS_MANAGE, methods=("POST",))
def add(page: Page) -> Response:
    """Make a user with a random password, shown once."""
    login, password = page.form.get("login", "").strip().lower(), random_password()
    try:
        _people(page).add(
            login=login,
            name=page.form.get("name", ""),
            role=page.form.get("role", ""),
            password=password,
            actor=page.actor,
        )
    except ConfigError as error:
        return Response(_shown(page, problem=f"没有新建：{error}。"), status=422)
    return Response(_shown(page, login=login, password=password))


@route("/users/<login>/password", needs=Permission.USERS_MANAGE, methods=("POST",))
def new_password(page: Page, login: str) -> Response:
    """Set a random password, shown once; all sessions of that user end."""
    if login == page.actor:
        return Response(_shown(page, problem="自己的密码在“我的账号”里改。"), status=422)
    try:
        password = _people(page).give_new_password(login, actor=page.actor)
    except ConfigError as error:
        return Response(_shown(page, problem=f"密码没有改：{error}。"), status=422)
    return Response(_shown(page, login=login, password=password))


@route("/users/<login>/role", needs=Permission.USERS_MANAGE, methods=("POST",))
def change_role(page: Page, login: str) -> Response:
    return _done(
        page, lambda: _people(page).set_role(login, page.form.get("role", ""), actor=page.actor)
    )


@route("/users/<login>/disable", needs=Permission.USERS_MANAGE, methods=("POST",))
def disable(page: Page, login: str) -> Response:
    if login == page.actor:
        return Response(_shown(page, problem="不能停用自己。"), status=422)
    return _done(page, lambda: _people(page).disable(login, actor=page.actor))


@route("/users/<login>/enable", needs=Permission.USERS_MANAGE, methods=("POST",))
def enable(page: Page, login: str) -> Response:
    return _done(page, lambda: _people(page).enable(login, actor=page.actor))


def _done(page: Page, act: Callable[[], object]) -> Response:
    try:
        act()
    except ConfigError as error:
        return Response(_shown(page, problem=f"没有改：{error}。"), status=422)
    return page.redirect("/users")


def _shown(page: Page, *, problem: str = "", login: str = "", password: str = "") -> str:
    return page.render(
        "users.html",
        users=_people(page).all(),
        roles=tuple(Role),
        role_of=role_of,
        problem=problem,
        given_to=login,
        password=password,
    )


def _people(page: Page) -> People:
    return People(page.desk.store, page.web.clock, current_app.extensions["dipgate_passwords"])

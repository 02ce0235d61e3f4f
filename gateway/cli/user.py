"""`dipgate user`: who may log in to the desk."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from dipgate.cli.frame import Globals, global_options, globals_of, print_json
from dipgate.core.errors import ConfigError

if TYPE_CHECKING:
    from dipgate.web.people import People

_ROLES = "coder 编码员、office 医保办、administrator 系统管理员"


@click.group()
@global_options
def user() -> None:
    """管理能登录工作台的人：新建、改密码、列出、停用。"""


@user.command()
@click.argument("login")
@click.option("--name", required=True, help="姓名或岗位，显示在页头和审计里")
@click.option("--role", required=True, help=f"角色：{_ROLES}")
@click.option("--random", "generate", is_flag=True, help="生成随机密码并显示一次")
@click.option("--password-stdin", "piped", is_flag=True, help="从标准输入读密码（第一行）")
@global_options
@click.pass_context
def add(ctx: click.Context, login: str, name: str, role: str, generate: bool, piped: bool) -> None:
    """新建用户 LOGIN；不带 --random、--password-stdin 时在终端输入两次密码。"""
    password = _password(generate=generate, piped=piped)
    with _people(globals_of(ctx)) as (people, actor):
        people.add(login=login, name=name, role=role, password=password, actor=actor)
    click.echo(f"已新建 {login}（{name}）")
    if generate:
        click.echo(f"密码（只显示这一次）：{password}")


@user.command()
@click.argument("login")
@click.option("--random", "generate", is_flag=True, help="生成随机密码并显示一次")
@click.option("--password-stdin", "piped", is_flag=True, help="从标准输入读密码（第一行）")
@global_options
@click.pass_context
def passwd(ctx: click.Context, login: str, generate: bool, piped: bool) -> None:
    """给 LOGIN 设新密码；他的所有登录立即失效，锁定也解除。"""
    password = _password(generate=generate, piped=piped)
    with _people(globals_of(ctx)) as (people, actor):
        ended = people.set_password(login, password, actor=actor)
    click.echo(f"已改 {login} 的密码，结束了 {ended} 处登录")
    if generate:
        click.echo(f"密码（只显示这一次）：{password}")


@user.command("list")
@click.option("--json", "as_json", is_flag=True, help="每个用户一个 JSON 对象")
@global_options
@click.pass_context
def list_users(ctx: click.Context, as_json: bool) -> None:
    """列出所有用户。"""
    from dipgate.core.clock import wire_time
    from dipgate.service.clock import SystemClock
    from dipgate.store import accounts, open_store
    from dipgate.web.guard import role_of

    state = globals_of(ctx).state_dir()
    with open_store(state, SystemClock(), owner="", read_only=True) as store, store.read() as conn:
        users = accounts.all_users(conn)
    if not users and not as_json:
        click.echo("还没有用户；用 dipgate user add 新建，先建一个 --role administrator 的")
    for row in users:
        disabled = wire_time(row.disabled_at) if row.disabled_at else None
        if as_json:
            print_json(
                {
                    "login": row.login,
                    "name": row.name,
                    "role": row.role,
                    "created_at": wire_time(row.created_at),
                    "password_at": wire_time(row.password_at),
                    "disabled_at": disabled,
                }
            )
            continue
        role = role_of(row.role)
        label = role.label if role else row.role
        state_word = f"停用于 {disabled}" if disabled else "可登录"
        click.echo(f"{row.login}\t{row.name}\t{label}\t{state_word}")


@user.command()
@click.argument("login")
@global_options
@click.pass_context
def disable(ctx: click.Context, login: str) -> None:
    """停用 LOGIN；他的所有登录立即失效。记录保留。"""
    with _people(globals_of(ctx)) as (people, actor):
        changed = people.disable(login, actor=actor)
    click.echo(f"已停用 {login}" if changed else f"{login} 本来就是停用的")


@user.command()
@click.argument("login")
@global_options
@click.pass_context
def enable(ctx: click.Context, login: str) -> None:
    """重新启用停用的 LOGIN。"""
    with _people(globals_of(ctx)) as (people, actor):
        changed = people.enable(login, actor=actor)
    click.echo(f"已启用 {login}" if changed else f"{login} 本来就能登录")


@contextmanager
def _people(held: Globals) -> Iterator[tuple[People, str]]:
    """Users of the state folder, and who acts. While the service runs, use its page 用户."""
    from dipgate.service.clock import SystemClock
    from dipgate.service.wiring import owner_name, user_name
    from dipgate.store import open_store
    from dipgate.web.passwords import Passwords
    from dipgate.web.people import People

    clock = SystemClock()
    with open_store(held.state_dir(), clock, owner=owner_name()) as store:
        yield People(store, clock, Passwords()), user_name()


def _password(*, generate: bool, piped: bool) -> str:
    if generate and piped:
        raise ConfigError("--random 和 --password-stdin 只能用一个", path="--random")
    if generate:
        from dipgate.web.passwords import random_password

        return random_password()
    if piped:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise ConfigError(
            "没有终端可输入密码；用 --random 生成，或用 --password-stdin 从标准输入读",
            path="--password-stdin",
        )
    entered: str = click.prompt("密码", hide_input=True, confirmation_prompt="再输一次")
    return entered

"""`dipgate maps …`: the hospital's layer of the code maps, by two persons, on the command line."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from dipgate.cli.frame import global_options, globals_of, print_json, progress_bar
from dipgate.core.errors import ConfigError

if TYPE_CHECKING:
    from dipgate.pipeline.desk import Desk
    from dipgate.store.map_proposals import Proposal
    from dipgate.web.guard import Permission

F = TypeVar("F", bound=Callable[..., object])
_KIND = click.Choice(("icd10", "icd9cm3"))


@click.group()
@global_options
def maps() -> None:
    """编码对照：没有对照的编码、候选、建议和第二个人的批准、覆盖率、导出。"""


def _by_user(command: F) -> F:
    """Who acts proves it by his password: otherwise one person could be two."""
    command = click.option(
        "--password-stdin", "piped", is_flag=True, help="从标准输入读这个用户的密码"
    )(command)
    return click.option("--user", "login", required=True, help="谁做的：登录名")(command)


@maps.command("list")
@click.option("--kind", type=_KIND, default=None, help="只列诊断或手术操作")
@click.option("--proposals", is_flag=True, help="列建议和对照的全部历史，而不是等着的编码")
@click.option("--ending", is_flag=True, help="列将失效的对照，而不是等着的编码")
@click.option("--json", "as_json", is_flag=True, help="每项输出一个 JSON 对象")
@global_options
@click.pass_context
def list_(
    ctx: click.Context, kind: str | None, proposals: bool, ending: bool, as_json: bool
) -> None:
    """列出没有对照的编码：多少份清单、多少钱等着，牵涉费用多的在前。"""
    from dipgate.service.wiring import open_desk
    from dipgate.store import map_proposals, unmapped
    from dipgate.web.filters import yuan

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        if ending:
            _ending(desk, kind, as_json=as_json)
            return
        with desk.store.read() as conn:
            made = map_proposals.proposals(conn, kind=kind) if proposals else ()
            items = () if proposals else unmapped.queue(conn, kind=kind)
        if as_json:
            from dipgate.pipeline.maps_view import proposal_json, queue_json

            for row in [proposal_json(one) for one in made] or queue_json(desk, items):
                print_json(row)
            return
    if not made and not items:
        click.echo("没有提过对照" if proposals else "清单里的诊断和手术编码都有对照")
    for one in made:
        click.echo(_said(one))
    for item in items:
        name = item.name or "（没有名称）"
        click.echo(
            f"{map_proposals.KINDS[item.kind]} {item.code} {name}：{item.waiting} 份等着"
            f"（{yuan(item.fee_fen)} 元），{item.sent} 份已传；最早 {item.first_used or '—'} 结算"
        )


@maps.command("candidates")
@click.argument("code", metavar="CODE")
@click.option("--kind", type=_KIND, default="icd10", show_default=True, help="诊断或手术操作")
@click.option("--name", default="", help="编码的名称；等着的编码不用写")
@click.option("--json", "as_json", is_flag=True, help="每个候选输出一个 JSON 对象")
@global_options
@click.pass_context
def candidates(ctx: click.Context, code: str, kind: str, name: str, as_json: bool) -> None:
    """列出 CODE 可以对到的医保版编码，每个带理由，像的在前。"""
    from dipgate.pipeline.maps_view import candidate_json, ideas
    from dipgate.service.wiring import open_desk
    from dipgate.store import unmapped

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        with desk.store.read() as conn:
            waiting = [one for one in unmapped.queue(conn, kind=kind) if one.code == code]
        day = waiting[0].last_used if waiting else None
        found = ideas(desk, kind, code, name or (waiting[0].name if waiting else ""), day)
    if not found and not as_json:
        click.echo("没有想得到的候选；用编码查找页按名称找")
    for item in found:
        if as_json:
            print_json(candidate_json(item))
            continue
        barred = f"（{item.barred}）" if item.barred else ""
        click.echo(f"{item.code} {item.name}{barred}：{'；'.join(item.because)}")


@maps.command("propose")
@click.argument("source", metavar="SOURCE")
@click.argument("target", metavar="TARGET")
@click.option("--kind", type=_KIND, default="icd10", show_default=True, help="诊断或手术操作")
@click.option("--name", default="", help="SOURCE 的名称")
@click.option("--from", "first_day", default="", metavar="DAY", help="从哪天起，空着是一直")
@click.option("--to", "last_day", default="", metavar="DAY", help="到哪天止，空着是还在用")
@click.option("--reason", required=True, help="依据")
@_by_user
@global_options
@click.pass_context
def propose(
    ctx: click.Context,
    source: str,
    target: str,
    kind: str,
    name: str,
    first_day: str,
    last_day: str,
    reason: str,
    login: str,
    piped: bool,
) -> None:
    """建议把 SOURCE 对到医保版的 TARGET；第二个人批准之前什么也不变。"""
    from dipgate.pipeline import maps_desk
    from dipgate.pipeline.maps_preview import preview
    from dipgate.service.wiring import open_desk
    from dipgate.web.guard import Permission

    typed = {
        "source_code": source,
        "source_name": name,
        "target_code": target,
        "first_day": first_day,
        "last_day": last_day,
    }
    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file()) as desk:
        author = _who(desk, login, Permission.MAPS_VIEW, piped=piped)
        wanted = maps_desk.read_wanted(desk, kind, typed)
        number = maps_desk.propose(desk, wanted, reason=reason, author=author)
        seen = preview(desk, wanted)
    click.echo(
        f"第 {number} 号，等第二个人批准；{seen.lists} 份等着的清单可能要改，"
        f"试算 {seen.tried} 份里 {seen.changed} 份会变"
    )


@maps.command("approve")
@click.argument("number", metavar="NUMBER", type=int)
@click.option("--reason", required=True, help="依据")
@_by_user
@global_options
@click.pass_context
def approve(ctx: click.Context, number: int, reason: str, login: str, piped: bool) -> None:
    """批准第 NUMBER 号建议，并重新映射等着的清单；提的人自己不能批准。"""
    _decide(ctx, number, "approved", reason, login, piped=piped)


@maps.command("reject")
@click.argument("number", metavar="NUMBER", type=int)
@click.option("--reason", required=True, help="理由")
@_by_user
@global_options
@click.pass_context
def reject(ctx: click.Context, number: int, reason: str, login: str, piped: bool) -> None:
    """否决第 NUMBER 号建议；提的人自己用 withdraw。"""
    _decide(ctx, number, "rejected", reason, login, piped=piped)


@maps.command("withdraw")
@click.argument("number", metavar="NUMBER", type=int)
@click.option("--reason", required=True, help="理由")
@_by_user
@global_options
@click.pass_context
def withdraw(ctx: click.Context, number: int, reason: str, login: str, piped: bool) -> None:
    """撤销第 NUMBER 号建议或在用的对照；用过它的清单（没传的）重新映射。"""
    _decide(ctx, number, "withdrawn", reason, login, piped=piped)


@maps.command("coverage")
@click.option("--months", default=3, show_default=True, type=click.IntRange(1, 60), help="几个月")
@click.option("--json", "as_json", is_flag=True, help="每月每类输出一个 JSON 对象")
@global_options
@click.pass_context
def coverage(ctx: click.Context, months: int, as_json: bool) -> None:
    """最近几个月的对照覆盖率：诊断、手术操作、科室、人员，按次数和不同编码数。"""
    from dipgate.pipeline.health_maps import coverage_json
    from dipgate.service.wiring import open_desk
    from dipgate.store import map_coverage

    held = globals_of(ctx)
    with (
        open_desk(held.state_dir(), held.site_file(), read_only=True) as desk,
        desk.store.read() as conn,
    ):
        found = map_coverage.coverage(conn, months=months)
    if not found and not as_json:
        click.echo("还没有清单")
    for item in found:
        if as_json:
            print_json(coverage_json(item))
            continue
        click.echo(
            f"{item.month} {map_coverage.FAMILIES[item.family]} {item.percent}："
            f"{item.seen} 次里 {item.known} 次有对照，{item.codes} 个编码里 {item.codes_known} 个"
        )


@maps.command("export")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--kind", type=_KIND, default="icd10", show_default=True, help="诊断或手术操作")
@global_options
@click.pass_context
def export(ctx: click.Context, file: Path, kind: str) -> None:
    """把批准过、在用的对照写成 CSV，可用 catalogue import --layer hospital 导入；不覆盖文件。"""
    import csv
    import io

    from dipgate.pipeline.maps_view import export_rows
    from dipgate.service.wiring import open_desk
    from dipgate.store import map_proposals

    held = globals_of(ctx)
    with (
        open_desk(held.state_dir(), held.site_file(), read_only=True) as desk,
        desk.store.read() as conn,
    ):
        rows = export_rows(map_proposals.proposals(conn, states=("approved",), kind=kind))
    if file.exists():
        raise ConfigError(f"文件已存在：{file}；请换一个文件名", path=str(file))
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    file.write_text(text.getvalue(), encoding="utf-8-sig", newline="")
    click.echo(f"写了 {len(rows) - 1} 行到 {file}")


def _decide(
    ctx: click.Context, number: int, state: str, reason: str, login: str, *, piped: bool
) -> None:
    from dipgate.pipeline import maps_desk
    from dipgate.service.wiring import open_desk
    from dipgate.store import map_proposals
    from dipgate.web.guard import Permission

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file()) as desk:
        by = _who(desk, login, Permission.MAPS_DECIDE, piped=piped)
        with desk.store.read() as conn:
            before = map_proposals.get(conn, number)
        done = maps_desk.decide(desk, number, state, reason=reason, author=by)
        click.echo(_said(done))
        if (
            state == "rejected"
            or before is None
            or (before.state, state)
            == (
                "proposed",
                "withdrawn",
            )
        ):
            return
        lists = changed = sent = 0
        after: str | None = ""
        with progress_bar("重新映射") as progress:
            while after is not None:
                step = maps_desk.apply_step(desk, number, after=after, author=by)
                lists, changed = lists + step.report.asked, changed + step.report.changed
                after = step.after
                progress(lists, None)
        with desk.store.read() as conn:
            sent = maps_desk.sent_with(conn, done.wanted)
    click.echo(f"重新映射 {lists} 份，变了 {changed} 份；已传的 {sent} 份不动")


def _who(desk: Desk, login: str, needs: Permission, *, piped: bool) -> str:
    """The log-in name of an enabled user who gave his password and may do this.

    Raises ConfigError otherwise. Wrong passwords count towards the lock of the account.
    """
    from dipgate.store import accounts
    from dipgate.web.guard import holds, role_of
    from dipgate.web.passwords import Passwords

    login = login.strip().lower()
    if piped:
        password = sys.stdin.readline().rstrip("\r\n")
    elif sys.stdin.isatty():
        password = click.prompt(f"{login} 的密码", hide_input=True, err=True)
    else:
        raise ConfigError(
            "没有终端可输入密码；用 --password-stdin 从标准输入读", path="--password-stdin"
        )
    now = desk.clock.now()
    admitted = desk.store.write(
        lambda conn: accounts.admit(conn, login=login, address="cli", now=now)
    )
    with desk.store.read() as conn:
        user = accounts.user_by_login(conn, login)
    known = user is not None and user.disabled_at is None
    good = admitted.allowed and Passwords().matches(
        user.password if user is not None and known else None, password
    )
    if user is None or not good:
        desk.store.write(
            lambda conn: accounts.note_failure(conn, login=login, address="cli", now=now)
        )
        raise ConfigError("登录名或密码不对，或者账号停用、锁定了", path="--user")
    desk.store.write(lambda conn: accounts.forget_failures(conn, login))
    if not holds(role_of(user.role), needs):
        raise ConfigError(f"{login} 没有“{needs.value}”的权限", path="--user")
    return user.login


def _ending(desk: Desk, kind: str | None, *, as_json: bool) -> None:
    from dipgate.pipeline.maps_view import running_out
    from dipgate.store.map_proposals import KINDS

    groups = [group for group in running_out(desk) if kind in (None, group.kind)]
    if not groups and not as_json:
        click.echo("没有将失效的对照")
    for group in groups:
        if as_json:
            print_json(
                {
                    "kind": group.kind,
                    "day": group.day.isoformat(),
                    "why": group.why,
                    "rows": group.rows,
                    "codes": [list(pair) for pair in group.codes],
                }
            )
            continue
        some = "、".join(f"{source} → {target}" for source, target in group.codes[:5])
        click.echo(
            f"{KINDS[group.kind]} {group.rows} 行对照到 {group.day} 失效（{group.why}）：{some}"
        )


def _said(item: Proposal) -> str:
    from dipgate.store.map_proposals import KINDS, STATES

    wanted = item.wanted
    parts = [
        f"第 {item.id} 号 {KINDS[wanted.kind]} {wanted.source_code} → {wanted.target_code}",
        f"{wanted.target_name}，{wanted.first_day or ''}–{wanted.last_day or ''}，"
        f"{STATES[item.state]}；{item.author} 提：{item.reason}",
    ]
    if item.decided_by:
        parts.append(f"；{item.decided_by} 决定：{item.decision}")
    if item.ended_by:
        parts.append(f"；{item.ended_by} 撤销：{item.ending}")
    return " ".join(parts[:2]) + "".join(parts[2:])

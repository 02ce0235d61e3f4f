"""`dipgate token`: which of the hospital's systems may push rows."""

from __future__ import annotations

import click

from dipgate.cli.frame import global_options, globals_of, print_json


@click.group()
@global_options
def token() -> None:
    """管理推送数据用的令牌：新建、列出、停用。"""


@token.command()
@click.argument("name")
@click.option("--source", required=True, help="可以推送到哪个来源（站点文件里 kind = push 的）")
@global_options
@click.pass_context
def add(ctx: click.Context, name: str, source: str) -> None:
    """新建令牌 NAME，显示一次；以后谁也查不出它，丢了就停用、再建一个。"""
    from dipgate.core.errors import ConfigError
    from dipgate.pipeline.push_stage import push_source
    from dipgate.service.wiring import open_desk
    from dipgate.store import tokens

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file()) as desk:
        if push_source(desk, source) is None:
            raise ConfigError(f'站点文件里没有 kind = "push" 的来源 {source}', path="--source")
        made, now = tokens.new_token(), desk.clock.now()
        desk.store.write(
            lambda conn: tokens.add_token(
                conn, name=name, source=source, token=made, now=now, actor=desk.actor
            )
        )
    click.echo(f"已新建令牌 {name}，可以 POST 到 /api/push/{source}")
    click.echo(f"令牌（只显示这一次）：{made}")


@token.command("list")
@click.option("--json", "as_json", is_flag=True, help="每个令牌一个 JSON 对象")
@global_options
@click.pass_context
def list_tokens(ctx: click.Context, as_json: bool) -> None:
    """列出所有令牌和最近一次使用；令牌本身不在其中。"""
    from dipgate.core.clock import wire_time
    from dipgate.service.clock import SystemClock
    from dipgate.store import open_store, tokens

    state = globals_of(ctx).state_dir()
    with open_store(state, SystemClock(), owner="", read_only=True) as store, store.read() as conn:
        found = tokens.all_tokens(conn)
    if not found and not as_json:
        click.echo("还没有令牌；用 dipgate token add 新建")
    for row in found:
        used = wire_time(row.used_at) if row.used_at else None
        revoked = wire_time(row.revoked_at) if row.revoked_at else None
        if as_json:
            print_json(
                {
                    "name": row.name,
                    "source": row.source,
                    "created_at": wire_time(row.created_at),
                    "created_by": row.created_by,
                    "used_at": used,
                    "revoked_at": revoked,
                    "revoked_by": row.revoked_by,
                }
            )
            continue
        state_word = f"停用于 {revoked}" if revoked else "可用"
        used_word = f"最近使用 {used}" if used else "没有用过"
        click.echo(f"{row.name}\t{row.source}\t{state_word}\t{used_word}")


@token.command()
@click.argument("name")
@global_options
@click.pass_context
def revoke(ctx: click.Context, name: str) -> None:
    """停用令牌 NAME，立即生效，不能再启用。"""
    from dipgate.service.wiring import open_desk
    from dipgate.store import tokens

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file()) as desk:
        now = desk.clock.now()
        changed = desk.store.write(
            lambda conn: tokens.revoke(conn, name, now=now, actor=desk.actor)
        )
    click.echo(f"已停用令牌 {name}" if changed else f"令牌 {name} 本来就是停用的")

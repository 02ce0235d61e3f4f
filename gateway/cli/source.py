"""`dipgate source`: what a source looks like, and what becomes of a reading that is held."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from dipgate.cli.frame import global_options, globals_of, print_json

if TYPE_CHECKING:
    from dipgate.config.settings import Site
    from dipgate.core.record import SeenTable, SourceSpec


@click.group()
@global_options
def source() -> None:
    """看一看来源；放行或作废因行数过少而扣住的读取。"""


@source.command()
@click.argument("name")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=200,
    show_default=True,
    help="每个对象最多看多少行",
)
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
@click.pass_context
def look(ctx: click.Context, name: str, limit: int, as_json: bool) -> int:
    """列出每个对象的列和类型，并从字节推测字符集；只提建议，不改设置。

    NAME 是站点文件里来源的名字。有对象看不了时退出码为 1。
    """
    from dipgate.adapters.charset_sample import propose
    from dipgate.adapters.rows import codec_of
    from dipgate.config.settings import load_site
    from dipgate.pipeline.contract_stage import spec_of

    site = load_site(globals_of(ctx).site_file())
    spec = spec_of(site, name)
    codec = codec_of(spec)
    objects = [(seen, propose(seen, codec)) for seen in _seen(ctx, site, spec, limit)]
    failed = any(seen.problem for seen, _ in objects)
    if as_json:
        print_json(
            {
                "source": name,
                "charset": codec,
                "objects": [
                    {
                        "table": seen.table,
                        "object": seen.object_name,
                        "rows": len(seen.rows),
                        "columns": [asdict(column) for column in seen.columns],
                        "problem": seen.problem,
                        "remedy": seen.remedy,
                        "proposals": [asdict(item) for item in proposals],
                    }
                    for seen, proposals in objects
                ],
            }
        )
        return int(failed)
    for seen, proposals in objects:
        if seen.problem:
            click.echo(f"{seen.table}：{seen.object_name} 看不了：{seen.problem}；{seen.remedy}")
            continue
        click.echo(f"{seen.table}：{seen.object_name}，看了 {len(seen.rows)} 行")
        for column in seen.columns:
            width = f"({column.width})" if column.width else ""
            click.echo(f"  {column.name}  {column.type_name}{width}".rstrip())
        for item in proposals:
            click.echo(
                f"  [建议核对] 列 {item.column}：{item.what}；"
                f"{item.count} / {item.cells} 格，样例 {item.example}"
            )
        if not proposals:
            click.echo(f"  与声明的字符集 {codec} 没有矛盾")
    return int(failed)


@source.command()
@click.argument("name")
@click.option("--reason", default="", help="理由，记入审计")
@global_options
@click.pass_context
def release(ctx: click.Context, name: str, reason: str) -> None:
    """来源 NAME 确实只有这么些行：收下扣住的读取，下次 intake 映射。"""
    from dipgate.pipeline import hold_acts
    from dipgate.pipeline.contract_stage import spec_of
    from dipgate.service.wiring import open_desk

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file()) as desk:
        for item in hold_acts.release(desk, spec_of(desk.site, name), reason):
            click.echo(f"已放行 {item.table}：{item.rows:,} 行（平常约 {item.usual:,} 行）")
    click.echo("用 dipgate intake 映射和校验")


@source.command()
@click.argument("name")
@click.option("--reason", default="", help="理由，记入审计")
@global_options
@click.pass_context
def discard(ctx: click.Context, name: str, reason: str) -> None:
    """来源 NAME 扣住的读取不要了：文件改了再读，视图从原来的位置重读。"""
    from dipgate.pipeline import hold_acts
    from dipgate.pipeline.contract_stage import spec_of
    from dipgate.service.wiring import open_desk

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file()) as desk:
        for item in hold_acts.discard(desk, spec_of(desk.site, name), reason):
            click.echo(f"已作废 {item.table}：{item.rows:,} 行；原始字节仍保留")


def _seen(ctx: click.Context, site: Site, spec: SourceSpec, limit: int) -> tuple[SeenTable, ...]:
    """Of a source that is pushed, what came last; of any other, what is there now."""
    from dipgate.adapters import open_source
    from dipgate.adapters.push import KIND

    if spec.kind != KIND:
        return open_source(spec, site.source_password(spec.name)).look(limit)
    from dipgate.pipeline.push_stage import look_at
    from dipgate.service.clock import SystemClock
    from dipgate.store import open_store

    state = globals_of(ctx).state_dir()
    with open_store(state, SystemClock(), owner="", read_only=True) as store:
        return look_at(store, spec, limit)

"""`dipgate registry new|list|check|export|apply`: wards and people, on the command line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dipgate.cli.catalogue import day_of
from dipgate.cli.frame import global_options, globals_of, print_json, progress_bar

if TYPE_CHECKING:
    from dipgate.core.registry import RegistryEntry

_KIND = click.Choice(("department", "staff"))
_HEADINGS = {
    "department": ("科室代码", "科室名称", "国家科室代码", "国家科室名称", "病区"),
    "staff": ("工号", "姓名", "国家编码", "人员类别", "所在科室"),
}
_DAYS = ("启用日期", "停用日期")


@click.group()
@global_options
def registry() -> None:
    """科室与人员：登记册、不认识的科室和人员。导入用 dipgate catalogue import。"""


@registry.command("new")
@click.option("--json", "as_json", is_flag=True, help="每项输出一个 JSON 对象")
@global_options
@click.pass_context
def new(ctx: click.Context, as_json: bool) -> None:
    """列出清单里有、登记册不认识的科室和人员，牵涉费用多的在前。"""
    from dipgate.pipeline.registry_stage import WHY
    from dipgate.pipeline.registry_view import items_json, word_of
    from dipgate.service.wiring import open_desk
    from dipgate.store import registry_items
    from dipgate.web.filters import yuan

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        with desk.store.read() as conn:
            found = registry_items.items(conn)
        rows = items_json(desk, found)
    if as_json:
        for row in rows:
            print_json(row)
        return
    if not found:
        click.echo("清单里的科室和人员，登记册都认识")
    for item, row in zip(found, rows, strict=True):
        name = item.local_name or "（没有名称）"
        click.echo(
            f"{word_of(item.kind, item.role)} {item.local_code} {name}：{WHY[item.why]}；"
            f"{item.waiting} 份等着（{yuan(item.fee_fen)} 元），{item.sent} 份已传；"
            f"最早在 {row['file']} 第{row['row']}行"
        )


@registry.command("list")
@click.option("--kind", type=_KIND, default=None, help="只列科室或人员")
@click.option("--json", "as_json", is_flag=True, help="每条输出一个 JSON 对象")
@global_options
@click.pass_context
def list_(ctx: click.Context, kind: str | None, as_json: bool) -> None:
    """列出登记册：导入的对照表和手工登记合在一起，每条带起止日期和来源。"""
    from dipgate.core.registry import KINDS
    from dipgate.service.wiring import open_desk

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        found = [
            entry
            for name in KINDS
            if kind in (None, name)
            for entry in desk.references.registry(name)
        ]
    if as_json:
        for entry in found:
            print_json(_as_object(entry))
        return
    if not found:
        click.echo("登记册是空的；导入对照表，或在“科室与人员”页登记")
    for entry in found:
        first, last = entry.first_day or "", entry.last_day or ""
        where = f"第{entry.number}号" if entry.is_desk else f"{entry.version} 第{entry.number}行"
        click.echo(
            f"{KINDS[entry.kind]} {entry.local_code} {entry.local_name} {entry.national_code} "
            f"{first}–{last} {'登记' if entry.is_desk else '导入'}{where}"
        )


@registry.command("check")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--kind", type=_KIND, required=True, help="科室或人员")
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
@click.pass_context
def check(ctx: click.Context, file: Path, kind: str, as_json: bool) -> int:
    """检查一个 CSV 或 XLSX 对照表，逐行说错，并与现在的登记册比较；不导入。"""
    from dipgate.config.catalogues import check_catalogue
    from dipgate.service.wiring import open_desk

    with progress_bar("读取", quiet=as_json) as progress:
        rows, notes = check_catalogue(kind, file, progress=progress)
    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        today = desk.today()
        known = {
            entry.local_code: entry.national_code
            for entry in desk.references.registry(kind)
            if entry.holds(today)
        }
    coming = {row["local_code"]: row["national_code"] for row in rows}
    fresh = sorted(coming.keys() - known.keys())
    gone = sorted(known.keys() - coming.keys())
    other = sorted(code for code in coming.keys() & known.keys() if coming[code] != known[code])
    if as_json:
        print_json(
            {"rows": len(rows), "new": fresh, "changed": other, "gone": gone, "notes": list(notes)}
        )
        return 0
    click.echo(f"{file.name}：{len(rows)} 行，没有错误")
    for word, codes in (("新的", fresh), ("国家编码变了", other), ("表里没有了", gone)):
        click.echo(f"{word} {len(codes)} 个{'：' + '、'.join(codes[:20]) if codes else ''}")
    for note in notes:
        click.echo(f"注意：{note}", err=True)
    return 0


@registry.command("export")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--kind", type=_KIND, required=True, help="科室或人员")
@click.option("--on", "day", default=None, metavar="DAY", help="这一天有效的，默认今天")
@global_options
@click.pass_context
def export(ctx: click.Context, file: Path, kind: str, day: str | None) -> None:
    """把某一天有效的登记册写成 CSV，列名就是导入认的列名；文件已存在就不写。"""
    from dipgate.core.errors import ConfigError
    from dipgate.service.wiring import open_desk

    wanted = day_of(ctx, ctx.command.params[2], day) if day else None
    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        on = wanted or desk.today()
        found = [entry for entry in desk.references.registry(kind) if entry.holds(on)]
    if file.exists():
        raise ConfigError(f"文件已存在：{file}；请换一个文件名", path=str(file))
    file.write_text(_csv(kind, found), encoding="utf-8-sig", newline="")
    click.echo(f"写了 {len(found)} 行到 {file}")


@registry.command("apply")
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
@click.pass_context
def apply(ctx: click.Context, as_json: bool) -> None:
    """导入新对照表之后，把有不认识的科室或人员的清单重新映射、检查、入组；已传的不动。"""
    from dipgate.pipeline.registry_desk import refresh_step
    from dipgate.service.wiring import open_desk
    from dipgate.store import registry_items

    held = globals_of(ctx)
    lists = changed = before = left = 0
    with (
        open_desk(held.state_dir(), held.site_file()) as desk,
        progress_bar("重新映射", quiet=as_json) as progress,
    ):
        with desk.store.read() as conn:
            total = len(registry_items.all_waiting(conn))
        after: str | None = ""
        while after is not None:
            step = refresh_step(desk, after=after, author=desk.actor)
            lists, changed = lists + step.report.remapped, changed + step.report.changed
            before += step.report.problems_before
            left += step.report.problems_after
            after = step.after
            progress(lists, total)
        with desk.store.read() as conn:
            unknown, _ = registry_items.counts(conn)
    if as_json:
        print_json(
            {
                "lists": lists,
                "changed": changed,
                "problems_before": before,
                "problems_after": left,
                "unknown": unknown,
            }
        )
        return
    click.echo(
        f"重新映射 {lists} 份，变了 {changed} 份，问题从 {before} 处变成 {left} 处；"
        f"登记册还不认识 {unknown} 个"
    )


def _csv(kind: str, entries: Iterable[RegistryEntry]) -> str:
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow((*_HEADINGS[kind], *_DAYS))
    for entry in entries:
        middle = entry.national_name if kind == "department" else entry.role
        writer.writerow(
            (
                entry.local_code,
                entry.local_name,
                entry.national_code,
                middle,
                entry.department,
                entry.first_day or "",
                entry.last_day or "",
            )
        )
    return text.getvalue()


def _as_object(entry: RegistryEntry) -> dict[str, object]:
    return {
        "kind": entry.kind,
        "local_code": entry.local_code,
        "local_name": entry.local_name,
        "national_code": entry.national_code,
        "national_name": entry.national_name,
        "role": entry.role,
        "department": entry.department,
        "first_day": entry.first_day.isoformat() if entry.first_day else None,
        "last_day": entry.last_day.isoformat() if entry.last_day else None,
        "source": "desk" if entry.is_desk else entry.version,
        "number": entry.number,
    }

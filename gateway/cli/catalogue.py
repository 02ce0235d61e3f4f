"""`dipgate catalogue import|list`: code lists, code maps, departments and staff by version."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dipgate.cli.frame import global_options, globals_of, print_json, progress_bar

if TYPE_CHECKING:
    from dipgate.config.catalogues import ImportReport
    from dipgate.config.shelf import Manifest

_WIDTH = 200
LAYERS = {"national": "国家", "area": "统筹区", "hospital": "本院"}


def day_of(_ctx: click.Context, param: click.Parameter, value: str) -> date:
    """An option's text `2025-01-01` → the day."""
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise click.BadParameter(f"“{value}”不是日期；写成 2025-01-01", param=param) from None


@click.group()
@global_options
def catalogue() -> None:
    """编码目录、代码映射、科室与人员对照：按种类和版本导入，结算日期选版本。"""


@catalogue.command("import")
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--kind", required=True, metavar="KIND", help="目录种类：icd10、icd9cm3、staff 等")
@click.option("--version", required=True, metavar="V", help="版本号，同一种类内不重复")
@click.option(
    "--from", "first_day", required=True, callback=day_of, help="从哪一天起用（结算日期）"
)
@click.option("--layer", default="", metavar="LAYER", help="映射的层：national、area、hospital")
@click.option("--author", default="", metavar="NAME", help="谁编的，写进版本清单")
@click.option("--supersede", is_flag=True, help="取代同版本号或同生效日期的旧版本（旧版本留存）")
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
@click.pass_context
def import_(
    ctx: click.Context,
    file: Path,
    kind: str,
    version: str,
    first_day: date,
    layer: str,
    author: str,
    supersede: bool,
    as_json: bool,
) -> None:
    """导入一个 CSV（UTF-8 或 GB18030）或 XLSX 文件；有一行错就整个不导入，并逐行说明。"""
    from dipgate.config.catalogues import import_catalogue
    from dipgate.service.clock import SystemClock

    with progress_bar("读取", quiet=as_json) as progress:
        report = import_catalogue(
            globals_of(ctx).existing_state(),
            kind,
            version,
            first_day,
            file,
            layer=layer,
            author=author,
            supersede=supersede,
            now=SystemClock().now(),
            progress=progress,
        )
    print_report(report, as_json=as_json)


@catalogue.command("list")
@click.option("--all", "superseded", is_flag=True, help="连已被取代的版本一起列出")
@click.option("--json", "as_json", is_flag=True, help="每个版本输出一个 JSON 对象")
@global_options
@click.pass_context
def list_(ctx: click.Context, superseded: bool, as_json: bool) -> None:
    """列出已导入的目录版本：生效日期、行数、来源文件和哈希。"""
    from dipgate.config.catalogues import list_catalogues

    found = list_catalogues(globals_of(ctx).existing_state(), superseded=superseded)
    print_versions(found, as_json=as_json, empty="还没有导入任何目录")


def print_report(report: ImportReport, *, as_json: bool) -> None:
    """What an import stored, for a person or as one JSON object."""
    if as_json:
        print_json(
            {
                "label": report.label,
                "kind": report.kind,
                "version": report.version,
                "first_day": report.first_day.isoformat(),
                "layer": report.layer,
                "rows": report.rows,
                "skipped": report.skipped,
                "counts": dict(report.counts),
                "source_file": report.source_file,
                "source_hash": report.source_hash,
                "superseded": list(report.superseded),
                "notes": list(report.notes),
                **({"parts": dict(report.parts)} if report.parts else {}),
            }
        )
        return
    click.echo(f"已导入 {report.label}：{report.rows} 行，{report.first_day:%Y-%m-%d} 起用")
    if report.counts:
        click.echo(f"其中：{_counted(report.counts)}")
    if report.parts:
        click.echo(f"附表：{_counted(report.parts)}")
    click.echo(f"来源：{report.source_file}（SHA-256 {report.source_hash}）")
    if report.superseded:
        click.echo(f"取代：{'、'.join(report.superseded)}（旧版本留存）")
    for note in report.notes:
        click.echo(f"注意：{note}", err=True)


def print_versions(found: tuple[Manifest, ...], *, as_json: bool, empty: str) -> None:
    """Versions as a table, or one JSON object per line."""
    if as_json:
        for item in found:
            print_json(_version_json(item))
        return
    if not found:
        click.echo(empty)
        return
    from rich.console import Console
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("目录", "版本", "起用", "行数", "说明", "来源", "SHA-256"):
        table.add_column(heading, justify="right" if heading == "行数" else "left")
    for item in found:
        remarks = [
            LAYERS.get(item.layer, ""),
            f"DIP {item.edition}" if item.edition else "",
            "节选" if item.partial else "",
            f"已被 {item.superseded_by} 取代" if item.superseded_by else "",
            _parts_named(tuple(item.parts)),
            item.author,
        ]
        table.add_row(
            item.name or item.kind,
            item.version,
            item.first_day.isoformat(),
            str(item.rows),
            " ".join(filter(None, remarks)),
            item.source_file,
            item.source_hash[:12],
        )
    console = Console()
    # Rather a long line than a version or file name cut short.
    console.width = max(console.width, _WIDTH)
    console.print(table)


def _parts_named(kinds: tuple[str, ...]) -> str:
    if not kinds:
        return ""
    shown = "、".join(kinds[:3])
    return f"附表 {shown}" + (f" 等{len(kinds)}种" if len(kinds) > 3 else "")


def _version_json(item: Manifest) -> dict[str, Any]:
    out: dict[str, Any] = {"kind": item.kind}
    if item.name:
        out |= {
            "name": item.name,
            "edition": item.edition,
            "partial": item.partial,
            "parts": {
                kind: {
                    "rows": mark.rows,
                    "source_file": mark.source_file,
                    "source_hash": mark.source_hash,
                }
                for kind, mark in item.parts.items()
            },
        }
    return out | {
        "version": item.version,
        "first_day": item.first_day.isoformat(),
        "layer": item.layer,
        "author": item.author,
        "rows": item.rows,
        "counts": dict(item.counts),
        "source_file": item.source_file,
        "source_hash": item.source_hash,
        "imported_at": item.imported_at.isoformat(),
        "superseded_by": item.superseded_by,
        "notes": list(item.notes),
    }


def _counted(counts: Mapping[str, int]) -> str:
    return "，".join(f"{word} {count}" for word, count in counts.items())

"""`dipgate library import|check|diff|list`: DIP libraries by name and version."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dipgate.cli.catalogue import day_of, print_report, print_versions
from dipgate.cli.frame import global_options, globals_of, progress_bar
from dipgate.core.errors import ConfigError

if TYPE_CHECKING:
    from dipgate.config.library_check import Known
    from dipgate.core.library import LibraryData


@click.group()
@global_options
def library() -> None:
    """DIP 病种目录：按名称和版本导入，付费政策按“名称@版本”引用。"""


@library.command("import")
@click.argument("files", metavar="FILE", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--name", required=True, metavar="N", help="目录名，付费政策里引用的名字")
@click.option("--version", required=True, metavar="V", help="版本号，同一目录内不重复")
@click.option(
    "--from", "first_day", required=True, callback=day_of, help="从哪一天起用（结算日期）"
)
@click.option(
    "--part",
    "parts",
    multiple=True,
    metavar="KIND=FILE",
    help="附表，如 ops-not-main=清单.csv；可多次",
)
@click.option("--partial", is_flag=True, help="文件是节选：国家方案的序号可以间断，行数可以不同")
@click.option("--edition", metavar="E", help="所依据的国家版本：1.0、2.0、3.0（默认按列名判断）")
@click.option("--supersede", is_flag=True, help="取代同版本号或同生效日期的旧版本（旧版本留存）")
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
@click.pass_context
def import_(
    ctx: click.Context,
    files: tuple[Path, ...],
    name: str,
    version: str,
    first_day: date,
    parts: tuple[str, ...],
    partial: bool,
    edition: str | None,
    supersede: bool,
    as_json: bool,
) -> None:
    """导入 CSV（UTF-8 或 GB18030）或 XLSX 文件；有一行错就整个不导入，并逐行说明。

    可以给几个文件（如国家方案和本地综合病种），合成同一个版本；附表用 --part 一起导入。
    """
    from dipgate.config.libraries import import_library
    from dipgate.service.clock import SystemClock

    with progress_bar("读取", quiet=as_json) as progress:
        report = import_library(
            globals_of(ctx).existing_state(),
            name,
            version,
            first_day,
            files[0],
            also=files[1:],
            parts=_parts(parts),
            partial=partial,
            edition=edition,
            supersede=supersede,
            now=SystemClock().now(),
            progress=progress,
        )
    print_report(report, as_json=as_json)


def _parts(options: tuple[str, ...]) -> dict[str, Path]:
    """`KIND=FILE` … → files by kind; ConfigError for what is not of that form, or given twice."""
    found: dict[str, Path] = {}
    for option in options:
        kind, mark, file = option.partition("=")
        if not (mark and kind and file):
            raise ConfigError(
                f"“{option}”应写成 种类=文件，如 ops-not-main=清单.csv", path="--part"
            )
        if kind in found:
            raise ConfigError(f"附表 {kind} 给了两次", path="--part")
        found[kind] = Path(file)
    return found


@library.command("list")
@click.option("--all", "superseded", is_flag=True, help="连已被取代的版本一起列出")
@click.option("--json", "as_json", is_flag=True, help="每个版本输出一个 JSON 对象")
@global_options
@click.pass_context
def list_(ctx: click.Context, superseded: bool, as_json: bool) -> None:
    """列出已导入的 DIP 目录：版本、生效日期、行数、来源文件和哈希。"""
    from dipgate.config.libraries import list_libraries

    found = list_libraries(globals_of(ctx).existing_state(), superseded=superseded)
    print_versions(found, as_json=as_json, empty="还没有导入任何 DIP 目录")


@library.command()
@click.argument("name", metavar="NAME@VERSION")
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
@click.pass_context
def check(ctx: click.Context, name: str, as_json: bool) -> None:
    """检查一个已导入的目录：行数、编码、表达式、分值与平均费用；有错误时退出码为 1。"""
    from dipgate.cli.library_output import print_checked
    from dipgate.config.library_check import check_library
    from dipgate.config.library_workbook import facts

    state = globals_of(ctx).existing_state()
    data = _loaded(state, name)
    checked = check_library(data, facts(), _known(state, data.first_day))
    print_checked(checked, as_json=as_json)
    if checked.errors:
        ctx.exit(1)


@library.command()
@click.argument("before", metavar="A@V1")
@click.argument("after", metavar="B@V2")
@click.option("--csv", "as_csv", is_flag=True, help="输出 CSV：每行一处不同")
@click.option("--counts", "counts_only", is_flag=True, help="只输出数目")
@click.option("--json", "as_json", is_flag=True, help="每处变更输出一个 JSON 对象，最后是数目")
@global_options
@click.pass_context
def diff(
    ctx: click.Context, before: str, after: str, as_csv: bool, counts_only: bool, as_json: bool
) -> None:
    """比较两个目录（或同一目录的两个版本）：新增、取消、变更的病种和附表。"""
    if as_csv and as_json:
        raise ConfigError("--csv 和 --json 只能选一个", path="--csv")
    from dipgate.cli.library_output import Counted, CsvOut, JsonOut, Out, WordsOut
    from dipgate.config.library_diff import changes, part_changes

    state = globals_of(ctx).existing_state()
    old, new = _loaded(state, before), _loaded(state, after)
    out: Out = CsvOut() if as_csv else JsonOut() if as_json else WordsOut()
    counted = Counted(len(old.rows), len(new.rows))
    for change in changes(old, new):
        counted.add(change)
        if not counts_only:
            out.change(change)
    out.end(old.label, new.label, counted, part_changes(old.parts, new.parts))


def _loaded(state: Path, name: str) -> LibraryData:
    """`NAME@VERSION`, or `NAME` where there is only one version."""
    from dipgate.config.libraries import load_library

    library_name, _, version = name.partition("@")
    return load_library(state, library_name, version or None)


def _known(state: Path, day: date) -> Known:
    """Codes of the catalogues in force on a day, else of the earliest after it."""
    from dipgate.config import shelf
    from dipgate.config.catalogues import shelf_of
    from dipgate.config.library_check import Known

    found = []
    for kind in ("icd10", "icd9cm3"):
        folder = shelf_of(state, kind)
        held = shelf.manifests(folder)
        manifest = shelf.in_force(held, day) or next(iter(held), None)
        codes = None if manifest is None else shelf.distinct(folder, manifest, ("code",))
        found.append(None if codes is None else frozenset(codes))
    return Known(*found)

"""`dipgate backup FILE` and `dipgate restore FILE`."""

from __future__ import annotations

from pathlib import Path

import click

from dipgate.cli.frame import global_options, globals_of, print_json
from dipgate.core.errors import ConfigError


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="输出 JSON")
@global_options
@click.pass_context
def backup(ctx: click.Context, file: Path, as_json: bool) -> None:
    """把数据库备份成一个文件；其他进程正在使用时也可以备份。

    备份含患者信息，请妥善保管。原始文件（raw）、目录、政策和站点文件是普通文件，另行复制。
    """
    from dipgate.service.clock import SystemClock
    from dipgate.service.wiring import user_name
    from dipgate.store import backup as make_backup
    from dipgate.store import note_backup

    state = globals_of(ctx).state_dir()
    if not file.parent.is_dir():
        raise ConfigError(
            f"没有目录 {file.parent}，没有备份；先建好它，或检查路径（磁盘是否已挂上）",
            path=str(file.parent),
        )
    report = make_backup(state, file)
    noted = note_backup(state, SystemClock(), actor=user_name(), report=report)
    if as_json:
        print_json(
            {
                "file": str(report.file),
                "bytes": report.size,
                "raw_files": report.raw_files,
                "audited": noted,
            }
        )
        return
    click.echo(f"已备份到 {report.file}（{report.size} 字节，列出原始文件 {report.raw_files} 个）")
    click.echo("原始文件（raw）、catalogues、libraries、policies 和 site.toml 请一并复制")
    if not noted:
        click.echo("状态目录正被其他进程使用，本次备份没有写入审计记录", err=True)


@click.command()
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--json", "as_json", is_flag=True, help="输出 JSON")
@global_options
@click.pass_context
def restore(ctx: click.Context, file: Path, as_json: bool) -> None:
    """用备份替换状态目录里的数据库；原来的数据库留在 backups 里。

    未了结的清单都转为“待核实”：先向平台查询，再决定是否上传，不会重复上报。
    """
    from dipgate.service.clock import SystemClock
    from dipgate.service.wiring import user_name
    from dipgate.store import restore as put_back

    report = put_back(file, globals_of(ctx).state_dir(), SystemClock(), actor=user_name())
    if as_json:
        print_json(
            {
                "unknown": report.unknown,
                "missing_raw": list(report.missing_raw),
                "replaced": str(report.replaced) if report.replaced else "",
                "restore_epoch": report.restore_epoch,
            }
        )
        return
    click.echo(f"已从 {file} 恢复；{report.unknown} 份未了结的清单转为“待核实”，将先向平台查询")
    if report.replaced:
        click.echo(f"原来的数据库留在 {report.replaced}")
    if report.missing_raw:
        click.echo(
            f"缺少 {len(report.missing_raw)} 个原始文件，请把备份时的 raw 目录复制回来；"
            f"例如 {report.missing_raw[0]}",
            err=True,
        )

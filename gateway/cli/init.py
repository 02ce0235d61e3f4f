"""`dipgate init`: the state folder, its site file and its store; safe to run again."""

from __future__ import annotations

import os
from pathlib import Path

import click

from dipgate.cli.frame import global_options, globals_of
from dipgate.core.errors import ConfigError
from dipgate.core.system_words import system_sentence

SAMPLE = {
    "code": "H99010000001",
    "name": "示例市第一人民医院",
    "level": "3",
    "area_code": "990100",
}
"""The sample hospital of the fictional area 990100."""
SAMPLE_AGREED = ("990200",)
"""Its neighbour, which pays for its own insured by its own policy."""

_SAMPLE_PLATFORM = {
    "paasid": "sample",
    "opter": "0001",
    "opter_name": "示例操作员",
    "mac": "00-00-00-00-00-00",
    "ip": "127.0.0.1",
    "policy": "sample_2025",
    "fill_dept": "医保办",
    "fill_person": "示例填报人",
    "hsorg": "示例市医疗保障局",
    "hsorg_opter": "示例经办人",
}


@click.command()
@click.option("--sample", is_flag=True, help="装入虚构统筹区 990100 的示例目录、病种库和政策")
@click.option("--hospital-code", "code", metavar="CODE", help="定点医药机构编号（12 位）")
@click.option("--hospital-name", "name", metavar="NAME", help="定点医药机构名称")
@click.option("--level", metavar="LEVEL", help="医院等级，与付费政策的写法一致")
@click.option("--area", "area_code", metavar="CODE", help="医保区划（6 位）")
@global_options
@click.pass_context
def init(
    ctx: click.Context,
    sample: bool,
    code: str | None,
    name: str | None,
    level: str | None,
    area_code: str | None,
) -> None:
    """建立状态目录、带说明的站点文件和数据库；可以重复运行，已有的站点文件保留不动。"""
    from dipgate.config.settings import load_site
    from dipgate.service.clock import SystemClock
    from dipgate.store import open_store

    given = {"code": code, "name": name, "level": level, "area_code": area_code}
    named = {key: value for key, value in given.items() if value is not None}
    held = globals_of(ctx)
    state, site_file = held.state_dir(), held.site_file()
    clock = SystemClock()
    _make_folder(state)
    written = _write_site(site_file, sample=sample, named=named)
    site = load_site(site_file)
    differing = [key for key, value in named.items() if getattr(site.hospital, key) != value]
    with open_store(state, clock, owner="dipgate init", hospital_code=site.hospital.code or None):
        if sample:
            from dipgate.config.catalogues import activate_sample

            activate_sample(state, clock.now())
    click.echo(f"状态目录：{state}")
    click.echo(f"站点文件：{site_file}（{'新写' if written else '已有，保留不动'}）")
    if sample:
        click.echo("示例目录、病种库和政策（虚构统筹区 990100）已装入")
        if site.hospital.area_code not in ("", SAMPLE["area_code"]):
            click.echo(
                f"注意：站点文件的医保区划是 {site.hospital.area_code}，示例只适用于 990100",
                err=True,
            )
    if differing:
        keys = "、".join(f"hospital.{key}" for key in differing)
        click.echo(f"注意：站点文件里的 {keys} 与给出的选项不同，请直接修改站点文件", err=True)
    missing = site.missing()
    if missing:
        click.echo(f"接着填写：{'、'.join(missing)}，然后运行 dipgate config check")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigError(f"{folder} 不是文件夹；换一个状态目录", path=str(folder)) from error
    except OSError as error:
        sentence = system_sentence(f"建不了状态目录 {folder}", error)
        raise ConfigError(sentence, path=str(folder)) from error


def _write_site(file: Path, *, sample: bool, named: dict[str, str]) -> bool:
    """Write the template unless there is a site file; True when it was written."""
    from dipgate.config.settings import parse_site, render_template

    if file.exists():
        return False
    values = {**SAMPLE, **_SAMPLE_PLATFORM} if sample else {}
    areas = SAMPLE_AGREED if sample else ()
    text = render_template(**{**values, **named}, agreed_areas=areas)
    parse_site(text.encode(), file=file)
    _make_folder(file.parent)
    temporary = file.with_name(f"{file.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8", newline="\n")
        os.replace(temporary, file)
    except OSError as error:
        sentence = system_sentence(f"写不了站点文件 {file}", error)
        raise ConfigError(sentence, path=str(file)) from error
    finally:
        temporary.unlink(missing_ok=True)
    return True

"""`dipgate survey SOURCE`: how ready the hospital is, before anything is stored or sent."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path

import click

from dipgate.cli.frame import global_options, globals_of, print_json, progress_bar


@click.command()
@click.argument("source")
@click.option(
    "--discharges",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="看最近多少次出院",
)
@click.option(
    "--seconds",
    type=click.FloatRange(1, 86_400),
    default=300,
    show_default=True,
    help="每张表最多读多少秒",
)
@click.option(
    "--page",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="把结果写成一个网页文件",
)
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
@click.pass_context
def survey(
    ctx: click.Context,
    source: str,
    discharges: int,
    seconds: float,
    page: Path | None,
    as_json: bool,
) -> int:
    """医院准备好了没有：必填项、编码覆盖、科室人员、校验、入组，按补的次序列出。

    SOURCE 是站点文件里来源的名字。只读来源，不保存，不上传；有“先停”的方面时退出码为 1。
    """
    from dipgate.pipeline.survey import survey as look
    from dipgate.pipeline.survey_report import Ready
    from dipgate.reports.survey_page import masked, survey_page
    from dipgate.service.wiring import open_desk

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        with progress_bar("映射和校验") as progress:
            report = look(desk, source, discharges=discharges, seconds=seconds, progress=progress)
    stopped = any(area.grade is Ready.STOP for area in report.areas)
    if page is not None:
        page.write_text(survey_page(report), encoding="utf-8")
    if as_json:
        gaps = tuple(
            replace(gap, code=masked(gap.code)) if gap.kind == "staff" else gap
            for gap in report.gaps
        )
        print_json(asdict(replace(report, gaps=gaps)))
        return 1 if stopped else 0
    for area in report.areas:
        click.echo(f"[{area.grade}] {area.name}：{area.shown}")
        if area.step:
            click.echo(f"       {area.step}")
    for note in report.notes:
        click.echo(f"注意：{note}")
    if page is not None:
        click.echo(f"网页：{page}")
    else:
        click.echo("加 --page FILE 写成可以转发的网页")
    return 1 if stopped else 0

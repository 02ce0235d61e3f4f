"""`dipgate intake`: read the sources, map, check, group, and say what came out."""

from __future__ import annotations

import click

from dipgate.cli.frame import global_options, globals_of, print_json, progress_bar


@click.command()
@click.argument("sources", nargs=-1)
@click.option("--rejected", is_flag=True, help="不读取，只列出搁置的行：文件、行、字段、处理办法")
@click.option("--all", "everything", is_flag=True, help="与 --rejected 同用：后来已读好的也列出")
@click.option("--history", is_flag=True, help="读入和判定过去的月份（history.before 之前），不上传")
@click.option("--from", "first", metavar="MONTH", help="与 --history 同用：从哪个结算月份起")
@click.option("--to", "last", metavar="MONTH", help="与 --history 同用：到哪个结算月份止")
@click.option(
    "--rate", type=click.IntRange(1), metavar="N", help="与 --history 同用：每分钟最多判定多少份"
)
@click.option(
    "--jobs",
    type=click.IntRange(1, 32),
    metavar="N",
    help="与 --history 同用：用几个进程（默认：处理器数减一）",
)
@click.option("--status", is_flag=True, help="与 --history 同用：只看进度和各月结果")
@click.option("--stop", is_flag=True, help="与 --history 同用：让正在运行的停下")
@click.option("--json", "as_json", is_flag=True, help="输出 JSON")
@global_options
@click.pass_context
def intake(
    ctx: click.Context,
    sources: tuple[str, ...],
    rejected: bool,
    everything: bool,
    history: bool,
    first: str | None,
    last: str | None,
    rate: int | None,
    jobs: int | None,
    status: bool,
    stop: bool,
    as_json: bool,
) -> None:
    """读取数据源，映射、校验、入组计分，给出结果概览。SOURCES 为空时读取全部数据源。"""
    if history:
        from dipgate.cli.history import take, tell, tell_to_stop

        if rejected or everything:
            raise click.UsageError("--rejected 不能与 --history 同用")
        if stop:
            tell_to_stop(ctx)
        elif status:
            tell(ctx, as_json)
        else:
            take(ctx, sources, first or "", last or "", rate, jobs, as_json)
        return
    if first or last or rate or jobs or status or stop:
        raise click.UsageError("--from、--to、--rate、--jobs、--status、--stop 要与 --history 同用")
    if rejected or everything:
        _show_rejected(ctx, sources, everything, as_json)
        return
    from dipgate.core.grouping import GroupStatus
    from dipgate.core.grouping_words import GROUP_WORDS
    from dipgate.core.money import yuan_text
    from dipgate.pipeline.intake import read_each
    from dipgate.pipeline.judge_stage import judge_new_cases
    from dipgate.pipeline.map_stage import map_new_stays
    from dipgate.pipeline.overview import overview
    from dipgate.service.wiring import open_desk

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file()) as desk:
        with progress_bar("读取") as progress:
            read, failed = read_each(desk, sources, lambda _name: progress)
        if failed and not read:
            raise failed[-1][1]
        unread = [f"没有读到来源 {name}：{error}" for name, error in failed]
        with progress_bar("映射") as progress:
            mapped = map_new_stays(desk, progress)
        with progress_bar("校验入组") as progress:
            judged = judge_new_cases(desk, progress)
        view = overview(desk)
    trouble = int(bool(view.set_aside or view.with_errors or unread))
    if as_json:
        print_json(
            {
                "sources": [vars_of(item) for item in read],
                "mapped": vars(mapped),
                "judged": vars(judged),
                "states": view.states,
                "clean": view.clean,
                "with_errors": view.with_errors,
                "errors": [vars_of(item) for item in view.errors],
                "group_statuses": view.money.groups,
                "score_statuses": view.money.scores,
                "expected_fen": view.money.expected_fen,
                "set_aside": view.set_aside,
                "refused": list(view.refused),
                "unread": list(unread),
            }
        )
        ctx.exit(trouble)
    for sentence in (*unread, *view.refused):
        click.echo(sentence)
    for note in mapped.notes:
        click.echo(f"注意：{note}")
    for item in read:
        for note in item.notes:
            click.echo(f"注意：数据源 {item.source}：{note}")
    for item in read:
        click.echo(
            f"数据源 {item.source}：新收 {item.stored} 行，重复 {item.repeated}，"
            f"更新 {item.changed}，搁置 {item.rejected}"
        )
    click.echo(
        f"映射 {mapped.mapped} 份（其中内容未变 {mapped.unchanged}），"
        f"待结算 {mapped.waiting_for_bill}，待首页 {mapped.waiting_for_front_page}，"
        f"搁置 {mapped.set_aside}，未映射编码 {mapped.unmapped_codes}"
    )
    if mapped.history:
        click.echo(f"历史月份的 {mapped.history} 份不在此列；用 dipgate intake --history 读入")
    click.echo(f"可上传 {view.clean} 份，有错误 {view.with_errors} 份")
    for row in view.errors:
        click.echo(f"  {row.rule} {row.lists:>5} 份  {row.message}")
    words = "，".join(
        f"{GROUP_WORDS[GroupStatus(name)]} {count}"
        for name, count in sorted(view.money.groups.items())
    )
    click.echo(f"入组：{words or '无'}")
    unpriced = view.money.scores.get("NOT_CONFIGURED", 0)
    click.echo(
        f"预计基金支付 {yuan_text(view.money.expected_fen)} 元"
        + (f"，不含缺政策参数、算不出金额的 {unpriced} 份" if unpriced else "")
    )
    if view.set_aside:
        click.echo(f"有 {view.set_aside} 处数据搁置，已留存；用 dipgate intake --rejected 查看")
    ctx.exit(trouble)


def _show_rejected(
    ctx: click.Context, sources: tuple[str, ...], everything: bool, as_json: bool
) -> None:
    from dipgate.pipeline.intake import as_record_error
    from dipgate.service.wiring import open_desk
    from dipgate.store import rejects

    held = globals_of(ctx)
    listed = rejects.rejected if everything else rejects.open_rejects
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        after = 0
        while True:
            with desk.store.read() as conn:
                page = listed(conn, after=after)
            if not page:
                return
            after = page[-1][0]
            for number, source, row in page:
                if sources and source not in sources:
                    continue
                if as_json:
                    print_json({"number": number, "source": source, **vars_of(row)})
                else:
                    click.echo(f"{source}：{as_record_error(row)}")


def vars_of(item: object) -> dict[str, object]:
    """The fields of a frozen row as a plain mapping."""
    return {name: getattr(item, name) for name in type(item).__dataclass_fields__}  # type: ignore[attr-defined]

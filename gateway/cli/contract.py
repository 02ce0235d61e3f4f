"""`dipgate contract`: what a source has to deliver, and whether it does."""

from __future__ import annotations

import click

from dipgate.cli.frame import global_options, globals_of, print_json


@click.group()
@global_options
def contract() -> None:
    """与 HIS 厂商的数据约定：每个对象要有哪些列，来源做到了没有。只看不存，不需要状态目录。"""


@contract.command()
@click.argument("source")
@click.option(
    "--limit",
    type=click.IntRange(1, 100_000),
    default=1000,
    show_default=True,
    help="每个对象最多看多少行",
)
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
@click.pass_context
def check(ctx: click.Context, source: str, limit: int, as_json: bool) -> int:
    """核对来源：缺列、多列、类型、宽度、代码值、主键、字符集，附次数和打码的样例。

    SOURCE 是站点文件里来源的名字。不符约定时退出码为 1。
    """
    from dipgate.config.settings import load_site
    from dipgate.pipeline.contract_stage import check_source

    site = load_site(globals_of(ctx).site_file())
    report = check_source(site, source, limit=limit)
    if as_json:
        print_json(
            {
                "source": report.source,
                "holds": report.holds,
                "objects": [
                    {"table": table, "object": name, "columns": columns, "rows": rows}
                    for table, name, columns, rows in report.objects
                ],
                "unmapped": list(report.unmapped),
                "clauses": [
                    {
                        "table": item.table,
                        "object": item.object_name,
                        "breach": item.breach.value,
                        "breaks": item.breaks,
                        "column": item.column,
                        "target": item.target,
                        "count": item.count,
                        "rows": item.rows,
                        "first_row": item.first_row,
                        "example": item.example,
                        "what": item.what,
                        "remedy": item.remedy,
                    }
                    for item in report.clauses
                ],
            }
        )
        return 0 if report.holds else 1
    for table, name, columns, rows in report.objects:
        click.echo(f"{table}：{name}，{columns} 列，看了 {rows} 行")
        for item in report.clauses:
            if (item.table, item.object_name) != (table, name):
                continue
            mark = "不符" if item.breaks else "提示"
            where = f"，第 {item.first_row} 行起" if item.first_row else ""
            shown = f"，样例 {item.example}" if item.example else ""
            times = f"{item.count} / {item.rows} 行{where}{shown}" if item.first_row else ""
            click.echo(f"  [{mark}] {item.breach.value}：{item.what}。{item.remedy}")
            if times:
                click.echo(f"         {times}")
    for name in report.unmapped:
        click.echo(f"[不符] 上传必填的 {name} 没有映射来源列，也没有统一填写（fill）")
    broken = sum(item.breaks for item in report.clauses) + len(report.unmapped)
    hints = len(report.clauses) - sum(item.breaks for item in report.clauses)
    click.echo(
        f"来源 {source}：{'符合约定' if report.holds else f'{broken} 处不符约定'}"
        + (f"，{hints} 处提示" if hints else "")
    )
    return 0 if report.holds else 1


@contract.command()
@click.argument("source")
@click.option("--json", "as_json", is_flag=True, help="每列输出一个 JSON 对象")
@global_options
@click.pass_context
def show(ctx: click.Context, source: str, as_json: bool) -> None:
    """列出约定：每个对象要有的列、对应的国家字段、类型、长度、必填、码表，可直接交给厂商。"""
    from dipgate.config.settings import load_site
    from dipgate.pipeline.contract_stage import terms

    site = load_site(globals_of(ctx).site_file())
    last = ""
    for term in terms(site, source):
        if as_json:
            print_json({name: getattr(term, name) for name in type(term).__dataclass_fields__})
            continue
        if term.table != last:
            click.echo(f"{term.table}：{term.object_name}")
            last = term.table
        form = f"{term.type_name} {term.length}".strip()
        required = {"Y": "必填", "C": "有条件必填"}.get(term.required, "可不填")
        codes = f"，码表 {term.codes}" if term.codes else ""
        target = f"  {term.field}" if term.field else ""
        click.echo(f"  {term.column}{target}  {term.name}  {form}，{required}{codes}")

"""`dipgate lineage CASE FIELD`: where a field of a list comes from."""

from __future__ import annotations

import click

from dipgate.cli.frame import global_options, globals_of, print_json


@click.command()
@click.argument("case")
@click.argument("field", required=False)
@click.option("--json", "as_json", is_flag=True, help="输出 JSON，一个字段一行")
@global_options
@click.pass_context
def lineage(ctx: click.Context, case: str, field: str | None, as_json: bool) -> None:
    """显示清单字段的来历：数据源、文件或视图、行、列、原值、映射与更正。

    CASE 是结算ID或病例编号；FIELD 如 diseinfo[0].diag_code，省略时列出全部字段。
    """
    from dipgate.core.errors import RecordError
    from dipgate.service.wiring import open_desk
    from dipgate.store import cases

    held = globals_of(ctx)
    with open_desk(held.state_dir(), held.site_file(), read_only=True) as desk:
        with desk.store.read() as conn:
            stored = cases.case_by_settlement(conn, case) or cases.get_case(conn, case)
            if stored is None:
                raise RecordError(f"没有病例 {case}", remedy="用结算ID查，或先运行 dipgate intake")
            origins = cases.origins_of(conn, stored.id)
    chosen = [item for item in origins if field is None or item.path == field]
    if not chosen:
        near = "、".join(
            item.path for item in origins if field and field.split("[")[0] in item.path
        )
        raise RecordError(
            f"清单上没有字段 {field}",
            remedy=f"相近的字段：{near[:200]}" if near else "省略 FIELD 列出全部",
        )
    for item in chosen:
        if as_json:
            print_json({name: getattr(item, name) for name in type(item).__dataclass_fields__})
            continue
        click.echo(f"{item.path} = {item.value}")
        if item.column:
            click.echo(
                f"  来自 {item.source} · {item.object_name} 第{item.row}行 · 列“{item.column}”"
                f" · 原值“{item.raw_value}”"
            )
        for step in item.steps:
            click.echo(f"  {step}")
        if item.overlay is not None:
            click.echo(f"  更正 第{item.overlay}号")

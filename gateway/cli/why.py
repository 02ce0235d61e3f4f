"""`dipgate why`: why the bureau's result for a case is another than ours."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dipgate.cli.case_files import case_options
from dipgate.cli.frame import UNUSABLE, global_options, print_json

if TYPE_CHECKING:
    from dipgate.core.errors import RecordError
    from dipgate.pipeline.bulk_group_book import BookNames
    from dipgate.pipeline.why_file import Line, Whole


@click.command()
@case_options
@click.option(
    "--theirs",
    metavar="FILE",
    type=click.Path(path_type=Path),
    required=True,
    help="医保局的分组结果（3606 字段的 JSON Lines，或带中文表头的 CSV、XLSX）",
)
@click.option("--all", "show_all", is_flag=True, help="一致的也列出")
@global_options
def why(
    file: Path,
    names: BookNames,
    theirs: Path,
    show_all: bool,
    as_json: bool,
) -> int:
    """逐例比较我方和医保局的结果，说出第一处不同和它的原因。"""
    from dipgate.pipeline.why_file import compare_files

    whole = compare_files(file, theirs, names, aside=_tell_aside)
    for line in whole.lines:
        if as_json:
            print_json(_as_json(line))
        elif show_all or line.difference.reason.value != "EQUAL":
            click.echo(f"{line.case}：{line.difference.text}")
    if not as_json:
        _print_counts(whole)
    return UNUSABLE if whole.asides or not whole.lines else 0


def _tell_aside(error: RecordError) -> None:
    click.echo(f"已搁置：{error}", err=True)


def _as_json(line: Line) -> dict[str, Any]:
    from dipgate.pregrouper.differences import plain

    difference = line.difference
    return {
        "case": line.case,
        "reason": difference.reason.value,
        "field": difference.field,
        "ours": difference.ours,
        "theirs": difference.theirs,
        "text": difference.text,
        "causes": [
            {
                "reason": cause.reason.value,
                "field": cause.field,
                "ours": cause.ours,
                "theirs": cause.theirs,
                "note": cause.note,
            }
            for cause in difference.causes
        ],
        "our_group": line.group.group_code if line.group else "",
        "their_group": line.theirs.group_code if line.theirs else "",
        "our_score": plain(line.score.score) if line.score else "",
        "their_score": plain(line.theirs.settled_score) if line.theirs else "",
        "our_fen": line.our_fen,
        "their_fen": line.their_fen,
        "change_fen": line.change_fen,
    }


def _print_counts(whole: Whole) -> None:
    from dipgate.core.money import yuan_text
    from dipgate.pregrouper.differences import REASON_TEXT

    lacking = "平台没有给金额的按其分值折算，未入组的算 0 元"
    click.echo(f"共 {len(whole.lines)} 例（金额是平台减我方；{lacking}）：")
    for reason, number, change in whole.by_reason():
        sign = "+" if change > 0 else ""
        money = f"，{sign}{yuan_text(change)} 元" if change else ""
        click.echo(f"  {reason.value} {REASON_TEXT[reason]} {number} 例{money}")
    if whole.asides:
        click.echo(f"另有 {len(whole.asides)} 行不能读取，已搁置，见上面的说明")

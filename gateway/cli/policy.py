"""`dipgate policy check|list|show`: payment policies examined, listed, and value by value."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dipgate.cli.catalogue import day_of
from dipgate.cli.frame import global_options, globals_of, print_json
from dipgate.core.errors import ConfigError

if TYPE_CHECKING:
    from dipgate.pipeline.policy_report import PolicyReport
    from dipgate.pregrouper.review import Edge


_COMPLETENESS = {
    "national": "国家框架",
    "grouping+scoring": "入组和计分",
    "grouping": "只有入组",
    "scoring-fragment": "只有部分计分",
    "settlement-fragment": "只有部分结算",
    "scope-only": "只有适用范围",
    "template": "样板",
}
"""How much of a city's rules a policy holds, in words."""


@click.group()
@global_options
def policy() -> None:
    """付费政策：检查、列出、逐项显示。"""


def _state(ctx: click.Context) -> Path | None:
    """The state folder if one is named: a built-in policy can be looked at without one."""
    return globals_of(ctx).state_if_named()


def _day(ctx: click.Context, param: click.Parameter, value: str | None) -> date | None:
    return None if value is None else day_of(ctx, param, value)


@policy.command()
@click.argument("name", metavar="FILE|ID")
@click.option("--date", "day", callback=_day, help="按哪一天的参数（默认：今天或生效日）")
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
@click.pass_context
def check(ctx: click.Context, name: str, day: date | None, as_json: bool) -> int:
    """检查一份政策：写错的词、缺的参数、界限处的跳变、有效期、算例；有错时退出码为 1。"""
    from dipgate.config.policies import policy_file
    from dipgate.pipeline.policy_report import examine
    from dipgate.service.clock import SystemClock

    today, state = SystemClock().now().date(), _state(ctx)
    policy_file(name, state=state)
    try:
        report = examine(name, state=state, today=today, day=day)
    except ConfigError as error:
        if as_json:
            note = {"level": "error", "path": error.path, "text": str(error)}
            print_json({"policy": "", "usable": False, "notes": [note]})
        else:
            click.echo(f"[错误] {error}")
            click.echo("不能使用，先改正错误")
        return 1
    if as_json:
        print_json(_as_json(report))
    else:
        _print(report)
    return 1 if report.refused else 0


@policy.command("list")
@click.option("--json", "as_json", is_flag=True, help="每份政策输出一个 JSON 对象")
@global_options
@click.pass_context
def list_(ctx: click.Context, as_json: bool) -> None:
    """列出所有政策：地区、编号、有效期、完整程度、病种目录、还缺多少参数。"""
    from dipgate.config.policies import listed_policies
    from dipgate.pregrouper.policy_needs import GROUPING, MONEY, SCORE, missing_parameters
    from dipgate.service.clock import SystemClock

    today = SystemClock().now().date()
    found, broken = listed_policies(_state(ctx))
    for item in sorted(found, key=lambda item: item.policy.policy.region.code):
        header = item.policy.policy
        needs = [need.section for need in missing_parameters(item.policy, today)]
        counts = {section: needs.count(section) for section in (GROUPING, SCORE, MONEY)}
        row: dict[str, Any] = {
            "area": header.region.code,
            "area_name": header.region.name,
            "id": header.id,
            "effective_from": _iso(header.effective_from),
            "effective_to": _iso(header.effective_to),
            "completeness": header.completeness or "",
            "library": item.policy.catalogue.library or "",
            "own": item.own,
            "extends": list(item.extends),
            "missing": counts,
            "policy": item.policy.label,
        }
        if as_json:
            print_json(row)
            continue
        dates = f"{row['effective_from'] or '（未知）'} – {row['effective_to'] or '（未定）'}"
        held = _COMPLETENESS.get(row["completeness"], row["completeness"])
        based = f" 基于 {'、'.join(item.extends)}" if item.extends else ""
        click.echo(
            f"{header.region.code} {header.region.name}  {header.id}"
            f"{'（本院）' if item.own else ''}{based}  {dates}  {held}  "
            f"目录 {row['library'] or '（未写）'}  "
            f"缺参数：入组 {counts[GROUPING]}、计分 {counts[SCORE]}、金额 {counts[MONEY]}"
        )
    for file in broken:
        if as_json:
            print_json({"file": file.file, "own": True, "error": file.text})
        else:
            click.echo(f"[错误] {file.file}（本院）读不出来：{file.text}")


@policy.command()
@click.argument("name", metavar="FILE|ID")
@click.argument("path", metavar="[PATH]", required=False, default="")
@click.option("--json", "as_json", is_flag=True, help="每个值输出一个 JSON 对象")
@global_options
@click.pass_context
def show(ctx: click.Context, name: str, path: str, as_json: bool) -> None:
    """逐项显示一份政策合并后的值：出自哪个文件哪一行、依据是什么；PATH 只看一部分。"""
    from dipgate.config.policies import load_policy
    from dipgate.config.policy_show import shown_values

    state = _state(ctx)
    found = shown_values(name, path, state=state)
    evidence = load_policy(name, state=state).evidence
    for item in found:
        if as_json:
            print_json(
                {
                    "path": item.path,
                    "value": item.value,
                    "file": item.file,
                    "line": item.line,
                    "evidence": list(item.evidence),
                    "recorded": item.recorded,
                }
            )
            continue
        value = "（未知）" if item.value is None else item.value
        why = f" [{'、'.join(item.evidence)}]" if item.evidence else ""
        kept = "  只作记录，不参与计算" if item.recorded else ""
        click.echo(f"{item.path} = {value}  （{item.file}:{item.line}）{why}{kept}")
    if not as_json:
        for key in dict.fromkeys(key for item in found for key in item.evidence):
            entry = evidence.get(key)
            if entry is not None:
                click.echo(f"[{key}] {entry.grade} {entry.title}")


def _iso(day: date | None) -> str:
    return f"{day:%Y-%m-%d}" if day is not None else ""


def _edge(edge: Edge) -> dict[str, Any]:
    return {
        "path": edge.path,
        "at": format(edge.at, "f"),
        "inside": _shown(edge.inside),
        "past": _shown(edge.past),
        "past_side": "above" if edge.side == "略高" else "below",
        "jumps": edge.jumps,
    }


def _shown(value: Any) -> str | None:
    return None if value is None else format(value, ".6f")


def _as_json(report: PolicyReport) -> dict[str, Any]:
    return {
        "policy": report.policy.label,
        "files": list(report.files),
        "day": _iso(report.day),
        "usable": not report.refused,
        "notes": [
            {
                "level": note.level,
                "path": note.path,
                "text": note.text,
                "place": report.places.get(note.path, ""),
            }
            for note in report.notes
        ],
        "missing": [
            {"section": need.section, "path": need.path, "meaning": need.meaning}
            for need in report.missing
        ],
        "recorded": [{"path": path, "meaning": why} for path, why in report.recorded],
        "edges": [_edge(edge) for edge in report.edges],
        "cases": [
            {"name": case.name, "differences": list(case.differences)} for case in report.cases
        ],
        "cases_not_run": report.not_run,
    }


def _print(report: PolicyReport) -> None:
    from dipgate.pregrouper.policy_needs import SECTIONS

    header = report.policy.policy
    click.echo(
        f"{header.id}  {header.region.code} {header.region.name}  "
        f"{_iso(header.effective_from) or '（未知）'} – {_iso(header.effective_to) or '（未定）'}  "
        f"按 {_iso(report.day)} 检查"
    )
    click.echo(f"文件  {' ← '.join(report.files)}")
    for note in report.notes:
        word = "错误" if note.level == "error" else "提示"
        place = report.places.get(note.path, "")
        click.echo(f"[{word}] {f'{place} ' if place else ''}{note.path}：{note.text}")
    for section, title in SECTIONS.items():
        needs = [need for need in report.missing if need.section == section]
        click.echo(f"{title}：{f'缺 {len(needs)} 个参数' if needs else '参数齐全'}")
        for need in needs:
            click.echo(f"  {need.path}  {need.meaning}")
    if report.recorded:
        click.echo(f"只作记录，不参与计算：{len(report.recorded)} 项")
        for path, why in report.recorded:
            click.echo(f"  {path}  {why}")
    if report.edges:
        click.echo("界限两侧（机构系数按 0.9）：")
    for edge in report.edges:
        mark = "  ← 跳变，请确认" if edge.jumps else ""
        inside, past = (_shown(value) or "不按公式" for value in (edge.inside, edge.past))
        click.echo(
            f"  {edge.path} {edge.at:f}：界上 {inside}，{edge.side} {past}（{edge.unit}）{mark}"
        )
    failed = [case for case in report.cases if case.differences]
    click.echo(f"算例：{len(report.cases)} 个运行，{len(failed)} 个不符")
    for case in failed:
        click.echo(f"  {case.name}")
        for difference in case.differences:
            click.echo(f"    {difference}")
    if report.not_run:
        click.echo(f"  另有 {report.not_run} 个没有运行：缺少病种目录")
    click.echo("不能使用，先改正错误" if report.refused else "没有发现错误")

"""`dipgate alternatives`: what else each case of a file could honestly be."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dipgate.cli.case_files import case_options, read_cases
from dipgate.cli.frame import UNUSABLE, global_options, globals_of, print_json, progress_bar
from dipgate.core.errors import Place, RecordError

if TYPE_CHECKING:
    from dipgate.pipeline.bulk_group_book import BookNames
    from dipgate.pregrouper.alternatives import Alternatives, Option


@click.command()
@case_options
@click.option("--case", "wanted", metavar="ID", help="只看这一例（结算ID，没有就是行号）")
@global_options
@click.pass_context
def alternatives(
    ctx: click.Context,
    file: Path,
    names: BookNames,
    wanted: str | None,
    as_json: bool,
) -> int:
    """每个病例还可能是什么：别的主要诊断、主要手术，各自的病种、分值、支付和病历里的依据。

    只从清单和收费里已有的内容出发；没有依据的列出来但锁住。按依据排，不按钱排。
    每看一次都记进状态目录的审计。文件是 JSON Lines 或一个 JSON 数组。
    """
    from dipgate.config.settings import load_site
    from dipgate.core.events import LogEvent
    from dipgate.core.lists import numbered_cases
    from dipgate.pipeline.alternatives_file import as_object, opened
    from dipgate.security.eventlog import log
    from dipgate.service.clock import SystemClock
    from dipgate.service.wiring import hospital_of, owner_name, user_name

    held = globals_of(ctx)
    site = load_site(held.site_file()) if held.site_file().is_file() else None
    data = read_cases(file)
    unusable = shown = 0
    with (
        opened(
            names,
            SystemClock(),
            actor=user_name(),
            hospital=hospital_of(site) if site is not None else None,
            owner=owner_name(),
        ) as bench,
        progress_bar("试算", quiet=as_json) as progress,
    ):
        for number, item in numbered_cases(data, file=file.name):
            progress(number, None)
            if isinstance(item, RecordError):
                unusable += wanted is None
                click.echo(f"已搁置：{item}", err=True)
                continue
            case_id = item.settlement_id or str(number)
            if wanted is not None and case_id != wanted:
                continue
            found = bench.alternatives(item)
            shown += 1
            locked = sum(each.locked for each in found.options)
            log(LogEvent.SIMULATED, tried=len(found.options), locked=locked)
            if as_json:
                print_json(as_object(case_id, found))
            else:
                for line in _told(case_id, found):
                    click.echo(line)
    if wanted is not None and not shown:
        raise RecordError(f"文件里没有病例 {wanted}", place=Place(str(file)), remedy="核对结算ID")
    return UNUSABLE if unusable or not shown else 0


def _told(case_id: str, found: Alternatives) -> Iterator[str]:
    """One case in words: now, what may be taken, what is locked, what only the bill knows."""
    yield f"病例 {case_id}"
    yield f"  现在：{_what(found.present)} → {_worth(found.present)}"
    yield from _backing(found.present)
    free = [item for item in found.options if not item.locked]
    for place, item in enumerate(free, start=1):
        yield f"  {place}. 还可能是：{_what(item)} → {_worth(item)}{_gap(item)}"
        yield from _backing(item)
        yield from (f"    会去掉 {each.rule}：{each.message}" for each in item.cleared)
        yield from (f"    会出现 {each.rule}：{each.message}" for each in item.raised)
        yield f"    审核风险 {item.exposure.level}{_notes(item)}"
    if not free:
        yield "  没有病历支持的别的选择。"
    for item in found.options:
        if item.locked:
            yield f"  锁住：{_what(item)}（{item.reasons[0]}）"
    for billed in found.billed:
        yield f"  收费有、清单没有：{billed.name}（{billed.path} {billed.value}）；核对手术记录"
    if found.left_out:
        yield f"  另有 {found.left_out} 行没有试。"


def _what(item: Option) -> str:
    parts = [
        f"{word} {coded.code} {coded.name}".strip()
        for word, coded in (("主诊", item.diagnosis), ("主手术", item.operation))
        if coded is not None
    ]
    return "，".join(parts) or "没有主要诊断"


def _worth(item: Option) -> str:
    from dipgate.core.money import yuan_text

    group = item.group.group_code or "没有病种"
    points = "分值不知道" if item.score.score is None else f"{item.score.score:f} 分"
    money = "支付不知道"
    if item.score.amount is not None:
        money = f"基金预计支付 {yuan_text(item.score.amount)} 元"
    missing = f"（缺 {'、'.join(item.score.not_configured)}）" if item.score.not_configured else ""
    return f"{group} {item.group.group_name}，{points}，{money}{missing}"


def _gap(item: Option) -> str:
    from dipgate.core.money import yuan_text

    if item.gap is None:
        return ""
    return f"，比现在{'多' if item.gap >= 0 else '少'} {yuan_text(abs(item.gap))} 元"


def _backing(item: Option) -> Iterator[str]:
    for each in item.evidence:
        yield f"    依据：{each.text} [{each.path}]"


def _notes(item: Option) -> str:
    texts = "；".join(text for _, text in item.exposure.notes)
    return f"：{texts}" if texts else ""

"""`dipgate rules`: the rules as they are compiled: list, and one rule's page."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from typing import TYPE_CHECKING

import click

from dipgate.cli.frame import global_options, print_json
from dipgate.core.errors import ConfigError

if TYPE_CHECKING:
    from dipgate.validators import Pack, RuleInfo


@click.group()
@global_options
def rules() -> None:
    """查看校验规则。"""


@rules.command("list")
@click.option("--pack", "pack_names", metavar="P", multiple=True, help="规则包（默认全部）")
@click.option("--json", "as_json", is_flag=True, help="每条规则输出一个 JSON 对象")
@global_options
def list_rules(pack_names: tuple[str, ...], as_json: bool) -> int:
    """列出规则：编号、级别、要求。"""
    packs = _packs(pack_names)
    for pack in packs:
        if not as_json:
            click.echo(f"规则包 {pack.id}（{len(pack.rules)} 条，版本 {pack.version[:12]}）")
        for info in sorted(pack.rules, key=lambda each: each.id):
            if as_json:
                print_json(_as_object(info, pack))
            else:
                click.echo(f"  {info.id}  {info.severity.word:<7}  {info.family}  {info.title}")
    return 0


@rules.command("show")
@click.argument("rule_id", metavar="ID")
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
def show_rule(rule_id: str, as_json: bool) -> int:
    """显示一条规则：要求、条件、依据、改法、正反例。"""
    from dipgate.config.strict_model import did_you_mean

    packs = _packs(())
    found = [(info, pack) for pack in packs if (info := pack.rule(rule_id.upper())) is not None]
    if not found:
        known = [info.id for pack in packs for info in pack.rules]
        raise ConfigError(f"没有规则 {rule_id}{did_you_mean(rule_id.upper(), known)}", path=rule_id)
    for info, pack in found:
        if as_json:
            print_json(_as_object(info, pack))
        else:
            for line in _page(info):
                click.echo(line)
    return 0


def _packs(names: tuple[str, ...]) -> tuple[Pack, ...]:
    from dipgate.config.rules import pack_ids
    from dipgate.pipeline.packs import compiled_packs

    return compiled_packs(names or pack_ids())


def _as_object(info: RuleInfo, pack: Pack) -> dict[str, object]:
    return {
        "rule": info.id,
        "pack": info.pack,
        "pack_version": pack.version,
        "family": info.family,
        "severity": info.severity.word,
        "confidence": info.confidence,
        "title": info.title,
        "why": info.why,
        "fields": info.fields,
        "message": info.message,
        "remedy": info.remedy,
        "clause": info.clause,
        "since": info.since.isoformat(),
        "needs": info.needs,
        "suppressed_by": info.suppressed_by,
        "parts": [
            {
                "for_each": part.for_each,
                "when": part.when,
                "must": part.must,
                "fields": part.fields,
                "fix": part.fix,
            }
            for part in info.parts
        ],
    }


def _page(info: RuleInfo) -> Iterator[str]:
    from dipgate.config.rules import load_examples
    from dipgate.validators import CONFIDENCE

    yield f"{info.id}  {info.title}（{info.family}，{info.severity.word}，规则包 {info.pack}）"
    if info.why:
        yield info.why
    yield f"  字段：{'、'.join(info.fields)}"
    for part in info.parts:
        yield f"  对每个 {part.for_each}：必须 {part.must}"
        if part.when:
            yield f"    条件：{part.when}"
        if part.fix:
            yield f"    修正：{part.fix}"
    yield f"  提示：{info.message}"
    yield f"  处理：{info.remedy}"
    holds = "始终施行" if info.since == date.min else f"自 {info.since.isoformat()} 起"
    yield f"  依据：{info.clause}；{holds}；条件的把握：{CONFIDENCE[info.confidence]}"
    if info.needs:
        yield f"  缺少其一则未检：{'、'.join(info.needs)}"
    if info.suppressed_by:
        yield f"  同处已报这些规则时不再报：{'、'.join(info.suppressed_by)}"
    words = {"passes": "正例", "fails": "反例", "not_checked": "未检例"}
    for example in load_examples(info.pack):
        if example.rule == info.id:
            changes = [f"{path}={value!r}" for path, value in example.set_.items()]
            changes += [f"加一行 {node}" for node in example.add]
            changes += [f"去掉 {path}" for path in (*example.remove, *example.without)]
            yield f"  {words[example.side]}：{example.note or '，'.join(changes) or '基准病例'}"

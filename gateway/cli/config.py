"""`dipgate config`: what the site file sets up and still lacks; the fields a source can fill."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from dipgate.cli.frame import global_options, globals_of, print_json

if TYPE_CHECKING:
    from dipgate.config.settings import Site

_REQUIRED = {"Y": "必填", "C": "有条件必填", "N": "可不填"}


@click.group()
@global_options
def config() -> None:
    """站点文件。"""


@config.command()
@click.option("--json", "as_json", is_flag=True, help="输出一个 JSON 对象")
@global_options
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> int:
    """检查站点文件：指出写错的键、没填的项、不存在的路径；有问题时退出码为 1。"""
    from dipgate.adapters.registry import adapters
    from dipgate.config.settings import load_site, platform_secret
    from dipgate.config.site_check import check_site

    held = globals_of(ctx)
    site = load_site(held.site_file())
    secret_set = platform_secret() is not None
    state = held.state_dir() if held.site is None else held.state
    kinds = {kind: found.place for kind, found in adapters().items()}
    report = check_site(site, secret_set=secret_set, state=state, kinds=kinds)
    problems = [*report.problems, *(_store_problems(state, site.hospital.code) if state else ())]
    result: dict[str, Any] = {
        "file": str(site.file),
        "hospital": site.hospital.model_dump(),
        "mode": site.platform.mode,
        "url": site.platform.url,
        "dialect": report.dialect.id if report.dialect is not None else "",
        "secret_set": secret_set,
        "policy": site.policy.id,
        "sources": [
            {
                "name": source.name,
                "kind": source.kind,
                "charset": source.charset,
                "edition": source.edition,
                "tables": {
                    name: len(table.columns) + sum(len(item.columns) for item in table.repeats)
                    for name, table in source.tables.items()
                },
            }
            for source in site.sources
        ],
        "problems": problems,
        "hints": [*report.hints, *_account_hints(site)],
    }
    if as_json:
        print_json(result)
    else:
        _print(result)
    return 1 if problems else 0


def _account_hints(site: Site) -> Iterator[str]:
    """Servers that cannot be asked now, and accounts that could do more than read."""
    from dipgate.adapters.sql import may_write
    from dipgate.core.errors import DipgateError

    for spec in site.source_specs():
        if spec.server is None:
            continue
        try:
            rights = may_write(spec, site.source_password(spec.name))
        except DipgateError as error:
            yield str(error)
            continue
        if rights:
            yield (
                f"来源 {spec.name} 的账号 {spec.server.user} 能写库（{'、'.join(rights)}）；"
                "请厂商换成只有 SELECT 权限的账号"
            )


def _store_problems(state: Path, hospital_code: str) -> Iterator[str]:
    """Why the state folder's store would not open for this site; looks without changing it."""
    from dipgate.core.errors import DipgateError
    from dipgate.service.clock import SystemClock
    from dipgate.store import open_store

    file = state / "dipgate.sqlite"
    if not file.is_file() or file.stat().st_size == 0:
        return
    try:
        open_store(
            state,
            SystemClock(),
            owner="dipgate config check",
            hospital_code=hospital_code or None,
            read_only=True,
        ).close()
    except DipgateError as error:
        yield str(error)


def _print(result: dict[str, Any]) -> None:
    hospital = result["hospital"]
    empty = "（未填）"
    secret = "已设置" if result["secret_set"] else "未设置"
    click.echo(f"站点文件  {result['file']}")
    click.echo(
        f"医院      {hospital['code'] or empty} {hospital['name'] or empty} "
        f"等级 {hospital['level'] or empty} 医保区划 {hospital['area_code'] or empty}"
    )
    click.echo(
        f"平台      方式 {result['mode']}，地址 {result['url'] or empty}，"
        f"地方接口 {result['dialect'] or '（没有）'}，密钥{secret}"
    )
    click.echo(f"付费政策  {result['policy'] or '按医保区划和结算日期选'}")
    for source in result["sources"]:
        tables = "，".join(f"{name} {count} 列" for name, count in source["tables"].items())
        click.echo(
            f"来源      {source['name']}（{source['kind']}，{source['charset']}，"
            f"编码 {source['edition']}）：{tables}"
        )
    for problem in result["problems"]:
        click.echo(f"[问题] {problem}")
    for hint in result["hints"]:
        click.echo(f"[提示] {hint}")
    if not result["problems"]:
        click.echo("没有发现问题")


@config.command()
@click.argument("other", required=False, type=click.Path(path_type=Path), metavar="[FILE]")
@click.option("--defaults", is_flag=True, help="与默认值比：本院改了什么")
@click.option("--history", is_flag=True, help="列出用过的站点文件，新的在后")
@click.option("--json", "as_json", is_flag=True, help="每处不同输出一个 JSON 对象")
@global_options
@click.pass_context
def diff(
    ctx: click.Context, other: Path | None, defaults: bool, history: bool, as_json: bool
) -> int:
    """站点文件改了什么：与最近一次使用的那份比，或与 FILE 比；有不同时退出码为 1。"""
    from dipgate.config.settings import load_site, parse_site
    from dipgate.config.site_diff import differences, kept_files
    from dipgate.core.errors import ConfigError

    held = globals_of(ctx)
    if history:
        for path in kept_files(held.state_dir()):
            click.echo(f"{path.stem}  {path}")
        return 0
    site = load_site(held.site_file())
    if defaults:
        before, title = parse_site(b"", file=Path("默认值")), "默认值"
    elif other is not None:
        before, title = load_site(other), str(other)
    else:
        kept = kept_files(held.state_dir())
        if not kept:
            raise ConfigError(
                "这个状态目录还没有用过站点文件，没有可比的；"
                "加 --defaults 与默认值比，或写上另一份站点文件",
                path=str(held.state_dir()),
            )
        before, title = load_site(kept[-1]), f"最近使用的一份（{kept[-1].stem}）"
    found = differences(before, site)
    if as_json:
        for change in found:
            print_json({"path": change.path, "before": change.before, "after": change.after})
        return 1 if found else 0
    if not found:
        click.echo(f"与{title}没有不同")
        return 0
    click.echo(f"与{title}比，{len(found)} 处不同：")
    for change in found:
        click.echo(f"  {change.path}：{_side(change.before)} → {_side(change.after)}")
    if other is None and not defaults:
        click.echo("重新启动 dipgate serve 后生效")
    return 1


def _side(value: str | None) -> str:
    return "（没有）" if value is None else value or "（空）"


@config.command()
@click.argument("name", required=False)
@click.option("--json", "as_json", is_flag=True, help="每个代码输出一个 JSON 对象")
def codes(name: str | None, as_json: bool) -> None:
    """列出一个码表的代码和名称，如 gend、prfs；不写 NAME 就列出有哪些码表。"""
    from dipgate.config.standard import codesets
    from dipgate.config.strict_model import did_you_mean
    from dipgate.core.errors import ConfigError

    known = codesets()
    if name is None:
        for each, held in known.items():
            click.echo(f"{each}  {len(held)} 个")
        return
    if name not in known:
        raise ConfigError(f"没有码表 {name!r}{did_you_mean(name, known)}", path="NAME")
    for code, label in known[name].items():
        if as_json:
            print_json({"codeset": name, "code": code, "label": label})
        else:
            click.echo(f"{code}  {label}")


@config.command()
@click.argument("node", required=False)
@click.option("--json", "as_json", is_flag=True, help="每个字段输出一个 JSON 对象")
def fields(node: str | None, as_json: bool) -> None:
    """列出清单的国家字段：代码、名称、类型、长度、是否必填、码表。NODE 如 setlinfo、diseinfo。"""
    from dipgate.config.standard import field_table
    from dipgate.config.strict_model import did_you_mean
    from dipgate.core.errors import ConfigError

    found = {
        (spec.node, spec.code): spec for infno in ("4101", "4101A") for spec in field_table(infno)
    }
    nodes = list(dict.fromkeys(name for name, _ in found))
    if node is not None and node not in nodes:
        raise ConfigError(f"清单没有 {node!r} 这一节{did_you_mean(node, nodes)}", path="NODE")
    for name in nodes if node is None else (node,):
        specs = [spec for (where, _), spec in found.items() if where == name]
        if not as_json:
            click.echo(f"{name}（{'可多行' if specs[0].multi else '一行'}）")
        for spec in specs:
            if as_json:
                print_json(
                    {
                        "node": name,
                        "code": spec.code,
                        "name": spec.name,
                        "type": spec.type.value,
                        "length": spec.length,
                        "required": spec.required,
                        "codeset": spec.codeset,
                    }
                )
                continue
            form = f"{spec.type.value} {spec.length}".strip()
            codes = f"，码表 {spec.codeset}" if spec.codeset else ""
            click.echo(
                f"  {spec.code}  {spec.name}  {form}，"
                f"{_REQUIRED.get(spec.required, spec.required or '可不填')}{codes}"
            )

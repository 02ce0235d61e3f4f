"""`dipgate check`: what a platform would refuse, and why, for every case of a file."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dipgate.cli.case_files import read_cases
from dipgate.cli.frame import (
    UNUSABLE,
    Globals,
    global_options,
    globals_of,
    print_json,
    progress_bar,
)
from dipgate.core.errors import ConfigError, RecordError
from dipgate.core.findings import FindingStatus, Severity

if TYPE_CHECKING:
    from dipgate.core.findings import Finding
    from dipgate.core.lists import SettlementList
    from dipgate.core.reference import Reference
    from dipgate.validators import Pack

WIDE = 160
_SEVERITY_WORDS = {Severity.ERROR: "错误", Severity.WARNING: "警告", Severity.HINT: "提示"}


@click.command()
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="每个问题输出一个 JSON 对象")
@click.option(
    "--pack",
    "pack_names",
    metavar="P",
    multiple=True,
    help="规则包，可写多次（默认 base 和所用目录版本的 dip 包）",
)
@click.option(
    "--date", "on", metavar="YYYY-MM-DD", help="按这一天的目录和规则（默认：各病例的结算日）"
)
@click.option("--all", "show_all", is_flag=True, help="连同没能校验的规则和原因")
@global_options
@click.pass_context
def check(
    ctx: click.Context,
    file: Path,
    as_json: bool,
    pack_names: tuple[str, ...],
    on: str | None,
    show_all: bool,
) -> int:
    """校验病例文件（JSON Lines 或一个 JSON 数组）。

    没有状态目录时只用内置码表，需要目录的规则报“未检”（--all 可见）；
    用 --state 指定状态目录则使用其中已导入的目录。
    退出码：0 没有错误，1 有错误，2 有不能读取的内容。
    """
    from dipgate.core.lists import numbered_cases
    from dipgate.validators import check as check_list

    bench = _Bench.open(globals_of(ctx), pack_names, _day(on))
    data = read_cases(file)
    report = _Report(show_all)
    seen: dict[str, int] = {}
    with progress_bar("校验", quiet=as_json) as progress:
        for number, item in numbered_cases(data, file=file.name):
            progress(number, None)
            if isinstance(item, RecordError):
                report.unusable += 1
                click.echo(f"已搁置：{item}", err=True)
                continue
            first = seen.setdefault(item.settlement_id, number) if item.settlement_id else number
            if first != number:
                click.echo(
                    f"警告：{file.name} 第{first}行和第{number}行的 setl_id 都是 "
                    f"{item.settlement_id}；两例都已校验，请确认哪一例有效",
                    err=True,
                )
            ref = bench.reference(item)
            findings = check_list(item, ref, bench.packs, today=bench.today)
            case_id = item.settlement_id or str(number)
            shown = report.add(case_id, findings)
            if as_json:
                for finding in shown:
                    print_json(finding.as_json(case_id))
            elif shown:
                click.echo(_table(case_id, shown), nl=False)
    if not as_json:
        for line in report.summary():
            click.echo(line)
    if report.unusable or not report.cases:
        return UNUSABLE
    return 1 if report.found[Severity.ERROR] else 0


def _day(text: str | None) -> date | None:
    if text is None:
        return None
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise ConfigError(f"--date 应为 yyyy-MM-dd，不是 {text!r}", path="--date") from None


@dataclass(frozen=True)
class _Bench:
    """Packs, and the catalogues of a day; those of a state folder when there is one."""

    packs: tuple[Pack, ...]
    today: date
    on: date | None
    by_day: Callable[[date], Reference]

    @classmethod
    def open(cls, held: Globals, pack_names: tuple[str, ...], on: date | None) -> _Bench:
        from dipgate.core.clock import CHINA
        from dipgate.pipeline.packs import compiled_packs, default_pack_names
        from dipgate.service.clock import SystemClock

        edition, by_day = _catalogues(held)
        packs = compiled_packs(pack_names or default_pack_names(edition))
        return cls(packs, SystemClock().now().astimezone(CHINA).date(), on, by_day)

    def reference(self, lst: SettlementList) -> Reference:
        """Catalogues of `--date`, else of the settlement day, discharge day, or today."""
        return self.by_day(self.on or _own_day(lst) or self.today)


def _own_day(lst: SettlementList) -> date | None:
    from dipgate.core.clock import read_date
    from dipgate.core.lists import text_of

    for name in ("setl_end_date", "dscg_time"):
        try:
            return read_date(text_of(lst.setlinfo.get(name)))
        except ValueError:
            continue
    return None


def _catalogues(held: Globals) -> tuple[str, Callable[[date], Reference]]:
    """The edition of the DIP library in use, and the look-ups of a day."""
    from dipgate.config.references import References
    from dipgate.config.settings import load_site
    from dipgate.config.standard import codesets
    from dipgate.core.policy_parts import DEFAULT_EDITION
    from dipgate.core.reference import Reference
    from dipgate.service.clock import SystemClock
    from dipgate.service.wiring import edition_of, hospital_of

    try:
        state, site_file = held.state_dir(), held.site_file()
    except ConfigError:
        # No state folder is named: the built-in code sets are all there is.
        sets = codesets()
        return DEFAULT_EDITION, lambda day: Reference(day=day, codesets=sets)
    if not state.is_dir():
        raise ConfigError(
            f"没有状态目录 {state}；先运行 dipgate init，或去掉 --state 只用内置码表",
            path="--state",
        )
    site = load_site(site_file) if site_file.is_file() else None
    edition = edition_of(site, state, SystemClock()) if site is not None else DEFAULT_EDITION
    hospital = hospital_of(site) if site is not None else None
    references = References(state, hospital, edition)
    return edition, references.on


@dataclass
class _Report:
    """Counts over all cases."""

    show_all: bool
    cases: int = 0
    unusable: int = 0
    found: Counter[Severity] = field(default_factory=Counter)
    with_errors: int = 0
    not_checked: Counter[str] = field(default_factory=Counter)

    def add(self, case_id: str, findings: tuple[Finding, ...]) -> list[Finding]:  # noqa: ARG002
        """Count one case's findings; those to be shown, the worst first."""
        self.cases += 1
        shown = []
        errors = 0
        for finding in findings:
            if finding.status is FindingStatus.FOUND:
                self.found[finding.severity] += 1
                errors += finding.severity is Severity.ERROR
                shown.append(finding)
            else:
                self.not_checked[finding.message] += 1
                if self.show_all:
                    shown.append(finding)
        self.with_errors += errors > 0
        shown.sort(key=lambda each: (each.status is FindingStatus.NOT_CHECKED, -each.severity))
        return shown

    def summary(self) -> Iterator[str]:
        words = "，".join(
            f"{word} {self.found[severity]}" for severity, word in _SEVERITY_WORDS.items()
        )
        yield f"共 {self.cases} 例，其中 {self.with_errors} 例有错误；{words}"
        if self.not_checked:
            kinds = "；".join(
                f"{reason.removeprefix('未检：')}（{count} 次）"
                for reason, count in self.not_checked.most_common(5)
            )
            hint = "" if self.show_all else "；加 --all 逐条列出"
            yield f"有规则没能校验，不等于没有问题：{kinds}{hint}"
        if self.unusable:
            yield f"另有 {self.unusable} 例不能读取，见上面的说明"


def _table(case_id: str, findings: list[Finding]) -> str:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    # Ids and values come from outside: never as markup.
    table = Table(title=Text(f"病例 {case_id}"), title_justify="left")
    for heading in ("级别", "规则", "字段", "问题", "处理"):
        table.add_column(heading, overflow="fold")
    for finding in findings:
        checked = finding.status is FindingStatus.FOUND
        table.add_row(
            _SEVERITY_WORDS[finding.severity] if checked else "未检",
            finding.rule,
            Text(finding.field),
            Text(finding.message),
            Text(finding.remedy),
        )
    # A file or pipe has no width of its own; a screen keeps the width that it has.
    console = Console(width=None if sys.stdout.isatty() else WIDE)
    with console.capture() as text:
        console.print(table)
    return text.get()

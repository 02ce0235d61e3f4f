"""What a site file sets up and what it still lacks, before anything runs on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path

from dipgate.config import shelf
from dipgate.config.catalogues import list_catalogues, shelf_of
from dipgate.config.dialects import Dialect, load_dialect
from dipgate.config.evidence import evidence_tables
from dipgate.config.libraries import list_libraries
from dipgate.config.policies import listed_policies, load_policy, policies_of
from dipgate.config.settings import PLATFORM_SECRET, Site, SourceSettings, TableSettings
from dipgate.config.standard import codeset, field_table
from dipgate.config.strict_model import did_you_mean
from dipgate.core.errors import ConfigError
from dipgate.core.record import BILL_CONTROLS, stays_inside

CHARGE_FIELDS = ("date", "name", "code", "category", "quantity", "price", "amount", "level")
"""Fields of a charge row in a case file."""

FOLDER_KINDS = ("csv", "dbf", "xlsx")
"""Kinds whose `object` is a pattern of files; a test compares them with the adapters."""

_CATALOGUES = ("icd10", "icd9cm3", "not-principal", "department", "staff")
_CODE_MAPS = ("icd10-map", "icd9cm3-map")
"""Needed as well when a source writes clinical-edition codes."""

_OWN_FIELDS = frozenset({"fixmedins_code", "fixmedins_name", "stas_type"})
"""Required list fields that the site's hospital or the dialect gives, not a source column."""


@dataclass(frozen=True, slots=True)
class SiteReport:
    """`problems` stop work in the mode in use; `hints` only deserve a look."""

    dialect: Dialect | None
    problems: tuple[str, ...]
    hints: tuple[str, ...]


def check_site(
    site: Site,
    *,
    secret_set: bool,
    state: Path | None = None,
    kinds: Mapping[str, str] | None = None,
) -> SiteReport:
    """Look at everything that a site file names. Never raises for what it finds.

    `kinds` are the kinds of sources that can be read → where each reads (`folder`, `file`,
    `server`, `push`); without them kinds are not looked at.
    """
    found, dialect = site_problems(site, secret_set=secret_set, state=state)
    problems = [*found, *_address_problems(site)]
    hints: list[str] = []
    for source in site.sources:
        problems += _unreadable(source, kinds or {})
        problems += _misnamed(source)
        hints += _matching_nothing(site, source)
    hints += _hints(site)
    if state is not None:
        damaged = tuple(_damaged_versions(state))
        problems += damaged
        hints += _evidence_hints(state)
        hints += () if damaged else _lacking_catalogues(site, state)
        hints += () if damaged else _policy_hints(site, state)
    return SiteReport(dialect, tuple(problems), tuple(hints))


def site_problems(
    site: Site, *, secret_set: bool, state: Path | None = None
) -> tuple[tuple[str, ...], Dialect | None]:
    """Only what stops work in the mode in use, and the dialect; quick enough to ask often."""
    problems = [f"{key} 还没有填写" for key in site.missing()]
    dialect: Dialect | None = None
    try:
        dialect = load_dialect(site.dialect_name, state=state)
    except ConfigError as error:
        problems.append(str(error))
    if site.platform.mode != "observe" and not secret_set:
        problems.append(f"没有设置环境变量 {PLATFORM_SECRET}，{site.platform.mode} 方式需要它")
    if dialect is not None:
        problems += _time_limits(site, dialect)
    if site.policy.id:
        try:
            load_policy(site.policy.id, state=state)
        except ConfigError as error:
            problems.append(f"policy.id：{error}")
    for source in site.sources:
        problems += _source_problems(site, source)
    return tuple(problems), dialect


def catalogues_needed(site: Site) -> tuple[str, ...]:
    """Kinds of catalogues that the rules and this site's sources look things up in."""
    clinical = any(source.edition == "clinical" for source in site.sources)
    return (*_CATALOGUES, *(_CODE_MAPS if clinical else ()))


def _policy_hints(site: Site, state: Path) -> Iterator[str]:
    """Why lists would get no group: no policy, or one whose library is not there."""
    area = site.hospital.area_code
    broken = listed_policies(state)[1]
    for item in broken:
        yield f"政策文件 {item.file} 读不出来，改正或移走之前不能按日期找政策：{item.text}"
    try:
        found = (
            [load_policy(site.policy.id, state=state)]
            if site.policy.id
            else list(policies_of(area, state=state))
        )
    except ConfigError as error:
        if str(error) not in [item.text for item in broken]:
            yield f"付费政策读不出来，入组和金额算不出来：{error}"
        return
    if not found and area:
        yield (
            f"没有医保区划 {area} 的付费政策，清单入不了组；把政策放进 {state / 'policies'}，"
            "写法见 docs/formats.md"
        )
    held = {(item.name, item.version) for item in list_libraries(state)}
    for policy in found:
        name, _, version = (policy.catalogue.library or "").partition("@")
        own = policy.policy.id
        if not name:
            yield (
                f"政策 {own} 没有写 catalogue.library，清单入不了组；用 extends: {own} "
                "写一份本院的政策补上目录库的名字和版本，写法见 docs/formats.md"
            )
        elif not any(name == one and version in ("", two) for one, two in held):
            yield (
                f"政策 {own} 要用目录库 {name}@{version}，还没有导入；"
                "用 dipgate library import 导入"
            )


def _lacking_catalogues(site: Site, state: Path) -> Iterator[str]:
    held = {manifest.kind for manifest in list_catalogues(state)}
    lacking = [kind for kind in catalogues_needed(site) if kind not in held]
    if lacking:
        yield (
            f"还没有导入目录 {'、'.join(lacking)}，用到它们的规则只能答“未检查”；"
            "用 dipgate catalogue import 导入"
        )


def _time_limits(site: Site, dialect: Dialect) -> Iterator[str]:
    total = site.platform.total_seconds
    if total is not None and total >= dialect.lease_seconds:
        yield (
            f"platform.total_seconds（{total:g} 秒）应小于地方接口 {dialect.id} 的 "
            f"lease_seconds（{dialect.lease_seconds:g} 秒）"
        )


def _source_problems(site: Site, source: SourceSettings) -> Iterator[str]:
    path = Path(source.spec(site.file.parent).path)
    if source.path and not path.exists():
        yield f"来源 {source.name} 的路径不存在：{path}"
    if source.path and source.server is not None:
        yield f"来源 {source.name} 既写了 path 又写了 [sources.server]，只能写一样"
    for name, table in source.tables.items():
        if not table.columns and not table.repeats:
            yield f"来源 {source.name} 的 {name} 没有映射任何列"


def _address_problems(site: Site) -> Iterator[str]:
    if not ip_address(site.web.host).is_loopback and not site.web.trusted_proxy:
        yield (
            f"web.host 是 {site.web.host}，不在本机，又没有写 web.trusted_proxy，"
            "dipgate serve 会拒绝启动；在前面放 TLS 反向代理，或改回 127.0.0.1"
        )


def _unreadable(source: SourceSettings, kinds: Mapping[str, str]) -> Iterator[str]:
    """What the reading of a source refuses outright."""
    if kinds and source.kind not in kinds:
        known = did_you_mean(source.kind, tuple(kinds))
        yield f"来源 {source.name} 的种类 {source.kind!r} 不认识{known}"
    yield from _misplaced(source, kinds.get(source.kind, ""))
    if source.kind in FOLDER_KINDS:
        for name, table in source.tables.items():
            if not stays_inside(table.object_name):
                yield (
                    f"来源 {source.name} 的 {name} 的文件通配 {table.object_name!r} "
                    "须是来源目录内的相对写法，不能有 .. 或以 / 开头"
                )


def _misplaced(source: SourceSettings, place: str) -> Iterator[str]:
    """A path or a server that the kind of a source needs, or cannot use."""
    said = f"来源 {source.name} 的种类是 {source.kind}，"
    if place == "server" and source.server is None:
        yield f"{said}要有 [sources.server] 一节：host、database、user"
    if place in ("folder", "file") and not source.path:
        yield f"{said}要写 path：{'文件夹' if place == 'folder' else '数据库文件'}"
    if place and place != "server" and source.server is not None:
        yield f"{said}不连服务器，请删去 [sources.server] 一节"


def _matching_nothing(site: Site, source: SourceSettings) -> Iterator[str]:
    folder = Path(source.spec(site.file.parent).path)
    if source.kind not in FOLDER_KINDS or not folder.is_dir():
        return
    for name, table in source.tables.items():
        pattern = table.object_name
        if not stays_inside(pattern):
            continue
        try:
            found = any(path.is_file() for path in folder.glob(pattern))
        except (OSError, ValueError, NotImplementedError):
            found = False
        if not found:
            yield f"来源 {source.name} 的 {name}：{folder} 下没有与 {pattern} 相符的文件"


def _misnamed(source: SourceSettings) -> Iterator[str]:
    for name, table in source.tables.items():
        for target, choices in _unknown_targets(name, table):
            yield (
                f"来源 {source.name} 的 {name} 映射了 {target!r}，清单没有这一项"
                f"{did_you_mean(target, choices)}"
            )


def _evidence_hints(state: Path) -> Iterator[str]:
    """A mistake in the own tables of evidence: without them no alternative is shown."""
    try:
        evidence_tables(state)
    except ConfigError as error:
        yield f"依据表有错，病例页的“还可能是”打不开：{error}"


def _damaged_versions(state: Path) -> Iterator[str]:
    """Catalogues and libraries whose files no longer hold what was imported."""
    lists: tuple[Callable[[Path], tuple[shelf.Manifest, ...]], ...] = (
        list_catalogues,
        list_libraries,
    )
    for listed in lists:
        try:
            manifests = listed(state)
        except ConfigError as error:
            yield str(error)
            continue
        for item in manifests:
            library = listed is list_libraries
            folder = state / "libraries" / item.name if library else shelf_of(state, item.kind)
            try:
                shelf.verify(folder, item)
            except ConfigError as error:
                yield str(error)


def _hints(site: Site) -> Iterator[str]:
    if not site.sources:
        yield "还没有数据来源（[[sources]]），暂时只能检查现成的病例文件"
        return
    mapped: set[str] = set()
    for source in site.sources:
        for name, table in source.tables.items():
            mapped.update(table.columns)
            for repeat in table.repeats:
                mapped.update(repeat.columns)
            own = sorted(_own_targets(name, table))
            if own:
                yield (
                    f"来源 {source.name} 的 {name} 映射了清单没有的 {'、'.join(own)}；"
                    "本院自己的字段照样保存，但不上传；写错了请改正，"
                    "字段代码见 dipgate config fields"
                )
    mapped.update(key for key, value in site.fill.items() if value)
    unmapped = [
        f"{spec.code}（{spec.name}）"
        for spec in field_table("4101A", "in")
        if spec.required == "Y"
        and spec.node == "setlinfo"
        and spec.code not in mapped
        and spec.code not in _OWN_FIELDS
    ]
    if unmapped:
        yield "这些必填字段既没有映射来源列，也没有统一填写：" + "、".join(unmapped)


def _unknown_targets(name: str, table: TableSettings) -> Iterator[tuple[str, set[str]]]:
    """Mapped targets that no list field answers to, each with the words that might be meant.

    A plain name that resembles nothing is none of them: sites may keep fields of their own.
    """
    nodes = _list_nodes()
    plain = _plain_targets(name)
    for target in table.columns:
        if "." not in target:
            if target not in plain and get_close_matches(target, plain, n=1, cutoff=0.8):
                yield target, plain
            continue
        node, _, rest = target.partition(".")
        if node == "cover":
            continue
        choices = _amount_targets(node) | {f"{node}.{field}" for field in nodes.get(node, ())}
        if not choices:
            yield target, {f"{known}.{rest}" for known in nodes}
        elif target not in choices:
            yield target, choices
    for repeat in table.repeats:
        for field in repeat.columns:
            if field not in nodes[repeat.node]:
                yield field, nodes[repeat.node]


def _plain_targets(name: str) -> set[str]:
    if name == "charge":
        return set(CHARGE_FIELDS)
    own = {"age", *BILL_CONTROLS} if name == "settlement" else {"age"}
    return _list_nodes()["setlinfo"] | own


def _own_targets(name: str, table: TableSettings) -> Iterator[str]:
    plain = _plain_targets(name)
    for target in table.columns:
        if "." not in target and target not in plain:
            if not get_close_matches(target, plain, n=1, cutoff=0.8):
                yield target


def _amount_targets(node: str) -> set[str]:
    """`payinfo.310100`, `iteminfo.09` and `iteminfo.09.clab_amt`: one column per amount."""
    if node == "payinfo":
        return {f"payinfo.{code}" for code in codeset("fund_pay_type")}
    if node == "iteminfo":
        fields = ["", *(f".{spec.code}" for spec in field_table("4101") if spec.node == node)]
        return {
            f"iteminfo.{code}{field}" for code in codeset("med_chrgitm_type") for field in fields
        }
    return set()


def _list_nodes() -> dict[str, set[str]]:
    """node → its fields in 4101 and 4101A."""
    nodes: dict[str, set[str]] = {}
    for infno in ("4101", "4101A"):
        for spec in field_table(infno, "in"):
            nodes.setdefault(spec.node, set()).add(spec.code)
    return nodes

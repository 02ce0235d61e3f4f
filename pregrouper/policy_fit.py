"""Parts of a policy that do not fit together, though each may be written so."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date

from dipgate.core.params import Param, ParamTable
from dipgate.core.policy import Policy
from dipgate.pregrouper.asking import LIGHT, NATIONAL_POOLS, SEVERE
from dipgate.pregrouper.policy_needs import names_in
from dipgate.pregrouper.price import BY_SEVERITY, price_keys

Told = tuple[str, str]
"""Path and sentence."""
_OF_GROUPS = ("institution_and_group", "level_and_group")


def impossible(policy: Policy) -> Iterator[Told]:
    """What can never be worked out as it is written."""
    rules = policy.settlement.monthly
    for name in names_in(rules.form or ""):
        param = getattr(rules, name, None) if name in ("ratio", "deposit") else None
        if param is not None and param.absent:
            yield (
                f"settlement.monthly.{name}",
                f"写了 n/a，月度公式却用到 {name}；写出比例（全额拨付写 1），"
                "或把它从 settlement.monthly.form 去掉",
            )
    yield from _severities(policy)
    yield from _k_without_pool(policy)
    pools = policy.settlement.pools
    if policy.settlement.merged and pools is not None and len(pools) != 1:
        yield (
            "settlement.merged",
            f"写了 true（各险种合为一池），settlement.pools 却有 {len(pools)} 个池；只写一个池，"
            "用 settlement.pool_codes 把各险种归到它",
        )


def _severities(policy: Policy) -> Iterator[Told]:
    """Point values by severity know two words."""
    table, path = policy.settlement.point_value.table, "settlement.point_value.table"
    for place, name in enumerate(price_keys(policy) or ()):
        for key in dict.fromkeys(_keys(table, place)) if name == BY_SEVERITY else ():
            if key not in (SEVERE, LIGHT):
                yield path, f"按 severity 取的点值只有 {SEVERE} 和 {LIGHT}，没有 {key!r}"


def _k_without_pool(policy: Policy) -> Iterator[Told]:
    for path, cell in _cells_of_k(policy):
        if policy.scoring.institution.pools_differ and isinstance(cell, Param) and _is_number(cell):
            text = f"写了 true（各池的机构系数不同），{path} 却没有分统筹池，用不上"
            yield "scoring.institution.pools_differ", text


def _k_by_pool(policy: Policy) -> Iterator[Told]:
    for path, cell in _cells_of_k(policy):
        if policy.scoring.institution.pools_differ is False and isinstance(cell, ParamTable):
            text = f"写了 false（各池的机构系数相同），{path} 却分了统筹池；按表里的数计算"
            yield "scoring.institution.pools_differ", text


def _cells_of_k(policy: Policy) -> Iterator[tuple[str, Param | ParamTable]]:
    """Where the table of K goes on by pool, or stops."""
    rules = policy.scoring.institution
    depth = 2 if rules.by in _OF_GROUPS else 1
    return _cells(rules.table, depth, "scoring.institution.table")


def _is_number(cell: Param) -> bool:
    return cell.fixed is not None or cell.dated


def _cells(table: ParamTable, depth: int, path: str) -> Iterator[tuple[str, Param | ParamTable]]:
    """What stands at a depth of a table; a number that comes earlier stands for all below it."""
    for key, item in table.entries.items():
        if depth > 1 and isinstance(item, ParamTable):
            yield from _cells(item, depth - 1, f"{path}.{key}")
        else:
            yield f"{path}.{key}", item


def doubtful(policy: Policy, day: date) -> Iterator[Told]:
    """What leaves some case or year without an answer."""
    yield from _open_bands(policy, day)
    yield from _k_by_pool(policy)
    yield from _strange_pools(policy)


def pools_of(policy: Policy) -> tuple[str, ...]:
    """The pools that the policy names, else those of the national codes."""
    pools = policy.settlement.pools
    return pools if pools is not None else tuple(dict.fromkeys(NATIONAL_POOLS.values()))


def _open_bands(policy: Policy, day: date) -> Iterator[Told]:
    bands = policy.settlement.year_end.bands or ()
    if not bands:
        return
    path = "settlement.year_end.bands"
    low, high = bands[0].lo, bands[-1].hi
    first = low.on(day) if low is not None else None
    last = high.on(day) if high is not None else None
    if first is not None and first > 0:
        yield f"{path}[0].lo", f"第一段从 {first:f} 起：低于它的没有一段可用；写 lo: 0"
    if last is not None:
        yield (
            f"{path}[{len(bands) - 1}].hi",
            f"最后一段到 {last:f} 为止：达到和超过它的没有一段可用，年终算不出来；"
            "上不封顶写 hi: null",
        )


def _strange_pools(policy: Policy) -> Iterator[Told]:
    """Keys that stand where pools stand, and are none."""
    pools = pools_of(policy)
    scoring, money = policy.scoring, policy.settlement
    by = scoring.institution.by
    spec = money.point_value
    names = price_keys(policy) or ()
    asked: list[tuple[str, ParamTable, int]] = [
        (
            "scoring.institution.table",
            scoring.institution.table,
            2 if by in _OF_GROUPS else 1,
        ),
        *(
            (f"scoring.institution.bonus.{name}", table, 1)
            for name, table in scoring.institution.bonus.items()
        ),
        ("scoring.average_fee_factor", scoring.average_fee_factor, 1),
        ("settlement.fund_ratio", money.fund_ratio, 0),
        ("settlement.point_value.budget", spec.budget, 0),
        *(
            ("settlement.point_value.table", spec.table, place)
            for place, name in enumerate(names)
            if name == "pool"
        ),
    ]
    for path, table, depth in asked:
        strange = dict.fromkeys(key for key in _keys(table, depth) if key not in pools)
        for key in strange:
            yield path, f"没有统筹池 {key!r}，这些数字用不上；可用的有：{'、'.join(pools)}"


def _keys(table: ParamTable, depth: int) -> Iterator[str]:
    for key, item in table.entries.items():
        if depth == 0:
            yield key
        elif not isinstance(item, Param):
            yield from _keys(item, depth - 1)

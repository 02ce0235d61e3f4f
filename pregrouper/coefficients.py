"""The institution coefficient K and the average fee that a case is compared with.

Source: dip-settlement.md 2.1 and 3. Nothing defaults to 1: an unknown number is remembered by
its path.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal

from dipgate.core.money import shown
from dipgate.core.params import Param, ParamTable
from dipgate.pregrouper.asking import Asker
from dipgate.pregrouper.registry import Registry

ONE = Decimal(1)
EVERY_GROUP = "*"
COMPOSITIONS = ("sum", "base + bonus", "product")
Average = Callable[[Asker, Decimal], Decimal | None]
"""(asker, base score) → yuan."""
AVERAGES: Registry[Average] = Registry("平均费用口径")


def institution_coefficient(ask: Asker) -> Decimal | None:
    """K of this hospital for this case's pool, or of a basic group as the policy says."""
    rules = ask.policy.scoring.institution
    ask.used["is_basic"] = None
    if ask.result.is_basic:
        if rules.basic_groups in ("none", "n/a"):
            ask.step("institution", "基层病种不乘机构系数", "scoring.institution.basic_groups", ONE)
            return ONE
        if rules.basic_groups == "group_factor":
            return _group_factor(ask)
        if rules.basic_groups != "same":
            ask.lack("scoring.institution.basic_groups")
            return None
    given = ask.take("k", "机构系数")
    if given is not None:
        return given
    if rules.by == "n/a":
        ask.step("institution", "政策没有机构系数", "scoring.institution.by", ONE)
        return ONE
    if rules.by is None:
        ask.lack("scoring.institution.by")
        if not rules.table:
            ask.lack("scoring.institution.table")
        return None
    return _composed(ask, _base_coefficient(ask, rules.by))


def _group_factor(ask: Asker) -> Decimal | None:
    """The factor of a basic group, which replaces K: the policy's, else the library's own."""
    given = ask.take("group_factor", "基层病种系数")
    if given is not None:
        return given
    code = ask.result.group_code
    found = ask.policy.scoring.institution.group_factors.find((code,))
    printed = ask.result.group_factor
    if found is None and printed is not None:
        ask.step("institution", f"目录所列基层病种系数 {printed:f}", ask.result.library, printed)
        return printed
    path = "scoring.institution.group_factors"
    return ask.number(found, f"{path}.{code}" if code else path, why="基层病种系数")


def _base_coefficient(ask: Asker, by: str) -> Decimal | None:
    table = ask.policy.scoring.institution.table
    root = "scoring.institution.table"
    if not table:
        ask.lack(root)
        return None
    keys = _keys(ask, by)
    path = ".".join((root, *keys))
    by_pool = isinstance(at_keys(table, keys), ParamTable)
    differ = ask.policy.scoring.institution.pools_differ
    if by_pool and differ is False:
        ask.warnings.append(
            "W_K_POOL 政策写各池的机构系数相同，表里却分了统筹池，按表里的数计算"
            "（scoring.institution.pools_differ）"
        )
    if by_pool or differ:
        pool = ask.pool
        if not pool:
            return None
        keys, path = (*keys, pool), f"{path}.{pool}"
    found = table.find(keys) if by_pool or not differ else None
    return ask.number(found, path, why="机构系数")


def at_keys(table: ParamTable, keys: tuple[str, ...]) -> Param | ParamTable | None:
    """The number or table at the keys; a number that comes earlier stands for all below it."""
    here: Param | ParamTable | None = table
    for key in keys:
        if isinstance(here, ParamTable):
            here = here.entries.get(key)
    return here


def _keys(ask: Asker, by: str) -> tuple[str, ...]:
    level, hospital = ask.level or ask.unsaid("level"), ask.hospital or ask.unsaid("hospital")
    if by == "level":
        return (level,)
    if by == "institution":
        return (hospital,)
    if by in ("institution_and_group", "level_and_group"):
        table = ask.policy.scoring.institution.table.entries
        first = hospital if by == "institution_and_group" and hospital in table else level
        of_groups = table.get(first)
        code = ask.result.group_code
        if isinstance(of_groups, ParamTable) and EVERY_GROUP in of_groups.entries:
            # Conservative groups have the institution's coefficient only (dip-settlement.md 2.1).
            own = code in of_groups.entries and ask.result.treatment != "保守治疗"
            return (first, code if own else EVERY_GROUP)
        return (first, code)
    ask.warnings.append(f"W_FORM 不认识的机构系数口径 {by}（scoring.institution.by）")
    return (by,)


def _composed(ask: Asker, base: Decimal | None) -> Decimal | None:
    """K from its base and the hospital's bonuses, as `composition` says, up to the cap."""
    rules = ask.policy.scoring.institution
    way = rules.composition
    if way in ("n/a", "base") or (way is None and not rules.bonus):
        return base
    if way not in COMPOSITIONS:
        if way is not None:
            ask.warnings.append(
                f"W_FORM 不认识的机构系数组成方式 {way}（scoring.institution.composition）"
            )
        ask.lack("scoring.institution.composition")
        return None
    bonuses = _bonuses(ask)
    if base is None or bonuses is None:
        return None
    total = base
    for value in bonuses:
        total = total * value if way == "product" else total + value
    ask.step("institution", f"机构系数由基础和加成合成 {total:f}", "scoring.institution", total)
    if bonuses and rules.cap is None:
        ask.lack("scoring.institution.cap")
        return None
    cap = None if rules.cap is None or rules.cap.absent else rules.cap
    limit = ask.number(cap, "scoring.institution.cap", why="机构系数上限") if cap else None
    if cap is not None and limit is None:
        return None
    return total if limit is None else min(total, limit)


def _bonuses(ask: Asker) -> list[Decimal] | None:
    """The hospital's bonuses; `n/a` for one that it does not get. None where one is unknown."""
    bonuses = ask.policy.scoring.institution.bonus
    root = "scoring.institution.bonus"
    if not bonuses:
        ask.lack(root)
        return None
    values: list[Decimal | None] = []
    for name, table in bonuses.items():
        keys = (ask.hospital, ask.level, EVERY_GROUP)
        key = next((item for item in keys if item and item in table.entries), "")
        key = key or ask.level or ask.unsaid("level")
        found = table.entries.get(key)
        path = f"{root}.{name}.{key}"
        if isinstance(found, ParamTable):
            path = f"{path}.{ask.pool or ask.unsaid('pool')}"
            found = found.find((ask.pool,))
        if found is not None and found.absent:
            continue
        values.append(ask.number(found, path, why=f"加成系数 {name}"))
    return _known(values)


def _known(values: list[Decimal | None]) -> list[Decimal] | None:
    known = [value for value in values if value is not None]
    return known if len(known) == len(values) else None


def average_fee(ask: Asker, base: Decimal) -> Decimal | None:
    """The denominator of r in yuan: the caller's, else by the rule that the policy names."""
    value = ask.take("average_fee", "平均费用")
    if value is None:
        name = ask.text(ask.policy.scoring.average_fee, "scoring.average_fee")
        if name is None:
            return None
        rule = AVERAGES.get(name)
        if rule is None:
            ask.warnings.append(f"W_FORM 不认识的平均费用口径 {name}（scoring.average_fee）")
            ask.lack("scoring.average_fee")
            return None
        value = rule(ask, base)
    if value is not None and value <= 0:
        ask.warnings.append("W_AVERAGE 平均费用不是正数，不能计算倍率")
        ask.lack("scoring.average_fee")
        return None
    return value


@AVERAGES.add("group_avg")
def group_average(ask: Asker, base: Decimal) -> Decimal | None:
    """The mean fee of the first label that has one, else of the group; times the factor, if any.

    A group without a mean has score × simulated price, where the policy names one.
    """
    mean = _mean_of_label(ask)
    price = ask.policy.scoring.simulated_price
    if mean is None and ask.result.average_fee is None and price is not None:
        value = ask.number(price, "scoring.simulated_price", why="模拟点值")
        mean = _product(ask, ("病种分值", base), ("模拟点值", value))
    elif mean is None:
        mean = _mean(ask)
    if mean is None or not ask.policy.scoring.average_fee_factor:
        return mean
    return _product(ask, ("病种平均费用", mean), ("平均费用系数", _factor(ask)))


def _product(ask: Asker, *factors: tuple[str, Decimal | None]) -> Decimal | None:
    """An average that is worked out, with the step that says how; None where a part is unknown."""
    average = ONE
    for _, value in factors:
        if value is None:
            return None
        average *= value
    if ask.tracing:
        said = " × ".join(f"{name} {shown(value)}" for name, value in factors if value is not None)
        text = f"平均费用 = {said} = {shown(average)} 元"
        ask.step("average", text, "scoring.average_fee", average)
    return average


def _mean_of_label(ask: Asker) -> Decimal | None:
    table = ask.policy.scoring.label_average_fees
    if not table:
        return None
    code = ask.result.group_code
    for item in ask.result.labels:
        found = table.find((code, item.label))
        if found is not None:
            path = f"scoring.label_average_fees.{code}.{item.label}"
            return ask.number(found, path, why=f"{item.label}平均费用")
    return None


@AVERAGES.add("same_level_prev_year")
def same_level_previous_year(ask: Asker, base: Decimal) -> Decimal | None:  # noqa: ARG001
    """The published mean of the level and group: the policy's, else the library's own.

    Without either, the group's mean times the level's factor.
    """
    scoring = ask.policy.scoring
    found = scoring.average_fee_table.find((ask.level, ask.result.group_code))
    if found is not None:
        path = f"scoring.average_fee_table.{ask.level}.{ask.result.group_code}"
        return ask.number(found, path, why="同级别平均费用")
    printed = dict(ask.result.level_fees).get(ask.level)
    if printed is not None:
        text = f"目录所列 {ask.level} 级医院平均费用 {printed:f} 元"
        ask.step("average", text, ask.result.library, printed)
        return printed
    if not scoring.average_fee_factor:
        level = ask.level or ask.unsaid("level")
        code = ask.result.group_code or ask.unsaid("group_code")
        ask.lack(f"scoring.average_fee_table.{level}.{code}")
        return None
    return _product(ask, ("病种平均费用", _mean(ask)), ("平均费用系数", _factor(ask)))


@AVERAGES.add("score_x_factor")
def score_times_factor(ask: Asker, base: Decimal) -> Decimal | None:
    """Base score × average-fee factor of level and pool, overridden by a published mean."""
    scoring = ask.policy.scoring
    found = scoring.average_fee_table.find((ask.level, ask.result.group_code))
    if found is not None:
        path = f"scoring.average_fee_table.{ask.level}.{ask.result.group_code}"
        return ask.number(found, path, why="清算平均费用")
    return _product(ask, ("病种分值", base), ("平均费用系数", _factor(ask)))


@AVERAGES.add("payment_standard")
def payment_standard(ask: Asker, base: Decimal) -> Decimal | None:
    """The level's own standard: base score × K × budget point value."""
    value = budget_value(ask)
    k = institution_coefficient(ask)
    return _product(ask, ("病种分值", base), ("机构系数", k), ("预算点值", value))


def budget_value(ask: Asker) -> Decimal | None:
    """The budget point value of the case's pool."""
    pool = ask.pool
    budget = ask.policy.settlement.point_value.budget
    path = f"settlement.point_value.budget.{pool}" if budget else "settlement.point_value.budget"
    return ask.number(budget.find((pool,)), path, why="预算点值")


def _mean(ask: Asker) -> Decimal | None:
    mean = ask.result.average_fee
    if mean is None:
        ask.lack("library.average_fee")
        return None
    ask.step("average", f"目录病种平均费用 {mean:f} 元", ask.result.library, mean)
    return mean


def _factor(ask: Asker) -> Decimal | None:
    table = ask.policy.scoring.average_fee_factor
    if not table:
        ask.lack("scoring.average_fee_factor")
        return None
    keys = [key for key in (ask.hospital, ask.level) if key in table.entries]
    first = keys[0] if keys else (ask.level or ask.unsaid("level"))
    found = table.find((first,)) or table.find((first, ask.pool))
    return ask.number(found, f"scoring.average_fee_factor.{first}", why="平均费用系数")

"""What a policy still lacks: every parameter that some case, month or year will ask for.

A missing one does not make the policy wrong. It says what NOT_CONFIGURED will name, before a
patient does, with a Chinese meaning for the person who has to find the number.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date

from dipgate.core.errors import ConfigError
from dipgate.core.grouping import Zone
from dipgate.core.grouping_words import ZONE_WORDS
from dipgate.core.params import Param, ParamTable
from dipgate.core.policy import Policy, ZoneRule
from dipgate.pregrouper.add_ons import points
from dipgate.pregrouper.auxiliary import NO_MODE, SUB_ROWS
from dipgate.pregrouper.coefficients import COMPOSITIONS
from dipgate.pregrouper.deviation import FORMS
from dipgate.pregrouper.formulas import parse_formula
from dipgate.pregrouper.price import BY_SEVERITY, SEVERE_FIXED, price_keys
from dipgate.pregrouper.settling_month import FORM
from dipgate.pregrouper.settling_year import BAND_FORMS

GROUPING, SCORE, MONEY = "grouping", "score", "money"
SECTIONS = {GROUPING: "入组", SCORE: "计分", MONEY: "金额"}
_ABSENT = "n/a"


@dataclass(frozen=True, slots=True)
class Need:
    """A missing parameter: which part of the work stops, its path, and what it means."""

    section: str
    path: str
    meaning: str


def missing_parameters(policy: Policy, day: date) -> tuple[Need, ...]:
    """Everything that is unknown on `day` and that something will ask for, in the file's order."""
    return tuple(
        Need(section, path, meaning)
        for section, found in (
            (GROUPING, _grouping(policy)),
            (SCORE, _score(policy, day)),
            (MONEY, _money(policy, day)),
        )
        for path, meaning in found
    )


def rules_without(policy: Policy) -> tuple[tuple[str, str], ...]:
    """Nulls of routing and exclusions: no such rule. A person should know that it is so."""
    routing, exclusions = policy.routing, policy.grouping.exclusions
    asked = (
        ("routing.excluded", routing.excluded, "不按本办法结算的病例（如床日）"),
        ("routing.tcm_route", routing.tcm_route, "中医、民族医优势病种的路径"),
        ("grouping.exclusions.dx_list", exclusions.dx_list, "不作为入组主诊断的编码"),
        ("grouping.exclusions.op_list", exclusions.op_list, "不参与入组的操作"),
    )
    return tuple((path, meaning) for path, value, meaning in asked if value is None)


def _grouping(policy: Policy) -> Iterator[tuple[str, str]]:
    catalogue, rules = policy.catalogue, policy.grouping
    words = (
        ("catalogue.library", catalogue.library, "使用的病种目录（名称@版本）"),
        ("catalogue.dx_codeset", catalogue.dx_codeset, "目录所用的诊断编码版本"),
        ("catalogue.op_codeset", catalogue.op_codeset, "目录所用的手术操作编码版本"),
        ("grouping.dx_keys", rules.dx_keys, "主诊断取码方式"),
        ("grouping.op_expr.grammar", rules.op_expr.grammar, "操作组合的写法"),
        ("grouping.op_roles", rules.op_roles, "操作是否区分主要和相关"),
        ("grouping.op_type.case_type_from", rules.op_type.case_type_from, "病例治疗方式由什么决定"),
        ("grouping.layers", rules.layers, "病种层次"),
        ("grouping.select", rules.select or None, "一例多组时的选择顺序"),
    )
    for path, value, meaning in words:
        if value is None:
            yield path, meaning
    if "comprehensive" in (rules.layers or ()) and rules.comprehensive.keys is None:
        yield "grouping.comprehensive.keys", "综合病种的取码方式"
    if catalogue.map_case_down:
        for name, what in (("dx", "诊断"), ("op", "手术操作")):
            if rules.maps is None or getattr(rules.maps, name) is None:
                yield f"grouping.maps.{name}", f"把病例的{what}编码换成目录版本的对照表"
    if rules.unmapped_codes is None:
        yield "grouping.unmapped_codes", "目录外的编码怎么办：reject 不参与入组，use 照用"
    if policy.routing.day_surgery is None:
        yield "routing.day_surgery", "日间手术如何入组"


def _score(policy: Policy, day: date) -> Iterator[tuple[str, str]]:
    rules = policy.scoring
    yield from _institution(policy)
    if rules.average_fee is None:
        yield "scoring.average_fee", "费用倍率的分母（平均费用口径）"
    elif _scaled(policy) and not rules.average_fee_factor:
        yield "scoring.average_fee_factor", "各级别（统筹池）的平均费用系数"
    labelled = policy.auxiliary.mode not in NO_MODE
    for which in (Zone.LOW, Zone.HIGH, Zone.EXTREME):
        zone: ZoneRule = getattr(rules.deviation, which)
        path = f"scoring.deviation.{which}"
        yield from _zone(zone, path, ZONE_WORDS[which], day, labelled=labelled)
    if rules.normal.form is None:
        yield "scoring.normal.form", "正常病例的计分方式"
    elif rules.normal.form not in FORMS:
        for name in names_in(rules.normal.form):
            if name != "initial" and name not in rules.normal.factors.entries:
                yield f"scoring.normal.factors.{name}", f"计分公式中的系数 {name}"
    if rules.ungrouped.form is None:
        yield "scoring.ungrouped.form", "未入组病例如何支付"
    elif rules.ungrouped.form == "ratio_times" and unknown(rules.ungrouped.factor, day):
        yield "scoring.ungrouped.factor", "未入组病例的系数"
    if rules.zero_score_group is None:
        yield "scoring.zero_score_group", "分值为零的病种如何支付"
    yield from _auxiliary(policy)
    yield from _add_ons(policy, day)
    for name, value, meaning in (
        ("score_dp", rules.rounding.score_dp, "分值保留几位小数"),
        ("money_dp", rules.rounding.money_dp, "金额保留几位小数"),
        ("mode", rules.rounding.mode, "舍入方式"),
    ):
        if value is None:
            yield f"scoring.rounding.{name}", meaning


def _add_ons(policy: Policy, day: date) -> Iterator[tuple[str, str]]:
    for number, item in enumerate(policy.scoring.add_ons):
        path = f"scoring.add_ons[{number}]"
        if item.when is None:
            yield f"{path}.when", f"加成 {item.name} 的条件"
        if item.valid is None:
            yield f"{path}.valid", f"加成 {item.name} 适用到哪一天；没有期限写 n/a"
        if item.replaces_deviation is None:
            yield f"{path}.replaces_deviation", f"加成 {item.name} 是否代替费用偏差的计分"
        if unknown(item.factor, day) and points(item.score) is None:
            yield f"{path}.factor", f"加成 {item.name} 的系数（或分值 score）"
        elif item.factor is None and item.apply is None:
            yield f"{path}.apply", f"加成 {item.name} 的分值在乘机构系数之前还是之后"


def _institution(policy: Policy) -> Iterator[tuple[str, str]]:
    rules = policy.scoring.institution
    if rules.by is None:
        yield "scoring.institution.by", "机构系数按什么取（级别、机构）"
    if rules.by != _ABSENT and not rules.table:
        yield "scoring.institution.table", "机构系数表"
    if rules.basic_groups is None:
        yield "scoring.institution.basic_groups", "基层病种是否乘机构系数"
    if rules.bonus and rules.composition is None:
        yield "scoring.institution.composition", "机构系数的基础和加成如何合成"
    if rules.composition in COMPOSITIONS:
        if not rules.bonus:
            yield "scoring.institution.bonus", "机构系数的加成；没有加成把 composition 写成 n/a"
        elif rules.cap is None:
            yield "scoring.institution.cap", "机构系数上限；没有写 n/a"


def _scaled(policy: Policy) -> bool:
    """The average is a factor on the group's mean or on the score, unless a table lists it."""
    return policy.scoring.average_fee in ("same_level_prev_year", "score_x_factor") and not (
        policy.scoring.average_fee_table
    )


def names_in(formula: str) -> tuple[str, ...]:
    """Names that a formula uses; none where it cannot be read, which is told elsewhere."""
    try:
        return parse_formula(formula, FORM).names
    except ConfigError:
        return ()


def _zone(
    zone: ZoneRule, path: str, title: str, day: date, *, labelled: bool
) -> Iterator[tuple[str, str]]:
    if _ABSENT in (zone.op, zone.form) or (zone.at is not None and zone.at.absent):
        return
    if unknown(zone.at, day):
        yield f"{path}.at", f"{title}的界限（倍率）；没有这一档写 n/a"
    if zone.op is None:
        yield f"{path}.op", f"{title}的界限是否含等于"
    if zone.form is None:
        yield f"{path}.form", f"{title}病例的计分方式"
        return
    form = FORMS.get(zone.form)
    if form is None:
        return
    if form.after and zone.k is None:
        yield f"{path}.k", f"{title}病例是否乘机构系数"
    if form.needs_base and zone.base is None:
        yield f"{path}.base", f"{title}病例的起点（1 或机构系数）"
    if labelled and form.a == "zone" and zone.a is None:
        yield f"{path}.a", f"{title}病例是否乘辅助系数"


def _auxiliary(policy: Policy) -> Iterator[tuple[str, str]]:
    rules = policy.auxiliary
    if rules.mode is None:
        yield "auxiliary.mode", "辅助分型的方式；没有写 none"
    elif rules.mode not in NO_MODE and rules.mode != SUB_ROWS:
        if not rules.dimensions:
            yield "auxiliary.dimensions", "辅助分型的维度"
        if "secondary_dx" in (rules.dimensions or ()) and rules.secondary_dx is None:
            yield "auxiliary.secondary_dx", "次要诊断分型有哪些标签，各在什么情况下"
        if rules.choose is None:
            yield "auxiliary.choose", "几个辅助标签取哪一个"
        if rules.cap is None:
            yield "auxiliary.cap", "辅助系数上限；没有写 n/a"


def _money(policy: Policy, day: date) -> Iterator[tuple[str, str]]:
    rules = policy.settlement
    spec = rules.point_value
    if rules.pools is None:
        yield "settlement.pools", "统筹池（职工、居民）"
    if spec.kind is None or len(spec.kind) != 1:
        yield "settlement.point_value.kind", "点值的种类（浮动、固定、弹性），选定一种"
    if spec.basis is None:
        yield "settlement.point_value.basis", "点值按总费用还是按基金"
    if not spec.table:
        yield "settlement.point_value.table", "点值（元/分）"
    if rules.price_keys is None and spec.keys is None:
        yield "settlement.price_keys", "点值按什么取（统筹池、月份、机构、参保地）"
    keys = price_keys(policy) or ()
    if BY_SEVERITY in keys and spec.severe_groups is None:
        yield "settlement.point_value.severe_groups", "哪些病种按重症的点值"
    if spec.kind == (SEVERE_FIXED,) and keys and BY_SEVERITY not in keys:
        yield "settlement.price_keys", "重症固定、轻症浮动的点值要按 severity 取"
    if spec.kind == ("elastic",):
        if spec.elastic_split is None or len(spec.elastic_split) != 1:
            yield "settlement.point_value.elastic_split", "弹性点值：基础与增量基金的比例"
        if spec.increment_cap is None:
            yield "settlement.point_value.increment_cap", "弹性点值：增量点值上限；没有写 n/a"
    if policy.scoring.average_fee == "payment_standard":
        for pool in rules.pools or ():
            if unknown(spec.budget.find((pool,)), day):
                yield f"settlement.point_value.budget.{pool}", f"{pool}年初预算点值（支付标准）"
    yield from _fund_share(policy, day)
    yield from _monthly(policy, day)
    yield from _year_end(policy, day)


def _fund_share(policy: Policy, day: date) -> Iterator[tuple[str, str]]:
    rules = policy.settlement
    if rules.fund_share is None:
        yield "settlement.fund_share", "基金支付额如何得出（乘比例、扣个人负担）"
    if rules.fund_share != "multiplicative" or rules.point_value.basis == "fund":
        return
    if rules.fund_share_from is None and not rules.fund_ratio:
        yield "settlement.fund_share_from", "基金支付比例用全池的（pool）还是病例自己的（case）"
    if rules.fund_share_from == "pool" or rules.fund_ratio:
        for pool in rules.pools or ():
            if unknown(rules.fund_ratio.find((pool,)), day):
                yield f"settlement.fund_ratio.{pool}", f"{pool}基金支付比例"


def _monthly(policy: Policy, day: date) -> Iterator[tuple[str, str]]:
    rules = policy.settlement.monthly
    names: tuple[str, ...] = ("ratio",)
    if rules.form is None:
        yield FORM, "月度预结算的公式"
    else:
        names = names_in(rules.form)
    if "ratio" in names and unknown(rules.ratio, day):
        yield "settlement.monthly.ratio", "月度拨付比例"
    if unknown(rules.deposit, day):
        yield "settlement.monthly.deposit", "质量保证金比例；没有写 n/a"
    if unknown(policy.settlement.prepayment_months, day):
        yield "settlement.prepayment_months", "预付金相当于几个月"


def _year_end(policy: Policy, day: date) -> Iterator[tuple[str, str]]:
    rules = policy.settlement.year_end
    path = "settlement.year_end"
    if rules.assess is None:
        yield f"{path}.assess", "年度考核结果用在哪里；不用写 n/a"
    elif rules.assess.applies_to is None and rules.assess.text not in (
        "applied to the score",
        _ABSENT,
    ):
        yield f"{path}.assess.applies_to", "考核结果乘在分值、应付还是保证金上"
    if rules.audit_deduct is None:
        yield f"{path}.audit_deduct", "年终是否扣除审核扣款"
    if not rules.bands:
        yield f"{path}.bands", "结余留用和合理超支分担的各段；没有写 n/a"
    for place, band in enumerate(rules.bands or ()):
        form = BAND_FORMS.get(band.pay.form)
        if form is not None and form.needs_share and unknown(band.pay.share, day):
            yield f"{path}.bands[{place}].pay.share", "这一段的分担比例"
        if form is not None and form.needs_upto and unknown(band.pay.upto, day):
            yield f"{path}.bands[{place}].pay.upto", "这一段的封顶倍数"


def unknown(param: Param | ParamTable | None, day: date) -> bool:
    """No number on the day, and the policy does not say that there is no such rule."""
    return not isinstance(param, Param) or (not param.absent and param.on(day) is None)

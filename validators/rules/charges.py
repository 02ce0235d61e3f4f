"""Rules that add up fee lines by what their names say."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date
from decimal import Decimal

from dipgate.core.findings import Severity
from dipgate.validators.reading import Missing, clean, closed_number, number
from dipgate.validators.registry import Hit, Subject, rule

BED = "01"
"""Fee class of beds."""
LEVELS: Mapping[str, tuple[str, re.Pattern[str]]] = {
    "lv1_nurscare_days": ("一级护理", re.compile(r"(?:一|Ⅰ|(?<!I)I|1)级护理")),
    "scd_nurscare_days": ("二级护理", re.compile(r"(?:二|Ⅱ|(?<!I)II|2)级护理")),
    "lv3_nurscare_days": ("三级护理", re.compile(r"(?:三|Ⅲ|III|3)级护理")),
}
"""Field of the list → its words, and how a fee line of that level is called. The special level is
left out: it is charged by the hour in many places."""


@rule(
    "F016",
    severity=Severity.WARNING,
    fields=("charges", "setlinfo.act_ipt_days"),
    clause="字段语义（床位费按日计）",
    message="床位费的天数超过住院天数",
    remedy="核对多收的床位；包房、陪床等另有项目的按当地口径",
    since=date(2021, 1, 1),
    needs=("charges",),
    confidence="high",
)
def beds_are_not_charged_for_more_days_than_the_stay(subject: Subject) -> Iterator[Hit]:
    """床位费的天数不超过住院天数加一天。

    每个床位项目的数量单独合计（冲正抵消后），不同项目不相加：空调等附加项目与床位同日并收。
    """
    days = closed_number(number(subject.lst.setlinfo.get("act_ipt_days")), "实际住院天数")
    beds: dict[str, Decimal] = {}
    names: dict[str, str] = {}
    for row in subject.lst.charges or ():
        if clean(row.get("category"))[:2] == BED:
            key = clean(row.get("code")) or clean(row.get("name"))
            names.setdefault(key, clean(row.get("name")))
            beds[key] = beds.get(key, Decimal(0)) + _quantity(row.get("quantity"))
    for key, charged in beds.items():
        if charged > days + 1:
            what = f"“{names[key]}”计了 {charged:f} 天，住院只有 {days:f} 天"
            yield Hit("charges", "", what)


@rule(
    "F020",
    severity=Severity.WARNING,
    fields=("setlinfo.lv1_nurscare_days", "charges"),
    clause="两库框架 1.0 GZ10000201002000",
    message="护理收费的天数与清单的护理天数不一致",
    remedy="核对护理医嘱，改正清单的护理天数或收费",
    since=date(2021, 1, 1),
    needs=("charges",),
    confidence="medium",
)
def nursing_charged_is_the_nursing_on_the_list(subject: Subject) -> Iterator[Hit]:
    """各级护理收费的天数与清单的护理天数相差不超过一天。

    只比一、二、三级；特级护理多按小时计价，不比。收费项目没有写明级别的，未检。
    """
    charged: dict[str, Decimal] = {}
    for row in subject.lst.charges or ():
        for field, (_, called) in LEVELS.items():
            if called.search(clean(row.get("name"))):
                charged[field] = charged.get(field, Decimal(0)) + _quantity(row.get("quantity"))
    info = subject.lst.setlinfo
    if not charged:
        raise Missing("收费明细里没有写明护理级别的项目")
    if not any(clean(info.get(field)) for field in LEVELS):
        raise Missing("各级护理天数都为空")
    for field, (words, _) in LEVELS.items():
        value = number(info.get(field))
        listed = Decimal(0) if value is None else closed_number(value, f"{words}天数")
        paid = charged.get(field, Decimal(0))
        if abs(paid - listed) > 1:
            what = f"{words}收费 {paid:f} 天，清单填了 {listed:f} 天，相差超过一天"
            yield Hit(f"setlinfo.{field}", clean(info.get(field)), what)


def _quantity(value: object) -> Decimal:
    return closed_number(number(value), "数量")

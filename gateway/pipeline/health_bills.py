"""The check of bills: who waits for a part of a list, and what the platform must not keep."""

from __future__ import annotations

from collections.abc import Iterator

from dipgate.pipeline.health_facts import Check, Facts, Grade


def bills(facts: Facts) -> Iterator[Check]:
    """Stays that wait, and cancelled lists that a person has to take down at the platform."""
    found = facts.bills
    if found.overdue:
        yield Check(
            "waiting",
            "等资料",
            Grade.LOOK,
            f"出院后等结算、首页或费用的 {found.waiting:,} 人次，其中 {found.overdue:,} 人次逾期",
            "在编码队列的“等资料”里看缺什么、找谁",
        )
    elif found.waiting:
        yield Check(
            "waiting", "等资料", Grade.OK, f"出院后等结算、首页或费用的 {found.waiting:,} 人次"
        )
    if found.at_platform:
        yield Check(
            "cancelled",
            "已撤销的结算",
            Grade.LOOK,
            f"{found.at_platform:,} 份结算已撤销，平台上还有或可能还有清单",
            "医保办在编码队列里打开它们，按页上写的在平台上撤下后记下",
        )

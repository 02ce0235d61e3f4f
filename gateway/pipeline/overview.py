"""The same morning: what would be uploaded, what would be refused and why, what it is worth."""

from __future__ import annotations

from dataclasses import dataclass

from dipgate.core.record import Rejected
from dipgate.pipeline.desk import Desk
from dipgate.store import cases, rejects, summaries


@dataclass(frozen=True, slots=True)
class Overview:
    """State of all lists. `set_aside` counts rows that are still set aside, and files."""

    states: dict[str, int]
    clean: int
    with_errors: int
    errors: tuple[summaries.RuleCount, ...]
    money: summaries.MoneyCount
    set_aside: int
    refused: tuple[str, ...] = ()
    """Files and views that are not read at all, each as a sentence."""


def overview(desk: Desk, *, top: int = 12) -> Overview:
    """Counts over the latest verdict and group of every list."""
    with desk.store.read() as conn:
        clean, with_errors = summaries.clean_and_broken(conn)
        return Overview(
            states={name: number for name, number in cases.counts(conn).items() if number},
            clean=clean,
            with_errors=with_errors,
            errors=summaries.rules_that_hold(conn, limit=top),
            money=summaries.money(conn),
            set_aside=rejects.count_open(conn),
            refused=tuple(_refused(item) for _, _, item in rejects.open_rejects(conn, whole=True)),
        )


def _refused(item: Rejected) -> str:
    remedy = f"；{item.remedy}" if item.remedy else ""
    return f"{item.object_name} 整个文件没有读：{item.what}{remedy}"

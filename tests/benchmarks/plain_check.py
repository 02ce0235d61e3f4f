"""The plain way to check a list: a pydantic object, a closure per rule, values read where needed.

`plain_rules.py` holds the closures. `bench_check.py` compares speed, and that both find the same.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, create_model

from dipgate.core.findings import Finding, FindingStatus, Severity
from dipgate.core.rules import RuleWorld

Check = Callable[[Any], "str | None"]
"""The field that is wrong, or None. Raises Lacking for data that is not there."""


class Lacking(Exception):
    """The data that a check needs is not there."""


def model(sample: bytes, world: RuleWorld) -> type[BaseModel]:
    """One model per node with the fields of the sample; text limited as the field tables say."""

    def of(name: str, fields: Iterable[str]) -> type[BaseModel]:
        known = world.fields.get(name, {})
        kinds: dict[str, Any] = {}
        for field in fields:
            spec = known.get(field)
            limit = spec.length if spec is not None and spec.kind == "text" else None
            kinds[field] = (Annotated[str, Field(max_length=limit)], "")
        return create_model(name, __config__=ConfigDict(extra="allow"), **kinds)

    obj = json.loads(sample)
    parts: dict[str, Any] = {"setlinfo": (of("setlinfo", obj["setlinfo"]), ...)}
    for node, rows in obj.items():
        if isinstance(rows, list):
            row = of(node, rows[0] if rows else {})
            parts[node] = (list[row], [])  # type: ignore[valid-type]
    return create_model("PlainCase", __config__=ConfigDict(extra="allow"), **parts)


def text(row: Any, name: str) -> str:
    value = getattr(row, name, None)
    return "" if value is None else str(value).strip()


def num(row: Any, name: str) -> Decimal:
    try:
        return Decimal(text(row, name))
    except InvalidOperation:
        raise Lacking(name) from None


def moment(row: Any, name: str) -> datetime:
    value = text(row, name)
    form = "%Y-%m-%d" if len(value) <= 10 else "%Y-%m-%d %H:%M:%S"
    try:
        return datetime.strptime(value, form)  # noqa: DTZ007 - the plain way is what is measured
    except ValueError:
        raise Lacking(name) from None


def began(row: Any) -> datetime:
    named = "oprn_oprt_begntime" if text(row, "oprn_oprt_begntime") else "oprn_oprt_date"
    return moment(row, named)


def age_years(o: Any) -> int:
    born, day = moment(o.setlinfo, "brdy"), moment(o.setlinfo, "adm_time")
    return day.year - born.year - ((day.month, day.day) < (born.month, born.day))


def age_days(o: Any) -> int:
    return (moment(o.setlinfo, "adm_time").date() - moment(o.setlinfo, "brdy").date()).days


def newborn(o: Any) -> bool:
    try:
        return 0 <= age_days(o) <= 28
    except Lacking:
        return False


def western(row: Any) -> bool:
    return text(row, "diag_type") not in ("2", "3") and bool(text(row, "diag_code"))


def principal(o: Any) -> Any:
    rows = [row for row in o.diseinfo if western(row)]
    flagged = [row for row in rows if text(row, "maindiag_flag") == "1"]
    return (flagged or rows or [None])[0]


def total(rows: list[Any], name: str) -> Decimal:
    return sum((num(row, name) for row in rows), Decimal(0))


def info(name: str, good: Callable[[str], bool]) -> Check:
    """A check of one text field of the case."""
    return lambda o: None if good(text(o.setlinfo, name)) else name


def case(name: str, good: Callable[[Any], bool]) -> Check:
    return lambda o: None if good(o) else name


def each(node: str, name: str, good: Callable[[Any, Any], bool]) -> Check:
    """A check of every row of a node: `good(row, o)`."""

    def closure(o: Any) -> str | None:
        for index, row in enumerate(getattr(o, node)):
            if not good(row, o):
                return f"{node}[{index}].{name}"
        return None

    return closure


def unique(node: str, *names: str) -> Check:
    def closure(o: Any) -> str | None:
        seen = set()
        for row in getattr(o, node):
            key = tuple(text(row, name) for name in names)
            if key[0] and key in seen:
                return node
            seen.add(key)
        return None

    return closure


def judge(obj: Any, rules: list[tuple[str, Check]]) -> tuple[Finding, ...]:
    """What every closure says of one case."""
    found = []
    for rule, closure in rules:
        try:
            field = closure(obj)
        except Lacking as why:
            found.append(_finding(rule, FindingStatus.NOT_CHECKED, str(why)))
        else:
            if field is not None:
                found.append(_finding(rule, FindingStatus.FOUND, field))
    return tuple(found)


def _finding(rule: str, status: FindingStatus, field: str) -> Finding:
    message = f"{field} 不符合规则 {rule}"
    return Finding(rule, Severity.ERROR, status, field, "", message, "核对并更正", "条款")

"""Numbers of a policy: unknown, "does not exist", fixed, or dated; and tables of them.

`null` is unknown and reads as None; `"n/a"` says that the rule does not exist. A dated number is
`{unit: …, values: {"2025-01-01": {value: "0.90", source: "…"}}}` and is asked with a day.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator, InstanceOf, PlainSerializer

from dipgate.core.dated import Dated, Since
from dipgate.core.errors import ConfigError
from dipgate.core.money import decimal_of

NOT_APPLICABLE = "n/a"
MAX_TABLE_DEPTH = 6
_SERIES_KEYS = frozenset({"description", "unit", "values"})
_ENTRY_KEYS = frozenset({"value", "source"})


@dataclass(frozen=True, slots=True)
class Param:
    """One number. `absent`: the policy says that the rule does not exist.

    Empty: a cell of a table that is written as unknown, so that no wider cell stands in for it.
    """

    fixed: Decimal | None = None
    series: Dated[Decimal] | None = None
    absent: bool = False

    @property
    def dated(self) -> bool:
        return self.series is not None

    def on(self, day: date | None) -> Decimal | None:
        """The number that holds on `day`; None when absent, not yet dated, or no day is given."""
        if self.series is None:
            return self.fixed
        if day is None:
            return None
        try:
            return self.series.on(day)
        except ConfigError:
            return None

    def source_on(self, day: date | None) -> str:
        """The clause that a dated number quotes for `day`, or empty text."""
        found = ""
        for entry in self.series.entries() if self.series is not None and day is not None else ():
            if day is not None and entry.first_day <= day:
                found = entry.source
        return found

    def as_object(self) -> Any:
        """Plain value for hashing: text, or the series by day."""
        if self.absent:
            return NOT_APPLICABLE
        if self.fixed is None and self.series is None:
            return None
        if self.series is not None:
            return {
                f"{entry.first_day:%Y-%m-%d}": [str(entry.value), entry.source]
                for entry in self.series.entries()
            }
        return str(self.fixed)


@dataclass(frozen=True, slots=True)
class ParamTable:
    """Numbers by key, nested in the order that the policy names (level, pool, month …)."""

    entries: Mapping[str, Param | ParamTable]

    def find(self, keys: Sequence[str]) -> Param | None:
        """The number at the keys; trailing keys may be left out by the table. None if not there."""
        here: Param | ParamTable | None = self
        for key in keys:
            if isinstance(here, Param):
                return here
            here = here.entries.get(key) if here is not None else None
            if here is None:
                return None
        return here if isinstance(here, Param) else None

    def __bool__(self) -> bool:
        return bool(self.entries)

    def as_object(self) -> Any:
        return {key: item.as_object() for key, item in self.entries.items()}


def read_param(value: object) -> Param | None:
    """Plain value → Param. Raises ValueError with a Chinese sentence."""
    if value is None or isinstance(value, Param):
        return value
    if value == NOT_APPLICABLE:
        return Param(absent=True)
    if isinstance(value, Mapping):
        return Param(series=_series(value))
    return Param(fixed=_number(value))


def read_table(value: object, depth: int = 0) -> ParamTable:
    """Plain value → table; a null cell is kept as unknown. Raises ValueError."""
    if isinstance(value, ParamTable):
        return value
    if value is None:
        return ParamTable({})
    if not isinstance(value, Mapping):
        raise ValueError("应为一张表（键: 数值）")
    if depth > MAX_TABLE_DEPTH:
        raise ValueError(f"表的层数超过 {MAX_TABLE_DEPTH}")
    entries: dict[str, Param | ParamTable] = {}
    for key, item in value.items():
        if isinstance(item, Mapping) and not (item.keys() & _SERIES_KEYS):
            entries[str(key)] = read_table(item, depth + 1)
            continue
        try:
            param = read_param(item)
        except ValueError as error:
            raise ValueError(f"键 {key!r}：{error}") from error
        entries[str(key)] = param if param is not None else Param()
    return ParamTable(entries)


def _number(value: object) -> Decimal:
    try:
        number = decimal_of(value)
    except ValueError:
        raise ValueError(f"{value!r} 不是数字；未知写 null，没有这条规则写 n/a") from None
    if number is None:
        raise ValueError("数值是空文本；未知写 null")
    return number


def _series(value: Mapping[str, object]) -> Dated[Decimal]:
    unknown = [str(key) for key in value if key not in _SERIES_KEYS]
    if unknown:
        raise ValueError(f"按日期取值的参数有不认识的键 {unknown[0]!r}；可用 values、unit")
    rows = value.get("values")
    if not isinstance(rows, Mapping) or not rows:
        raise ValueError('按日期取值的参数缺少 values: {"2025-01-01": …}')
    entries: list[Since[Decimal]] = []
    for day, item in rows.items():
        try:
            first_day = date.fromisoformat(str(day))
        except ValueError:
            raise ValueError(f"{day!r} 不是 yyyy-MM-dd 的日期") from None
        source = ""
        if isinstance(item, Mapping):
            extra = [str(key) for key in item if key not in _ENTRY_KEYS]
            if extra:
                raise ValueError(f"{day} 有不认识的键 {extra[0]!r}；可用 value、source")
            source = str(item.get("source") or "")
            item = item.get("value")
        entries.append(Since(first_day, _number(item), source))
    return Dated("values", entries)


def _plain(value: Param | ParamTable | None) -> Any:
    return None if value is None else value.as_object()


Number = Annotated[InstanceOf[Param] | None, BeforeValidator(read_param), PlainSerializer(_plain)]
"""A policy field that holds a number, unknown, or n/a."""
Table = Annotated[InstanceOf[ParamTable], BeforeValidator(read_table), PlainSerializer(_plain)]
"""A policy field that holds a table of numbers."""

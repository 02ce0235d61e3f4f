"""Reading a policy for one case: every number that was missing is remembered by its path."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from types import MappingProxyType
from typing import TypeVar

from dipgate.core.case import Case
from dipgate.core.grouping import GroupResult, Step
from dipgate.core.money import yuan_decimal
from dipgate.core.params import Param
from dipgate.core.policy import Policy

T = TypeVar("T")
SEVERE, LIGHT = "重症", "轻症"
"""The two keys of point values by severity."""
DAY = "settled_on"
"""Name in `used` of the day of the case."""
NATIONAL_POOLS: Mapping[str, str] = MappingProxyType(
    {"310": "职工", "1": "职工", "390": "居民", "380": "居民", "391": "居民", "2": "居民"}
)
"""医保类型 → pool: dictionary codes (mdcs_type), and the printed form's 1 and 2."""


LEVEL = "case.level"
SEVERE_GROUPS = "settlement.point_value.severe_groups"
_MARK = re.compile(r"<([^<>]+)>")


def marked(path: str) -> str:
    """A key of a table for what is not known: no table has it, and it names what is missing."""
    return f"<{path}>"


def lacking_in(path: str) -> list[str]:
    """What is missing where a table has nothing at `path`: its marked keys, else the path."""
    return _MARK.findall(path) or [path]


def before_marks(path: str) -> str:
    """The path up to its first marked key: a number there stands for all keys below it."""
    return path.partition(".<")[0]


@dataclass(slots=True)
class Asker:
    """One scoring run: the inputs, what is missing so far, and the trace. Lives for one call."""

    case: Case
    result: GroupResult
    policy: Policy
    level: str
    hospital: str
    county: str
    day: date | None
    month: str
    missing: dict[str, None] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    given: Mapping[str, Decimal] = field(default_factory=dict)
    """Numbers that the caller has found already (k, a, average_fee …); they come first."""
    used: dict[str, None] = field(default_factory=dict)
    """Names of `given` that were used."""
    tracing: bool = True
    said_pool: str = ""
    """The pool by its name, where the caller knows it without an insurance type."""

    @property
    def fee(self) -> Decimal | None:
        return None if self.case.fee is None else yuan_decimal(self.case.fee)

    @property
    def pool(self) -> str:
        """The pool of the case's insurance type; empty (and missing) when the policy has none."""
        if self.said_pool:
            self.used["pool"] = None
            return self.said_pool
        self.used["insurance_type"] = None
        kind = self.case.insurance_type
        codes = self.policy.settlement.pool_codes
        name = (codes if codes is not None else NATIONAL_POOLS).get(kind) or ""
        pools = self.policy.settlement.pools
        if not name or (pools is not None and name not in pools):
            self.lack(self.pool_path)
            return ""
        return name

    @property
    def pool_path(self) -> str:
        """What is missing where the pool is not known."""
        kind = self.case.insurance_type
        return f"settlement.pool_codes.{kind}" if kind else "case.insurance_type"

    @property
    def pool_if_known(self) -> str | None:
        """The pool, without remembering that it is missing."""
        return self.attempt(lambda ask: ask.pool or None)[0]

    @property
    def severity(self) -> str:
        """Which of the two prices the group of the case has; empty (and missing) when unknown."""
        severe = self.policy.settlement.point_value.severe_groups
        if severe is None or not self.result.group_code:
            self.lack(self.severity_path)
            return ""
        return SEVERE if self.result.group_code in severe else LIGHT

    @property
    def severity_path(self) -> str:
        """What is missing where the severity is not known."""
        severe = self.policy.settlement.point_value.severe_groups
        return SEVERE_GROUPS if severe is None else "case.group_code"

    @property
    def insured_place(self) -> str:
        return self.case.insured_place

    def unsaid(self, name: str) -> str:
        """The key for what the case does not say (`level`, `pool`, `month` …)."""
        own = {"pool": self.pool_path, "month": self.day_path, "severity": self.severity_path}
        return marked(own.get(name, f"case.{name}"))

    def lack(self, *paths: str) -> None:
        for path in paths:
            self.missing.update(dict.fromkeys(lacking_in(path)))

    def take(self, name: str, why: str) -> Decimal | None:
        """A number that the caller has given, or None; what is taken is remembered and traced."""
        value = self.given.get(name)
        if value is not None:
            self.used[name] = None
            self.step("input", f"{why} = {value:f}（输入给出）", f"input.{name}", value)
        return value

    def attempt(self, ask: Callable[[Asker], T | None]) -> tuple[T | None, tuple[str, ...]]:
        """What may turn out not to be needed: with the paths it lacks, not yet remembered.

        Whoever needs it passes them to `lack`.
        """
        before = dict(self.missing)
        self.missing.clear()
        value = ask(self)
        lacking = tuple(self.missing)
        self.missing.clear()
        self.missing.update(before)
        return value, lacking

    def step(self, step: str, text: str, ref: str = "", value: object = "") -> None:
        if not self.tracing:
            return
        shown = format(value, "f") if isinstance(value, Decimal) else str(value)
        found = Step(step, text, self._evidence(ref), shown)
        if found not in self.steps:
            # K may be asked for twice: for the average that a fee is compared with, and the score.
            self.steps.append(found)

    def number(self, param: Param | None, path: str, *, why: str = "") -> Decimal | None:
        """The number on the day of the case; None and remembered when it is not there.

        Where it is dated and the case has no day, the day is what is missing.
        """
        value = self.on(param)
        if value is None:
            self.lack(self.day_path if self.undated(param) else path)
            return None
        if self.tracing:
            source = param.source_on(self.day) if param is not None else ""
            path = before_marks(path)
            self.step(
                "parameter",
                f"{why or path} = {value:f}{f'（{source}）' if source else ''}",
                path,
                value,
            )
        return value

    def on(self, param: Param | None) -> Decimal | None:
        """The number on the day of the case; the day decided where the number is dated."""
        if param is None:
            return None
        if param.dated:
            self.used[DAY] = None
        return param.on(self.day)

    def undated(self, param: Param | None) -> bool:
        """The policy has the number, by day; it is the case that has no day."""
        return param is not None and param.dated and self.day is None

    @property
    def day_path(self) -> str:
        by_discharge = self.policy.policy.date_basis == "discharge"
        return "case.dscg_time" if by_discharge else "case.setl_end_date"

    def text(self, value: str | None, path: str) -> str | None:
        """A word of the policy; None and remembered when unknown."""
        if value is None:
            self.lack(path)
        return value

    def _evidence(self, ref: str) -> str:
        head = ref.partition(".")[0]
        section = getattr(self.policy, head, None) if head in Policy.model_fields else None
        src = getattr(section, "src", None)
        return f"{ref} [{','.join(src)}]" if src else ref

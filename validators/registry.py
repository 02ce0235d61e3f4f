"""Rules that need an algorithm: functions in `dipgate.validators.rules`, found by walking it."""

from __future__ import annotations

import inspect
import pkgutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from importlib import import_module

from dipgate.core.case import Case, case_of
from dipgate.core.errors import ConfigError
from dipgate.core.findings import Fix, Severity
from dipgate.core.lists import SettlementList
from dipgate.core.reference import Reference
from dipgate.core.rules import RuleWorld
from dipgate.validators.language import is_need


@dataclass(frozen=True)
class Subject:
    """What a rule looks at: one list with the catalogues of its day. `case` is read when asked.

    `limits`: node → text field → longest text the field tables allow.
    """

    lst: SettlementList
    ref: Reference
    world: RuleWorld
    limits: Mapping[str, Mapping[str, int]]
    today: date

    @cached_property
    def case(self) -> Case:
        return case_of(self.lst)

    @property
    def now(self) -> datetime:
        """Midnight of today on the wall clock, to compare with wire times."""
        return datetime(self.today.year, self.today.month, self.today.day)  # noqa: DTZ001


@dataclass(frozen=True, slots=True)
class Hit:
    """One place where a rule is broken. Empty texts mean: as the rule's own say."""

    field: str
    value: str = ""
    message: str = ""
    remedy: str = ""
    fixes: tuple[Fix, ...] = ()


Check = Callable[[Subject], Iterator[Hit]]


@dataclass(frozen=True, slots=True)
class FunctionRule:
    """A rule whose evaluation is a function; the rest is the same metadata as a row's."""

    id: str
    pack: str
    severity: Severity
    fields: tuple[str, ...]
    clause: str
    message: str
    remedy: str
    since: date
    needs: tuple[str, ...]
    suppressed_by: tuple[str, ...]
    revision: int
    """Raised whenever the function's answer can change; part of the pack's version."""
    check: Check
    confidence: str = ""
    looks_at_today: bool = False

    @property
    def title(self) -> str:
        return (inspect.getdoc(self.check) or self.message).partition("\n")[0].strip().rstrip("。")

    @property
    def why(self) -> str:
        return (inspect.getdoc(self.check) or "").partition("\n")[2].strip()

    def __reduce__(self) -> tuple[Callable[[str, str], FunctionRule], tuple[str, str]]:
        return _found_again, (self.pack, self.id)


def rule(
    rule_id: str,
    *,
    severity: Severity,
    fields: tuple[str, ...],
    clause: str,
    message: str,
    remedy: str,
    since: date,
    pack: str = "base",
    needs: tuple[str, ...] = (),
    suppressed_by: tuple[str, ...] = (),
    revision: int = 1,
    confidence: str = "",
    looks_at_today: bool = False,
) -> Callable[[Check], FunctionRule]:
    """Declare a function rule. The docstring's first line says what must be true.

    `confidence` is `high`, `medium` or `low`; `looks_at_today` says that the answer on the same
    list can change from one day to the next.
    """
    unknown = [need for need in needs if not is_need(need)]
    if unknown:
        raise ConfigError(f"规则 {rule_id} 的 needs 不认识 {unknown[0]}", path=rule_id)

    def declare(check: Check) -> FunctionRule:
        return FunctionRule(
            rule_id,
            pack,
            severity,
            fields,
            clause,
            message,
            remedy,
            since,
            needs,
            suppressed_by,
            revision,
            check,
            confidence,
            looks_at_today,
        )

    return declare


def function_rules(pack: str | None = None) -> tuple[FunctionRule, ...]:
    """Every function rule, or those of one pack, by id. ConfigError for an id used twice."""
    package = import_module("dipgate.validators.rules")
    found: dict[tuple[str, str], FunctionRule] = {}
    for module in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
        for value in vars(import_module(module.name)).values():
            if not isinstance(value, FunctionRule):
                continue
            key = (value.pack, value.id)
            if found.setdefault(key, value) is not value:
                raise ConfigError(
                    f"规则 {value.id} 在规则包 {value.pack} 里有两个函数", path=value.id
                )
    return tuple(found[key] for key in sorted(found) if pack is None or key[0] == pack)


def _found_again(pack: str, rule_id: str) -> FunctionRule:
    """The same rule in another process."""
    for known in function_rules(pack):
        if known.id == rule_id:
            return known
    raise ConfigError(f"这个版本没有函数规则 {rule_id}", path=rule_id)

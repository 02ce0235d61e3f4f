"""Our side of a comparison, whole, so that it can be computed again with one thing changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from dipgate.core.case import Case
from dipgate.core.grouping import GroupResult, ScoreResult
from dipgate.core.params import Param, ParamTable
from dipgate.core.policy import Policy
from dipgate.core.reference import CodeMap, Reference
from dipgate.pregrouper.engine import group
from dipgate.pregrouper.library import Library
from dipgate.pregrouper.scoring import score

Codes = Mapping[str, tuple[str, ...]]


def _no_codes() -> Codes:
    return MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Editions:
    """Codes of one edition → the same in the other, both ways, for diagnoses and operations."""

    dx: Codes = field(default_factory=_no_codes)
    op: Codes = field(default_factory=_no_codes)


NO_EDITIONS = Editions()


@dataclass(frozen=True, slots=True)
class Known:
    """What other cases of the same return have shown: point values that several of them share."""

    point_values: frozenset[Decimal] = frozenset()


NOTHING_KNOWN = Known()


@dataclass(frozen=True, slots=True)
class OurSide:
    """Case, tables and rules that our result came from. `others`: further versions known here."""

    case: Case
    library: Library
    policy: Policy
    ref: Reference | None
    level: str
    hospital: str | None = None
    county: str = ""
    month: str | None = None
    others: tuple[Library, ...] = ()
    editions: Editions = NO_EDITIONS

    def group(self) -> GroupResult:
        return group(self.case, self.library, self.policy, self.ref, trace=False)

    def score(self, grouped: GroupResult) -> ScoreResult:
        return score(
            self.case,
            grouped,
            self.policy,
            hospital_level=self.level,
            month=self.month,
            hospital_code=self.hospital,
            county=self.county,
            trace=False,
        )

    def under(self, path: str, **values: Any) -> OurSide:
        """The same side with parts of one policy section replaced (`scoring.rounding`)."""
        return replace(self, policy=changed(self.policy, path, **values))


def changed(policy: Policy, path: str, **values: Any) -> Policy:
    """A copy of a policy with values of the section at `path` replaced; not validated again."""
    parts = path.split(".")
    holders = [policy, *(section_of(policy, parts[:n]) for n in range(1, len(parts) + 1))]
    made: Any = holders[-1].model_copy(update=values)
    for holder, name in zip(reversed(holders[:-1]), reversed(parts), strict=True):
        made = holder.model_copy(update={name: made})
    found: Policy = made
    # The hash of the content is kept in the instance and would be that of the original.
    found.__dict__.pop("digest", None)
    found.__dict__.pop("label", None)
    return found


def section_of(policy: Policy, parts: list[str]) -> Any:
    """The section at a path of names."""
    here: Any = policy
    for name in parts:
        here = getattr(here, name)
    return here


def editions_of(ref: Reference | None) -> Editions:
    """Both directions of the code maps in force; build once per `Reference` and keep."""
    if ref is None:
        return NO_EDITIONS
    return Editions(_both_ways(ref.icd10_map), _both_ways(ref.icd9cm3_map))


def _both_ways(codes: CodeMap | None) -> Codes:
    found: dict[str, dict[str, None]] = {}
    for entries in codes.entries.values() if codes is not None else ():
        for entry in entries:
            if entry.source_code != entry.target_code and entry.target_code:
                found.setdefault(entry.source_code, {})[entry.target_code] = None
                found.setdefault(entry.target_code, {})[entry.source_code] = None
    return MappingProxyType({code: tuple(others) for code, others in found.items()})


_LEVELS = {"1": "一级", "2": "二级", "3": "三级"}


def level_word(key: str) -> str:
    """A hospital level in words; any other key as it is."""
    return _LEVELS.get(key, key)


@dataclass(frozen=True, slots=True)
class Cell:
    """One number of a policy table: where it stands and since when."""

    keys: tuple[str, ...]
    value: Decimal
    since: str = ""

    @property
    def place(self) -> str:
        keys = "·".join(level_word(key) for key in self.keys)
        return keys + (f"，{self.since} 起" if self.since else "")


def cells(table: ParamTable, keys: tuple[str, ...] = ()) -> Iterator[Cell]:
    """Every number of a table, of every date."""
    for key, item in table.entries.items():
        here = (*keys, key)
        if isinstance(item, ParamTable):
            yield from cells(item, here)
        elif item.series is not None:
            for entry in item.series.entries():
                yield Cell(here, entry.value, f"{entry.first_day:%Y-%m-%d}")
        elif item.fixed is not None:
            yield Cell(here, item.fixed)


def one_cell(value: Decimal, *keys: str) -> ParamTable:
    """A table that holds one number."""
    item: Param | ParamTable = Param(fixed=value)
    for key in reversed(keys):
        item = ParamTable({key: item})
    if isinstance(item, Param):
        raise ValueError("a table needs a key")
    return item

"""Catalogues as of one day, frozen: what rules, mapping and grouping look codes up in.

A part that is None is not configured; whoever needs it answers "not checked" or NOT_CONFIGURED.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

from dipgate.core.registry import DESK


@dataclass(frozen=True, slots=True)
class CodeTable:
    """One version of a code list: code → name, and per-code attributes (`category`, …)."""

    kind: str
    version: str
    first_day: date
    names: Mapping[str, str]
    attributes: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """attribute name → (code → text)."""

    def __contains__(self, code: object) -> bool:
        return code in self.names

    def name(self, code: str) -> str | None:
        return self.names.get(code)

    def attribute(self, name: str, code: str) -> str:
        """The attribute's text, or empty text."""
        return self.attributes.get(name, {}).get(code, "")


@dataclass(frozen=True, slots=True)
class MapEntry:
    """One row of a code map. `layer` is national, area or hospital; the narrower one wins."""

    source_code: str
    source_name: str
    target_code: str
    target_name: str
    layer: str
    version: str
    row: int
    author: str = ""
    first_day: date | None = None
    last_day: date | None = None


@dataclass(frozen=True, slots=True)
class CodeMap:
    """source code → entries, the winning layer first; several targets: a person chooses."""

    kind: str
    versions: tuple[str, ...]
    entries: Mapping[str, tuple[MapEntry, ...]]

    def find(self, code: str) -> tuple[MapEntry, ...]:
        return self.entries.get(code, ())


@dataclass(frozen=True, slots=True)
class NotPrincipal:
    """A code that may not be principal; the two lists that say so, and why."""

    code: str
    dip3: bool
    drg11: bool
    reason: str
    rule: str


@dataclass(frozen=True, slots=True)
class Department:
    local_code: str
    local_name: str
    national_code: str
    national_name: str
    version: str
    row: int
    first_day: date | None = None
    last_day: date | None = None

    @property
    def step(self) -> str:
        """Whence the national code comes, for the lineage of a field."""
        return _step("department", "科室", self.version, self.row)


@dataclass(frozen=True, slots=True)
class Staff:
    """`role` is doctor, nurse or anaesthetist; `national_code` starts with D or N."""

    local_code: str
    name: str
    national_code: str
    role: str
    version: str
    row: int
    first_day: date | None = None
    last_day: date | None = None
    department: str = ""
    """Local code of the ward the person works in, when the site's table says so."""

    @property
    def step(self) -> str:
        """Whence the national code comes, for the lineage of a field."""
        return _step("staff", "人员", self.version, self.row)


def _step(kind: str, word: str, version: str, row: int) -> str:
    if version == DESK:
        return f"{word}登记第{row}号"
    return f"映射 {kind} {version} 第{row}行"


@dataclass(frozen=True, slots=True)
class Hospital:
    """Who we are: one hospital code per state folder. `level` as the policy names it (3, 2, 1)."""

    code: str
    name: str
    level: str
    area_code: str


_NONE: Mapping[str, frozenset[str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Reference:
    """All look-ups as of `day` (the settlement or discharge date of the case)."""

    day: date
    hospital: Hospital | None = None
    icd10: CodeTable | None = None
    icd9cm3: CodeTable | None = None
    icd10_map: CodeMap | None = None
    icd9cm3_map: CodeMap | None = None
    not_principal: Mapping[str, NotPrincipal] | None = None
    dx_mdc: Mapping[str, frozenset[str]] | None = None
    op_mdc: Mapping[str, frozenset[str]] | None = None
    departments: Mapping[str, Department] | None = None
    """By local code and by local name."""
    staff: Mapping[str, tuple[Staff, ...]] | None = None
    """By local code, by national code and by name (several people may share a name)."""
    codesets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """Built-in code sets of the interface: name → code → label (`gend`, `dscg_way`, `dept`…)."""
    tables: Mapping[str, tuple[Mapping[str, str], ...]] = field(default_factory=dict)
    """Small built-in rule tables by name (`dx-ranges`, `dx-combos`…), rows as text."""
    edition: str = "2.0"
    """Edition of the DIP library in use: decides which principal-diagnosis list applies."""
    versions: Mapping[str, str] = field(default_factory=dict)
    """kind → catalogue version in use; part of every stage key."""

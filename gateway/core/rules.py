"""What a rule pack is made of, before the compiler reads it: rows, field kinds, code lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date

from dipgate.core.findings import Severity

FOR_EACH = ("case", "diseinfo", "oprninfo", "icuinfo", "bldinfo", "iteminfo", "payinfo", "charges")


@dataclass(frozen=True, slots=True)
class RuleRow:
    """One row of `config/rules/<pack>/*.csv`.

    The rule is broken where `when` holds and `must` does not; both are expressions in the
    whitelisted subset. `needs` names nodes or look-ups without which it is *not checked*.
    Several rows may share an id: one rule told for several nodes or fields.
    """

    id: str
    pack: str
    for_each: str
    when: str
    must: str
    needs: tuple[str, ...]
    severity: Severity
    fields: tuple[str, ...]
    """The first is where the finding points; `each` in the expressions means each in turn."""
    clause: str
    message: str
    remedy: str
    since: date
    fix: str = ""
    """`set FIELD = EXPRESSION` or `remove row`; a leading `safe` marks it so."""
    file: str = ""
    line: int = 0
    suppressed_by: tuple[str, ...] = ()
    """More particular rules: when one of them is found at the same place, this one is silent."""
    title: str = ""
    """What must be true, in a few words; empty: the message stands in for it."""
    confidence: str = ""
    """How sure it is that the condition is right: `high`, `medium`, `low`; empty: unsaid."""


@dataclass(frozen=True, slots=True)
class ListField:
    """What the compiler knows of one field. `kind` is `text`, `number` or `time`."""

    node: str
    name: str
    label: str
    kind: str
    length: int | None = None
    """Characters (text) or digits in all (number); None when the tables do not say."""
    decimals: int | None = None
    codeset: str = ""


@dataclass(frozen=True, slots=True)
class CodeList:
    """A named list of codes that rules refer to: exact codes, and spans such as `C51-C58`."""

    name: str
    label: str
    source: str
    codes: frozenset[str] = frozenset()
    spans: tuple[str, ...] = ()
    """A prefix, a closed range of prefixes `A00-B99`, or an exclusion `!O83.4`."""


@dataclass(frozen=True, slots=True)
class RuleWorld:
    """What the rows of a pack may name: fields of each node, code sets, code lists."""

    fields: Mapping[str, Mapping[str, ListField]]
    """node → field code → field; `setlinfo` and `cover` are single objects, the rest rows."""
    codesets: frozenset[str] = frozenset()
    lists: Mapping[str, CodeList] = field(default_factory=dict)

"""What in a record supports a diagnosis or an operation as principal: tables, dated, as data.

The tables ship in `config/evidence/`; `config/evidence.py` reads them, `pregrouper.evidence` asks.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

DX, OP = "dx", "op"
TARGETS = (DX, OP)
STAY, CARE, RECORD, BILL, AGAINST = "stay", "care", "record", "bill", "against"
PROVES = (STAY, CARE, RECORD, BILL, AGAINST)
"""What a row can show: why the patient stayed, what was done for it, that the operation stands in
the theatre's record, that it was charged; or that the candidate cannot be principal."""
ANY = "any"
"""In `needs`: any row that proves something."""
EXPOSURES = (
    "score_up_pct",
    "score_down_pct",
    "other_system",
    "late",
    "cost_under",
    "no_charge",
    "no_bill",
    "other_outpatient",
    "raises_error",
    "raises_warning",
)
"""What an audit looks at, beside a change of principal diagnosis or operation."""
LEVELS = ("无", "低", "中", "高")
"""Audit exposure, in rising order."""


@dataclass(frozen=True, slots=True)
class Span:
    """The days on which a row holds; both ends belong to it, an open end has no limit."""

    first_day: date
    last_day: date | None = None

    def holds(self, day: date) -> bool:
        return self.first_day <= day and (self.last_day is None or day <= self.last_day)


@dataclass(frozen=True, slots=True)
class EvidenceRow:
    """One row of `evidence.csv`. `this` as node is the candidate's own row of the list."""

    id: str
    span: Span
    target: str
    codes: tuple[str, ...]
    """Candidates that it speaks of: prefixes and ranges of categories; empty for all."""
    treatment: str
    """Only for operations of this class (手术, 介入治疗 …); empty for all."""
    node: str
    field: str
    test: str
    words: tuple[str, ...]
    like: re.Pattern[str] | None
    unlike: re.Pattern[str] | None
    absent: str
    """A node or own field: the row is asked only where the list does not have it."""
    proves: tuple[str, ...]
    expected: bool
    """A record that has charges and none of these does not carry the diagnosis."""
    says: str
    hint: str
    """Name of the operation, for a bill that has it where the list does not; empty: no hint."""
    source: str


@dataclass(frozen=True, slots=True)
class NeedRow:
    """At least so many rows must prove it, or the candidate is locked and says what it lacks."""

    span: Span
    target: str
    proves: str
    least: int
    lacks: str


@dataclass(frozen=True, slots=True)
class TreatsRow:
    """Operations (prefixes) and the diagnoses that they treat. The longest prefix decides."""

    span: Span
    ops: tuple[str, ...]
    dx: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WardRow:
    """National codes of wards (prefixes) and the diagnoses that they take."""

    span: Span
    wards: tuple[str, ...]
    dx: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ExposureRow:
    """One thing that an audit asks about; `at` is its threshold where it has one."""

    id: str
    span: Span
    target: str
    when: str
    at: Decimal | None
    only_rise: bool
    """It counts only where the score rises."""
    level: str
    says: str
    source: str


@dataclass(frozen=True, slots=True)
class EvidenceTables:
    """All rows of one or of every day."""

    evidence: tuple[EvidenceRow, ...] = ()
    needs: tuple[NeedRow, ...] = ()
    treats: tuple[TreatsRow, ...] = ()
    wards: tuple[WardRow, ...] = ()
    exposure: tuple[ExposureRow, ...] = ()

    def on(self, day: date) -> EvidenceTables:
        """The rows that hold on a day."""
        return EvidenceTables(
            tuple(row for row in self.evidence if row.span.holds(day)),
            tuple(row for row in self.needs if row.span.holds(day)),
            tuple(row for row in self.treats if row.span.holds(day)),
            tuple(row for row in self.wards if row.span.holds(day)),
            tuple(row for row in self.exposure if row.span.holds(day)),
        )


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing found: where it stands in the list, and what it says."""

    rule: str
    path: str
    """`charges[5].name`, `setlinfo.wm_dise_code`, `oprninfo[0].oper_dr_code`, `icuinfo[0]`."""
    value: str
    text: str
    proves: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Support:
    """All that the record says of a candidate, and what it lacks to be chosen."""

    evidence: tuple[Evidence, ...]
    lacks: tuple[str, ...]

    @property
    def holds(self) -> bool:
        return not self.lacks

    @property
    def strength(self) -> int:
        """How many rows prove something; what options are ordered by."""
        return sum(bool(item.proves) for item in self.evidence)


def pattern_of(words: str) -> re.Pattern[str] | None:
    """`冠脉*支架|ECMO` → a pattern that finds one of the texts; `*` stands for any text between."""
    texts = [text for text in words.split("|") if text.strip()]
    if not texts:
        return None
    parts = [".*".join(re.escape(part) for part in text.split("*")) for text in texts]
    return re.compile("|".join(parts), re.IGNORECASE)


Number = Decimal | int
ExposureFacts = Mapping[str, tuple[Number | None, str]]
"""What is so in a case: name of `EXPOSURES` → its number, if it has one, and the text shown."""

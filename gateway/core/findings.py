"""What a rule says about a list: found, passed in silence, or not checked with a reason."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum


class Severity(IntEnum):
    """Ordered: `max()` of a list's findings is its worst."""

    HINT = 1
    WARNING = 2
    ERROR = 3

    @property
    def word(self) -> str:
        """The lower-case word used in files and on the command line."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> Severity:
        """`error`, `warning` or `hint` → Severity. Raises ValueError."""
        try:
            return cls[word.upper()]
        except KeyError:
            raise ValueError(f"不认识的级别 {word!r}") from None


class FindingStatus(StrEnum):
    FOUND = "found"
    NOT_CHECKED = "not_checked"


@dataclass(frozen=True, slots=True)
class Fix:
    """One mechanical way out. `safe` fixes keep group and money; the others need a person.

    `op` is `set` (path, value) or `remove_row` (path is the row, `oprninfo[2]`).
    """

    op: str
    path: str
    value: str = ""
    safe: bool = False
    text: str = ""


@dataclass(frozen=True, slots=True)
class Finding:
    """A rule's result on one list. `field` is the list path (`diseinfo[0].diag_code`)."""

    rule: str
    severity: Severity
    status: FindingStatus
    field: str
    value: str
    message: str
    remedy: str
    clause: str
    fixes: tuple[Fix, ...] = ()

    def as_json(self, case: str) -> dict[str, str]:
        """The object that `dipgate check --json` prints, one per line."""
        return {
            "case": case,
            "rule": self.rule,
            "severity": self.severity.word,
            "status": self.status.value,
            "field": self.field,
            "value": self.value,
            "message": self.message,
            "remedy": self.remedy,
            "clause": self.clause,
        }

"""The five kinds of error. An error's type says what its caller must do.

Bad patient data is a `Finding`, never an exception.
"""

from __future__ import annotations

from dataclasses import dataclass


class DipgateError(Exception):
    """Base of the five kinds. `str(error)` is one Chinese sentence fit for a user."""


class ConfigError(DipgateError):
    """Stop and tell the administrator: a setting, catalogue or policy is missing or wrong.

    `path` names the parameter or file (`settlement.fund_share`, `site.toml:12`).
    """

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)
        self.path = path


@dataclass(frozen=True, slots=True)
class Place:
    """Where a bad record stands: file (or view), 1-based row, field; each may be unknown."""

    file: str = ""
    row: int | None = None
    field: str = ""

    def __str__(self) -> str:
        parts = [self.file] if self.file else []
        if self.row is not None:
            parts.append(f"第{self.row}行")
        if self.field:
            parts.append(f"字段 {self.field}")
        return " ".join(parts)


class RecordError(DipgateError):
    """Set this one record aside, keep it, go on with the rest.

    `what` says what is wrong, `remedy` what to do; neither quotes personal data.
    """

    def __init__(self, what: str, *, place: Place | None = None, remedy: str = "") -> None:
        self.what = what
        self.place = place or Place()
        self.remedy = remedy
        head = f"{self.place}：" if str(self.place) else ""
        super().__init__(f"{head}{what}" + (f"；处理：{remedy}" if remedy else ""))


class RetryLater(DipgateError):
    """Transient: nothing was taken by the other side. Try again after `after` seconds."""

    def __init__(self, message: str, *, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class OutcomeUnknown(DipgateError):
    """The other side may or may not have acted: ask before sending again."""


class Refused(DipgateError):
    """The platform said no, in substance. To a person. `code` and `text` are the original's."""

    def __init__(self, message: str, *, code: str = "", text: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.text = text

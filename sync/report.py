"""What a run of the sender did, and how the queue stands after it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dipgate.core.errors import ConfigError
from dipgate.core.exchange import State

MOST_REASONS = 20
"""Different sentences a run keeps; what comes after is counted together."""


@dataclass(slots=True)
class Tally:
    """What one run did; counts of outcomes, not of rows."""

    accepted: int = 0
    rejected: int = 0
    not_taken: int = 0
    unknown: int = 0
    queries: int = 0
    resolved: int = 0
    """Unknown rows of which the platform said that it has them, or twice that it has not."""
    conflict: int = 0
    held: int = 0
    problems: dict[str, int] = field(default_factory=dict)
    reasons: dict[tuple[str, str], int] = field(default_factory=dict)
    """Kind and sentence of what kept lists from going → how often; sentences are bounded."""

    def note(self, error: Exception, sentence: str = "") -> None:
        """Count one trouble with the platform, under its kind and under its sentence."""
        kind = type(error).__name__
        self.problems[kind] = self.problems.get(kind, 0) + 1
        told = (kind, sentence or str(error))
        if told not in self.reasons and len(self.reasons) >= MOST_REASONS:
            told = (kind, "其他原因")
        self.reasons[told] = self.reasons.get(told, 0) + 1


@dataclass(frozen=True, slots=True)
class SendReport:
    """The end of a run: what it did, and how the queue stands. `finished`: nothing waits."""

    tally: Tally
    states: dict[State, int]
    finished: bool


def require_live(mode: str) -> None:
    """ConfigError unless the site file says `live`: nothing leaves the house by default."""
    if mode != "live":
        raise ConfigError(
            f'平台模式是 {mode}，不会上传；确认可以上传后在站点文件里写 [platform] mode = "live"',
            path="platform.mode",
        )

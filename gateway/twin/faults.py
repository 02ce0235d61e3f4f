"""What the twin is told to do wrong: by seeded share, or at the n-th request.

The same plan and seed give the same faults for the same sequence of requests.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from enum import StrEnum
from typing import Any

from dipgate.core.errors import ConfigError


class FaultKind(StrEnum):
    TIMEOUT_BEFORE_COMMIT = "timeout_before_commit"
    """Nothing is taken, and no answer comes."""
    TIMEOUT_AFTER_COMMIT = "timeout_after_commit"
    """The list is taken, and no answer comes."""
    LATE_EFFECT = "late_effect"
    """No answer comes; the list is taken after `late_seconds`."""
    CUT = "cut"
    """The connection is closed without a byte; half of them after the list is taken."""
    HTTP_500 = "http_500"
    """Half of them after the list is taken."""
    HTTP_503 = "http_503"
    """Surely not taken: the text says so."""
    GARBAGE = "garbage"
    """A plain-text notice in GB18030; half of them after the list is taken."""
    HALF_BODY = "half_body"
    """Taken; the answer is cut in the middle, shorter than it was announced."""
    SLOW = "slow"
    """Taken and answered, `slow_seconds` late."""
    FORGED_RECEIPT = "forged_receipt"
    """Not taken, and answered with a receipt without a list number."""


_COMMITS = {
    FaultKind.TIMEOUT_AFTER_COMMIT: True,
    FaultKind.TIMEOUT_BEFORE_COMMIT: False,
    FaultKind.LATE_EFFECT: False,
    FaultKind.HTTP_503: False,
    FaultKind.HALF_BODY: True,
    FaultKind.SLOW: True,
    FaultKind.FORGED_RECEIPT: False,
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault as drawn: whether the list is taken before it happens."""

    kind: FaultKind
    commits: bool


@dataclass(frozen=True, slots=True)
class FaultPlan:
    """Shares are of requests of the named transactions; `at` counts those requests from 1."""

    seed: int = 0
    share: Mapping[FaultKind, float] = field(default_factory=dict)
    at: Mapping[int, FaultKind] = field(default_factory=dict)
    infno: frozenset[str] = frozenset({"4101", "4101A"})
    hold_seconds: float = 5.0
    """How long a time-out lasts if the other side does not hang up earlier."""
    slow_seconds: float = 0.3
    late_seconds: float = 1.2

    def draw(self, number: int) -> Fault | None:
        """The fault of the `number`-th request, or None."""
        # Not for secrets: the same seed must give the same faults.
        rng = random.Random(f"{self.seed}/{number}")  # noqa: S311
        point, coin = rng.random(), rng.random() < 0.5
        kind = self.at.get(number)
        if kind is None:
            edge = 0.0
            for candidate in FaultKind:
                edge += self.share.get(candidate, 0.0)
                if point < edge:
                    kind = candidate
                    break
        return None if kind is None else Fault(kind, _COMMITS.get(kind, coin))

    def as_json(self) -> dict[str, Any]:
        return {
            "seed": self.seed,
            "share": {kind.value: share for kind, share in self.share.items()},
            "at": {str(number): kind.value for number, kind in self.at.items()},
            "infno": sorted(self.infno),
            "hold_seconds": self.hold_seconds,
            "slow_seconds": self.slow_seconds,
            "late_seconds": self.late_seconds,
        }


NO_FAULTS = FaultPlan()
_KEYS = tuple(NO_FAULTS.as_json())


def read_plan(obj: object) -> FaultPlan:
    """A decoded plan → FaultPlan. ConfigError names the key that is wrong."""
    if not isinstance(obj, dict):
        raise ConfigError("故障计划应为一个 JSON 对象", path="faults")
    for key in obj:
        if key not in _KEYS:
            raise ConfigError(
                f"故障计划里不认识的键 {key!r}{_near(key, _KEYS)}", path=f"faults.{key}"
            )
    share = {
        _kind(name, "share"): _number(value, f"share.{name}", 1.0)
        for name, value in _mapping(obj, "share").items()
    }
    if sum(share.values()) > 1:
        raise ConfigError("故障计划 share 的合计超过 1", path="faults.share")
    at: dict[int, FaultKind] = {}
    for number, name in _mapping(obj, "at").items():
        if not str(number).isdigit() or int(number) < 1:
            raise ConfigError("故障计划 at 的键应为从 1 起的请求序号", path="faults.at")
        at[int(number)] = _kind(name, "at")
    seed = obj.get("seed", 0)
    if not isinstance(seed, int) or isinstance(seed, bool):
        raise ConfigError("故障计划的 seed 应为整数", path="faults.seed")
    infno = obj.get("infno", sorted(NO_FAULTS.infno))
    if not isinstance(infno, list) or not all(isinstance(item, str) for item in infno):
        raise ConfigError("故障计划的 infno 应为交易号的数组", path="faults.infno")
    seconds = {
        name: _number(obj.get(name, getattr(NO_FAULTS, name)), name, 600.0)
        for name in ("hold_seconds", "slow_seconds", "late_seconds")
    }
    return FaultPlan(seed=seed, share=share, at=at, infno=frozenset(infno), **seconds)


def _mapping(obj: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = obj.get(key, {})
    if not isinstance(value, dict):
        raise ConfigError(f"故障计划的 {key} 应为 JSON 对象", path=f"faults.{key}")
    return value


def _kind(name: object, key: str) -> FaultKind:
    words = [kind.value for kind in FaultKind]
    if name not in words:
        raise ConfigError(
            f"故障计划里不认识的故障 {name!r}{_near(str(name), words)}", path=f"faults.{key}"
        )
    return FaultKind(str(name))


def _number(value: object, key: str, top: float) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value <= top:
        raise ConfigError(f"故障计划的 {key} 应为 0 到 {top:g} 的数", path=f"faults.{key}")
    return float(value)


def _near(word: str, choices: tuple[str, ...] | list[str]) -> str:
    found = get_close_matches(word, list(choices), n=1)
    hint = f"，是不是 {found[0]!r}？" if found else "；"
    return f"{hint}可用：{'、'.join(choices)}"

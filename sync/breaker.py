"""Stops asking a platform that does not answer, and tries again from time to time."""

from __future__ import annotations

from datetime import datetime, timedelta


class Breaker:
    """Opens after so many failures in a row; then one probe per interval."""

    def __init__(self, failures: int, probe_seconds: float) -> None:
        self._limit = failures
        self._interval = timedelta(seconds=probe_seconds)
        self._failures = 0
        self._probe_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        return self._probe_at is not None

    def may_probe(self, now: datetime) -> bool:
        return self._probe_at is None or now >= self._probe_at

    def seconds_left(self, now: datetime) -> float:
        return 0.0 if self._probe_at is None else (self._probe_at - now).total_seconds()

    def succeeded(self) -> None:
        self._failures = 0
        self._probe_at = None

    def probed(self) -> None:
        """The probe was answered: let one list through; the next failure opens again."""
        self._failures = self._limit - 1
        self._probe_at = None

    def failed(self, now: datetime) -> None:
        self._failures += 1
        if self._failures >= self._limit:
            self._probe_at = now + self._interval

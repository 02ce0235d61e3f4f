"""The one place that asks the machine for the time."""

from __future__ import annotations

from datetime import UTC, datetime


class SystemClock:
    """The machine's clock, aware, in UTC."""

    def now(self) -> datetime:
        return datetime.now(UTC)

"""What the web is given by the service: the desk, the clock, what runs beside it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, Protocol

from dipgate.core.clock import Clock
from dipgate.pipeline.desk import Desk

JobState = Literal["running", "waiting", "failed", "off"]


@dataclass(frozen=True, slots=True)
class JobStatus:
    """One thing that runs beside the web: intake, sender, nightly pull. Times are aware."""

    name: str
    """`intake`, `sender`, `pull`, `reconcile`."""
    label: str
    state: JobState
    last_started: datetime | None = None
    last_succeeded: datetime | None = None
    next_run: datetime | None = None
    detail: str = ""
    """One Chinese sentence: what it did last, or why it stands. No personal data."""


class RuntimeStatus(Protocol):
    """States of scheduler, sender and intake, for the health page."""

    @property
    def started_at(self) -> datetime | None: ...

    def jobs(self) -> tuple[JobStatus, ...]: ...

    def ask_soon(self, name: str) -> bool:
        """Ask for a job to run as soon as it can; False when there is no such job."""
        ...


@dataclass(frozen=True, slots=True)
class IdleRuntime:
    """Nothing runs beside the web: pages only."""

    started_at: datetime | None = None

    def jobs(self) -> tuple[JobStatus, ...]:
        return ()

    def ask_soon(self, name: str) -> bool:  # noqa: ARG002
        return False


@dataclass(frozen=True)
class WebContext:
    """Everything a page may reach."""

    desk: Desk
    clock: Clock
    runtime: RuntimeStatus = field(default_factory=IdleRuntime)
    version: str = ""
    """Product version, for the health page."""

"""What the health checks look at, and how a check comes out. Plain frozen data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import IntEnum
from typing import Protocol

from dipgate.core.exchange import State
from dipgate.pipeline.history_card import HistoryFact
from dipgate.store.clock_notes import ClockNote
from dipgate.store.map_coverage import Coverage
from dipgate.store.readings import HeldReading
from dipgate.store.vitals import LinkVitals, SourceVitals, StateVitals


class Grade(IntEnum):
    """How a check came out; the larger, the sooner somebody must act."""

    OK = 0
    LOOK = 1
    STOP = 2

    @property
    def key(self) -> str:
        return self.name.lower()

    @property
    def word(self) -> str:
        return ("正常", "注意", "故障")[self]


@dataclass(frozen=True, slots=True)
class Check:
    """One line of the health page. What is not in order always says what to do."""

    key: str
    title: str
    grade: Grade
    sentence: str
    remedy: str = ""

    def __post_init__(self) -> None:
        if self.grade is not Grade.OK and not self.remedy:
            raise ValueError(f"check {self.key} is {self.grade.key} and names no remedy")


class Job(Protocol):
    """One thing that runs beside the pages, as the service describes it."""

    @property
    def name(self) -> str: ...
    @property
    def label(self) -> str: ...
    @property
    def state(self) -> str: ...
    @property
    def last_started(self) -> datetime | None: ...
    @property
    def last_succeeded(self) -> datetime | None: ...
    @property
    def next_run(self) -> datetime | None: ...
    @property
    def detail(self) -> str: ...


@dataclass(frozen=True, slots=True)
class SourceFact:
    """One source of the site file with what the store knows of it."""

    name: str
    kind: str
    vitals: SourceVitals | None


@dataclass(frozen=True, slots=True)
class CatalogueFact:
    """One kind of catalogue, or the library of the policy, as of today."""

    kind: str
    title: str
    version: str
    first_day: date | None
    next_version: str = ""
    next_day: date | None = None
    imported_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class PolicyFact:
    """The payment policy of today; `problem` when there is none or its library is missing."""

    id: str = ""
    first_day: date | None = None
    last_day: date | None = None
    library: str = ""
    problem: str = ""


@dataclass(frozen=True, slots=True)
class PlatformFact:
    """What is set up for the platform. `scheme` is that of its address, empty without one."""

    mode: str
    scheme: str = ""
    dialect: str = ""
    breaker_failures: int = 5
    probe_seconds: float = 30.0
    session_minutes: float = 60.0
    person_after_hours: float = 24.0
    has_query: bool = True


@dataclass(frozen=True, slots=True)
class StorageFact:
    """Disk of the state folder and the database in it; bytes."""

    disk_total: int
    disk_free: int
    database: int
    journal: int
    revision: str
    expected_revision: str


@dataclass(frozen=True, slots=True)
class BackupFact:
    at: datetime
    file: str = ""
    size: int = 0


@dataclass(frozen=True, slots=True)
class PackFact:
    id: str
    version: str
    rules: int


@dataclass(frozen=True, slots=True)
class RegistryFact:
    """Wards and people that the registry does not know, lists that wait for them, proposals."""

    items: int = 0
    lists: int = 0
    proposed: int = 0


@dataclass(frozen=True, slots=True)
class BillsFact:
    """Stays that wait for a part after the discharge, and cancelled lists at the platform."""

    waiting: int = 0
    overdue: int = 0
    at_platform: int = 0


@dataclass(frozen=True, slots=True)
class MapsFact:
    """Rows of the code maps that wait for a second person or run out, and what is covered."""

    proposed: int = 0
    running_out: tuple[tuple[date, str, int], ...] = ()
    """First day without them, why, how many rows."""
    coverage: tuple[Coverage, ...] = ()


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything the checks look at, as of `now`."""

    now: datetime
    version: str
    started_at: datetime | None
    platform: PlatformFact
    site_problems: tuple[str, ...]
    sources: tuple[SourceFact, ...]
    waiting_stays: int
    waiting_since: datetime | None
    unmapped_codes: int
    unmapped_lists: int
    lists: Mapping[str, int]
    """Case state → number of lists."""
    outbox: tuple[StateVitals, ...]
    reasons: Mapping[State, str]
    """State → the commonest reason of its rows, in our own words; never the platform's text."""
    link: LinkVitals
    clock_skew: float | None
    """Seconds that the platform's clock is ahead of ours; None when it is not known."""
    last_recorded: datetime | None
    last_accepted: datetime | None
    last_pull: datetime | None
    last_reconciled: datetime | None
    catalogues: tuple[CatalogueFact, ...]
    missing_catalogues: tuple[str, ...]
    policy: PolicyFact
    packs: tuple[PackFact, ...]
    storage: StorageFact
    backup: BackupFact | None
    jobs: tuple[Job, ...]
    registry: RegistryFact = RegistryFact()
    bills: BillsFact = BillsFact()
    maps: MapsFact = MapsFact()
    held_readings: tuple[HeldReading, ...] = ()
    history: HistoryFact | None = None
    clocks: tuple[ClockNote, ...] = ()
    """How other clocks stood when they were last compared with ours."""

    def rows(self, state: State) -> StateVitals:
        """Outbox rows of one state; none counts 0."""
        found = next((item for item in self.outbox if item.state is state), None)
        return found or StateVitals(state, 0, None, 0)

    def age(self, at: datetime | None) -> timedelta:
        """How long ago; nothing for a moment that is unknown or ahead."""
        return timedelta(0) if at is None else max(timedelta(0), self.now - at)

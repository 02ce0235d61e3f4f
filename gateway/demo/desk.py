"""The demo as a desk to try out: fresh lists nobody has worked, three users, the platform at hand.

The last days' discharges are exported when the desk opens; its own intake reads them. Everything
is synthetic, in the demo's folder and on the loopback address.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from types import MappingProxyType

from dipgate.config.libraries import load_library
from dipgate.config.policies import load_policy
from dipgate.config.references import References
from dipgate.core.clock import CHINA, Clock
from dipgate.demo.export import write_csv
from dipgate.demo.hospital import Hospital as Month
from dipgate.demo.hospital import generate
from dipgate.demo.run import HOSPITAL, MONTH
from dipgate.pipeline.desk import Desk
from dipgate.service.hosting import host
from dipgate.service.serving import WebOptions, WebServer
from dipgate.service.wiring import open_desk
from dipgate.web.guard import Role
from dipgate.web.passwords import Passwords, random_password
from dipgate.web.people import People

FRESH_DAYS = 9
UPLOAD_DAYS = 10
PER_DAY = 8
"""Discharges made per day of a month; those of the last days are kept."""
USERS: Mapping[str, tuple[str, Role]] = MappingProxyType(
    {
        "coder": ("示例编码员", Role.CODER),
        "office": ("示例医保办", Role.OFFICE),
        "admin": ("示例信息科", Role.ADMINISTRATOR),
    }
)
"""Log-in name → the name shown, the role."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The desk listens: its address, and each user's password, made for this run."""

    address: str
    passwords: Mapping[str, str]
    fresh: int
    """Lists that nobody has worked yet."""


@dataclass(frozen=True, slots=True)
class Days:
    """Which discharges the demo makes: a month that is worked, then days that nobody has worked."""

    worked: date
    """The first of the month."""
    first: date
    last: date

    @property
    def current(self) -> bool:
        """Are the fresh days those just past?"""
        return self.worked != MONTH


def days_for(clock: Clock) -> Days:
    """The last days, and the whole month before them; the past that the sample's policy reaches
    when it does not hold today."""
    today = clock.now().astimezone(CHINA).date()
    first, last = today - timedelta(days=FRESH_DAYS), today - timedelta(days=1)
    worked = (first.replace(day=1) - timedelta(days=1)).replace(day=1)
    policy = load_policy("sample_2025")
    if all(policy.holds_on(day) for day in (worked, today)):
        return Days(worked, first, last)
    after = MONTH + timedelta(days=31)
    return Days(MONTH, after, after + timedelta(days=FRESH_DAYS - 1))


def fresh_days(state: Path, days: Days, *, seed: int) -> tuple[Month, ...]:
    """The fresh discharges by month, as the hospital will export them."""
    library = load_library(state, "sample", day=days.first)
    found = []
    for month in sorted({days.first.replace(day=1), days.last.replace(day=1)}):
        reference = References(state, HOSPITAL).on(month)
        whole = generate(reference, library, seed=seed, month=month, size=PER_DAY * 31)
        part = _between(whole, days.first, days.last)
        if part.stays:
            found.append(part)
    return tuple(found)


def serve(
    folder: Path,
    fresh: Sequence[Month],
    days: Days,
    *,
    clock: Clock,
    version: str,
    port: int,
    ready: Callable[[Opened], object],
) -> int:
    """Export the fresh days and serve the demo's desk until Ctrl-C; the exit code."""
    state = folder / "state"
    site = state / "site.toml"
    _hurry(site, days)
    for month in fresh:
        write_csv(month, folder / "export")
    with open_desk(state, site, clock=clock) as desk:
        passwords = make_users(desk, clock)

        def opened(server: WebServer) -> None:
            waiting = sum(len(month.stays) for month in fresh)
            ready(Opened(server.address, passwords, waiting))

        return host(desk, WebOptions(port=port), instance=state, version=version, ready=opened)


def make_users(desk: Desk, clock: Clock) -> Mapping[str, str]:
    """One user per role with a random password each; log-in name → password."""
    people = People(desk.store, clock, Passwords())
    given = {}
    for login, (name, role) in USERS.items():
        given[login] = random_password()
        people.add(
            login=login, name=name, role=role.value, password=given[login], actor="dipgate demo"
        )
    return MappingProxyType(given)


def _between(month: Month, first: date, last: date) -> Month:
    """The stays discharged from `first` to `last`, with their defects."""
    kept = [
        index
        for index, truth in enumerate(month.truths)
        if first <= _discharged(truth.settlement) <= last
    ]
    ids = {month.stays[index].settlement_id for index in kept}
    return replace(
        month,
        stays=tuple(month.stays[index] for index in kept),
        truths=tuple(month.truths[index] for index in kept),
        planted=tuple(item for item in month.planted if item.setl_id in ids),
    )


def _discharged(bill: Mapping[str, str]) -> date:
    return date.fromisoformat(bill["setl_end_date"][:10])


def _hurry(site: Path, days: Days) -> None:
    """A demo waits for nobody: sources and results every minute. A limit to rank by, unless all
    the days are long past."""
    text = site.read_text(encoding="utf-8")
    limit = f"upload_days = {UPLOAD_DAYS}" if days.current else "# upload_days = 10"
    for old, new in (
        ("# upload_days = 10", limit),
        ("intake_minutes = 10", "intake_minutes = 1"),
        ("# pull_minutes = 60", "pull_minutes = 1"),
    ):
        text = text.replace(old, new, 1)
    site.write_text(text, encoding="utf-8")

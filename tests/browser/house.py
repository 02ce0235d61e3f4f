"""A small hospital with its desk: a real `dipgate serve` process, and the platform twin in another.

Used by the browser tests and by `screenshots.py`. All people are synthetic.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path
from threading import Event
from time import monotonic
from types import MappingProxyType
from typing import Any

from playwright.sync_api import Browser, BrowserContext
from playwright.sync_api import Page as Tab

from dipgate.config.catalogues import activate_sample
from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.findings import FindingStatus
from dipgate.core.reference import Hospital
from dipgate.demo.export import csv_source, site_sources, write_csv, write_settlements
from dipgate.demo.hospital import Hospital as Month
from dipgate.demo.hospital import generate
from dipgate.service.clock import SystemClock
from dipgate.service.wiring import open_desk
from dipgate.store import Store, cases, open_store, verdicts
from dipgate.web.passwords import Passwords
from dipgate.web.people import People

MONTH = date(2025, 3, 1)
SECRET = "twin-secret"  # noqa: S105
PASSWORD = "jia-yi-bing-42"  # noqa: S105
STARTING = 60.0
SIZE = {"width": 1366, "height": 768}
USERS: Mapping[str, str] = MappingProxyType(
    {"bian": "coder", "ma": "coder", "yiban": "office", "xinxi": "administrator"}
)
"""Log-in name → role."""
WANTED: Mapping[str, int] = MappingProxyType({"D020": 2, "D031": 1, "D009": 3, "B039": 1})
"""Planted defect → how many lists with it. The first need another principal diagnosis."""
CLEAN = 8
HARMLESS = ("Failed to load resource", "Autofocus processing was blocked", "Password forms should")


def until(true: Callable[[], bool], seconds: float = STARTING, what: str = "it") -> None:
    """Wait for a condition, with a limit."""
    limit, pause = monotonic() + seconds, Event()
    while not true():
        assert monotonic() < limit, f"{what} did not happen in {seconds:g} s"
        pause.wait(0.05)


@dataclass
class House:
    """The served desk. `tab` opens a browser of its own, signed in; `said` is its console."""

    state: Path
    address: str
    month: Month
    browser: Browser
    said: list[str] = field(default_factory=list)
    _sessions: dict[str, Any] = field(default_factory=dict)
    _contexts: list[BrowserContext] = field(default_factory=list)

    def tab(self, login: str = "", **options: Any) -> Tab:
        """A new browser at the first page of this person; without a log-in name nobody's.

        The form is filled in once per name; later browsers begin with the cookies it gave.
        """
        if login in self._sessions:
            options.setdefault("storage_state", self._sessions[login])
        settings = {
            "viewport": SIZE,
            "locale": "zh-CN",
            "timezone_id": "Asia/Shanghai",
            **options,
        }
        context = self.browser.new_context(**settings)
        context.set_default_timeout(10_000)
        self._contexts.append(context)
        opened = context.new_page()
        opened.on("console", lambda message: self.said.append(message.text))
        opened.on("pageerror", lambda error: self.said.append(str(error)))
        if login in self._sessions:
            opened.goto(self.address)
        elif login:
            self.sign_in(opened, login)
            self._sessions[login] = context.storage_state()
        return opened

    def sign_in(self, tab: Tab, login: str) -> None:
        """Through the form, with the keyboard."""
        tab.goto(f"{self.address}/login")
        tab.locator('[name="login"]').fill(login)
        tab.locator('[name="password"]').fill(PASSWORD)
        tab.keyboard.press("Enter")
        tab.wait_for_url(lambda url: not url.endswith("/login"))

    def close_tabs(self) -> None:
        while self._contexts:
            self._contexts.pop().close()

    def complaints(self) -> list[str]:
        """What browsers said on their consoles, except what is expected."""
        return [text for text in self.said if not any(mark in text for mark in HARMLESS)]

    @contextmanager
    def store(self) -> Iterator[Store]:
        """The state as it is, read-only, beside the process that serves it."""
        with open_store(self.state, SystemClock(), owner="test", read_only=True) as opened:
            yield opened

    def case(self, settlement_id: str) -> cases.CaseRow:
        with self.store() as store, store.read() as conn:
            found = cases.case_by_settlement(conn, settlement_id)
        assert found is not None, settlement_id
        return found

    def cases_with(self, rule: str) -> list[cases.CaseRow]:
        """Unworked lists on which a rule is found."""
        found = []
        with self.store() as store, store.read() as conn:
            for case in cases.cases_in(conn, states=("checked",)):
                verdict = verdicts.latest(conn, case.id)
                rules = {
                    item.rule
                    for item in (verdict.findings if verdict else ())
                    if item.status is FindingStatus.FOUND
                }
                if rule in rules:
                    found.append(case)
        return found

    def true_principal(self, settlement_id: str) -> Mapping[str, str]:
        """The principal diagnosis before the defect was planted."""
        place = [stay.settlement_id for stay in self.month.stays].index(settlement_id)
        return self.month.truths[place].diagnoses[0]


@contextmanager
def opened_house(folder: Path, browser: Browser) -> Iterator[House]:
    """Make state, users, export and twin below `folder` (empty), and serve them."""
    state, twin = folder / "state", folder / "twin"
    for each in (state, twin):
        each.mkdir()
        activate_sample(each, SystemClock().now())
    month = _month(state)
    write_csv(month, folder / "export")
    write_settlements(month, folder / "settlements.jsonl")
    _dipgate("--state", str(state), "init", "--sample")
    _add_users(state)
    with ExitStack() as stack:
        settlements = ["--settlements", str(folder / "settlements.jsonl"), "--accept-repeats"]
        command = ["platform", "serve", "--state", str(twin), *settlements]
        platform = stack.enter_context(_serving(command, folder / "twin"))
        _write_site(state / "site.toml", folder / "export", platform)
        command = ["--state", str(state), "serve", "--port", "0"]
        address = stack.enter_context(_serving(command, folder / "serve"))
        house = House(state, address, month, browser)
        stack.callback(house.close_tabs)
        until(lambda: _judged(house) == len(month.stays), what="reading the export")
        yield house


def _month(state: Path) -> Month:
    own = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
    library = load_library(state, "sample", day=MONTH)
    reference = References(state, own).on(MONTH)
    whole = generate(reference, library, seed=11, month=MONTH, size=420, defect_share=0.8)
    rule_of = {item.setl_id: item.rule for item in whole.planted}
    left, clean = dict(WANTED), CLEAN
    kept: list[int] = []
    for place, stay in enumerate(whole.stays):
        rule = rule_of.get(stay.settlement_id, "")
        if not rule and clean:
            clean -= 1
            kept.append(place)
        elif left.get(rule, 0):
            left[rule] -= 1
            kept.append(place)
    assert not clean
    assert not any(left.values()), left
    return replace(
        whole,
        stays=tuple(whole.stays[place] for place in kept),
        truths=tuple(whole.truths[place] for place in kept),
    )


def _write_site(site: Path, export: Path, platform: str) -> None:
    text = site.read_text(encoding="utf-8")
    for old, new in (
        ('mode = "observe"', 'mode = "live"'),
        ('url = ""', f'url = "{platform}"'),
        ("intake_minutes = 10", "intake_minutes = 60"),
    ):
        assert old in text, old
        text = text.replace(old, new, 1)
    site.write_text(text + "\n" + site_sources(csv_source(export)), encoding="utf-8")


def _judged(house: House) -> int:
    with house.store() as store, store.read() as conn:
        return cases.counts(conn)["checked"]


def _add_users(state: Path) -> None:
    clock, passwords = SystemClock(), Passwords()
    with open_desk(state, state / "site.toml") as desk:
        people = People(desk.store, clock, passwords)
        for login, role in USERS.items():
            people.add(login=login, name=f"{login} 甲", role=role, password=PASSWORD, actor="test")


def _dipgate(*arguments: str) -> None:
    command = [sys.executable, "-P", "-m", "dipgate", *arguments]
    done = subprocess.run(command, capture_output=True, encoding="utf-8")
    assert done.returncode == 0, done.stderr


@contextmanager
def _serving(arguments: Sequence[str], files: Path) -> Iterator[str]:
    """A process of ours that listens; its address. Its output is in `<files>.log`."""
    port_file, log = files.with_suffix(".port"), files.with_suffix(".log")
    command = [sys.executable, "-P", "-m", "dipgate", *arguments, "--port-file", str(port_file)]
    environment = {
        **os.environ,
        "PYTHONIOENCODING": "utf-8",
        "DIPGATE_PLATFORM_SECRET": SECRET,
    }
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=environment)
        try:
            until(lambda: port_file.exists() or process.poll() is not None, what="listening")
            assert process.poll() is None, log.read_text("utf-8")
            yield f"http://127.0.0.1:{port_file.read_text().strip()}"
        finally:
            process.terminate()
            try:
                process.wait(timeout=30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(timeout=30)

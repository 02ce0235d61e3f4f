"""What every test may ask for: a fixed clock, a fresh state folder, the command line, the lists.

Tests never see the settings of the person who runs them: `DIPGATE_*` is cleared for each one.
"""

from __future__ import annotations

import csv
import os
import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

import dipgate
from dipgate.core.clock import CHINA, FixedClock

CHECKOUT = Path(__file__).resolve().parents[1]
NOON = datetime(2025, 6, 16, 12, 0, 0, tzinfo=CHINA)
"""A Monday; the moment at which every test begins unless it says otherwise."""
_SETTINGS = (
    "DIPGATE_STATE",
    "DIPGATE_SITE",
    "DIPGATE_CRASH",
    "DIPGATE_PLATFORM_SECRET",
)


@dataclass(frozen=True)
class Said:
    """What one command answered."""

    code: int
    out: str
    err: str


def shared_folder() -> Path | None:
    """The national lists: `DIPGATE_SHARED`, else a folder `shared` beside the checkout."""
    named = os.environ.get("DIPGATE_SHARED")
    folder = Path(named) if named else CHECKOUT.parent / "shared"
    return folder if (folder / "data").is_dir() else None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="rewrite the expected files of tests/golden; read the difference before committing",
    )


def pytest_configure(config: pytest.Config) -> None:
    """Property tests look at the same examples on every machine, however slow or busy it is."""
    if not config.pluginmanager.hasplugin("hypothesispytest"):
        return  # the environment that tests the wheel has no more than pytest
    from hypothesis import HealthCheck, settings

    slow = [HealthCheck.too_slow]
    settings.register_profile(
        "dipgate", deadline=None, derandomize=True, suppress_health_check=slow
    )
    settings.load_profile("dipgate")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests of the wheel mean nothing against the checkout's own files; skip them there.

    Tests in a real browser have a second try, and the closing line counts those that needed it.
    """
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.flaky(reruns=1))
    from_checkout = CHECKOUT in Path(dipgate.__file__).resolve().parents and (
        "site-packages" not in dipgate.__file__
    )
    if not from_checkout:
        return
    skip = pytest.mark.skip(reason="runs against an installed wheel; .ci/run does that")
    for item in items:
        if item.get_closest_marker("wheel"):
            item.add_marker(skip)


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """With `DIPGATE_NO_SKIPS` a test that skips for want of a tool of this machine fails.

    Tests of the wheel and of the national lists may still skip: these are absent by design.
    """
    outcome: Any = yield
    report = outcome.get_result()
    by_design = item.get_closest_marker("wheel") or item.get_closest_marker("shared_data")
    if report.skipped and os.environ.get("DIPGATE_NO_SKIPS") and not by_design:
        if hasattr(report, "wasxfail"):
            return
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"skipped where nothing may be skipped: {reason}"


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in _SETTINGS:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The root of the checkout: for tests of the repository itself, never for product data."""
    return CHECKOUT


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder with the national lists and standards; the test skips where it is absent."""
    folder = shared_folder()
    if folder is None:
        pytest.skip(
            "the national lists are not here: set DIPGATE_SHARED, or put a folder `shared` "
            "(with data/ and standards/) beside the checkout"
        )
    return folder


@pytest.fixture
def clock() -> FixedClock:
    """A clock that stands at `NOON` until `clock.advance(seconds)`."""
    return FixedClock(NOON)


@pytest.fixture
def state(tmp_path: Path) -> Path:
    """An empty state folder of this test's own."""
    folder = tmp_path / "state"
    folder.mkdir()
    return folder


@pytest.fixture
def cli(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Callable[..., Said]:
    """`cli("check", file, "--json")` runs a command in this process → its code and output."""
    from dipgate.cli import main

    def call(*arguments: object) -> Said:
        capsys.readouterr()
        with monkeypatch.context() as inside:
            inside.setattr(sys, "argv", ["dipgate", *map(str, arguments)])
            code = main()
        out, err = capsys.readouterr()
        return Said(code, out, err)

    return call


@pytest.fixture
def sample_state(state: Path, cli: Callable[..., Said]) -> Path:
    """A state folder made by `init --sample`: the fictional area 990100, its lists and policy."""
    said = cli("--state", state, "init", "--sample")
    assert said.code == 0, said.err
    return state


@pytest.fixture
def forget_map_row(tmp_path: Path) -> Callable[[Path, str], str]:
    """`forget_map_row(state, export)`: the sources write the clinical edition, every code of the
    sample is mapped to itself, but for the diagnosis that most stays of the export have first.

    Returns that code. Sources are to be read afterwards.
    """

    def forget(state: Path, export: Path) -> str:
        from collections import Counter

        from dipgate.config.catalogues import import_catalogue
        from dipgate.config.resources import resource

        site = state / "site.toml"
        text = site.read_text(encoding="utf-8")
        site.write_text(text.replace('edition = "nhsa"', 'edition = "clinical"'), encoding="utf-8")
        (front,) = export.glob("front_page_*.csv")
        with front.open(encoding="gb18030", newline="") as held:
            first = Counter(row["诊断1编码"] for row in csv.DictReader(held))
        ((missing, _),) = first.most_common(1)
        for kind in ("icd10", "icd9cm3"):
            with resource("sample", f"{kind}.csv").open(encoding="utf-8", newline="") as held:
                rows = [(row["code"], row["name"]) for row in csv.DictReader(held)]
            file = tmp_path / f"{kind}-map.csv"
            with file.open("w", encoding="utf-8", newline="") as held:
                writer = csv.writer(held)
                writer.writerow(("临床版代码", "临床版名称", "医保版代码", "医保版名称"))
                writer.writerows((*row, *row) for row in rows if row[0] != missing)
            import_catalogue(
                state, f"{kind}-map", "own", date(2024, 1, 1), file, layer="area", author="甲",
                now=datetime(2025, 6, 1, tzinfo=CHINA),
            )  # fmt: skip
        return missing

    return forget


@pytest.fixture(scope="session")
def chromium() -> Iterator[Any]:
    """The machine's Chromium, headless, one for the run: a playwright `Browser`.

    `CHROMIUM` names it where it is not called `chromium`.
    """
    from playwright.sync_api import expect, sync_playwright

    # A busy machine is not a fault of the page: conditions get a wider limit than the default.
    expect.set_options(timeout=20_000)
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        pytest.skip(
            "no Chromium here: install it (Debian: apt-get install chromium), "
            "or name its executable in the variable CHROMIUM"
        )
    with sync_playwright() as player:
        opened = player.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield opened
        opened.close()

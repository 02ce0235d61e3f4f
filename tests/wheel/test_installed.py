"""The installed product, without the checkout: commands, data files, migration, demo, twin."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.metadata import distribution
from pathlib import Path
from time import monotonic

import pytest

import dipgate
from dipgate.cli.root import COMMANDS

pytestmark = pytest.mark.wheel

Run = Callable[..., subprocess.CompletedProcess[str]]
FOLDERS = {
    "gateway": "dipgate",
    "adapters": "dipgate/adapters",
    "config": "dipgate/config",
    "pregrouper": "dipgate/pregrouper",
    "sync": "dipgate/sync",
    "validators": "dipgate/validators",
}


@pytest.fixture
def program() -> str:
    """The installed command beside this Python."""
    name = "dipgate.exe" if os.name == "nt" else "dipgate"
    path = Path(sys.executable).parent / name
    assert path.is_file()
    return str(path)


@pytest.fixture
def run(program: str, tmp_path: Path) -> Run:
    """Run the installed command in an empty folder."""

    def call(*arguments: object, seconds: float = 60) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, *map(str, arguments)],
            cwd=tmp_path,
            capture_output=True,
            encoding="utf-8",
            timeout=seconds,
            check=False,
        )

    return call


def test_comes_from_the_wheel_and_brings_no_bare_folders() -> None:
    assert "site-packages" in dipgate.__file__
    tops = {str(file).split("/")[0] for file in distribution("dipgate").files or ()}
    assert not tops & {"gateway", "adapters", "config", "sync", "validators", "pregrouper"}
    assert not tops & {"tests", "packaging", "docs"}


def test_every_packaged_file_arrived_and_no_other() -> None:
    listing = os.environ.get("DIPGATE_PACKAGED_FILES")
    if not listing:
        pytest.skip("DIPGATE_PACKAGED_FILES does not name the list of tracked files")
    wanted = set()
    for line in Path(listing).read_text(encoding="utf-8").splitlines():
        top, _, rest = line.partition("/")
        wanted.add(f"{FOLDERS[top]}/{rest}")
    wanted = {name for name in wanted if not name.endswith(".md")}
    found = {
        str(file)
        for file in distribution("dipgate").files or ()
        if str(file).startswith("dipgate/")
        and "__pycache__" not in str(file)
        and not str(file).endswith(".md")
    }
    assert sorted(wanted - found) == []
    assert sorted(found - wanted) == []


def test_every_command_answers(run: Run) -> None:
    assert run("--version").stdout.startswith("dipgate")
    for name in COMMANDS:
        done = run(name, "--help")
        assert done.returncode == 0, (name, done.stderr)
        assert name in done.stdout


def test_init_makes_a_state_that_config_check_accepts(run: Run, tmp_path: Path) -> None:
    state = tmp_path / "state"
    done = run("--state", state, "init", "--sample")
    assert done.returncode == 0, done.stderr
    assert (state / "dipgate.sqlite").is_file()
    again = run("--state", state, "init", "--sample")
    assert again.returncode == 0, again.stderr
    checked = run("--state", state, "config", "check")
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_demo_of_200_cases_loses_nothing(run: Run) -> None:
    done = run("demo", "--cases", 200, "--seed", 7, "--exit", "--json", seconds=180)
    assert done.returncode == 0, done.stderr
    summary = json.loads(done.stdout.splitlines()[-1])
    assert summary["cases"] == 200
    assert (summary["lost"], summary["doubled"], summary["unknown"]) == (0, 0, 0)
    assert summary["planted_found"] == summary["planted"] > 0


@contextmanager
def listening(program: str, folder: Path, *arguments: object) -> Iterator[str]:
    """A serving command of the installed product, at its address until the end of the block."""
    port_file = folder / "port"
    command = [program, *map(str, arguments), "--port-file", str(port_file)]
    server = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL)
    try:
        limit = monotonic() + 30
        while not (port_file.exists() and port_file.read_text().strip()):
            assert server.poll() is None, "the server ended"
            assert monotonic() < limit, "the server does not say its port"
        yield f"http://127.0.0.1:{port_file.read_text().strip()}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def test_the_twin_serves_and_answers(program: str, tmp_path: Path) -> None:
    import requests

    with listening(program, tmp_path, "platform", "serve", "--state", tmp_path / "twin") as place:
        assert requests.get(f"{place}/twin/ledger", timeout=10).status_code == 200


def test_the_desk_serves_its_pages_and_their_looks(run: Run, program: str, tmp_path: Path) -> None:
    import requests

    state = tmp_path / "state"
    assert run("init", "--sample", "--state", state).returncode == 0
    with listening(program, tmp_path, "serve", "--state", state, "--port", "0") as place:
        assert requests.get(f"{place}/health/up", timeout=10).status_code == 200
        page = requests.get(f"{place}/login", timeout=10).text
        looks = re.findall(r'"(/static/[^"]+)"', page)
        assert any(".css" in look for look in looks)
        for look in looks:
            assert requests.get(place + look, timeout=10).status_code == 200, look

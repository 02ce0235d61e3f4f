"""`dipgate serve` as a process: where it listens, what it refuses, how it ends."""

from __future__ import annotations

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from dipgate.config.resources import resource
from dipgate.core.errors import ConfigError
from dipgate.service.serving import WebOptions
from dipgate.web.session import BEFORE, COOKIE

WAIT_SECONDS = 60.0
PASSWORD = "jia-yi-bing-42"  # noqa: S105 - of the synthetic people of `peopled_state`


@dataclass
class Running:
    process: subprocess.Popen[str]
    address: str
    state: Path


def start(state: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-m", "dipgate", "--state", str(state), "serve", "--port", "0"]
    return subprocess.Popen(
        [*command, "--port-file", str(state / "port")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture
def running(peopled_state: Path, tmp_path: Path) -> Iterator[Running]:
    state = tmp_path / "state"
    shutil.copytree(peopled_state, state)
    process = start(state)
    port_file = state / "port"
    until = time.monotonic() + WAIT_SECONDS
    while not port_file.exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < until, "the server does not listen"
        time.sleep(0.05)
    yield Running(process, f"http://127.0.0.1:{port_file.read_text().strip()}", state)
    if process.poll() is None:
        process.kill()
    process.communicate()


def test_it_answers_on_loopback_under_its_own_name_only(running: Running) -> None:
    page = requests.get(f"{running.address}/login", timeout=10)
    assert page.status_code == 200
    assert "Server" not in page.headers
    assert "script-src 'nonce-" in page.headers["Content-Security-Policy"]
    port = running.address.rpartition(":")[2]
    rebound = requests.get(
        f"{running.address}/login", headers={"Host": f"evil.example:{port}"}, timeout=10
    )
    assert rebound.status_code == 400
    assert "登录名" not in rebound.text


def test_nobody_can_claim_to_be_elsewhere(running: Running) -> None:
    """Without a proxy of ours its headers are worth nothing: the lock counts real addresses."""
    token = "t" * 32
    for number in range(2):
        answer = requests.post(
            f"{running.address}/login",
            data={"login": "bian", "password": "wrong-wrong-1", "csrf": token},
            cookies={BEFORE: token},
            headers={"X-Forwarded-For": f"10.0.0.{number}", "X-Forwarded-Host": "evil.example"},
            timeout=10,
        )
        assert answer.status_code == 401
    with closing(sqlite3.connect(running.state / "dipgate.sqlite")) as database:
        found = database.execute("SELECT DISTINCT address FROM login_failures").fetchall()
    assert found == [("127.0.0.1",)]


class Signed:
    """One person in a browser of his own; the cookie is kept by hand: it is for TLS only."""

    def __init__(self, running: Running, login: str) -> None:
        self._address, token = running.address, "t" * 32
        answer = requests.post(
            f"{running.address}/login",
            data={"login": login, "password": PASSWORD, "csrf": token},
            cookies={BEFORE: token},
            timeout=30,
            allow_redirects=False,
        )
        assert answer.status_code == 303
        self._headers = {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}", "HX-Request": "true"}
        page = requests.get(f"{running.address}/account", headers=self._headers, timeout=30)
        found = re.search(r'name="csrf" content="([^"]+)"', page.text)
        assert found
        self._headers["X-CSRF-Token"] = found[1]

    def post(self, path: str, data: dict[str, str]) -> requests.Response:
        return requests.post(f"{self._address}{path}", data=data, headers=self._headers, timeout=30)


def test_an_imported_catalogue_and_an_approved_row_hold_without_a_restart(
    running: Running, tmp_path: Path
) -> None:
    coder, office = Signed(running, "bian"), Signed(running, "yiban")
    row = {"kind": "icd10", "source_code": "Z88.001", "target_code": "Z88.888", "reason": "同名"}
    before = coder.post("/maps/propose", row)
    assert (before.status_code, "里没有 Z88.888" in before.text) == (422, True)
    table = resource("sample", "icd10.csv").read_text(encoding="utf-8")
    file = tmp_path / "icd10.csv"
    file.write_text(f"{table.rstrip()}\nZ88.888,合成的编码\n", encoding="utf-8")
    command = [sys.executable, "-P", "-m", "dipgate", "--state", str(running.state)]
    command += ["catalogue", "import", str(file), "--kind", "icd10", "--version", "next"]
    subprocess.run([*command, "--from", "2025-01-01"], check=True, capture_output=True)
    after = coder.post("/maps/propose", row)
    assert (after.status_code, "第 1 号，已提交" in after.text) == (200, True)
    decision = {"state": "approved", "reason": "核过"}
    assert coder.post("/maps/1/decide", decision).status_code == 422
    assert office.post("/maps/1/decide", decision).status_code == 200
    # The import did not put the row out of force, and the row not the import.
    again = coder.post("/maps/propose", row)
    assert (again.status_code, "已有在用的对照（第 1 号" in again.text) == (422, True)
    assert running.process.poll() is None


@pytest.mark.skipif(os.name == "nt", reason="no SIGTERM to send")
def test_sigterm_ends_it_and_frees_the_folder(running: Running) -> None:
    assert not list((running.state).glob("*.tmp"))
    running.process.send_signal(signal.SIGTERM)
    out, err = running.process.communicate(timeout=30)
    assert running.process.returncode == 0, err
    assert running.address in out
    command = [sys.executable, "-P", "-m", "dipgate", "--state", str(running.state)]
    again = subprocess.run(
        [*command, "user", "passwd", "bian", "--random"], capture_output=True, text=True
    )
    assert again.returncode == 0, again.stderr


def test_users_are_changed_on_the_page_while_it_runs(running: Running) -> None:
    command = [sys.executable, "-P", "-m", "dipgate", "--state", str(running.state)]
    busy = subprocess.run(
        [*command, "user", "passwd", "bian", "--random"], capture_output=True, text=True
    )
    assert busy.returncode == 2
    assert "密码" not in busy.stdout
    listed = subprocess.run([*command, "user", "list"], capture_output=True, text=True)
    assert listed.returncode == 0
    assert "bian" in listed.stdout


def test_an_open_address_without_a_proxy_is_refused(peopled_state: Path, tmp_path: Path) -> None:
    state = tmp_path / "state"
    shutil.copytree(peopled_state, state)
    site = state / "site.toml"
    text = site.read_text(encoding="utf-8").replace('host = "127.0.0.1"', 'host = "0.0.0.0"')
    site.write_text(text, encoding="utf-8")
    process = start(state)
    out, err = process.communicate(timeout=WAIT_SECONDS)
    assert process.returncode == 2
    assert "web.trusted_proxy" in err
    assert out == ""
    assert not (state / "port").exists()


@pytest.mark.parametrize(
    ("host", "proxy", "fine"),
    [
        ("127.0.0.1", "", True),
        ("127.0.0.9", "", True),
        ("::1", "", True),
        ("0.0.0.0", "", False),  # noqa: S104
        ("10.1.2.3", "", False),
        ("::", "", False),
        ("10.1.2.3", "10.1.2.9", True),
        ("desk.example", "", False),
        ("", "", False),
        ("10.1.2.3", "proxy.example", False),
    ],
)
def test_where_it_may_listen(host: str, proxy: str, fine: bool) -> None:
    options = WebOptions(host=host, trusted_proxy=proxy)
    if fine:
        options.check()
    else:
        with pytest.raises(ConfigError):
            options.check()

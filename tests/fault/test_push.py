"""Pushing to a real serving process over raw sockets: cut, slow, too large, killed."""

from __future__ import annotations

import json
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Event
from time import monotonic

import pytest

from dipgate.core.faults import FaultPoint

pytestmark = pytest.mark.fault
STARTING = 60.0
SOURCE = """
[[sources]]
name = "his"
kind = "push"
charset = "gb18030"
edition = "nhsa"

[sources.tables.settlement]
object = "bills"
key = "流水号"

[sources.tables.settlement.columns]
setl_id = "结算ID"
psn_name = "姓名"

[sources.tables.charge]
object = "lines"
key = "流水号"

[sources.tables.charge.columns]
amount = "金额"
"""
BODY = {
    "settlement": [{"流水号": f"ZY{n}", "结算ID": f"S{n}", "姓名": "虚构𠮷"} for n in range(9)],
    "charge": [{"流水号": f"ZY{n}", "金额": 0.5} for n in range(9) for _ in "ab"],
}
ROWS = len(BODY["settlement"]) + len(BODY["charge"])


def until(true: Callable[[], bool], seconds: float = STARTING) -> None:
    limit, pause = monotonic() + seconds, Event()
    while not true():
        assert monotonic() < limit, "did not happen in time"
        pause.wait(0.02)


@dataclass(frozen=True)
class Station:
    """A state folder that takes pushes, and a token for it."""

    state: Path
    token: str

    def head(self, *more: str) -> bytes:
        lines = [
            "POST /api/push/his HTTP/1.1",
            "Host: localhost",
            f"Authorization: Bearer {self.token}",
            "Connection: close",
            *more,
        ]
        return "".join(f"{line}\r\n" for line in lines).encode() + b"\r\n"

    def request(self, body: bytes, *more: str, charset: str = "utf-8") -> bytes:
        kind = f"Content-Type: application/json; charset={charset}"
        return self.head(kind, f"Content-Length: {len(body)}", *more) + body

    def rows(self) -> int:
        with closing(sqlite3.connect(self.state / "dipgate.sqlite")) as raw:
            return int(raw.execute("SELECT count(*) FROM inbox_rows").fetchone()[0])


def run(*arguments: str) -> str:
    command = [sys.executable, "-P", "-m", "dipgate", *arguments]
    done = subprocess.run(command, check=True, capture_output=True, timeout=120)
    return done.stdout.decode()


@pytest.fixture
def station(sample_state: Path) -> Station:
    site = sample_state / "site.toml"
    site.write_text(site.read_text(encoding="utf-8") + SOURCE, encoding="utf-8")
    said = run("--state", str(sample_state), "token", "add", "HIS", "--source", "his")
    return Station(sample_state, said.rpartition("：")[2].strip())


@contextmanager
def serving(
    station: Station, log: Path, **env: str
) -> Iterator[tuple[subprocess.Popen[bytes], int]]:
    import os

    port_file = station.state / "port"
    port_file.unlink(missing_ok=True)
    command = [sys.executable, "-P", "-m", "dipgate", "--state", str(station.state)]
    command += ["serve", "--port", "0", "--port-file", str(port_file)]
    with log.open("ab") as out:
        started = subprocess.Popen(command, stdout=out, stderr=out, env={**os.environ, **env})
        try:
            until(lambda: port_file.exists() or started.poll() is not None)
            assert port_file.exists(), log.read_text("utf-8")
            yield started, int(port_file.read_text())
        finally:
            if started.poll() is None:
                started.kill()
            started.wait(timeout=30)


def ask(port: int, data: bytes) -> tuple[int, bytes]:
    """Status and body of the answer to these bytes; status 0 when none came."""
    with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
        line.sendall(data)
        return heard(line)


def heard(line: socket.socket) -> tuple[int, bytes]:
    got = b""
    try:
        while part := line.recv(65536):
            got += part
    except ConnectionResetError:
        return 0, b""
    head, _, body = got.partition(b"\r\n\r\n")
    return (int(head.split()[1]), body) if head else (0, b"")


def encoded(charset: str = "utf-8") -> bytes:
    return json.dumps(BODY, ensure_ascii=False).encode(charset)


def chunks(body: bytes, size: int = 100) -> bytes:
    parts = [body[start : start + size] for start in range(0, len(body), size)]
    return b"".join(f"{len(part):x}\r\n".encode() + part + b"\r\n" for part in parts)


def test_a_real_server_takes_whole_bodies_only(station: Station, tmp_path: Path) -> None:
    log = tmp_path / "serve.log"
    whole = station.request(encoded())
    chunked = station.head("Content-Type: application/json", "Transfer-Encoding: chunked")
    with serving(station, log) as (server, port):
        # Cut anywhere: in the head, in the body, in a chunk, before the last chunk.
        for cut in (
            whole[:60],
            whole[: len(whole) - 1],
            chunked + chunks(encoded("gb18030"))[:-5],
            chunked + chunks(encoded("gb18030")),
        ):
            with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
                line.sendall(cut)
                line.shutdown(socket.SHUT_WR)
                assert heard(line)[0] in (0, 400)
        assert station.rows() == 0

        # A slow sender holds nobody up, and is heard in the end.
        with socket.create_connection(("127.0.0.1", port), timeout=60) as slow:
            slow.sendall(whole[:-40])
            assert ask(port, station.request(b"{}", charset="gb18030"))[0] == 200
            for place in range(40, 0, -1):
                slow.sendall(whole[-place:][:1])
            status, answer = heard(slow)
        assert status == 200
        assert json.loads(answer)["stored"] == ROWS
        assert station.rows() == ROWS

        # Too large: refused by its length, without waiting for it.
        far = station.head("Content-Type: application/json", f"Content-Length: {17 << 20}")
        with socket.create_connection(("127.0.0.1", port), timeout=60) as line:
            line.sendall(far)
            assert heard(line)[0] == 413

        # Wrong charset; then the right ones, which are the same rows again.
        status, answer = ask(port, station.request(encoded("gb18030")))
        assert status == 400
        assert "不是合法的 utf-8" in json.loads(answer)["error"]
        for data in (
            station.request(encoded("gb18030"), charset="gb18030"),
            chunked + chunks(encoded("gb18030")) + b"0\r\n\r\n",
        ):
            status, answer = ask(port, data)
            assert status == 200, answer
            assert json.loads(answer)["repeated"] == ROWS
        assert station.rows() == ROWS
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=20) == 0
    said = log.read_text("utf-8") + (station.state / "logs" / "dipgate.jsonl").read_text("utf-8")
    assert station.token.removeprefix("dgp_") not in said
    assert "虚构" not in said
    assert "ERROR" not in said


def test_killed_between_raw_and_rows_nothing_is_lost_or_doubled(
    station: Station, tmp_path: Path
) -> None:
    log = tmp_path / "serve.log"
    message = station.request(encoded(), "Idempotency-Key: m-1")
    with serving(station, log, DIPGATE_CRASH=f"{FaultPoint.INTAKE_RAW_STORED.value}:1") as (
        server,
        port,
    ):
        assert ask(port, message)[0] == 0
        assert server.wait(timeout=20) == -signal.SIGKILL
    assert station.rows() == 0
    kept = [path for path in (station.state / "raw").rglob("*") if path.is_file()]
    assert [path.read_bytes() for path in kept] == [encoded()]
    with serving(station, log) as (server, port):
        status, first = ask(port, message)
        assert status == 200
        assert json.loads(first)["stored"] == ROWS
        server.kill()
        server.wait(timeout=20)
    # Killed after the answer: what was acknowledged is there, and the same answer comes again.
    with serving(station, log) as (_server, port):
        assert ask(port, message) == (200, first)
    assert station.rows() == ROWS

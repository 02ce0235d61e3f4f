"""A canary patient goes through the whole line; nothing of him may reach a log or an address.

Names, certificate numbers, addresses and telephone numbers live in the state folder and on the
screen of someone entitled to them. They must not appear in log records of any library, in what a
command says on stderr, in request paths, nor in what the platform twin writes.
"""

from __future__ import annotations

import csv
import io
import logging
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from time import monotonic
from typing import Any
from urllib.parse import quote

import pytest

from dipgate.service.clock import SystemClock
from dipgate.store import cases, open_store

CANARY = {
    "姓名": "金丝雀鸣",
    "现住址": "示例市笼中路七号",
    "联系人": "柳莺啼",
    "联系人地址": "示例市檐下街九号",
    "联系人电话": "13900007777",
}
MONTH = Path(__file__).resolve().parents[1] / "golden" / "month"
SECRET = "canary-secret"  # noqa: S105


def hidden() -> tuple[str, ...]:
    """The canary's values, and the certificate numbers of the stays it stands in for."""
    text = (MONTH / "export" / "front_page_202503.csv").read_text(encoding="utf-8")
    numbers = [row["证件号码"] for row in csv.DictReader(io.StringIO(text))]
    return (*CANARY.values(), *numbers)


def leaks(text: str) -> list[str]:
    """Which of the hidden values a text holds, as they are or escaped for an address."""
    return [value for value in hidden() if value in text or quote(value) in text]


def with_canary(text: str, *, broken: bool) -> str:
    """Put the canary into every stay of a front page; with `broken`, spoil an admission time."""
    rows = list(csv.DictReader(io.StringIO(text)))
    for row in rows:
        row.update(CANARY)
    if broken:
        rows[0]["入院时间"] = f"二月三十 {CANARY['姓名']}"
    out = io.StringIO()
    writer = csv.DictWriter(out, list(rows[0]), lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


@pytest.fixture
def twin(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A platform twin as a process of its own: its address, and the file with all it says."""
    log, port_file = tmp_path / "twin.log", tmp_path / "port"
    command = [sys.executable, "-m", "dipgate", "platform", "serve"]
    command += ["--state", str(tmp_path / "twin"), "--port-file", str(port_file)]
    env = {**os.environ, "PYTHONSAFEPATH": "1", "DIPGATE_PLATFORM_SECRET": SECRET}
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, env=env)
        try:
            limit = monotonic() + 30
            while not (port_file.exists() and port_file.read_text().strip()):
                assert process.poll() is None, log.read_text("utf-8")
                assert monotonic() < limit, "the twin does not say its port"
            yield f"http://127.0.0.1:{port_file.read_text().strip()}", log
        finally:
            process.terminate()
            process.wait(timeout=30)


def prepare(state: Path, address: str, *, broken: bool) -> None:
    site = state / "site.toml"
    text = site.read_text(encoding="utf-8").replace('mode = "observe"', 'mode = "live"')
    text = text.replace('url = ""', f'url = "{address}"')
    sources = (MONTH / "sources.toml").read_text(encoding="utf-8")
    site.write_text(f"{text}\n{sources}", encoding="utf-8")
    (state / "export").mkdir()
    for path in (MONTH / "export").glob("*.csv"):
        data = path.read_text(encoding="utf-8")
        if path.name.startswith("front_page"):
            data = with_canary(data, broken=broken)
        (state / "export" / path.name).write_bytes(data.encode("gb18030"))


def test_nothing_of_a_patient_reaches_logs_messages_or_addresses(
    sample_state: Path,
    twin: tuple[str, Path],
    cli: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    address, twin_log = twin
    prepare(sample_state, address, broken=True)
    monkeypatch.setenv("DIPGATE_PLATFORM_SECRET", SECRET)
    said = []
    with caplog.at_level(logging.DEBUG):
        for arguments in (
            ("config", "check"),
            ("intake",),
            ("send", "--release-clean", "--seconds", "60"),
            ("queue", "list"),
            ("queue", "show", "1"),
            ("pull",),
            ("reconcile", "--all"),
        ):
            done = cli("--state", sample_state, *arguments)
            assert done.code in (0, 1), (arguments, done.err)
            said.append(f"{arguments}\n{done.out}\n{done.err}")
        trail = cli("--state", sample_state, "log", "trace", accepted_list(sample_state))
        assert trail.code == 0, trail.err
        said.append(f"{trail.out}\n{trail.err}")
    for text in said:
        assert leaks(text) == [], text[:200]
    records = "\n".join(record.getMessage() for record in caplog.records)
    assert "POST" in records, "the HTTP library's own log was not seen, so this proves nothing"
    assert leaks(records) == []
    assert SECRET not in records + "".join(said)
    assert leaks(twin_log.read_text(encoding="utf-8")) == []
    own = (sample_state / "logs" / "dipgate.jsonl").read_text(encoding="utf-8")
    assert leaks(own.encode().decode("unicode_escape")) == []
    for event in ("raw.kept", "source.read", "cases.mapped", "cases.judged", "list.answered"):
        assert f'"{event}"' in own
        assert event in trail.out or event == "source.read"
    for step in ("源记录", "校验", "进入上传队列", "与平台交换", "平台回执", "平台结果"):
        assert step in trail.out, trail.out


def accepted_list(state: Path) -> str:
    """The settlement id of a list that the platform took."""
    with (
        open_store(state, SystemClock(), owner="test", read_only=True) as store,
        store.read() as conn,
    ):
        return cases.cases_in(conn, states=("accepted",), limit=1)[0].settlement_id


def test_the_canary_did_go_through(
    sample_state: Path, cli: Callable[..., Any], twin: tuple[str, Path]
) -> None:
    """The test above means something only if the canary is in the lists themselves."""
    prepare(sample_state, twin[0], broken=False)
    said = cli("--state", sample_state, "intake")
    assert said.code == 1, said.out  # some of its lists have planted errors
    with (
        open_store(sample_state, SystemClock(), owner="test", read_only=True) as store,
        store.read() as conn,
    ):
        held = cases.cases_in(conn, limit=100)
    assert held
    assert all(CANARY["姓名"] in case.settlement_list().as_json().decode() for case in held)
    assert leaks(held[0].settlement_list().as_json().decode())

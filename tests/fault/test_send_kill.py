"""Kills, cuts and spoilt answers between a real sender process and a real platform process.

The platform takes repeats as further effects, so only the sender's own care keeps them away.
Judged by the platform's books: nothing lost, nothing doubled. The canaries show that the same
rig catches a sender that simply tries again, and one that does not let the platform settle.
"""

from __future__ import annotations

import importlib.util
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from dipgate.core.errors import DipgateError
from dipgate.core.exchange import State
from dipgate.core.faults import FaultPoint
from dipgate.store import open_store, outbox
from dipgate.sync import Sender

pytestmark = pytest.mark.fault


def _kit() -> ModuleType:
    if "platform_kit" not in sys.modules:
        file = Path(__file__).parents[1] / "contract/platform/kit.py"
        spec = importlib.util.spec_from_file_location("platform_kit", file)
        assert spec is not None
        assert spec.loader is not None
        sys.modules["platform_kit"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["platform_kit"])
    return sys.modules["platform_kit"]


kit = _kit()
LISTS = 24
SENDER = """
import sys, time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from dipgate.config.dialects import load_dialect
from dipgate.config.settings import PlatformSettings
from dipgate.core.reference import Hospital
from dipgate.security.secret import Secret
from dipgate.store import messages, open_store
from dipgate.sync import PlatformClient, Sender

class Clock:
    def now(self):
        return datetime.now(UTC)

state, url, clock = Path(sys.argv[1]), sys.argv[2], Clock()
hospital = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
dialect = load_dialect("990100")
platform = PlatformSettings(mode="live", url=url, paasid="sample", opter="0001",
                            opter_name="操作员", mac="0", ip="127.0.0.1",
                            read_seconds=0.4, total_seconds=0.8)
with open_store(state, clock, owner="sender", hospital_code=hospital.code) as store:
    def number():
        return store.write(lambda conn: messages.next_msgid(conn, hospital.code, clock.now()))
    with PlatformClient(dialect, platform, hospital, Secret("twin-secret"), clock,
                        next_msgid=number) as client:
        report = Sender(store, client, dialect, clock).drain(
            clock.now() + timedelta(seconds=60), time.sleep)
sys.exit(0 if report.finished else 3)
"""


@pytest.fixture(scope="module")
def twin_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample is imported once; each platform process has books of its own."""
    return tmp_path_factory.mktemp("twin")


@pytest.fixture
def platform(twin_folder: Path, tmp_path: Path) -> Iterator[str]:
    """A platform as a process of its own; its address."""
    for file in twin_folder.glob("twin.sqlite*"):
        file.unlink()
    port_file = tmp_path / "port"
    process = subprocess.Popen(
        [
            sys.executable, "-m", "dipgate", "platform", "serve", "--state", str(twin_folder),
            "--port-file", str(port_file), "--accept-repeats",
        ],
        stdout=subprocess.DEVNULL,
        cwd=tmp_path,
    )  # fmt: skip
    try:
        deadline = time.monotonic() + 30
        while not port_file.exists():
            assert process.poll() is None, "the platform did not start"
            assert time.monotonic() < deadline, "the platform does not listen"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port_file.read_text()}"
    finally:
        process.terminate()
        assert process.wait(10) == 0


def queue(state: Path, count: int = LISTS) -> list[str]:
    lists = [kit.make_list(number) for number in range(1, count + 1)]
    with open_store(
        state, kit.MachineClock(), owner="test", hospital_code=kit.HOSPITAL.code
    ) as store:
        for lst in lists:
            kit.enqueue(store, lst)
    return [lst.settlement_id for lst in lists]


def run_sender(state: Path, url: str, crash: str = "") -> int:
    environment = dict(os.environ)
    environment.pop("DIPGATE_CRASH", None)
    if crash:
        environment["DIPGATE_CRASH"] = crash
    done = subprocess.run(
        [sys.executable, "-c", SENDER, str(state), url],
        env=environment,
        cwd=state,
        timeout=90,
        check=False,
    )
    return done.returncode


def judged(url: str, expected: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = kit.call(f"{url}/twin/ledger", {"expected": expected})
    return found


def states(state: Path) -> dict[str, int]:
    with open_store(state, kit.MachineClock(), owner="test") as store:
        return dict(kit.states(store))


KILLS = [
    (FaultPoint.SEND_CLAIMED, 1),
    (FaultPoint.SEND_WRITTEN, 1),
    (FaultPoint.SEND_ANSWERED, 1),
    (FaultPoint.SEND_WRITTEN, 4),
    (FaultPoint.SEND_ANSWERED, 3),
    (FaultPoint.SEND_CLAIMED, 2),
]


def test_kills_at_every_point_lose_and_double_nothing(platform: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    expected = queue(state)
    for point, passes in KILLS:
        assert run_sender(state, platform, f"{point.value}:{passes}") == -9, point
    assert run_sender(state, platform) == 0
    assert states(state) == {"accepted": LISTS}
    verdict = judged(platform, expected)
    assert (verdict["lost"], verdict["doubled"]) == ([], [])
    assert verdict["effects"] == LISTS


def test_our_receipts_are_the_platforms(platform: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    expected = queue(state, 6)
    assert run_sender(state, platform, f"{FaultPoint.SEND_ANSWERED.value}:3") == -9
    assert run_sender(state, platform) == 0
    held = judged(platform, expected)["settlements"]
    with open_store(state, kit.MachineClock(), owner="test") as store, store.read() as conn:
        rows = outbox.list_rows(conn)
    assert {row.settlement_id: row.list_no for row in rows} == {
        name: held[name]["list_no"] for name in expected
    }


SPOILT = {
    "timeout_before_commit": 0.04,
    "timeout_after_commit": 0.04,
    "late_effect": 0.04,
    "cut": 0.08,
    "http_500": 0.06,
    "http_503": 0.06,
    "garbage": 0.06,
    "half_body": 0.06,
    "forged_receipt": 0.04,
    "slow": 0.04,
}


def test_spoilt_answers_lose_and_double_nothing(platform: str, tmp_path: Path) -> None:
    state = tmp_path / "state"
    expected = queue(state, 40)
    kit.call(
        f"{platform}/twin/faults",
        {"seed": 5, "share": SPOILT, "hold_seconds": 2, "slow_seconds": 0.1, "late_seconds": 0.7},
    )
    assert run_sender(state, platform) == 0
    assert states(state) == {"accepted": 40}
    verdict = judged(platform, expected)
    assert (verdict["lost"], verdict["doubled"]) == ([], [])
    met = kit.call(f"{platform}/twin/faults")["faults"]
    assert set(met) == set(SPOILT), "the plan must have met every kind of fault"


def test_canary_a_sender_that_tries_again_doubles(platform: str) -> None:
    """The same faults, and a sender that takes no answer for failure."""
    kit.call(
        f"{platform}/twin/faults",
        {"seed": 11, "share": {"cut": 0.3, "half_body": 0.2}, "hold_seconds": 3},
    )
    uploader = kit.Uploader(kit.DIALECT)
    expected = []
    number = kit.numbered()
    with kit.open_client(platform, next_msgid=number) as client:
        client.ensure_session()
        for count in range(1, 21):
            packet = uploader.packet(
                kit.make_list(count), hospital_code=kit.HOSPITAL.code, revision=1
            )
            expected.append(packet.settlement_id)
            for _ in range(10):
                try:
                    client.upload(packet.payload, number(), settlement_id=packet.settlement_id)
                except DipgateError:
                    continue
                break
    verdict = judged(platform, expected)
    assert verdict["lost"] == []
    assert len(verdict["doubled"]) >= 3


@pytest.mark.parametrize(("settle", "doubles"), [(0.001, True), (0.5, False)])
def test_canary_without_settling_a_late_effect_doubles(
    platform: str, tmp_path: Path, settle: float, doubles: bool
) -> None:
    """The platform finishes after the sender gave up; asking at once proves nothing."""
    state = tmp_path / "state"
    expected = queue(state, 1)
    plan = {"at": {"1": "late_effect"}, "hold_seconds": 3, "late_seconds": 0.8}
    kit.call(f"{platform}/twin/faults", plan)
    dialect = kit.DIALECT.model_copy(
        update={"settle_seconds": settle, "read_seconds": 0.3, "total_seconds": 0.6}
    )
    clock = kit.MachineClock()
    with (
        open_store(state, clock, owner="test", hospital_code=kit.HOSPITAL.code) as store,
        kit.open_client(
            platform, clock=clock, dialect=dialect, next_msgid=kit.msgids(store)
        ) as client,
    ):
        rng = random.Random(1)  # noqa: S311
        report = Sender(store, client, dialect, clock, rng=rng).drain(
            clock.now() + timedelta(seconds=20), time.sleep
        )
        assert report.states[State.ACCEPTED] == 1
    assert judged(platform, expected)["doubled"] == (expected if doubles else [])


def test_an_outage_is_sat_out(tmp_path: Path) -> None:
    """No platform at all: nothing is lost, nothing is held, everything still waits."""
    state = tmp_path / "state"
    queue(state, 8)
    clock = kit.MachineClock()
    with (
        open_store(state, clock, owner="test", hospital_code=kit.HOSPITAL.code) as store,
        kit.open_client("http://127.0.0.1:9", next_msgid=kit.msgids(store)) as client,
    ):
        report = Sender(store, client, kit.DIALECT, clock).drain(
            clock.now() + timedelta(seconds=1), time.sleep
        )
    assert not report.finished
    assert report.states[State.READY] == 8
    assert set(report.tally.problems) == {"RetryLater"}

"""`dipgate send` and `queue list` say why nothing went."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import platform_kit as kit
import pytest

from dipgate.core.clock import FixedClock
from dipgate.store import open_store

Cli = Callable[..., Any]


@pytest.fixture
def waiting_state(
    sample_state: Path, clock: FixedClock, monkeypatch: pytest.MonkeyPatch
) -> Callable[[str], Path]:
    """A live state folder with one queued list and a platform at the given address."""

    def make(address: str) -> Path:
        file = sample_state / "site.toml"
        lines = []
        for line in file.read_text(encoding="utf-8").splitlines():
            key = line.partition(" = ")[0]
            values = {"mode": "live", "url": address, "paasid": "p1", "opter": "o1"}
            if key == "code":
                code = json.loads(line.partition(" = ")[2])
            lines.append(f'{key} = "{values[key]}"' if key in values else line)
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        monkeypatch.setenv("DIPGATE_PLATFORM_SECRET", kit.SECRET)
        with open_store(sample_state, clock, owner="test", hospital_code=code) as store:
            kit.enqueue(store, kit.make_list())
        return sample_state

    return make


def test_an_unreachable_platform_is_named(waiting_state: Callable[[str], Path], cli: Cli) -> None:
    state = waiting_state("http://127.0.0.1:9")
    said = cli("send", "--state", state, "--seconds", "0.3")
    assert said.code == 1
    assert "与平台 http://127.0.0.1:9 的往来没有都成功" in said.out
    assert "次：连不上平台（ConnectionError）" in said.out
    assert "待发 1" in said.out

    said = cli("send", "--state", state, "--seconds", "0.3", "--json")
    told = json.loads(said.out)
    assert told["address"] == "http://127.0.0.1:9"
    assert told["problems"][0]["kind"] == "RetryLater"
    assert told["problems"][0]["count"] >= 1
    assert "连不上平台" in told["problems"][0]["sentence"]

    said = cli("queue", "list", "--state", state)
    assert "最近一次签到" in said.out
    assert "连不上平台" in said.out
    said = cli("queue", "list", "--state", state, "--json")
    assert "连不上平台" in json.loads(said.out)["last_error"]


def test_a_refused_sign_in_is_told_in_the_platforms_words(
    waiting_state: Callable[[str], Path], cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with kit.running_twin(tmp_path / "twin") as platform:
        state = waiting_state(platform.url)
        monkeypatch.setenv("DIPGATE_PLATFORM_SECRET", "wrong")
        said = cli("send", "--state", state, "--seconds", "0.3")
    assert said.code == 1
    assert "签名" in said.out
    said = cli("queue", "list", "--state", state)
    assert "最近一次签到" in said.out
    assert "签名" in said.out


@pytest.mark.parametrize("seconds", ["0", "-1"])
def test_seconds_of_a_run_are_more_than_none(sample_state: Path, cli: Cli, seconds: str) -> None:
    assert cli("send", "--state", sample_state, "--seconds", seconds).code == 2

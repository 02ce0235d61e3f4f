"""A twin that listens: gate, faults, results, its own pages."""

from __future__ import annotations

import json
import urllib.error
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import platform_kit as kit
import pytest

from dipgate.config.dialects import Dialect
from dipgate.core.errors import ConfigError, OutcomeUnknown, Refused, RetryLater
from dipgate.security.secret import Secret
from dipgate.sync import PlatformClient, Uploader
from dipgate.twin import TwinOptions, open_twin, serve

QUICK = kit.DIALECT.model_copy(
    update={"connect_seconds": 0.5, "read_seconds": 0.5, "total_seconds": 1.0}
)
UPLOADER = Uploader(kit.DIALECT)
NUMBER = kit.numbered()


@pytest.fixture(scope="module")
def twin_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("twin")


@pytest.fixture
def twin(twin_state: Path) -> Iterator[kit.RunningTwin]:
    """The sample is imported once; each test has books of its own."""
    for file in twin_state.glob("twin.sqlite*"):
        file.unlink()
    with kit.running_twin(twin_state, accept_repeats=True) as running:
        yield running


def client_of(twin: kit.RunningTwin, dialect: Dialect = QUICK, **changes: Any) -> PlatformClient:
    return kit.open_client(twin.url, dialect=dialect, next_msgid=NUMBER, **changes)


def upload(client: PlatformClient, number: int = 1, **info: str) -> Any:
    packet = UPLOADER.packet(kit.make_list(number, **info), hospital_code="H", revision=1)
    client.ensure_session()
    return client.upload(packet.payload, NUMBER(), settlement_id=packet.settlement_id)


def test_taken_queried_grouped_inspected(twin: kit.RunningTwin) -> None:
    with client_of(twin, kit.DIALECT) as client:
        receipt = upload(client)
        held = client.query("P00000001", "S00000001")
        assert held is not None
        assert client.list_no_of(held) == receipt.list_no
        assert held["oprninfo"][0]["main_oprn_flag"] == "1"
        assert client.query("P00000009", "S00000001") is None
        assert client.query("P00000001", "S00000009") is None
        (group,) = client.pull_page("3606", "202503", 1).rows
        assert group["dip_dise_grp_code"] == "K35.8:47.0100"
        assert (group["nuld_flag"], group["grp_stas"]) == ("0", "1")
        (quality,) = client.pull_page("3607", "202503", 1).rows
        assert quality["qltctrl_rslt"] == "1"
        assert client.pull_page("3606", "202504", 1).rows == ()
    assert twin.judge(["S00000001"])["lost"] == []


@pytest.mark.parametrize(
    ("kind", "error", "effects"),
    [
        ("timeout_before_commit", OutcomeUnknown, 0),
        ("timeout_after_commit", OutcomeUnknown, 1),
        ("half_body", OutcomeUnknown, 1),
        ("http_503", RetryLater, 0),
        ("forged_receipt", OutcomeUnknown, 0),
        ("slow", None, 1),
    ],
)
def test_each_fault_does_what_it_says(
    twin: kit.RunningTwin, kind: str, error: type[Exception] | None, effects: int
) -> None:
    twin.faults(at={"1": kind}, hold_seconds=2, slow_seconds=0.05)
    with client_of(twin) as client:
        if error is None:
            upload(client)
        else:
            with pytest.raises(error):
                upload(client)
    judged = twin.judge(["S00000001"])
    assert judged["effects"] == effects
    assert judged["lost"] == ([] if effects else ["S00000001"])
    assert twin.get("/twin/faults")["faults"] == {kind: 1}


@pytest.mark.parametrize("kind", ["cut", "http_500", "garbage"])
def test_half_of_these_come_after_the_commit(twin: kit.RunningTwin, kind: str) -> None:
    twin.faults(seed=1, share={kind: 1.0})
    with client_of(twin) as client:
        for number in range(1, 13):
            with pytest.raises(OutcomeUnknown):
                upload(client, number)
    effects = twin.judge([])["effects"]
    assert 1 <= effects <= 11


def test_a_late_effect_comes_after_the_caller_gave_up(twin: kit.RunningTwin) -> None:
    twin.faults(at={"1": "late_effect"}, hold_seconds=3, late_seconds=1.2)
    with client_of(twin) as client:
        with pytest.raises(OutcomeUnknown):
            upload(client)
        assert client.query("P00000001", "S00000001") is None
        assert twin.judge(["S00000001"])["effects"] == 1
        assert client.query("P00000001", "S00000001") is not None


def test_sessions_end_and_are_renewed(twin: kit.RunningTwin) -> None:
    with client_of(twin) as client:
        upload(client, 1)
        twin.post("/twin/end-sessions", {})
        with pytest.raises(RetryLater, match="签到"):
            upload(client, 2)
        upload(client, 2)
    assert twin.judge(["S00000001", "S00000002"])["doubled"] == []


def test_a_wrong_secret_is_turned_away_at_the_gate(twin: kit.RunningTwin) -> None:
    other = {"secret": "other"}
    with client_of(twin, **other) as client, pytest.raises(RetryLater, match="签名不一致"):
        client.ensure_session()


def test_another_areas_envelope_is_refused(twin: kit.RunningTwin) -> None:
    other = QUICK.model_copy(update={"recer_sys_code": "OTHER"})
    with client_of(twin, other) as client, pytest.raises(Refused, match="接收方系统代码"):
        client.ensure_session()


def test_a_message_number_is_good_once(twin: kit.RunningTwin) -> None:
    with client_of(twin) as client:
        client.ensure_session()
        number = NUMBER()
        payload = UPLOADER.packet(kit.make_list(), hospital_code="H", revision=1).payload
        client.upload(payload, number, settlement_id="S00000001")
        with pytest.raises(Refused, match="报文ID重复"):
            client.upload(payload, number, settlement_id="S00000001")


def test_a_submitted_list_is_not_taken_again(twin_state: Path, tmp_path: Path) -> None:
    truths = kit.write_truths(tmp_path / "t.jsonl", [kit.make_list(1), kit.make_list(2)])
    for file in twin_state.glob("twin.sqlite*"):
        file.unlink()
    with kit.running_twin(twin_state, settlements=truths) as twin, client_of(twin) as client:
        upload(client, 1)
        with pytest.raises(Refused, match="已提交"):
            upload(client, 1, dscg_way="2")
        with pytest.raises(Refused, match="未查询到结算信息"):
            upload(client, 3)
        rows = client.pull_page("3606", "202503", 1).rows
        assert [(row["setl_id"], row["nuld_flag"]) for row in rows] == [
            ("S00000001", "0"),
            ("S00000002", "1"),
        ]
        assert twin.judge(["S00000001"])["refused"] == {"repeated": 1, "settlement": 1}


def test_an_unsubmitted_list_may_be_replaced(twin_state: Path) -> None:
    for file in twin_state.glob("twin.sqlite*"):
        file.unlink()
    with kit.running_twin(twin_state) as twin, client_of(twin) as client:
        upload(client, 1, stas_type="0")
        upload(client, 1, stas_type="0", dscg_way="2")
        judged = twin.judge(["S00000001"])
        assert judged["effects"] == 2
        assert judged["doubled"] == []


def test_a_planted_share_is_grouped_by_last_years_library(twin_state: Path) -> None:
    for file in twin_state.glob("twin.sqlite*"):
        file.unlink()
    with (
        kit.running_twin(twin_state, other_version_share=0.5, seed=3) as twin,
        client_of(twin, kit.DIALECT) as client,
    ):
        for number in range(1, 21):
            upload(client, number)
        rows = client.pull_page("3606", "202503", 1).rows
    planted = [row for row in rows if "上一年" in row["remarks"]]
    assert 4 <= len(planted) <= 16
    ours = {row["grp_dise_sco"] for row in rows if row not in planted}
    assert len(ours) == 1
    assert ours.isdisjoint({row["grp_dise_sco"] for row in planted})


def test_its_own_pages_refuse_what_they_cannot_read(twin: kit.RunningTwin) -> None:
    for path, value, words in (
        ("/twin/faults", {"share": {"cut": 2}}, "0 到 1"),
        ("/twin/ledger", {"expected": "S1"}, "数组"),
    ):
        with pytest.raises(urllib.error.HTTPError) as caught:
            twin.post(path, value)
        with caught.value as answer:
            assert answer.code == 400
            assert words in json.loads(answer.read())["error"]
    assert twin.get("/twin/health") == {"ok": True}


def test_it_listens_on_loopback_only_and_writes_its_port(tmp_path: Path, twin_state: Path) -> None:
    seen: list[str] = []

    class Enough(Exception):
        pass

    def ready(address: str) -> None:
        seen.append(address)
        raise Enough

    options = TwinOptions(twin_state, Secret("x"), port_file=tmp_path / "port")
    with pytest.raises(Enough):
        serve(options, kit.MachineClock(), ready=ready)
    assert seen == [f"http://127.0.0.1:{(tmp_path / 'port').read_text()}"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda folder: {"settlements": folder / "none.jsonl"}, "读不了结算文件"),
        (lambda folder: {"faults": folder / "none.json"}, "读不了故障计划"),
        (lambda folder: {"faults": _file(folder, b"{")}, "不是合法的 JSON"),
        (lambda folder: {"faults": _file(folder, b'{"sed":1}')}, "不认识的键"),
        (lambda folder: {"state": _file(folder, b"x")}, "不能使用替身的目录"),
        (lambda _folder: {"other_version_share": 2.0}, "0 到 1"),
        (lambda folder: {"port_file": folder / "none" / "port"}, "写不了端口文件"),
    ],
)
def test_what_it_cannot_use_is_named(
    tmp_path: Path, twin_state: Path, change: Callable[[Path], dict[str, Any]], words: str
) -> None:
    options: dict[str, Any] = {"state": twin_state, "secret": Secret("x"), **change(tmp_path)}
    with pytest.raises(ConfigError, match=words):
        serve(TwinOptions(**options), kit.MachineClock())


def test_a_taken_port_is_named_and_the_folder_is_free_again(
    twin: kit.RunningTwin, tmp_path: Path
) -> None:
    port = int(twin.url.rpartition(":")[2])
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"端口 {port}"):
            open_twin(TwinOptions(tmp_path, Secret("x"), port=port), kit.MachineClock())


def test_a_second_twin_on_the_same_folder_is_refused(
    twin: kit.RunningTwin, twin_state: Path
) -> None:
    assert twin.url
    with pytest.raises(ConfigError, match="已有一个平台替身在运行"):
        open_twin(TwinOptions(twin_state, Secret("x")), kit.MachineClock())


def _file(folder: Path, data: bytes) -> Path:
    file = folder / "file"
    file.write_bytes(data)
    return file

"""`dipgate queue`, `backup` and `restore` as a user meets them."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dipgate.cli.queue import mask_payload, mask_text
from dipgate.core.clock import FixedClock
from dipgate.core.exchange import Event
from dipgate.store import Store, outbox

SECRETS = ("丁一水", "990101199001011234", "幸福路9号", "13900001111", "19900101", "P000777")
PAYLOAD = json.dumps(
    {
        "setlinfo": {
            "psn_no": "P000777",
            "psn_name": "丁一水",
            "certno": "990101199001011234",
            "curr_addr": "幸福路9号",
            "coner_tel": "13900001111",
            "coner_name": "丁一水",
            "brdy": "19900101",
            "emp_tel": "",
            "setl_id": "S1",
            "dscg_way": "1",
            "note": "联系 13900001111",
        },
        "diseinfo": [{"diag_code": "K35.900", "diag_name": "急性阑尾炎"}],
        "oprninfo": [{"oper_dr_name": "丁一水", "oper_dr_code": "D990100000001"}],
    },
    ensure_ascii=False,
).encode()


@pytest.fixture
def held(store: Store, clock: FixedClock) -> Path:
    """A state folder with one list that waits for a person and one that waits to be sent."""

    def work(conn: Any) -> None:
        for settlement in ("S1", "S2"):
            outbox.enqueue(
                conn,
                key=settlement,
                case_id="c1",
                settlement_id=settlement,
                person_no="P000777",
                infno="4101A",
                revision=1,
                payload=PAYLOAD,
                digest="d" * 64,
                now=clock.now(),
            )
        outbox.apply(
            conn,
            1,
            Event.POISONED,
            now=clock.now(),
            epoch=store.epoch,
            last_error="ORA-00001 990101199001011234",
        )
        outbox.add_exchange(
            conn,
            outbox_id=1,
            infno="4101A",
            msgid="m1",
            request_hash="a" * 64,
            answer_hash="b" * 64,
            http_status=503,
            outcome="not_taken",
            at=clock.now(),
            millis=9,
        )

    store.write(work)
    store.close()
    return store.state


def test_list_says_what_waits_and_why(held: Path, cli: Callable[..., Any]) -> None:
    said = cli("--state", held, "queue", "list")
    assert said.code == 0
    assert "待人工处理" in said.out
    assert "待上传 1" in said.out
    rows = [
        json.loads(line)
        for line in cli("--state", held, "queue", "list", "--json").out.splitlines()
    ]
    assert [(row["number"], row["state"]) for row in rows] == [(1, "held"), (2, "ready")]
    only = cli("--state", held, "queue", "list", "--json", "--status", "held").out
    assert len(only.splitlines()) == 1
    paged = cli("--state", held, "queue", "list", "--limit", "1")
    assert "--after 1" in paged.out
    wrong = cli("--state", held, "queue", "list", "--status", "gone")
    assert wrong.code == 2
    assert "held" in wrong.err


def test_show_masks_everything_personal(held: Path, cli: Callable[..., Any]) -> None:
    for arguments in (("show", "1"), ("show", "1", "--json"), ("list",), ("list", "--json")):
        said = cli("--state", held, "queue", *arguments)
        assert said.code == 0
        for secret in SECRETS:
            assert secret not in said.out + said.err
    shown = json.loads(cli("--state", held, "queue", "show", "1", "--json").out)
    assert shown["payload"]["diseinfo"][0] == {"diag_code": "K35.900", "diag_name": "急性阑尾炎"}
    assert shown["payload"]["setlinfo"]["setl_id"] == "S1"
    assert shown["payload"]["setlinfo"]["emp_tel"] == ""
    assert shown["exchanges"][0]["http_status"] == 503
    assert cli("--state", held, "queue", "show", "9").code == 2


def test_retry_needs_a_reason_and_asks_first(held: Path, cli: Callable[..., Any]) -> None:
    assert cli("--state", held, "queue", "retry", "1").code == 2
    said = cli("--state", held, "queue", "retry", "1", "--reason", "平台已恢复")
    assert said.code == 0
    assert "待核实" in said.out
    refused = cli("--state", held, "queue", "retry", "2", "--reason", "x")
    assert refused.code == 2
    assert "待上传" in refused.err


def test_backup_and_restore_by_command(held: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    file = tmp_path / "b.sqlite"
    made = cli("--state", held, "backup", file, "--json")
    assert made.code == 0
    assert json.loads(made.out)["audited"] is True
    assert cli("--state", held, "backup", file).code == 2
    done = cli("--state", held, "restore", file, "--json")
    assert done.code == 0
    assert json.loads(done.out)["unknown"] == 2
    rows = cli("--state", held, "queue", "list", "--json").out.splitlines()
    assert {json.loads(row)["state"] for row in rows} == {"unknown"}
    assert "数据库" in cli("--state", tmp_path / "none", "queue", "list").err


def test_a_backup_makes_no_folders(held: Path, tmp_path: Path, cli: Callable[..., Any]) -> None:
    said = cli("--state", held, "backup", tmp_path / "usb" / "day" / "b.sqlite")
    assert said.code == 2
    assert f"没有目录 {tmp_path / 'usb' / 'day'}" in said.err
    assert not (tmp_path / "usb").exists()


def test_masking_keeps_what_is_not_a_person() -> None:
    assert mask_payload(b"\xff not json") == "***"
    assert mask_payload(b'{"fixmedins_name": "x", "acp_medins_name": "y", "n": 1}') == {
        "fixmedins_name": "x",
        "acp_medins_name": "y",
        "n": 1,
    }
    assert mask_text("主键 11010119900101123X 重复") == "主键 *** 重复"
    assert mask_text("H99010000001202506161200000000") == "H99010000001202506161200000000"

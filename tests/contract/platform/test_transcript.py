"""One transcript, two parties: our client must say and understand it, our twin must answer it.

`transcript.json` is the agreement. Entries marked `client only` are answers that real platforms
give and the twin does not (gateways, notices, wrapped answers).
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import platform_kit as kit
import pytest

from dipgate.core.clock import FixedClock
from dipgate.core.errors import OutcomeUnknown, Refused, RetryLater
from dipgate.security.secret import Secret
from dipgate.sync import PlatformClient, Uploader
from dipgate.sync.transport import HttpAnswer

FILE = Path(__file__).with_name("transcript.json")
TRANSCRIPT: list[dict[str, Any]] = json.loads(FILE.read_text(encoding="utf-8"))
UPLOADER = Uploader(kit.DIALECT)
NONCE = "00000000000000000000000000000001"
TWICE = {"oprn_oprt_type": "2"}


def lists() -> Mapping[str, Any]:
    """The lists that the transcript speaks of, by name."""
    plain = kit.make_list(1)
    double = kit.make_list(3)
    assert double.oprninfo is not None
    return {
        "plain": plain,
        "same procedure twice": double.with_row("oprninfo", {**double.oprninfo[0], **TWICE}),
        "no bill number": kit.make_list(4, bill_no=""),
    }


class Scripted:
    """A transport that checks what is sent against the transcript and answers from it."""

    def __init__(self) -> None:
        self.entry: dict[str, Any] = {}

    def post(self, url: str, body: bytes, headers: Mapping[str, str], **_: object) -> HttpAnswer:
        assert json.loads(body) == self.entry["request"]
        assert url == f"http://platform{self.entry['path']}"
        assert dict(headers) == self.entry["headers"]
        return HttpAnswer(self.entry["status"], answer_bytes(self.entry))

    def close(self) -> None:
        """Nothing to close."""


def answer_bytes(entry: Mapping[str, Any]) -> bytes:
    if "answer_text" in entry:
        return str(entry["answer_text"]).encode(entry["charset"])
    return json.dumps(entry["answer"], ensure_ascii=False).encode()


def outcome_of(client: PlatformClient, entry: Mapping[str, Any]) -> dict[str, Any]:
    """Make the call of an entry and say what came of it."""
    try:
        return _call(client, entry)
    except Refused as error:
        return {"refused": error.text}
    except RetryLater:
        return {"later": True}
    except OutcomeUnknown:
        return {"unknown": True}


def _call(client: PlatformClient, entry: Mapping[str, Any]) -> dict[str, Any]:
    what = entry["call"]
    if what == "sign_in":
        client.sign_in()
        return {"signed_in": client.signed_in}
    if what == "upload":
        packet = UPLOADER.packet(
            lists()[entry["list"]], hospital_code=kit.HOSPITAL.code, revision=1
        )
        receipt = client.upload(
            packet.payload,
            entry["msgid"],
            settlement_id=packet.settlement_id,
            insured_place="990100",
        )
        return {"list_no": receipt.list_no}
    if what == "query":
        held = client.query(entry["person"], entry["settlement"])
        return {"held": None if held is None else client.list_no_of(held)}
    page = client.pull_page(entry["infno"], "202503", 1)
    return {"rows": [row["setl_id"] for row in page.rows], "problems": len(page.problems)}


@pytest.fixture
def still() -> FixedClock:
    return FixedClock(datetime.fromisoformat("2025-06-16T12:00:00+08:00"))


def test_our_client_says_and_understands_it(still: FixedClock) -> None:
    line = Scripted()
    client = PlatformClient(
        kit.DIALECT,
        kit.settings("http://platform"),
        kit.HOSPITAL,
        Secret(kit.SECRET),
        still,
        next_msgid=lambda: str(line.entry["msgid"]),
        new_nonce=lambda: NONCE,
    )
    client.close()
    client._transport = line  # type: ignore[assignment]
    for entry in TRANSCRIPT:
        line.entry = entry
        assert outcome_of(client, entry) == entry["outcome"], entry["name"]


@pytest.fixture
def twin(tmp_path: Path, still: FixedClock) -> Iterator[kit.RunningTwin]:
    with kit.running_twin(tmp_path / "twin", still) as running:
        yield running


def test_our_twin_answers_it(twin: kit.RunningTwin) -> None:
    for entry in TRANSCRIPT:
        if entry.get("client only"):
            continue
        status, answer = posted(twin.url + entry["path"], entry)
        assert status == entry["status"], entry["name"]
        if entry.get("compare") == "shape":
            assert shape(answer) == shape(entry["answer"]), entry["name"]
        else:
            assert answer == entry["answer"], entry["name"]


def posted(url: str, entry: Mapping[str, Any]) -> tuple[int, Any]:
    body = json.dumps(entry["request"], ensure_ascii=False).encode()
    asked = urllib.request.Request(url, data=body, headers=entry["headers"])  # noqa: S310
    try:
        with urllib.request.urlopen(asked, timeout=10) as answer:  # noqa: S310
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def shape(value: Any) -> Any:
    """Names and kinds without values: what the sample's scores are is not this contract's."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    return type(value).__name__


def test_the_transcript_covers_every_transaction_and_every_outcome() -> None:
    said = {entry["request"]["infno"] for entry in TRANSCRIPT}
    assert said == {"9001", "4101A", "4103", "3606", "3607"}
    outcomes = {next(iter(entry["outcome"])) for entry in TRANSCRIPT}
    assert outcomes == {"signed_in", "list_no", "held", "rows", "refused", "later", "unknown"}

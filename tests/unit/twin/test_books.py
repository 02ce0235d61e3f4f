"""The twin's books and what it knows of settlements."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import platform_kit as kit
import pytest

from dipgate.core.errors import ConfigError
from dipgate.twin.ledger import Ledger
from dipgate.twin.truths import month_of, read_truths


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    made = Ledger(tmp_path / "twin.sqlite")
    yield made
    made.close()


def take(ledger: Ledger, settlement_id: str, digest: str, number: int) -> None:
    ledger.add_effect(
        settlement_id=settlement_id,
        person_no="P1",
        list_no=f"L{number}",
        msgid=f"M{number}",
        digest=digest,
        month="202503",
        input_json=b'{"setlinfo":{}}',
        at="2025-03-06 11:00:00",
    )


def test_lost_doubled_and_corrected_are_told_apart(ledger: Ledger) -> None:
    take(ledger, "S1", "a", 1)
    take(ledger, "S2", "a", 2)
    take(ledger, "S2", "a", 3)
    take(ledger, "S3", "a", 4)
    take(ledger, "S3", "b", 5)
    judged = ledger.judgement(["S1", "S2", "S3", "S4"])
    assert judged["effects"] == 5
    assert judged["doubled"] == ["S2"]
    assert judged["lost"] == ["S4"]
    assert judged["unexpected"] == []
    assert judged["settlements"]["S3"] == {
        "effects": 2,
        "contents": {"a": 1, "b": 1},
        "list_no": "L5",
    }
    assert ledger.judgement(["S1"])["unexpected"] == ["S2", "S3"]
    assert "lost" not in ledger.judgement()


def test_the_last_list_of_a_settlement_counts(ledger: Ledger) -> None:
    take(ledger, "S1", "a", 1)
    take(ledger, "S1", "b", 2)
    current = ledger.current("S1")
    assert current is not None
    assert (current.digest, current.list_no) == ("b", "L2")
    assert [effect.digest for effect in ledger.of_month("202503")] == ["b"]
    assert ledger.of_month("202504") == ()
    assert ledger.current("S9") is None
    assert ledger.stored_group(current) is None
    ledger.store_group(current, b"{}")
    assert ledger.stored_group(current) == b"{}"
    take(ledger, "S1", "c", 3)
    later = ledger.current("S1")
    assert later is not None
    assert ledger.stored_group(later) is None


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    for expected in (1, 2):
        ledger = Ledger(tmp_path / "twin.sqlite")
        assert ledger.next("list_no") == expected
        ledger.close()


def test_what_fails_together_leaves_nothing(ledger: Ledger) -> None:
    def half() -> None:
        with ledger.together():
            take(ledger, "S1", "a", 1)
            raise ValueError

    with pytest.raises(ValueError, match=r"^$"):
        half()
    assert ledger.judgement()["effects"] == 0


def test_message_numbers_and_sessions(ledger: Ledger) -> None:
    assert ledger.first_use("M1")
    assert not ledger.first_use("M1")
    ledger.open_session("N1", "0001", 100.0)
    assert ledger.session_opened("N1") == 100.0
    assert ledger.session_opened("N2") is None
    ledger.end_sessions()
    assert ledger.session_opened("N1") is None


def test_truths_by_settlement(tmp_path: Path) -> None:
    file = kit.write_truths(tmp_path / "t.jsonl", [kit.make_list(1), kit.make_list(2)])
    found = read_truths(file)
    assert list(found) == ["S00000001", "S00000002"]
    assert found["S00000001"]["medfee_sumamt"] == "9000.00"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b'{"setl_id":"S1"}\n{broken\n', "第2行"),
        (b'{"setl_id":"S1"}\n\n{"setl_id":"S1"}\n', "第3行.*重复"),
        (b'{"psn_no":"P1"}\n', "第1行.*setl_id"),
        (b"[1]\n", "第1行"),
        ("\u7532".encode("gb18030"), "UTF-8"),
    ],
)
def test_a_broken_truth_file_names_its_line(tmp_path: Path, content: bytes, words: str) -> None:
    file = tmp_path / "t.jsonl"
    file.write_bytes(content)
    with pytest.raises(ConfigError, match=words):
        read_truths(file)
    with pytest.raises(ConfigError, match="读不了"):
        read_truths(tmp_path / "none.jsonl")


@pytest.mark.parametrize(
    ("text", "month"),
    [("2025-03-06 11:00:00", "202503"), ("2025-03", "202503"), ("", ""), ("昨天", "")],
)
def test_month_of(text: str, month: str) -> None:
    assert month_of(text) == month

"""Secrets do not show themselves; SM3 is the standard's."""

from __future__ import annotations

import copy
import json
import logging
import pickle
from string import Formatter

import msgspec
import pytest

from dipgate.security.digest import sm3_hex
from dipgate.security.secret import Secret


def test_no_way_of_showing_shows_it() -> None:
    secret = Secret("hunter2")
    shown = [repr(secret), str(secret), f"{secret}", f"{secret!r:>10}", f"{secret:>10}"]
    shown += [Formatter().format("{0}", secret), repr([secret]), repr({"a": secret})]
    shown.append(logging.LogRecord("x", 20, "f", 1, "%s %r", (secret, secret), None).getMessage())
    for text in shown:
        assert "hunter2" not in text
        assert "***" in text
    assert secret.reveal() == "hunter2"


def test_it_leaves_by_no_serialiser() -> None:
    secret = Secret("hunter2")
    with pytest.raises(TypeError):
        pickle.dumps(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    with pytest.raises(TypeError):
        msgspec.json.encode(secret)
    assert not hasattr(secret, "__dict__")
    assert copy.copy(secret) is secret
    assert copy.deepcopy([secret])[0] is secret


def test_equality_and_truth() -> None:
    assert Secret("a") == Secret("a")
    assert Secret("密") == Secret("密".encode())
    assert Secret("a") != Secret("b")
    assert Secret("a") != "a"
    assert not Secret("")
    with pytest.raises(TypeError):
        hash(Secret("a"))


@pytest.mark.parametrize(
    ("data", "digest"),
    [
        (b"abc", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0"),
        (b"abcd" * 16, "debe9ff92275b8a138604889c18e5a4d6fdb70e5387e5765293dcba39c0c5732"),
        (b"", "1ab21d8355cfa17f8e61194831e81a8f22bec8c728fefb747ed035eb5082aa2b"),
    ],
)
def test_sm3_of_the_standards_examples(data: bytes, digest: str) -> None:
    assert sm3_hex(data) == digest

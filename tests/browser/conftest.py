"""One served hospital for all browser tests, and a browser of its own for each test."""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _house() -> ModuleType:
    """The module beside this file (tests have no packages)."""
    if "browser_house" not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            "browser_house", Path(__file__).with_name("house.py")
        )
        assert spec is not None
        assert spec.loader is not None
        sys.modules["browser_house"] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules["browser_house"])
    return sys.modules["browser_house"]


@pytest.fixture(scope="session")
def served(chromium: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The hospital, its desk served by a process of its own, the twin in another."""
    with _house().opened_house(tmp_path_factory.mktemp("house"), chromium) as opened:
        yield opened


@pytest.fixture
def house(served: Any) -> Iterator[Any]:
    """The hospital; a test's tabs are closed, and what they complained of fails it."""
    served.said.clear()
    yield served
    served.close_tabs()
    assert served.complaints() == [], "the browsers' consoles are clean"


@pytest.fixture
def until() -> Any:
    """`until(condition, seconds=…)`: wait for a condition, with a limit."""
    return _house().until

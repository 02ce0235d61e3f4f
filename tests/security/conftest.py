"""The desk and its browsers, as the unit tests of the web make them."""

from __future__ import annotations

import importlib.util
import shutil
import sys
from pathlib import Path
from types import ModuleType

import pytest

from dipgate.core.clock import FixedClock


def _load(name: str, file: Path) -> ModuleType:
    """Test modules are not importable by name; load one by its file."""
    spec = importlib.util.spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


_FILE = Path(__file__).parents[1] / "unit" / "web" / "conftest.py"
fixtures = _load("dipgate_web_fixtures", _FILE)
planting = _load("dipgate_planting", Path(__file__).with_name("planting.py"))

kit = fixtures.kit
peopled_state = fixtures.peopled_state
desk = fixtures.desk
make_app = fixtures.make_app
app = fixtures.app
browser = fixtures.browser
serving = fixtures.serving


def read_payloads() -> tuple[str, ...]:
    """The payloads; the n-th calls `alert(n)` when it runs."""
    text = Path(__file__).with_name("payloads.txt").read_text(encoding="utf-8")
    return tuple(line.replace("{n}", str(n)) for n, line in enumerate(text.splitlines()))


@pytest.fixture(scope="session")
def payloads() -> tuple[str, ...]:
    return read_payloads()


@pytest.fixture(scope="session")
def planted_state(
    peopled_state: Path, payloads: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A state in which list n carries payload n in every text that comes from outside."""
    folder = tmp_path_factory.mktemp("planted")
    state = folder / "state"
    shutil.copytree(peopled_state, state)
    planting.export(state, folder / "export", payloads)
    with fixtures.open_desk(state, state / "site.toml", clock=FixedClock(fixtures.NOON)) as desk:
        planting.plant(desk, payloads)
    return state

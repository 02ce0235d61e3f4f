"""What an adapter brings to the common suite: a builder of sources, and a report card.

`tests/contract/adapters/<kind>/build.py` has `build(folder, tables, charset) -> SourceSpec`;
`card.yaml` beside it says per check: done, or exempt with a reason.
"""

from __future__ import annotations

import importlib.util
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
import yaml

from dipgate.adapters import adapter_kinds
from dipgate.core.hashing import bytes_hash
from dipgate.core.record import RawRow, Rejected, SourceSpec

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))
"""For the builders, which share `servers.py`."""
LIVE = tuple(kind for kind in adapter_kinds() if (HERE / kind / "build.py").is_file())
KEY = "住院流水号"
Rows = Sequence[Mapping[str, bytes]]
Build = Callable[[Path, Mapping[str, Rows], str], SourceSpec]


@dataclass
class MemorySink:
    """A sink that remembers the order of calls; stops before commit number `stop_before`."""

    stop_before: int | None = None
    raw: dict[str, bytes] = field(default_factory=dict)
    rows: list[RawRow] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    watermark: str | None = None
    commits: int = 0

    def keep_raw(self, source: str, object_name: str, data: bytes) -> str:
        assert source
        assert object_name
        name = bytes_hash(data)
        self.raw[name] = data
        return name

    def commit(self, rows: Sequence[RawRow], rejected: Sequence[Rejected], watermark: str) -> None:
        if self.stop_before is not None and self.commits >= self.stop_before:
            raise EOFError("stopped between two commits")
        for item in rows:
            assert item.raw_hash in self.raw, "a row was handed over before its raw bytes"
        for aside in rejected:
            assert aside.row is None or aside.raw_hash in self.raw
        self.rows.extend(rows)
        self.rejected.extend(rejected)
        self.watermark = watermark
        self.commits += 1

    def as_set(self) -> set[tuple[str, str, tuple[tuple[str, str], ...]]]:
        return {(row.table, row.key, tuple(sorted(row.values.items()))) for row in self.rows}


def builder(kind: str) -> Build:
    path = HERE / kind / "build.py"
    spec = importlib.util.spec_from_file_location(f"adapter_samples_{kind}", path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    build: Build = module.build
    return build


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Each adapter in turn that does not say on its card why a check is not for it."""
    checks: Mapping[str, str] = getattr(metafunc.module, "CHECK_OF", {})
    if "kind" in metafunc.fixturenames and checks:
        check = checks.get(metafunc.function.__name__, "")
        kinds = [kind for kind in LIVE if not check or card(kind)[check] == "done"]
        metafunc.parametrize("kind", kinds)


def card(kind: str) -> Mapping[str, object]:
    """The report card of an adapter."""
    found: Mapping[str, object] = yaml.safe_load((HERE / kind / "card.yaml").read_text("utf-8"))
    return found


@pytest.fixture(scope="session", autouse=True)
def _clean_servers() -> Iterator[None]:
    """Databases made for the tests go when they are over."""
    yield
    import servers

    servers.drop_databases()


@pytest.fixture
def build(kind: str) -> Build:
    return builder(kind)


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def stopping_sink() -> Callable[[int], MemorySink]:
    return lambda commits: MemorySink(stop_before=commits)

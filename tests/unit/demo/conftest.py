"""A month of the invented hospital from the sample lists, and its lists as the line maps them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path

import pytest

from dipgate.adapters import open_source
from dipgate.config.catalogues import activate_sample
from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.config.rules import load_pack, rule_world
from dipgate.core.clock import CHINA
from dipgate.core.hashing import bytes_hash
from dipgate.core.library import LibraryData
from dipgate.core.record import RawRow, Rejected, SourceSpec
from dipgate.core.reference import Hospital as Who
from dipgate.core.reference import Reference
from dipgate.demo.hospital import Hospital, generate
from dipgate.demo.stays import Stay
from dipgate.mapping import MappedCase, SourceRecord, build_case
from dipgate.validators import Pack, compile_pack, function_rules

MONTH = date(2025, 3, 1)
SIZE = 400
SEED = 11
WHO = Who("H99010000001", "虚构示例医院", "3", "990100")


@dataclass
class Inbox:
    """Rows by table and stay key."""

    rows: dict[tuple[str, str], list[RawRow]] = field(default_factory=lambda: defaultdict(list))
    rejected: list[Rejected] = field(default_factory=list)

    def keep_raw(self, source: str, object_name: str, data: bytes) -> str:
        assert source
        assert object_name
        return bytes_hash(data)

    def commit(self, rows: Sequence[RawRow], rejected: Sequence[Rejected], watermark: str) -> None:
        assert watermark
        for row in rows:
            self.rows[row.table, row.key].append(row)
        self.rejected += rejected


Mapper = Callable[[SourceSpec, Sequence[Stay], Reference], list[MappedCase]]


def map_stays(spec: SourceSpec, stays: Sequence[Stay], ref: Reference) -> list[MappedCase]:
    """The lists of some stays, read and mapped as the product does it."""
    inbox = Inbox()
    open_source(spec).read(inbox, None)
    assert inbox.rejected == []
    cases = []
    for stay in stays:
        (bill,) = inbox.rows["settlement", stay.key]
        (page,) = inbox.rows["front_page", stay.key]
        record = SourceRecord(bill, page, tuple(inbox.rows["charge", stay.key]))
        cases.append(
            build_case(
                record,
                spec.tables,
                ref,
                edition=spec.edition,
                fill={"hsorg": "虚构示例区医保中心", "hsorg_opter": "经办01"},
                overlays=(),
                source=spec.name,
            )
        )
    return cases


@pytest.fixture(scope="session")
def mapper() -> Mapper:
    return map_stays


@pytest.fixture(scope="session")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[Reference, LibraryData]:
    state: Path = tmp_path_factory.mktemp("sample")
    activate_sample(state, datetime(2025, 4, 1, tzinfo=CHINA))
    return References(state, WHO).on(date(2025, 3, 31)), load_library(state, "sample")


@pytest.fixture(scope="session")
def hospital(sample: tuple[Reference, LibraryData]) -> Hospital:
    return generate(*sample, seed=SEED, month=MONTH, size=SIZE)


@pytest.fixture(scope="session")
def packs() -> list[Pack]:
    """Base rules and the rules of DIP edition 2.0, compiled."""
    world, functions = rule_world(), function_rules()
    return [
        compile_pack(
            load_pack(name), [rule for rule in functions if rule.pack == name], world, name
        )
        for name in ("base", "dip-2.0")
    ]

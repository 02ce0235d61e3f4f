"""A small export through the whole line, byte for byte: list, findings, group, packet, lineage.

The export is kept readable (UTF-8) and written as the hospital writes it (GB18030, CRLF) before
it is read. `pytest tests/golden --update-golden` rewrites what is expected; a person reads the
difference before it is committed. All persons are invented.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path

import msgspec
import pytest

from dipgate.config.catalogues import activate_sample
from dipgate.config.dialects import load_dialect
from dipgate.config.settings import render_template
from dipgate.core.case import case_of
from dipgate.core.clock import FixedClock
from dipgate.core.grouping import result_as_json
from dipgate.core.hashing import canonical_bytes
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge, judge_new_cases, price
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.service.wiring import open_desk
from dipgate.store import cases
from dipgate.sync.payload import Uploader

HERE = Path(__file__).resolve().parent / "month"
LINEAGE_FIELDS = ("setlinfo.adm_time", "diseinfo[0].diag_code", "setlinfo.adm_caty", "payinfo[0]")
_ENCODER = msgspec.json.Encoder(decimal_format="string", order="sorted")


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """The sample hospital after reading, mapping and judging the export."""
    from datetime import datetime

    from dipgate.core.clock import CHINA

    clock = FixedClock(datetime(2025, 4, 2, 9, 0, 0, tzinfo=CHINA))
    state = tmp_path_factory.mktemp("golden")
    activate_sample(state, clock.now())
    write_export(HERE / "export", state / "export")
    site = render_template(
        code="H99010000001",
        name="示例市第一人民医院",
        level="3",
        area_code="990100",
        policy="sample_2025",
        fill_dept="医保办",
        fill_person="示例填报人",
        hsorg="示例市医疗保障局",
        hsorg_opter="示例经办人",
    )
    site_file = state / "site.toml"
    sources = (HERE / "sources.toml").read_text(encoding="utf-8")
    site_file.write_text(f"{site}\n{sources}", encoding="utf-8")
    with open_desk(state, site_file, clock=clock) as opened:
        read_sources(opened)
        map_new_stays(opened)
        judge_new_cases(opened)
        yield opened
    shutil.rmtree(state, ignore_errors=True)


def write_export(readable: Path, folder: Path) -> None:
    """As hospitals export: GB18030, CRLF."""
    folder.mkdir()
    for path in sorted(readable.glob("*.csv")):
        text = path.read_text(encoding="utf-8").replace("\n", "\r\n")
        (folder / path.name).write_bytes(text.encode("gb18030"))


def stored(desk: Desk) -> tuple[cases.CaseRow, ...]:
    with desk.store.read() as conn:
        found = cases.cases_in(conn, limit=1000)
    return tuple(sorted(found, key=lambda case: case.settlement_id))


def lists(desk: Desk) -> Iterator[bytes]:
    for case in stored(desk):
        yield case.settlement_list().as_json()


def findings(desk: Desk) -> Iterator[bytes]:
    for case in stored(desk):
        for finding in judge(desk, case.settlement_list()).findings:
            if finding.status.value == "found":
                yield _ENCODER.encode(finding.as_json(case.settlement_id))


def groups(desk: Desk) -> Iterator[bytes]:
    for case in stored(desk):
        judged = case_of(case.settlement_list())
        priced = price(desk, judged, desk.reference(judged.settled))
        answer = result_as_json(case.settlement_id, priced.group, priced.score, trace=True)
        # The policy's content hash moves with every edit of its sources; its id says enough here.
        answer["policy"] = answer["policy"].partition("@")[0]
        yield _ENCODER.encode(answer)


def packets(desk: Desk) -> Iterator[bytes]:
    uploader = Uploader(load_dialect("990100"))
    for case in stored(desk):
        packet = uploader.packet(
            case.settlement_list(), hospital_code="H99010000001", revision=case.revision
        )
        yield packet.payload
        yield canonical_bytes({"key": packet.key})


def lineage(desk: Desk) -> Iterator[bytes]:
    for case in stored(desk):
        with desk.store.read() as conn:
            origins = cases.origins_of(conn, case.id)
        for origin in origins:
            if origin.path.startswith(LINEAGE_FIELDS):
                yield _ENCODER.encode({"case": case.settlement_id, **asdict(origin)})


ARTEFACTS: dict[str, Callable[[Desk], Iterator[bytes]]] = {
    "lists": lists,
    "findings": findings,
    "groups": groups,
    "packets": packets,
    "lineage": lineage,
}


@pytest.mark.parametrize("name", ARTEFACTS)
def test_the_month_comes_out_as_it_did(
    desk: Desk, name: str, request: pytest.FixtureRequest
) -> None:
    made = b"".join(line + b"\n" for line in ARTEFACTS[name](desk))
    expected = HERE / "expected" / f"{name}.jsonl"
    if request.config.getoption("--update-golden"):
        expected.parent.mkdir(exist_ok=True)
        expected.write_bytes(made)
    assert made.splitlines() == expected.read_bytes().splitlines()
    assert made == expected.read_bytes()

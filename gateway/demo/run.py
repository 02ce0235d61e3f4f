"""The demo: a synthetic month through the whole line, against a platform in a process of its own.

Everything happens in a fresh folder and on a free loopback port. The sending process is killed
once in mid-upload and started again; at the end the platform's books are the judge.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

import msgspec

from dipgate.config.catalogues import activate_sample
from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.config.settings import PLATFORM_SECRET, render_template
from dipgate.core.clock import Clock
from dipgate.core.errors import ConfigError
from dipgate.core.exchange import State
from dipgate.core.faults import FaultPoint
from dipgate.core.progress import Progress
from dipgate.core.record import SourceSpec
from dipgate.core.reference import Hospital
from dipgate.demo.coder import CoderReport, work_queue
from dipgate.demo.export import csv_source, site_sources, write_csv, write_settlements
from dipgate.demo.hospital import Hospital as Month
from dipgate.demo.hospital import generate
from dipgate.pipeline import exchange_stage, reconcile_stage
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import JudgeReport, judge_new_cases
from dipgate.pipeline.map_stage import MapReport, map_new_stays
from dipgate.pipeline.reconcile_stage import ReconcileReport
from dipgate.pregrouper.differences import Reason
from dipgate.service.wiring import open_desk
from dipgate.store import cases, outbox, verdicts

MONTH = date(2025, 3, 1)
HOSPITAL = Hospital("H99010000001", "示例市第一人民医院", "3", "990100")
SECRET = "demo-secret"  # noqa: S105
OTHER_VERSION_SHARE = 0.03
STARTING_SECONDS = 60.0
SENDING_SECONDS = 900.0

Stage = Callable[[str], Progress]
"""Called with the Chinese name of a stage; returns where its progress goes."""
Later = Callable[[Path], Sequence[Month]]
"""Called with the state folder once its catalogues are there."""


@dataclass(frozen=True, slots=True)
class Scene:
    """Whose hospital is played, with which lists, and how it exports."""

    hospital: Hospital
    policy: str
    agreed_areas: tuple[str, ...]
    library: str
    fill: Callable[[Path, Clock], object]
    """Brings catalogues, library and policy into a new state folder."""
    export: Callable[[Month, Path], SourceSpec]
    """Writes the hospital's own export (a folder is given); the source that reads it."""
    defect_share: float = 0.3
    platform_site: bool = False
    """The platform needs this site's own settings: its area is not the sample's."""


def _sample_lists(state: Path, clock: Clock) -> object:
    return activate_sample(state, clock.now())


def _files(made: Month, folder: Path) -> SourceSpec:
    write_csv(made, folder / "export")
    return csv_source(folder / "export")


SAMPLE = Scene(HOSPITAL, "sample_2025", ("990200",), "sample", _sample_lists, _files)


@dataclass(frozen=True, slots=True)
class Summary:
    """What the demo came to. Money in fen; `lost` and `doubled` are the platform's judgement."""

    cases: int
    mapped: int
    with_errors: int
    fixed: int
    held: int
    released: int
    accepted: int
    rejected: int
    unknown: int
    lost: int
    doubled: int
    planted: int
    planted_found: int
    groups_equal: int
    groups_different: int
    reconciled: int
    expected_fen: int
    settled_fen: int
    seconds: float

    def as_json(self) -> dict[str, int | float]:
        return asdict(self)

    @property
    def sound(self) -> bool:
        """Nothing lost, doubled or left unknown; every planted defect found; all reconciled."""
        return (
            self.lost == self.doubled == self.unknown == 0
            and self.planted_found == self.planted
            and self.reconciled == self.accepted
        )


@dataclass(frozen=True, slots=True)
class Detail:
    """What a person wants to read beside the summary."""

    differences: Mapping[str, int]
    missed: tuple[str, ...]
    killed: bool


def run(
    folder: Path, *, size: int, seed: int, clock: Clock, stage: Stage
) -> tuple[Summary, Detail]:
    """Run the whole line in `folder` (empty) with `size` discharges; twice the same for a seed."""
    with finished(folder, size=size, seed=seed, clock=clock, stage=stage) as done:
        return done


@contextmanager
def finished(
    folder: Path,
    *,
    size: int,
    seed: int,
    clock: Clock,
    stage: Stage,
    month: date = MONTH,
    later: Later = lambda _state: (),
    scene: Scene = SAMPLE,
) -> Iterator[tuple[Summary, Detail]]:
    """As `run`; the platform goes on as long as the caller stays inside.

    `later` makes months that the platform knows from the start and the hospital exports later.
    """
    began = time.monotonic()
    state, twin_state = folder / "state", folder / "platform"
    made, source = _prepare(folder, scene, month, size, seed, clock, later)
    site = state / "site.toml"
    if scene.platform_site:
        _write_site(twin_state / "site.toml", scene, "")
    with _twin(folder, twin_state, seed, stage("启动平台替身")) as address:
        _write_site(site, scene, address, source)
        with open_desk(state, site, clock=clock) as desk:
            worked = _work(desk, made, stage)
        killed = _send_and_kill(folder, state, worked.coder.released, stage("上传（中途断电一次）"))
        with open_desk(state, site, clock=clock) as desk:
            report = _settle(desk, f"{made.month:%Y-%m}", stage("取回结果与对账"))
            summary = _summary(desk, made, worked, report, address, began)
        yield summary, Detail(dict(report.reasons), worked.missed, killed)


@dataclass(frozen=True, slots=True)
class _Worked:
    """Everything up to the outbox."""

    mapped: MapReport
    judged: JudgeReport
    coder: CoderReport
    found: int
    missed: tuple[str, ...]


def _work(desk: Desk, month: Month, stage: Stage) -> _Worked:
    read_sources(desk, progress=stage("读取导出文件"))
    mapped = map_new_stays(desk, stage("映射"))
    judged = judge_new_cases(desk, stage("校验与入组"))
    found, missed = _score_findings(desk, month)
    coder = work_queue(desk, stage("处理问题"))
    exchange_stage.queue_ready(desk)
    return _Worked(mapped, judged, coder, found, missed)


def _prepare(
    folder: Path, scene: Scene, month: date, size: int, seed: int, clock: Clock, later: Later
) -> tuple[Month, SourceSpec]:
    state = folder / "state"
    for each in (state, folder / "platform"):
        each.mkdir(parents=True)
        scene.fill(each, clock)
    reference = References(state, scene.hospital).on(month)
    library = load_library(state, scene.library, day=month)
    made = generate(
        reference, library, seed=seed, month=month, size=size, defect_share=scene.defect_share
    )
    source = scene.export(made, folder)
    truths = (*made.truths, *(truth for each in later(state) for truth in each.truths))
    write_settlements(replace(made, truths=truths), folder / "settlements.jsonl")
    return made, source


def _write_site(site: Path, scene: Scene, address: str, *sources: SourceSpec) -> None:
    own = scene.hospital
    text = render_template(
        code=own.code,
        name=own.name,
        level=own.level,
        area_code=own.area_code,
        url=address,
        paasid="demo",
        opter="0001",
        opter_name="示例操作员",
        mac="00-00-00-00-00-00",
        ip="127.0.0.1",
        policy=scene.policy,
        agreed_areas=scene.agreed_areas,
        hsorg="示例市医疗保障局",
        hsorg_opter="示例经办人",
    )
    live = text.replace('mode = "observe"', 'mode = "live"', 1)
    site.write_text(live + "\n" + site_sources(*sources), encoding="utf-8")


def _score_findings(desk: Desk, month: Month) -> tuple[int, tuple[str, ...]]:
    """How many planted defects the rules found, before anyone has touched a list."""
    found, missed = 0, []
    with desk.store.read() as conn:
        for item in month.planted:
            case = cases.case_by_settlement(conn, item.setl_id)
            verdict = verdicts.latest(conn, case.id) if case else None
            rules = {finding.rule for finding in verdict.findings} if verdict else set()
            if item.rule in rules:
                found += 1
            else:
                missed.append(f"{item.setl_id} {item.rule} {item.kind}")
    return found, tuple(missed)


@contextmanager
def _twin(folder: Path, state: Path, seed: int, progress: Progress) -> Iterator[str]:
    port_file = folder / "platform.port"
    command = [
        "platform",
        "serve",
        "--state",
        str(state),
        "--port-file",
        str(port_file),
        "--settlements",
        str(folder / "settlements.jsonl"),
        "--seed",
        str(seed),
        "--other-version-share",
        str(OTHER_VERSION_SHARE),
        "--accept-repeats",
    ]
    with (folder / "platform.log").open("wb") as log:
        process = _start(command, log=log)
        try:
            yield f"http://127.0.0.1:{_port(port_file, process, progress)}"
        finally:
            process.terminate()
            process.wait(timeout=STARTING_SECONDS)


def _port(port_file: Path, process: subprocess.Popen[bytes], progress: Progress) -> int:
    deadline = time.monotonic() + STARTING_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ConfigError(f"平台替身没有启动，退出码 {process.returncode}")
        if port_file.exists() and (text := port_file.read_text().strip()):
            progress(1, 1)
            return int(text)
        time.sleep(0.02)
    raise ConfigError("平台替身没有在时限内启动")


def _send_and_kill(folder: Path, state: Path, released: int, progress: Progress) -> bool:
    """Upload in a process of its own: killed once in mid-upload, then started again."""
    half_way = max(1, released // 2)
    crash = {"DIPGATE_CRASH": f"{FaultPoint.SEND_WRITTEN.value}:{half_way}"}
    command = ["send", "--state", str(state), "--seconds", str(SENDING_SECONDS), "--json"]
    killed = False
    for environment in (crash, {}):
        with (folder / "send.log").open("ab") as log:
            process = _start(command, log=log, environment=environment)
            process.wait(timeout=SENDING_SECONDS + STARTING_SECONDS)
        killed = killed or process.returncode == -signal.SIGKILL
        progress(released // 2 if environment else released, released)
    return killed


def _start(
    arguments: list[str], *, log: IO[bytes], environment: Mapping[str, str] | None = None
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603
        [sys.executable, "-m", "dipgate", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env={
            **os.environ,
            "PYTHONSAFEPATH": "1",
            "PYTHONIOENCODING": "utf-8",
            PLATFORM_SECRET: SECRET,
            **(environment or {}),
        },
    )


def _settle(desk: Desk, month: str, progress: Progress) -> ReconcileReport:
    os.environ.setdefault(PLATFORM_SECRET, SECRET)
    exchange_stage.pull(desk, month)
    report = reconcile_stage.reconcile(desk, month)
    progress(1, 1)
    return report


def _summary(
    desk: Desk,
    month: Month,
    worked: _Worked,
    report: ReconcileReport,
    address: str,
    began: float,
) -> Summary:
    with desk.store.read() as conn:
        queue = outbox.counts(conn)
    accepted = [item.settlement_id for item in reconcile_stage.accepted_cases(desk, report.month)]
    books = _books(address, accepted)
    reasons = report.reasons
    equal = reasons[Reason.EQUAL.value]
    alone = reasons[Reason.NOT_RETURNED.value] + reasons[Reason.NOT_OURS.value]
    everything = sum(reasons.values())
    open_rows = (State.UNKNOWN, State.SENDING, State.READY, State.HELD, State.CONFLICT)
    return Summary(
        cases=len(month.stays),
        mapped=worked.mapped.mapped,
        with_errors=worked.judged.with_errors,
        fixed=worked.coder.fixed,
        held=worked.coder.held,
        released=worked.coder.released,
        accepted=queue[State.ACCEPTED],
        rejected=queue[State.REJECTED],
        unknown=sum(queue[state] for state in open_rows),
        lost=len(books["lost"]) + len(books["unexpected"]),
        doubled=len(books["doubled"]),
        planted=len(month.planted),
        planted_found=worked.found,
        groups_equal=equal,
        groups_different=everything - equal - alone,
        reconciled=everything - alone,
        expected_fen=report.expected_fen,
        settled_fen=report.settled_fen,
        seconds=round(time.monotonic() - began, 1),
    )


def _books(address: str, expected: list[str]) -> dict[str, list[str]]:
    """The platform's books on these settlements: which are lost, unexpected, doubled."""
    place = urlsplit(address)
    connection = http.client.HTTPConnection(place.hostname or "", place.port, timeout=60)
    try:
        connection.request("POST", "/twin/ledger", msgspec.json.encode({"expected": expected}))
        answer = connection.getresponse()
        body = answer.read()
    finally:
        connection.close()
    if answer.status != 200:
        raise ConfigError(f"平台替身的账本没有答复：HTTP {answer.status}")
    books: dict[str, list[str]] = msgspec.json.decode(body)
    return books

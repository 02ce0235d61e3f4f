"""Starts a twin from its options: state folder, settlements, fault plan, port."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

import msgspec
from filelock import FileLock, Timeout
from waitress.server import create_server  # type: ignore[import-untyped]
from waitress.wasyncore import close_all  # type: ignore[import-untyped]

from dipgate.config.catalogues import activate_sample
from dipgate.config.dialects import load_dialect
from dipgate.config.settings import Site, load_site
from dipgate.core.clock import Clock
from dipgate.core.errors import ConfigError
from dipgate.core.reference import Hospital
from dipgate.core.system_words import system_sentence
from dipgate.security.secret import Secret
from dipgate.twin.app import Front, make_app
from dipgate.twin.bureau import Bureau, BureauSettings
from dipgate.twin.faults import NO_FAULTS, FaultPlan, read_plan
from dipgate.twin.ledger import Ledger
from dipgate.twin.platform import Platform, Rules
from dipgate.twin.protocol import Gate, Speaker
from dipgate.twin.truths import read_truths

HOST = "127.0.0.1"
"""The twin is a test instrument: it never listens on another address."""
SAMPLE_AREA = "990100"
SAMPLE_NEIGHBOUR = "990200"
SAMPLE_HOSPITAL = Hospital("H99010000001", "示例市第一人民医院", "3", SAMPLE_AREA)
THREADS = 16
LEDGER_FILE = "twin.sqlite"
LOCK_FILE = ".twin.lock"


STOP_SECONDS = 5.0
"""How long running requests may take to end when the twin stops."""


@dataclass(frozen=True, slots=True)
class TwinOptions:
    """`state` is the twin's own folder; with a site file in it the twin plays that area's
    platform with the catalogues there, without one the fictional area with the sample."""

    state: Path
    secret: Secret[str]
    port: int = 0
    """0: any free port."""
    port_file: Path | None = None
    """Written when the twin listens; holds the port."""
    settlements: Path | None = None
    """None: unknown settlements are taken, on the uploaded content alone."""
    faults: Path | None = None
    seed: int = 1
    other_version_share: float = 0.0
    accept_repeats: bool = False


class Twin:
    """A twin that listens. `run` serves until `stop`."""

    def __init__(self, front: Front, ledger: Ledger, server: Any, lock: FileLock) -> None:
        self.front = front
        self._ledger = ledger
        self._lock = lock
        self._server = server
        self._running = threading.Lock()

    @property
    def address(self) -> str:
        return f"http://{HOST}:{self._server.effective_port}"

    def run(self) -> None:
        with self._running:
            self._server.run()

    def stop(self) -> None:
        """End `run` (which may be in another thread), running requests and open connections."""
        self.front.stopping.set()
        self.front.wait_for_late()
        if self._running.acquire(blocking=False):
            close_all(self._server._map)
        else:
            # Only the thread that runs the loop may close what the loop watches.
            # A request that ends just now may wake it first; then the trigger is closed already.
            with suppress(OSError):
                self._server.trigger.pull_trigger(lambda: close_all(self._server._map))
            self._running.acquire(timeout=STOP_SECONDS)
        self._running.release()
        self._server.task_dispatcher.shutdown(timeout=STOP_SECONDS)
        self._ledger.close()
        self._lock.release()

    def __enter__(self) -> Twin:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


def open_twin(options: TwinOptions, clock: Clock) -> Twin:
    """Build a twin and bind its port. Raises ConfigError for whatever it cannot use."""
    if not 0 <= options.other_version_share <= 1:
        raise ConfigError("--other-version-share 应在 0 到 1 之间", path="--other-version-share")
    try:
        options.state.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        sentence = system_sentence(f"不能使用替身的目录 {options.state}", error)
        raise ConfigError(sentence, path=str(options.state)) from error
    lock = _locked(options.state)
    try:
        return _built(options, clock, lock)
    except BaseException:
        lock.release()
        raise


def _locked(state: Path) -> FileLock:
    lock = FileLock(state / LOCK_FILE, thread_local=False)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise ConfigError(
            f"{state} 已有一个平台替身在运行；先结束它，或用 --state 指定另一个目录",
            path="--state",
        ) from None
    return lock


def _built(options: TwinOptions, clock: Clock, lock: FileLock) -> Twin:
    who = _identity(options.state, clock)
    hospital = who.hospital
    dialect = load_dialect(who.dialect, state=options.state)
    truths = read_truths(options.settlements) if options.settlements is not None else None
    plan = _plan(options.faults)
    ledger = Ledger(options.state / LEDGER_FILE)
    area = hospital.area_code
    bureau = Bureau(
        BureauSettings(
            state=options.state,
            hospital=hospital,
            policy_id=who.policy_id,
            agreed_areas=who.agreed_areas,
            seed=options.seed,
            other_version_share=options.other_version_share,
        ),
        clock,
    )
    front = Front(
        Gate(dialect, options.secret, ledger, clock, area_code=area),
        Speaker(ledger, clock, area_code=area),
        Platform(
            dialect,
            ledger,
            bureau,
            clock,
            truths=truths,
            rules=Rules(accept_repeats=options.accept_repeats),
        ),
        ledger,
    )
    front.set_plan(plan)
    # Cuts and half bodies are on purpose; the server's own remarks about them are noise.
    logging.getLogger("waitress").addHandler(logging.NullHandler())
    try:
        listener = socket.create_server((HOST, options.port))
    except OSError as error:
        ledger.close()
        sentence = system_sentence(f"端口 {options.port} 用不了（--port）", error)
        raise ConfigError(sentence, path="--port") from error
    server: Any = create_server(
        make_app(front, instance=options.state.resolve()),
        sockets=[listener],
        threads=THREADS,
        ident="twin",
        channel_request_lookahead=1,
        log_socket_errors=False,
        clear_untrusted_proxy_headers=True,
    )
    return Twin(front, ledger, server, lock)


def serve(
    options: TwinOptions, clock: Clock, *, ready: Callable[[str], None] = lambda _address: None
) -> None:
    """Run a twin until the process is told to end. `ready` is called with its address."""
    with open_twin(options, clock) as twin:
        if options.port_file is not None:
            _write_whole(options.port_file, twin.address.rpartition(":")[2])
        ready(twin.address)
        twin.run()


@dataclass(frozen=True, slots=True)
class _Identity:
    """Whose platform this is, and what it pays by."""

    hospital: Hospital
    policy_id: str
    agreed_areas: tuple[str, ...]
    dialect: str


def _identity(state: Path, clock: Clock) -> _Identity:
    file = state / "site.toml"
    if not file.is_file():
        activate_sample(state, clock.now())
        return _Identity(SAMPLE_HOSPITAL, "", (SAMPLE_NEIGHBOUR,), SAMPLE_AREA)
    site: Site = load_site(file)
    return _Identity(
        site.as_hospital(), site.policy.id, site.policy.agreed_areas, site.dialect_name
    )


def _plan(file: Path | None) -> FaultPlan:
    if file is None:
        return NO_FAULTS
    try:
        return read_plan(msgspec.json.decode(file.read_bytes()))
    except OSError as error:
        sentence = system_sentence(f"读不了故障计划 {file}", error)
        raise ConfigError(sentence, path=str(file)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"故障计划 {file} 不是合法的 JSON", path=str(file)) from error


def _write_whole(file: Path, text: str) -> None:
    """Whoever waits for the file never sees half of it."""
    part = file.with_name(f"{file.name}.part")
    try:
        part.write_text(text, encoding="ascii")
        os.replace(part, file)
    except OSError as error:
        sentence = system_sentence(f"写不了端口文件 {file}", error)
        raise ConfigError(sentence, path=str(file)) from error

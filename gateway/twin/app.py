"""The twin over HTTP: every request through gate, fault plan and business side.

What is wrong on purpose is decided here and nowhere else, so that the books stay right.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask, Response, request

from dipgate.core.errors import ConfigError
from dipgate.twin.faults import NO_FAULTS, Fault, FaultKind, FaultPlan, read_plan
from dipgate.twin.ledger import Ledger
from dipgate.twin.platform import Platform
from dipgate.twin.protocol import Denied, Gate, Refusal, Request, Speaker

MAX_REQUEST = 20 * 1024 * 1024
_JSON = "application/json;charset=utf-8"
_NOTICE = "系统繁忙，交易4101处理超时(300)，请稍后再试"
_POLL_SECONDS = 0.05
_LOG = logging.getLogger("dipgate.twin")

StartResponse = Callable[..., Any]
Wsgi = Callable[[dict[str, Any], StartResponse], Iterable[bytes]]


class CutOff(OSError):
    """Raised below the HTTP server: the connection closes without another byte."""


@dataclass(frozen=True, slots=True)
class Reply:
    status: int
    body: bytes
    content_type: str = _JSON
    announced: int | None = None
    """A Content-Length that the body does not reach."""


class Front:
    """One running twin: the parts, the present fault plan, and what it may never forget to stop."""

    def __init__(self, gate: Gate, speaker: Speaker, platform: Platform, ledger: Ledger) -> None:
        self.gate = gate
        self.speaker = speaker
        self.platform = platform
        self.ledger = ledger
        self.plan: FaultPlan = NO_FAULTS
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._seen = 0
        self._faults: dict[str, int] = {}
        self._late: list[threading.Thread] = []

    def set_plan(self, plan: FaultPlan) -> None:
        """A new plan counts requests from 1 again."""
        with self._lock:
            self.plan = plan
            self._seen = 0

    def fault_report(self) -> dict[str, Any]:
        with self._lock:
            return {
                "plan": self.plan.as_json(),
                "requests": self._seen,
                "faults": dict(self._faults),
            }

    def serve(
        self, path: str, headers: Mapping[str, str], body: bytes, hung_up: Callable[[], bool]
    ) -> Reply:
        """Answer one POST. Raises CutOff."""
        try:
            asked = self.gate.admit(path, headers, body)
        except Denied as denied:
            return Reply(denied.status, self.speaker.gateway(denied.status, denied.text))
        except Refusal as refusal:
            return Reply(200, self.speaker.failure(refusal.text))
        fault = self._draw(asked)
        if fault is None:
            return self._answer(asked)
        return self._spoil(fault, asked, hung_up)

    def wait_for_late(self) -> None:
        """Let late effects that are under way finish (or be abandoned, when stopping)."""
        with self._lock:
            late = list(self._late)
        for thread in late:
            thread.join()

    def _draw(self, asked: Request) -> Fault | None:
        with self._lock:
            if asked.infno not in self.plan.infno:
                return None
            self._seen += 1
            fault = self.plan.draw(self._seen)
            if fault is not None:
                self._faults[fault.kind.value] = self._faults.get(fault.kind.value, 0) + 1
            return fault

    def _answer(self, asked: Request) -> Reply:
        try:
            return Reply(200, self.speaker.success(self.platform.answer(asked)))
        except Refusal as refusal:
            return Reply(200, self.speaker.failure(refusal.text))

    def _spoil(self, fault: Fault, asked: Request, hung_up: Callable[[], bool]) -> Reply:
        kind, plan = fault.kind, self.plan
        if kind is FaultKind.HTTP_503:
            return Reply(503, "限流：请求未受理".encode(), "text/plain;charset=utf-8")
        if kind is FaultKind.FORGED_RECEIPT:
            return Reply(200, self.speaker.success({"data": {"setl_list_id": ""}}))
        if kind is FaultKind.LATE_EFFECT:
            self._take_later(asked, plan.late_seconds)
        right = self._answer(asked) if fault.commits else Reply(200, b"")
        if kind is FaultKind.SLOW:
            self.stopping.wait(plan.slow_seconds)
            return right
        if kind is FaultKind.HALF_BODY:
            half = right.body[: len(right.body) // 2]
            return Reply(200, half, announced=len(right.body))
        if kind is FaultKind.HTTP_500:
            return Reply(500, self.speaker.gateway(500, "内部服务错误"))
        if kind is FaultKind.GARBAGE:
            return Reply(200, _NOTICE.encode("gb18030"), "text/plain")
        if kind is not FaultKind.CUT:
            self._hold(plan.hold_seconds, hung_up)
        raise CutOff("cut off on purpose")

    def _hold(self, seconds: float, hung_up: Callable[[], bool]) -> None:
        left = seconds
        while left > 0 and not hung_up() and not self.stopping.wait(min(left, _POLL_SECONDS)):
            left -= _POLL_SECONDS

    def _take_later(self, asked: Request, seconds: float) -> None:
        def work() -> None:
            if self.stopping.wait(seconds):
                return
            try:
                self.platform.take(asked, late=True)
            except Refusal:
                _LOG.info("late effect refused")

        thread = threading.Thread(target=work, name="twin-late", daemon=True)
        thread.start()
        with self._lock:
            self._late = [*(item for item in self._late if item.is_alive()), thread]


def make_app(front: Front, *, instance: Path) -> Wsgi:
    """The WSGI application: the platform's paths, and `/twin/…` for whoever runs the test."""
    app = Flask("dipgate.twin", instance_path=str(instance), static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = MAX_REQUEST

    @app.get("/twin/health")
    def health() -> Response:
        return _json({"ok": True})

    @app.route("/twin/ledger", methods=["GET", "POST"])
    def ledger() -> Response:
        expected: list[str] | None = None
        if request.method == "POST":
            try:
                obj = msgspec.json.decode(request.get_data())
            except (msgspec.DecodeError, UnicodeDecodeError):
                return _json({"error": "不是合法的 JSON"}, 400)
            expected = obj.get("expected") if isinstance(obj, dict) else obj
            if not isinstance(expected, list) or not all(isinstance(i, str) for i in expected):
                return _json({"error": '应为结算 id 的数组，或 {"expected": […]}'}, 400)
        front.wait_for_late()
        return _json(front.ledger.judgement(expected))

    @app.route("/twin/faults", methods=["GET", "POST"])
    def faults() -> Response:
        if request.method == "POST":
            try:
                front.set_plan(read_plan(msgspec.json.decode(request.get_data())))
            except (msgspec.DecodeError, UnicodeDecodeError):
                return _json({"error": "不是合法的 JSON"}, 400)
            except ConfigError as error:
                return _json({"error": str(error), "path": error.path}, 400)
        return _json(front.fault_report())

    @app.post("/twin/end-sessions")
    def end_sessions() -> Response:
        front.ledger.end_sessions()
        return _json({"ok": True})

    @app.post("/<path:path>")
    def platform(path: str) -> Response:
        hung_up = request.environ.get("waitress.client_disconnected", lambda: False)
        headers = {name.lower(): value for name, value in request.headers.items()}
        try:
            reply = front.serve(f"/{path}", headers, request.get_data(), hung_up)
        except CutOff:
            # Flask would answer 500; only the layer below can hang up.
            request.environ["dipgate.twin.cut"] = True
            return Response(status=500)
        response = Response(reply.body, status=reply.status, content_type=reply.content_type)
        if reply.announced is not None:
            response.headers["Content-Length"] = str(reply.announced)
            response.automatically_set_content_length = False
        return response

    return _with_cuts(app)


def _with_cuts(app: Flask) -> Wsgi:
    def wrapped(environ: dict[str, Any], start_response: StartResponse) -> Iterable[bytes]:
        held: list[tuple[Any, ...]] = []

        def later(*args: Any) -> Callable[[bytes], object]:
            held.append(args)
            return lambda _data: None

        answer: Iterable[bytes] = app(environ, later)
        if environ.get("dipgate.twin.cut"):
            raise CutOff("cut off on purpose")
        start_response(*held[-1])
        return answer

    return wrapped


def _json(value: object, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status=status, content_type=_JSON)

"""The web server: the desk on loopback, or behind a named proxy that speaks TLS."""

from __future__ import annotations

import ipaddress
import os
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

from waitress.server import create_server  # type: ignore[import-untyped]
from waitress.wasyncore import close_all  # type: ignore[import-untyped]

from dipgate.core.errors import ConfigError
from dipgate.core.events import LogEvent
from dipgate.core.system_words import system_sentence
from dipgate.security.eventlog import log
from dipgate.web.app import create_app
from dipgate.web.context import WebContext
from dipgate.web.service import LARGEST_BODY

THREADS = 8
STOP_SECONDS = 5.0
"""How long running requests may take to end when the server stops."""
LOOPBACK_NAMES = ("127.0.0.1", "localhost", "[::1]")


@dataclass(frozen=True, slots=True)
class WebOptions:
    """Where to listen. Another address than loopback needs the proxy that speaks TLS before it."""

    host: str = "127.0.0.1"
    port: int = 8136
    """0: any free port."""
    trusted_proxy: str = ""
    """Address of the proxy whose X-Forwarded headers are believed."""

    @property
    def loopback(self) -> bool:
        return ipaddress.ip_address(self.host).is_loopback

    def check(self) -> None:
        """Raises ConfigError for an address that is none, or an open one without a proxy."""
        for key, value in (("web.host", self.host), ("web.trusted_proxy", self.trusted_proxy)):
            if value or key == "web.host":
                try:
                    ipaddress.ip_address(value)
                except ValueError:
                    raise ConfigError(f"{key} 应为 IP 地址，写的是 {value!r}", path=key) from None
        if not self.loopback and not self.trusted_proxy:
            raise ConfigError(
                f"拒绝在 {self.host} 上监听：没有加密，密码和病案会明文传输。"
                "在前面放一个带 TLS 的反向代理，把它的地址写进 web.trusted_proxy；"
                "或把 web.host 改回 127.0.0.1",
                path="web.trusted_proxy",
            )


class WebServer:
    """The desk, listening. `run` serves until `stop`, from any thread."""

    def __init__(self, web: WebContext, options: WebOptions, *, instance: Path) -> None:
        """Binds the port. Raises ConfigError when it cannot, or when a route is undeclared."""
        options.check()
        hosts = () if options.trusted_proxy else LOOPBACK_NAMES
        app = create_app(web, instance=instance, hosts=hosts)
        proxy: dict[str, Any] = {}
        if options.trusted_proxy:
            proxy = {
                "trusted_proxy": options.trusted_proxy,
                "trusted_proxy_count": 1,
                "trusted_proxy_headers": {
                    "x-forwarded-for",
                    "x-forwarded-host",
                    "x-forwarded-proto",
                },
            }
        self._options = options
        self._running = threading.Lock()
        self._server = create_server(
            app,
            sockets=[_listening(options)],
            threads=THREADS,
            ident=None,
            expose_tracebacks=False,
            # Pages refuse far less; a pushed body is the largest there is.
            max_request_body_size=LARGEST_BODY,
            clear_untrusted_proxy_headers=True,
            **proxy,
        )

    @property
    def port(self) -> int:
        return int(self._server.effective_port)

    @property
    def address(self) -> str:
        """As a browser on this machine opens it."""
        host = self._options.host if self._options.loopback else "127.0.0.1"
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}"

    def run(self) -> None:
        with self._running:
            self._server.run()

    def stop(self) -> None:
        """End `run`, which may be in another thread; requests under way may finish."""
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

    def __enter__(self) -> WebServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()


@contextmanager
def stopping_at_signals() -> Iterator[None]:
    """SIGTERM (on Windows also Ctrl-Break, which service managers send) ends the process as
    Ctrl-C does: requests finish, the store is closed."""

    def stop(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    found = (getattr(signal, name, None) for name in ("SIGTERM", "SIGBREAK"))
    numbers = [number for number in found if number is not None]
    before = [(number, signal.signal(number, stop)) for number in numbers]
    try:
        yield
    except KeyboardInterrupt:
        log(LogEvent.STOPPED)
    finally:
        for number, handler in before:
            signal.signal(number, handler)


def write_port_file(file: Path, port: int) -> None:
    """The port, written whole or not at all; for whoever waits for the server to listen."""
    temporary = file.with_name(f".{file.name}.{os.getpid()}")
    temporary.write_text(f"{port}\n", encoding="ascii")
    temporary.replace(file)


def _listening(options: WebOptions) -> socket.socket:
    family = socket.AF_INET6 if ":" in options.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    try:
        if os.name != "nt":
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((options.host, options.port))
    except OSError as error:
        listener.close()
        act = f"不能在 {options.host}:{options.port} 上监听（web.port）"
        raise ConfigError(system_sentence(act, error), path="web.port") from error
    return listener

"""One HTTP exchange with the platform, in which it is always known whether a byte has left.

`RetryLater` is raised only while nothing was written (refused, no route, TLS not agreed); from
the first written byte on, every trouble is `OutcomeUnknown`.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from email.utils import parsedate_to_datetime
from time import perf_counter
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError

from dipgate.core.errors import OutcomeUnknown, RetryLater
from dipgate.sync.envelope import MAX_BODY

_CHUNK = 64 * 1024


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, between two pieces of an answer, for the whole exchange."""

    connect: float
    read: float
    total: float


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """`body` is complete: as long as the platform said it would be."""

    status: int
    body: bytes
    their_time: datetime | None = None
    """When the platform answered by its own clock (header `Date`, whole seconds)."""


def _date_of(response: requests.Response) -> datetime | None:
    try:
        found = parsedate_to_datetime(response.headers.get("Date", ""))
    except ValueError:
        return None
    return found if found.tzinfo is not None else None


def _nothing() -> None:
    """Nobody wants to know."""


class _Progress:
    """How far the present exchange has come; shared by the connection and its caller."""

    def __init__(self) -> None:
        self.on_written: Callable[[], None] = _nothing
        self.sending = False
        self.overdue = False
        self.sock: socket.socket | None = None

    def begin(self, on_written: Callable[[], None]) -> None:
        self.on_written = on_written
        self.sending = False
        self.overdue = False

    def stop(self) -> None:
        """Called by the timer: break whatever read or write is under way."""
        self.overdue = True
        if self.sock is not None:
            try:
                self.sock.shutdown(socket.SHUT_RDWR)
            except OSError:
                self.sock = None


class Transport:
    """Keeps one connection to one platform; used by one thread at a time."""

    def __init__(
        self,
        timeouts: Timeouts,
        *,
        verify: bool | str = True,
        max_body: int = MAX_BODY,
    ) -> None:
        self._timeouts = timeouts
        self._max_body = max_body
        self._progress = _Progress()
        self._session = requests.Session()
        # Neither proxies nor passwords come from the environment: the site file alone says where.
        self._session.trust_env = False
        self._session.verify = verify
        adapter = _Adapter(self._progress)
        self._session.mount("http://", adapter)
        self._session.mount("https://", adapter)

    def post(
        self,
        url: str,
        body: bytes,
        headers: Mapping[str, str],
        *,
        on_written: Callable[[], None] = _nothing,
    ) -> HttpAnswer:
        """Send once and read the whole answer; redirects are not followed.

        `on_written` is called when the request has left and before the answer is read.
        Raises RetryLater (nothing left) or OutcomeUnknown (time-out, cut, too long).
        """
        self._progress.begin(on_written)
        began = perf_counter()
        timer = threading.Timer(self._timeouts.total, self._progress.stop)
        timer.daemon = True
        timer.start()
        try:
            with self._session.post(
                url,
                data=body,
                headers={"Accept-Encoding": "identity", **headers},
                timeout=(self._timeouts.connect, self._timeouts.read),
                allow_redirects=False,
                stream=True,
            ) as response:
                return HttpAnswer(response.status_code, self._body(response), _date_of(response))
        except (requests.RequestException, HTTPError, OSError) as error:
            raise self._classified(error, perf_counter() - began) from error
        finally:
            timer.cancel()

    def close(self) -> None:
        self._session.close()

    def _body(self, response: requests.Response) -> bytes:
        parts: list[bytes] = []
        size = 0
        for part in response.iter_content(_CHUNK):
            size += len(part)
            if size > self._max_body:
                response.close()
                raise OutcomeUnknown(f"平台应答超过 {self._max_body} 字节，未读完")
            parts.append(part)
        if self._progress.overdue:
            raise OutcomeUnknown(f"平台应答超过 {self._timeouts.total:g} 秒未读完")
        return b"".join(parts)

    def _classified(self, error: Exception, seconds: float) -> RetryLater | OutcomeUnknown:
        # The type's name only: the texts of these errors quote the address and the answer.
        kind = type(error).__name__
        if not self._progress.sending:
            return RetryLater(f"连不上平台（{kind}），没有发出任何内容")
        if self._progress.overdue or isinstance(error, requests.Timeout):
            return OutcomeUnknown(f"平台 {seconds:.1f} 秒没有应答，结果未知")
        return OutcomeUnknown(f"与平台的连接中断（{kind}），结果未知")


class _Adapter(HTTPAdapter):
    """No retries of its own, and connections that report their progress."""

    def __init__(self, progress: _Progress) -> None:
        self._pools = _pool_classes(progress)
        super().__init__(pool_connections=1, pool_maxsize=1, max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        self.poolmanager.pool_classes_by_scheme = self._pools


def _pool_classes(progress: _Progress) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def connect(self) -> None:
            super().connect()
            progress.sock = self.sock

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            progress.sending = True
            super().send(data)

        def getresponse(self) -> Any:
            progress.on_written()
            return super().getresponse()

    class Secure(HTTPSConnection):
        def connect(self) -> None:
            super().connect()
            progress.sock = self.sock

        def send(self, data: Any) -> None:
            if self.sock is None:
                self.connect()
            progress.sending = True
            super().send(data)

        def getresponse(self) -> Any:
            progress.on_written()
            return super().getresponse()

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure

    return {"http": PlainPool, "https": SecurePool}

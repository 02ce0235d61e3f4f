"""Routes of systems: a bearer token instead of a session, limits instead of a form's size.

No cookie is read and none is set, so there is nothing that another site could ride on. A token
stands in the header `Authorization` only; it is never logged.
"""

from __future__ import annotations

import codecs
import threading
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

import msgspec
from flask import Request, Response

from dipgate.core.clock import Clock
from dipgate.core.errors import RetryLater
from dipgate.store import StoreUnavailable, tokens
from dipgate.store.tokens import TokenRow
from dipgate.web.context import WebContext

LARGEST_BODY = 16 << 20
AT_ONCE = 2
"""Bodies worked on at one time; more wait their turn at the sender's side."""
PER_MINUTE = 120
"""Requests of one token in a minute."""
FAILURES = 20
"""Wrong tokens of one address in `WINDOW`; from then on it is not listened to."""
WINDOW = timedelta(minutes=1)
ADDRESSES = 10_000
"""Addresses remembered at one time."""
_SCHEME = "bearer "
_LONGEST_TOKEN = 200


@dataclass(frozen=True, slots=True)
class Call:
    """One request of a system that has shown its token."""

    web: WebContext
    request: Request
    token: TokenRow

    def header(self, name: str) -> str:
        return self.request.headers.get(name, "").strip()


@dataclass
class Gate:
    """Who asks too often, and how many are being served. One per application."""

    clock: Clock
    _moments: dict[str, deque[datetime]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _places: threading.BoundedSemaphore = field(
        default_factory=lambda: threading.BoundedSemaphore(AT_ONCE)
    )

    def wait_for(self, who: str, most: int, *, count: bool) -> float:
        """Seconds until `who` may come again; 0: now. `count` notes this coming."""
        now = self.clock.now()
        with self._lock:
            moments = self._moments.setdefault(who, deque())
            while moments and not timedelta(0) <= now - moments[0] < WINDOW:
                moments.popleft()
            if len(moments) >= most:
                return max(1.0, (WINDOW - (now - moments[0])).total_seconds())
            if count:
                moments.append(now)
            if not moments:
                del self._moments[who]
            elif len(self._moments) > ADDRESSES:
                self._moments.pop(next(iter(self._moments)))
        return 0.0

    def enter(self) -> bool:
        """Take a place if one is free; `leave` gives it back."""
        return self._places.acquire(blocking=False)

    def leave(self) -> None:
        self._places.release()


def answer(
    status: int, value: object, *, headers: Mapping[str, str] = MappingProxyType({})
) -> Response:
    """A JSON answer."""
    return Response(
        msgspec.json.encode(value),
        status=status,
        headers=dict(headers),
        content_type="application/json",
    )


def refusal(
    status: int, what: str, remedy: str, *, headers: Mapping[str, str] = MappingProxyType({})
) -> Response:
    """Why nothing was taken, and what to do; it quotes nothing that was sent."""
    return answer(status, {"error": what, "remedy": remedy}, headers=headers)


def busy(status: int, what: str, seconds: float) -> Response:
    """Nothing was taken; the same again after some seconds."""
    after = {"Retry-After": str(max(1, round(seconds)))}
    return refusal(status, what, f"{after['Retry-After']} 秒后原样再发", headers=after)


def serve(
    web: WebContext, gate: Gate, request: Request, view: Callable[[Call], Response]
) -> Response:
    """The view behind its guards: address, token, rate, room; in this order, default is no."""
    address = f"address:{request.remote_addr}"
    wait = gate.wait_for(address, FAILURES, count=False)
    if wait:
        return busy(429, "令牌错了太多次", wait)
    holder = _holder(web, request)
    if holder is None:
        gate.wait_for(address, FAILURES, count=True)
        return refusal(
            401,
            "没有令牌，或令牌不对、已停用",
            "请求头写 Authorization: Bearer 加令牌；令牌向信息科要",
            headers={"WWW-Authenticate": "Bearer"},
        )
    wait = gate.wait_for(f"token:{holder.id}", PER_MINUTE, count=True)
    if wait:
        return busy(429, f"一分钟超过 {PER_MINUTE} 次", wait)
    if not gate.enter():
        return busy(503, "正忙", 2.0)
    try:
        return view(Call(web, request, holder))
    except (StoreUnavailable, RetryLater):
        return busy(503, "现在存不下", 30.0)
    finally:
        gate.leave()


def _holder(web: WebContext, request: Request) -> TokenRow | None:
    given = request.headers.get("Authorization", "")
    if given[: len(_SCHEME)].lower() != _SCHEME:
        return None
    token = given[len(_SCHEME) :].strip()
    if not token.isascii() or not token.startswith(tokens.PREFIX) or len(token) > _LONGEST_TOKEN:
        return None
    with web.desk.store.read() as conn:
        return tokens.holder_of(conn, token)


def body_of(request: Request) -> bytes | Response:
    """The whole body of a JSON request, or why it is not read."""
    length = request.content_length
    if length is None:
        return refusal(411, "没有写内容的长度", "写 Content-Length，或用完整的分块传输")
    if length > LARGEST_BODY:
        return refusal(413, f"内容超过 {LARGEST_BODY >> 20} MB", "分几次推送，每次带自己的消息号")
    if request.mimetype != "application/json":
        return refusal(415, "内容不是 JSON", "Content-Type 写 application/json")
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        return refusal(415, "内容是压缩的", "不压缩再发")
    request.max_content_length = LARGEST_BODY
    data = request.get_data(cache=False)
    if len(data) != length:
        return refusal(400, "内容没有收完整", "原样再发")
    return data


def charset_of(request: Request) -> str:
    """What the sender says the bytes are, as Python names it; as written when it is unknown."""
    given = request.mimetype_params.get("charset", "")
    try:
        name = codecs.lookup(given).name if given else ""
    except (LookupError, ValueError):
        return given
    return "utf-8" if name == "utf-8-sig" else name

"""The sending job: released lists into the outbox, and in mode `live` out of it.

One round takes what was released, then sends for a few seconds and comes back, so that a list
released meanwhile is queued soon. The sender itself, with breaker and session, lives on.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from dipgate.core.errors import ConfigError
from dipgate.core.exchange import State
from dipgate.pipeline import exchange_stage
from dipgate.pipeline.desk import Desk
from dipgate.service.worker import Done, Pulse
from dipgate.store import StaleOwner, cases, outbox
from dipgate.sync.client import PlatformClient
from dipgate.sync.sender import Sender

LOOK_SECONDS = 2.0
"""How soon a released list is noticed when nobody asked."""
ROUND_SECONDS = 5.0
RETRY_SECONDS = 60.0
"""After a failure that a person must mend (no secret, no address): look again."""


class SendJob:
    """The work of the sending thread. Used by that thread only."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._client: PlatformClient | None = None
        self._sender: Sender | None = None

    def __call__(self, pulse: Pulse) -> Done:
        """One round. Raises ConfigError while the platform is not configured; the next round
        begins anew then."""
        try:
            return self._round(pulse)
        except StaleOwner:
            raise
        except ConfigError:
            self.close()
            raise

    def close(self) -> None:
        """End the connection to the platform; the next round opens one."""
        client, self._client, self._sender = self._client, None, None
        if client is not None:
            client.close()

    def _round(self, pulse: Pulse) -> Done:
        self._queue_released()
        if self._desk.site.platform.mode != "live":
            return Done(f"影子方式：报文备好，{self._waiting()}，什么也不传", again=LOOK_SECONDS)
        due = self._next_due()
        now = self._desk.clock.now()
        if due is None or due > now:
            return self._idle(due)
        pulse.said = f"正在上传，{self._waiting()}"
        until = now + timedelta(seconds=ROUND_SECONDS)
        self._opened().drain(
            lambda: pulse.interrupted or self._desk.clock.now() >= until,
            lambda seconds: pulse.wait(min(seconds, LOOK_SECONDS)),
        )
        return self._idle(self._next_due(), at_once=True)

    def _queue_released(self) -> None:
        with self._desk.store.read() as conn:
            released = cases.cases_in(conn, states=("ready",), limit=1)
        if released:
            exchange_stage.queue_ready(self._desk)

    def _next_due(self) -> datetime | None:
        with self._desk.store.read() as conn:
            return outbox.next_due(conn)

    def _opened(self) -> Sender:
        if self._sender is None:
            self._client = exchange_stage.open_client(self._desk)
            self._sender = Sender(
                self._desk.store, self._client, self._client.dialect, self._desk.clock
            )
        return self._sender

    def _idle(self, due: datetime | None, *, at_once: bool = False) -> Done:
        if due is None:
            return Done("没有等着上传的清单", again=LOOK_SECONDS)
        left = (due - self._desk.clock.now()).total_seconds()
        again = 0.0 if at_once and left <= 0 else min(max(left, 0.0), LOOK_SECONDS)
        return Done(self._waiting(), again=again)

    def _waiting(self) -> str:
        with self._desk.store.read() as conn:
            counts = outbox.counts(conn)
        ready, unknown = counts[State.READY] + counts[State.SENDING], counts[State.UNKNOWN]
        words = [f"{ready:,} 份等待上传"] if ready or not unknown else []
        words += [f"{unknown:,} 份等平台答复"] if unknown else []
        return "，".join(words)

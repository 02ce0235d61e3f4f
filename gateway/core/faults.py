"""Named points at which a test may kill the process; no-ops unless told otherwise.

`DIPGATE_CRASH=name:n` in the environment kills our own process (SIGKILL where there is one)
at the n-th pass of that point. A fault test names its point; the enum is the full list.
"""

from __future__ import annotations

import os
import signal
from enum import StrEnum


class FaultPoint(StrEnum):
    INTAKE_RAW_STORED = "intake.raw_stored"
    """Raw bytes are on disk, their rows are not yet committed."""
    PIPELINE_STAGE_COMPUTED = "pipeline.stage_computed"
    """A stage has its result in memory, nothing is committed."""
    SEND_CLAIMED = "send.claimed"
    """The row is SENDING and committed; no byte has left."""
    SEND_WRITTEN = "send.written"
    """The request has left; the answer has not been read."""
    SEND_ANSWERED = "send.answered"
    """The receipt is in memory; it is not committed."""
    RESULT_STORED = "result.stored"
    """A page of results is committed; the next page is not asked for yet."""
    GROUP_CHUNK_WRITTEN = "group.chunk_written"
    """Results of a chunk are in the output; the checkpoint does not know of them yet."""
    GROUP_CHECKPOINT = "group.checkpoint"
    """The checkpoint of a chunk is on disk; the next chunk is not begun."""


_passes: dict[str, int] = {}


def faultpoint(point: FaultPoint) -> None:
    """Die here if `DIPGATE_CRASH` names this point and this pass; otherwise do nothing."""
    wanted = os.environ.get("DIPGATE_CRASH")
    if not wanted:
        return
    name, _, count = wanted.partition(":")
    if name != point.value:
        return
    _passes[name] = _passes.get(name, 0) + 1
    if _passes[name] == int(count or "1"):
        os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))

"""A fault point kills only the named point at the named pass."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from dipgate.core.faults import FaultPoint, faultpoint

SCRIPT = """
from dipgate.core.faults import FaultPoint, faultpoint
for n in range(1, 4):
    faultpoint(FaultPoint.SEND_WRITTEN)
    faultpoint(FaultPoint.SEND_CLAIMED)
    print(n, flush=True)
"""


@pytest.mark.parametrize(
    ("wanted", "printed"),
    [("send.claimed:2", ["1"]), ("send.claimed", []), ("other:1", ["1", "2", "3"])],
)
def test_the_process_dies_at_the_pass_named(wanted: str, printed: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "DIPGATE_CRASH": wanted, "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout.split() == printed
    assert (done.returncode == 0) == (wanted == "other:1")


def test_without_the_variable_nothing_happens() -> None:
    for point in FaultPoint:
        faultpoint(point)

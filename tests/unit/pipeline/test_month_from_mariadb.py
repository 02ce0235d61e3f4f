"""A month from MariaDB views to reconciled results, on the national lists and a city's library."""

from __future__ import annotations

import sys
from pathlib import Path

import pymysql
import pytest

from dipgate.core.progress import silent
from dipgate.demo.run import finished
from dipgate.service.clock import SystemClock

pytestmark = pytest.mark.shared_data


def test_a_small_month_goes_through_whole(
    checkout: Path, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The sender is killed once on the way; the platform's own books say what arrived."""
    monkeypatch.setattr(sys, "path", [str(checkout / "tests" / "benchmarks"), *sys.path])
    import national

    try:
        with national.scene(shared) as scene:
            with finished(
                tmp_path / "run",
                size=60,
                seed=7,
                clock=SystemClock(),
                stage=lambda _title: silent,
                scene=scene,
            ) as (summary, detail):
                assert summary.sound, summary
                assert detail.killed
                assert summary.mapped == 60
                assert summary.groups_equal > 40
    except pymysql.err.OperationalError as error:
        pytest.skip(
            f"no MariaDB ({type(error).__name__}): start one and name it in {national.VARIABLE}, "
            f"for example {national.USUAL}"
        )

"""A site's own dialect file is what its sender speaks."""

from __future__ import annotations

from pathlib import Path

from dipgate.core.clock import FixedClock
from dipgate.pipeline.exchange_stage import dialect_of
from dipgate.service.wiring import open_desk


def test_the_file_in_the_state_folder_wins(sample_state: Path, clock: FixedClock) -> None:
    own = sample_state / "dialects"
    own.mkdir()
    (own / "990100.yaml").write_text(
        'extends: national\nid: "990100"\ntitle: 本地\nsettle_seconds: "77"\n', encoding="utf-8"
    )
    with open_desk(sample_state, sample_state / "site.toml", clock=clock) as desk:
        assert dialect_of(desk).settle_seconds == 77

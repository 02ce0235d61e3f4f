"""What a whole-year run says of its pace."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dipgate.pipeline.bulk_group import Job, Pace, run
from dipgate.pipeline.bulk_group_book import BookNames
from dipgate.pipeline.bulk_group_read import Source
from dipgate.pipeline.bulk_group_write import Sink


class Listener:
    """What a run says of its pace."""

    def __init__(self) -> None:
        self.heard: list[Pace] = []

    def begun(self, source: Source, sink: Sink, *, resumed: bool, dropped: bool) -> None:
        """Nothing is kept of it."""

    def pace(self, pace: Pace) -> None:
        self.heard.append(pace)


def test_what_is_left_is_told_from_the_chunks_after_the_start(
    sample_state: Path, case_files: Any
) -> None:
    """The first chunk opens policy and library and may compile: half a minute is no pace."""
    file = case_files.write(case_files.rows(4000), "c.parquet")
    times, listener = iter([0.0, 30.0, 31.0, 32.0, 33.0]), Listener()
    names = BookNames(str(sample_state), str(sample_state / "site.toml"))
    job = Job(file, names)
    run(job, listener, write=lambda _: None, tell=lambda _: None, now=lambda: next(times))
    assert [pace.left for pace in listener.heard] == [None, 2.0, 1.0, 0.0]
    assert [pace.part for pace in listener.heard] == [0.25, 0.5, 0.75, 1.0]
    assert [round(pace.rate) for pace in listener.heard] == [33, 65, 94, 121]

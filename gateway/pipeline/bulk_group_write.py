"""Where the results of a whole-year run go: a file that a killed run goes on with, or a stream.

Results are appended to `OUT.part`, rows to mend to `OUT.aside.jsonl.part`, and after each chunk
`OUT.checkpoint` says how far both are good. A later run of the same job cuts what came after that
and goes on there, so the file that comes out is the one of an uninterrupted run.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from dipgate.core.errors import ConfigError
from dipgate.core.faults import FaultPoint, faultpoint
from dipgate.core.hashing import content_hash
from dipgate.pipeline.bulk_group_ids import WIDTH, SeenIds
from dipgate.pipeline.bulk_group_read import Chunk, Position, arrow
from dipgate.pipeline.bulk_group_work import CSV_HEAD, Aside, Done, Form, Totals, result_schema

ROW_GROUP = 20_000
_FORMAT = 2
_ENDINGS = {
    ".jsonl": Form.JSON,
    ".json": Form.JSON,
    ".csv": Form.CSV,
    ".parquet": Form.PARQUET,
    ".pq": Form.PARQUET,
}


def form_of(out: Path) -> Form:
    """By the ending of the name. Raises ConfigError for one that is not known."""
    form = _ENDINGS.get(out.suffix.lower())
    if form is None:
        raise ConfigError(
            f"不知道 {out.name} 要写成什么格式；结尾可用 .jsonl、.csv、.parquet", path="--out"
        )
    if form is Form.PARQUET:
        arrow()
    return form


class Sink(Protocol):
    """Takes chunks in order. `start` is where the first of them has to begin."""

    start: Position
    totals: Totals
    seen: SeenIds

    def take(self, chunk: Chunk, done: Done) -> None: ...

    def finish(self) -> None: ...

    def close(self) -> None: ...


class StreamSink:
    """JSON Lines to a stream as they come; rows to mend are told, not kept."""

    def __init__(self, write: Callable[[bytes], None], tell: Callable[[Aside], None]) -> None:
        self.start = Position()
        self.totals = Totals()
        self.seen = SeenIds()
        self._write = write
        self._tell = tell

    def take(self, chunk: Chunk, done: Done) -> None:  # noqa: ARG002 - the protocol's
        self.totals.merge(done.totals)
        for aside in done.asides:
            self._tell(aside)
        self._write(done.out)

    def finish(self) -> None:
        """Nothing is left to do."""

    def close(self) -> None:
        """Nothing to give back."""


@dataclass(frozen=True, slots=True)
class _Names:
    """Files of one run, all beside `out`."""

    out: Path

    @property
    def part(self) -> Path:
        return self.out.with_name(self.out.name + ".part")

    @property
    def aside(self) -> Path:
        return aside_file(self.out)

    @property
    def aside_part(self) -> Path:
        return self.aside.with_name(self.aside.name + ".part")

    @property
    def ids(self) -> Path:
        """Ids of the cases so far, for a later run that goes on."""
        return self.out.with_name(self.out.name + ".ids.part")

    @property
    def checkpoint(self) -> Path:
        return self.out.with_name(self.out.name + ".checkpoint")


def aside_file(out: Path) -> Path:
    """Where the rows to mend of a run are listed."""
    return out.with_name(out.name + ".aside.jsonl")


def files_beside(out: Path) -> tuple[Path, ...]:
    """Every other file that a run to `out` may write or take away."""
    names = _Names(out)
    endings = (".new", ".lock", ".checkpoint.new")
    return (
        names.part,
        names.aside,
        names.aside_part,
        names.ids,
        names.checkpoint,
        *(out.with_name(out.name + ending) for ending in endings),
    )


class FileSink:
    """The file `out`, complete or not there. `job` names everything that the results depend on.

    `marks` False: chunks say nothing of where they end in the file, so none is gone on from.
    """

    def __init__(self, out: Path, form: Form, job: str, *, marks: bool = True) -> None:
        self._marks = marks
        self._names = _Names(out)
        self._form = form
        self._job = job
        self.start = Position()
        self.totals = Totals()
        self.seen = SeenIds()
        self.other_job = False
        """What was there of an unfinished run was of another job, and has been dropped."""
        self.complete = False
        """Only the last step of an earlier run is left to do."""
        self._lock = _Lock(out)
        self._lock.take()
        try:
            self._open()
        except BaseException:
            self._lock.give_back()
            raise

    def _open(self) -> None:
        self._out: BinaryIO
        self._aside: BinaryIO
        self._ids: BinaryIO
        held = self._checkpoint()
        if held is None:
            self._out = self._names.part.open("w+b")
            self._aside = self._names.aside_part.open("w+b")
            self._ids = self._names.ids.open("w+b")
            if self._form is Form.CSV:
                self._out.write(CSV_HEAD)
            return
        self.start = Position(held["offset"], held["row"])
        self.totals = Totals.from_json(held["totals"])
        self.complete = held["complete"]
        self._out = _cut(self._names.part, held["out"])
        self._aside = _cut(self._names.aside_part, held["aside"])
        self._ids = _cut(self._names.ids, held["ids"])
        self._ids.seek(0)
        while entries := self._ids.read(WIDTH * ROW_GROUP):
            self.seen.repeated(entries)
        self.seen.unchecked = self.totals.unchecked

    def _checkpoint(self) -> dict[str, Any] | None:
        """What an earlier run of this job left, if all of it is still there."""
        names = self._names
        try:
            held: dict[str, Any] = json.loads(names.checkpoint.read_bytes())
            lengths = [path.stat().st_size for path in (names.part, names.aside_part, names.ids)]
        except (OSError, ValueError):
            return None
        if held.get("format") != _FORMAT or held.get("job") != self._job:
            self.other_job = True
            return None
        wanted = held["out"], held["aside"], held["ids"]
        whole = all(there >= want for there, want in zip(lengths, wanted, strict=True))
        return held if whole else None

    def take(self, chunk: Chunk, done: Done) -> None:
        self.totals.merge(done.totals)
        self._out.write(_framed(done.out) if self._form is Form.PARQUET else done.out)
        for aside in done.asides:
            self._aside.write(aside.line())
        self._ids.write(done.ids)
        if self._marks:
            self._mark(chunk.after)

    def _mark(self, after: Position, *, complete: bool = False) -> None:
        for part in (self._out, self._aside, self._ids):
            part.flush()
            os.fsync(part.fileno())
        faultpoint(FaultPoint.GROUP_CHUNK_WRITTEN)
        self.start = after
        held = {
            "format": _FORMAT,
            "job": self._job,
            "offset": after.offset,
            "row": after.row,
            "out": self._out.tell(),
            "aside": self._aside.tell(),
            "ids": self._ids.tell(),
            "totals": self.totals.as_json(),
            "complete": complete,
        }
        new = self._names.checkpoint.with_name(self._names.checkpoint.name + ".new")
        with new.open("wb") as stream:
            stream.write(json.dumps(held, ensure_ascii=False).encode())
            stream.flush()
            os.fsync(stream.fileno())
        new.replace(self._names.checkpoint)
        faultpoint(FaultPoint.GROUP_CHECKPOINT)

    def finish(self) -> None:
        """Everything has been taken: `out` takes its name, the checkpoint goes."""
        names = self._names
        self._mark(self.start, complete=True)
        if self._form is Form.PARQUET:
            _write_parquet(self._out, names.out)
            self._out.close()
            names.part.unlink()
        else:
            self._out.close()
            names.part.replace(names.out)
        empty = not self._aside.tell()
        self._aside.close()
        if empty:
            names.aside_part.unlink()
            names.aside.unlink(missing_ok=True)
        else:
            names.aside_part.replace(names.aside)
        self._ids.close()
        names.checkpoint.unlink()
        names.ids.unlink()

    def close(self) -> None:
        self._out.close()
        self._aside.close()
        self._ids.close()
        if not self._names.checkpoint.exists():
            # Nothing that a later run could go on with.
            self._names.part.unlink(missing_ok=True)
            self._names.aside_part.unlink(missing_ok=True)
            self._names.ids.unlink(missing_ok=True)
        self._lock.give_back()


class _Lock:
    """One run at a time writes to a file."""

    def __init__(self, out: Path) -> None:
        from filelock import FileLock

        self._path = out.with_name(out.name + ".lock")
        self._lock = FileLock(self._path, timeout=0)

    def take(self) -> None:
        from filelock import Timeout

        try:
            self._lock.acquire()
        except Timeout as error:
            raise ConfigError(
                "另一个 dipgate group 正在写这个文件；等它做完，或换一个 --out", path="--out"
            ) from error

    def give_back(self) -> None:
        self._lock.release()
        self._path.unlink(missing_ok=True)


def _cut(path: Path, length: int) -> BinaryIO:
    stream = path.open("r+b")
    stream.truncate(length)
    stream.seek(length)
    return stream


def _framed(data: bytes) -> bytes:
    """An Arrow stream with its length before it: streams stand one after the other."""
    return len(data).to_bytes(8, "big") + data


def _write_parquet(spool: BinaryIO, out: Path) -> None:
    """The spooled batches as one Parquet file with row groups of equal size."""
    pa = arrow()
    schema = result_schema(pa)
    new = out.with_name(out.name + ".new")
    spool.seek(0)
    held: list[Any] = []
    rows = 0
    with pa.parquet.ParquetWriter(new, schema, compression="zstd") as writer:
        while head := spool.read(8):
            data = spool.read(int.from_bytes(head, "big"))
            with pa.ipc.open_stream(pa.BufferReader(data)) as stream:
                held.append(stream.read_next_batch())
            rows += held[-1].num_rows
            while rows >= ROW_GROUP:
                table = pa.Table.from_batches(held, schema)
                writer.write_table(table.slice(0, ROW_GROUP), row_group_size=ROW_GROUP)
                held = table.slice(ROW_GROUP).to_batches()
                rows -= ROW_GROUP
        if rows:
            writer.write_table(pa.Table.from_batches(held, schema), row_group_size=ROW_GROUP)
    with new.open("rb") as stream:
        os.fsync(stream.fileno())
    new.replace(out)


def job_of(parts: list[str]) -> str:
    """The name of a job: the same where the same results must come out."""
    return content_hash(parts)

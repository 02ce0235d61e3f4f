"""The same worker under Spark: `mapInArrow` over Parquet, or over records spooled to Parquet.

For a region that owns a cluster (docs/whole-years.md says when). On one machine plain processes
are several times as fast. Every executor must see the state folder under the same path, and have
dipgate installed.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from dipgate.core.errors import ConfigError, Place
from dipgate.pipeline.bulk_group_book import Book, BookNames
from dipgate.pipeline.bulk_group_pool import Orders
from dipgate.pipeline.bulk_group_read import Chunk, Position, Source, arrow, named, stream_of
from dipgate.pipeline.bulk_group_work import Aside, Done, Totals, result_schema
from dipgate.pregrouper.batch import LIST_RESULTS, RESULT_COLUMNS, group_batch

BATCH = 2000
"""Records of one Arrow batch, and of one call of the batch function."""
_BATCHES_OF_PART = 5
"""Batches that come back to the driver in one piece: some megabytes."""
_SPOOL_ROWS = 50_000
_ROW = "row_number_of_dipgate"
_ANSWER = "first long, next long, rows long, out binary, asides binary, totals string, ids binary"


_NEEDS = (
    "--engine spark 需要 pyspark、pandas、pyarrow 和 Java 17；安装：pip install 'dipgate[spark]'，"
    "Java 由系统安装（Debian：openjdk-17-jre-headless）"
)


def check_spark() -> None:
    """Raises ConfigError when Spark cannot be started here, before anything is done.

    pandas: mapInArrow asks for it, though no frame of it is made here.
    """
    if any(importlib.util.find_spec(name) is None for name in ("pyspark", "pandas", "pyarrow")):
        raise ConfigError(_NEEDS, path="pyspark")
    if not (os.environ.get("JAVA_HOME") or shutil.which("java")):
        raise ConfigError(_NEEDS, path="java")


def session(processes: int = 1) -> Any:
    """The Spark session: the cluster's as `spark-submit` or the configuration say, else local.

    Raises ConfigError when pyspark or Java are not there.
    """
    check_spark()
    try:
        from pyspark import SparkConf
        from pyspark.errors import PySparkRuntimeError
        from pyspark.sql import SparkSession
    except ImportError as error:
        raise ConfigError(_NEEDS, path="pyspark") from error
    builder = SparkSession.builder.appName("dipgate group")
    if not SparkConf().get("spark.master"):
        builder = builder.master(f"local[{processes}]")
        # Executors of this machine run in this environment, not in the first python3 of PATH.
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
        for key, value in {
            "spark.ui.enabled": "false",
            "spark.sql.shuffle.partitions": "4",
            "spark.ui.showConsoleProgress": "false",
            # Answers go straight to the driver: by way of the store they fill its memory.
            "spark.task.maxDirectResultSize": "64m",
            "spark.driver.memory": "2g",
        }.items():
            builder = builder.config(key, value)
    try:
        return builder.getOrCreate()
    except PySparkRuntimeError as error:
        raise ConfigError(
            "Spark 起不来，多半是没有 Java；安装 Java 17（Debian：openjdk-17-jre-headless）",
            path="java",
        ) from error


def work_on_spark(
    orders: Orders, source: Source, start: Position, file: Path, processes: int
) -> Generator[tuple[Chunk, Done], None, None]:
    """As `work_here`; batches come back in the order of the file once all are done."""
    spark = session(processes)
    from pyspark import StorageLevel

    spark.conf.set("spark.sql.execution.arrow.maxRecordsPerBatch", str(BATCH))
    spool = Path(tempfile.mkdtemp(prefix="dipgate-spark-"))
    try:
        if source.shape.kind == "parquet":
            cases = _parquet(spark, file, source, start)
        else:
            _spool(source, start, spool)
            cases = spark.read.parquet(str(spool))
        # Kept before it is sorted: a sort looks at its input twice.
        answers = cases.mapInArrow(partial(_answers, orders), _ANSWER)
        answers = answers.persist(StorageLevel.DISK_ONLY)
        # The driver takes one part at a time: parts of the whole file's size would not get through.
        parts = max(1, answers.count() // _BATCHES_OF_PART)
        ordered = answers.repartitionByRange(parts, "first").sortWithinPartitions("first")
        for index, row in enumerate(ordered.toLocalIterator()):
            yield _taken(index, row)
        answers.unpersist()
    finally:
        shutil.rmtree(spool, ignore_errors=True)
        spark.stop()


def _taken(index: int, row: Any) -> tuple[Chunk, Done]:
    asides = [msgspec.json.decode(line, type=Aside) for line in bytes(row["asides"]).splitlines()]
    totals = Totals.from_json(json.loads(row["totals"]))
    chunk = Chunk(index, row["rows"], Position(row["next"] - 1, row["next"]))
    return chunk, Done(index, bytes(row["out"]), tuple(asides), totals, bytes(row["ids"]))


def _parquet(spark: Any, file: Path, source: Source, start: Position) -> Any:
    from pyspark.sql import functions as f

    frame = spark.read.parquet(str(file))
    row = (f.col("_metadata.row_index") + 1).alias(_ROW)
    pairs = zip(frame.columns, source.shape.header, strict=True)
    columns = [f.col(f"`{heading}`").alias(name) for heading, name in pairs if name]
    return frame.select(row, *columns).where(f.col(_ROW) >= start.row)


def _spool(source: Source, start: Position, folder: Path) -> None:
    """Records of a text file as Parquet parts: row number and bytes."""
    pa = arrow()
    kinds = pa.schema([(_ROW, pa.int64()), ("raw", pa.binary())])
    held: dict[str, list[Any]] = {name: [] for name in kinds.names}
    part = 0
    for chunk in source.chunks(start):
        for number, record in chunk.records:
            held[_ROW].append(number)
            held["raw"].append(record)
        if len(held[_ROW]) >= _SPOOL_ROWS:
            pa.parquet.write_table(pa.table(held, kinds), folder / f"{part:06d}.parquet")
            held, part = {name: [] for name in kinds.names}, part + 1
    pa.parquet.write_table(pa.table(held, kinds), folder / f"{part:06d}.parquet")


def _answers(orders: Orders, batches: Iterator[Any]) -> Iterator[Any]:
    """What runs in the executors: one worker per task, one answer per batch."""
    pa = arrow()
    worker = None
    for batch in batches:
        if not batch.num_rows:
            continue
        worker = worker or orders.worker()
        rows = batch.column(_ROW).to_pylist()
        chunk = _chunk(pa, batch, rows)
        done = worker.work(chunk)
        yield pa.RecordBatch.from_pydict(
            {
                "first": [rows[0]],
                "next": [chunk.after.row],
                "rows": [len(rows)],
                "out": [done.out],
                "asides": [b"".join(aside.line() for aside in done.asides)],
                "totals": [json.dumps(done.totals.as_json(), ensure_ascii=False)],
                "ids": [done.ids],
            }
        )


def _chunk(pa: Any, batch: Any, rows: list[int]) -> Chunk:
    names = batch.schema.names
    if "raw" in names:
        records = tuple(zip(rows, batch.column("raw").to_pylist(), strict=True))
        return Chunk(0, len(rows), Position(0, rows[-1] + 1), records)
    if rows[-1] - rows[0] != len(rows) - 1:
        raise ValueError("rows of a Parquet batch do not follow one another")
    cases = pa.RecordBatch.from_arrays(
        [batch.column(name) for name in names if name != _ROW],
        [name for name in names if name != _ROW],
    )
    return Chunk(0, len(rows), Position(0, rows[-1] + 1), arrow=stream_of(pa, cases), first=rows[0])


def judged(cases: Any, names: BookNames) -> Any:
    """A data frame of cases (docs/whole-years.md) → one of results, wherever both lie.

    For a site's own Spark program: nothing passes through the driver, and the order is Spark's.
    """
    header, _ = named(list(cases.columns), Place())
    pairs = zip(cases.columns, header, strict=True)
    chosen = [cases[f"`{heading}`"].alias(name) for heading, name in pairs if name]
    lists, fen = set(LIST_RESULTS), {"amount_fen"}
    kinds = [
        f"{name} {'array<string>' if name in lists else 'long' if name in fen else 'string'}"
        for name in RESULT_COLUMNS
    ]
    work: Callable[[Iterator[Any]], Iterator[Any]] = partial(_judged, names)
    return cases.select(*chosen).mapInArrow(work, ", ".join(kinds))


def _judged(names: BookNames, batches: Iterator[Any]) -> Iterator[Any]:
    pa = arrow()
    schema = result_schema(pa)
    book = None
    for batch in batches:
        book = book or Book(names)
        columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
        yield pa.RecordBatch.from_pydict(group_batch(columns, book), schema)

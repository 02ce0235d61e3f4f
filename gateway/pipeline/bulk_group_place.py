"""May a run write to this place? Nothing that somebody needs is written over.

A file that is there already is replaced only when it is itself a result of `dipgate group`.
"""

from __future__ import annotations

import json
from pathlib import Path

from dipgate.core.errors import ConfigError
from dipgate.pipeline.bulk_group_read import arrow
from dipgate.pipeline.bulk_group_work import CSV_HEAD, Form
from dipgate.pregrouper.batch import RESULT_COLUMNS

_KEYS = frozenset(("case", "status", "score_status"))
_LONGEST_LINE = 4_000_000


def check_place(out: Path, beside: tuple[Path, ...], form: Form, source: Path) -> None:
    """Raises ConfigError when `out` or a file that the run keeps `beside` it must not be written.

    `source` is the case file; it may have other names (links), so files are compared, not names.
    """
    if not out.parent.is_dir():
        raise ConfigError(f"没有目录 {out.parent}；先建好，或换一个 --out", path="--out")
    if out.is_dir():
        raise ConfigError(f"{out} 是目录；--out 要写一个文件名", path="--out")
    for place in (out, *beside):
        if place.exists() and place.samefile(source):
            raise ConfigError(
                f"结果会写进病例文件本身（{place.name} 就是 {source.name}）；换一个 --out",
                path="--out",
            )
    if out.exists() and not _is_ours(out, form):
        raise ConfigError(
            f"{out} 已经存在，而且不是 dipgate group 写出的结果，不覆盖；换一个 --out，或先移走它",
            path="--out",
        )


def _is_ours(out: Path, form: Form) -> bool:
    """An earlier result of this command, or a file that holds nothing."""
    if not out.is_file():
        return False
    if not out.stat().st_size:
        return True
    if form is Form.PARQUET:
        pa = arrow()
        try:
            return bool(pa.parquet.read_schema(out).names == list(RESULT_COLUMNS))
        except (pa.ArrowInvalid, OSError):
            return False
    with out.open("rb") as stream:
        if form is Form.CSV:
            return stream.read(len(CSV_HEAD)) == CSV_HEAD
        line = stream.readline(_LONGEST_LINE)
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return False
    return isinstance(found, dict) and found.keys() >= _KEYS

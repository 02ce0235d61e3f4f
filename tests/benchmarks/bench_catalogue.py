"""A 40,000-row workbook into the state folder, against calamine's bare read of the same file.

Both are measured in turn in one process, the best of several rounds each: only the ratio counts.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import xlsxwriter
from python_calamine import CalamineWorkbook

from dipgate.config.catalogues import import_catalogue

ROWS = 40_000
ROUNDS = 5
GOAL = 3.0
HEADINGS = (
    "code",
    "name",
    "dagger_code",
    "category3",
    "category3_name",
    "subcategory4",
    "subcategory4_name",
    "chapter",
    "n_finer_codes_in_subcategory",
)


def write_workbook(path: Path) -> None:
    """Nine columns shaped like the national list; codes and names are made up."""
    book = xlsxwriter.Workbook(str(path), {"constant_memory": True})
    sheet = book.add_worksheet()
    sheet.write_row(0, 0, HEADINGS)
    for number in range(ROWS):
        letter, rest = chr(ord("A") + number // 1600), number % 1600
        category = f"{letter}{rest // 16:02d}"
        code = f"{category}.{rest % 16 // 2}00x{rest % 2 + 1:03d}"
        name = f"第{number}号虚构的疾病名称（部位未特指）"
        cells = (code, name, code, category, "虚构类目", code[:5], "虚构亚目", "第一章", "2")
        sheet.write_row(number + 1, 0, cells)
    book.close()


def seconds(work: Callable[[], None]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> int:
    now = datetime(2025, 1, 1, tzinfo=UTC)
    with tempfile.TemporaryDirectory() as folder:
        state, file = Path(folder) / "state", Path(folder) / "icd10.xlsx"
        write_workbook(file)

        def bare() -> None:
            rows = CalamineWorkbook.from_path(file).get_sheet_by_index(0).to_python()
            assert len(rows) == ROWS + 1

        def imported(number: int) -> None:
            day = date(2025, 1, 1) + timedelta(days=number)
            report = import_catalogue(state, "icd10", f"v{number}", day, file, now=now)
            assert report.rows == ROWS

        imported(0)  # modules are loaded once; what is measured is the work
        pairs = [
            (seconds(bare), seconds(lambda at=number: imported(at)))  # type: ignore[misc]
            for number in range(1, ROUNDS + 1)
        ]
    base, ours = (min(column) for column in zip(*pairs, strict=True))
    ratio = ours / base
    line = {
        "bench": "catalogue",
        "rows": ROWS,
        "bare_read_seconds": round(base, 3),
        "import_seconds": round(ours, 3),
        "ratio": round(ratio, 2),
        "goal": f"<= {GOAL}",
        "met": ratio <= GOAL,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return 0 if ratio <= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())

"""What is strange about an imported library: counts, codes, expressions, scores (pure functions).

`check_library` says; it refuses nothing. An `error` must not be grouped with, a `warning` is for a
person to look at, a `note` is only said.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from statistics import median

from dipgate.config.library_ops import DNF, GRAMMARS, ROLE, Grammar, codes_of, key_of, strange
from dipgate.config.library_rows import EVERY_DIAGNOSIS, key_of_row, values_of
from dipgate.config.library_workbook import Facts
from dipgate.core.codes import strip_marks
from dipgate.core.library import PART_KINDS, LibraryData, LibraryRow, NotMain

ERROR, WARNING, NOTE = "error", "warning", "note"
SHOWN = 5
"""Rows that a remark names; the rest are counted."""
MAX_CV = Decimal("0.7")
"""A basic group must not vary more (dip-grouping.md 2); more is worth a look in any group."""
TOLERANCE = Decimal("0.001")
"""Scores are printed rounded: what share of a score may differ from mean / M × 1000."""
NATIONAL = ("XQ", "BX", "FZ", "JC")


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing found. `rows` are the first ones; `count` is how many there are."""

    kind: str
    level: str
    what: str
    count: int
    rows: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Checked:
    """`counts` by kind beside `expected`; `mean` is the M that scores and mean fees agree on."""

    label: str
    edition: str
    partial: bool
    rows: int
    counts: Mapping[str, int]
    expected: Mapping[str, int]
    parts: Mapping[str, int]
    expected_parts: Mapping[str, int]
    conservative: Mapping[str, int]
    scored: int
    mean: Decimal | None
    remarks: tuple[Remark, ...]

    @property
    def errors(self) -> int:
        return sum(remark.level == ERROR for remark in self.remarks)


@dataclass(frozen=True, slots=True)
class Known:
    """Codes of the imported catalogues; None: not imported."""

    diagnoses: frozenset[str] | None = None
    operations: frozenset[str] | None = None


def check_library(data: LibraryData, national: Facts, known: Known) -> Checked:
    """Everything that can be said about a library without a case."""
    counts = Counter(row.kind for row in data.rows)
    numbered = any(layer in counts for layer in NATIONAL)
    expected = national.rows_by_layer() if numbered else {}
    expected_parts = national.rows_by_part() if numbered else {}
    parts = part_sizes(data)
    scored = sum(row.score is not None for row in data.rows)
    mean = derived_mean(data.rows)
    remarks = [
        *_counts(data, counts, expected, parts, expected_parts),
        *_expressions(data),
        *_repeated(data.rows),
        *_codes(data, known),
        *_statistics(data.rows, scored),
        *_scores(data.rows, mean),
        *_parts(data),
    ]
    order = (ERROR, WARNING, NOTE)
    return Checked(
        label=data.label,
        edition=data.edition,
        partial=data.partial,
        rows=len(data.rows),
        counts=dict(counts),
        expected=expected,
        parts=parts,
        expected_parts=expected_parts,
        conservative=dict(Counter(row.kind for row in data.rows if is_conservative(row))),
        scored=scored,
        mean=mean,
        remarks=tuple(sorted(remarks, key=lambda remark: order.index(remark.level))),
    )


def part_sizes(data: LibraryData) -> dict[str, int]:
    """Kind of part → entries, for the parts that are there."""
    found = {kind: getattr(data.parts, kind.replace("-", "_")) for kind in PART_KINDS}
    return {kind: len(part) for kind, part in found.items() if part is not None}


def is_conservative(row: LibraryRow) -> bool:
    """A row for cases without an operation that counts."""
    return row.treatment_class == "保守治疗" and not (row.main_ops or row.op_expression)


def derived_mean(rows: Iterable[LibraryRow]) -> Decimal | None:
    """M of score = mean / M × 1000: the middle one of what the rows say; None without both."""
    found = [row.average_fee * 1000 / row.score for row in rows if row.average_fee and row.score]
    if not found:
        return None
    mean = format(round(median(found), 6), "f")
    return Decimal(mean.rstrip("0").rstrip("."))


def operations_of(row: LibraryRow) -> tuple[str, str]:
    """(principal, related) expressions of a row, from whichever columns it has."""
    if row.op_expression:
        main, _, related = row.op_expression.partition(ROLE)
        return main, related
    return row.main_ops, row.other_ops


# --- the checks ----------------------------------------------------------------------------


def _counts(
    data: LibraryData,
    counts: Mapping[str, int],
    expected: Mapping[str, int],
    parts: Mapping[str, int],
    expected_parts: Mapping[str, int],
) -> Iterator[Remark]:
    level = NOTE if data.partial else ERROR
    for layer, rows in expected.items():
        if counts.get(layer, 0) != rows:
            yield Remark(
                "counts", level, f"{layer} 有{counts.get(layer, 0)}行，国家方案是{rows}行", 1
            )
    for kind, rows in expected_parts.items():
        if kind not in parts:
            yield Remark("parts", WARNING, f"没有附表 {kind}（国家方案有{rows}行）", 1)
        elif parts[kind] != rows:
            yield Remark("parts", level, f"附表 {kind} 有{parts[kind]}行，国家方案是{rows}行", 1)


def _expressions(data: LibraryData) -> Iterator[Remark]:
    bad: list[tuple[LibraryRow, str]] = []
    city = {name: Grammar(GRAMMARS) for name in _COLUMNS}
    national = {name: Grammar(DNF) for name in _COLUMNS}
    for row in data.rows:
        grammars = national if row.kind in NATIONAL else city
        for name in _COLUMNS:
            text: str = getattr(row, name)
            what = strange(text) or (grammars[name].mixed(row.row, text) if text else None)
            if what:
                bad.append((row, what))
    yield from _remark("expressions", ERROR, "手术操作表达式读不通", bad)


_COLUMNS = ("main_ops", "other_ops", "op_expression")


def _repeated(rows: Iterable[LibraryRow]) -> Iterator[Remark]:
    first: dict[object, LibraryRow] = {}
    bad = []
    for row in rows:
        twin = first.setdefault(key_of_row(values_of(row)), row)
        if twin is not row:
            bad.append((row, f"与 {twin.group_code} 完全相同"))
    yield from _remark("repeated", ERROR, "诊断、手术操作和条件重复的病种", bad)


def _codes(data: LibraryData, known: Known) -> Iterator[Remark]:
    if known.diagnoses is None:
        yield Remark("diagnoses", NOTE, "没有导入 icd10 目录，没有核对诊断编码", 0)
    else:
        prefixes = {code[:size] for code in known.diagnoses for size in (3, 5)}
        bad_dx = []
        for row in data.rows:
            for key in filter(None, f"{row.dx_code}|{row.secondary_dx}".split("|")):
                if row.kind != "未入组" and not _known_dx(key, known.diagnoses, prefixes):
                    bad_dx.append((row, f"诊断 {key}"))
        yield from _remark("diagnoses", WARNING, "诊断不在 icd10 目录里的病种", bad_dx)
    if known.operations is None:
        yield Remark("operations", NOTE, "没有导入 icd9cm3 目录，没有核对手术操作编码", 0)
        return
    stems = {code[:7] for code in known.operations} | {code[:5] for code in known.operations}
    bad_op = [
        (row, f"手术操作 {code}")
        for row in data.rows
        for code in dict.fromkeys(part for text in operations_of(row) for part in codes_of(text))
        if code not in known.operations and not (len(code) < 7 and code in stems)
    ]
    yield from _remark("operations", WARNING, "手术操作不在 icd9cm3 目录里的病种", bad_op)


def _known_dx(key: str, codes: frozenset[str], prefixes: set[str]) -> bool:
    """Ranges, chapters and words of a city's own are not looked up."""
    bare = strip_marks(key)
    if key == EVERY_DIAGNOSIS or "-" in key or len(bare) < 3 or not bare[1:3].isdigit():
        return True
    return bare in prefixes or key in codes or bare in codes


def _statistics(rows: Iterable[LibraryRow], scored: int) -> Iterator[Remark]:
    groups = [row for row in rows if row.kind != "未入组"]
    if not scored:
        yield Remark("scores", NOTE, "目录没有分值（国家方案不带分值），不能算钱", len(groups))
    else:
        yield from _remark(
            "scores", WARNING, "没有分值的病种", ((row, "") for row in groups if not row.score)
        )
        yield from _remark(
            "fees",
            WARNING,
            "没有平均费用的病种",
            ((row, "") for row in groups if not row.average_fee),
        )
    wide = [row for row in groups if row.cv is not None and row.cv > MAX_CV]
    yield from _remark(
        "basic-cv",
        WARNING,
        f"变异系数大于 {MAX_CV} 的基层病种",
        ((row, f"变异系数 {row.cv}") for row in wide if row.is_basic),
    )
    yield from _remark(
        "cv",
        NOTE,
        f"变异系数大于 {MAX_CV} 的病种",
        ((row, f"变异系数 {row.cv}") for row in wide),
    )
    yield from _remark(
        "sub-rows", NOTE, "辅助分型的行", ((row, row.sub_label) for row in rows if row.parent_code)
    )


def _scores(rows: Iterable[LibraryRow], mean: Decimal | None) -> Iterator[Remark]:
    if mean is None:
        return
    bad = []
    for row in rows:
        if row.score and row.average_fee:
            score = row.average_fee * 1000 / mean
            if abs(score - row.score) > max(row.score * TOLERANCE, Decimal("0.01")):
                bad.append((row, f"分值 {row.score}，按平均费用应为 {score:.4f}"))
    yield from _remark("mean", WARNING, f"分值与 平均费用 ÷ {mean} × 1000 不符的病种", bad)


def _parts(data: LibraryData) -> Iterator[Remark]:
    parts = data.parts
    codes = {row.group_code for row in data.rows}
    named = (
        ("coefficients", (item.group_code for item in parts.coefficients or ())),
        ("average-fees", (item.group_code for item in parts.average_fees or ())),
        ("tcm-map", (item.group_code for item in parts.tcm_map or () if item.group_code)),
    )
    for kind, groups in named:
        absent = sorted(set(groups) - codes - {"*"})
        if absent:
            what = f"附表 {kind} 写了目录里没有的病种"
            yield Remark(kind, WARNING, what, len(absent), tuple(absent[:SHOWN]))
    if parts.primary_care is not None:
        keys = {(row.dx_code, key_of(operations_of(row)[0])) for row in data.rows}
        absent = [
            f"第{item.row}行 {item.dx_code} {item.main_ops or item.treatment}"
            for item in parts.primary_care
            if (item.dx_code, key_of(item.main_ops)) not in keys
        ]
        if absent:
            level = NOTE if data.partial else WARNING
            what = "附表 primary-care 的病种在目录里没有对应的行"
            yield Remark("primary-care", level, what, len(absent), tuple(absent[:SHOWN]))
    if parts.ops_not_main is not None:
        barred = {
            code
            for code, item in parts.ops_not_main.items()
            if item.treatment is not NotMain.LIMITED
        }
        yield from _remark(
            "unreachable",
            WARNING,
            "主要手术操作都不可作为主要手术操作、到不了的病种",
            (
                (row, row.main_ops)
                for row in data.rows
                if row.kind in ("BX", "FZ", "JC")
                and row.main_ops
                and barred.issuperset(codes_of(row.main_ops))
            ),
        )
    if parts.severity is not None:
        tables = {item.exclusion for item in parts.severity.values() if item.exclusion}
        absent = sorted(tables - set(parts.severity_exclusions or ()))
        if absent:
            what = "附表 severity 用到、severity-exclusions 里没有的排除表"
            yield Remark("severity", WARNING, what, len(absent), tuple(absent[:SHOWN]))


def _remark(
    kind: str, level: str, what: str, bad: Iterable[tuple[LibraryRow, str]]
) -> Iterator[Remark]:
    found = list(bad)
    if found:
        rows = tuple(
            f"第{row.row}行 {row.group_code}" + (f"：{said}" if said else "")
            for row, said in found[:SHOWN]
        )
        yield Remark(kind, level, what, len(found), rows)

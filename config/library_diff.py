"""What changed between two versions of a DIP library: rows added, removed, changed (pure).

A row is found again by its key (layer, diagnosis, operations, condition), whatever its number is
now; what is left is paired by its code and diagnosis, so that a change of the operations shows as
a change.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from dipgate.config.library_check import operations_of
from dipgate.config.library_ops import key_of
from dipgate.config.library_rows import key_of_row, values_of
from dipgate.core.library import (
    PART_KINDS,
    AgeLabel,
    Coefficient,
    LevelFee,
    LibraryData,
    LibraryParts,
    LibraryRow,
    PrimaryCareRow,
    TcmRow,
)

ADDED, REMOVED, CHANGED = "added", "removed", "changed"
COMPARED: Mapping[str, str] = {
    "group_code": "编码",
    "kind": "类型",
    "ops": "手术操作",
    "condition": "条件",
    "secondary_dx": "其他诊断",
    "treatment_class": "治疗方式",
    "score": "分值",
    "average_fee": "平均费用",
    "average_stay": "平均住院日",
    "cv": "变异系数",
    "case_count": "病例数",
    "is_basic": "基层病种",
    "group_factor": "基层病种系数",
    "dx_name": "诊断名称",
    "parent_code": "上级病种",
    "sub_label": "辅助分型",
    "op_level": "手术级别",
}
"""What is compared → its word. `ops` are principal and related operations together."""
NUMBERS = ("score", "average_fee")
"""Differences that are also said as a share."""


@dataclass(frozen=True, slots=True)
class Field:
    """One difference; texts as the library prints them, empty for none."""

    name: str
    before: str
    after: str

    @property
    def share(self) -> Decimal | None:
        """Growth against `before` in percent, for scores and fees that both have."""
        if self.name not in NUMBERS or not self.before or not self.after:
            return None
        before = Decimal(self.before)
        return (Decimal(self.after) - before) * 100 / before if before else None


@dataclass(frozen=True, slots=True)
class Change:
    """One row that is new, gone or different. `row` is the later one where there are two."""

    kind: str
    row: LibraryRow
    fields: tuple[Field, ...] = ()


@dataclass(frozen=True, slots=True)
class PartChange:
    """Entries of one part: None where that version does not have it."""

    kind: str
    before: int | None
    after: int | None
    added: int
    removed: int
    changed: int


def changes(old: LibraryData, new: LibraryData) -> Iterator[Change]:
    """Every change, in the order of the new version; rows that are gone come last."""
    pairs, gone = _paired(old.rows, new.rows)
    for row in new.rows:
        before = pairs.get(row.group_code)
        if before is None:
            yield Change(ADDED, row)
            continue
        differences = tuple(_differences(before, row))
        if differences:
            yield Change(CHANGED, row, differences)
    for row in gone:
        yield Change(REMOVED, row)


def part_changes(old: LibraryParts, new: LibraryParts) -> tuple[PartChange, ...]:
    """Parts that differ."""
    found = []
    for kind in PART_KINDS:
        before, after = (_entries(getattr(parts, kind.replace("-", "_"))) for parts in (old, new))
        if before == after:
            continue
        first, second = before or Counter(), after or Counter()
        added, removed = second - first, first - second
        changed = len({key for key, _ in added} & {key for key, _ in removed})
        found.append(
            PartChange(
                kind,
                None if before is None else before.total(),
                None if after is None else after.total(),
                added.total() - changed,
                removed.total() - changed,
                changed,
            )
        )
    return tuple(found)


def sentence(change: Change) -> str:
    """One change in words."""
    row = change.row
    name = f"{row.group_code}（{row.dx_code} {row.dx_name}）" if row.dx_name else row.group_code
    if change.kind == CHANGED:
        return f"变更 {name}：{'；'.join(map(_difference, change.fields))}"
    word = "新增" if change.kind == ADDED else "取消"
    told = [f"{row.kind}", _operations(row) or row.treatment_class or "无手术操作"]
    if row.condition:
        told.append(row.condition)
    if row.score is not None:
        told.append(f"分值 {row.score}")
    return f"{word} {name}：{'，'.join(told)}"


# --- pairs ---------------------------------------------------------------------------------


def _paired(
    old: Iterable[LibraryRow], new: Iterable[LibraryRow]
) -> tuple[dict[str, LibraryRow], tuple[LibraryRow, ...]]:
    """(code of the new row → old row, old rows without a new one)."""
    by_key: dict[tuple[object, ...], list[LibraryRow]] = {}
    for row in old:
        by_key.setdefault(_row_key(row), []).append(row)
    pairs: dict[str, LibraryRow] = {}
    left: list[LibraryRow] = []
    for row in new:
        found = by_key.get(_row_key(row))
        if found:
            pairs[row.group_code] = found.pop(0)
        else:
            left.append(row)
    by_code = {(row.group_code, row.dx_code): row for found in by_key.values() for row in found}
    for row in left:
        before = by_code.pop((row.group_code, row.dx_code), None)
        if before is not None:
            pairs[row.group_code] = before
    return pairs, tuple(by_code.values())


def _row_key(row: LibraryRow) -> tuple[object, ...]:
    return key_of_row(values_of(row))


def _differences(before: LibraryRow, after: LibraryRow) -> Iterator[Field]:
    first, second = values_of(before), values_of(after)
    for name in COMPARED:
        if name == "ops":
            if tuple(map(key_of, operations_of(before))) != tuple(
                map(key_of, operations_of(after))
            ):
                yield Field(name, _operations(before), _operations(after))
        elif _plain(first[name]) != _plain(second[name]):
            yield Field(name, first[name], second[name])


def _plain(text: str) -> str:
    """`100.50` and `100.5` are the same number."""
    return text.rstrip("0").rstrip(".") if "." in text and text[0].isdigit() else text


def _operations(row: LibraryRow) -> str:
    main, related = operations_of(row)
    return f"{main} 伴 {related}" if related else main


def _difference(field: Field) -> str:
    word = COMPARED[field.name]
    if field.name == "is_basic":
        return f"{word} {'是' if field.before else '否'} → {'是' if field.after else '否'}"
    said = f"{word} {field.before or '无'} → {field.after or '无'}"
    return said if field.share is None else f"{said}（{field.share:+.2f}%）"


# --- parts ---------------------------------------------------------------------------------


_KEY_COLUMNS: Mapping[type, int] = {
    PrimaryCareRow: 2,
    AgeLabel: 1,
    Coefficient: 3,
    LevelFee: 3,
    TcmRow: 3,
}
"""How many of the first fields (but the row number) name an entry of a part that is a tuple."""


def _entries(part: object) -> Counter[tuple[object, object]] | None:
    """Entries of a part as (key, content), without their row numbers."""
    if part is None:
        return None
    if isinstance(part, Mapping):
        return Counter((key, _content(value)) for key, value in part.items())
    if not isinstance(part, (frozenset, tuple)):
        raise TypeError(type(part).__name__)
    found: Counter[tuple[object, object]] = Counter()
    for value in part:
        content = _content(value)
        size = _KEY_COLUMNS.get(type(value))
        found[content[:size] if isinstance(content, tuple) else content, content] += 1
    return found


def _content(value: object) -> object:
    names = getattr(value, "__dataclass_fields__", None)
    if names is None:
        return value
    return tuple(getattr(value, name) for name in names if name != "row")

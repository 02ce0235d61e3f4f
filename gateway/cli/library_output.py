"""How `dipgate library check|diff` print what they found: words, JSON or CSV."""

from __future__ import annotations

import csv
import sys
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import click

from dipgate.cli.frame import print_json

if TYPE_CHECKING:
    from dipgate.config.library_check import Checked
    from dipgate.config.library_diff import Change, PartChange

_LEVELS = {"error": "错误", "warning": "警告", "note": "说明"}
_KINDS = {"added": "新增", "removed": "取消", "changed": "变更"}


def print_checked(checked: Checked, *, as_json: bool) -> None:
    """What a check found, for a person or as one JSON object."""
    if as_json:
        print_json(
            {
                "label": checked.label,
                "edition": checked.edition,
                "partial": checked.partial,
                "rows": checked.rows,
                "counts": dict(checked.counts),
                "expected": dict(checked.expected),
                "parts": dict(checked.parts),
                "expected_parts": dict(checked.expected_parts),
                "conservative": dict(checked.conservative),
                "scored": checked.scored,
                "mean": None if checked.mean is None else str(checked.mean),
                "errors": checked.errors,
                "remarks": [
                    {
                        "kind": remark.kind,
                        "level": remark.level,
                        "what": remark.what,
                        "count": remark.count,
                        "rows": list(remark.rows),
                    }
                    for remark in checked.remarks
                ],
            }
        )
        return
    part = "（节选）" if checked.partial else ""
    click.echo(f"{checked.label}：DIP {checked.edition}{part}，{checked.rows} 行")
    for kind, rows in checked.counts.items():
        expected = checked.expected.get(kind)
        against = "" if expected is None else f"（国家方案 {expected}）"
        conservative = checked.conservative.get(kind, 0)
        click.echo(f"  {kind} {rows} 行{against}，其中保守治疗 {conservative} 行")
    for kind, rows in checked.parts.items():
        expected = checked.expected_parts.get(kind)
        against = "" if expected is None else f"（国家方案 {expected}）"
        click.echo(f"  附表 {kind} {rows} 条{against}")
    if checked.mean is not None:
        click.echo(f"由分值与平均费用推出的地区平均费用 M = {checked.mean} 元")
    for remark in checked.remarks:
        number = f"：{remark.count} 处" if remark.rows else ""
        click.echo(f"{_LEVELS[remark.level]}：{remark.what}{number}")
        for row in remark.rows:
            click.echo(f"    {row}")
        if remark.count > len(remark.rows) > 0:
            click.echo(f"    ……另有 {remark.count - len(remark.rows)} 处")
    if not checked.errors:
        click.echo("没有错误")


class Counted:
    """Numbers of a comparison as its changes go by."""

    def __init__(self, before: int, after: int) -> None:
        self.before, self.after = before, after
        self.kinds: Counter[str] = Counter()
        self.fields: Counter[str] = Counter()

    def add(self, change: Change) -> None:
        self.kinds[change.kind] += 1
        self.fields.update(field.name for field in change.fields)

    @property
    def same(self) -> int:
        return self.after - self.kinds["added"] - self.kinds["changed"]


class Out(Protocol):
    """One way to print a comparison: change by change, then the end."""

    def change(self, change: Change) -> None: ...

    def end(self, old: str, new: str, counted: Counted, parts: Sequence[PartChange]) -> None: ...


class WordsOut:
    """Sentences."""

    def change(self, change: Change) -> None:
        from dipgate.config.library_diff import sentence

        click.echo(sentence(change))

    def end(self, old: str, new: str, counted: Counted, parts: Sequence[PartChange]) -> None:
        from dipgate.config.library_diff import COMPARED

        numbers = "，".join(f"{word} {counted.kinds[kind]}" for kind, word in _KINDS.items())
        versions = f"{old}（{counted.before} 行）→ {new}（{counted.after} 行）"
        click.echo(f"{versions}：{numbers}，不变 {counted.same}")
        if counted.fields:
            told = "，".join(
                f"{word} {counted.fields[name]}"
                for name, word in COMPARED.items()
                if counted.fields[name]
            )
            click.echo(f"变更的内容：{told}")
        for part in parts:
            click.echo(
                f"附表 {part.kind}：{_size(part.before)} → {_size(part.after)}，"
                f"新增 {part.added}，取消 {part.removed}，变更 {part.changed}"
            )


class JsonOut:
    """One object per change, the numbers at the end."""

    def change(self, change: Change) -> None:
        row = change.row
        print_json(
            {
                "change": change.kind,
                "group_code": row.group_code,
                "kind": row.kind,
                "dx_code": row.dx_code,
                "dx_name": row.dx_name,
                "row": row.row,
                "fields": {
                    field.name: {"before": field.before, "after": field.after}
                    for field in change.fields
                },
            }
        )

    def end(self, old: str, new: str, counted: Counted, parts: Sequence[PartChange]) -> None:
        print_json(
            {
                "before": old,
                "after": new,
                "rows_before": counted.before,
                "rows_after": counted.after,
                **{kind: counted.kinds[kind] for kind in _KINDS},
                "same": counted.same,
                "fields": dict(counted.fields),
                "parts": [
                    {
                        "kind": part.kind,
                        "before": part.before,
                        "after": part.after,
                        "added": part.added,
                        "removed": part.removed,
                        "changed": part.changed,
                    }
                    for part in parts
                ],
            }
        )


class CsvOut:
    """One line per difference; the numbers go to the error stream, so that the table stays one."""

    def __init__(self) -> None:
        self._out = csv.writer(sys.stdout, lineterminator="\n")
        self._out.writerow(("变更", "类型", "病种编码", "诊断", "名称", "内容", "原值", "现值"))

    def change(self, change: Change) -> None:
        from dipgate.config.library_diff import COMPARED

        row = change.row
        head = (_KINDS[change.kind], row.kind, row.group_code, row.dx_code, row.dx_name)
        if not change.fields:
            self._out.writerow((*head, "", "", ""))
        for field in change.fields:
            self._out.writerow((*head, COMPARED[field.name], field.before, field.after))

    def end(self, old: str, new: str, counted: Counted, parts: Sequence[PartChange]) -> None:  # noqa: ARG002
        numbers = "，".join(f"{word} {counted.kinds[kind]}" for kind, word in _KINDS.items())
        click.echo(f"{old} → {new}：{numbers}，不变 {counted.same}", err=True)


def _size(rows: int | None) -> str:
    return "没有" if rows is None else f"{rows} 条"

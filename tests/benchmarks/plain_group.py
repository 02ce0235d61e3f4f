"""The plain way to group: dictionaries and one loop, right for cases without surprises.

What a careful programmer writes in an afternoon for one area: rows of a subcategory in the order
in which they win, the first one whose operations are all there, else the category with the class
of the principal operation, else the blank group. Group and points come out; no warnings, no
losers, no reasons, no other area's rules.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

from dipgate.core.library import LibraryRow

PlainCase = tuple[str, Sequence[str]]
"""Principal diagnosis, operations in order."""
Points = Decimal | None
Need = tuple[str, frozenset[str], str, Points]
"""Principal operation (empty: conservative), all operations, group code, points."""

_CLASSES = {"手术": "手术", "介入治疗": "手术"}


class PlainGrouper:
    """Rows whose operations are written `MAIN_RELATED+RELATED`, without alternatives."""

    def __init__(
        self,
        rows: Iterable[LibraryRow],
        classes: Mapping[str, str],
        known_dx: Mapping[str, str],
        related_first: bool,
        blank: str,
    ) -> None:
        self.known_dx = known_dx
        self.rows: dict[str, list[Need]] = {}
        self.rest: dict[tuple[str, str], tuple[str, Points]] = {}
        self.classes = {
            code: _CLASSES.get(word, word) or "保守治疗" for code, word in classes.items()
        }
        every = list(rows)
        self.blank = next(
            ((row.group_code, row.score) for row in every if row.group_code == blank), ("", None)
        )
        held = [row for row in every if row.kind not in ("未入组", "未入组兜底")]
        # The row that wins comes first: more related operations if the area says so, then dearer.
        held.sort(key=lambda row: (-related_first * _terms(row), -(row.score or 0), row.row))
        for row in held:
            if row.kind == "综合":
                place = (row.dx_code, row.treatment_class)
                self.rest.setdefault(place, (row.group_code, row.score))
                continue
            main, _, related = row.op_expression.partition("_")
            need = frozenset(code for code in (main, *related.split("+")) if code)
            entry = (main, need, row.group_code, row.score)
            self.rows.setdefault(row.dx_code, []).append(entry)

    def group_all(self, cases: Iterable[PlainCase]) -> list[tuple[str, Points]]:
        """Group code and points of each case."""
        rows, rest, classes, blank = self.rows, self.rest, self.classes, self.blank
        known = self.known_dx
        found = []
        for dx, ops in cases:
            if dx not in known:
                found.append(("", None))
                continue
            used = [op for op in ops if op in classes]
            have = set(used)
            first = used[0] if used else ""
            words = {classes[op] for op in used}
            conservative = not words or words == _NOTHING
            for main, need, code, points in rows.get(dx[:5], ()):
                if (main == first and need <= have) if main else conservative:
                    found.append((code, points))
                    break
            else:
                word = classes[first] if first else "保守治疗"
                found.append(rest.get((dx[:3], word)) or blank)
        return found


_NOTHING = {"保守治疗"}


def _terms(row: LibraryRow) -> int:
    return len(row.op_expression.replace("_", "+").split("+"))

"""Row errors of an import: every one is counted, the first ones are shown."""

from __future__ import annotations

from collections.abc import Sequence

from dipgate.core.errors import Place, RecordError

SHOWN_ERRORS = 20


class BadRows(RecordError):
    """A file that was not imported, with every broken row (the first `SHOWN_ERRORS` kept)."""

    def __init__(self, file: str, errors: Sequence[RecordError], count: int) -> None:
        self.errors = tuple(errors)
        self.count = count
        lines = "".join(f"\n  {error}" for error in errors)
        more = f"\n  ……另有{count - len(errors)}行" if count > len(errors) else ""
        super().__init__(
            f"共{count}行有错，整个文件没有导入；改正后重新导入：{lines}{more}", place=Place(file)
        )


class RowErrors:
    """Collects row errors: all are counted, the first `SHOWN_ERRORS` kept."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.kept: list[RecordError] = []
        self.count = 0

    def add(self, row: int, field: str, what: str, remedy: str) -> None:
        self.take(RecordError(what, place=Place(self.file, row, field), remedy=remedy))

    def take(self, error: RecordError) -> None:
        self.count += 1
        if len(self.kept) < SHOWN_ERRORS:
            self.kept.append(error)

    def check(self) -> None:
        """Raises BadRows when there was any."""
        if self.count:
            raise BadRows(self.file, self.kept, self.count)

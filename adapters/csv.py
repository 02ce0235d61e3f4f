"""Files: a folder of delimited exports, one glob per canonical table.

The delimiter is a comma or a tab, whichever the header shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from dipgate.adapters.delimited import Record, records
from dipgate.adapters.registry import AdapterKind
from dipgate.adapters.rows import RowPlace, codec_of, decoded, raw_row, rejected, surely_utf8
from dipgate.adapters.whole_files import FileAt, FolderSource, Head, columns_of
from dipgate.core.errors import RecordError
from dipgate.core.record import Cell, RawRow, Rejected, SeenColumn, SourceAdapter, SourceSpec
from dipgate.security.secret import Secret

_BOM = b"\xef\xbb\xbf"


@dataclass(frozen=True, slots=True)
class CsvReader:
    """Rows and rejects of delimited files of one charset."""

    codec: str

    def items(self, file: FileAt, data: bytes) -> Iterator[RawRow | Rejected]:
        try:
            data = self._as_cuttable(data)
            header, delimiter = self._header(data)
            columns = columns_of(header, file.table)
        except RecordError as error:
            yield file.aside(None, error.place.field, error)
            return
        for position, record in enumerate(records(data, delimiter, len(header))):
            if position == 0:
                continue
            yield self._row(file, record, columns)

    def head(self, file: FileAt, data: bytes, limit: int) -> Head:  # noqa: ARG002
        """Columns and first rows. RecordError when the file cannot be cut into records."""
        data = self._as_cuttable(data)
        header, delimiter = self._header(data)
        found = islice(records(data, delimiter, len(header)), 1, limit + 1)
        rows = tuple(
            dict(zip(header, map(self._seen, record.cells), strict=True))
            for record in found
            if not record.problem
        )
        return tuple(SeenColumn(name) for name in header), rows

    def _seen(self, cell: bytes) -> Cell:
        """The cell's own bytes; text where UTF-16 was cut as UTF-8."""
        return cell.decode() if self.codec.startswith("utf-16") else cell

    def _as_cuttable(self, data: bytes) -> bytes:
        """Bytes whose records can be cut: without BOM; UTF-16 as UTF-8."""
        if self.codec.startswith("utf-16"):
            try:
                data = data.decode(self.codec).encode()
            except UnicodeDecodeError:
                raise RecordError(
                    f"文件不是合法的 {self.codec}", remedy="核对来源声明的字符集"
                ) from None
        elif self.codec != "utf-8" and not data.startswith(_BOM) and surely_utf8(data):
            raise RecordError(
                f"文件的内容是 UTF-8，而来源声明为 {self.codec}",
                remedy="把来源的 charset 改为 utf-8，或按声明的字符集重新导出",
            )
        if data.startswith(_BOM):
            if not self._reads_utf8:
                raise RecordError(
                    f"文件带 UTF-8 的 BOM，而来源声明为 {self.codec}",
                    remedy="把来源的 charset 改为 utf-8，或按声明的字符集重新导出",
                )
            data = data[len(_BOM) :]
        if not data.strip():
            raise RecordError("文件是空的", remedy="重新导出；至少要有表头")
        return data

    @property
    def _reads_utf8(self) -> bool:
        return self.codec == "utf-8" or self.codec.startswith("utf-16")

    @property
    def _cell_codec(self) -> str:
        return "utf-8" if self._reads_utf8 else self.codec

    def _header(self, data: bytes) -> tuple[list[str], bytes]:
        start = len(data) - len(data.lstrip(b"\r\n"))
        end = data.find(b"\n", start)
        first = data[start:] if end < 0 else data[start:end]
        delimiter = b"\t" if b"\t" in first else b","
        record = next(records(data, delimiter))
        if record.problem:
            raise RecordError(f"表头{record.problem}", remedy="重新导出该文件")
        names = []
        for number, cell in enumerate(record.cells, start=1):
            try:
                names.append(decoded(cell, self._cell_codec, f"第{number}格").strip())
            except RecordError as error:
                raise RecordError(
                    f"表头读不出：{error.what}", remedy="核对来源声明的字符集（charset）"
                ) from error
        return names, delimiter

    def notes(self, file: FileAt, data: bytes) -> tuple[str, ...]:  # noqa: ARG002
        return ()

    def beside(self, path: Path) -> tuple[Path, ...]:  # noqa: ARG002
        return ()

    def _row(self, file: FileAt, record: Record, columns: dict[str, int]) -> RawRow | Rejected:
        place = RowPlace(file.name, record.line, file.raw_hash)
        if record.problem:
            return rejected(
                file.table, place, "", record.problem, "检查这一行的引号和分隔符后重新导出"
            )
        values: dict[str, str] = {}
        column = ""
        try:
            for column, index in columns.items():
                values[column] = decoded(record.cells[index], self._cell_codec, column)
            column = file.table.key
            return raw_row(file.table, place, values)
        except RecordError as error:
            return file.aside(record.line, column, error)


def _open(spec: SourceSpec, password: Secret[str] | None) -> SourceAdapter:  # noqa: ARG001
    codec = codec_of(spec)
    return FolderSource(spec, CsvReader(codec), codec)


ADAPTER = AdapterKind("csv", _open, "folder", whole_objects=True)

"""DBF tables: a folder of dBASE and FoxPro files with their memo files, one glob per table.

Text is decoded strictly by the charset that the site declares; numbers and dates are taken as they
stand in the file. Records marked as deleted are passed over.
"""

from __future__ import annotations

import shutil
import struct
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from dbfread import DBF, FieldParser, MissingMemoFile

from dipgate.adapters.registry import AdapterKind
from dipgate.adapters.rows import RowPlace, codec_of, decoded, raw_row
from dipgate.adapters.views import cell_text
from dipgate.adapters.whole_files import FileAt, FolderSource, Head, columns_of
from dipgate.core.errors import RecordError
from dipgate.core.record import RawRow, Rejected, SeenColumn, SourceAdapter, SourceSpec
from dipgate.security.secret import Secret

MEMOS = (".fpt", ".dbt")
_LANGUAGES: Mapping[int, str] = {
    0x4D: "gbk",
    0x7A: "gbk",
    0x4F: "big5",
    0x78: "big5",
}
"""Language driver byte of the header → charset, for those met here; others say nothing sure."""
_FAMILY = {"gb2312": "gbk", "gbk": "gbk", "gb18030": "gbk", "big5hkscs": "big5", "cp950": "big5"}


_BROKEN = object()
"""Stands for a number or date that cannot be read."""


class _Exact(FieldParser):  # type: ignore[misc]
    """Text stays bytes and numbers stay as they are written."""

    def decode_text(self, text: bytes) -> bytes:
        return text

    def parse(self, field: Any, data: bytes) -> Any:
        """A value that cannot be read costs its own row, not the ones after it."""
        try:
            return super().parse(field, data)
        except (ValueError, struct.error, IndexError):
            return _BROKEN

    def parseN(self, field: Any, data: bytes) -> str:  # noqa: ARG002
        return data.strip(b" \0").decode("ascii")

    parseF = parseN

    def parseD(self, field: Any, data: bytes) -> str:  # noqa: ARG002
        digits = data.strip(b" \0").decode("ascii")
        if not digits.strip("0"):
            return ""
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])).isoformat()

    def parseL(self, field: Any, data: bytes) -> str:  # noqa: ARG002
        if data in b"TtYy":
            return "1"
        return "0" if data in b"FfNn" else ""

    def parseY(self, field: Any, data: bytes) -> Decimal:  # noqa: ARG002
        return Decimal(int(struct.unpack("<q", data)[0])) / 10_000


@dataclass(frozen=True, slots=True)
class DbfReader:
    """Rows and rejects of DBF files of one charset."""

    codec: str

    def items(self, file: FileAt, data: bytes) -> Iterator[RawRow | Rejected]:
        try:
            with self._opened(file, data) as table:
                columns = columns_of(list(table.field_names), file.table)
                for number, record in enumerate(table, start=1):
                    yield self._row(file, number, record, columns)
        except RecordError as error:
            yield file.aside(None, error.place.field, error)

    def head(self, file: FileAt, data: bytes, limit: int) -> Head:
        with self._opened(file, data) as table:
            rows = [
                {name: None if cell is _BROKEN else cell for name, cell in record.items()}
                for record in islice(table, limit)
            ]
            columns = tuple(
                SeenColumn(field.name, _TYPES.get(field.type, field.type), field.length)
                for field in table.fields
            )
        return columns, tuple(rows)

    def notes(self, file: FileAt, data: bytes) -> tuple[str, ...]:
        """The header's own word on its charset, where it contradicts the site file."""
        said = _LANGUAGES.get(data[29]) if len(data) > 32 else None
        declared = _FAMILY.get(self.codec, self.codec)
        if said is None or said == declared:
            return ()
        return (f"{file.name} 的文件头说字符集是 {said}，站点文件写的是 {self.codec}；按后者读取",)

    def beside(self, path: Path) -> tuple[Path, ...]:
        wanted = {path.stem.lower() + ending for ending in MEMOS}
        return tuple(
            sorted(other for other in path.parent.iterdir() if other.name.lower() in wanted)
        )

    @contextmanager
    def _opened(self, file: FileAt, data: bytes) -> Iterator[Any]:
        """The table over a copy of what was kept, so that nothing changes while it is read."""
        if not data.strip(b"\0"):
            raise RecordError("文件是空的", remedy="重新导出；至少要有字段定义")
        with tempfile.TemporaryDirectory(prefix="dipgate-") as folder:
            copy = Path(folder) / "table.dbf"
            copy.write_bytes(data)
            for memo in self.beside(file.path):
                shutil.copyfile(memo, Path(folder) / f"table{memo.suffix.lower()}")
            try:
                table = DBF(copy, encoding=self.codec, parserclass=_Exact, load=False)
                wanted = table.header.headerlen + table.header.numrecords * table.header.recordlen
                if table.header.recordlen < 1 or len(data) < wanted:
                    raise RecordError(
                        "文件比文件头说的短，没有写完", remedy="等导出完成后重新读取，或重新导出"
                    )
                yield table
            except MissingMemoFile:
                raise RecordError(
                    "缺少备注文件（.fpt 或 .dbt）", remedy="把同名的备注文件一起放进目录"
                ) from None
            except UnicodeDecodeError:
                raise RecordError(
                    f"字段名不属于字符集 {self.codec}", remedy="核对来源声明的字符集"
                ) from None
            except (ValueError, struct.error, IndexError, TypeError):
                raise RecordError("文件不是 DBF，或已损坏", remedy="用原来的软件重新导出") from None

    def _row(
        self,
        file: FileAt,
        number: int,
        record: Mapping[str, Any],
        columns: Mapping[str, int],
    ) -> RawRow | Rejected:
        place = RowPlace(file.name, number, file.raw_hash)
        values: dict[str, str] = {}
        column = ""
        try:
            for column in columns:
                cell = record[column]
                if cell is _BROKEN:
                    raise RecordError(
                        f"列 {column} 读不出数字或日期", remedy="在源系统改正这个字段后重新导出"
                    )
                if isinstance(cell, bytes):
                    values[column] = decoded(cell, self.codec, column)
                else:
                    values[column] = cell_text(cell, self.codec, column)
            column = file.table.key
            return raw_row(file.table, place, values)
        except RecordError as error:
            return file.aside(number, column, error)


_TYPES: Mapping[str, str] = {
    "C": "character",
    "N": "numeric",
    "F": "numeric",
    "D": "date",
    "T": "datetime",
    "L": "logical",
    "M": "memo",
    "B": "double",
    "I": "integer",
    "Y": "currency",
}


def _open(spec: SourceSpec, password: Secret[str] | None) -> SourceAdapter:  # noqa: ARG001
    codec = codec_of(spec)
    return FolderSource(spec, DbfReader(codec), codec)


ADAPTER = AdapterKind("dbf", _open, "folder", whole_objects=True)

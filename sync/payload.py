"""The settlement list as the platform gets it, and the comparison with what the platform has.

The stored payload is the canonical JSON of the transaction's `input`: the same list under the
same dialect always gives the same bytes, so its SM3 digest is the list's identity.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

import msgspec

from dipgate.config.dialects import Dialect
from dipgate.config.standard import field_table
from dipgate.core.errors import Place, RecordError
from dipgate.core.hashing import canonical_bytes
from dipgate.core.lists import Row, SettlementList, text_of
from dipgate.core.wire import FieldSpec, FieldType
from dipgate.security.digest import sm3_hex

LOCAL_EXTENSION = "地方扩展"
"""How the field table marks fields that only some areas know; sent only when filled in."""

_DECODER = msgspec.json.Decoder(float_hook=Decimal)


@dataclass(frozen=True, slots=True)
class Packet:
    """One list ready for the outbox. `key` names its effect: a second one with it is the same."""

    infno: str
    settlement_id: str
    person_no: str
    revision: int
    key: str
    payload: bytes
    digest: str


class Uploader:
    """Builds payloads of one dialect; holds the field table so that it is read once."""

    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self._nodes: dict[str, list[FieldSpec]] = {}
        for spec in field_table(dialect.upload_infno, "in"):
            self._nodes.setdefault(spec.node, []).append(spec)

    def to_4101a(self, lst: SettlementList) -> dict[str, Any]:
        """List → `input` of the upload: the transaction's fields, each as wire text.

        Empty numbers are what the dialect says, other empty fields empty text; local extension
        fields go only when filled in. Names are the dialect's.
        """
        out: dict[str, Any] = {}
        for node, specs in self._nodes.items():
            if node == "setlinfo":
                row = dict(lst.setlinfo)
                if not text_of(row.get("stas_type")).strip():
                    row["stas_type"] = self.dialect.submit_status
                out[node] = self._row(node, specs, row)
            else:
                out[node] = [self._row(node, specs, row) for row in lst.rows(node) or ()]
        return out

    def packet(self, lst: SettlementList, *, hospital_code: str, revision: int) -> Packet:
        """List → packet. Raises RecordError when the list names no settlement or person."""
        info = lst.setlinfo
        for name in ("setl_id", "psn_no", "mdtrt_id"):
            if not text_of(info.get(name)).strip():
                raise RecordError(
                    f"{name} 为空，平台无法认出这份清单",
                    place=Place(lst.settlement_id, None, f"setlinfo.{name}"),
                    remedy="在来源结算视图里补上这一列，或在站点文件里映射它",
                )
        payload = canonical_bytes(self.to_4101a(lst))
        digest = sm3_hex(payload)
        settlement_id = text_of(info.get("setl_id")).strip()
        return Packet(
            infno=self.dialect.upload_infno,
            settlement_id=settlement_id,
            person_no=text_of(info.get("psn_no")).strip(),
            revision=revision,
            key=f"{hospital_code}/{settlement_id}/{revision}/{digest}",
            payload=payload,
            digest=digest,
        )

    def _row(self, node: str, specs: Sequence[FieldSpec], row: Row) -> dict[str, str]:
        renames = self.dialect.upload_renames.get(node, {})
        out: dict[str, str] = {}
        for spec in specs:
            value = text_of(row.get(spec.code)).strip()
            if not value:
                if spec.note.startswith(LOCAL_EXTENSION):
                    continue
                value = self.dialect.empty_number if spec.type is FieldType.NUMBER else ""
            out[renames.get(spec.code, spec.code)] = value
        return out


def to_4101a(lst: SettlementList, dialect: Dialect) -> dict[str, Any]:
    """`Uploader(dialect).to_4101a(lst)`, for one list; keep an `Uploader` for many."""
    return Uploader(dialect).to_4101a(lst)


class Comparer:
    """Says whether a 4103 answer is the same list as a stored payload, by `compare_fields`."""

    def __init__(self, dialect: Dialect) -> None:
        self._renames = dialect.answer_renames
        self._aliases = {
            node: {theirs: ours for ours, theirs in names.items()}
            for node, names in dialect.upload_renames.items()
        }
        self._types = {
            f"{spec.node}.{spec.code}": spec.type for spec in field_table(dialect.upload_infno)
        }
        self._fields: dict[str, list[str]] = {}
        for field in dialect.compare_fields:
            node, _, name = field.partition(".")
            self._fields.setdefault(node, []).append(name)

    def differences(self, payload: bytes, answer: Mapping[str, Any]) -> tuple[str, ...]:
        """Names (`setlinfo.adm_time`, `diseinfo`) of what differs; empty when it is the same.

        Rows of a node are compared without regard to their order. Values are never returned.
        """
        sent = _DECODER.decode(payload)
        found: list[str] = []
        for node, names in self._fields.items():
            ours = self._rows(node, names, sent.get(node), self._aliases.get(node, {}))
            theirs = self._rows(node, names, answer.get(node), self._renames.get(node, {}))
            if node == "setlinfo":
                mine = ours[0] if ours else ("",) * len(names)
                other = theirs[0] if theirs else ("",) * len(names)
                found += [
                    f"{node}.{name}"
                    for name, a, b in zip(names, mine, other, strict=True)
                    if a != b
                ]
            elif sorted(ours) != sorted(theirs):
                found.append(node)
        return tuple(found)

    def _rows(
        self, node: str, names: Sequence[str], value: object, renames: Mapping[str, str]
    ) -> list[tuple[str, ...]]:
        rows = as_rows(value)
        out = []
        for row in rows:
            named = canonical_row(row, renames)
            out.append(tuple(self._plain(f"{node}.{name}", named.get(name)) for name in names))
        return [row for row in out if any(row)]

    def _plain(self, field: str, value: object) -> str:
        text = text_of(value).strip()
        kind = self._types.get(field)
        if kind is FieldType.NUMBER:
            try:
                number = Decimal(text or "0")
            except InvalidOperation:
                return text
            return format(number.normalize(), "f") if number else ""
        if kind is FieldType.DATE:
            return text[:10]
        if kind is FieldType.TIME:
            return text if len(text) != 10 else f"{text} 00:00:00"
        return text


def as_rows(value: object) -> list[Mapping[str, Any]]:
    """A node's value as rows: an object is one row; anything else that is not rows gives none."""
    if isinstance(value, Mapping):
        return [value]
    if isinstance(value, (list, tuple)):
        return [row for row in value if isinstance(row, Mapping)]
    return []


def canonical_row(row: Mapping[str, Any], renames: Mapping[str, str]) -> dict[str, Any]:
    """A row with the platform's field names turned into ours; a filled-in name of ours wins."""
    out = dict(row)
    for theirs, ours in renames.items():
        if theirs in row and out.get(ours) in (None, ""):
            out[ours] = row[theirs]
    return out

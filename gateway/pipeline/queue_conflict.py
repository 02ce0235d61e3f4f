"""Where the platform's list and ours part: field by field from what was sent and last answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from dipgate.config.dialects import Dialect
from dipgate.config.standard import field_table
from dipgate.core.errors import OutcomeUnknown
from dipgate.core.lists import text_of
from dipgate.security.masking import Masker
from dipgate.sync.envelope import GatewayAnswer, read_answer
from dipgate.sync.payload import Comparer, as_rows, canonical_row

NODES = {
    "diseinfo": "诊断",
    "oprninfo": "手术",
    "icuinfo": "重症监护",
    "bldinfo": "输血",
    "iteminfo": "收费项目",
    "payinfo": "基金支付",
    "opspdiseinfo": "门诊慢特病",
}


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One field or node that differs; values masked."""

    code: str
    label: str
    ours: str
    theirs: str


def field_differences(
    dialect: Dialect, payload: bytes, answer: bytes, masker: Masker
) -> tuple[FieldDifference, ...]:
    """What differs between a payload and a 4103 answer; empty when the answer cannot be read."""
    held = _held(answer)
    if held is None:
        return ()
    try:
        sent = msgspec.json.decode(payload, type=dict[str, Any])
        names = Comparer(dialect).differences(payload, held)
    except msgspec.MsgspecError:
        return ()
    labels = {f"{spec.node}.{spec.code}": spec.name for spec in field_table(dialect.upload_infno)}
    found = []
    for name in names:
        node, _, field = name.partition(".")
        ours, theirs = as_rows(sent.get(node)), as_rows(held.get(node))
        if not field:
            label = NODES.get(node, node)
            found.append(FieldDifference(name, label, _rows(ours), _rows(theirs)))
            continue
        renames = dialect.answer_renames.get(node, {})
        found.append(
            FieldDifference(
                name,
                labels.get(name, name),
                _value(masker, field, ours, {}),
                _value(masker, field, theirs, renames),
            )
        )
    return tuple(found)


def _held(answer: bytes) -> Mapping[str, Any] | None:
    """The list in a 4103 answer, as the client reads it."""
    try:
        read = read_answer(answer)
    except OutcomeUnknown:
        return None
    if isinstance(read, GatewayAnswer) or not read.ok:
        return None
    output = read.output
    if isinstance(output, list) and len(output) == 1:
        output = output[0]
    if isinstance(output, Mapping) and isinstance(output.get("data"), Mapping):
        output = output["data"]
    return output if isinstance(output, Mapping) else None


def _value(
    masker: Masker, field: str, rows: Sequence[Mapping[str, Any]], renames: Mapping[str, str]
) -> str:
    value = text_of(canonical_row(rows[0], renames).get(field)) if rows else ""
    return str(masker.value(field, value)) or "（空）"


def _rows(rows: Sequence[object]) -> str:
    return f"{len(rows)} 行"

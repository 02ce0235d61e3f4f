"""Wire check of whole lists: our compiled checker against pydantic models of the same table.

Prints one JSON line. Goal: at least as fast as pydantic, whose answer says less (no Chinese
sentence, no remedy), so that checking before each upload costs nothing worth leaving out.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, create_model

from dipgate.config.standard import codesets, wire_model
from dipgate.core.wire import FieldSpec, FieldType, WireModel

GOAL = 1.0
LISTS = 2000
ROWS = {"diseinfo": 6, "oprninfo": 4, "iteminfo": 14, "payinfo": 4, "icuinfo": 1}
CODES = codesets()


def value_of(spec: FieldSpec) -> str:
    if spec.code_set:
        return next(iter(CODES[spec.code_set]))
    plain = {FieldType.DATE: "2025-03-01", FieldType.TIME: "2025-03-01 08:30:00"}
    return plain.get(spec.type) or ("12" if spec.type is FieldType.NUMBER else "示")


def type_of(spec: FieldSpec) -> Any:
    if spec.code_set:
        found: Any = Literal[tuple(CODES[spec.code_set])]
    elif spec.type is FieldType.NUMBER:
        found = Annotated[
            Decimal, Field(max_digits=spec.max_length, decimal_places=spec.scale or 0)
        ]
    elif spec.type is FieldType.DATE:
        found = date
    elif spec.type is FieldType.TIME:
        found = datetime
    else:
        found = Annotated[str, Field(max_length=spec.max_length)]
    return (found, ...) if spec.required == "Y" else (found | None, None)


def pydantic_model(model: WireModel) -> Any:
    kept = ConfigDict(extra="allow")
    nodes: dict[str, Any] = {}
    for node in model.nodes:
        fields = {spec.code: type_of(spec) for spec in model.fields(node)}
        row = create_model(node, __config__=kept, **fields)
        nodes[node] = (list[row] | None, None) if model.fields(node)[0].multi else (row, ...)
    return create_model("List", __config__=kept, **nodes)


def per_second(check: Callable[[Any], object], obj: Any) -> float:
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(LISTS):
            check(obj)
        best = max(best, LISTS / (time.perf_counter() - started))
    return best


def main() -> int:
    model = wire_model("4101", "in")
    obj: dict[str, Any] = {}
    for node in model.nodes:
        row = {spec.code: value_of(spec) for spec in model.fields(node)}
        obj[node] = [dict(row) for _ in range(ROWS[node])] if node in ROWS else row
    obj["opspdiseinfo"] = []
    assert model.check(obj) == ()
    ours = per_second(model.check, obj)
    theirs = per_second(pydantic_model(model).model_validate, obj)
    ratio = round(ours / theirs, 2)
    line = {
        "bench": "wire",
        "lists_per_second": round(ours),
        "pydantic_per_second": round(theirs),
        "ratio": ratio,
        "goal": GOAL,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    return 0 if ratio >= GOAL else 1


if __name__ == "__main__":
    sys.exit(main())

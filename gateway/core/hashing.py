"""Content hashes: the same content gives the same key, whatever the order of its fields."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

_ENCODER = msgspec.json.Encoder(decimal_format="number", order="sorted")


def canonical_bytes(value: Any) -> bytes:
    """Canonical JSON (UTF-8, sorted keys, no blanks, Decimals as written). Floats are refused."""
    return _ENCODER.encode(_plain(value))


def content_hash(value: Any) -> str:
    """SHA-256 of the canonical bytes, hexadecimal."""
    return hashlib.sha256(canonical_bytes(value)).hexdigest()


def bytes_hash(data: bytes) -> str:
    """SHA-256 of raw bytes, hexadecimal: the name of a kept raw file."""
    return hashlib.sha256(data).hexdigest()


def _plain(value: Any) -> Any:
    # Cells of source rows are text by the million: their type is looked at, nothing else.
    if isinstance(value, (list, tuple)):
        return [item if type(item) is str else _plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, float):
        raise TypeError("floats have no canonical form here; use text or Decimal")
    if value is None or isinstance(value, (str, int, bool, Decimal)):
        return value
    raise TypeError(f"no canonical form for {type(value).__name__}")

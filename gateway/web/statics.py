"""Static files: read once, served from memory by exact name, addressed by their content."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from types import MappingProxyType

_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
}


@dataclass(frozen=True, slots=True)
class StaticFile:
    data: bytes
    media_type: str
    version: str


def load_static() -> Mapping[str, StaticFile]:
    """Every servable file of `dipgate/web/static`, by name."""
    found: dict[str, StaticFile] = {}
    for entry in files("dipgate.web").joinpath("static").iterdir():
        suffix = entry.name[entry.name.rfind(".") :]
        if entry.is_file() and suffix in _TYPES:
            data = entry.read_bytes()
            version = hashlib.sha256(data).hexdigest()[:12]
            found[entry.name] = StaticFile(data, _TYPES[suffix], version)
    return MappingProxyType(found)

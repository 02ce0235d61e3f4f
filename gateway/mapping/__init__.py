"""Source record → settlement list, with the origin of every field. Pure."""

from dipgate.mapping.build import build_case
from dipgate.mapping.overlay import changed, expectation
from dipgate.mapping.result import MappedCase, OverlayConflict, SourceRecord, Unmapped

__all__ = [
    "MappedCase",
    "OverlayConflict",
    "SourceRecord",
    "Unmapped",
    "build_case",
    "changed",
    "expectation",
]

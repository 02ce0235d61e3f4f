"""Code indexes and usage counts, held in memory for as long as they are true."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from threading import Lock

from dipgate.config.code_index import CodeIndex, Known
from dipgate.config.readings import spoken_words
from dipgate.core.reference import CodeMap, CodeTable
from dipgate.store import Connection, code_usage

_INDEXES = 4
"""Two kinds, in the version of today and in the one before: lists of last year are edited too."""
_WARDS = 100


@dataclass(frozen=True, slots=True)
class Uses:
    """code → lists that have it, in one department and in the hospital."""

    index: CodeIndex
    revision: int
    here: Mapping[str, int]
    everywhere: Mapping[str, int]
    known: Known


class CodeShelf:
    """Builds each index once, whoever asks first; later askers wait for it. For many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._indexes: list[tuple[CodeTable, CodeMap | None, CodeIndex]] = []
        self._uses: OrderedDict[tuple[int, str], Uses] = OrderedDict()

    def index(self, table: CodeTable, clinical: CodeMap | None) -> CodeIndex:
        """The index over this very table and map; the least recently used one gives way."""
        with self._lock:
            for held in self._indexes:
                if held[0] is table and held[1] is clinical:
                    self._indexes.remove(held)
                    self._indexes.append(held)
                    return held[2]
            index = CodeIndex(table, clinical, spoken_words())
            self._indexes = [*self._indexes[1 - _INDEXES :], (table, clinical, index)]
            held_ids = {id(item[2]) for item in self._indexes}
            for key in [key for key in self._uses if key[0] not in held_ids]:
                del self._uses[key]
            return index

    def uses(self, conn: Connection, index: CodeIndex, kind: str, department: str) -> Uses:
        """Counts for one department, read again when lists have changed since."""
        revision = code_usage.revision(conn)
        found = self._held(index, department, revision)
        if found is not None:
            return found
        whole = self._held(index, code_usage.HOSPITAL, revision)
        if whole is None:
            everywhere = code_usage.uses(conn, kind)
            whole = Uses(index, revision, {}, everywhere, index.known(everywhere))
        here = code_usage.uses(conn, kind, department) if department else {}
        found = Uses(index, revision, here, whole.everywhere, whole.known)
        with self._lock:
            self._uses[id(index), code_usage.HOSPITAL] = whole
            self._uses[id(index), department] = found
            while len(self._uses) > _WARDS:
                self._uses.popitem(last=False)
        return found

    def _held(self, index: CodeIndex, department: str, revision: int) -> Uses | None:
        """Counts in memory that still hold."""
        with self._lock:
            found = self._uses.get((id(index), department))
        held = found is not None and found.index is index and found.revision == revision
        return found if held else None

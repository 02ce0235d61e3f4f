"""Which cases of a whole-year run have the settlement id of an earlier one.

A digest of eight bytes per case in an open table that grows up to `SLOTS`: 32 MB at most, whatever
the file. The odds that two of three million different ids have the same digest are below one in
four million. Ids beyond `MOST` are not looked for, and the run says so.
"""

from __future__ import annotations

from array import array
from hashlib import blake2b

WIDTH = 16
"""Bytes of one entry: digest and row."""
SLOTS = 1 << 22
MOST = 3_000_000
_FIRST = 1 << 12


def id_entry(case_id: str, row: int) -> bytes:
    return blake2b(case_id.encode("utf-8", "surrogatepass"), digest_size=8).digest() + row.to_bytes(
        8, "big"
    )


class SeenIds:
    """`repeated(entries)` → rows whose id has been seen before; remembers the others."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(8 * _FIRST))
        self._held = 0
        self.unchecked = 0
        """Cases that came when the table was full."""

    def repeated(self, entries: bytes) -> list[int]:
        found = []
        for at in range(0, len(entries), WIDTH):
            digest = int.from_bytes(entries[at : at + 8], "big") or 1
            if self._is_new(digest):
                continue
            found.append(int.from_bytes(entries[at + 8 : at + WIDTH], "big"))
        return found

    def _is_new(self, digest: int) -> bool:
        place = _place(self._slots, digest)
        if self._slots[place] == digest:
            return False
        if self._held >= MOST:
            self.unchecked += 1
            return True
        self._slots[place] = digest
        self._held += 1
        if 4 * self._held > 3 * len(self._slots) and len(self._slots) < SLOTS:
            self._grow()
        return True

    def _grow(self) -> None:
        old, self._slots = self._slots, array("Q", bytes(16 * len(self._slots)))
        for digest in old:
            if digest:
                self._slots[_place(self._slots, digest)] = digest


def _place(slots: array[int], digest: int) -> int:
    """Where the digest stands, or the free slot where it would."""
    mask = len(slots) - 1
    at = digest & mask
    while slots[at] and slots[at] != digest:
        at = (at + 1) & mask
    return at

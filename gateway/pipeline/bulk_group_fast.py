"""Groups of a chunk by compiled code (the extra `fast`), for `dipgate group --fast`.

The same answers as the plain engine's, or a ConfigError for a policy or library that the compiled
loop does not know.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from dipgate.core.grouping import GroupResult
from dipgate.core.reference import Reference
from dipgate.pipeline.bulk_group_book import Book
from dipgate.pregrouper import DipGrouper
from dipgate.pregrouper.batch import Entry, Tables
from dipgate.pregrouper.fast import FastGrouper, check_installed, fast_grouper


class FastGroups:
    """Compiled libraries of one process. Raises ConfigError when the extra is not installed."""

    def __init__(self, book: Book) -> None:
        check_installed()
        self._book = book
        self._compiled: dict[tuple[int, int], tuple[Reference, FastGrouper]] = {}

    def groups(self, entries: Sequence[Entry]) -> Mapping[int, tuple[Tables, GroupResult]]:
        """Place in `entries` → tables and group. The plain engine has to see the others."""
        held: dict[int, tuple[Tables, list[int]]] = {}
        for place, entry in enumerate(entries):
            if entry.notes:
                continue
            tables = self._book(entry.case)
            if isinstance(tables, Tables) and tables.reference.icd9cm3 is not None:
                held.setdefault(id(tables), (tables, []))[1].append(place)
        found: dict[int, tuple[Tables, GroupResult]] = {}
        together: dict[tuple[int, int], list[tuple[Tables, int]]] = {}
        for tables, places in held.values():
            key = id(tables.grouper), id(tables.reference)
            together.setdefault(key, []).extend((tables, place) for place in places)
        for key, items in together.items():
            cases = [entries[place].case for _, place in items]
            grouper = self._grouper(key, items[0][0])
            results = grouper.run(grouper.coded(cases), cases.__getitem__)
            for at, (tables, place) in enumerate(items):
                found[place] = tables, results.result(at)
        return found

    def _grouper(self, key: tuple[int, int], tables: Tables) -> FastGrouper:
        if key not in self._compiled:
            grouper = tables.grouper
            if not isinstance(grouper, DipGrouper):
                raise TypeError("the compiled loop knows DIP only")
            made = fast_grouper(grouper.library, grouper.policy, tables.reference)
            self._compiled[key] = tables.reference, made
        return self._compiled[key][1]

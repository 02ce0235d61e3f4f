"""Where the keys of a TOML text stand, so that a message can name the line.

A light scan, good enough to point at a key; `tomllib` decides what the text means.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

Path = tuple[str | int, ...]

_HEADER = re.compile(r"^\s*(\[\[?)\s*([^\[\]]+?)\s*\]\]?\s*(?:#.*)?$")
_ENTRY = re.compile(
    r"""^\s*((?:[\w-]+|"[^"]*"|'[^']*')(?:\s*\.\s*(?:[\w-]+|"[^"]*"|'[^']*'))*)\s*="""
)
_WORD = re.compile(r"""[\w-]+|"[^"]*"|'[^']*'""")


@dataclass(frozen=True, slots=True)
class TomlLines:
    """1-based line of each section and key."""

    lines: Mapping[Path, int]

    def line_of(self, path: Path) -> int | None:
        """Line of a path, or of its nearest parent that stands in the file."""
        for length in range(len(path), 0, -1):
            line = self.lines.get(path[:length])
            if line is not None:
                return line
        return None


def toml_lines(text: str) -> TomlLines:
    """Scan headers (`[a.b]`, `[[a]]`) and entries (`key =`)."""
    found: dict[Path, int] = {}
    counts: dict[Path, int] = {}
    current: Path = ()
    for number, line in enumerate(text.split("\n"), start=1):
        header = _HEADER.match(line)
        if header is not None:
            current = _section(_words(header[2]), header[1] == "[[", counts)
            found.setdefault(current, number)
            continue
        entry = _ENTRY.match(line)
        if entry is not None:
            found.setdefault((*current, *_words(entry[1])), number)
    return TomlLines(found)


def _section(words: tuple[str, ...], repeated: bool, counts: dict[Path, int]) -> Path:
    """The section's path; array sections on the way count at their latest element."""
    path: Path = ()
    for position, word in enumerate(words):
        path = (*path, word)
        if repeated and position == len(words) - 1:
            counts[path] = counts.get(path, -1) + 1
        if path in counts:
            path = (*path, counts[path])
    return path


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.strip("\"'") for word in _WORD.findall(text))

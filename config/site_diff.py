"""What differs between two site files, key by key; and the copies of the ones that were in use."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from dipgate.config.settings import Site
from dipgate.core.clock import CHINA
from dipgate.core.errors import ConfigError
from dipgate.core.system_words import system_sentence

FOLDER = "settings"
_STAMP = "%Y%m%d-%H%M%S-%f"
_SECTIONS = ("hospital", "platform", "policy", "desk", "web", "schedule", "log", "fill", "sources")


@dataclass(frozen=True, slots=True)
class Change:
    """One key. None: it is not there on that side (`sources.his` and all below it)."""

    path: str
    before: str | None
    after: str | None


def differences(before: Site, after: Site) -> tuple[Change, ...]:
    """Keys whose values differ, defaults counted as written; in the order of the site file."""
    left, right = dict(_flat(before)), dict(_flat(after))
    paths = list(dict.fromkeys((*left, *right)))
    return tuple(
        Change(path, left.get(path), right.get(path))
        for path in paths
        if left.get(path) != right.get(path)
    )


def keep_in_use(state: Path, site: Site, now: datetime) -> bool:
    """Copy the site file into the state folder when it is not the one kept last; was it new?

    A site file holds no secret. Raises ConfigError when the folder cannot be written.
    """
    kept = kept_files(state)
    data = site.file.read_bytes()
    if kept and kept[-1].read_bytes() == data:
        return False
    folder = state / FOLDER
    target = folder / f"{now.astimezone(CHINA):{_STAMP}}.toml"
    part = target.with_suffix(".part")
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        part.write_bytes(data)
        os.replace(part, target)
    except OSError as error:
        sentence = system_sentence(f"写不了目录 {folder}", error)
        raise ConfigError(sentence, path=FOLDER) from error
    return True


def kept_files(state: Path) -> tuple[Path, ...]:
    """The site files that were in use, oldest first; each name is the time of its first use."""
    return tuple(sorted((state / FOLDER).glob("*.toml")))


def _flat(site: Site) -> Iterator[tuple[str, str]]:
    for name in _SECTIONS:
        value = getattr(site, name)
        if name == "sources":
            for source in value:
                yield from _leaves(f"sources.{source.name}", source.model_dump(exclude={"name"}))
        else:
            yield from _leaves(name, value.model_dump() if isinstance(value, BaseModel) else value)


def _leaves(path: str, value: object) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _leaves(f"{path}.{key}", inner)
    elif isinstance(value, list | tuple) and value and isinstance(value[0], Mapping):
        for number, inner in enumerate(value, start=1):
            yield from _leaves(f"{path}.{number}", inner)
    elif isinstance(value, list | tuple):
        yield path, "、".join(map(str, value))
    elif value is not None:
        yield path, str(value)

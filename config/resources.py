"""Tables, policies and dialects that ship with the product, found inside the wheel."""

from __future__ import annotations

from importlib.resources import files
from importlib.resources.abc import Traversable

from dipgate.core.errors import ConfigError


def resource(*parts: str) -> Traversable:
    """A shipped file or folder: `resource("dialects", "national.yaml")`.

    Each part is one plain name: a part from outside (an area code, a policy id) can not climb out
    of the shipped tree. Raises ConfigError for such a part; whether the file exists is not asked.
    """
    for part in parts:
        if not part or part in (".", "..") or any(ch in part for ch in "/\\:\0"):
            raise ConfigError(f"不是合法的名称：{part!r}", path="/".join(parts))
    return files("dipgate.config").joinpath(*parts)


def resource_text(*parts: str) -> str:
    """The text (UTF-8) of a shipped file. Raises ConfigError when there is none."""
    found = resource(*parts)
    if not found.is_file():
        raise ConfigError(f"没有内置文件 {'/'.join(parts)}", path="/".join(parts))
    return found.read_text(encoding="utf-8")

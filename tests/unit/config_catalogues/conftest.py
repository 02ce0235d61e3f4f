"""Shared by the tests of catalogues and libraries."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest


@pytest.fixture
def table(tmp_path: Path) -> Callable[..., Path]:
    """`table("name.csv", "code,name", "A01.000,伤寒")` writes a file of these lines."""

    def write(name: str, *lines: str, charset: str = "utf-8") -> Path:
        path = tmp_path / name
        path.write_bytes(("\n".join(lines) + "\n").encode(charset))
        return path

    return write

"""Makes the shared kit importable as `platform_kit` (tests have no packages)."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

_FILE = next(
    folder / "contract/platform/kit.py"
    for folder in Path(__file__).resolve().parents
    if folder.name == "tests"
)

if "platform_kit" not in sys.modules:
    _spec = importlib.util.spec_from_file_location("platform_kit", _FILE)
    assert _spec is not None
    assert _spec.loader is not None
    sys.modules["platform_kit"] = importlib.util.module_from_spec(_spec)
    _spec.loader.exec_module(sys.modules["platform_kit"])

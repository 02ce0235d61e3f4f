"""Pictures of every page at 1366 × 768, for looking at.

    .venv/bin/python -P tests/browser/screenshots.py FOLDER [NAME…] [--dark] [--print]

A small synthetic hospital is made and served for it, as in the browser tests; some of its lists
are sent and compared first, so that no page is empty. NAME chooses pages of `test_accessibility`.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import shutil
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from playwright.sync_api import expect, sync_playwright

HERE = Path(__file__).resolve().parent


def sibling(name: str) -> ModuleType:
    """A module beside this file (tests have no packages)."""
    spec = importlib.util.spec_from_file_location(f"browser_{name}", HERE / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[f"browser_{name}"] = module
    spec.loader.exec_module(module)
    return module


def send_some(house: Any, until: Any) -> None:
    """Release what is clean and have it compared."""
    tab = house.tab("yiban")
    tab.goto(f"{house.address}/queue")
    tab.get_by_role("button", name="放行全部无误").click()
    tab.get_by_role("button", name="确认放行").click()
    with house.store() as store:

        def sent() -> bool:
            from dipgate.store import cases

            with store.read() as conn:
                return cases.counts(conn)["accepted"] > 0

        until(sent, what="acceptance")
    tab.goto(f"{house.address}/reconcile")
    tab.get_by_role("button", name="去平台取").click()
    expect(tab.locator("#diff tr").first).to_be_visible(timeout=30_000)


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    asked.add_argument("folder", type=Path)
    asked.add_argument("names", nargs="*")
    asked.add_argument("--dark", action="store_true")
    asked.add_argument("--print", dest="paper", action="store_true", help="as printed")
    wanted = asked.parse_args()
    browser_path = os.environ.get("CHROMIUM") or shutil.which("chromium")
    if browser_path is None:
        asked.error("no chromium: install it (Debian: apt-get install chromium), or set CHROMIUM")
    house_of, pages = sibling("house"), sibling("test_accessibility").PAGES
    unknown = sorted(set(wanted.names) - set(pages))
    if unknown:
        asked.error(f"no page {', '.join(unknown)}; there are {', '.join(pages)}")
    wanted.folder.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as player, tempfile.TemporaryDirectory() as made:
        browser = player.chromium.launch(executable_path=browser_path, args=["--no-sandbox"])
        with house_of.opened_house(Path(made), browser) as house:
            send_some(house, house_of.until)
            for name in wanted.names or pages:
                login, path, show = pages[name]
                scheme = "dark" if wanted.dark else "light"
                tab = house.tab(login, color_scheme=scheme, reduced_motion="reduce")
                tab.goto(f"{house.address}{path}")
                show(house, tab)
                if wanted.paper:
                    tab.emulate_media(media="print", color_scheme="light")
                tab.wait_for_load_state("networkidle")
                tab.screenshot(path=wanted.folder / f"{name}.png", full_page=wanted.paper)
                house.close_tabs()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())

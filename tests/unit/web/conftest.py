"""A desk in the browser without a browser: the sample state, one user per role, a client."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import jinja2
import pytest
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Page as Tab
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import TestResponse

from dipgate.config.libraries import load_library
from dipgate.config.references import References
from dipgate.core.clock import CHINA, FixedClock
from dipgate.core.reference import Hospital as OwnHospital
from dipgate.demo.export import csv_source, site_sources, write_csv
from dipgate.demo.hospital import generate
from dipgate.pipeline.desk import Desk
from dipgate.pipeline.intake import read_sources
from dipgate.pipeline.judge_stage import judge_new_cases
from dipgate.pipeline.map_stage import map_new_stays
from dipgate.service.wiring import open_desk
from dipgate.web.app import STRONG, Weakened, create_app
from dipgate.web.context import WebContext
from dipgate.web.passwords import Passwords
from dipgate.web.people import People

PASSWORD = "jia-yi-bing-42"  # noqa: S105
LOGINS = {"coder": "bian", "office": "yiban", "administrator": "xinxi"}
NOON = datetime(2025, 6, 16, 12, 0, 0, tzinfo=CHINA)
"""Where the fixture `clock` stands."""
_TOKEN = re.compile(r'name="csrf" (?:value|content)="([^"]+)"')


@dataclass
class Browser:
    """One person's browser: keeps cookies and the page's token, as desk.js does."""

    client: FlaskClient
    csrf: str = ""

    def get(self, path: str, *, htmx: bool = False, **headers: str) -> TestResponse:
        return self.client.get(path, base_url="https://localhost", headers=_headers(htmx, headers))

    def post(
        self, path: str, data: dict[str, str] | None = None, *, htmx: bool = False, **headers: str
    ) -> TestResponse:
        sent = _headers(htmx, headers)
        if self.csrf:
            sent.setdefault("X-CSRF-Token", self.csrf)
        return self.client.post(path, base_url="https://localhost", data=data or {}, headers=sent)

    def sign_in(self, login: str, password: str = PASSWORD) -> TestResponse:
        """Through the log-in form, as a person would; remembers the token of the new session."""
        self.csrf = ""
        form = self.get("/login")
        found = _TOKEN.search(form.text)
        data = {"login": login, "password": password, "csrf": found.group(1) if found else ""}
        answer = self.post("/login", data)
        if answer.status_code == 303:
            page = self.get("/account")
            token = re.search(r'<meta name="csrf" content="([^"]+)"', page.text)
            self.csrf = token.group(1) if token else ""
        return answer


def _headers(htmx: bool, headers: dict[str, str]) -> dict[str, str]:
    sent = {name.replace("_", "-"): value for name, value in headers.items()}
    if htmx:
        sent["HX-Request"] = "true"
    return sent


@pytest.fixture(scope="session")
def peopled_state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sample state with one user per role (`LOGINS`, `PASSWORD`), made once; copy it."""
    state = tmp_path_factory.mktemp("peopled") / "state"
    command = [sys.executable, "-P", "-m", "dipgate", "--state", str(state), "init", "--sample"]
    subprocess.run(command, check=True, capture_output=True)
    clock = FixedClock(NOON)
    with open_desk(state, state / "site.toml", clock=clock) as opened:
        people = People(opened.store, clock, Passwords())
        for role, login in LOGINS.items():
            people.add(login=login, name=f"{login} 甲", role=role, password=PASSWORD, actor="test")
    return state


@pytest.fixture(scope="session")
def listed_state(peopled_state: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`peopled_state` with a synthetic month in it, mapped and judged; a third has defects."""
    folder = tmp_path_factory.mktemp("listed")
    state = folder / "state"
    shutil.copytree(peopled_state, state)
    own = OwnHospital("H99010000001", "示例市第一人民医院", "3", "990100")
    month = date(2025, 3, 1)
    reference = References(state, own).on(month)
    library = load_library(state, "sample", day=month)
    made = generate(reference, library, seed=7, month=month, size=60, defect_share=0.34)
    write_csv(made, folder / "export")
    site = state / "site.toml"
    sources = site_sources(csv_source(folder / "export"))
    site.write_text(f"{site.read_text(encoding='utf-8')}\n{sources}", encoding="utf-8")
    with open_desk(state, site, clock=FixedClock(NOON)) as opened:
        read_sources(opened)
        map_new_stays(opened)
        judge_new_cases(opened)
    return state


@contextmanager
def opened_desk(peopled_state: Path, folder: Path, clock: FixedClock) -> Iterator[Desk]:
    """A copy of the sample state, in `folder`, opened."""
    state = folder / "state"
    shutil.copytree(peopled_state, state)
    with open_desk(state, state / "site.toml", clock=clock) as opened:
        yield opened


def app_over(
    desk: Desk,
    modules: list[ModuleType] | None = None,
    weakened: Weakened = STRONG,
    **named: Any,
) -> Flask:
    """The product's application; with a test's own pages if given.

    Templates of the tests stand in `templates` beside this file.
    """
    web = WebContext(desk=desk, clock=desk.clock, version="0.0.test")
    instance = desk.store.state / "instance"
    app = create_app(web, instance=instance, modules=modules, weakened=weakened, **named)
    own = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    app.jinja_env.loader = jinja2.ChoiceLoader([app.jinja_loader, own])
    return app


@pytest.fixture(scope="session")
def kit() -> ModuleType:
    """The plain functions of this file, for tests that share a desk over a module."""
    return sys.modules[__name__]


@pytest.fixture
def desk(peopled_state: Path, tmp_path: Path, clock: FixedClock) -> Iterator[Desk]:
    """The sample state opened, with one user per role (`LOGINS`, `PASSWORD`)."""
    with opened_desk(peopled_state, tmp_path, clock) as opened:
        yield opened


@pytest.fixture
def make_app(desk: Desk) -> Callable[..., Flask]:
    """`make_app()` with the product's pages, or `make_app(modules=[…])` with a test's own."""
    return partial(app_over, desk)


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app()


@pytest.fixture
def browser(app: Flask) -> Callable[..., Browser]:
    """`browser()` is a stranger; `browser("coder")` has signed in with that role."""

    def open_browser(role: str = "") -> Browser:
        opened = Browser(app.test_client())
        if role:
            answer = opened.sign_in(LOGINS[role])
            assert answer.status_code == 303, answer.text
        return opened

    return open_browser


@contextmanager
def served(app: Flask) -> Iterator[str]:
    """The application on a free loopback port → its address."""
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


class _Quiet(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: the tests read what they need."""


@pytest.fixture
def serving() -> Iterator[Callable[[Flask], str]]:
    """`serving(app)` serves it until the test ends → its address."""
    with ExitStack() as stack:
        yield lambda app: stack.enter_context(served(app))


def sign_in(tab: Tab, address: str, role: str, *, target: str = "/account") -> None:
    """Through the log-in form, to a page."""
    tab.goto(f"{address}/login?next={target}")
    tab.fill("#login", LOGINS[role])
    tab.fill("#password", PASSWORD)
    tab.press("#password", "Enter")
    tab.wait_for_url(f"{address}{target}")

"""The search box for diagnosis and procedure codes: hits below a field, and a page of its own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

from flask import Response

from dipgate.core.clock import read_date
from dipgate.pipeline.code_search import CodeKind, Found, search_codes
from dipgate.store import code_usage
from dipgate.web.guard import Permission
from dipgate.web.page import Page
from dipgate.web.routes import route

IN_FIELD, ON_PAGE = 12, 60
"""Hits below a field, where they must be taken in at a glance; and on the page."""
PRINCIPAL = "principal"
KINDS = ((CodeKind.DIAGNOSIS.value, "诊断"), (PRINCIPAL, "主要诊断"), ("icd9cm3", "手术操作"))
"""What the page offers: a diagnosis as any, or as the principal one."""


@dataclass(frozen=True, slots=True)
class _Asked:
    """What is looked for, and where it is to stand."""

    typed: str
    kind: CodeKind
    department: str
    day: date | None
    principal: bool
    now: str
    """The code that stands there now."""

    @property
    def choice(self) -> str:
        """Its value among `KINDS`."""
        return PRINCIPAL if self.principal else self.kind.value


@route("/codes", needs=Permission.CODES_SEARCH)
def codes(page: Page) -> str | Response:
    """The page; below a field (htmx) only the hits. `q` that is what stands there asks for no
    more than what is usual in the ward."""
    asked = _asked(page)
    if asked is None:
        return _unreadable(page)
    if not page.is_fragment:
        found = _search(page, asked, ON_PAGE)
        wards = _wards(page)
        return page.render("codes.html", asked=asked, found=found, kinds=KINDS, wards=wards)
    typed = "" if asked.typed == asked.now else asked.typed
    found = _search(page, asked, IN_FIELD, typed)
    return page.render("hits.html", asked=asked, found=found, chosen=bool(typed.strip()))


@route("/codes/rows", needs=Permission.CODES_SEARCH, fragment=True)
def rows(page: Page) -> str | Response:
    """The hits of the page, while something is typed."""
    asked = _asked(page)
    if asked is None:
        return _unreadable(page)
    return page.render("codes_rows.html", asked=asked, found=_search(page, asked, ON_PAGE))


def _asked(page: Page) -> _Asked | None:
    """The request's parameters; None when the kind or the day is none."""
    args = page.args
    try:
        wanted = args.get("kind", CodeKind.DIAGNOSIS)
        kind = CodeKind.DIAGNOSIS if wanted == PRINCIPAL else CodeKind(wanted)
        day = read_date(args["day"]) if args.get("day") else None
    except ValueError:
        return None
    return _Asked(
        typed=args.get("q", ""),
        kind=kind,
        department=args.get("department", ""),
        day=day,
        principal=kind is CodeKind.DIAGNOSIS
        and (wanted == PRINCIPAL or args.get("principal") == "1"),
        now=args.get("now", ""),
    )


def _search(page: Page, asked: _Asked, limit: int, typed: str | None = None) -> Found:
    return search_codes(
        page.desk,
        asked.typed if typed is None else typed,
        kind=asked.kind,
        department=asked.department,
        day=asked.day,
        principal=asked.principal,
        limit=limit,
    )


def _wards(page: Page) -> list[tuple[str, str]]:
    """Wards whose lists have been counted: national code and name."""
    with page.desk.store.read() as conn:
        found = code_usage.departments(conn)
    names = page.desk.reference(None).codesets.get("dept", {})
    return [(code, names.get(code, code)) for code in found]


def _unreadable(page: Page) -> Response:
    return page.error(400, "查找的种类或日期看不懂。", "刷新页面后再试。")

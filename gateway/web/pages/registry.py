"""Wards and people: what is new, who it may be, and entering it once for all waiting lists."""

from __future__ import annotations

import json

from flask import Response

from dipgate.core.errors import RecordError
from dipgate.core.registry import DEPARTMENT, KINDS, ROLES, RegistryEntry
from dipgate.pipeline import registry_desk, registry_view
from dipgate.pipeline.registry_preview import preview
from dipgate.pipeline.registry_stage import WHY
from dipgate.store import registries, registry_items
from dipgate.web.guard import Permission
from dipgate.web.navigation import nav_count
from dipgate.web.page import Page
from dipgate.web.routes import route

TABS = {"new": "待登记", "proposed": "待批准", "book": "登记册", "past": "撤销和没批准的"}
_FIELDS = (
    "local_code",
    "name",
    "national_code",
    "role",
    "department",
    "first_day",
    "last_day",
    "reason",
)
_SHOWN_LISTS = 50


@nav_count("registry")
def unknown_yet(page: Page) -> int | None:
    """Wards and people that lists wait for."""
    with page.desk.store.read() as conn:
        return registry_items.counts(conn)[0] or None


@route("/registry", needs=Permission.REGISTRY_VIEW)
def show(page: Page) -> str:
    """Items, proposals or the registry itself, with one of them opened beside the table."""
    tab = page.args.get("tab", "new")
    return _shown(page, tab if tab in TABS else "new", page.args.get("open", ""))


@route("/registry.json", needs=Permission.REGISTRY_VIEW)
def as_json(page: Page) -> Response:
    """The open items for a monitor."""
    with page.desk.store.read() as conn:
        found = registry_items.items(conn)
    return page.json(registry_view.items_json(page.desk, found))


@route("/registry/book", needs=Permission.REGISTRY_VIEW, methods=("POST",), fragment=True)
def find(page: Page) -> str:
    """Entries that hold what was typed; what is typed never stands in an address."""
    kind = page.form.get("kind", "")
    rows, many = registry_view.book(
        page.desk, kind=kind if kind in KINDS else "", typed=page.form.get("q", "")[:60]
    )
    return page.render("registry_book.html", rows=rows, many=many, roles=ROLES, kinds=KINDS)


@route("/registry/preview", needs=Permission.REGISTRY_VIEW, methods=("POST",), fragment=True)
def look(page: Page) -> Response | str:
    """What the typed entry would do; nothing is stored."""
    try:
        entry = _typed(page)
        found = preview(page.desk, entry)
    except RecordError as error:
        return page.error(422, f"看不了：{error.what}。", f"{error.remedy}。")
    return page.render("registry_preview.html", found=found, entry=entry)


@route("/registry/enter", needs=Permission.REGISTRY_FIX, methods=("POST",), fragment=True)
def enter(page: Page) -> Response | str:
    """Make the entry; the answer begins to map the waiting lists again."""
    try:
        entry, reason = _typed(page), page.form.get("reason", "")
        number = registry_desk.enter(page.desk, entry, reason=reason, author=page.actor)
    except RecordError as error:
        return page.error(422, f"没有登记：{error.what}。", f"{error.remedy}。")
    return _begun(page, number)


@route("/registry/propose", needs=Permission.REGISTRY_VIEW, methods=("POST",), fragment=True)
def propose(page: Page) -> Response | str:
    """Keep the entry for the office to decide about."""
    try:
        entry, reason = _typed(page), page.form.get("reason", "")
        registry_desk.propose(page.desk, entry, reason=reason, author=page.actor)
    except RecordError as error:
        return page.error(422, f"没有提交：{error.what}。", f"{error.remedy}。")
    return page.render("registry_going.html", step="proposed")


@route(
    "/registry/<int:number>/decide",
    needs=Permission.REGISTRY_FIX,
    methods=("POST",),
    fragment=True,
)
def decide(page: Page, number: int) -> Response | str:
    """Approve, refuse or withdraw an entry."""
    state = page.form.get("state", "")
    if state not in registries.NEXT:
        return page.error(400, "没有处理：不认识的做法。", "刷新后再试。")
    try:
        reason = page.form.get("reason", "")
        registry_desk.decide(page.desk, number, state, reason=reason, author=page.actor)
    except RecordError as error:
        return page.error(422, f"没有处理：{error.what}。", f"{error.remedy}。")
    if state == "refused":
        return page.render("registry_going.html", step="refused")
    return _begun(page, number)


@route(
    "/registry/<int:number>/apply", needs=Permission.REGISTRY_FIX, methods=("POST",), fragment=True
)
def apply(page: Page, number: int) -> Response | str:
    """One step of mapping waiting lists again; the answer asks for the next until none is left."""
    try:
        step = registry_desk.apply_step(
            page.desk, number, after=page.form.get("after", ""), author=page.actor
        )
    except RecordError as error:
        return page.error(404, f"没有更新：{error.what}。", f"{error.remedy}。")
    return _went_on(page, step, f"/registry/{number}/apply")


@route("/registry/refresh", needs=Permission.REGISTRY_FIX, methods=("POST",), fragment=True)
def refresh(page: Page) -> str:
    """After an import: one step of mapping every list with something unknown again."""
    step = registry_desk.refresh_step(
        page.desk, after=page.form.get("after", ""), author=page.actor
    )
    return _went_on(page, step, "/registry/refresh")


def _went_on(page: Page, step: registry_desk.Step, url: str) -> str:
    report = step.report
    sums = {
        "done": _count(page, "done") + report.asked,
        "changed": _count(page, "changed") + report.changed,
        "before": _count(page, "before") + report.problems_before,
        "gone": _count(page, "gone") + report.problems_after,
        "failed": _count(page, "failed") + len(report.failed),
        "conflicts": _count(page, "conflicts") + report.conflicts,
    }
    total = max(_count(page, "total"), sums["done"])
    return page.render(
        "registry_going.html",
        step="done" if step.after is None else "going",
        url=url,
        sends=json.dumps({"after": step.after or "", "total": total, **sums}),
        total=total,
        failures=report.failed[:5],
        **sums,
    )


def _begun(page: Page, number: int) -> str:
    with page.desk.store.read() as conn:
        found = registries.get(conn, number)
        waiting: tuple[str, ...] = ()
        if found is not None:
            withdrawn = found.state == "withdrawn"
            waiting = registry_desk.concerned(conn, page.desk, found.entry(), withdrawn=withdrawn)
    nothing = dict.fromkeys(("done", "changed", "before", "gone", "failed", "conflicts"), 0)
    return page.render(
        "registry_going.html",
        step="going",
        url=f"/registry/{number}/apply",
        sends=json.dumps({"after": "", "total": len(waiting), **nothing}),
        total=len(waiting),
        failures=(),
        **nothing,
    )


def _shown(page: Page, tab: str, number: str) -> str:
    with page.desk.store.read() as conn:
        items = registry_items.items(conn)
        proposed = registries.entries(conn, states=("proposed",))
        past = registries.entries(conn, states=("withdrawn", "refused"))
    rows, many = registry_view.book(page.desk) if tab == "book" else ((), 0)
    if tab == "new" and not number and items:
        number = items[0].id
    found = registry_view.opened(page.desk, number) if tab == "new" and number else None
    entry = registry_view.entry_with(page.desk, number) if tab == "book" and number else None
    return page.render(
        "registry.html",
        tab=tab,
        tabs=TABS,
        counts={
            "new": len(items),
            "proposed": len(proposed),
            "book": sum(len(page.desk.references.registry(kind)) for kind in KINDS),
            "past": len(past),
        },
        items=items,
        proposed=proposed,
        past=past,
        rows=rows,
        many=many,
        found=found,
        form=_form(page, found, entry),
        kind=_kind(page, found, entry),
        national=page.desk.forms.codesets.get("dept", {}),
        shown_lists=_SHOWN_LISTS,
        why=WHY,
        word_of=registry_view.word_of,
        states=registries.STATES,
        kinds=KINDS,
        roles=ROLES,
    )


def _kind(page: Page, found: registry_view.Opened | None, entry: RegistryEntry | None) -> str:
    if found is not None:
        return found.item.kind
    if entry is not None:
        return entry.kind
    wanted = page.args.get("kind", "")
    return wanted if wanted in KINDS else DEPARTMENT


def _form(
    page: Page, found: registry_view.Opened | None, entry: RegistryEntry | None
) -> dict[str, str]:
    """What stands in the form at first: the item's own words, or those of a chosen candidate."""
    form = dict.fromkeys(_FIELDS, "")
    if found is not None:
        item = found.item
        form |= {"local_code": item.local_code, "name": item.local_name, "role": item.role}
        form["first_day"] = item.first_used.isoformat() if item.first_used else ""
        taken = page.args.get("take", "")
        if taken.isascii() and taken.isdecimal() and int(taken) < len(found.candidates):
            chosen = found.candidates[int(taken)]
            form["national_code"] = chosen.national_code
            form["name"] = form["name"] or chosen.name
            form["role"] = chosen.role or form["role"]
            form["department"] = chosen.department
    elif entry is not None:
        form |= {
            "local_code": entry.local_code,
            "name": entry.local_name,
            "national_code": entry.national_code,
            "role": entry.role,
            "department": entry.department,
            "first_day": entry.first_day.isoformat() if entry.first_day else "",
            "last_day": entry.last_day.isoformat() if entry.last_day else "",
        }
    return form


def _typed(page: Page) -> RegistryEntry:
    typed = {name: page.form.get(name, "")[:200] for name in _FIELDS}
    return registry_desk.read_entry(page.desk, page.form.get("kind", ""), typed)


def _count(page: Page, name: str) -> int:
    text = page.form.get(name, "")
    return min(int(text), 10_000_000) if text.isascii() and text.isdecimal() else 0

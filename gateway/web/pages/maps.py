"""Code maps: codes without a target, one person proposes, another approves, all lists mend."""

from __future__ import annotations

import json

from flask import Response

from dipgate.core.errors import RecordError
from dipgate.pipeline import maps_desk, maps_view
from dipgate.pipeline.maps_preview import preview
from dipgate.store import accounts, map_coverage, map_proposals, unmapped
from dipgate.store.map_proposals import KINDS, STATES, Wanted
from dipgate.web.guard import Permission, holds, role_of
from dipgate.web.navigation import nav_count
from dipgate.web.page import Page
from dipgate.web.routes import route

TABS = {
    "new": "没有对照的",
    "proposed": "待批准",
    "active": "本院对照",
    "ending": "将失效",
    "past": "否决和撤销的",
}
_FIELDS = ("source_code", "source_name", "target_code", "first_day", "last_day")
_SHOWN_LISTS = 50
_SUMS = ("done", "changed", "before", "gone", "failed", "conflicts")


@nav_count("maps")
def without_target(page: Page) -> int | None:
    """Codes that lists wait for, and proposals that wait for a second person."""
    with page.desk.store.read() as conn:
        return unmapped.waiting_codes(conn) + map_proposals.waiting(conn) or None


@route("/maps", needs=Permission.MAPS_VIEW)
def show(page: Page) -> str:
    """The queue, proposals, rows in force or those that run out; one opened beside the table."""
    tab = page.args.get("tab", "new")
    return _shown(page, tab if tab in TABS else "new", page.args.get("open", ""))


@route("/maps.json", needs=Permission.MAPS_VIEW)
def as_json(page: Page) -> Response:
    """The queue for a monitor."""
    with page.desk.store.read() as conn:
        found = unmapped.queue(conn)
    return page.json(maps_view.queue_json(page.desk, found))


@route("/maps/preview", needs=Permission.MAPS_VIEW, methods=("POST",), fragment=True)
def look(page: Page) -> Response | str:
    """What the typed row would do; nothing is stored."""
    try:
        wanted = _typed(page)
    except RecordError as error:
        return page.error(422, f"看不了：{error.what}。", f"{error.remedy}。")
    return _previewed(page, wanted)


@route("/maps/propose", needs=Permission.MAPS_VIEW, methods=("POST",), fragment=True)
def propose(page: Page) -> Response | str:
    """Keep the row for a second person to decide about."""
    try:
        wanted, reason = _typed(page), page.form.get("reason", "")
        number = maps_desk.propose(page.desk, wanted, reason=reason, author=page.actor)
    except RecordError as error:
        return page.error(422, f"没有提交：{error.what}。", f"{error.remedy}。")
    return page.render("maps_going.html", step="proposed", number=number, alone=_alone(page))


@route("/maps/<int:number>/preview", needs=Permission.MAPS_VIEW, methods=("POST",), fragment=True)
def look_at(page: Page, number: int) -> Response | str:
    """What a proposal would do, for the person who decides about it."""
    with page.desk.store.read() as conn:
        found = map_proposals.get(conn, number)
    if found is None or found.state != "proposed":
        return page.error(404, "这条建议已经处理过。", "刷新后再看。")
    return _previewed(page, found.wanted)


@route("/maps/<int:number>/decide", needs=Permission.MAPS_DECIDE, methods=("POST",), fragment=True)
def decide(page: Page, number: int) -> Response | str:
    """Approve, reject or withdraw a row; never approve one's own."""
    state, reason = page.form.get("state", ""), page.form.get("reason", "")
    if state not in map_proposals.NEXT:
        return page.error(400, "没有处理：不认识的做法。", "刷新后再试。")
    try:
        with page.desk.store.read() as conn:
            before = map_proposals.get(conn, number)
        decided = maps_desk.decide(page.desk, number, state, reason=reason, author=page.actor)
    except RecordError as error:
        return page.error(422, f"没有处理：{error.what}。", f"{error.remedy}。")
    if state == "rejected" or before is None or (before.state, state) == ("proposed", "withdrawn"):
        return page.render("maps_going.html", step=state, number=number, alone=False)
    withdrawn = state == "withdrawn"
    with page.desk.store.read() as conn:
        waiting = maps_desk.concerned(conn, page.desk, decided.wanted, withdrawn=withdrawn)
    nothing = dict.fromkeys(_SUMS, 0)
    return page.render(
        "maps_going.html",
        step="going",
        url=f"/maps/{number}/apply",
        sends=json.dumps({"after": "", "total": len(waiting), **nothing}),
        total=len(waiting),
        failures=(),
        sent=0,
        **nothing,
    )


@route("/maps/<int:number>/apply", needs=Permission.MAPS_DECIDE, methods=("POST",), fragment=True)
def apply(page: Page, number: int) -> Response | str:
    """One step of mapping waiting lists again; the answer asks for the next until none is left."""
    try:
        step = maps_desk.apply_step(
            page.desk, number, after=page.form.get("after", ""), author=page.actor
        )
    except RecordError as error:
        return page.error(404, f"没有更新：{error.what}。", f"{error.remedy}。")
    report = step.report
    sums = {
        "done": _count(page, "done") + report.asked,
        "changed": _count(page, "changed") + report.changed,
        "before": _count(page, "before") + report.problems_before,
        "gone": _count(page, "gone") + report.problems_after,
        "failed": _count(page, "failed") + len(report.failed),
        "conflicts": _count(page, "conflicts") + report.conflicts,
    }
    sent = 0
    if step.after is None:
        with page.desk.store.read() as conn:
            found = map_proposals.get(conn, number)
            sent = 0 if found is None else maps_desk.sent_with(conn, found.wanted)
    total = max(_count(page, "total"), sums["done"])
    return page.render(
        "maps_going.html",
        step="done" if step.after is None else "going",
        url=f"/maps/{number}/apply",
        sends=json.dumps({"after": step.after or "", "total": total, **sums}),
        total=total,
        failures=report.failed[:5],
        sent=sent,
        **sums,
    )


def _previewed(page: Page, wanted: Wanted) -> str:
    return page.render("maps_preview.html", found=preview(page.desk, wanted), wanted=wanted)


def _shown(page: Page, tab: str, number: str) -> str:
    with page.desk.store.read() as conn:
        items = unmapped.queue(conn)
        made = map_proposals.proposals(conn)
        covered = map_coverage.coverage(conn, months=2)
    by_state = {state: [one for one in made if one.state == state] for state in STATES}
    past = [one for one in made if one.state in ("rejected", "withdrawn")]
    ending = maps_view.running_out(page.desk)
    if tab == "new" and not number and items:
        number = items[0].id
    found = maps_view.opened(page.desk, number) if tab == "new" and number else None
    return page.render(
        "maps.html",
        tab=tab,
        tabs=TABS,
        counts={
            "new": len(items),
            "proposed": len(by_state["proposed"]),
            "active": len(by_state["approved"]),
            "ending": sum(group.rows for group in ending),
            "past": len(past),
        },
        items=items,
        proposed=by_state["proposed"],
        active=by_state["approved"],
        past=past,
        ending=ending,
        covered=covered,
        found=found,
        kind=_kind(page, found),
        form=_form(page, found),
        alone=_alone(page),
        actor=page.actor,
        same=map_proposals.same_person,
        shown_lists=_SHOWN_LISTS,
        kinds=KINDS,
        families=map_coverage.FAMILIES,
        states=STATES,
    )


def _alone(page: Page) -> bool:
    """Is there nobody beside this person who may approve what he proposes?"""
    with page.desk.store.read() as conn:
        users = accounts.all_users(conn)
    others = [
        user
        for user in users
        if user.disabled_at is None
        and holds(role_of(user.role), Permission.MAPS_DECIDE)
        and not map_proposals.same_person(user.login, page.actor)
    ]
    return not others


def _kind(page: Page, found: maps_view.Opened | None) -> str:
    if found is not None:
        return found.item.kind
    wanted = page.args.get("kind", "")
    return wanted if wanted in KINDS else "icd10"


def _form(page: Page, found: maps_view.Opened | None) -> dict[str, str]:
    """What stands in the form at first: the code itself, and the candidate that was taken."""
    form = dict.fromkeys(_FIELDS, "")
    if found is None:
        return form
    item = found.item
    form |= {"source_code": item.code, "source_name": item.name}
    form["first_day"] = item.first_used.isoformat() if item.first_used else ""
    taken = page.args.get("take", "")
    if taken.isascii() and taken.isdecimal() and int(taken) < len(found.candidates):
        form["target_code"] = found.candidates[int(taken)].code
    return form


def _typed(page: Page) -> Wanted:
    typed = {name: page.form.get(name, "")[:200] for name in _FIELDS}
    return maps_desk.read_wanted(page.desk, page.form.get("kind", ""), typed)


def _count(page: Page, name: str) -> int:
    text = page.form.get(name, "")
    return min(int(text), 10_000_000) if text.isascii() and text.isdecimal() else 0

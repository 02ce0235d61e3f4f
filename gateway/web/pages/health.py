"""Health: every check, worst first, as page, fragment, JSON and plain text; up or down for all."""

from __future__ import annotations

from flask import Response

from dipgate.core.durations import duration_words
from dipgate.core.errors import ConfigError
from dipgate.core.exchange import State
from dipgate.pipeline import health, queue_desk
from dipgate.pipeline.health import Check, Facts
from dipgate.pipeline.health_gather import gather, is_up
from dipgate.pipeline.queue_words import GRADES, STATE_WORDS
from dipgate.store.readings import HeldReading
from dipgate.web.guard import Permission
from dipgate.web.navigation import nav_count
from dipgate.web.page import Page
from dipgate.web.pages.outbox import queue_values
from dipgate.web.routes import route

_SHOWN = (
    (State.UNKNOWN, "unknown"),
    (State.CONFLICT, "conflict"),
    (State.HELD, "held"),
    (State.SENDING, "sending"),
    (State.READY, "ready"),
    (State.ACCEPTED, "accepted"),
)


@nav_count("health")
def waiting_for_a_person(page: Page) -> int | None:
    """Lists on the way that wait for a person."""
    with page.desk.store.read() as conn:
        return queue_desk.open_problems(conn) or None


@route("/health", needs=Permission.HEALTH_VIEW)
def show(page: Page) -> str | Response:
    """The checks beside the queue desk; beside the queue's figures for who may not open it."""
    facts, found = _checked(page)
    values = _values(facts, found)
    if not page.may(Permission.QUEUE_DESK):
        return page.render("health.html", **values, queue=None, states=_states(facts))
    try:
        return page.render("health.html", **values, **queue_values(page))
    except ConfigError as error:
        return page.error(400, f"{error}。", "回到“上传与运行”重新选。")


@route("/health/checks", needs=Permission.HEALTH_VIEW, fragment=True)
def checks(page: Page) -> str:
    """The checks alone, for the timed refresh."""
    return page.render("health_checks.html", **_values(*_checked(page)))


@route("/health.json", needs=Permission.HEALTH_VIEW)
def as_json(page: Page) -> Response:
    """The page's twin for a monitor."""
    return page.json(health.as_json(*_checked(page)))


@route("/health.txt", needs=Permission.HEALTH_VIEW)
def as_text(page: Page) -> Response:
    """The page's twin as plain text."""
    text = health.as_text(*_checked(page))
    return Response(text, content_type="text/plain; charset=utf-8")


@route("/health/up", needs=Permission.PUBLIC)
def up(page: Page) -> Response:
    """Up or down, nothing else, for everybody: 200 or 503."""
    well = is_up(page.desk)
    return page.json({"status": "up" if well else "down"}, 200 if well else 503)


@route("/health/up.txt", needs=Permission.PUBLIC)
def up_text(page: Page) -> Response:
    """The same in one word."""
    well = is_up(page.desk)
    return Response(
        "up\n" if well else "down\n",
        status=200 if well else 503,
        content_type="text/plain; charset=utf-8",
    )


def _checked(page: Page) -> tuple[Facts, tuple[Check, ...]]:
    runtime = page.web.runtime
    facts = gather(
        page.desk,
        jobs=runtime.jobs(),
        version=page.web.version,
        started_at=runtime.started_at,
    )
    return facts, health.checks(facts)


def _values(facts: Facts, found: tuple[Check, ...]) -> dict[str, object]:
    held: dict[str, list[HeldReading]] = {}
    for item in facts.held_readings:
        held.setdefault(item.source, []).append(item)
    return {
        "held": held,
        "facts": facts,
        "checks": found,
        "summary": health.summary_words(found),
        "uptime": duration_words(facts.age(facts.started_at)),
    }


def _states(facts: Facts) -> list[tuple[str, str, str, int, str]]:
    """The queue in figures, for who may see that it runs but not what is in it."""
    shown = []
    for state, kind in _SHOWN:
        rows = facts.rows(state)
        waited = duration_words(facts.age(rows.oldest)) if rows.oldest else ""
        shown.append((kind, STATE_WORDS[kind], GRADES.get(kind, ""), rows.rows, waited))
    return shown

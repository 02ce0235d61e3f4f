"""What a view is given: the desk, the person, the request, and ways to answer."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

import msgspec
from flask import Request, Response, current_app, g, render_template
from werkzeug.datastructures import MultiDict

from dipgate.core.clock import CHINA
from dipgate.pipeline.desk import Desk
from dipgate.store import accounts
from dipgate.store.accounts import SessionRow
from dipgate.web.context import WebContext
from dipgate.web.guard import Permission, Role, holds, role_of
from dipgate.web.navigation import NAVIGATION

MODES: Mapping[str, str] = {
    "observe": "只看，不上传",
    "shadow": "影子，备好不上传",
    "live": "正式上传",
}
_JSON = msgspec.json.Encoder(decimal_format="string")
_MEMORY_LIMIT = 16_384


@dataclass(frozen=True, slots=True)
class User:
    """Who is signed in. `login` is the actor's name in audit rows."""

    login: str
    name: str
    role: Role | None


@dataclass
class Page:
    """One request to one view."""

    web: WebContext
    request: Request
    session: SessionRow | None
    fragment: bool
    _memory: dict[str, str] | None = field(default=None, repr=False)

    @property
    def desk(self) -> Desk:
        return self.web.desk

    @property
    def user(self) -> User | None:
        if self.session is None:
            return None
        row = self.session.user
        return User(row.login, row.name, role_of(row.role))

    @property
    def actor(self) -> str:
        """Log-in name for audit rows and overlays. Only on routes that need a log-in."""
        if self.session is None:
            raise RuntimeError("nobody is signed in on a public route")
        return self.session.user.login

    @property
    def args(self) -> MultiDict[str, str]:
        """Query parameters."""
        return self.request.args

    @property
    def form(self) -> MultiDict[str, str]:
        """Form fields of a POST."""
        return self.request.form

    @property
    def now(self) -> datetime:
        """The present moment, aware."""
        return self.web.clock.now()

    @property
    def is_fragment(self) -> bool:
        """Is a part of a page wanted (htmx), not a whole one?"""
        return self.request.headers.get("HX-Request") == "true"

    def may(self, permission: Permission | str) -> bool:
        """Does the person hold this permission? Templates may give its name."""
        wanted = Permission[permission] if isinstance(permission, str) else permission
        user = self.user
        return holds(user.role if user else None, wanted)

    # what the session remembers between requests

    def recall(self, key: str) -> str:
        """What `remember` kept under this key in this browser's session; empty when nothing."""
        return self._content().get(key, "")

    def remember(self, key: str, value: str) -> None:
        """Keep a short text for this browser's session (a filter, the list being worked on)."""
        content = self._content()
        if self.session is None or content.get(key, "") == value:
            return
        content[key] = value
        data = _JSON.encode(content)
        if len(data) > _MEMORY_LIMIT:
            raise ValueError(f"session memory is for short texts; {key} does not fit")
        id_hash = self.session.id_hash
        self.desk.store.write(lambda conn: accounts.keep_content(conn, id_hash, data))

    def _content(self) -> dict[str, str]:
        if self._memory is None:
            kept = self.session.content if self.session is not None else b""
            self._memory = msgspec.json.decode(kept, type=dict[str, str]) if kept else {}
        return self._memory

    # answers

    def render(self, template: str, /, **context: Any) -> str:
        """HTML of a template; `page`, `may`, `static` and `nonce` are there too."""
        return render_template(template, page=self, may=self.may, **context)

    def fragments(self, *parts: str) -> str:
        """Several parts in one answer: the swapped one first, then those with `hx-swap-oob`."""
        return "\n".join(parts)

    def redirect(self, path: str) -> Response:
        """Go to another page of ours; works for a whole page and from htmx alike."""
        if not path.startswith("/") or path.startswith(("//", "/\\")):
            raise ValueError("redirects stay on this site")
        if self.is_fragment:
            return Response(status=204, headers={"HX-Redirect": path})
        return Response(status=303, headers={"Location": path})

    def json(self, value: Any, status: int = 200) -> Response:
        """A JSON answer; Decimals as text, times in ISO form."""
        return Response(_JSON.encode(value), status=status, content_type="application/json")

    def download(self, data: bytes, *, name: str, media_type: str) -> Response:
        """A file to save. `name` may be Chinese; it must not identify a patient."""
        answer = Response(data, content_type=media_type)
        answer.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
        return answer

    def error(
        self, status: int, sentence: str, remedy: str = "", *, in_place: bool = False
    ) -> Response:
        """An error the person can act on: what happened to his typing, the way out, an id.

        To htmx the fragment goes into the notice line at the head, so that what was typed stays
        where it is; `in_place` puts it where the act was. Otherwise a whole page.
        """
        return error_answer(self, status, sentence, remedy, in_place=in_place)


def error_answer(
    page: Page, status: int, sentence: str, remedy: str, *, in_place: bool = False
) -> Response:
    """The error fragment or page; its id is also the one in the log."""
    whole = not (page.fragment or page.is_fragment)
    template = "error_page.html" if whole else "error.html"
    html = page.render(
        template, sentence=sentence, remedy=remedy, error_id=error_id(), status=status
    )
    answer = Response(html, status=status, content_type="text/html; charset=utf-8")
    if not whole and not in_place:
        answer.headers["HX-Retarget"] = "#notice"
        answer.headers["HX-Reswap"] = "innerHTML"
    return answer


def error_id() -> str:
    """The id of this request's error: shown to the person, written to the log."""
    if "error_id" not in g:
        g.error_id = secrets.token_hex(4)
    return str(g.error_id)


def frame_values() -> dict[str, Any]:
    """What every template may use besides its own values."""
    return {"nonce": g.nonce}


def navigation(page: Page) -> list[dict[str, Any]]:
    """Entries of the main navigation that this person may open and that exist, with counts."""
    known: frozenset[str] = current_app.extensions["dipgate_paths"]
    counts = current_app.extensions["dipgate_counts"]
    found = []
    for item in NAVIGATION:
        if item.path in known and page.may(item.needs):
            counter = counts.get(item.key)
            found.append(
                {
                    "key": item.key,
                    "label": item.label,
                    "path": item.path,
                    "count": counter(page) if counter else None,
                }
            )
    return found


def header(page: Page) -> dict[str, str]:
    """Hospital, mode and time for the band."""
    site = page.desk.site
    here = page.now.astimezone(CHINA)
    return {
        "hospital": site.hospital.name or "还没有填写医院名称",
        "mode": MODES[site.platform.mode],
        "mode_key": site.platform.mode,
        "time": f"{here.month} 月 {here.day} 日 {here:%H:%M}",
    }

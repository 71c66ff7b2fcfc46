"""
The status page as HTML: one picture, four templates, no script and nothing from elsewhere.

Pure but for reading the templates once. Everything is escaped, whatever it is; the style stands in
the page, and its hash in the policy that lets nothing else in.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from exporters.build import build_labels
from remediation.web.picture import Picture
from remediation.web.sessions import Session
from remediation.web.story import Line

REFRESH_S = 10
_ROOM = Path(__file__).parent
_MARKS = {
    "healthy": "✓", "unhealthy": "✕", "starting": "…", "stopped": "■", "absent": "○", "unknown": "?",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Headline:
    """The one sentence that says how things stand; *tone* is good, warn, calm or bad."""

    text: str
    tone: str


@dataclass(frozen=True, slots=True)
class Shown:
    """What the status page is made of; *form* is the session's form token."""

    picture: Picture
    lately: tuple[Line, ...]
    lately_note: str
    session: Session | None
    form: str
    said: str
    now_wall: float
    refreshes: bool


class Pages:
    """Renders; made once, safe to use from several threads."""

    def __init__(self) -> None:
        self._style = (_ROOM / "page.css.tmpl").read_text(encoding="utf-8")
        digest = base64.b64encode(hashlib.sha256(self._style.encode()).digest()).decode()
        self.policy = (
            f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self';"
            " base-uri 'none'; frame-ancestors 'none'"
        )
        self._templates = Environment(
            loader=FileSystemLoader(_ROOM),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def status(self, shown: Shown) -> str:
        """Return the status page."""
        page = self._templates.get_template("page.html.tmpl")
        return page.render(
            **self._common(refresh_s=REFRESH_S if shown.refreshes else 0),
            picture=shown.picture,
            headline=headline(shown.picture),
            lately=shown.lately,
            lately_note=shown.lately_note,
            session=shown.session,
            form=shown.form,
            said=shown.said,
            marks=_MARKS,
            times=Times(shown.now_wall),
            version=build_labels()["version"],
        )

    def login(self, *, problem: str = "", name: str = "") -> str:
        """Return the page where the operator token is shown."""
        page = self._templates.get_template("page_login.html.tmpl")
        return page.render(**self._common(), problem=problem, name=name)

    def pause(self, form: str, *, problem: str = "") -> str:
        """Return the page that asks why to pause."""
        page = self._templates.get_template("page_pause.html.tmpl")
        return page.render(**self._common(), form=form, problem=problem)

    def _common(self, *, refresh_s: int = 0) -> Mapping[str, Any]:
        # Ours, and its hash is in the policy: not to be escaped.
        return {"style": Markup(self._style), "refresh_s": refresh_s}  # noqa: S704


def headline(picture: Picture) -> Headline:
    """Return what somebody who was just woken wants to know first."""
    stops = [b for b in picture.banners if b.kind not in ("paused", "dry_run")]
    if stops:
        return Headline(f"{stops[0].title}: nothing is restarted", "bad")
    stuck = [each.handed for each in picture.incidents if each.stuck]
    stuck += [each.service for each in picture.not_done if each.outcome == "escalate"]
    if stuck:
        return Headline(f"Needs a human: {', '.join(stuck[:5])}", "bad")
    if picture.paused:
        return Headline("Paused: nothing is restarted", "calm")
    asks = [each.root for each in picture.incidents if each.asks]
    if asks:
        return Headline(f"Waits for your approval: {', '.join(asks[:5])}", "calm")
    if picture.incidents:
        return Headline(f"At work on {', '.join(e.root for e in picture.incidents[:5])}", "warn")
    unhealthy = picture.counts.get("unhealthy", 0)
    if unhealthy:
        what = "service is" if unhealthy == 1 else "services are"
        return Headline(f"{unhealthy} {what} unhealthy; no incident is open", "warn")
    return Headline("All is well", "good")


class Times:
    """Tells Unix times as people read them at *now_wall*; in UTC, as logs do."""

    def __init__(self, now_wall: float) -> None:
        self._now_wall = now_wall

    def stamp(self, wall: float) -> str:
        """Return *wall* as RFC 3339, to the second."""
        moment = datetime.fromtimestamp(wall, UTC)
        return moment.isoformat(timespec="seconds").replace("+00:00", "Z")

    def clock(self, wall: float) -> str:
        """Return *wall* as a time of day, with its day where that is not today's."""
        moment, now = datetime.fromtimestamp(wall, UTC), datetime.fromtimestamp(self._now_wall, UTC)
        return moment.strftime("%H:%M:%S" if moment.date() == now.date() else "%d %b %H:%M")

    def ago(self, wall: float) -> str:
        """Return how long ago *wall* was, or in how long it will be."""
        seconds = self._now_wall - wall
        if seconds <= -1:
            return f"in {_span(-seconds)}"
        return f"{_span(seconds)} ago" if seconds >= 1 else "now"


def _span(seconds: float) -> str:
    total = int(seconds)
    if total < 60:
        return f"{total} s"
    if total < 3600:
        return f"{total // 60} min"
    if total < 86400:
        return f"{total // 3600} h {total % 3600 // 60} min"
    return f"{total // 86400} d {total % 86400 // 3600} h"

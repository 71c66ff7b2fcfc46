"""
What people may wish: pause, resume, approve, release, announce work; checked against how things stand.

Pure: a View and what was sent in, a record for the journal out, or a refusal with place, fact and
cure. A wish that is fulfilled already gives no record.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any

from remediation import records
from remediation.desk import View
from remediation.model import Record
from remediation.web.answer import AnswerError
from remediation.web.picture_incidents import asks_for_approval

MAX_REASON = 500
MAX_NAME = 100
MAX_HOLD_S = 7 * 86400.0  # who works longer announces it again
ANYBODY = "operator"


def pause(body: Mapping[str, Any]) -> Record:
    """Return the record of a pause: `reason` and `by`."""
    place = "/v1/pause"
    return records.paused(_by(body, place), _text(body, "reason", place, MAX_REASON))


def resume(view: View, body: Mapping[str, Any]) -> Record | None:
    """Return the record of going on; None when nothing is paused."""
    by = _by(body, "/v1/resume")
    return records.resumed(by) if view.state.pause else None


def release(view: View, body: Mapping[str, Any]) -> Record | None:
    """Return the record of a release after a storm; None when nothing is frozen."""
    by = _by(body, "/v1/release")
    return records.released(by, "human") if view.state.frozen else None


def approve(view: View, incident: str, body: Mapping[str, Any]) -> Record:
    """
    Return the record of an approval of what *incident* would do next.

    With `rung` in *body* it is refused when the incident has climbed since that was read.
    """
    place = f"/v1/approve/{incident[:64]}"
    by = _by(body, place)
    found = view.state.incidents.get(incident)
    if found is None:
        known = ", ".join(sorted(view.state.incidents)[:10]) or "none"
        raise AnswerError(404, place, "no such open incident", f"Open are: {known}")
    if found.gave_up:
        fact = f"{found.root} was given up: no rung is left to approve"
        raise AnswerError(409, place, fact, f"Cure {found.root} by hand; the incident then closes")
    if not asks_for_approval(view, found):
        last = view.state.last.get(found.root)
        fact = "it does not wait for an approval" + (f", but: {last.reason}" if last else "")
        raise AnswerError(409, place, fact, "See /v1/status for what it waits for")
    rung = body.get("rung", found.rung)
    if rung != found.rung:
        fact = f"it is at the rung {found.rung} by now"
        raise AnswerError(409, place, fact, "Read again what would be done, then approve that")
    return records.approved(incident, by)


def hold(view: View, body: Mapping[str, Any]) -> Record:
    """Return the record of announced work: `name` of a service or tier, `for_s`, `reason`, `by`."""
    place = "/v1/holds"
    name = _text(body, "name", place, MAX_NAME)
    _known(view, name, place)
    for_s = _span(body.get("for_s"), place)
    return records.held(name, for_s, _by(body, place), _text(body, "reason", place, MAX_REASON))


def unhold(view: View, name: str, body: Mapping[str, Any]) -> Record:
    """Return the record that the work on *name* is over."""
    place = f"/v1/holds/{name[:MAX_NAME]}"
    by = _by(body, place)
    if name not in view.state.holds:
        known = ", ".join(sorted(view.state.holds)[:10]) or "nothing"
        raise AnswerError(404, place, "no work is announced on it", f"Announced is: {known}")
    return records.unheld(name, by)


def _known(view: View, name: str, place: str) -> None:
    names = [*view.config.services, *view.config.tiers]
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        cure = f"Perhaps {near[0]!r} was meant" if near else "See /v1/status for the names"
        raise AnswerError(404, place, f"{name!r} is no service and no tier", cure)


def _span(value: Any, place: str) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool) and 0 < value <= MAX_HOLD_S:
        return float(value)
    fact = f"for_s is no number of seconds above 0 and up to {MAX_HOLD_S:.0f}"
    raise AnswerError(400, place, fact, "Send one like 1800")


def _by(body: Mapping[str, Any], place: str) -> str:
    return _text(body, "by", place, MAX_NAME) if "by" in body else ANYBODY


def _text(body: Mapping[str, Any], key: str, place: str, most: int) -> str:
    value = body.get(key)
    if not isinstance(value, str) or not value.strip():
        raise AnswerError(400, place, f"{key} is missing", f"Send {key} as a text")
    value = value.strip()
    if len(value) > most or not value.isprintable():
        fact = f"{key} is longer than {most} characters, or not on one line"
        raise AnswerError(400, place, fact, "Shorten it")
    return value

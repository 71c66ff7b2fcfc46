"""
Announced work: nobody is called about a service or tier, and the remediator keeps its hands off it.

Two halves, each of which can fail alone: a silence in Alertmanager, for people, and a hold of the
remediator, for action. Announcing again extends both and never shortens what a colleague announced;
ending ends both. Out comes what holds now and what does not; printing is the command's business.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from remediation.alertmanager.silences import Silence, SilenceError, Silences
from remediation.commands.operator_client import OperatorClient, OperatorError
from remediation.config import Config

_NOT_FOUND = 404


@dataclass(frozen=True, slots=True)
class Work:
    """Work on *name* (a service, a tier, or both where they share a name); *for_s* from now."""

    name: str
    labels: tuple[str, ...]  # service, tier
    for_s: float = 0.0
    reason: str = ""
    by: str = ""


@dataclass(frozen=True, slots=True)
class State:
    """
    What holds of *name* afterwards: until when (0: not at all; None: nobody can tell).

    *problems* has one text per half that failed: place, fact and what that means.
    """

    name: str
    silenced_until: float | None
    held_until: float | None
    silences: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """Work that is announced, as far as the two tell."""

    name: str
    silenced_until: float = 0.0
    held_until: float = 0.0
    by: str = ""
    reason: str = ""


class UnknownNameError(Exception):
    """There is no such service or tier; the text is for people."""


def labels_of(name: str, config: Config) -> tuple[str, ...]:
    """
    Return which labels say *name* in alerts: service, tier, or both.

    A tier's label is on the alerts of all its services and on those of the tier itself.

    Raises:
        UnknownNameError: Neither a service nor a tier is called so.
    """
    known = {"service": config.services, "tier": config.tiers}
    found = tuple(label for label, names in known.items() if name in names)
    if found:
        return found
    near = difflib.get_close_matches(name, [*config.services, *config.tiers], n=1)
    cure = f"Did you mean {near[0]!r}?" if near else f"Tiers are {', '.join(config.tiers)}."
    raise UnknownNameError(f"{name!r} is no service and no tier. {cure}")


def announce(work: Work, silences: Silences, operator: OperatorClient, now: float) -> State:
    """Hold and silence *work* from *now* (Unix time); what is announced for longer stays so."""
    own, silence_problem = _own(work, silences)
    until = max([now + work.for_s, *(one.ends_wall for one in own.values())])
    held: float | None = None
    problems = []
    try:
        until = max([until, *_held_until(work.name, operator)])
        _hold(work, operator, until - now)
        held = until
    except OperatorError as error:
        problems.append(
            f"{error} The remediator was not told: it may restart {work.name} as part of another's"
            " incident. Alerts that are silenced cause no restart."
        )
    silenced: float | None = None
    names: tuple[str, ...] = ()
    try:
        if silence_problem:
            raise silence_problem
        names = tuple(
            silences.put(_extended(own.get(label), label, work, until, now))
            for label in work.labels
        )
        silenced = until
    except SilenceError as error:
        problems.append(f"{error}. People may be told about {work.name} as ever.")
    return State(work.name, silenced, held, names, tuple(problems))


def end(work: Work, silences: Silences, operator: OperatorClient) -> State:
    """End what is announced of *work*; what is not announced is fine."""
    problems: list[str] = []
    silenced: float | None = 0.0
    held: float | None = 0.0
    ended: tuple[Silence, ...] = ()
    try:
        for label in work.labels:
            ended += silences.ours(label, work.name)
        silences.end(ended)
    except SilenceError as error:
        silenced = max((one.ends_wall for one in ended), default=None)
        problems.append(f"{error}. The silence, if there is one, stays until its end.")
    try:
        operator.request("DELETE", f"/v1/holds/{work.name}")
    except OperatorError as error:
        if error.status != _NOT_FOUND:
            held = None
            problems.append(f"{error} The hold, if there is one, stays until its end.")
    return State(work.name, silenced, held, tuple(one.id for one in ended), tuple(problems))


def announced(
    silences: Silences, operator: OperatorClient
) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """Return all that is announced, by name, and what could not be asked."""
    problems, rows = [], dict[str, Row]()
    try:
        for hold in _holds(operator.request("GET", "/v1/status")):
            rows[hold.name] = hold
    except OperatorError as error:
        problems.append(str(error))
    try:
        for one in silences.ours():
            row = rows.get(one.value, Row(one.value, by=one.by, reason=one.reason))
            rows[one.value] = replace(row, silenced_until=max(row.silenced_until, one.ends_wall))
    except SilenceError as error:
        problems.append(f"{error}.")
    return tuple(rows[name] for name in sorted(rows)), tuple(problems)


def _own(work: Work, silences: Silences) -> tuple[dict[str, Silence], SilenceError | None]:
    """Return the silences to extend, by label; not knowing them one must make none: they would stack."""
    try:
        found = {label: silences.ours(label, work.name) for label in work.labels}
    except SilenceError as error:
        return {}, error
    return {label: ours[0] for label, ours in found.items() if ours}, None


def _held_until(name: str, operator: OperatorClient) -> tuple[float, ...]:
    holds = _holds(operator.request("GET", "/v1/status"))
    return tuple(hold.held_until for hold in holds if hold.name == name)


def _hold(work: Work, operator: OperatorClient, for_s: float) -> None:
    body = {"name": work.name, "for_s": round(for_s, 3), "reason": work.reason, "by": work.by}
    operator.request("POST", "/v1/holds", body)


def _extended(own: Silence | None, label: str, work: Work, until: float, now: float) -> Silence:
    if own is not None:
        return replace(own, ends_wall=until, by=work.by, reason=work.reason)
    return Silence("", label, work.name, now, until, work.by, work.reason)


def _holds(status: Any) -> Iterable[Row]:
    entries = status.get("holds") if isinstance(status, dict) else None
    for entry in entries if isinstance(entries, list) else ():
        name, until = entry.get("name"), entry.get("until_wall")
        if isinstance(name, str) and _is_number(until):
            by, reason = (str(entry.get(key, ""))[:300] for key in ("by", "reason"))
            yield Row(name[:100], 0.0, float(until), by, reason)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)

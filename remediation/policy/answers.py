"""
Under which root each alert of a message is decided, and why: what `tierwatch remediate decide` tells people.

Pure. It asks the grouping itself, alert by alert, and decides nothing. An alert that stands for no
service (not ours, silenced, over) has no root: a decision of its own says why.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from remediation.model import Alert, Decision
from remediation.policy.candidates import find_candidates
from remediation.policy.grouping import group_by_root
from remediation.policy.situation import Situation


@dataclass(frozen=True, slots=True)
class Answer:
    """
    One *alert*, and the root that is decided about for one service it stands for; "" where there is none.

    *way* are the services between the two, the service first; *why* says what is wrong with the root.
    """

    alert: Alert
    service: str = ""
    root: str = ""
    way: tuple[str, ...] = ()
    why: str = ""

    @property
    def told(self) -> str:
        """In one sentence without its end, to be read below the decision about the root."""
        about, named = name_of(self.alert), self.alert.labels.get("service", "")
        if self.service not in ("", named):
            about += f" for {self.service}"
        if self.service == self.root:
            return f"it answers {about}"
        way = f" by way of {', '.join(self.way)}" if self.way else ""
        return f"it is the root of {about}, which waits for it{way}: {self.why}"


def name_of(alert: Alert) -> str:
    """Return what *alert* is about, and its name: `api (ServiceDown)`."""
    about = alert.labels.get("service", "")
    if about in ("", "none"):
        about = f"tier {alert.labels.get('tier', '')}"
    return f"{about} ({alert.labels.get('alertname', '')})"


def answers(here: Situation, alerts: Iterable[Alert]) -> tuple[Answer, ...]:
    """Return *alerts* with their roots: once per service that one stands for, once if it stands for none."""
    services = find_candidates(here).services
    # Services as the keys of their alerts: one alert of a tier may stand for several.
    marked = group_by_root(here, {name: [(name, 0.0)] for name in services})
    roots = {name: group.root for group in marked for name, _ in group.alerts}
    found = []
    for alert in alerts:
        stands_for = [name for name, keys in services.items() if alert.key in keys]
        found += [_answer(here, alert, name, roots[name]) for name in stands_for] or [Answer(alert)]
    return tuple(found)


def below(decision: Decision, found: Iterable[Answer]) -> Iterator[Answer]:
    """Yield those of *found* that *decision* is the answer to."""
    for each in found:
        mine = each.root == ("" if decision.lone else decision.service)
        if mine and each.alert.key in decision.alerts:
            yield each


def undecided(decisions: Iterable[Decision], alerts: Iterable[Alert]) -> Iterator[str]:
    """Yield a sentence without its end about each of *alerts* that none of *decisions* answers."""
    answered = {key for each in decisions for key in each.alerts}
    for alert in alerts:
        if alert.key not in answered:
            # Blind, or while Alertmanager is young, what it does not list is not yet over.
            why = "nobody says whether it is active; it stays accepted" if alert.firing else "over"
            yield f"{name_of(alert)}: nothing is decided: {why}"


def _answer(here: Situation, alert: Alert, service: str, root: str) -> Answer:
    if service == root:
        return Answer(alert, service, root)
    return Answer(alert, service, root, _way(here, service, root), _why(here, root))


def _way(here: Situation, service: str, root: str) -> tuple[str, ...]:
    """Return the services between *service* and *root*, each needing the next; () when it needs it itself."""
    graph, way = here.config.graph, [service]
    while root not in graph.requires[way[-1]]:
        way.append(next(n for n in graph.requires[way[-1]] if root in graph.needs(n)))
    return tuple(way[1:])


def _why(here: Situation, root: str) -> str:
    """Return why *root* is suspected."""
    sight = here.sight(root)
    if sight.evidence:
        return sight.evidence
    if root not in here.unhealthy:
        return "an alert asks to restart it"
    if sight.container.state != "running":
        return f"container {sight.container.state}"
    return "it has just been started" if sight.starting else "it has not answered yet"

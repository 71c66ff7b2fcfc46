"""
Which root explains which alerts: one group per root, with the alerts of all that wait for it.

Pure. A service with several unhealthy roots goes with one of them, which names the others; when that
one is healed it goes with the next, so that each of them holds it back. What is done about a root is
remediation.policy.decide's business.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from remediation.policy.candidates import Key
from remediation.policy.situation import Situation

MOST_NAMED = 5  # roots in one sentence; the rest is a number


@dataclass(slots=True)
class Group:
    """
    One root and the alerts that it explains; *own* says whether one of them is its own.

    *others* are further roots of the same dependants, in the order in which services start.
    """

    root: str
    alerts: list[Key] = field(default_factory=list)
    own: bool = False
    others: tuple[str, ...] = ()

    def told(self, detail: str) -> str:
        """Return *detail* with the other roots, five of them at most."""
        if not self.others:
            return detail
        named, left = ", ".join(self.others[:MOST_NAMED]), len(self.others) - MOST_NAMED
        also = f"its dependants wait for {named}{f' and {left} more' if left > 0 else ''}, too"
        return f"{detail}; {also}" if detail else also


def group_by_root(here: Situation, services: Mapping[str, Sequence[Key]]) -> list[Group]:
    """Return one group per root, in the order in which services start; alerts sorted, none twice."""
    groups: dict[str, Group] = {}
    others: dict[str, set[str]] = {}
    for service, alerts in services.items():
        roots = here.config.graph.roots(service, here.suspect)
        root = _chosen(here, roots, services) or service
        group = groups.setdefault(root, Group(root))
        group.alerts = sorted({*group.alerts, *alerts})
        group.own = group.own or root == service
        others.setdefault(root, set()).update(each for each in roots if each != root)
    for root, group in groups.items():
        group.others = here.config.graph.sort(others[root])
    return [groups[name] for name in here.config.graph.sort(groups)]


def _chosen(here: Situation, roots: tuple[str, ...], services: Mapping[str, object]) -> str:
    """Return the one of *roots* that is worked on: one with an alert, else one that nobody works on; "" of none."""
    alerted = [name for name in roots if name in services]
    loud = [name for name in roots if here.hold(name) is None and name not in here.silenced]
    return (alerted or loud or roots or ("",))[0]

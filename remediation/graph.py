"""
Who needs whom: hard dependencies among the services of one configuration.

Pure. Knows names only; whether somebody is healthy is the caller's business.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field


class CycleError(Exception):
    """Services need each other in a circle; *names* begins and ends with the same one."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.names = names
        super().__init__(" -> ".join(names))


@dataclass(frozen=True, slots=True)
class Graph:
    """
    The graph of *requires* (service to its hard dependencies, all of them known).

    *order* has every service once, dependencies before dependants, else as configured.
    """

    requires: Mapping[str, tuple[str, ...]]
    order: tuple[str, ...] = ()
    _needs: Mapping[str, frozenset[str]] = field(default_factory=dict)
    _needed_by: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def needs(self, service: str) -> frozenset[str]:
        """Return all that *service* needs, directly or not."""
        return self._needs[service]

    def needed_by(self, service: str) -> frozenset[str]:
        """Return all that need *service*, directly or not."""
        return self._needed_by[service]

    def sort(self, services: Collection[str]) -> tuple[str, ...]:
        """Return *services*, dependencies first."""
        wanted = set(services)
        return tuple(name for name in self.order if name in wanted)

    def roots(self, service: str, unhealthy: Collection[str]) -> tuple[str, ...]:
        """
        Return the deepest of *unhealthy* that *service* needs, dependencies first.

        () when nothing it needs is among them. Healthy ones between do not hide what lies below.
        """
        below = self._needs[service] & set(unhealthy)
        return self.sort([name for name in below if not self._needs[name] & below])


def build_graph(requires: Mapping[str, tuple[str, ...]]) -> Graph:
    """
    Return the graph of *requires*.

    Raises:
        CycleError: Services need each other in a circle.
    """
    order: list[str] = []
    needs: dict[str, frozenset[str]] = {}
    for start in requires:
        _visit(start, requires, needs, order)
    needed_by: dict[str, set[str]] = {name: set() for name in requires}
    for name, below in needs.items():
        for each in below:
            needed_by[each].add(name)
    return Graph(
        requires, tuple(order), needs, {name: frozenset(v) for name, v in needed_by.items()}
    )


def _visit(
    start: str,
    requires: Mapping[str, tuple[str, ...]],
    needs: dict[str, frozenset[str]],
    order: list[str],
) -> None:
    # Not recursive: a chain may be longer than Python's stack.
    path: dict[str, None] = {}
    todo = [(start, False)]
    while todo:
        name, done = todo.pop()
        if done:
            path.popitem()
            direct = requires[name]
            needs[name] = frozenset(direct).union(*(needs[each] for each in direct))
            order.append(name)
        elif name in needs:
            continue
        elif name in path:
            names = tuple(path)
            raise CycleError((*names[names.index(name) :], name))
        else:
            path[name] = None
            todo.append((name, True))
            todo.extend((each, False) for each in reversed(requires[name]))

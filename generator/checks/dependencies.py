"""Dependencies that cannot work: cycles, and needing what may be switched off."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Mapping, Sequence

from generator.checks.draft import Draft
from generator.errors import Finding

Graph = Mapping[str, Sequence[str]]


def check_cycles(draft: Draft) -> Iterator[Finding]:
    """Find services that wait for each other; one finding per knot, with its shortest cycle."""
    built = draft.catalog.by_name
    graph = {
        name: [needed.service for needed in service.depends_on if needed.service in built]
        for name, service in built.items()
    }
    for knot in knots(graph):
        cycle = _shortest_cycle(min(knot), graph, frozenset(knot))
        fact = f"depends on itself: {' -> '.join(cycle)}"
        cure = "Remove one of these dependencies."
        yield draft.origin.service_finding(
            cycle[0], fact, cure, "depends_on", cycle[1], check="cycle"
        )


def check_profiles(draft: Draft) -> Iterator[Finding]:
    """Find hard dependencies on a service whose profile may be off while the dependant's is on."""
    built = draft.catalog.by_name
    for service in draft.catalog.services:
        for name in service.requires:
            required = built.get(name)
            if required is None or not required.profiles:
                continue
            if service.profiles and set(service.profiles) <= set(required.profiles):
                continue
            profiles = ", ".join(repr(profile) for profile in required.profiles)
            fact = f"needs {name!r}, which runs only with profile {profiles}"
            cure = "Make the dependency soft, or give both the same profiles."
            yield draft.origin.service_finding(
                service.name, fact, cure, "depends_on", name, check="profile"
            )


def knots(graph: Graph) -> Iterator[list[str]]:
    """Yield the groups of nodes that reach each other, a node alone only if it points at itself."""
    search = _KnotSearch(graph)
    for start in graph:
        if start not in search.index:
            for group in search.groups_from(start):
                if len(group) > 1 or group[0] in graph[group[0]]:
                    yield group


class _KnotSearch:
    """Tarjan's algorithm with a stack of its own: a chain of 10,000 would end Python's."""

    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.index: dict[str, int] = {}  # when a node was first seen
        self.low: dict[str, int] = {}  # the earliest node it reaches
        self.waiting: dict[str, None] = {}  # nodes whose group is open, in the order seen

    def groups_from(self, start: str) -> Iterator[list[str]]:
        """Yield every group that is complete once everything reachable from *start* is seen."""
        work = [self._enter(start)]
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in self.index:
                    work.append(self._enter(target))
                    break
                if target in self.waiting:
                    self.low[node] = min(self.low[node], self.index[target])
            else:
                work.pop()
                if work:
                    above = work[-1][0]
                    self.low[above] = min(self.low[above], self.low[node])
                if self.low[node] == self.index[node]:
                    yield self._close(node)

    def _enter(self, node: str) -> tuple[str, Iterator[str]]:
        self.index[node] = self.low[node] = len(self.index)
        self.waiting[node] = None
        return node, iter(self.graph[node])

    def _close(self, node: str) -> list[str]:
        """Return the group that *node* opened: everything that waits since it."""
        group: list[str] = []
        while not group or group[-1] != node:
            group.append(self.waiting.popitem()[0])
        return group


def _shortest_cycle(start: str, graph: Graph, within: frozenset[str]) -> list[str]:
    """Return the shortest way from *start* back to it, both ends included."""
    came_from: dict[str, str] = {}
    queue = deque([start])
    while queue:
        node = queue.popleft()
        for target in graph[node]:
            if target == start:
                way = [node]
                while way[-1] != start:
                    way.append(came_from[way[-1]])
                return [*reversed(way), start]
            if target in within and target not in came_from:
                came_from[target] = node
                queue.append(target)
    return [start, start]

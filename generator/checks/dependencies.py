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
    """
    Yield the groups of nodes that reach each other, a node alone only if it points at itself.

    Tarjan's algorithm with a stack of its own: a chain of 10,000 would end Python's.
    """
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    waiting: list[str] = []
    held: set[str] = set()
    for start in graph:
        if start in index:
            continue
        work = [(start, iter(graph[start]))]
        index[start] = low[start] = len(index)
        waiting.append(start)
        held.add(start)
        while work:
            node, targets = work[-1]
            for target in targets:
                if target not in index:
                    index[target] = low[target] = len(index)
                    waiting.append(target)
                    held.add(target)
                    work.append((target, iter(graph[target])))
                    break
                if target in held:
                    low[node] = min(low[node], index[target])
            else:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[node])
                if low[node] == index[node]:
                    cut = _last(waiting, node)
                    group = waiting[cut:]
                    del waiting[cut:]
                    held.difference_update(group)
                    if len(group) > 1 or node in graph[node]:
                        yield group


def _last(nodes: list[str], node: str) -> int:
    """Return the position of *node* in *nodes*, looked for from the end, where it is near."""
    position = len(nodes) - 1
    while nodes[position] != node:
        position -= 1
    return position


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

"""
The longest chain of hard dependencies: the path that decides how fast the platform starts.

Prometheus cannot walk a graph, the catalog can: the chain is found here, the board then shows
when each of its containers really started.
"""

from __future__ import annotations

from generator.model import Catalog

STARTED = "agent_container_started_timestamp_seconds"


def critical_chain(catalog: Catalog) -> tuple[str, ...]:
    """
    Return the longest chain of services, each hard-required by the next, first to start first.

    Services that may be absent are left out. Of several longest chains the one whose last
    service comes first in the catalog; a single service or nothing where nobody depends on anybody.
    """
    depth: dict[str, int] = {}
    before: dict[str, str] = {}
    # Services are sorted by tier, but a dependency may point upwards: repeat until nothing moves.
    members = {service.name: service for service in catalog.services if not service.optional}
    waiting = list(members)
    while waiting:
        name = waiting[-1]
        required = [each for each in members[name].requires if each in members]
        missing = [each for each in required if each not in depth]
        if missing:
            waiting.extend(missing)
            continue
        waiting.pop()
        if name not in depth:
            deepest = max(required, key=lambda each: depth[each], default="")
            depth[name] = depth[deepest] + 1 if deepest else 1
            if deepest:
                before[name] = deepest
    if not depth:
        return ()
    chain = [max(members, key=lambda name: depth[name])]
    while chain[-1] in before:
        chain.append(before[chain[-1]])
    return tuple(reversed(chain))

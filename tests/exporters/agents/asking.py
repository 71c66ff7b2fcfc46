"""Make targets, ask them once, and read what came of it."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.core import Metric

from exporters.agents_loop import run_all
from exporters.agents_probe import Outcome, probe
from exporters.agents_resolve import Resolver
from exporters.config import Dependency, Expect, Target
from exporters.deadline import Deadline
from exporters.patterns import compile_pattern

HEALTHY = '"status": ?"(ok|healthy)"'


def http_target(
    url: str,
    *,
    service: str = "one",
    status: int = 200,
    body: str = HEALTHY,
    not_body: str = "",
    host: str = "",
    dependencies: Sequence[Dependency] = (),
) -> Target:
    """Return a target that is asked over HTTP; *body* "" takes every body."""
    expect = Expect(
        status, compile_pattern(body), compile_pattern(not_body), host, tuple(dependencies)
    )
    return Target(
        service, "agents", "http-agent", "default", f"shop-{service}", "http", url, expect
    )


def tcp_target(url: str, *, service: str = "one") -> Target:
    """Return a target that is connected to and no more."""
    return Target(service, "agents", "tcp-agent", "default", f"shop-{service}", "tcp", url)


def container_target(service: str, container: str = "") -> Target:
    """Return a target that only Docker is asked about."""
    return Target(service, "core", "redis", "default", container or f"shop-{service}", "container")


@dataclass(frozen=True, slots=True)
class Asked:
    """What came of asking several targets at once, and how long that took."""

    outcomes: Sequence[Outcome]
    wall_s: float

    @property
    def reasons(self) -> Mapping[str, str | None]:
        """Why each service failed, None for a success."""
        return {o.target.service: o.reason for o in self.outcomes}


def ask(
    targets: Iterable[Target], *, seconds: float = 3.0, resolver: Resolver | None = None
) -> Asked:
    """Ask all *targets* at once."""
    outcomes = [Outcome(target) for target in targets]
    started = time.monotonic()
    run_all([probe(each) for each in outcomes], Deadline.after(seconds), resolver or Resolver())
    return Asked(outcomes, time.monotonic() - started)


def values(metrics: Iterable[Metric], *names: str) -> dict[str, float]:
    """Return the samples called *names* as `name{service,other values}`; all if none is named."""
    found = {}
    for sample in (sample for metric in metrics for sample in metric.samples):
        if names and sample.name not in names:
            continue
        rest = [
            v for k, v in sample.labels.items() if k not in ("service", "tier", "kind", "profile")
        ]
        found[f"{sample.name}{{{','.join([sample.labels.get('service', ''), *rest])}}}"] = (
            sample.value
        )
    return found

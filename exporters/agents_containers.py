"""
The collector `docker`: Docker's verdict on every target's container, beside the probe's.

`agent_docker_up` is always there; without an answer of Docker's there is no other series, because
not knowing is neither running nor gone.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import GaugeMetricFamily, Metric

from exporters.agents_docker import HEALTHS, REASONS, STATES, Container, DockerApi
from exporters.agents_metrics import Families
from exporters.config import Target
from exporters.deadline import Deadline
from exporters.frame import ScrapeError


class Containers:
    """Looks at the containers of *targets*; *api* None: no Docker was given, and the page says so."""

    name = "docker"
    reasons = REASONS

    def __init__(self, targets: Sequence[Target], api: DockerApi | None) -> None:
        self._targets = tuple(targets)
        self._api = api

    def collect(self, deadline: Deadline) -> Iterator[Metric]:
        """Yield Docker's verdicts; ScrapeError when Docker did not answer, or not for all."""
        if self._api is None:
            yield _docker_up(answered=False)
            return
        try:
            listed = self._api.list(deadline)
        except ScrapeError:
            yield _docker_up(answered=False)
            raise
        yield _docker_up(answered=True)
        chosen = choose(self._targets, listed)
        error = self._api.inspect(list(chosen.values()), deadline)
        families = _declare()
        for target in self._targets:
            _report(families, target, chosen.get(target.service))
        yield from families
        if error is not None:
            raise error


def choose(targets: Sequence[Target], listed: Iterable[Container]) -> Mapping[str, Container]:
    """
    Return each service's container, by the service's name.

    Compose's label decides, so a container that was renamed is found; where it is missing, the
    name. Of several (replicas, one being replaced) the best is taken: running before not, then
    the newest. One that was made by `docker compose run` never speaks for its service.
    """
    found: dict[str, Container] = {}
    by_name = {target.container: target.service for target in targets}
    services = {target.service for target in targets}
    for container in sorted(listed, key=lambda each: (_rank(each), each.created, each.id)):
        service = (
            container.service if container.service in services else by_name.get(container.name)
        )
        if service is not None and not container.one_off:
            found[service] = container
    return found


def _rank(container: Container) -> int:
    """Return how good a container is among several of its service; more is better."""
    if container.state != "running":
        return 0
    return {"unhealthy": 1, "starting": 2}.get(container.health, 3)


def _docker_up(*, answered: bool) -> Metric:
    text = "1 when Docker answered within its deadline"
    return GaugeMetricFamily("agent_docker_up", text, value=float(answered))


def _declare() -> Families:
    families = Families()
    gauge = families.gauge
    gauge("agent_container_present", "1 when the container exists")
    gauge(
        "agent_container_running",
        "1 while the container is running and not unhealthy: the verdict for services without an endpoint",
    )
    gauge("agent_container_state", f"1 for the state that is true: {', '.join(STATES)}", "state")
    gauge(
        "agent_container_health", f"1 for the health that is true: {', '.join(HEALTHS)}", "health"
    )
    gauge("agent_container_health_failing_streak", "Docker health checks failed in a row")
    gauge("agent_container_exit_code", "Exit code of the last run")
    gauge("agent_container_oom_killed", "1 when the kernel killed the last run for memory")
    families.counter(
        "agent_container_restarts_total", "Restarts by Docker since the container was made"
    )
    gauge("agent_container_started_timestamp_seconds", "When the container last started")
    return families


def _report(families: Families, target: Target, container: Container | None) -> None:
    families.add("agent_container_present", target, float(container is not None))
    running = container is not None and container.is_running
    families.add("agent_container_running", target, float(running))
    if container is None:
        return
    families.add_states("agent_container_state", target, STATES, container.state)
    families.add_states("agent_container_health", target, HEALTHS, container.health)
    for name, value in (
        ("agent_container_health_failing_streak", container.failing_streak),
        ("agent_container_exit_code", container.exit_code),
        ("agent_container_oom_killed", container.oom_killed),
        ("agent_container_restarts_total", container.restarts),
        ("agent_container_started_timestamp_seconds", container.started),
    ):
        if value is not None:
            families.add(name, target, float(value))

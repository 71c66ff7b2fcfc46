"""
Read what Docker says of one container, and what follows from it.

Pure: the JSON of an inspect in, a `Seen` out. What is missing or of another type counts as not said;
a container of which too little is said has the state `unknown`, never a healthy one.

Source: Docker Engine API, ContainerInspect; Compose, pkg/api/labels.go.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from remediation.model import Container

STATES = ("created", "running", "paused", "restarting", "removing", "exited", "dead")
HEALTHS = ("healthy", "unhealthy", "starting")
UNKNOWN = Container(state="unknown")  # Docker did not say, or not in time
ABSENT = Container(state="absent")
PROJECT = "com.docker.compose.project"
SERVICE = "com.docker.compose.service"
ONE_OFF = "com.docker.compose.oneoff"
DEFAULT_STOP_S = 10.0  # dockerd's
ENDLESS_STOP_S = 300.0  # where a container may take for ever (-1): others wait meanwhile; arbitrary
_NS = 1e9
# What a health check has where it says nothing of its own; Dockerfile reference, HEALTHCHECK.
_INTERVAL_NS, _TIMEOUT_NS, _RETRIES = 30 * _NS, 30 * _NS, 3


@dataclass(frozen=True, slots=True)
class Seen:
    """One container: *name* as Docker has it, Compose's labels, and what Docker would do itself."""

    name: str
    project: str
    service: str
    one_off: bool
    container: Container
    network_id: str = ""  # the container whose network it shares
    left_alone: bool = False  # it exited, its policy is to restart it, and Docker does not


def read_inspect(data: Any) -> Seen | None:
    """Return what *data*, an inspect, says; None when it is none."""
    if not isinstance(data, dict) or not isinstance(data.get("Id"), str) or not data["Id"]:
        return None
    state, config, host = (_object(data.get(key)) for key in ("State", "Config", "HostConfig"))
    labels, policy = _object(config.get("Labels")), _object(host.get("RestartPolicy"))
    status = str(state.get("Status", "")).lower()
    container = Container(
        state=status if status in STATES else UNKNOWN.state,
        health=_health(state),
        id=data["Id"],
        started_wall=_moment(state.get("StartedAt")),
        finished_wall=_moment(state.get("FinishedAt")),
        created_wall=_moment(data.get("Created")),
        exit_code=_whole(state.get("ExitCode")),
        oom_killed=state.get("OOMKilled") is True,
        restart_policy=str(policy.get("Name") or "no"),
        stop_timeout_s=_stop_timeout(config),
        patience_s=_patience(config),
        restarts=_whole(data.get("RestartCount")) or 0,
    )
    mode = str(host.get("NetworkMode", ""))
    return Seen(
        name=str(data.get("Name", "")).removeprefix("/"),
        project=str(labels.get(PROJECT, "")),
        service=str(labels.get(SERVICE, "")),
        one_off=str(labels.get(ONE_OFF, "")).lower() == "true",
        container=container,
        network_id=mode.partition(":")[2] if mode.startswith("container:") else "",
        left_alone=_left_alone(container, state, policy),
    )


def drift_of(seen: Seen, project: str, service: str, container: str) -> str:
    """Return why *seen* is not the container *container* of *service*; "" when it is."""
    if seen.name != container:
        return f"the container of {service} is named {seen.name!r}, not {container!r}"
    if seen.project != project:
        whose = f"project {seen.project!r}" if seen.project else "no Compose project"
        return f"{container} is a container of {whose}, not of {project!r}"
    if seen.service != service:
        return f"{container} is a container of service {seen.service!r}, not of {service!r}"
    return f"{container} was made by `docker compose run`" if seen.one_off else ""


def with_networks(found: Mapping[str, Seen]) -> dict[str, Container]:
    """Return the containers of *found*, by service, each with the service whose network it shares."""
    by_id = {seen.container.id: service for service, seen in found.items()}
    return {
        service: replace(seen.container, network_of=by_id.get(seen.network_id, ""))
        for service, seen in found.items()
    }


def _left_alone(container: Container, state: Mapping[str, Any], policy: Mapping[str, Any]) -> bool:
    """
    Whether only a human's stop explains that it is down.

    Docker restarts what exits under these policies, except what was stopped by hand and what could
    not even be started (State.Error).
    """
    if container.state != "exited" or state.get("Error"):
        return False
    if container.restart_policy == "on-failure":
        most = _whole(policy.get("MaximumRetryCount")) or 0
        return container.exit_code not in (0, None) and (most == 0 or container.restarts < most)
    return container.restart_policy in ("always", "unless-stopped")


def _health(state: Mapping[str, Any]) -> str:
    word = _object(state.get("Health")).get("Status")
    return str(word) if word in HEALTHS else "none"


def _stop_timeout(config: Mapping[str, Any]) -> float:
    own = _whole(config.get("StopTimeout"))
    if own is None:
        return DEFAULT_STOP_S
    return float(own) if own >= 0 else ENDLESS_STOP_S


def _patience(config: Mapping[str, Any]) -> float:
    """Return how long its health check may take to come to an end after a start; 0 without one."""
    check = _object(config.get("Healthcheck"))
    test = check.get("Test")
    if not isinstance(test, list) or not test or test[0] == "NONE":
        return 0.0
    start = _whole(check.get("StartPeriod")) or 0
    interval = _whole(check.get("Interval")) or _INTERVAL_NS
    timeout = _whole(check.get("Timeout")) or _TIMEOUT_NS
    retries = _whole(check.get("Retries")) or _RETRIES
    return (start + retries * (interval + timeout)) / _NS


def _object(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _whole(value: object) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _moment(text: object) -> float:
    """Return Docker's time as Unix time; 0 for the year 1, which means never."""
    try:
        return max(0.0, datetime.fromisoformat(str(text)).timestamp())
    except (ValueError, OverflowError):
        return 0.0

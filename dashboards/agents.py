"""Agents and containers: every container of the catalog as Docker sees it, beside what a probe says."""

from __future__ import annotations

from dashboards.board import Board
from dashboards.builders import stat, states, table, timeseries
from dashboards.frame import CHOSEN, board_path, marks, variables
from dashboards.panels import ANY, RED, SOME, UP, Column, Link, Row, Step, Word, above
from dashboards.service_rows import container_row, health_row, log_row
from generator.model import Catalog
from generator.names import HEALTHY

_HEALTH_STEPS = (Step("green"), Step(RED, 1))


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Return the board of all containers; a kind without a board of its own is shown here."""
    return (
        Board(
            id="agents",
            title="Agents and containers",
            description="Probe and Docker side by side for every service, whatever its kind.",
            rows=(
                health_row(CHOSEN, catalog),
                _docker(),
                _probes(),
                container_row(CHOSEN),
                log_row(CHOSEN),
            ),
            variables=variables(),
            annotations=marks(),
        ),
    )


def _docker() -> Row:
    to_logs = (Link("Its logs", board_path("logs", "var-service=${__data.fields.service}")),)
    return Row(
        "Docker",
        (
            stat("docker", "Docker answers", "Whether the exporter reaches the Docker API; without it every panel of this row is old.",
                 ("min(agent_docker_up{})", "Docker"), unit="none", steps=UP, words={"0": Word("no", RED), "1": Word("yes", "green")}),
            stat("absent", "Containers absent", "Services of the chosen tiers without a container. Normal for a profile that is off.",
                 (f"count(agent_container_present{{{CHOSEN}}} == 0) or vector(0)", "absent"), unit="none", steps=SOME),
            stat("oom", "Killed for memory", "Containers whose last end was the kernel's, for want of memory.",
                 (f"sum(agent_container_oom_killed{{{CHOSEN}}})", "containers"), unit="none", steps=ANY),
            stat("disagree", "Verdicts disagree", "Services that are healthy by our verdict and unhealthy by Docker's health check, or the other way round: one of the two is wrong. Containers without a check are left out.",
                 (f'count(({HEALTHY}{{{CHOSEN}}} == on (service) agent_container_health{{health="unhealthy", {CHOSEN}}}) unless on (service) agent_container_health{{health=~"none|starting"}} == 1) or vector(0)', "services"), unit="none", steps=SOME),
            table("containers", "Not running", "Containers that are neither running nor just being created, with their state.",
                  f'agent_container_state{{state!~"running|created", {CHOSEN}}} == 1',
                  columns=(Column("service", "Service"), Column("tier", "Tier"), Column("state", "State")),
                  width=8, height=8, links=to_logs),
            states("health", "Docker's health check", "unhealthy over time; containers without a check do not appear.",
                   f'agent_container_health{{health="unhealthy", {CHOSEN}}}', steps=_HEALTH_STEPS,
                   words={"0": Word("not unhealthy", "green"), "1": Word("unhealthy", RED)}, width=12),
            timeseries("restarts", "Restarts", "By Docker, in the last hour; a loop climbs.",
                       f"sum by (service) (increase(agent_container_restarts_total{{{CHOSEN}}}[1h]))", unit="none", steps=above(1, 3), width=12),
            timeseries("uptime", "Time since start", "How long each container has been running.", f"time() - max by (service) (agent_container_started_timestamp_seconds{{{CHOSEN}}})", unit="s", width=12),
            timeseries("streak", "Failing streak", "Failed health checks in a row.", f"max by (service) (agent_container_health_failing_streak{{{CHOSEN}}})", unit="none", steps=above(1, 3), width=12),
        ),
    )  # fmt: skip


def _probes() -> Row:
    return Row(
        "Probes of the agents exporter",
        (
            states("up", "Probe", "Whether the service answered as its kind says it must.", f"min by (service) (agent_up{{{CHOSEN}}})", steps=UP, width=12),
            timeseries("failures", "Failures in a row", "Consecutive failed probes.", f"max by (service) (agent_consecutive_failures{{{CHOSEN}}})", unit="none", steps=above(1, 3), width=12),
            timeseries("duration", "Probe duration", "A probe that hangs costs its deadline.", f"max by (service) (agent_probe_duration_seconds{{{CHOSEN}}})", unit="s", steps=above(1, 5)),
            timeseries("phases", "Slowest phase", "Where the time goes: resolve, connect, TLS, processing, transfer; the ten longest.",
                       (f"topk(10, max by (service, phase) (agent_probe_phase_seconds{{{CHOSEN}}}))", "{{service}} {{phase}}"), unit="s", steps=above(1, 5)),
            timeseries("reasons", "Failures by reason", "Failed probes per second, by reason.",
                       (f"sum by (service, reason) (rate(agent_probe_failures_total{{{CHOSEN}}}[$__rate_interval])) > 0", "{{service}} {{reason}}"), unit="cps", steps=above(0.001, 0.02)),
            table("dependencies", "Failing dependencies", "What an application says of its own dependencies, where its health answer tells.",
                  f"min by (service, tier, dependency) (agent_dependency_up{{{CHOSEN}}}) == 0",
                  columns=(Column("service", "Service"), Column("tier", "Tier"), Column("dependency", "Dependency")), width=12, height=7),
            table("versions", "Versions", "As the services themselves tell.",
                  f"max by (service, tier, version) (agent_version_info{{{CHOSEN}}})",
                  columns=(Column("service", "Service"), Column("tier", "Tier"), Column("version", "Version")), sort="Service", width=12, height=7),
        ),
    )  # fmt: skip

"""
Rows that fit any service, whatever its kind: verdict, probe, container, log lines.

Tier boards and kind boards share them; *chosen* is the selector that says which services.
"""

from __future__ import annotations

from collections.abc import Iterable

from dashboards.builders import logs, stat, states, table, timeseries
from dashboards.frame import runbook
from dashboards.panels import ANY, LOKI, SOME, UP, Column, Panel, Query, Row, above, plain
from generator.model import Catalog, Service
from generator.names import HEALTHY

_ALERT_COLUMNS = (
    Column("alertname", "Alert"),
    Column("severity", "Severity"),
    Column("service", "Service"),
    Column("tier", "Tier"),
    Column("kind", "Kind"),
    Column("owner", "Owner"),
)

LOUD = 'alertstate="firing", severity=~"critical|warning"'


def health_row(chosen: str, catalog: Catalog) -> Row:
    """Return verdicts over time, what is down now, restarts, and what fires."""
    return Row(
        "Health",
        (
            stat("health-down", "Down now", "Services whose verdict is unhealthy at this moment, among those that count.",
                 (f"count({HEALTHY}{{{chosen}}} == 0) or vector(0)", "down"), unit="none", steps=ANY),
            stat("health-total", "Watched", "Services that count now: a profile's only while its container exists.",
                 (f"count({HEALTHY}{{{chosen}}})", "services"), unit="none"),
            stat("health-restarts", "Restarts, 24 h", "Times Docker restarted one of the containers in the last day.",
                 (f"sum(increase(agent_container_restarts_total{{{chosen}}}[24h]))", "restarts"), unit="none", steps=SOME),
            stat("health-healing", "Being healed", "Services that the remediator is restarting or verifying right now.",
                 (f"sum(remediation_in_progress{{{chosen}}}) or vector(0)", "services"), unit="none", steps=SOME),
            alert_table("health-alerts", chosen, catalog, width=8, height=8),
            states("health-verdict", "Verdict", "The one verdict per service, service:healthy:bool: everything else here is a symptom.",
                   f"{HEALTHY}{{{chosen}}}", steps=UP, width=16, height=8),
        ),
    )  # fmt: skip


def alert_table(
    key: str, chosen: str, catalog: Catalog, *, width: int = 24, height: int = 9
) -> Panel:
    """Return the alerts that fire now and want a person; each row leads to its runbook page."""
    return table(
        key, "Firing alerts", "Critical and warning alerts that fire now. Click a row for its runbook.",
        f"count by (alertname, severity, service, tier, kind, owner) (ALERTS{{{LOUD}, {chosen}}})",
        columns=_ALERT_COLUMNS, sort="Severity", width=width, height=height, links=runbook(catalog),
    )  # fmt: skip


def probed(services: Iterable[Service], catalog: Catalog) -> bool:
    """Return whether the blackbox exporter asks any of *services*; the agents exporter asks all."""
    return any(
        service.probes and catalog.kinds[service.kind].prober == "blackbox" for service in services
    )


def probe_row(chosen: str, services: Iterable[Service], catalog: Catalog) -> Row:
    """Return how long probes of *services* take, what they answer, and why they fail."""
    blackbox = probed(services, catalog)
    names = ("probe", "agent_probe") if blackbox else ("agent_probe",)
    codes = ("probe_http", "agent_http") if blackbox else ("agent_http",)
    return Row(
        "Probes",
        (
            timeseries("probe-duration", "Probe duration", "How long the slowest probe of each service takes, by blackbox exporter or agents exporter.",
                *(f"max by (service) ({name}_duration_seconds{{{chosen}}})" for name in names),
                       unit="s", steps=above(1, 5)),
            timeseries("probe-failures", "Probe failures by reason", "Failed probes of the agents exporter per second, by reason: dns, refused, timeouts, status, body.",
                       (f"sum by (service, reason) (rate(agent_probe_failures_total{{{chosen}}}[$__rate_interval]))", "{{service}} {{reason}}"),
                       unit="cps", steps=above(0.001, 0.02)),
            timeseries("probe-status", "HTTP status", "Last status code of each HTTP probe; 0 when nothing answered.",
                *(f"max by (service) ({name}_status_code{{{chosen}}})" for name in codes),
                       unit="none", steps=above(400, 500)),
        ),
        collapsed=True,
    )  # fmt: skip


def container_row(chosen: str, *, collapsed: bool = True) -> Row:
    """Return what the containers use of what they were promised (cAdvisor)."""
    return Row(
        "Containers",
        (
            timeseries("container-memory", "Memory of limit", "Working set as a share of the memory limit; at 100 % the kernel kills. Containers without a limit are left out.",
                       f"sum by (service) (container_memory_working_set_bytes{{{chosen}}}) / (sum by (service) (container_spec_memory_limit_bytes{{{chosen}}}) > 0)",
                       unit="percentunit", steps=above(0.8, 0.95)),
            timeseries("container-memory-bytes", "Memory used", "Working set in bytes: memory that cannot be reclaimed without hurting.",
                       f"sum by (service) (container_memory_working_set_bytes{{{chosen}}})", unit="bytes"),
            timeseries("container-cpu", "CPU used", "CPU cores in use.",
                       f"sum by (service) (rate(container_cpu_usage_seconds_total{{{chosen}}}[$__rate_interval]))", unit="none"),
            timeseries("container-throttled", "CPU throttled", "Share of scheduling periods in which the container hit its CPU limit.",
                       f"sum by (service) (rate(container_cpu_cfs_throttled_periods_total{{{chosen}}}[$__rate_interval])) / (sum by (service) (rate(container_cpu_cfs_periods_total{{{chosen}}}[$__rate_interval])) > 0)",
                       unit="percentunit", steps=above(0.25, 0.5)),
            timeseries("container-network", "Network", "Bytes received (and sent, below) per second.",
                       (f"sum by (service) (rate(container_network_receive_bytes_total{{{chosen}}}[$__rate_interval]))", "{{service}} in"),
                       (f"-sum by (service) (rate(container_network_transmit_bytes_total{{{chosen}}}[$__rate_interval]))", "{{service}} out"),
                       unit="Bps", minimum=None),
            timeseries("container-oom", "Killed for memory", "Processes that the kernel killed for want of memory, per range.",
                       f"sum by (service) (increase(container_oom_events_total{{{chosen}}}[$__range]))", unit="none", steps=ANY),
        ),
        collapsed=collapsed,
    )  # fmt: skip


def log_row(chosen: str) -> Row:
    """Return the rate of error lines and the lines themselves. *chosen* selects Loki streams."""
    return Row(
        "Logs",
        (
            timeseries("log-levels", "Error lines", "Lines of level error and worse per second, by service.",
                       Query(f'sum by (service) (rate({{{chosen}, level=~"error|critical"}} [$__auto]))', datasource=LOKI),
                       unit="cps", steps=plain("red"), width=24, height=6),
            logs("log-lines", "Warnings and errors", "The lines themselves, newest first. The board Logs shows all levels.",
                 f'{{{chosen}, level=~"warning|error|critical"}}'),
        ),
        collapsed=True,
    )  # fmt: skip

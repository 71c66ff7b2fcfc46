"""The stack itself: who watches the watchers. Scrapes, rules, notifications, log shipping."""

from __future__ import annotations

from dashboards.board import Board
from dashboards.builders import stat, states, table, timeseries
from dashboards.frame import marks, variables
from dashboards.panels import ANY, UP, YES_NO, Column, Row, above
from generator.model import Catalog
from generator.names import WATCHDOG


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Return the board of the stack."""
    del catalog
    return (
        Board(
            id="stack",
            title="The stack itself",
            description="Scrapes, rules, notifications and log shipping. The boards of each part say more.",
            rows=(_scrapes(), _rules(), _logs(), _ours()),
            variables=variables(),
            annotations=marks(),
        ),
    )


def _scrapes() -> Row:
    return Row(
        "Scrapes",
        (
            stat("watchdog", "Watchdog", "An alert that always fires; when it does not, no alert can.", (f'count(ALERTS{{alertname="{WATCHDOG}", alertstate="firing"}}) or vector(0)', "Watchdog"), unit="none", steps=UP, words=YES_NO),
            stat("down", "Targets down", "Scrapes that fail now, of services and of observers.", ("count(up{} == 0) or vector(0)", "targets"), unit="none", steps=ANY),
            table("targets", "Targets down", "`exporter` is filled where the target only observes: what it watches is then not known.",
                  "count by (job, service, exporter, instance) (up{} == 0)", columns=(Column("job", "Job"), Column("service", "Service"), Column("exporter", "Exporter"), Column("instance", "Instance")), width=16, height=8),
            states("observers", "Observers", "Exporters and probers over time.", ('min by (exporter) (up{exporter!=""})', "{{exporter}}"), steps=UP, width=12),
            timeseries("slow", "Slowest scrapes", "The ten jobs whose scrapes take longest.", ("topk(10, max by (job) (scrape_duration_seconds{}))", "{{job}}"), unit="s", steps=above(5, 10), width=12),
            timeseries("samples", "Largest scrapes", "Samples kept after dropping, by job, ten largest.", ("topk(10, sum by (job) (scrape_samples_post_metric_relabeling{}))", "{{job}}"), unit="short", width=12),
            timeseries("dropped", "Samples dropped", "Share of what targets expose and relabelling drops, by job.",
                       ("1 - sum by (job) (scrape_samples_post_metric_relabeling{}) / (sum by (job) (scrape_samples_scraped{}) > 0)", "{{job}}"), unit="percentunit", width=12),
        ),
    )  # fmt: skip


def _rules() -> Row:
    return Row(
        "Rules and notifications",
        (
            stat("reload", "Prometheus configuration", "Whether the last reload succeeded.", "min by (service) (prometheus_config_last_reload_successful{})", unit="none", steps=UP, words=YES_NO),
            stat("reload-am", "Alertmanager configuration", "Whether the last reload succeeded.", "min by (service) (alertmanager_config_last_reload_successful{})", unit="none", steps=UP, words=YES_NO),
            timeseries("rule-failures", "Rule failures", "Failed evaluations in the last five minutes, by group.", ("sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total{}[5m])) > 0", "{{rule_group}}"), unit="none", steps=ANY),
            timeseries("notifications", "Notifications failing", "Share that failed, by way.",
                       ("sum by (integration) (rate(alertmanager_notifications_failed_total{}[$__rate_interval])) / (sum by (integration) (rate(alertmanager_notifications_total{}[$__rate_interval])) > 0)", "{{integration}}"), unit="percentunit", steps=above(0.01, 0.1)),
            timeseries("alerts", "Alerts firing", "How many alerts fire, by severity.", ('count by (severity) (ALERTS{alertstate="firing"})', "{{severity}}"), unit="none", stacked=True),
            timeseries("storage", "Prometheus storage", "Blocks and log on disk, and the limit.",
                       ("sum(prometheus_tsdb_storage_blocks_bytes{})", "blocks"), ("sum(prometheus_tsdb_wal_storage_size_bytes{})", "WAL"), ("sum(prometheus_tsdb_retention_limit_bytes{})", "limit"), unit="bytes"),
            timeseries("series", "Series", "Active series in the head of Prometheus.", ("sum(prometheus_tsdb_head_series{})", "series"), unit="short"),
            timeseries("dropped-alerts", "Alerts lost on the way", "Dropped before they reached Alertmanager, per second.", ("sum(rate(prometheus_notifications_dropped_total{}[$__rate_interval]))", "dropped"), unit="cps", steps=above(0.001, 0.1)),
        ),
    )  # fmt: skip


def _logs() -> Row:
    return Row(
        "Logs",
        (
            timeseries("lines", "Lines", "Read from Docker, and received by Loki; they should run together.",
                       ("sum(rate(promtail_docker_target_entries_total{}[$__rate_interval]))", "read"), ("sum(rate(loki_distributor_lines_received_total{}[$__rate_interval]))", "received"), unit="cps"),
            timeseries("lost", "Lines lost", "Dropped by Promtail and refused by Loki, by reason.",
                       ("sum by (reason) (rate(promtail_dropped_entries_total{}[$__rate_interval]))", "Promtail {{reason}}"), ("sum by (reason) (rate(loki_discarded_samples_total{}[$__rate_interval]))", "Loki {{reason}}"), unit="cps", steps=above(0.01, 1)),
            timeseries("loki-errors", "Loki errors", "Share of requests answered with 5xx.",
                       ('sum(rate(loki_request_duration_seconds_count{status_code=~"5.."}[$__rate_interval])) / (sum(rate(loki_request_duration_seconds_count{}[$__rate_interval])) > 0)', "5xx"), unit="percentunit", steps=above(0.01, 0.1)),
        ),
    )  # fmt: skip


def _ours() -> Row:
    return Row(
        "Our exporters",
        (
            states("collectors", "Collectors", "Every collector of our exporters: 0 says that its part of the answer is missing, the rest is true.",
                   ("min by (collector) (ollama_collector_up{})", "ollama: {{collector}}"), ("min by (collector) (agent_collector_up{})", "agents: {{collector}}"), ("min by (collector) (hw_collector_up{})", "hardware: {{collector}}"), steps=UP, width=12),
            timeseries("collector-time", "Collector time", "How long each collector took.",
                       ("max by (collector) (ollama_collector_duration_seconds{})", "ollama: {{collector}}"), ("max by (collector) (agent_collector_duration_seconds{})", "agents: {{collector}}"), ("max by (collector) (hw_collector_duration_seconds{})", "hardware: {{collector}}"), unit="s", steps=above(3, 8), width=12),
            timeseries("collector-errors", "Collector errors", "In the last five minutes, by reason.",
                       ("sum by (collector, reason) (increase(ollama_collector_errors_total{}[5m])) > 0", "ollama: {{collector}} {{reason}}"), ("sum by (collector, reason) (increase(agent_collector_errors_total{}[5m])) > 0", "agents: {{collector}} {{reason}}"), ("sum by (collector, reason) (increase(hw_collector_errors_total{}[5m])) > 0", "hardware: {{collector}} {{reason}}"), unit="none", steps=ANY, width=12),
        ),
        collapsed=True,
    )  # fmt: skip

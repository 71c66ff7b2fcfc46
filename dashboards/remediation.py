"""Remediation: what it sees, decides and does; what it may still do; when it stands still, and why."""

from __future__ import annotations

from dashboards.board import Board
from dashboards.builders import logs, stat, states, table, timeseries
from dashboards.frame import CHOSEN, marks, variables
from dashboards.panels import ANY, ON_OFF, SOME, UP, YES_NO, Column, Row, above, below
from generator.model import Catalog

_IN_TIER = 'tier=~"$tier"'


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Return the remediation board."""
    return (
        Board(
            id="remediation",
            title="Remediation",
            description="What is being healed, what was done, what it still may do, and whether it can see at all.",
            rows=(_now(), _work(), _limits(), _machinery(), *_logs(catalog)),
            variables=variables(),
            annotations=marks(),
            since="now-24h",
        ),
    )  # fmt: skip


def _now() -> Row:
    return Row(
        "Now",
        (
            stat("frozen", "Frozen", "Too many unrelated roots at once: nothing is restarted until a human or the cool-down releases it.", ("max(remediation_frozen{})", "frozen"), unit="none", steps=ANY, words=ON_OFF),
            stat("blind", "Blind", "No fresh Watchdog: it cannot tell a resolved alert from a dead Prometheus, so it does nothing.", ("max(remediation_blind{})", "blind"), unit="none", steps=ANY, words=ON_OFF),
            stat("paused", "Paused", "A human told it to wait.", ("max(remediation_paused{})", "paused"), unit="none", steps=SOME, words=ON_OFF),
            stat("docker", "Reaches Docker", "Through its restart-only proxy.", ("min(remediation_docker_up{})", "Docker"), unit="none", steps=UP, words=YES_NO),
            stat("alertmanager", "Reaches Alertmanager", "To confirm that an alert is active before acting.", ("min(remediation_alertmanager_up{})", "Alertmanager"), unit="none", steps=UP, words=YES_NO),
            stat("incidents", "Open incidents", "Root causes being handled.", ("sum(remediation_open_incidents{})", "incidents"), unit="none", steps=SOME),
            table("healing", "Being healed", "Services it restarts or verifies at this moment.", f"remediation_in_progress{{{CHOSEN}}} == 1",
                  columns=(Column("service", "Service"), Column("tier", "Tier")), width=8, height=7),
            table("modes", "Mode by tier", "observe: say what it would do; approve: ask first; act.", f"max by (tier, mode) (remediation_mode_info{{{_IN_TIER}}}) == 1",
                  columns=(Column("tier", "Tier"), Column("mode", "Mode")), sort="Tier", width=8, height=7),
            states("progress", "In progress", "Healing over time.", f"max by (service) (remediation_in_progress{{{CHOSEN}}})", steps=SOME, words=ON_OFF, width=8, height=7),
        ),
    )  # fmt: skip


def _work() -> Row:
    return Row(
        "Work",
        (
            timeseries("actions", "Restarts", "Per hour, by outcome: unknown means it died in between and looks again.", (f"sum by (outcome) (increase(remediation_actions_total{{{CHOSEN}}}[1h]))", "{{outcome}}"), unit="none", steps=above(3, 7), stacked=True),
            timeseries("by-service", "Restarts by service", "Restarts in the last day, by service and rung of the ladder.", (f"sum by (service, rung) (increase(remediation_actions_total{{{CHOSEN}}}[24h])) > 0", "{{service}} rung {{rung}}"), unit="none", steps=above(3, 7)),
            timeseries("failed", "Failed actions", "How many in the last hour.", (f'sum by (service) (increase(remediation_actions_total{{outcome="failed", {CHOSEN}}}[1h]))', "{{service}}"), unit="none", steps=ANY),
            timeseries("decisions", "Decisions", "Per hour, by outcome.", ("sum by (outcome) (increase(remediation_decisions_total{}[1h]))", "{{outcome}}"), unit="none", stacked=True),
            timeseries("skips", "Why nothing was done", "Skipped and deferred decisions per hour, by reason.", ('sum by (outcome, reason) (increase(remediation_decisions_total{outcome=~"skip|defer"}[1h])) > 0', "{{outcome}}: {{reason}}"), unit="none"),
            timeseries("healthy", "Time to healthy", "From the decision until the service was verified healthy, by tier.",
                       (f"histogram_quantile(0.5, sum by (tier, le) (rate(remediation_time_to_healthy_seconds_bucket{{{_IN_TIER}}}[6h])))", "{{tier}} p50"),
                       (f"histogram_quantile(0.95, sum by (tier, le) (rate(remediation_time_to_healthy_seconds_bucket{{{_IN_TIER}}}[6h])))", "{{tier}} p95"), unit="s", steps=above(180, 600)),
        ),
    )  # fmt: skip


def _limits() -> Row:
    return Row(
        "Budgets",
        (
            table("budgets", "Restarts left", "Per service, tier and platform, in every window; none left means a human is paged instead.",
                  "sort(min by (scope, name, window) (remediation_budget_remaining{}))",
                  columns=(Column("scope", "Scope"), Column("name", "Name"), Column("window", "Window"), Column("#A", "Left", below(2, 1))), sort="Left", width=12),
            timeseries("spent", "Budgets nearly spent", "Where one restart or none is left.", ("min by (scope, name, window) (remediation_budget_remaining{}) < 2", "{{scope}} {{name}} {{window}}"), unit="none", steps=below(2, 1), width=12),
        ),
    )  # fmt: skip


def _machinery() -> Row:
    return Row(
        "Machinery",
        (
            timeseries("intake", "Alerts in", "Per minute, by result.", ("sum by (result) (rate(remediation_intake_total{}[$__rate_interval])) * 60", "{{result}}"), unit="cpm"),
            timeseries("intake-time", "Time to accept", "p99 from request to commit; the bar is 100 ms.", ("histogram_quantile(0.99, sum by (le) (rate(remediation_intake_duration_seconds_bucket{}[$__rate_interval])))", "p99"), unit="s", steps=above(0.1, 1)),
            timeseries("queue", "Queue", "Accepted alerts not yet decided.", ("max(remediation_queue_length{})", "alerts"), unit="none", steps=above(10, 100)),
            timeseries("action-time", "Time to restart", "p95 of the restart call, by rung.", ("histogram_quantile(0.95, sum by (rung, le) (rate(remediation_action_duration_seconds_bucket{}[6h])))", "rung {{rung}}"), unit="s", steps=above(30, 120)),
            timeseries("journal", "Since the last commit and look", "Age of the last journal entry, and of the last comparison with the world.",
                       ("time() - max(remediation_journal_last_commit_timestamp_seconds{})", "journal"), ("time() - max(remediation_last_reconcile_timestamp_seconds{})", "reconcile"), unit="s", steps=above(300, 900)),
        ),
        collapsed=True,
    )  # fmt: skip


def _logs(catalog: Catalog) -> tuple[Row, ...]:
    names = [service.name for service in catalog.of_kind("remediator")]
    if not names or not catalog.of_kind("loki"):
        return ()
    stream = f'{{service=~"{"|".join(names)}"}}'
    return (
        Row(
            "Its own log",
            (logs("log", "Journal in words", "What the remediator wrote.", stream),),
            collapsed=True,
        ),
    )

"""Home: the tiers at a glance, worst first; what fires, what is being healed, what nobody watches."""

from __future__ import annotations

from dashboards.board import Board
from dashboards.builders import bargauge, stat, table
from dashboards.frame import CHOSEN, board_path, marks, variables
from dashboards.panels import (
    ANY,
    SOME,
    Column,
    Link,
    Panel,
    Row,
    above,
    below,
    plain,
)
from dashboards.service_rows import LOUD, alert_table
from dashboards.windows import kept
from generator.model import Catalog
from generator.names import HEALTHY, SLO_OBJECTIVE, TIER_HEALTHY, board_uid


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Return the home board."""
    return (
        Board(
            id="home",
            title=f"{catalog.platform.name}: home",
            description="Start here: which tier is in trouble, what fires, what is being healed.",
            rows=(_tiers(catalog), _now(catalog), _trouble(catalog), _promises(catalog)),
            near=tuple(f"tier-{tier.name}" for tier in catalog.tiers),
            variables=variables(),
            annotations=marks(),
            since="now-1h",
        ),
    )


def tier_link(catalog: Catalog) -> tuple[Link, ...]:
    """Return the link from a row with a `tier` to that tier's board; none where uids are hashed."""
    names = tuple(tier.name for tier in catalog.tiers)
    mark = "${__data.fields.tier}"
    if any(board_uid(f"tier-{name}") != board_uid("tier-") + name for name in names):
        return ()
    # No board_path: the mark is longer than the uid it stands for.
    url = f"/d/{board_uid('tier-')}{mark}?${{__url_time_range}}"
    return (Link("Open the tier", url, (("tier", names),)),)


def _tiers(catalog: Catalog) -> Row:
    return Row(
        "Tiers, worst first",
        (
            table(
                "tiers", "Tiers", "Share of each tier's services that are healthy, weighted by how many others need them. Click a row for its board.",
                f"sort({TIER_HEALTHY}{{}} * 100)",
                f"count by (tier) ({HEALTHY}{{}} == 0) or {TIER_HEALTHY}{{}} * 0",
                f'count by (tier) (ALERTS{{{LOUD}, tier!="none"}})',
                "sum by (tier) (remediation_in_progress{})",
                columns=(
                    Column("tier", "Tier"),
                    Column("#A", "Healthy, %", below(100, 50)),
                    Column("#B", "Down", ANY),
                    Column("#C", "Alerts", SOME),
                    Column("#D", "Being healed", SOME),
                ),
                sort="Healthy, %", width=14, height=10, links=tier_link(catalog),
            ),
            stat("down", "Services down", "Services whose verdict is unhealthy now, among those that count.",
                 (f"count({HEALTHY}{{}} == 0) or vector(0)", "down"), unit="none", steps=ANY, width=5, height=5),
            stat("firing", "Alerts firing", "Critical and warning alerts that fire now.",
                 (f"count(ALERTS{{{LOUD}}}) or vector(0)", "alerts"), unit="none", steps=SOME, width=5, height=5),
            stat("observers", "Observers down", "Exporters and probers that do not answer: what they watch is not known, which is not the same as healthy.",
                 ('count(up{exporter!=""} == 0) or vector(0)', "observers"), unit="none", steps=ANY, width=5, height=5),
            stat("models", "Models missing", "Models that a service expects and no Ollama offers.",
                 ("sum(ollama_models_missing{}) or vector(0)", "models"), unit="none", steps=ANY, width=5, height=5,
                 links=(Link("Models", board_path("models")),)),
            *(_tier_stat(tier.name, tier.title) for tier in catalog.tiers),
        ),
    )  # fmt: skip


def _tier_stat(tier: str, title: str) -> Panel:
    return stat(
        f"tier-{tier}", title or tier, f"Healthy share of tier {tier}. Click for its board.",
        (f'{TIER_HEALTHY}{{tier="{tier}"}}', tier), unit="percentunit", steps=below(1, 0.5),
        width=4, height=3, links=(Link(f"Tier {tier}", board_path(f"tier-{tier}", "${__url_time_range}")),),
    )  # fmt: skip


def _now(catalog: Catalog) -> Row:
    return Row(
        "Now",
        (
            table("healing", "Being healed now", "Services that the remediator restarts or verifies at this moment.",
                  f"remediation_in_progress{{{CHOSEN}}} == 1",
                  columns=(Column("service", "Service"), Column("tier", "Tier")),
                  width=8, height=8, links=(Link("Remediation", board_path("remediation")),)),
            alert_table("alerts", 'tier=~"$tier|none", service=~"$service|none"', catalog, width=16, height=8),
        ),
    )  # fmt: skip


def _trouble(catalog: Catalog) -> Row:
    return Row(
        "In trouble",
        (
            table("unhealthy", "Unhealthy services", "Every service whose verdict is bad now. Click a row for its tier.",
                  f"{HEALTHY}{{{CHOSEN}}} == 0",
                  columns=(Column("service", "Service"), Column("tier", "Tier"), Column("kind", "Kind"), Column("owner", "Owner")),
                  width=10, height=8, links=tier_link(catalog)),
            table("blind", "Observers down", "Targets that only observe and do not answer, and since when nothing is known is on the board Stack.",
                  'up{exporter!=""} == 0',
                  columns=(Column("exporter", "Observer"), Column("job", "Job"), Column("service", "Watches")),
                  width=7, height=8, links=(Link("The stack", board_path("stack")),)),
            table("missing", "Models missing", "Expected by a service, offered by no Ollama. `other_tag`: the model is there under another tag.",
                  'ollama_model_expected_status{status!="installed"} == 1',
                  columns=(Column("service", "Ollama"), Column("model", "Model"), Column("status", "Status")),
                  width=7, height=8, links=(Link("Models", board_path("models")),)),
        ),
    )  # fmt: skip


def _promises(catalog: Catalog) -> Row:
    started = "agent_container_started_timestamp_seconds"
    return Row(
        "What was promised",
        (
            stat("startup", "Start-up span", "From the first container's start to the last one's, of those started within half an hour of the first. Read it after a full start. Details: board Objectives.",
                 (f"max({started}{{}} < scalar(min({started}{{}})) + 1800) - min({started}{{}})", "span"), unit="s", width=6, height=7),
            bargauge("memory", "Memory used of promised", "Working set of each tier's containers as a share of their limits. Low: over-allocated; near 100 %: starved. Details: board Hardware.",
                     ("sort(sum by (tier) (container_memory_working_set_bytes{}) / sum by (tier) (container_spec_memory_limit_bytes{} > 0))", "{{tier}}"),
                     unit="percentunit", steps=above(0.8, 0.95), maximum=1, width=6, height=7),
            bargauge("latency", "Response time by tier, p95", "95 % of each tier's probes answer within this time.",
                     ("sort_desc(quantile by (tier) (0.95, probe_duration_seconds{}))", "{{tier}}"),
                     ("sort_desc(quantile by (tier) (0.95, agent_probe_duration_seconds{}))", "{{tier}} (agents)"),
                     unit="s", steps=above(1, 5), width=6, height=7),
            bargauge("availability", "Availability minus objective", "Per tier, the worst service's availability over the window minus its objective. Below zero: the promise is broken. Details: board Objectives.",
                     (f"sort(min by (tier) ({kept(catalog)}{{}} - on (service) group_right () {SLO_OBJECTIVE}{{}}))", "{{tier}}"),
                     unit="percentunit", steps=below(0.0005, 0), minimum=None, width=6, height=7),
            table("restarted", "Restarted in the last day", "Containers that Docker or the remediator restarted, most often first.",
                  "sort_desc(sum by (service, tier) (increase(agent_container_restarts_total{}[24h])) > 0.5)",
                  columns=(Column("service", "Service"), Column("tier", "Tier"), Column("#A", "Restarts", SOME)),
                  sort="-Restarts", width=12, height=7, links=tier_link(catalog)),
            bargauge("catalog", "Verdicts by tier", "How many services of each tier count now, and how many of them are healthy.",
                     (f"count by (tier) ({HEALTHY}{{}})", "{{tier}}"),
                     (f"sum by (tier) ({HEALTHY}{{}})", "{{tier}} healthy"),
                     unit="none", steps=plain(), width=12, height=7),
        ),
    )  # fmt: skip

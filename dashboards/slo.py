"""Objectives: what was promised, what is kept, how fast the error budget burns, how fast it all starts."""

from __future__ import annotations

from itertools import pairwise

from dashboards.board import Board
from dashboards.builders import bargauge, stat, table, timeseries
from dashboards.frame import CHOSEN, marks, variables
from dashboards.home import tier_link
from dashboards.panels import ANY, Column, Panel, Row, above, below
from dashboards.startup import STARTED, critical_chain
from dashboards.windows import error_windows, kept, of, slo_window
from generator.model import Catalog
from generator.names import (
    BUDGET_REMAINING,
    HEALTHY,
    SLO_BUDGET,
    SLO_OBJECTIVE,
    TIER_HEALTHY,
    sli_error,
)


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Return the board of objectives."""
    return (
        Board(
            id="slo",
            title="Objectives and error budgets",
            description="Availability per service and tier against its objective; the promises of start-up and response time.",
            rows=(_budgets(catalog), _burn(catalog), _tiers(catalog), _startup(catalog)),
            variables=variables(),
            annotations=marks(),
            since="now-24h",
        ),
    )  # fmt: skip


def _budgets(catalog: Catalog) -> Row:
    window = slo_window(catalog)
    left = of(BUDGET_REMAINING, CHOSEN)
    return Row(
        "Objectives",
        (
            stat("broken", "Objectives broken", f"Services whose availability over {window} is below their objective.",
                 (f"count({left} < 0) or vector(0)", "services"), unit="none", steps=ANY),
            stat("lowest", "Least budget left", "The smallest share of an error budget that is left; below zero it is spent.",
                 (f"min({left})", "budget left"), unit="percentunit", steps=below(0.5, 0)),
            table("objectives", "Availability and objective", f"Over {window}, in per cent; least budget first. Time without a verdict counts as kept. Click a row for its tier.",
                  f"{of(kept(catalog), CHOSEN)} * 100", f"{SLO_OBJECTIVE}{{{CHOSEN}}} * 100", f"{left} * 100",
                  columns=(Column("service", "Service"), Column("tier", "Tier"), Column("#A", "Availability, %"), Column("#B", "Objective, %"), Column("#C", "Budget left, %", below(50, 0))),
                  sort="Budget left, %", width=16, height=12, links=tier_link(catalog)),
            bargauge("left", "Error budget left", "Share of the failures allowed over the window that has not been used.",
                     f"sort({left})", unit="percentunit", steps=below(0.5, 0), maximum=1, width=24),
        ),
    )  # fmt: skip


def _burn(catalog: Catalog) -> Row:
    panels = [
        timeseries(f"errors-{window}", f"Failures over {window}", f"Share of requests, or of time, that failed in the last {window}.",
                   of(sli_error(window), CHOSEN), unit="percentunit", steps=above(0.001, 0.01), width=12)
        for window in error_windows(catalog)
    ]  # fmt: skip
    burn = timeseries("burn", "Burn rate", "How many times faster than allowed the budget burns, over one hour; 1 uses it up exactly at the window's end.",
                      f"{of(sli_error('1h'), CHOSEN)} / on (service) group_left () {SLO_BUDGET}{{}}",
                      unit="none", steps=above(1, 6), width=24)  # fmt: skip
    return Row("Burning", (burn, *panels))


def _tiers(catalog: Catalog) -> Row:
    window = slo_window(catalog)
    return Row(
        "Tiers",
        (
            bargauge("tier-uptime", "Healthy share over the window", f"Each tier's weighted healthy share, averaged over {window}. Promised: 95 % and more.",
                     (f"sort(avg_over_time({TIER_HEALTHY}{{}}[{window}]))", "{{tier}}"), unit="percentunit", steps=below(0.99, 0.95), maximum=1),
            timeseries("tier-share", "Healthy share", "By tier, weighted by how many others need each service.", (f"{TIER_HEALTHY}{{}}", "{{tier}}"), unit="percentunit", steps=below(1, 0.5), maximum=1, width=12),
            bargauge("service-uptime", "Least available services", f"The fifteen services with the worst verdict over {window}, whether they have an objective or not.",
                     f"bottomk(15, avg_over_time({HEALTHY}{{{CHOSEN}}}[{window}]))", unit="percentunit", steps=below(0.99, 0.95), maximum=1),
            timeseries("tier-latency", "Response time by tier", "95 % of each tier's probes are faster; promised: 30 % better than before, so compare with an older range.",
                       ("quantile by (tier) (0.95, probe_duration_seconds{})", "{{tier}}"),
                       ("quantile by (tier) (0.95, agent_probe_duration_seconds{})", "{{tier}} (agents)"), unit="s", steps=above(1, 5), width=12),
        ),
    )  # fmt: skip


def _startup(catalog: Catalog) -> Row:
    chain = critical_chain(catalog)
    panels: list[Panel] = [
        stat("span", "Start-up span", "From the first container's start to the last one's, of those started within half an hour of the first. Promised: 40 % shorter than before.",
             (f"max({STARTED}{{}} < scalar(min({STARTED}{{}})) + 1800) - min({STARTED}{{}})", "span"), unit="s", width=4, height=8),
        bargauge("tier-start", "Start by tier", "When each tier's last container started, after the very first container. A later restart shows as a long bar.",
                 (f"sort(max by (tier) ({STARTED}{{}}) - on () group_left () min({STARTED}{{}}))", "{{tier}}"), unit="s", width=10),
    ]  # fmt: skip
    if len(chain) > 1:
        panels.append(_chain(chain))
    panels.append(
        table("waits", "Last to start", "Services by when their container started after the first one, latest first: the end of the critical path.",
              f"sort_desc(max by (service, tier) ({STARTED}{{{CHOSEN}}}) - on () group_left () min({STARTED}{{}}))",
              columns=(Column("service", "Service"), Column("tier", "Tier"), Column("#A", "After the first, s")),
              sort="-After the first, s", width=24, links=tier_link(catalog))
    )  # fmt: skip
    return Row("Start-up", tuple(panels))


def _chain(chain: tuple[str, ...]) -> Panel:
    waits = tuple(
        (
            f'max({STARTED}{{service="{after}"}}) - max({STARTED}{{service="{before}"}})',
            f"{place}. {after} after {before}",
        )
        for place, (before, after) in enumerate(pairwise(chain), start=1)
    )
    return bargauge(
        "chain", "Critical path", f"The longest chain of hard dependencies: {' → '.join(chain)}. How long each waited for the one before it; negative when the one before was restarted later.",
        *waits, unit="s", steps=above(60, 180), minimum=None, width=10,
    )  # fmt: skip

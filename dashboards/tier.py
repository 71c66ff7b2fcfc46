"""One board per tier: its services, the way to each of their boards, what they promise and use."""

from __future__ import annotations

from dashboards.board import Board
from dashboards.builders import stat, timeseries
from dashboards.frame import FOLDER_TIERS, board_path, marks, tier_variables
from dashboards.kind_boards import board_id
from dashboards.panels import UP, YES_NO, Link, Panel, Row, above, below, plain
from dashboards.service_rows import container_row, health_row, log_row, probe_row, probed
from dashboards.windows import kept, of
from generator.model import Catalog, Tier
from generator.names import HEALTHY, SLO_OBJECTIVE, TIER_HEALTHY


def boards(catalog: Catalog) -> tuple[Board, ...]:
    """Return one board per tier that has services, in order."""
    return tuple(_board(tier, catalog) for tier in catalog.tiers if catalog.in_tier(tier.name))


def _board(tier: Tier, catalog: Catalog) -> Board:
    chosen = f'tier="{tier.name}", service=~"$service"'
    return Board(
        id=f"tier-{tier.name}",
        title=f"Tier {tier.order}: {tier.title or tier.name}",
        description=f"The services of tier {tier.name}; every one leads to a board of its own kind.",
        folder=FOLDER_TIERS,
        rows=(
            _services(tier, catalog),
            health_row(chosen, catalog),
            _promises(tier, chosen, catalog),
            probe_row(chosen, catalog.in_tier(tier.name), catalog),
            container_row(chosen),
            log_row(chosen),
        ),
        near=_neighbours(tier, catalog),
        variables=tier_variables(tier.name),
        annotations=marks(chosen),
    )


def _neighbours(tier: Tier, catalog: Catalog) -> tuple[str, ...]:
    """Return the tier boards before and after this one: what it stands on, what stands on it."""
    return tuple(
        f"tier-{other.name}" for other in catalog.tiers if abs(other.order - tier.order) == 1
    )


def _services(tier: Tier, catalog: Catalog) -> Row:
    """Return one panel per board that services of this tier lead to: the second click from home."""
    kinds: dict[str, list[str]] = {}
    for service in catalog.in_tier(tier.name):
        # A kind without a board of its own is watched from outside: the board Agents shows it.
        target = board_id(catalog.kinds[service.kind]) or "agents"
        names = kinds.setdefault(target, [])
        if service.kind not in names:
            names.append(service.kind)
    return Row(
        "Services",
        tuple(_way(tier, target, names, catalog) for target, names in kinds.items()),
    )


def _way(tier: Tier, target: str, kinds: list[str], catalog: Catalog) -> Panel:
    title = catalog.kinds[kinds[0]].title if len(kinds) == 1 else ", ".join(sorted(kinds))
    matcher = f'kind="{kinds[0]}"' if len(kinds) == 1 else f'kind=~"{"|".join(sorted(kinds))}"'
    here = board_path(f"tier-{tier.name}", "var-service=${__field.labels.service}")
    there = board_path(target, "var-service=${__field.labels.service}&${__url_time_range}")
    wide = len(kinds) > 1
    return stat(
        f"services-{target}", title, "Verdict of each service. Click one for its board.",
        f'{HEALTHY}{{tier="{tier.name}", {matcher}}}', unit="none", steps=UP, words=YES_NO,
        width=24 if wide else 6, height=4,
        links=(
            Link("Open its board", there),
            Link("Only this service, here", here),
            Link("Its logs", board_path("logs", "var-service=${__field.labels.service}&${__url_time_range}")),
        ),
    )  # fmt: skip


def _promises(tier: Tier, chosen: str, catalog: Catalog) -> Row:
    promised = sum(service.size.memory_bytes for service in catalog.in_tier(tier.name))
    return Row(
        "What was promised",
        (
            timeseries("tier-healthy", "Healthy share", "Share of the tier's services that are healthy, weighted by how many others need them.",
                       (f'{TIER_HEALTHY}{{tier="{tier.name}"}}', "healthy"), unit="percentunit", steps=below(1, 0.5), maximum=1),
            timeseries("tier-memory", "Memory promised and used", "Sizes in the catalog, limits that Docker enforces, working set in use.",
                       (f"vector({promised})", "promised by the catalog"),
                       (f'sum(container_spec_memory_limit_bytes{{tier="{tier.name}"}})', "limits"),
                       (f'sum(container_memory_working_set_bytes{{tier="{tier.name}"}})', "used"),
                       unit="bytes"),
            timeseries("tier-latency", "Response time", "Median and 95th percentile over the tier's probes.",
                       *_latency(tier, catalog),
                       unit="s", steps=above(1, 5)),
            *_availability(tier, chosen, catalog),
            timeseries("tier-startup", "Time since start", "How long each container has been running; a saw-tooth is a restart loop.",
                       f"time() - agent_container_started_timestamp_seconds{{{chosen}}}", unit="s", width=12),
        ),
    )  # fmt: skip


def _availability(tier: Tier, chosen: str, catalog: Catalog) -> tuple[Panel, ...]:
    """Return availability against objectives; nothing where no service of *tier* has one."""
    if all(service.slo is None for service in catalog.in_tier(tier.name)):
        return ()
    return (
        timeseries("tier-availability", "Availability and objective", "Availability over the whole window, per service, and what was promised.",
                   of(kept(catalog), chosen),
                   (f"{SLO_OBJECTIVE}{{{chosen}}}", "{{service}} objective"),
                   unit="percentunit", steps=plain(), minimum=None, maximum=1, width=12),
    )  # fmt: skip


def _latency(tier: Tier, catalog: Catalog) -> tuple[tuple[str, str], ...]:
    """Return median and p95 per prober that asks somebody in *tier*."""
    blackbox = probed(catalog.in_tier(tier.name), catalog)
    probers = {"probe": "blackbox exporter", "agent_probe": "agents exporter"}
    return tuple(
        (f'quantile({q}, {name}_duration_seconds{{tier="{tier.name}"}})', f"{title}, {who}")
        for name, who in probers.items()
        for q, title in ((0.5, "p50"), (0.95, "p95"))
        if blackbox or name != "probe"
    )

"""
Every name that more than one room spells: labels, jobs, board ids, recorded series.

A string that stands here is spelled nowhere else, so that an alert, a scrape job
and a dashboard cannot disagree about it.
"""

from __future__ import annotations

import re

# A name that cannot break out of YAML, PromQL, LogQL, a regular expression or a path.
NAME = re.compile(r"[a-z0-9]([a-z0-9_.-]{0,61}[a-z0-9])?")

# Labels that name the subject of a series (design 5.1), and the one that names the observer.
SUBJECT_LABELS = ("service", "tier", "kind", "profile")
EXPORTER_LABEL = "exporter"
OWNER_LABEL = "owner"
DEFAULT_PROFILE = "default"
NONE = "none"

# Labels that every alert carries, never empty (design 5.3).
ALERT_LABELS = (
    "severity",
    "scope",
    "role",
    "family",
    "service",
    "tier",
    "kind",
    "owner",
    "remedy",
)

# Recorded series that come from the catalog alone (constants), one per service or tier.
CATALOG_INFO = "service:catalog:info"  # labels: SUBJECT_LABELS, owner, hold (seconds); value 1
SLO_OBJECTIVE = "service:slo_objective:ratio"  # value 0..1, services with an SLO
SLO_BUDGET = "service:slo_budget:ratio"  # 1 - objective, exact
REQUESTS = "service:requests:rate5m"  # per second, for kinds that count them
REQUEST_ERRORS = "service:request_errors:rate5m"
BUDGET_REMAINING = "service:error_budget_remaining:ratio"
TIER_WEIGHT = "service:tier_weight:count"  # 1 + number of hard dependants
HEALTHY = "service:healthy:bool"  # the verdict; labels: SUBJECT_LABELS, owner
PRESENT = "service:present:bool"  # 1 for services that count now (a profile's: while its container exists)
TIER_HEALTHY = "tier:healthy:ratio"  # weighted share of services that count and are healthy

# Jobs that are not named after one kind.
BLACKBOX_JOB = "blackbox"

# Kinds that the generator itself must know: what they do for the others is not data.
BLACKBOX_KIND = "blackbox-exporter"
CADVISOR_KIND = "cadvisor"
AGENTS_KIND = "agents-exporter"
ALERTMANAGER_KIND = "alertmanager"
PROMETHEUS_KIND = "prometheus"

DATASOURCE_PROMETHEUS = "tierwatch-prometheus"  # uid of the Grafana data source
DATASOURCE_LOKI = "tierwatch-loki"
DATASOURCE_ALERTMANAGER = "tierwatch-alertmanager"

# Rendered folders, one per consumer.
PROMETHEUS_DIR = "prometheus"
ALERTMANAGER_DIR = "alertmanager"

WATCHDOG = "Watchdog"


def tagged(model: str) -> str:
    """Return *model* with the tag that Ollama adds when there is none."""
    return model if ":" in model else f"{model}:latest"


def sli_error(window: str) -> str:
    """Return the recorded series of failed share over *window* (`5m`, `1h`, `14d`)."""
    return f"service:sli_error:ratio_rate{window}"


def availability(window: str) -> str:
    """Return the recorded series of succeeded share over the SLO *window*."""
    return f"service:availability:ratio_{window}"


def board_uid(board: str) -> str:
    """Return the Grafana uid of *board* (`home`, `tier-core`, `kind-postgres`, ...), 8 to 40 characters."""
    uid = f"tierwatch-{board}"
    if len(uid) <= 40:
        return uid
    # Long names keep a readable head; the tail keeps two of them apart. No hash() here: it is salted.
    import hashlib

    return f"{uid[:31]}-{hashlib.sha256(uid.encode()).hexdigest()[:8]}"

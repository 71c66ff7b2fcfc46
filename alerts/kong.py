"""
Kong: requests that fail or crawl, targets that are gone, configuration that cannot be read.

Kong's own label `service` (the route's backend) arrives as `exported_service`, since `service` is
the subject here; alerts add up over all routes and the runbook says how to find the one.
Traffic metrics exist only with the four flags of the prometheus plugin (see the kind). Compared
with Kong's official board, awesome-prometheus-alerts and the rules of kong/kubernetes-ingress-controller.
Left out, and why:
- Kong down: ServiceDown. Worker memory: the container pack. Connections without a limit: load.
- 4xx ratio: mistakes of callers, and rate limiting that works (429).
- bandwidth; data planes, licence and vault metrics: this platform runs one traditional node.
- most shared dictionaries are LRU caches that are full by design; only the metrics' own one hurts.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Record, Severity
from generator.model import Catalog

BOARD = "kind-kong"
WINDOW = timedelta(minutes=10)

# Rates in the proofs are ones that both ways of closing a window give without a rounding error.
REQUESTS = Record(
    name="service:kong_requests:rate10m",
    expr="sum by (service) (rate(kong_http_requests_total[10m]))",
    inputs={
        'kong_http_requests_total{service="alpha",exported_service="a",code="200"}': "8.25/s",
        'kong_http_requests_total{service="alpha",exported_service="b",code="502"}': "8.25/s",
    },
    expect={'service:kong_requests:rate10m{service="alpha"}': 16.5},
)

ERRORS = Record(
    name="service:kong_errors:ratio_rate10m",
    expr="""sum by (service) (rate(kong_http_requests_total{code=~"5.."}[10m]))
/ sum by (service) (rate(kong_http_requests_total[10m]))""",
    inputs={
        'kong_http_requests_total{service="alpha",exported_service="a",code="200"}': "16.5/s",
        'kong_http_requests_total{service="alpha",exported_service="b",code="502"}': "16.5/s",
    },
    expect={'service:kong_errors:ratio_rate10m{service="alpha"}': 0.5},
)

# Below one request in ten seconds one failed request would be an outage.
ENOUGH_TRAFFIC = f"and on (service) ({REQUESTS.name} > 0.1)"


def _responses(good: str, bad: str) -> dict[str, str]:
    """Return samples of a gateway that answers *good* requests with 200 and *bad* ones with 502."""
    return {
        'kong_http_requests_total{exported_service="app",route="all",code="200"}': good,
        'kong_http_requests_total{exported_service="app",route="all",code="502"}': bad,
    }


ERRORS_HIGH = Alert(
    name="KongErrorRatioHigh",
    severity=Severity.WARNING,
    expr=ERRORS.name,
    threshold=0.05,
    where=ENOUGH_TRAFFIC,
    hold=timedelta(minutes=5),
    family="kong-errors",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the requests through {{ $labels.service }} fail",
    description="""{{ $labels.service }} answers {{ $value | humanizePercentage }} of all requests with
        5xx: a backend fails, is gone, or takes too long.""",
    fires=_responses("947/m", "53/m"),
    quiet=_responses("953/m", "47/m"),
    value=0.053,
    settle=WINDOW,
    surge=_responses("947/m", "53000/m"),
)

ERRORS_SEVERE = Alert(
    name="KongErrorRatioSevere",
    severity=Severity.CRITICAL,
    expr=ERRORS.name,
    threshold=0.25,
    where=ENOUGH_TRAFFIC,
    hold=timedelta(minutes=2),
    family="kong-errors",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the requests through {{ $labels.service }} fail",
    description="""{{ $labels.service }} answers {{ $value | humanizePercentage }} of all requests with
        5xx. Users see errors on most pages now.""",
    fires=_responses("740/m", "260/m"),
    quiet=_responses("760/m", "240/m"),
    value=0.26,
    settle=WINDOW,
    surge=_responses("740/m", "26000/m"),
)


def _latency(metric: str, low: str, high: str, below: str, every: str) -> dict[str, str]:
    """Return samples of a histogram in which *below* of *every* requests end below bucket *low*."""
    return {
        f'{metric}_bucket{{exported_service="app",le="{low}"}}': below,
        f'{metric}_bucket{{exported_service="app",le="{high}"}}': every,
        f'{metric}_bucket{{exported_service="app",le="+Inf"}}': every,
        f'{metric}_count{{exported_service="app"}}': every,
    }


GATEWAY_SLOW = Alert(
    name="KongAddsLatency",
    severity=Severity.WARNING,
    expr="""histogram_quantile(
  0.95, sum by (service, le) (rate(kong_kong_latency_ms_bucket[10m]))
)""",
    threshold=250,
    where="and on (service) (sum by (service) (rate(kong_kong_latency_ms_count[10m])) > 0.1)",
    hold=timedelta(minutes=10),
    family="kong-latency",
    board=BOARD,
    summary="{{ $labels.service }} itself adds {{ $value | humanize }} ms to requests",
    description="""Kong's own part of a request through {{ $labels.service }} takes
        {{ $value | humanize }} ms (95th percentile): slow plugins, slow DNS, or too little CPU.""",
    fires=_latency("kong_kong_latency_ms", "200", "500", "93.6/s", "100/s"),
    quiet=_latency("kong_kong_latency_ms", "200", "500", "94.5/s", "100/s"),
    value=265.625,
    surge=_latency("kong_kong_latency_ms", "200", "500", "90/s", "10000/s"),
)

UPSTREAM_SLOW = Alert(
    name="KongUpstreamSlow",
    severity=Severity.WARNING,
    expr="""histogram_quantile(
  0.95, sum by (service, le) (rate(kong_upstream_latency_ms_bucket[10m]))
)""",
    # Answers of language models take seconds; fifteen is where browsers and people give up (a guess).
    threshold=15000,
    where="and on (service) (sum by (service) (rate(kong_upstream_latency_ms_count[10m])) > 0.1)",
    hold=timedelta(minutes=10),
    family="kong-upstream-latency",
    board=BOARD,
    summary="Backends behind {{ $labels.service }} take {{ $value | humanize }} ms to answer",
    description="""Of the requests that {{ $labels.service }} passes on, 5 % wait longer than
        {{ $value | humanize }} ms for the backend's answer.""",
    fires=_latency("kong_upstream_latency_ms", "10000", "30000", "93/s", "100/s"),
    quiet=_latency("kong_upstream_latency_ms", "10000", "30000", "93.75/s", "100/s"),
    value=10000 + 20000 * 2 / 7,
    surge=_latency("kong_upstream_latency_ms", "10000", "30000", "90/s", "10000/s"),
)


def _targets(healthy: str, unhealthy: str) -> dict[str, str]:
    """Return samples of one upstream with a sound target and one whose state is given."""
    first = 'upstream="app",target="a:8000",address="10.0.0.1:8000",subsystem="http"'
    second = 'upstream="app",target="b:8000",address="10.0.0.2:8000",subsystem="http"'
    return {
        f'kong_upstream_target_health{{{first},state="healthy"}}': healthy,
        f'kong_upstream_target_health{{{second},state="healthy"}}': "0",
        f'kong_upstream_target_health{{{second},state="unhealthy"}}': unhealthy,
    }


TARGET_UNHEALTHY = Alert(
    name="KongTargetUnhealthy",
    severity=Severity.WARNING,
    expr="""sum by (service, upstream) (
  last_over_time(kong_upstream_target_health{state=~"unhealthy|dns_error"}[3m])
)""",
    threshold=0,
    hold=timedelta(minutes=5),
    family="kong-upstream",
    board=BOARD,
    summary="{{ $value | humanize }} targets of upstream {{ $labels.upstream }} behind {{ $labels.service }} are unhealthy",
    description="""Kong's health checks have taken {{ $value | humanize }} targets of upstream
        {{ $labels.upstream }} out of service, or cannot resolve their names.""",
    fires=_targets("1", "1"),
    quiet=_targets("1", "0"),
    value=1,
    extra={"upstream": "app"},
    tight=False,
)

UPSTREAM_DOWN = Alert(
    name="KongUpstreamDown",
    severity=Severity.CRITICAL,
    expr="""sum by (service, upstream) (
  last_over_time(kong_upstream_target_health{state=~"healthy|healthchecks_off"}[3m])
)""",
    op="==",
    threshold=0,
    hold=timedelta(minutes=2),
    family="kong-upstream",
    board=BOARD,
    summary="Upstream {{ $labels.upstream }} behind {{ $labels.service }} has no healthy target left",
    description="""All targets of upstream {{ $labels.upstream }} are unhealthy or cannot be resolved:
        {{ $labels.service }} answers every request for it with 503.""",
    fires=_targets("0", "1"),
    quiet=_targets("1", "1"),
    value=0,
    extra={"upstream": "app"},
    tight=False,
)

DATASTORE = Alert(
    name="KongDatastoreUnreachable",
    severity=Severity.CRITICAL,
    expr="min by (service) (last_over_time(kong_datastore_reachable[3m]))",
    op="==",
    threshold=0,
    hold=timedelta(minutes=5),
    family="kong-datastore",
    board=BOARD,
    summary="{{ $labels.service }} cannot reach its database",
    description="""{{ $labels.service }} routes with what it has in memory, but sees no change of its
        configuration and would not survive a restart.""",
    fires={"kong_datastore_reachable": "0"},
    quiet={"kong_datastore_reachable": "1"},
    tight=False,
)

METRICS_MEMORY = Alert(
    name="KongMetricsMemoryFull",
    severity=Severity.WARNING,
    expr="""max by (service) (
  last_over_time(kong_memory_lua_shared_dict_bytes{shared_dict="prometheus_metrics"}[3m])
)
/
max by (service) (
  last_over_time(kong_memory_lua_shared_dict_total_bytes{shared_dict="prometheus_metrics"}[3m])
)""",
    threshold=0.9,
    hold=timedelta(minutes=10),
    family="kong-metrics",
    board=BOARD,
    summary="{{ $labels.service }} has filled {{ $value | humanizePercentage }} of its memory for metrics",
    description="""The shared dictionary prometheus_metrics of {{ $labels.service }} is
        {{ $value | humanizePercentage }} full. Once it is, counters are lost and alerts on them lie.""",
    fires={
        'kong_memory_lua_shared_dict_bytes{shared_dict="prometheus_metrics",kong_subsystem="http"}': "4900000",
        'kong_memory_lua_shared_dict_total_bytes{shared_dict="prometheus_metrics",kong_subsystem="http"}': "5242880",
    },
    quiet={
        'kong_memory_lua_shared_dict_bytes{shared_dict="prometheus_metrics",kong_subsystem="http"}': "4500000",
        'kong_memory_lua_shared_dict_total_bytes{shared_dict="prometheus_metrics",kong_subsystem="http"}': "5242880",
    },
    value=4900000 / 5242880,
)


def pack(_catalog: Catalog) -> Pack:
    """Return the Kong pack; it is the same for every catalog."""
    return Pack(
        name="kong",
        title="Kong",
        records=(REQUESTS, ERRORS),
        alerts=(
            ERRORS_HIGH,
            ERRORS_SEVERE,
            TARGET_UNHEALTHY,
            UPSTREAM_DOWN,
            DATASTORE,
            GATEWAY_SLOW,
            UPSTREAM_SLOW,
            METRICS_MEMORY,
        ),
    )

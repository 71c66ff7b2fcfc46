"""
Web applications: requests that fail, crawl or stay away, and what n8n, Flowise and Streamlit add.

One set of alerts for all of them, over the series that `alerts.web_traffic` records; what only
one application tells stands in `alerts.web_apps`. Compared with awesome-prometheus-alerts, the
board of fastapi-instrumentator, and the docs of n8n and Flowise. Left out, and why:
- an application down, its probe slow or flapping: packs service and probe. Traffic that stops
  altogether: TrafficStopped. Objectives: the SLO pack. Memory and CPU: the container pack.
- Dify pushes OTLP only, and of Langflow's own metrics only the process's are verified: both are
  seen through their probes, Langflow through its file descriptors too.
- latency of Flowise: its buckets end at half a second, which no answer of a model stays under.
- 4xx: mistakes of callers; a wrong deployment shows as traffic that drops.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Severity
from alerts.web_apps import app_alerts
from alerts.web_traffic import ERROR_RATIO, LATENCY, RATE, Source, answered, records, sources, took
from generator.model import Catalog

BOARD = "tier"
WINDOW = timedelta(minutes=10)
# Below one request in ten seconds one failed request would be an outage.
ENOUGH_TRAFFIC = f"and on (service) ({RATE} > 0.1)"


def _errors(source: Source) -> tuple[Alert, ...]:
    """Return the two alerts on failing requests, proven with *source*."""
    high = Alert(
        name="WebErrorRatioHigh",
        severity=Severity.WARNING,
        expr=ERROR_RATIO,
        threshold=0.05,
        where=ENOUGH_TRAFFIC,
        hold=timedelta(minutes=5),
        family="web-errors",
        board=BOARD,
        summary="{{ $value | humanizePercentage }} of the requests to {{ $labels.service }} fail",
        description="""{{ $labels.service }} answers {{ $value | humanizePercentage }} of its requests
            with an error of its own (5xx).""",
        fires=answered(source, 947, 53),
        quiet=answered(source, 953, 47),
        value=0.053,
        settle=WINDOW,
        surge=answered(source, 947, 53000),
    )
    severe = Alert(
        name="WebErrorRatioSevere",
        severity=Severity.CRITICAL,
        expr=ERROR_RATIO,
        threshold=0.25,
        where=ENOUGH_TRAFFIC,
        hold=timedelta(minutes=2),
        family="web-errors",
        board=BOARD,
        summary="{{ $value | humanizePercentage }} of the requests to {{ $labels.service }} fail",
        description="""{{ $labels.service }} fails {{ $value | humanizePercentage }} of its requests
            (5xx): most who use it see errors now.""",
        fires=answered(source, 740, 260),
        quiet=answered(source, 760, 240),
        value=0.26,
        settle=WINDOW,
        surge=answered(source, 740, 26000),
    )
    return high, severe


def _latency(source: Source) -> Alert:
    """Return the alert on slow answers, proven with *source*."""
    return Alert(
        name="WebLatencyHigh",
        severity=Severity.WARNING,
        expr=LATENCY,
        # Half of these answers are made by a language model; six seconds lie inside one bucket of
        # every source, where a quantile is an estimate and not an edge.
        threshold=6,
        where=ENOUGH_TRAFFIC,
        hold=timedelta(minutes=10),
        family="web-latency",
        board=BOARD,
        summary="{{ $labels.service }} takes {{ $value | humanizeDuration }} to answer",
        description="""5 % of the requests to {{ $labels.service }} take longer than
            {{ $value | humanizeDuration }}.""",
        fires=took(source, "87.5/s", "100/s") | answered(source, 6000, 0),
        quiet=took(source, "93.75/s", "100/s") | answered(source, 6000, 0),
        value=6.5,
        settle=WINDOW,
        surge=took(source, "90/s", "10000/s") | answered(source, 6000, 0),
    )


def _dropped(source: Source) -> Alert:
    """
    Return the alert on requests that stay away, proven with *source*.

    Every evening and every batch that ends looks like this, so it is a hint beside other alerts and
    disturbs nobody. Traffic that stops altogether is TrafficStopped.
    """
    return Alert(
        name="WebRequestRateDropped",
        severity=Severity.INFO,
        expr=f"{RATE}\n/ (avg_over_time({RATE}[1h] offset 1h) > 0.5)",
        op="<",
        threshold=0.2,
        hold=timedelta(minutes=15),
        family="web-traffic",
        board=BOARD,
        summary="{{ $labels.service }} gets {{ $value | humanizePercentage }} of the requests it got an hour ago",
        description="""{{ $labels.service }} gets only {{ $value | humanizePercentage }} of the requests
            of an hour ago: callers cannot reach it, or gave up.""",
        fires=answered(source, 108, 0),
        quiet=answered(source, 600, 0),
        value=0.18,
        tight=False,
        settle=timedelta(minutes=12),
        step=timedelta(minutes=2),
    )


def pack(catalog: Catalog) -> Pack:
    """Return the alerts on web applications that the kinds of *catalog* have the metrics for."""
    found = sources(catalog)
    alerts: list[Alert] = []
    if found:
        alerts += [*_errors(found[0]), _dropped(found[0])]
    timed = [source for source in found if source.latency]
    if timed:
        alerts.append(_latency(timed[0]))
    return Pack(
        name="web",
        title="Web applications",
        records=records(found),
        alerts=(*alerts, *app_alerts(catalog)),
    )

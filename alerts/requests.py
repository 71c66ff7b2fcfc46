"""
Requests per service, whatever the software calls them: the counters that objectives are made of.

Each source says where a kind counts its requests with their status. Services of other kinds,
and those without traffic, are judged by their verdict instead. Health probes and scrapes are no
traffic: they never stop while the platform runs, and never ask what users ask.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

from alerts.kit import Record
from generator.names import REQUEST_ERRORS, REQUESTS


@dataclass(frozen=True, slots=True)
class Source:
    """A counter of requests and the matcher that picks those the server failed."""

    metric: str
    failed: str  # label matcher
    other: str  # the label of a test series, `%s` for the status
    # Label matcher that leaves out what the platform asks by itself, and such a label of a test
    # series. Empty where that is not counted: Kong's probe asks another listener than the proxy.
    without: str = ""
    probe: str = ""


# Paths of health checks and scrapes as FastAPI applications and their load balancers spell them.
PROBED = "(/api(/v[0-9]+)?)?/(metrics|ping|(health|ready|live)z?(/.*)?)|/-/.*"


# 5xx only: what the client got wrong is not the server's error budget.
SOURCES: Mapping[str, tuple[Source, ...]] = {
    "fastapi": (
        Source(
            "http_requests_total",
            'status=~"5.."',
            'status="%s"',
            f'handler!~"{PROBED}"',
            'handler="/health"',
        ),
        Source(
            "jarvis_requests_total",
            'status_code=~"5.."',
            'status_code="%s"',
            f'endpoint!~"{PROBED}"',
            'endpoint="/api/v1/health/"',
        ),
    ),
    "grafana": (
        Source(
            "grafana_http_request_duration_seconds_count",
            'status_code=~"5.."',
            'status_code="%s"',
            # /api/health is answered before any route has a name: Grafana counts it as unknown.
            'handler!~"/metrics|/api/health|/healthz|unknown"',
            'handler="unknown"',
        ),
    ),
    "kong": (Source("kong_http_requests_total", 'code=~"5.."', 'code="%s"'),),
    "n8n": (
        Source(
            "n8n_http_request_duration_seconds_count",
            'status_code=~"5.."',
            'status_code="%s"',
            'path!~"/metrics|/healthz(/.*)?"',
            'path="/healthz/readiness"',
        ),
    ),
    "prometheus": (
        Source(
            "prometheus_http_requests_total",
            'code=~"5.."',
            'code="%s"',
            'handler!~"/metrics|/-/.*"',
            'handler="/-/ready"',
        ),
    ),
    "tabbyml": (
        Source(
            "axum_http_requests_total",
            'status=~"5.."',
            'status="%s"',
            'endpoint!~"/metrics|/v1/health"',
            'endpoint="/metrics"',
        ),
    ),
}
WINDOW = timedelta(minutes=5)


def records(kinds: Mapping[str, object]) -> tuple[Record, ...]:
    """Return the rules that record requests and failed requests per second for the *kinds* in use."""
    sources = [
        (kind, source) for kind in sorted(SOURCES) if kind in kinds for source in SOURCES[kind]
    ]
    if not sources:
        return ()
    return (
        _record(REQUESTS, sources, failed=False),
        _record(REQUEST_ERRORS, sources, failed=True),
    )


def _record(name: str, sources: list[tuple[str, Source]], *, failed: bool) -> Record:
    parts: list[str] = []
    inputs: dict[str, str] = {}
    expect: dict[str, float] = {}
    for number, (kind, source) in enumerate(sources):
        matchers = [f'kind="{kind}"', source.failed if failed else "", source.without]
        selected = f"{source.metric}{{{', '.join(filter(None, matchers))}}}"
        parts.append(f"sum by (service) (rate({selected}[5m]))")
        service = f"s{number}"
        inputs |= _probes(service, kind, source)
        inputs |= _counters(service, kind, source, succeeded="54/m", failed="6/m")
        expect[f'{name}{{service="{service}"}}'] = 0.1 if failed else 1.0
    expr = "\nor ".join(parts)
    if failed:
        # A counter of failures does not exist before the first one: no failures is zero, not unknown.
        expr = f"({expr})\nor 0 * {REQUESTS}"
    return Record(name=name, expr=expr, inputs=inputs, expect=expect)


def sample_counters(service: str, kind: str, *, succeeded: str, failed: str) -> dict[str, str]:
    """Return test series of the first counter of *kind* for *service*, in the kit's notation."""
    return _counters(service, kind, SOURCES[kind][0], succeeded=succeeded, failed=failed)


def _counters(
    service: str, kind: str, source: Source, *, succeeded: str, failed: str
) -> dict[str, str]:
    base = f'service="{service}",kind="{kind}",'
    return {
        f"{source.metric}{{{base}{source.other % '200'}}}": succeeded,
        f"{source.metric}{{{base}{source.other % '503'}}}": failed,
    }


def _probes(service: str, kind: str, source: Source) -> dict[str, str]:
    """Return test series of probes and scrapes, good and failed ones, which count as nothing."""
    if not source.without:
        return {}
    base = f'service="{service}",kind="{kind}",{source.probe},'
    return {
        f"{source.metric}{{{base}{source.other % status}}}": "600/m" for status in ("200", "503")
    }

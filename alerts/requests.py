"""
Requests per service, whatever the software calls them: the counters that objectives are made of.

Each source says where a kind counts its requests with their status. Services of other kinds,
and those without traffic, are judged by their verdict instead.
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


# 5xx only: what the client got wrong is not the server's error budget.
SOURCES: Mapping[str, tuple[Source, ...]] = {
    "fastapi": (
        Source("http_requests_total", 'status=~"5.."', 'status="%s"'),
        Source("jarvis_requests_total", 'status_code=~"5.."', 'status_code="%s"'),
    ),
    "grafana": (
        Source(
            "grafana_http_request_duration_seconds_count", 'status_code=~"5.."', 'status_code="%s"'
        ),
    ),
    "kong": (Source("kong_http_requests_total", 'code=~"5.."', 'code="%s"'),),
    "n8n": (
        Source("n8n_http_request_duration_seconds_count", 'status_code=~"5.."', 'status_code="%s"'),
    ),
    "prometheus": (Source("prometheus_http_requests_total", 'code=~"5.."', 'code="%s"'),),
    "tabbyml": (Source("axum_http_requests_total", 'status=~"5.."', 'status="%s"'),),
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
        matcher = f", {source.failed}" if failed else ""
        parts.append(f'sum by (service) (rate({source.metric}{{kind="{kind}"{matcher}}}[5m]))')
        service = f"s{number}"
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

"""
Requests, errors and latency of web applications, recorded under one name each.

Every application counts its requests in its own way; a source says how. The rules of the pack
`web` read only what is recorded here, so a further application is one more source. Windows are
ten minutes: long enough for the little traffic of one platform. (Objectives have their own
series, `alerts.requests`: fewer sources, and a zero where there are no errors.) Health probes and
scrapes are left out, or the least traffic that a rule asks for would always be there.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from alerts.kit import Record, number
from alerts.requests import PROBED
from generator.model import Catalog

RATE = "service:web_requests:rate10m"
ERROR_RATIO = "service:web_errors:ratio_rate10m"
LATENCY = "service:web_latency_p95:seconds"


@dataclass(frozen=True, slots=True)
class Source:
    """
    Where services of *kind* count their requests.

    *failed* is what is appended to *errors* to select failures; *labels* are those of a test
    series, with `%s` for the status. *latency* is a histogram in seconds with buckets beyond the
    threshold of WebLatencyHigh, empty where there is none. *without* is the matcher, as in
    `alerts.requests`, that leaves out probes and scrapes, *probe* such labels of a test series;
    the histogram has that label too unless *labelled* is False.
    """

    kind: str
    requests: str
    errors: str
    failed: str
    labels: str
    latency: str = ""
    without: str = ""
    probe: str = ""
    labelled: bool = True


# Flowise's buckets end at half a second, so its latency could never reach the threshold.
SOURCES = (
    Source(
        "fastapi",
        "http_requests_total",
        "http_requests_total",
        ', status=~"5.."',
        'handler="/chat",method="POST",status="%s"',
        "http_request_duration_highr_seconds",
        f', handler!~"{PROBED}"',
        'handler="/health",method="GET",status="%s"',
        # One histogram of all requests; the one by handler ends at a second.
        labelled=False,
    ),
    Source(
        "fastapi",
        "jarvis_requests_total",
        "jarvis_requests_total",
        ', status_code=~"5.."',
        'endpoint="/chat",method="POST",status_code="%s"',
        "jarvis_latency_seconds",
        f', endpoint!~"{PROBED}"',
        'endpoint="/api/v1/health/",method="GET",status_code="%s"',
    ),
    Source(
        "fastapi",
        "sutazai_api_requests_total",
        "sutazai_api_requests_total",
        ', status=~"5.."',
        'endpoint="/chat",method="POST",status="%s"',
        "sutazai_api_request_duration_seconds",
        f', endpoint!~"{PROBED}"',
        'endpoint="/api/v1/health/",method="GET",status="%s"',
    ),
    Source(
        "n8n",
        "n8n_http_request_duration_seconds_count",
        "n8n_http_request_duration_seconds_count",
        ', status_code=~"5.."',
        'method="GET",path="/rest",status_code="%s"',
        "n8n_http_request_duration_seconds",
        ', path!~"/metrics|/healthz(/.*)?"',
        'method="GET",path="/healthz/readiness",status_code="%s"',
    ),
    Source(
        "flowise",
        "http_request_duration_ms_count",
        "http_request_duration_ms_count",
        ', code=~"5.."',
        'app="FlowiseAI",method="POST",route="/",code="%s"',
        without=', route!~"/api/v1/(metrics|ping)"',
        probe='app="FlowiseAI",method="GET",route="/api/v1/ping",code="%s"',
    ),
    Source(
        "ollama-integration",
        "agent_request_total",
        "agent_error_total",
        "",
        'agent="ollama",method="generate",status="%s"',
        "agent_processing_duration_seconds",
    ),
)


def sources(catalog: Catalog) -> tuple[Source, ...]:
    """Return the sources of the kinds that *catalog* uses, in the order of SOURCES; empty if none."""
    return tuple(source for source in SOURCES if source.kind in catalog.kinds)


def records(found: tuple[Source, ...]) -> tuple[Record, ...]:
    """Return the rules that record rate, error ratio and latency from the sources *found*."""
    if not found:
        return ()
    timed = tuple(source for source in found if source.latency)
    made = [
        _record(RATE, found, _rate, lambda source: answered(source, 990, 0), 16.5),
        _record(ERROR_RATIO, found, _ratio, lambda source: answered(source, 990, 990), 0.5),
    ]
    if timed:
        made.append(
            _record(LATENCY, timed, _p95, lambda source: took(source, "0/s", "16.5/s"), 7.375)
        )
    return tuple(made)


def _record(
    name: str,
    found: tuple[Source, ...],
    expression: Callable[[Source], str],
    samples: Callable[[Source], dict[str, str]],
    value: float,
) -> Record:
    """Return a rule over all sources, proven with one service per source that has *value*."""
    inputs, expect = {}, {}
    for place, source in enumerate(found):
        for series, notation in (samples(source) | _probes(source)).items():
            inputs[series.replace("{", f'{{service="s{place}",', 1)] = notation
        expect[f'{name}{{service="s{place}"}}'] = value
    return Record(
        name=name,
        expr="\nor\n".join(expression(source) for source in found),
        inputs=inputs,
        expect=expect,
    )


def _selected(source: Source, metric: str, extra: str = "") -> str:
    return f'{metric}{{kind="{source.kind}"{extra}}}'


def _rate(source: Source) -> str:
    """Requests per second. A counter that stands still leaves the word to the next source."""
    every = f"sum by (service) (rate({_selected(source, source.requests, source.without)}[10m]))"
    return f"({every} > 0)"


def _ratio(source: Source) -> str:
    failed = _selected(source, source.errors, source.failed + source.without)
    bad = f"sum by (service) (rate({failed}[10m]))"
    return f"{bad}\n/ {_rate(source)}"


def _p95(source: Source) -> str:
    timed = source.without if source.labelled else ""
    bucket = _selected(source, f"{source.latency}_bucket", timed)
    buckets = f"sum by (service, le) (rate({bucket}[10m]))"
    return f"(histogram_quantile(0.95, {buckets}) >= 0)"


def answered(source: Source, good: float, bad: float) -> dict[str, str]:
    """Return samples of an application that answers *good* requests per minute well and fails *bad* ones."""
    if source.errors != source.requests:
        failed = f'{source.errors}{{kind="{source.kind}",agent="ollama",error_type="timeout"}}'
        every = f'{source.requests}{{kind="{source.kind}",{source.labels % "any"}}}'
        return {every: f"{number(good + bad)}/m", failed: f"{number(bad)}/m"}
    return {
        f'{source.requests}{{kind="{source.kind}",{source.labels % status}}}': f"{number(rate)}/m"
        for status, rate in (("200", good), ("500", bad))
    }


def _probes(source: Source) -> dict[str, str]:
    """Return samples of probes and scrapes, good and failed and fast, which count as nothing."""
    if not source.without:
        return {}
    found = {
        f'{source.requests}{{kind="{source.kind}",{source.probe % status}}}': "6000/m"
        for status in ("200", "500")
    }
    if source.latency and source.labelled:
        labels = source.probe.rpartition(",")[0]
        for bound in ("5", "7.5", "+Inf"):
            series = f'{source.latency}_bucket{{kind="{source.kind}",{labels},le="{bound}"}}'
            found[series] = "600/s"
    return found


def took(source: Source, below: str, every: str) -> dict[str, str]:
    """Return samples of a histogram: *below* requests took under 5 s, *every* one under 7.5 s."""
    labels = f'kind="{source.kind}"'
    return {
        f'{source.latency}_bucket{{{labels},le="5"}}': below,
        f'{source.latency}_bucket{{{labels},le="7.5"}}': every,
        f'{source.latency}_bucket{{{labels},le="+Inf"}}': every,
    }

"""
Rows for a kind nobody wrote a board for, made from the metrics it declares.

Counters are shown as rates, gauges as they are, histograms as quantiles, summaries as averages.
The declared help is the description, the declared unit decides the unit.
"""

from __future__ import annotations

from collections.abc import Iterable

from dashboards.builders import states, timeseries
from dashboards.panels import UP, Panel, Row
from generator.names import SUBJECT_LABELS
from generator.software import Kind, Metric

# A board that nobody can read in a minute helps nobody; the rest is one query away in Explore.
MOST_PANELS = 48
MOST_LABELS = 2

# Declared unit -> Grafana's unit of a value; every other word is a plain number.
UNITS = {
    "bytes": "bytes", "seconds": "s", "milliseconds": "ms", "nanoseconds": "ns", "ratio": "percentunit",
    "celsius": "celsius", "watts": "watt", "joules": "joule", "hertz": "hertz", "percent": "percent",
    "timestamp": "dateTimeAsIso", "bool": "none", "microseconds": "µs", "volts": "volt",
}  # fmt: skip
# Declared unit -> Grafana's unit of that counter's rate per second.
RATES = {
    "bytes": "Bps", "requests": "reqps", "seconds": "percentunit", "queries": "reqps",
    "operations": "ops", "rows": "rowsps",
}  # fmt: skip


def generic_rows(kinds: Iterable[Kind]) -> tuple[Row, ...]:
    """Return rows with one panel per declared metric: counters, gauges, durations, the process."""
    groups: dict[str, list[Panel]] = {
        "Rates": [], "Levels": [], "Distributions": [], "Process and runtime": [],
    }  # fmt: skip
    seen: set[str] = set()
    for kind in kinds:
        for metric in kind.declares.values():
            if metric.name in seen or metric.unit == "info" or len(seen) >= MOST_PANELS:
                continue
            seen.add(metric.name)
            groups[_group(metric)].append(_panel(metric))
    return tuple(
        Row(title, tuple(panels), collapsed=title.startswith("Process"))
        for title, panels in groups.items()
        if panels
    )


def _group(metric: Metric) -> str:
    if metric.name.startswith(("process_", "go_", "python_", "jvm_", "nodejs_")):
        return "Process and runtime"
    if metric.type == "counter":
        return "Rates"
    return "Distributions" if metric.type in ("histogram", "summary") else "Levels"


def _panel(metric: Metric) -> Panel:
    labels = [_stored(label) for label in metric.labels if label not in ("le", "quantile")]
    labels = labels[:MOST_LABELS]
    by = ", ".join(("service", *labels))
    legend = " ".join(f"{{{{{label}}}}}" for label in ("service", *labels))
    name = metric.name
    if metric.type == "histogram":
        return _quantiles(metric)
    if metric.type == "summary":
        expr = (
            f"sum by ({by}) (rate({name}_sum{{<sel>}}[$__rate_interval]))"
            f" / (sum by ({by}) (rate({name}_count{{<sel>}}[$__rate_interval])) > 0)"
        )
        return _lines(metric, (expr, legend), unit=UNITS.get(metric.unit, "short"), what="average")
    if metric.type == "counter":
        expr = f"sum by ({by}) (rate({name}{{<sel>}}[$__rate_interval]))"
        return _lines(metric, (expr, legend), unit=RATES.get(metric.unit, "cps"), what="per second")
    if metric.unit == "bool":
        return states(
            f"metric {name}", name, _sentence(metric), (f"max by ({by}) ({name}{{<sel>}})", legend),
            steps=UP, width=12, height=6,
        )  # fmt: skip
    if metric.unit == "timestamp":
        expr = f"time() - max by ({by}) ({name}{{<sel>}})"
        return _lines(metric, (expr, legend), unit="s", what="time since")
    how = "max" if metric.unit in ("ratio", "celsius", "percent") else "sum"
    expr = f"{how} by ({by}) ({name}{{<sel>}})"
    return _lines(metric, (expr, legend), unit=UNITS.get(metric.unit, "short"), what="")


def _stored(label: str) -> str:
    """Return the name under which the software's own *label* is stored; ours win over the same name."""
    return f"exported_{label}" if label in (*SUBJECT_LABELS, "job", "instance") else label


def _quantiles(metric: Metric) -> Panel:
    asks = tuple(
        (
            f"histogram_quantile({quantile}, sum by (service, le) (rate({metric.name}_bucket{{<sel>}}[$__rate_interval])))",
            f"{{{{service}}}} {title}",
        )
        for quantile, title in ((0.5, "p50"), (0.95, "p95"), (0.99, "p99"))
    )
    return _lines(metric, *asks, unit=UNITS.get(metric.unit, "short"), what="quantiles")


def _lines(metric: Metric, *asks: tuple[str, str], unit: str, what: str) -> Panel:
    title = f"{metric.name}, {what}" if what else metric.name
    return timeseries(
        f"metric {metric.name}", title, _sentence(metric), *asks, unit=unit, minimum=None
    )


def _sentence(metric: Metric) -> str:
    return f"{metric.help or metric.name} ({metric.type}, {metric.unit or 'no unit'})."

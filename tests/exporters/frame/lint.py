"""
A stricter judge of metric pages than `promtool check metrics`: units, names, help, bounds, doubles.

promtool lets percent, megahertz and mebibytes pass, says nothing of a help text that is missing on
a counter's `_total`, and does not count series. Source: prometheus.io, naming and writing exporters;
reference, exporters, sections 2 and 3.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Iterator

from prometheus_client.core import Metric, Sample
from prometheus_client.openmetrics.parser import text_string_to_metric_families

MAX_LABEL_VALUES = 200  # different values of one label on one page; a list of models has the most
MAX_LABEL_LENGTH = 256
# What no name may contain: scaled or derived units, and words that speak of the type.
_BAD_WORDS = frozenset(
    {
        "percent", "pct", "mhz", "khz", "ghz", "mib", "kib", "gib", "mb", "kb", "gb", "kwh",
        "milliseconds", "ms", "minutes", "hours", "days", "fahrenheit", "gauge", "counter",
        "histogram",
    }
)  # fmt: skip
_RESERVED_LABELS = frozenset({"job", "instance", "le", "quantile", "env", "hostname", "type"})
_UNIT_WORDS = {
    "seconds": re.compile(r"_seconds(_total)?$"),
    "bytes": re.compile(r"_bytes(_total)?$"),
    "celsius": re.compile(r"_celsius$"),
    "watts": re.compile(r"_watts$"),
    "joules": re.compile(r"_joules(_total)?$"),
    "hertz": re.compile(r"_hertz$"),
}


def complaints(text: str, *, prefixes: tuple[str, ...]) -> list[str]:
    """
    Return what is wrong with the OpenMetrics page *text*, sorted; [] if nothing.

    Args:
        text: The page.
        prefixes: Names must begin with one of these and `_`, or be `process_*` or `python_info`.
    """
    try:
        families = list(text_string_to_metric_families(text))
    except ValueError as error:
        return [f"not OpenMetrics: {error}"]
    found = [complaint for family in families for complaint in _family(family, prefixes)]
    names = Counter(family.name for family in families)
    found += [f"{name}: stands {count} times" for name, count in names.items() if count > 1]
    return sorted(found)


def _family(family: Metric, prefixes: tuple[str, ...]) -> Iterator[str]:
    for complaint in (*_name(family.name, prefixes), *_type(family), *_labels(family)):
        yield f"{family.name}: {complaint}"
    for sample in family.samples:
        yield from (f"{family.name}: {complaint}" for complaint in _sample(family, sample))
    if not family.documentation.strip():
        yield f"{family.name}: no help"


def _name(name: str, prefixes: tuple[str, ...]) -> Iterator[str]:
    if not name.startswith((*(f"{prefix}_" for prefix in prefixes), "process_", "python_info")):
        yield f"begins with none of {', '.join(prefixes)}"
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        yield "not in small letters with single underscores"
    for word in sorted(set(name.split("_")) & _BAD_WORDS):
        yield f"{word!r} is no base unit, or speaks of the type"
    for unit, fits in _UNIT_WORDS.items():
        if unit in name.split("_") and not fits.search(name):
            yield f"the unit {unit} does not stand at the end"
    if "timestamp" in name.split("_") and not name.endswith("_timestamp_seconds"):
        yield "a timestamp that is not in seconds"


def _type(family: Metric) -> Iterator[str]:
    if family.type not in ("gauge", "counter", "histogram"):
        yield f"is of type {family.type}"
    if family.type == "gauge" and family.name.endswith(("_total", "_count", "_sum", "_bucket")):
        yield "a gauge that is named like a counter or a histogram"


def _labels(family: Metric) -> Iterator[str]:
    # The bounds of a histogram are Prometheus's own label, and in their place there.
    own = {"le"} if family.type == "histogram" else set()
    series = Counter((s.name, tuple(sorted(s.labels.items()))) for s in family.samples)
    yield from (
        f"{name}{dict(labels)} stands {count} times"
        for (name, labels), count in series.items()
        if count > 1
    )
    if len({frozenset(s.labels) - own for s in family.samples}) > 1:
        yield "series with different labels"
    values = defaultdict(set)
    for sample in family.samples:
        for label in sample.labels.keys() - own:
            values[label].add(sample.labels[label])
    for label, found in sorted(values.items()):
        if label in _RESERVED_LABELS:
            yield f"the label {label} is Prometheus's own, or says nothing"
        if len(found) > MAX_LABEL_VALUES:
            yield f"{len(found)} values of the label {label}"
        if max(len(value) for value in found) > MAX_LABEL_LENGTH:
            yield f"a value of the label {label} is longer than {MAX_LABEL_LENGTH}"


def _sample(family: Metric, sample: Sample) -> Iterator[str]:
    if math.isnan(sample.value) or abs(sample.value) >= 2**63:
        yield f"the value {sample.value} is a sentinel or no number"
    if sample.name.endswith("_info") and sample.value != 1:
        yield "an _info that is not 1"
    if sample.timestamp is not None:
        yield "carries a timestamp"
    if family.type == "counter" and sample.value < 0:
        yield "a counter below 0"

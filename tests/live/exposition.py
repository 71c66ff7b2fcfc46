"""
Read what a server exposes (Prometheus text format) as names, types and labels.

Written by hand on purpose: prometheus_client's parser renames counters (`x` becomes `x_total`),
and whether a counter of postgres_exporter carries `_total` is exactly what the tests ask.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from tests.live.servers import Server, until

_TYPE = re.compile(r"# TYPE (\S+) (\w+)")
_SAMPLE = re.compile(r"([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)")
_LABEL = re.compile(r'([A-Za-z_]\w*)="((?:[^"\\]|\\.)*)"')
_SUFFIXES = ("_bucket", "_sum", "_count")


@dataclass(slots=True)
class Exposed:
    """One metric family: its type and every label seen on any of its samples (not le, quantile)."""

    type: str
    labels: set[str] = field(default_factory=set)
    values: list[float] = field(default_factory=list)


def parse_exposition(text: str) -> dict[str, Exposed]:
    """Return the families of *text* that have at least one sample, by the name in their TYPE line."""
    families: dict[str, Exposed] = {}
    for line in text.splitlines():
        kind = _TYPE.match(line)
        if kind:
            families.setdefault(kind[1], Exposed(kind[2]))
            continue
        sample = _SAMPLE.match(line)
        if sample is None or line.startswith("#"):
            continue
        family = families.setdefault(_family(sample[1], families), Exposed("untyped"))
        family.labels |= {name for name, _ in _LABEL.findall(sample[2] or "")} - {"le", "quantile"}
        family.values.append(float(sample[3]))
    return {name: family for name, family in sorted(families.items()) if family.values}


def page_with(server: Server, *metrics: str) -> dict[str, Exposed]:
    """Return the page of *server* as soon as each of *metrics* has a value above 0."""
    page: dict[str, Exposed] = {}

    def counted() -> bool:
        page.clear()
        page.update(parse_exposition(server.get()))
        return all(
            name in page and any(value > 0 for value in page[name].values) for name in metrics
        )

    until(counted, f"{server.name} counts {', '.join(metrics)}")
    return page


def _family(sample: str, families: dict[str, Exposed]) -> str:
    """Return the family of *sample*: histograms and summaries spread over three names."""
    for suffix in _SUFFIXES:
        base = sample.removesuffix(suffix)
        if base != sample and base in families and families[base].type in ("histogram", "summary"):
            return base
    return sample

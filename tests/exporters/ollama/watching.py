"""What the tests of the Ollama exporter share: one configured exporter, and its pages as values."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client.core import Metric

from exporters.config import Address, Config, Inference, Target
from exporters.deadline import Deadline
from exporters.frame import Exporter
from exporters.ollama import build
from tests.live.servers import until

SLACK_S = 4.0  # what a scrape may end after its deadline while others keep the machine busy
LABELS = {"service": "ollama", "tier": "ai", "kind": "ollama", "profile": "default"}
Samples = dict[str, float]  # by `name{label=value,...}`, without LABELS


def target(url: str, *, service: str = "ollama", **more: Any) -> Target:
    """Return the target of an Ollama server at *url*."""
    return Target(
        service=service, tier="ai", kind="ollama", profile="default",
        container=f"sutazai-{service}", probe="http", url=url, **more,
    )  # fmt: skip


def inference(
    interval_s: float = 300.0,
    timeout_s: float = 2.0,
    model: str = "tinyllama",
    load_options: Mapping[str, int] | None = None,
) -> Inference:
    """Return the configuration of a test generation, whose callers send *load_options*."""
    return Inference(
        model=model, interval_s=interval_s, timeout_s=timeout_s, tokens=16,
        load_options=tuple((load_options or {}).items()),
    )  # fmt: skip


@contextlib.contextmanager
def exporter_of(*targets: Target) -> Iterator[Exporter]:
    """Yield an exporter of *targets*, and close it."""
    exporter = build(Config(Address("127.0.0.1", 0), targets))
    try:
        yield exporter
    finally:
        exporter.close()


def scrape(exporter: Exporter, seconds: float = 3.0) -> Samples:
    """Return one scrape's samples about `ollama`, and the exporter's own."""
    return samples(exporter.collect(Deadline.after(seconds)))


def samples(metrics: list[Metric], **labels: str) -> Samples:
    """Return the samples of *metrics* whose subject is LABELS (some replaced by *labels*), or none."""
    subject = LABELS | labels
    found: Samples = {}
    for metric in metrics:
        for sample in metric.samples:
            if "service" in sample.labels and not subject.items() <= sample.labels.items():
                continue
            rest = {k: v for k, v in sample.labels.items() if k not in subject}
            shown = ",".join(f"{key}={value}" for key, value in sorted(rest.items()))
            found[f"{sample.name}{{{shown}}}" if shown else sample.name] = sample.value
    return found


def only(found: Samples, *starts: str) -> Samples:
    """Return the samples whose names begin with one of *starts*."""
    return {name: value for name, value in found.items() if name.startswith(starts)}


def scrape_until(exporter: Exporter, name: str, value: float) -> Samples:
    """Scrape until the sample *name* has *value*, or for a counter more; return that scrape."""
    last: Samples = {}

    def there() -> bool:
        last.clear()
        last.update(scrape(exporter))
        found = last.get(name)
        return found == value or (found is not None and "_total" in name and found > value)

    until(there, f"{name} becomes {value:g}", seconds=30)
    return last

"""
Which series will exist once a catalog runs: declared metrics of what is scraped, and recorded ones.

Everything that asks "can this expression ever give a result" asks here: packs are trimmed to
what lives, proofs 1 to 3 and 6 are questions to this one answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from alerts.kit import Pack, Record
from generator import promql
from generator.kinds import BUILTIN_METRICS
from generator.model import Catalog
from generator.names import CADVISOR_KIND, EXPORTER_LABEL, SUBJECT_LABELS
from generator.promql import Matcher, Selector
from generator.scrape.jobs import Job, jobs, subject_labels
from generator.software import Kind, Metric

_SCRAPED = frozenset({"job", "instance", *SUBJECT_LABELS, EXPORTER_LABEL, "probe"})
_OF_TYPE = {"histogram": frozenset({"le"}), "summary": frozenset({"quantile"})}
_ALERTS_LABELS = frozenset(
    {"alertname", "alertstate", "severity", "scope", "role", "family", "owner", "remedy"}
)


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric as one job exposes it."""

    metric: Metric
    job: Job


class Universe:
    """
    All series of a catalog. Recorded ones are added pack by pack with `learn`.

    Label values are known for what scraping sets (job, service, tier, kind, profile, exporter,
    probe); of other labels only the names are known.
    """

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog
        self.jobs = jobs(catalog)
        self._declared: dict[str, list[Declared]] = {}
        self._recorded: dict[str, frozenset[str]] = {}
        for job in self.jobs:
            for kind in self._told_by(job):
                self._declare(kind, job)
        self._subjects: dict[str, tuple[Mapping[str, str], ...]] = {}
        self._exists = lru_cache(maxsize=None)(self._look)

    def learn(self, records: Iterable[Record]) -> None:
        """Add recorded series; a record may build on those before it."""
        for record in records:
            labels = promql.output_labels(record.expr, self.labels) or frozenset()
            known = self._recorded.get(record.name, frozenset())
            self._recorded[record.name] = known | labels | frozenset(record.labels)
        self._exists.cache_clear()

    def _told_by(self, job: Job) -> Iterator[Kind]:
        """Yield the kinds whose metrics *job* brings: its own, and those our exporters speak for."""
        yield job.kind
        for kind in self.catalog.kinds.values():
            if kind.metrics and kind.metrics.exporter == job.kind.name and job.honor_labels:
                yield kind

    def _declare(self, kind: Kind, job: Job) -> None:
        dropped = re.compile("|".join(job.drop)) if job.drop else None
        for metric in kind.declares.values():
            for name in metric.series_names:
                if not (dropped and dropped.fullmatch(name)):
                    self._declared.setdefault(name, []).append(Declared(metric, job))

    def trim(self, packs: Iterable[Pack]) -> tuple[tuple[Pack, ...], tuple[str, ...]]:
        """
        Return *packs* without what can never give a result here, and the names of what was cut.

        Learns the records that stay, pack by pack in order: a rule may build on earlier packs.
        """
        kept, cut = [], []
        for pack in packs:
            records = []
            for record in pack.records:
                if self.alive(record.expr):
                    records.append(record)
                    self.learn((record,))
                else:
                    cut.append(record.name)
            alerts = tuple(alert for alert in pack.alerts if self.alive(alert.promql))
            cut += [alert.name for alert in pack.alerts if alert not in alerts]
            if records or alerts:
                kept.append(replace(pack, records=tuple(records), alerts=alerts))
        return tuple(kept), tuple(cut)

    def labels(self, name: str) -> frozenset[str] | None:
        """Return the names of all labels that series called *name* can carry; None if unknown."""
        if name in self._recorded:
            return self._recorded[name]
        if name in {"ALERTS", "ALERTS_FOR_STATE"}:
            return _ALERTS_LABELS | frozenset(SUBJECT_LABELS)
        if name in BUILTIN_METRICS:
            return _SCRAPED
        found = self._declared.get(name)
        if not found:
            return None
        return _SCRAPED.union(
            *(declared.metric.labels for declared in found),
            *(_OF_TYPE.get(declared.metric.type, frozenset()) for declared in found),
        )

    def types(self, name: str) -> frozenset[str]:
        """Return the declared types of *name*; histogram parts count as counters; empty if unknown."""
        kinds = set()
        for declared in self._declared.get(name, ()):
            kind = declared.metric.type
            parts = kind in {"histogram", "summary"} and name != declared.metric.name
            kinds.add("counter" if parts else kind)
        if name in BUILTIN_METRICS:
            kinds.add(BUILTIN_METRICS[name].type)
        if name in self._recorded:
            kinds.add("gauge")
        return frozenset(kinds)

    def known(self, name: str) -> bool:
        """Whether any scraped kind declares *name*, or a rule records it, or Prometheus makes it."""
        return name in self._declared or name in self._recorded or name in BUILTIN_METRICS

    @property
    def names(self) -> tuple[str, ...]:
        """Names of all series, sorted."""
        return tuple(sorted({*self._declared, *self._recorded, *BUILTIN_METRICS}))

    def exists(self, selector: Selector) -> bool:
        """Whether some target exposes the selected metric under all the selector's label matchers."""
        return bool(self._exists(selector.metric, selector.matchers))

    def alive(self, expr: str) -> bool:
        """Whether *expr* can ever give a result on this catalog."""
        return promql.alive(expr, self.exists)

    def _look(self, metric: str, matchers: tuple[Matcher, ...]) -> bool:
        if metric in self._recorded or metric in {"ALERTS", "ALERTS_FOR_STATE"}:
            return True
        steering = tuple(
            matcher for matcher in matchers if matcher.label in _SCRAPED - {"instance"}
        )
        if metric in BUILTIN_METRICS:
            exposing = self.jobs
        else:
            exposing = tuple(declared.job for declared in self._declared.get(metric, ()))
        return any(
            all(matches(matcher, labels.get(matcher.label, "")) for matcher in steering)
            for job in exposing
            for labels in self._series_labels(job, builtin=metric in BUILTIN_METRICS)
        )

    def _series_labels(self, job: Job, *, builtin: bool) -> tuple[Mapping[str, str], ...]:
        """Return the label sets of a job's series: its targets', or every subject it speaks of."""
        key = f"{job.name}/{builtin}"
        if key not in self._subjects:
            own = [{"job": job.name, **target.labels} for target in job.targets]
            if not builtin and (job.honor_labels or job.name == CADVISOR_KIND):
                first = job.targets[0].labels.get(EXPORTER_LABEL, "")
                own += [
                    {"job": job.name, EXPORTER_LABEL: first, **subject_labels(service)}
                    for service in self.catalog.services
                ]
            self._subjects[key] = tuple(own)
        return self._subjects[key]


@lru_cache(maxsize=1024)
def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(text)


def matches(matcher: Matcher, value: str) -> bool:
    """Whether *value* satisfies *matcher*; patterns are anchored, as in Prometheus."""
    if matcher.op == "=":
        return value == matcher.value
    if matcher.op == "!=":
        return value != matcher.value
    found = _pattern(matcher.value).fullmatch(value) is not None
    return found if matcher.op == "=~" else not found

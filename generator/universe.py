"""
Which series will exist once a catalog runs: declared metrics of what is scraped, and recorded ones.

Everything that asks "can this expression ever give a result" asks here: packs are trimmed to
what lives, proofs 1 to 3 and 6 are questions to this one answer.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, lru_cache

from alerts.kit import Alert, Pack, Record
from generator import promql
from generator.kinds import BUILTIN_METRICS
from generator.model import Catalog, Service
from generator.names import AGENTS_KIND, BLACKBOX_JOB, CADVISOR_KIND, EXPORTER_LABEL, SUBJECT_LABELS
from generator.promql import Matcher, Selector
from generator.scrape.jobs import Job, jobs, subject_labels
from generator.software import Kind, Metric

_SCRAPED = frozenset({"job", "instance", *SUBJECT_LABELS, EXPORTER_LABEL, "probe"})
_STEERING = _SCRAPED - {"instance"}  # labels whose values are known
_OF_TYPE = {"histogram": frozenset({"le"}), "summary": frozenset({"quantile"})}
_PROBED = (
    "agent_up",
    "agent_probe",
    "agent_http",
    "agent_last",
    "agent_consecutive",
    "agent_dependency",
    "agent_version",
    "agent_tls",
)
_ALERTS = frozenset({"ALERTS", "ALERTS_FOR_STATE"})
_ALERTS_LABELS = frozenset(
    {"alertname", "alertstate", "severity", "scope", "role", "family", "owner", "remedy"}
)


@dataclass(frozen=True, slots=True)
class Declared:
    """One metric as one job exposes it; *kind* declares it, which may not be the job's own."""

    metric: Metric
    job: Job
    kind: Kind


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
        # Labels of the rules that name a service, by recorded series; all known before any is asked for.
        self._constants: dict[str, list[Mapping[str, str]]] = {}
        self._about: dict[str, frozenset[str] | None] = {}
        self._subjects: dict[tuple[str, str], tuple[Mapping[str, str], ...]] = {}
        self._exposed = cache(self._look)
        self._lives = cache(lambda expr: promql.alive(expr, self.exists))
        self._labelled = cache(self._read)
        self._named = cache(self._name)

    def learn(self, records: Iterable[Record]) -> None:
        """Add recorded series; a record may build on those before it."""
        for record in records:
            labels = promql.output_labels(record.expr, self.labels) or frozenset()
            known = self._recorded.get(record.name, frozenset())
            self._recorded[record.name] = known | labels | frozenset(record.labels)
            self._learn_services(record)
        self._lives.cache_clear()

    def _learn_services(self, record: Record) -> None:
        """Remember which services a recorded series is about; None once it could be any."""
        if "service" in record.labels:
            self._constants.setdefault(record.name, []).append(record.labels)
            return
        found = promql.values_of(record.expr, "service", self._values)
        self._about[record.name] = found

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
                    self._declared.setdefault(name, []).append(Declared(metric, job, kind))

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
        if name in _ALERTS:
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
        if selector.metric in self._recorded or selector.metric in _ALERTS:
            return True
        return self._exposed(selector.metric, selector.matchers)

    def alive(self, expr: str) -> bool:
        """Whether *expr* can ever give a result on this catalog."""
        return self._lives(expr)

    def services(self, selector: Selector) -> frozenset[str] | None:
        """Return the services that the selected series speak of; None when it could be any."""
        return self._values(selector, "service")

    def subjects(self, alert: Alert, services: tuple[Service, ...]) -> tuple[Service, ...]:
        """Return those of *services* that *alert* can ever be about."""
        names = promql.values_of(alert.condition, "service", self._values)
        return services if names is None else tuple(s for s in services if s.name in names)

    def _values(self, selector: Selector, label: str) -> frozenset[str] | None:
        """Return the values of *label* over the selected series; None when it could be any."""
        if selector.metric in self._recorded or selector.metric in _ALERTS:
            if label != "service":
                return None
            if selector.metric in self._constants:
                return self._named(selector.metric, selector.matchers)
            return self._about.get(selector.metric)
        return self._labelled(selector.metric, selector.matchers, label)

    def _name(self, metric: str, matchers: tuple[Matcher, ...]) -> frozenset[str]:
        """Return the services that the constants called *metric* name, as far as *matchers* let."""
        tests = [(matcher.label, _test(matcher)) for matcher in matchers]
        return frozenset(
            labels["service"]
            for labels in self._constants[metric]
            if all(test(labels.get(label, "")) for label, test in tests)
        )

    def _read(self, metric: str, matchers: tuple[Matcher, ...], label: str) -> frozenset[str]:
        found = self._matching(metric, matchers)
        return frozenset(labels[label] for labels in found if labels.get(label))

    def _look(self, metric: str, matchers: tuple[Matcher, ...]) -> bool:
        return any(True for _ in self._matching(metric, matchers))

    def _matching(self, metric: str, matchers: tuple[Matcher, ...]) -> Iterator[Mapping[str, str]]:
        """Yield the label sets, as far as scraping sets them, of all series that match."""
        steering = tuple(
            (matcher.label, _test(matcher)) for matcher in matchers if matcher.label in _STEERING
        )
        for job, kind in self._exposing(metric):
            for labels in self._series_labels(job, kind):
                if self._tells(metric, job, labels) and all(
                    fits(labels.get(label, "")) for label, fits in steering
                ):
                    yield labels

    def _tells(self, metric: str, job: Job, labels: Mapping[str, str]) -> bool:
        """Whether *metric* exists for this subject: probers tell only of what they ask, as they ask it."""
        service = self.catalog.by_name[labels["service"]]
        if job.name == AGENTS_KIND and metric.startswith(_PROBED):
            return self.catalog.kinds[service.kind].prober == "agents" and bool(service.probes)
        if job.name == BLACKBOX_JOB and metric.startswith("probe_http_"):
            return any(
                probe.type == "http" for probe in service.probes if probe.name == labels["probe"]
            )
        return True

    def _exposing(self, metric: str) -> tuple[tuple[Job, Kind | None], ...]:
        if metric in BUILTIN_METRICS:
            return tuple((job, None) for job in self.jobs)
        return tuple((declared.job, declared.kind) for declared in self._declared.get(metric, ()))

    def _series_labels(self, job: Job, kind: Kind | None) -> tuple[Mapping[str, str], ...]:
        """
        Return the label sets of a job's series: its targets', or those of every subject it tells of.

        Without a *kind* the series are Prometheus' own (`up`), which speak of targets alone.
        """
        key = (job.name, kind.name if kind else "")
        if key not in self._subjects:
            own = [{"job": job.name, **target.labels} for target in job.targets]
            if kind and (job.honor_labels or job.name == CADVISOR_KIND):
                first = job.targets[0].labels.get(EXPORTER_LABEL, "")
                told = (
                    self.catalog.services if kind is job.kind else self.catalog.of_kind(kind.name)
                )
                own += [
                    {"job": job.name, EXPORTER_LABEL: first, **subject_labels(service)}
                    for service in told
                ]
            self._subjects[key] = tuple(own)
        return self._subjects[key]


@lru_cache(maxsize=4096)
def _test(matcher: Matcher) -> Callable[[str], bool]:
    """Return whether a value satisfies *matcher*; patterns are anchored, as in Prometheus."""
    wanted = matcher.value
    if matcher.op == "=":
        return lambda value: value == wanted
    if matcher.op == "!=":
        return lambda value: value != wanted
    pattern = re.compile(wanted)
    positive = matcher.op == "=~"

    @cache
    def fits(value: str) -> bool:
        return (pattern.fullmatch(value) is not None) is positive

    return fits

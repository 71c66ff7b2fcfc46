"""
Alerts and recording rules as values that carry their own proof.

A pack module builds `Alert`s from this kit; `generator.rules` turns them into rule files and
`generator.ruletests` turns *fires* and *quiet* into promtool tests. The kit adds what every
alert needs and nobody should type: subject labels, owner, runbook and board links.

How a service alert becomes PromQL: *expr* keeps the label `service` and any labels named in
*extra* and nothing else (aggregate with `by (service, ...)`), and is rendered as

    (<expr> <op> <threshold> <where>) * on (service) group_left (tier, kind, profile, owner) service:catalog:info

so tier, kind, profile and owner always come from the catalog, `$value` stays what *expr* gives,
and a series of a service the catalog does not know never alerts.

How samples are written in *fires* and *quiet* (series text without subject labels -> value):

    "0.87"       a gauge that stays there
    "12/m"       a counter that rises by 12 per minute (also /s, /h), continuing over phases
    "now-300"    a timestamp 300 s in the past at every sample; "now+86400" in the future
    "flip 0 1"   a gauge that alternates between two values at every sample
    "none"       no sample at all
    "ramp 100 -2/m"  a gauge that starts at 100 when its phase starts and moves by -2 per minute

`$service` inside a series text stands for the subject's service, for labels that repeat it
(`up{exporter="$service"}`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from generator.names import CATALOG_INFO

# How often rule groups are evaluated unless their pack says otherwise; the verdict's is.
EVERY = timedelta(seconds=30)


class Severity(StrEnum):
    """How loud: critical pages a person now, warning by day, info is shown only, none is machinery."""

    CRITICAL = "critical"
    WARNING = "warning"
    INFO = "info"
    NONE = "none"


class Scope(StrEnum):
    """What the alert speaks of."""

    SERVICE = "service"
    TIER = "tier"
    HOST = "host"
    PLATFORM = "platform"


class Role(StrEnum):
    """root: a cause, may inhibit its dependants; symptom: may be inhibited by a root."""

    ROOT = "root"
    SYMPTOM = "symptom"


class Remedy(StrEnum):
    """What remediation may do about it."""

    RESTART = "restart"
    NONE = "none"


Samples = Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Alert:
    """
    One alert and its proof.

    Args (what types do not say):
        expr: Left side; for scope service it must keep `service` (+ *extra*), for tier `tier`,
            for host `instance`; for platform no label. Gauges that may miss one scrape go through
            `last_over_time(x[3m])`, counters through `rate`/`increase` over at least 4 scrapes.
        op, threshold: The comparison. op "" means *expr* itself is the condition (`absent(...)`).
        where: Appended after the comparison, e.g. `and on (service) x > 0`.
        hold: `for`; at least two scrapes. keep: `keep_firing_for`.
        family: Alerts of one family about one service are one problem in several severities;
            critical inhibits warning within it. Lower-case with dashes.
        board: Dashboard that shows it (`kind-postgres`, `tier`, ...; `tier` is completed with the tier).
        fires, quiet: Samples within 10 % on either side of the threshold (see above). Series text is
            a metric name with the software's own labels, e.g. `pg_locks_count{mode="x"}`.
        value: `$value` once it fires, as a number; default the one constant in *fires*.
        labels: Static labels that tell variants of one alert apart; most alerts have none.
        extra: Labels beyond the subject's that *expr* keeps, and their values in the test.
        tight: False when threshold and sample cannot be within 10 % (booleans, counts near 0).
        survives_missed_scrape: False only where absence itself is the condition.
        step: Distance of samples and evaluations in the test; larger for long windows.
        surge: Samples that fire at once; for alerts whose window is longer than their hold, so that
            the test can show that the hold exists. Default: not tested that way.
        settle: Time after which the *fires* samples make the condition true; default the longest
            look-back of *expr*.
    """

    name: str
    severity: Severity
    expr: str
    summary: str
    description: str
    family: str
    board: str
    fires: Samples
    quiet: Samples
    value: float | None = None
    op: str = ">"
    threshold: float | None = None
    where: str = ""
    hold: timedelta = timedelta(0)
    keep: timedelta = timedelta(0)
    scope: Scope = Scope.SERVICE
    role: Role = Role.SYMPTOM
    remedy: Remedy = Remedy.NONE
    labels: Mapping[str, str] = field(default_factory=dict)
    extra: Mapping[str, str] = field(default_factory=dict)
    tight: bool = True
    survives_missed_scrape: bool = True
    step: timedelta = timedelta(seconds=30)
    surge: Samples | None = None
    settle: timedelta | None = None

    @property
    def condition(self) -> str:
        """The comparison as PromQL, without the join that adds the subject's labels."""
        text = self.expr.strip()
        if self.op and self.threshold is not None:
            text = f"{text} {self.op} {number(self.threshold)}"
        if self.where:
            text = f"({text}) {self.where.strip()}"
        return text

    @property
    def promql(self) -> str:
        """The whole expression as it stands in the rule file."""
        if self.scope is not Scope.SERVICE:
            return self.condition
        return (
            f"({self.condition})\n"
            f"* on (service) group_left (tier, kind, profile, owner) {CATALOG_INFO}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """
    One recording rule and its proof.

    Args:
        inputs: Series (whole, with all labels) -> samples in the kit's notation.
        expect: Series of the recorded metric -> value once settled, compared exactly.
        constant: True for rules that are `vector(number)` from the catalog: shown by reading, not tested singly.
        at: When to look; default after the longest look-back.
    """

    name: str
    expr: str
    labels: Mapping[str, str] = field(default_factory=dict)
    inputs: Samples = field(default_factory=dict)
    expect: Mapping[str, float] = field(default_factory=dict)
    constant: bool = False
    step: timedelta = timedelta(seconds=30)
    at: timedelta | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pack:
    """
    Alerts and recording rules of one concern, one rule file and one test file.

    kinds in the catalog switch a pack on by naming it in `packs:`; *always* packs apply to every
    catalog. interval is the evaluation interval of its rule group.
    """

    name: str
    title: str
    alerts: tuple[Alert, ...] = ()
    records: tuple[Record, ...] = ()
    always: bool = False
    interval: timedelta = EVERY


def number(value: float) -> str:
    """Return *value* as PromQL and YAML write it: exact decimals, no exponent, no trailing `.0`."""
    if value == int(value):
        return str(int(value))
    return format(value, "f").rstrip("0") if abs(value) >= 1e-6 else repr(value)

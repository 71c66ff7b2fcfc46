"""
Situations that differ from an alert's own in one thing only, and must not fire it.

Each guard (`where`) and each matcher that excludes something (`fstype!~"tmpfs|..."`) is there to
keep some lookalike quiet. Here the lookalikes are made from the alert itself: one that lacks what
the guard asks for, one per excluding matcher that has an excluded value. Without the guard or the
matcher they fire, so a test that holds them shows what these are for.

An alert that is silent while another one fires (`unless on (service) last_over_time(ALERTS{...})`)
has the other's series as `Silencer`s, and series that resemble them and must silence nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from alerts.kit import Alert, Scope
from generator import promql, samples

_LEAST = Decimal("0.001")  # of a guard's rate: below any threshold a guard has above 0
_NOTHING = "none"
_SILENCED = re.compile(r"unless on \(service\)\s+last_over_time\(\s*ALERTS\{")
_LABEL = re.compile(r'([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"')
_PATTERN_SIGNS = re.compile(r"\(\?i\)|\.[*+]|[\^$?*+()\[\]]|\\+")


@dataclass(frozen=True, slots=True)
class Fate:
    """What one series does while its alert fires, and before and after."""

    fires: str
    quiet: str


@dataclass(frozen=True, slots=True)
class Silencer:
    """Another alert that keeps one silent while it fires, and for *window* after that."""

    series: str
    window: timedelta
    resembling: tuple[str, ...]  # each differs in one label, and silences nothing


def silencers(alert: Alert) -> tuple[Silencer, ...]:
    """Return the other alerts that *alert* gives way to; only service alerts do."""
    if alert.scope is not Scope.SERVICE or not _SILENCED.search(alert.where):
        return ()
    return tuple(
        Silencer(_fired(selector.matchers), selector.window, _resembling(selector.matchers))
        for selector in promql.selectors(alert.condition)
        if selector.metric == "ALERTS" and all(each.op == "=" for each in selector.matchers)
    )


def _fired(matchers: tuple[promql.Matcher, ...]) -> str:
    labels = ",".join(f'{each.label}="{each.value}"' for each in matchers)
    return f"ALERTS{{{labels}}}"


def _resembling(matchers: tuple[promql.Matcher, ...]) -> tuple[str, ...]:
    found = []
    for at, each in enumerate(matchers):
        value = "pending" if each.label == "alertstate" else f"{each.value}NotQuite"
        other = promql.Matcher(each.label, each.op, value)
        found.append(_fired((*matchers[:at], other, *matchers[at + 1 :])))
    return tuple(found)


def lookalikes(alert: Alert) -> tuple[Mapping[str, Fate], ...]:
    """Return the series of each lookalike of *alert*: series text to its fate."""
    if alert.scope is Scope.PLATFORM:
        return ()  # it has one subject, the platform
    return (*_unguarded(alert), *_excluded(alert))


def fates(alert: Alert) -> dict[str, Fate]:
    """Return what every series of *alert* does; one that only *quiet* names never changes."""
    found = {}
    for series in dict.fromkeys((*alert.fires, *alert.quiet)):
        fires = alert.fires.get(series, alert.quiet.get(series, ""))
        found[series] = Fate(fires, alert.quiet.get(series, fires))
    return found


def _unguarded(alert: Alert) -> Iterator[Mapping[str, Fate]]:
    """Yield situations in which one side of the guard (`where`) holds and the other does not."""
    if not alert.where.strip().startswith("and ") or "on ()" in alert.where:
        return
    own = fates(alert)
    only_guards = promql.metrics(alert.promql) - promql.metrics(alert.expr)
    guards = {series for series in own if _metric(series) in only_guards}
    if guards:
        yield {
            s: _too_little(fate, alert.where) if s in guards else fate for s, fate in own.items()
        }
        if any(fate.fires != fate.quiet for s, fate in own.items() if s not in guards):
            yield {s: fate if s in guards else _never(fate) for s, fate in own.items()}
    elif _is_traffic(own.values()) and not _any(alert.where):
        # The guard asks for traffic: the same shares of next to nothing.
        yield {
            series: _too_little(fate, alert.where) if samples.is_rate(fate.fires) else fate
            for series, fate in own.items()
        }


def _is_traffic(fates_: Iterable[Fate]) -> bool:
    """Whether everything that happens in *fates_* is counted."""
    moved = [fate for fate in fates_ if fate.fires != fate.quiet]
    return bool(moved) and all(samples.is_rate(fate.fires) for fate in moved)


def _never(fate: Fate) -> Fate:
    return Fate(fate.quiet, fate.quiet)


def _too_little(fate: Fate, where: str) -> Fate:
    """Return a guard's series that does not satisfy it: far too slow, or not there at all."""
    if samples.is_rate(fate.fires) and not _any(where):
        slow = samples.scaled(fate.fires, _LEAST)
        return Fate(slow, slow)
    return Fate(_NOTHING, _NOTHING)


def _any(where: str) -> bool:
    """Whether the guard is content with anything above zero."""
    return re.search(r">\s*0(?![.\d])", where) is not None


def _excluded(alert: Alert) -> Iterator[Mapping[str, Fate]]:
    """Yield per excluding matcher the same situation with a value that it excludes."""
    selectors = promql.selectors(alert.condition)
    excluding = dict.fromkeys(
        matcher for selector in selectors for matcher in selector.matchers if matcher.op[0] == "!"
    )
    for matcher in excluding:
        value = _some_value(matcher)
        concerned = {s.metric for s in selectors if matcher in s.matchers}
        if value is None:
            continue
        found = {
            _relabelled(series, matcher.label, value)
            if _metric(series) in concerned
            else series: fate
            for series, fate in fates(alert).items()
        }
        if found != fates(alert):
            yield found


def _some_value(matcher: promql.Matcher) -> str | None:
    """Return a value that *matcher* excludes, None where none can be read off its pattern."""
    if matcher.op == "!=":
        return matcher.value
    for part in matcher.value.split("|"):
        value = _PATTERN_SIGNS.sub("", part)
        if re.fullmatch(matcher.value, value):
            return value
    return None


def _relabelled(series: str, label: str, value: str) -> str:
    """Return *series* with *label* set to *value*; without the label for an empty value."""
    name = _metric(series)
    labels = dict(_LABEL.findall(series))
    labels.pop(label, None)
    if value:
        labels[label] = value
    written = ",".join(f'{key}="{text}"' for key, text in labels.items())
    return f"{name}{{{written}}}" if written else name


def _metric(series: str) -> str:
    return series.partition("{")[0]

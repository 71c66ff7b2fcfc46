"""
Who lives through the generated test of an alert, as promtool's input series.

`alpha` is quiet, fires, is quiet again; `bravo` stays quiet but for one single-sample blip and a
counter reset; `charlie` is alpha with a missed scrape while pending, another while firing, and
counters that start again from zero; `delta` (service alerts with windows) fires at once and far
above the threshold but leaves the catalog before its hold is over. Then there are lookalikes
(`generator.lookalikes`), which one guard or matcher each keeps quiet. Where an alert gives way to
another one, `told` is alpha of whom the other has told, and charlie has what only resembles that.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from alerts.kit import Alert, Scope
from generator import promql, samples
from generator.lookalikes import Fate, Silencer, fates, lookalikes, silencers
from generator.names import CATALOG_INFO
from generator.samples import MISSING, STALE, Phase, Run, Series
from generator.timelines import Timeline

_ROLES = ("alpha", "bravo", "charlie", "delta")
_SURGE_FACTOR = 100  # arbitrary; far above any threshold whose window it must fill at once


_SEES_RESTARTS = frozenset({"rate", "increase", "irate"})


def roles(alert: Alert, line: Timeline) -> tuple[str, ...]:
    """Return the roles of the subjects that live through the test of *alert*, lookalikes apart."""
    if alert.scope is Scope.PLATFORM:
        return ("alpha",)
    if alert.scope is Scope.SERVICE and line.settle:
        return _ROLES
    return _ROLES[:3]


def subject_name(role: str, alert: Alert) -> str:
    """Return a name no other alert's test uses, so that merged groups cannot touch one another."""
    return f"{role}-{alert.name.lower()}"


def input_series(alert: Alert, line: Timeline) -> list[dict[str, str]]:
    """Return the rows of `input_series`, every series once."""
    rows: dict[str, str] = {}
    for role in roles(alert, line):
        lived = {
            series: _lived(alert, line, role, series, fate) for series, fate in fates(alert).items()
        }
        if role == "charlie":
            lived |= {
                series: (Run(line.length, Decimal(1)),)
                for silencer in silencers(alert)
                for series in silencer.resembling
            }
        _add(rows, alert, line, role, lived)
    for number, lookalike in enumerate(lookalikes(alert), 1):
        lived = {series: _phases(line, fate) for series, fate in lookalike.items()}
        _add(rows, alert, line, f"echo{number}", lived)
    for number, silencer in enumerate(silencers(alert), 1):
        lived = {series: _phases(line, fate) for series, fate in fates(alert).items()}
        _add(rows, alert, line, f"told{number}", lived | {silencer.series: _told(line, silencer)})
    return [{"series": series, "values": values} for series, values in rows.items()]


def _told(line: Timeline, silencer: Silencer) -> Series:
    """
    Return the samples of an alert that ends while what it silences still holds.

    As late as its window allows, and so early that without the window the silenced alert would
    still get through its hold. The stale sample is what Prometheus writes when an alert ends.
    """
    left = min(line.hold + 4, silencer.window // line.step - 1)
    last = line.end - left
    return (
        Run(last, Decimal(1)),
        Run(1, text=STALE),
        Run(line.length - last - 1, text=MISSING),
    )


def _add(
    rows: dict[str, str], alert: Alert, line: Timeline, role: str, lived: Mapping[str, Series]
) -> None:
    subject = subject_name(role, alert)
    for series, values in lived.items():
        rows.setdefault(_with_subject(series, subject, alert.scope), samples.write(values))
    if alert.scope is Scope.SERVICE and not _own_info(alert):
        rows[_info(subject)] = samples.write(_info_samples(line, role))


def _own_info(alert: Alert) -> bool:
    return any(series.startswith(CATALOG_INFO) for series in (*alert.fires, *alert.quiet))


def _lived(alert: Alert, line: Timeline, role: str, series: str, fate: Fate) -> Series:
    if role == "bravo":
        return _bravo(alert, line, fate)
    if role == "delta":
        strong = (
            samples.scaled(fate.fires, _SURGE_FACTOR) if fate.fires != fate.quiet else fate.fires
        )
        at_once = strong if alert.surge is None else alert.surge.get(series, fate.fires)
        return _phases(line, Fate(at_once, fate.quiet))
    lived = _phases(line, fate)
    if role == "alpha" and alert.scope is not Scope.PLATFORM:
        return lived
    if samples.is_rate(fate.fires) and _sees_restarts(alert, series):
        lived = samples.reset(lived, line.restart)
    if bears_dips(alert, series, fate):
        lived = samples.put(lived, line.dip, Run(1, Decimal(fate.quiet)))
    name = series.partition("{")[0]
    if alert.survives_missed_scrape and ":" not in name:
        for index in _missed(line):
            lived = samples.put(lived, index, Run(1) if name == "up" else Run(1, text=STALE))
    return lived


def _phases(line: Timeline, fate: Fate) -> Series:
    """Return samples that are quiet, fire, and are quiet again."""
    phases = [
        Phase(fate.quiet, line.start),
        Phase(fate.fires, line.end - line.start),
        Phase(fate.quiet, line.length - line.end),
    ]
    return samples.expand(phases, line.step)


def _sees_restarts(alert: Alert, series: str) -> bool:
    """Whether *alert* reads the counter only through functions that know what a restart is."""
    # Beside such a function, no function at all is the look for a birth (alerts.births).
    functions = _functions(alert, series)
    return bool(functions & _SEES_RESTARTS) and functions <= _SEES_RESTARTS | {""}


def bears_dips(alert: Alert, series: str, fate: Fate) -> bool:
    """Whether *alert* averages the gauge over a window long enough to bear one sample within 10 %."""
    gauge = samples.constant(fate.fires) is not None and samples.constant(fate.quiet) is not None
    return alert.tight and gauge and _functions(alert, series) == {"avg_over_time"}


def _functions(alert: Alert, series: str) -> set[str]:
    name = series.partition("{")[0]
    return {s.function for s in promql.selectors(alert.condition) if s.metric == name}


def _is_patient(alert: Alert) -> bool:
    """Whether one sample can never fire *alert*, since the whole window must agree."""
    patient = {"max_over_time"} if alert.op.startswith("<") else {"min_over_time"}
    moved = [series for series, fate in fates(alert).items() if fate.fires != fate.quiet]
    return bool(moved) and all(_functions(alert, series) == patient for series in moved)


def _missed(line: Timeline) -> tuple[int, ...]:
    pending = (line.pending_miss,) if line.hold > 1 else ()
    return (*pending, line.firing_miss)


def _bravo(alert: Alert, line: Timeline, fate: Fate) -> Series:
    """Quiet throughout, but for a blip and a reset that must not count."""
    blip = line.start + 1
    phases = [Phase(fate.quiet, line.length)]
    if line.hold > line.settle + 2 or _is_patient(alert):
        after = Phase(fate.quiet, line.length - blip - 1)
        phases = [Phase(fate.quiet, blip), Phase(fate.fires, 1), after]
    lived = samples.expand(phases, line.step)
    if samples.is_rate(fate.quiet) and alert.op != "<":
        lived = samples.reset(lived, line.start + 3)
    return lived


def _info(subject: str) -> str:
    labels = {**subject_labels(subject), "hold": "120"}
    return CATALOG_INFO + _braces(labels)


def _info_samples(line: Timeline, role: str) -> Series:
    if role != "delta":
        return (Run(line.length, Decimal(1)),)
    # delta leaves the catalog when its hold would be over: it must never have fired.
    left = line.start + line.hold
    return (
        Run(left, Decimal(1)),
        Run(1, text=STALE),
        Run(line.length - left - 1, text=MISSING),
    )


def subject_labels(subject: str) -> dict[str, str]:
    """Return the labels that a scraped or recorded series of service *subject* carries."""
    return {
        "service": subject,
        "tier": f"tier-{subject}",
        "kind": f"kind-{subject}",
        "profile": "default",
        "owner": f"owner-{subject}",
    }


def _with_subject(series: str, subject: str, scope: Scope) -> str:
    """Return *series* with the labels a scrape of *subject* adds, unless it has them already."""
    series = series.replace("$service", subject)
    name, _, rest = series.partition("{")
    written = rest.removesuffix("}")
    have = {part.split("=", 1)[0].strip(" !~") for part in _split_labels(written)}
    added = {"job": "test", "instance": f"{subject}:9100"}
    if ":" in name:
        added = {}
    if scope is Scope.SERVICE:
        labels = subject_labels(subject)
        if ":" not in name:
            labels.pop("owner")
        added = {**labels, **added}
    elif scope is Scope.TIER:
        added = {"tier": subject, **added}
    elif scope is Scope.HOST and ":" in name:
        added = {"instance": f"{subject}:9100"}
    extra = ",".join(f'{key}="{value}"' for key, value in added.items() if key not in have)
    return f"{name}{{{','.join(part for part in (written, extra) if part)}}}"


def _split_labels(text: str) -> list[str]:
    """Split `a="x",b="y,z"` at the commas between matchers."""
    parts, depth, current = [], False, ""
    for character in text:
        if character == '"':
            depth = not depth
        if character == "," and not depth:
            parts.append(current)
            current = ""
        else:
            current += character
    return [part for part in (*parts, current) if part]


def _braces(labels: Mapping[str, str]) -> str:
    return "{" + ",".join(f'{key}="{value}"' for key, value in labels.items()) + "}"

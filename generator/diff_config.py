"""
What changes between two configurations of one program, as (sort, subject, text).

Prometheus by jobs, Alertmanager by routes, receivers and inhibitions, the remediator by services and
tiers; all else by its dotted name. Targets and who is told of which alert are compared by
generator.diff, from what a reader knows them by.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Told = tuple[str, str, str]
_LONGEST = 60  # of a value in a sentence; a longer one is only named
_ABSENT = "nothing"


def _prometheus(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Told]:
    yield from named(
        "job", _by("job_name", old.get("scrape_configs")), _by("job_name", new.get("scrape_configs")),
        beside=("static_configs",),
    )  # fmt: skip
    yield from _leaves("prometheus", old, new, beside=("scrape_configs",))


def _alertmanager(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Told]:
    was, now = (_numbered(_routes(each.get("route"))) for each in (old, new))
    yield from named("route", was, now)
    if was.keys() == now.keys() and list(was) != list(now):
        yield "route", "order", "changes the order of routes: the first that fits is taken"
    for sort, part in (("receiver", "receivers"), ("interval", "time_intervals")):
        yield from named(sort, _by("name", old.get(part)), _by("name", new.get(part)))
    was, now = (_numbered(_inhibitions(each.get("inhibit_rules"))) for each in (old, new))
    yield from named("inhibition", was, now)
    parts = ("route", "receivers", "time_intervals", "inhibit_rules")
    yield from _leaves("alertmanager", old, new, beside=parts)


def _remediation(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Told]:
    for part in ("services", "tiers"):
        was, now = _by("name", old.get(part)), _by("name", new.get(part))
        for sort, subject, text in named("remediation", was, now):
            yield sort, subject, text.replace("remediation ", "remediation of ", 1)
    yield from _leaves("remediation", old, new, beside=("services", "tiers"))


CONFIGURATIONS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Iterator[Told]]] = {
    "prometheus/prometheus.yml": _prometheus,
    "alertmanager/alertmanager.yml": _alertmanager,
    "remediation/config.yml": _remediation,
}


def _by(key: str, entries: Sequence[Mapping[str, Any]] | None) -> dict[str, Mapping[str, Any]]:
    return {str(entry[key]): entry for entry in entries or ()}


def _routes(
    route: Mapping[str, Any] | None, above: str = ""
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the settings of every route below *route*, by the matchers on the way to it."""
    if route is None:
        return
    way = " > ".join(filter(None, (above, ", ".join(route.get("matchers", ())))))
    yield way or "of all", {key: value for key, value in route.items() if key != "routes"}
    for each in route.get("routes", ()):
        yield from _routes(each, way)


def _inhibitions(
    rules: Sequence[Mapping[str, Any]] | None,
) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for rule in rules or ():
        source, target = (
            ", ".join(rule.get(f"{side}_matchers", ())) for side in ("source", "target")
        )
        equal = ", ".join(rule.get("equal", ()))
        yield f"of {target} by {source}" + (f" with equal {equal}" if equal else ""), rule


def _numbered(found: Iterator[tuple[str, Mapping[str, Any]]]) -> dict[str, Mapping[str, Any]]:
    """Return *found* by name; the second of one name is told as such."""
    counted: Counter[str] = Counter()
    numbered = {}
    for name, each in found:
        counted[name] += 1
        numbered[name if counted[name] == 1 else f"{name} ({counted[name]})"] = each
    return numbered


def named(
    sort: str,
    old: Mapping[str, Mapping[str, Any]],
    new: Mapping[str, Mapping[str, Any]],
    beside: Sequence[str] = (),
) -> Iterator[Told]:
    """Yield what came, what went, and, a sentence each, what differs; *beside* are keys told elsewhere."""
    for name in sorted({*old, *new}):
        if name not in new:
            yield sort, name, f"removes {sort} {name}"
        elif name not in old:
            yield sort, name, f"adds {sort} {name}"
        else:
            was, now = old[name], new[name]
            keys = [k for k in sorted({*was, *now}) if k not in beside and was.get(k) != now.get(k)]
            if keys:
                told = ", ".join(_becomes(key, was.get(key), now.get(key)) for key in keys)
                yield sort, name, f"{sort} {name}: {told}"


def _leaves(
    sort: str, old: Mapping[str, Any], new: Mapping[str, Any], beside: Sequence[str] = (), above: str = ""
) -> Iterator[Told]:  # fmt: skip
    """Yield a sentence for every setting that differs, however deep it stands."""
    for key in sorted({*old, *new} - set(beside)):
        was, now = old.get(key), new.get(key)
        if isinstance(was, Mapping) and isinstance(now, Mapping):
            yield from _leaves(sort, was, now, above=f"{above}{key}.")
        elif was != now:
            name = f"{above}{key}"
            yield sort, name, f"{sort}: {_becomes(name, was, now)}"


def _becomes(name: str, was: Any, now: Any) -> str:
    before, after = _short(was), _short(now)
    return f"{name} {before} becomes {after}" if before and after else f"changes {name}"


def _short(value: Any) -> str:
    """Return *value* in a few words; "" where it takes more."""
    text = (
        _ABSENT if value is None
        else value if isinstance(value, str)
        else json.dumps(value, sort_keys=True)
    )  # fmt: skip
    return text if len(text) <= _LONGEST else ""

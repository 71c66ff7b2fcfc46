"""
What is wrong with a configuration beyond its form: names, cycles, windows, orders.

Pure: a document in, problems with line and cure out. The generator checks the same of what it writes;
a file may be written by hand, too, and this one decides what is restarted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from exporters.config import seconds
from exporters.form import Problem, problem
from exporters.patterns import PatternError, compile_pattern
from exporters.yaml_read import Document
from remediation.graph import CycleError, build_graph

_MAX_PORT = 65535
_SCHEMES = {"http": ("http://", "https://"), "tcp": ("tcp://",), "container": ()}


def meaning_problems(document: Document) -> Iterator[Problem]:
    """Yield what is wrong with *document*, whose form is right."""
    data = document.data
    yield from _twice(document, "tiers", "name")
    yield from _twice(document, "tiers", "order")
    yield from _twice(document, "services", "name")
    yield from _twice(document, "services", "container")
    yield from _references(document)
    yield from _cycle(document)
    for index, service in enumerate(data["services"]):
        for key, text in _health_problems(service["health"]):
            keys: tuple[str | int, ...] = ("services", index, "health", *key)
            yield problem(document, keys, f"service {service['name']!r}: {text}")
    yield from _notify(document)
    yield from _limits(document)
    yield from _ladder(document)
    yield from _starts(document)
    if not 0 < int(data["listen"].rpartition(":")[2]) <= _MAX_PORT:
        text = f"listen: {data['listen']!r} has no such port. Use one from 1 to {_MAX_PORT}."
        yield problem(document, ("listen",), text)


def _twice(document: Document, section: str, key: str) -> Iterator[Problem]:
    counts = Counter(each[key] for each in document.data[section])
    seen = set()
    for index, each in enumerate(document.data[section]):
        value = each[key]
        if counts[value] > 1 and value in seen:
            text = f"{section}: {key} {value!r} stands here twice. Keep one of the two."
            yield problem(document, (section, index, key), text)
        seen.add(value)


def _references(document: Document) -> Iterator[Problem]:
    data = document.data
    tiers = {tier["name"] for tier in data["tiers"]}
    names = {service["name"] for service in data["services"]}
    for index, service in enumerate(data["services"]):
        who = f"service {service['name']!r}"
        if service["tier"] not in tiers:
            text = f"{who}: no tier {service['tier']!r}. Known are {', '.join(sorted(tiers))}."
            yield problem(document, ("services", index, "tier"), text)
        for number, name in enumerate(service["requires"]):
            if name not in names:
                text = f"{who}: requires {name!r}, which is no service. Remove it, or add it."
                yield problem(document, ("services", index, "requires", number), text)
    for index, name in enumerate(data["never_restart"]):
        if name not in names:
            text = f"never_restart: {name!r} is no service. Correct its name, or remove it."
            yield problem(document, ("never_restart", index), text)


def _cycle(document: Document) -> Iterator[Problem]:
    services = {each["name"]: each["requires"] for each in document.data["services"]}
    known = {n: tuple(r for r in needs if r in services) for n, needs in services.items()}
    try:
        build_graph(known)
    except CycleError as error:
        index = list(services).index(error.names[0])
        text = f"services need each other in a circle: {error}. Take one of these out."
        yield problem(document, ("services", index, "requires"), text)


def _health_problems(health: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    url, probe = health.get("url", ""), health["probe"]
    schemes = _SCHEMES[probe]
    if not schemes and url:
        yield ("url",), "probe container takes no url. Remove it, or say probe: http."
    elif schemes and not url:
        yield ("probe",), f"probe {probe} needs a url. Add one like {schemes[0]}name:8080."
    elif schemes and not url.startswith(schemes):
        yield ("url",), f"{url!r} does not fit probe {probe}. Begin it with {schemes[0]}."
    expect = health.get("expect", {})
    if expect and probe != "http":
        yield ("expect",), f"probe {probe} has no answer to expect. Remove it."
    for key in ("body", "not_body"):
        try:
            compile_pattern(expect.get(key, ""))
        except PatternError as error:
            text = f"{expect[key]!r} is no RE2: {error}. Correct the expression."
            yield ("expect", key), text


def _notify(document: Document) -> Iterator[Problem]:
    notify = document.data.get("notify")
    if notify is None or "url" in notify:
        return
    if "token_file" in notify:
        text = "notify: token_file without url: nobody is shown the token. Add url, or remove it."
        yield problem(document, ("notify", "token_file"), text)
    if "slack_url_file" not in notify:
        text = "notify: names nobody. Add url, slack_url_file or both, or remove notify."
        yield problem(document, ("notify",), text)


def _limits(document: Document) -> Iterator[Problem]:
    spacing_s = seconds(document.data["ladder"]["spacing"])
    for scope, limits in document.data["budgets"].items():
        for index, limit in enumerate(limits):
            if seconds(limit["window"]) < spacing_s:
                text = (
                    f"budgets: {scope}: a window of {limit['window']} is shorter than the spacing "
                    f"of {document.data['ladder']['spacing']}: it limits nothing. Make it longer."
                )
                yield problem(document, ("budgets", scope, index, "window"), text)


def _ladder(document: Document) -> Iterator[Problem]:
    ladder, asked = document.data["ladder"], document.data["alertmanager"]
    order = ("service", "dependants", "tier", "page")
    rungs = ladder["rungs"]
    if rungs != [rung for rung in order if rung in rungs]:
        text = f"ladder: rungs are climbed in the order {', '.join(order)}. Sort them so."
        yield problem(document, ("ladder", "rungs"), text)
    if rungs[-1] != "page":
        text = "ladder: the last rung is not page, so nobody would be called. Add page."
        yield problem(document, ("ladder", "rungs"), text)
    if seconds(ladder["spacing_stateful"]) < seconds(ladder["spacing"]):
        text = (
            "ladder: spacing_stateful is shorter than spacing: what keeps data would be restarted "
            "faster than the rest. Raise it."
        )
        yield problem(document, ("ladder", "spacing_stateful"), text)
    backoff = ladder["backoff"]
    if seconds(backoff["max"]) < seconds(backoff["first"]):
        text = f"ladder: backoff ends at {backoff['max']}, below its first {backoff['first']}. Raise max."
        yield problem(document, ("ladder", "backoff", "max"), text)
    if seconds(ladder["same_incident"]) < seconds(ladder["probation"]):
        text = (
            "ladder: same_incident is shorter than probation: every fault would be new. Raise it."
        )
        yield problem(document, ("ladder", "same_incident"), text)
    if seconds(asked["blind_after"]) < seconds(asked["poll_interval"]):
        text = "alertmanager: blind_after is shorter than poll_interval: always blind. Raise it."
        yield problem(document, ("alertmanager", "blind_after"), text)


def _starts(document: Document) -> Iterator[Problem]:
    # What fails during its start is looked at when that is over, and same_incident is counted from the
    # last recovery: by then the ladder has forgotten, and begins anew. A service that fails ten minutes
    # after each restart, with a start of two hours, is restarted for ever and nobody is called.
    data = document.data
    same_incident = data["ladder"]["same_incident"]
    for index, service in enumerate(data["services"]):
        if service["oneshot"] or service["name"] in data["never_restart"]:
            continue  # nothing of ours restarts it
        health, start = service["health"], service["start_period"]
        verdict_s = health["retries"] * (seconds(health["interval"]) + seconds(health["timeout"]))
        if seconds(start) + verdict_s <= seconds(same_incident):
            continue
        check = f"{health['retries']} x ({health['interval']} + {health['timeout']})"
        text = (
            f"service {service['name']!r}: start_period ({start}) and health check ({check}) may take "
            f"longer than same_incident ({same_incident}): the ladder would begin anew with every "
            "fault, and nobody be called. Shorten them, or raise same_incident."
        )
        key = "start_period" if seconds(start) >= verdict_s else "health"
        yield problem(document, ("services", index, key), text)

"""The answer of `GET /v1/status` as text for a terminal: what wants to be known first comes first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any


def status_text(status: Mapping[str, Any]) -> str:
    """Return *status* (remediation.web.picture.Picture as JSON) in lines."""
    return "\n".join(_lines(status)) + "\n"


def _lines(status: Mapping[str, Any]) -> Iterator[str]:
    counts = ", ".join(f"{count} {state}" for state, count in status["counts"].items())
    yield f"{status['platform']} at {_moment(status['wall'])}: {counts or 'no service is seen'}"
    for banner in status["banners"]:
        since = f" (since {_moment(banner['since_wall'])})" if banner["since_wall"] else ""
        yield f"! {banner['title']}{since}: {banner['text']}"
    yield from _incidents(status)
    for each in status["not_done"]:
        if each["outcome"] == "escalate":
            detail = f": {each['detail']}" if each["detail"] else ""
            yield f"{each['service']} needs a human: {each['meaning']}{detail}"
    yield from _services(status)
    for hold in status["holds"]:
        until = _moment(hold["until_wall"])
        yield f"work on {hold['name']} until {until}, by {hold['by']}: {hold['reason']}"
    for left in status["budgets"]:
        if left["left"] == 0 or left["scope"] == "platform":
            name = (
                left["name"] if left["scope"] == "platform" else f"{left['scope']} {left['name']}"
            )
            yield f"restarts left: {name}: {left['left']} of {left['limit']} in {left['window']}"


def _incidents(status: Mapping[str, Any]) -> Iterator[str]:
    if not status["incidents"]:
        yield f"no open incident; {status['waits']} alerts wait for a decision"
    for each in status["incidents"]:
        yield f"incident {each['id']}: {each['root']} ({each['tier']}): {each['headline']}"
        yield f"  since {_moment(each['opened_wall'])}, rung {each['rung']}, {each['tries']} restarts"
        detail = f": {each['state_detail']}" if each["state_detail"] else ""
        behind = f"; behind it: {', '.join(each['behind'])}" if each["behind"] else ""
        yield f"  now {each['state']}{detail}{behind}"
        why = each["gave_up"] or each["meaning"]
        if why:
            detail = f": {each['detail']}" if each["detail"] and not each["gave_up"] else ""
            yield f"  {why}{detail}"
        if each["asks"]:
            yield f"  approve it with `tierwatch remediate approve {each['id']}`"


def _services(status: Mapping[str, Any]) -> Iterator[str]:
    for tier in status["tiers"]:
        for service in tier["services"]:
            if service["state"] not in ("healthy", "absent"):
                detail = f": {service['detail']}" if service["detail"] else ""
                yield f"{service['state']:<10} {service['name']} ({tier['name']}){detail}"


def _moment(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")

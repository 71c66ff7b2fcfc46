"""
A small shop to decide about: its configuration, and situations built from a few words.

Everything is healthy, old and quiet unless a test says otherwise; time stands where a test puts it.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from remediation.clock import Moment
from remediation.config import Config, load_config
from remediation.model import Alert, Alerts, Container, Entry, Record, Sight, World
from remediation.policy.decide import Plan, decide
from remediation.policy.situation import Situation
from remediation.state import State

NOW = 1_800_000_000.0  # both clocks, where a test does not say otherwise
LONG_AGO = NOW - 100_000.0
UPTIME_S = 10_000.0


@functools.cache
def config() -> Config:
    """Return the shop's configuration."""
    return load_config(Path(__file__).with_name("shop.yml"))


def alert(
    service: str, name: str = "ServiceDown", *, started: float = NOW - 300, **more: str
) -> Alert:
    """Return a firing alert of *service* that asks for a restart; *more* overrides its labels."""
    known = config().services.get(service)
    labels = {
        "alertname": name,
        "service": service,
        "tier": known.tier if known else "none",
        "scope": "service",
        "severity": "critical",
        "remedy": "restart",
        **more,
    }
    return Alert(hashlib.sha256(f"{name} {service}".encode()).hexdigest()[:16], started, labels)


def tier_alert(tier: str, name: str = "TierDegraded") -> Alert:
    """Return a firing alert of a whole *tier*."""
    return replace(
        alert("none", name, tier=tier, scope="tier"), fingerprint=f"{len(tier):015d}{tier[0]}"
    )


def running(**more: object) -> Container:
    """Return a container that has run for long; *more* says what is otherwise."""
    plain = Container(
        "running",
        "none",
        id="c0",
        started_wall=LONG_AGO,
        created_wall=LONG_AGO,
        restart_policy="no",
    )
    return replace(plain, **more)  # type: ignore[arg-type]  # names and types are the test's


SICK = Sight(running(), probe=False, probe_detail="503 instead of 200")
EXITED = Sight(
    running(state="exited", exit_code=1, finished_wall=NOW - 200),
    probe=False,
    probe_detail="refused",
)
WELL = Sight(running(), probe=True)


def world(
    *alerts: Alert,
    sights: Mapping[str, Sight] | None = None,
    watchdog_age_s: float | None = 10.0,
    uptime_s: float = UPTIME_S,
    asked_at: float = NOW,
) -> World:
    """Return a world in which all is well but what *sights* says."""
    seen = dict.fromkeys(config().services, WELL)
    seen["migrate"] = Sight(running(state="exited", exit_code=0))
    seen["lab"] = Sight(Container("absent"))
    seen |= sights or {}
    told = Alerts(tuple(alerts), asked_at, uptime_s, watchdog_age_s)
    return World(told, seen, docker_up=True, docker_since_wall=LONG_AGO)


def state(*found: Record, at: float = NOW - 60) -> State:
    """Return the state that *found*, all written at *at*, add up to."""
    made = State()
    for number, record in enumerate(found, start=1):
        made.apply(entry(record, at, number=number))
    return made


def entry(record: Record, at: float, *, number: int = 1) -> Entry:
    """Return *record* as an entry of the moment *at*."""
    return Entry(number, at, at, record.kind, record.body, "")


def plan(
    seen: World,
    known: State | None = None,
    *,
    now: float = NOW,
    cfg: Config | None = None,
    ill_s: float = 7200.0,
) -> Plan:
    """Return what is decided; incidents are called i1, i2, ..., and who is unhealthy has been for *ill_s*."""
    numbers = itertools.count(1)
    services = (cfg or config()).services
    ill = dict.fromkeys(services, now - ill_s)
    here = Situation(cfg or config(), known or State(), seen, Moment(now, now), ill)
    return decide(here, lambda: f"i{next(numbers)}")


def short(found: Plan) -> list[tuple[str, str, str, str]]:
    """Return the decisions as (service, outcome, reason, restart)."""
    return [
        (each.service, each.outcome.value, each.reason, each.restart) for each in found.decisions
    ]


def kinds(found: Plan) -> list[str]:
    """Return the kinds of the plan's records."""
    return [record.kind for record in found.records]

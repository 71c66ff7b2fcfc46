"""
Too much at once: whether this is a storm, and whether it is over.

Pure. Roots are counted, not alerts: one database that takes twenty services down is one root. A
floor, a share and a number of tiers must all be reached, so that three services of nine are no storm
on a small platform, nor thirty dependants on a large one.
"""

from __future__ import annotations

from collections.abc import Collection

from remediation import records
from remediation.model import Record
from remediation.policy.situation import Situation


def storm_records(here: Situation, roots: Collection[str]) -> list[Record]:
    """
    Return what is to be written about a storm: frozen, calm or not, released by the cool-down.

    Args:
        here: The situation.
        roots: Roots that are unhealthy and alerted now.
    """
    storm = here.config.storm
    raging = _rages(here, roots)
    frozen = here.state.frozen
    if frozen is None:
        if not raging:
            return []
        tiers = {here.config.services[name].tier for name in _recent(here, roots)}
        return [records.frozen(_recent(here, roots), tiers, share(here))]
    few = len(roots) < storm.roots
    if not few:
        return [records.calm(calm=False)] if frozen.calm_at is not None else []
    if frozen.calm_at is None:
        return [records.calm(calm=True)]
    if here.now.steady - frozen.calm_at >= storm.cooldown_s:
        return [records.released("remediator", "cooldown")]
    return []


def share(here: Situation) -> float:
    """Return the unhealthy share of the services that count, 0 when none does; those being healed count as unhealthy."""
    counted = [name for name in here.config.services if here.counts(name)]
    counted = [name for name in counted if not explained(here, name)]
    healing = here.state.in_progress(here.now.steady)
    bad = [name for name in counted if name in here.unhealthy or name in healing]
    return len(bad) / len(counted) if counted else 0.0


def explained(here: Situation, service: str) -> bool:
    """Whether people are why *service* is down: stopped, paused, held or silenced by them."""
    ours = here.sight(service).container
    by_hand = ours.stopped or ours.state in ("created", "paused")
    return by_hand or here.hold(service) is not None or service in here.silenced


def _recent(here: Situation, roots: Collection[str]) -> list[str]:
    """Return the *roots* whose trouble began within the window, and after the last release."""
    since = max(here.now.steady - here.config.storm.window_s, here.state.released_at)
    opened = {each.root: each.opened_at for each in here.state.incidents.values()}
    return [name for name in roots if opened.get(name, here.now.steady) >= since]


def _rages(here: Situation, roots: Collection[str]) -> bool:
    storm = here.config.storm
    recent = _recent(here, roots)
    tiers = {here.config.services[name].tier for name in recent}
    return len(recent) >= storm.roots and len(tiers) >= storm.tiers and share(here) >= storm.share

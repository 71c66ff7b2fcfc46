"""
What people are shown of the engine: one plain value for the page, the API and the command line.

Pure: a View in, a `Picture` out. Times are Unix times (`*_wall`), so that every reader can tell them
in its own way; texts are ours, or names that the configuration allows. Nothing is hidden: what is
healthy is there, too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from remediation.config import Config
from remediation.desk import View
from remediation.masking import mask_text
from remediation.policy import budget
from remediation.reasons import REASONS
from remediation.state_parts import Last
from remediation.web.picture_incidents import IncidentShown, incidents_shown
from remediation.web.states import STATES, seen


@dataclass(frozen=True, slots=True)
class ServiceShown:
    """One service: *state* is one of STATES, *detail* says what makes it so where it is not healthy."""

    name: str
    state: str
    detail: str = ""
    mode: str = ""  # where it differs from its tier's
    never_restart: bool = False


@dataclass(frozen=True, slots=True)
class TierShown:
    """One tier with its services, dependencies first; *counts* by state."""

    name: str
    order: int
    mode: str
    counts: dict[str, int]
    services: tuple[ServiceShown, ...]


@dataclass(frozen=True, slots=True)
class Banner:
    """Something that holds all action up: *kind* names it, *since_wall* 0 when that is not known."""

    kind: str
    title: str
    text: str
    since_wall: float = 0.0


@dataclass(frozen=True, slots=True)
class NotDone:
    """
    Why nothing was done about a service when it was last decided on.

    *outcome* `escalate`: people were called about it, and no incident tells of it.
    """

    service: str
    outcome: str
    reason: str
    meaning: str
    detail: str
    wall: float


@dataclass(frozen=True, slots=True)
class BudgetShown:
    """What is left of one limit; *free_wall* is when the next restart is allowed (0: now, or never)."""

    scope: str
    name: str
    window: str
    limit: int
    left: int
    free_wall: float


@dataclass(frozen=True, slots=True)
class HoldShown:
    """Announced work on a service or tier."""

    name: str
    until_wall: float
    by: str
    reason: str


@dataclass(frozen=True, slots=True)
class Picture:
    """All of it; *waits* counts what waits for a decision."""

    platform: str
    wall: float
    alive: bool
    dry_run: bool
    paused: bool
    frozen: bool
    blind: bool
    banners: tuple[Banner, ...]
    tiers: tuple[TierShown, ...]
    counts: dict[str, int]
    incidents: tuple[IncidentShown, ...]
    not_done: tuple[NotDone, ...]
    budgets: tuple[BudgetShown, ...]
    holds: tuple[HoldShown, ...]
    waits: int


def draw(view: View, *, alive: bool, trouble: str = "") -> Picture:
    """
    Return what *view* shows.

    Args:
        view: The engine's picture.
        alive: Whether the engine still works.
        trouble: Why its rounds break; "" while they end well.
    """
    config, state = view.config, view.state
    to_wall = _to_wall(view)
    tiers = tuple(
        _tier(view, name) for name in sorted(config.tiers, key=lambda n: config.tiers[n].order)
    )
    counts = Counter[str]()
    for tier in tiers:
        counts.update(tier.counts)
    return Picture(
        platform=config.docker.project,
        wall=view.moment.wall,
        alive=alive,
        dry_run=view.dry_run,
        paused=state.pause is not None,
        frozen=state.frozen is not None,
        blind=view.blind,
        banners=(*_broken(alive=alive, trouble=trouble), *_banners(view, to_wall)),
        tiers=tiers,
        counts={name: counts[name] for name in STATES if counts[name]},
        incidents=incidents_shown(view, to_wall),
        not_done=_not_done(view, to_wall),
        budgets=_budgets(view, to_wall),
        holds=tuple(
            HoldShown(hold.name, to_wall(hold.until_at), hold.by, hold.reason)
            for hold in state.holds.values()
            if hold.until_at > view.moment.steady
        ),
        waits=len(state.pending),
    )


def _to_wall(view: View) -> Callable[[float], float]:
    """Return what turns a time of the steady line into one that people know."""
    return lambda at: view.moment.wall - (view.moment.steady - at)


def _tier(view: View, name: str) -> TierShown:
    tier = view.config.tiers[name]
    services = tuple(_service(view, each) for each in view.config.members(name))
    counts = Counter(each.state for each in services)
    ordered = {state: counts[state] for state in STATES if counts[state]}
    return TierShown(name, tier.order, tier.mode.value, ordered, services)


def _service(view: View, name: str) -> ServiceShown:
    config: Config = view.config
    ours = config.services[name]
    state, detail = seen(view.world, name)
    mode = ours.mode.value if ours.mode is not config.tiers[ours.tier].mode else ""
    return ServiceShown(name, state, detail, mode, name in config.never_restart)


def _broken(*, alive: bool, trouble: str) -> tuple[Banner, ...]:
    """Return what is wrong with the engine itself."""
    if not alive:
        text = "Nothing is looked at and nothing is restarted. Its log says why; restart the remediator."
        return (Banner("stopped", "The engine has stopped", text),)
    if not trouble:
        return ()
    text = (
        f"{mask_text(trouble)}. What is shown may be old, and nothing is healed. Its log has the whole"
        " error; mostly it is the journal's disk."
    )
    return (Banner("trouble", "The engine's rounds break", text),)


def _banners(view: View, to_wall: Callable[[float], float]) -> list[Banner]:
    state, config = view.state, view.config
    found = []
    if view.blind:
        text = (
            f"The Watchdog has been missing for {config.alertmanager.blind_after_s:.0f} s: alerts may be"
            " lost on their way, so nothing is restarted. Look at Prometheus and Alertmanager."
        )
        found.append(Banner("blind", "Blind", text))
    if not view.alertmanager_up:
        text = "Alerts cannot be confirmed, so nothing is restarted."
        found.append(Banner("alertmanager", "Alertmanager does not answer", text))
    if not view.docker_up:
        text = "No container can be seen or restarted. Look at Docker and the socket proxy."
        found.append(Banner("docker", "Docker does not answer", text))
    if state.frozen:
        roots = ", ".join(state.frozen.roots[:10]) or "unknown"
        text = (
            f"Too much failed at once: {roots}. Look for the common cause: host, network, disk, Docker."
            f" {_release(view, to_wall)}"
        )
        found.append(Banner("frozen", "Frozen by a storm", text, to_wall(state.frozen.at)))
    if state.pause:
        text = f"By {state.pause.by}: {state.pause.reason}"
        found.append(Banner("paused", "Paused by a human", text, to_wall(state.pause.at)))
    if view.dry_run:
        text = "Everything is decided and written down; nothing is restarted."
        found.append(Banner("dry_run", "Dry run", text))
    return found


def _release(view: View, to_wall: Callable[[float], float]) -> str:
    cooldown_s = view.config.storm.cooldown_s
    calm_at = view.state.frozen.calm_at if view.state.frozen else None
    if calm_at is None:
        return f"It goes on when released, or after {cooldown_s / 60:.0f} min of calm."
    left = max(0.0, to_wall(calm_at) + cooldown_s - view.moment.wall)
    return f"It is calm now: it goes on by itself in {left / 60:.0f} min, or when released."


def _not_done(view: View, to_wall: Callable[[float], float]) -> tuple[NotDone, ...]:
    state = view.state
    beside = {incident.root for incident in state.incidents.values()} | set(state.calls)
    found = [
        NotDone(
            name, last.outcome, last.reason, REASONS.get(last.reason, ""), last.detail,
            to_wall(last.at),
        )
        for name, last in state.last.items()
        if name not in beside and last.outcome in ("defer", "skip") and _recent(view, last)
    ]  # fmt: skip
    # Whoever was called is needed until the end of the call, whatever has been decided since.
    found += [
        NotDone(
            call.service, "escalate", call.reason, REASONS.get(call.reason, ""),
            last.detail if (last := state.last.get(call.service)) and last.reason == call.reason else "",
            to_wall(call.at),
        )
        for call in state.calls.values()
    ]  # fmt: skip
    return tuple(
        sorted(found, key=lambda each: (each.outcome != "escalate", -each.wall, each.service))
    )


def _recent(view: View, last: Last) -> bool:
    """Whether *last* still says something: it is of today, or what it waits for may still come."""
    return view.moment.steady - last.at < 86400.0 and last.reason in REASONS


def _budgets(view: View, to_wall: Callable[[float], float]) -> tuple[BudgetShown, ...]:
    limits = {
        (scope, limit.window): limit.count
        for scope, each in view.config.budgets.items()
        for limit in each
    }
    now_at = view.moment.steady
    found = []
    for left in budget.remaining(view.config, view.state, now_at):
        limit = limits[left.scope, left.window]
        if left.left < limit or left.left == 0 or left.scope == "platform":
            soon = now_at < left.free_at < float("inf")
            free_wall = to_wall(left.free_at) if soon else 0.0
            found.append(
                BudgetShown(left.scope, left.name, left.window, limit, left.left, free_wall)
            )
    # What is in all comes first, then tiers, then services.
    return tuple(reversed(found))

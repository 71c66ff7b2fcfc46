"""
Everything a decision is made from, in one value, and the plain questions that are asked of it.

Pure. Which services count, who is unhealthy, what is alerted, whether what Alertmanager says can be
relied on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

from remediation.clock import Moment
from remediation.config import Config, Service
from remediation.model import Alert, Container, Sight, World
from remediation.state import State
from remediation.state_parts import Hold

RESTART = "restart"
NOTHING = Sight(Container("absent"))
# After its start Alertmanager hears of all firing alerts within Prometheus's resend delay (one
# minute) and an evaluation; before that an empty list means nothing (reference remediation, S14).
SETTLE_S = 120.0


@dataclass(frozen=True)
class Situation:
    """
    What is configured, what the journal adds up to, what is seen, and when.

    *ill_since* says since when which services were seen unhealthy, look after look; those that are
    missing in it were not, before this look.
    """

    config: Config
    state: State
    world: World
    now: Moment
    ill_since: Mapping[str, float] = field(default_factory=dict)  # steady time, by service

    def sight(self, service: str) -> Sight:
        """Return what is seen of *service*; a container that is absent if nothing is."""
        return self.world.services.get(service, NOTHING)

    def counts(self, service: str) -> bool:
        """Whether *service* has to be healthy: not a job that ends, nor an optional one that is not there."""
        ours = self.config.services[service]
        return not ours.oneshot and (self.sight(service).exists or not ours.optional)

    @cached_property
    def unhealthy(self) -> frozenset[str]:
        """
        The services that count and are not known to be healthy now; those just starting among them.

        None while Docker does not answer: nothing is known then.
        """
        if not self.world.docker_up:
            return frozenset()
        return frozenset(
            name
            for name, ours in self.config.services.items()
            if (self.counts(name) and (not self.sight(name).healthy or self._is_silent(name)))
            or (ours.oneshot and self._job_failed(name))
        )

    def _is_silent(self, service: str) -> bool:
        # It has not answered yet and may hang: who needs it must not be taken for the root meanwhile.
        sight = self.sight(service)
        asked = self.config.services[service].health.probe != "container"
        return asked and sight.probe is None and sight.container.health != "healthy"

    def _job_failed(self, service: str) -> bool:
        # A job that ended well, still runs, or was never made is no reason to wait for it.
        ours = self.sight(service).container
        return ours.state in ("exited", "dead") and ours.exit_code not in (0, None)

    @cached_property
    def alerts(self) -> tuple[Alert, ...]:
        """The active alerts; () when Alertmanager did not answer."""
        return self.world.alerts.active if self.world.alerts else ()

    @cached_property
    def named(self) -> frozenset[str]:
        """
        The services that an alert asks to restart now, their own or their tier's.

        Without those that are silenced.
        """
        asked = [one.labels for one in self.alerts if not one.suppressed]
        asked = [each for each in asked if each.get("remedy") == RESTART]
        names = {each.get("service", "") for each in asked}
        tiers = {each.get("tier", "") for each in asked if each.get("scope") == "tier"}
        found = {n for n, ours in self.config.services.items() if n in names or ours.tier in tiers}
        return frozenset(found - self.silenced)

    @cached_property
    def suspect(self) -> frozenset[str]:
        """
        The services that others must not be restarted for: unhealthy ones, and those alerted themselves.

        A server that hangs may still accept connections, so our own probe of it says little. One
        that became healthy by our own restart is trusted again before its alert has ended.
        """
        asked = [one.labels for one in self.alerts if one.labels.get("remedy") == RESTART]
        alerted = {each.get("service", "") for each in asked} & set(self.config.services)
        healed = {
            each.root
            for each in self.state.incidents.values()
            if each.tries and each.healthy_at is not None
        }
        return self.unhealthy | (alerted - healed)

    @cached_property
    def silenced(self) -> frozenset[str]:
        """The services whose own alerts are all silenced: whoever did that is at work on them."""
        asked = [one for one in self.alerts if one.labels.get("remedy") == RESTART]
        muted = {one.labels.get("service", "") for one in asked if one.suppressed}
        loud = {one.labels.get("service", "") for one in asked if not one.suppressed}
        return frozenset(muted - loud)

    @cached_property
    def handed_over(self) -> frozenset[str]:
        """The services that people were told of that nothing more is restarted for them."""
        return frozenset(
            each.handed for each in self.state.incidents.values() if each.gave_up and each.handed
        )

    @property
    def blind(self) -> bool:
        """Whether the Watchdog is missing for too long: alerts may be lost then."""
        if self.world.alerts is None:
            return False  # another reason, told apart
        age = self.world.alerts.watchdog_age_s
        if age is None:
            # A young Alertmanager has not been told yet.
            age = self.world.alerts.uptime_s
        return age > self.config.alertmanager.blind_after_s

    @property
    def settled(self) -> bool:
        """Whether an alert that is not in the list is really over."""
        return self.world.alerts is not None and self.world.alerts.uptime_s >= SETTLE_S

    def hold(self, service: str) -> Hold | None:
        """Return the announced work that covers *service* now."""
        for name in (service, self.config.services[service].tier):
            found = self.state.holds.get(name)
            if found and found.until_at > self.now.steady:
                return found
        return None

    def age_s(self, wall: float) -> float:
        """Return how long ago *wall* was; a moment ahead of us is now, 0 (never) is long ago."""
        return max(0.0, self.now.wall - wall) if wall else float("inf")

    def ill_s(self, service: str) -> float:
        """Return for how long this process has seen *service* unhealthy without a break."""
        return self.now.steady - self.ill_since.get(service, self.now.steady)

    def start_s(self, ours: Service) -> float:
        """Return how long *ours* may take to become healthy after a start."""
        return max(ours.start_period_s, self.sight(ours.name).container.patience_s)

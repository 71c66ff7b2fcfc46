"""
Decide: from what is configured, remembered and seen to what is written down, and at most one restart.

Pure; time is part of the situation. The order is that of caution: what can never be done, what
cannot be told, what may not be done now, what comes next on the ladder, and whether limits allow it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from remediation import records
from remediation.model import Decision, Entry, Mode, Outcome, Record, Rung
from remediation.policy import limits
from remediation.policy.calls import call_records
from remediation.policy.candidates import find_candidates
from remediation.policy.grouping import Group, group_by_root
from remediation.policy.incidents import has_waited, incident_of, observed
from remediation.policy.ladder import Step, next_step
from remediation.policy.limits import Obstacle
from remediation.policy.passed import passed_over
from remediation.policy.situation import Situation
from remediation.policy.storm import explained, storm_records
from remediation.state import State
from remediation.state_parts import Incident

ROOT_ALERT_S = 900.0  # for Prometheus to see what we see; the longest hold of ServiceDown is below
LOOPS, LOOP_S = (
    4,
    300.0,
)  # starts by Docker, and the time for them, that may be starts; more are a loop
MAX_UNKNOWN = 2  # restarts of one incident whose outcome nobody learnt; then a human looks


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is to be written, in this order, and what was decided; at most one decision acts.

    *records* hold changes of incidents and storm; *decisions* one per root and per alert that came to
    nothing. The engine writes both, decisions only when they differ from the last.
    """

    records: tuple[Record, ...]
    decisions: tuple[Decision, ...]

    @property
    def act(self) -> Decision | None:
        """The restart to be done now."""
        return next((each for each in self.decisions if each.outcome is Outcome.ACT), None)


def decide(here: Situation, new_id: Callable[[], str]) -> Plan:
    """
    Return what is to be written and done in the situation *here*.

    Args:
        here: The situation; its state is not changed.
        new_id: Names a new incident.
    """
    return _Thinking(here, new_id).plan()


class _Thinking:
    """One decision in the making: records are applied to a state of our own as they are noted."""

    def __init__(self, here: Situation, new_id: Callable[[], str]) -> None:
        self._here = here
        self._own = False  # whether the state in it is ours to change
        self._new_id = new_id
        self._records: list[Record] = []
        self._decisions: list[Decision] = []
        self._acted = False
        self._spoken: set[str] = set()  # services of which something is said already

    def plan(self) -> Plan:
        here = self._here
        found = find_candidates(here)
        self._decisions += found.decisions
        self._decisions += self._unconfirmed()
        groups = group_by_root(here, found.services)
        if here.world.docker_up:
            self._observe(groups)
            if not limits.first(limits.CANNOT_TELL, here):
                # What was observed has changed the state: the storm is judged by the new one.
                self._note(*storm_records(self._here, _roots(here, groups)))
        self._note(*call_records(self._here, found.services))
        self._spoken = {group.root for group in groups}
        for group in groups:
            self._decisions.append(self._about(group))
        return Plan(tuple(self._records), tuple(self._decisions))

    def _note(self, *found: Record) -> None:
        now = self._here.now
        if found and not self._own:
            self._here, self._own = replace(self._here, state=self._state.copy()), True
        for record in found:
            self._records.append(record)
            self._state.apply(Entry(0, now.steady, now.wall, record.kind, record.body, ""))

    @property
    def _state(self) -> State:
        return self._here.state

    def _unconfirmed(self) -> list[Decision]:
        """Answer accepted alerts that nobody can be asked about."""
        obstacle = limits.first(limits.CANNOT_TELL[:2], self._here)
        if obstacle is None:
            return []
        return [
            Decision(
                Outcome.DEFER,
                obstacle.reason,
                service if (service := pending.labels.get("service", "")) in self._here.config.services else "",
                detail=pending.labels.get("alertname", ""),
                alerts=(key,),
                lone=True,
            )
            for key, pending in self._state.pending.items()
        ]  # fmt: skip

    def _observe(self, groups: list[Group]) -> None:
        """Note which incidents have become healthy, have relapsed, or are over."""
        mine = (incident_of(self._here, group.root) for group in groups)
        busy = {found.id for found in mine if found}
        for incident in list(self._state.incidents.values()):
            self._note(*observed(self._here, incident, busy=incident.id in busy))

    def _about(self, group: Group) -> Decision:
        """Return the decision about one root."""
        here, root = self._here, group.root
        obstacle = limits.first(limits.NEVER, here, root)
        if not group.own:
            # Nothing of ours is at work on it: whoever is called hears of its end by itself.
            return self._decision(group, self._of_others(group, obstacle))
        obstacle = obstacle or limits.first(limits.CANNOT_TELL, here)
        incident = incident_of(here, root)
        obstacle = obstacle or self._not_now(group)
        if obstacle is not None:
            return self._decision(group, obstacle, incident)
        if incident is None:
            incident = self._open(root, min(start for _, start in group.alerts))
        obstacle = limits.first(limits.MAY_NOT, self._here)
        if obstacle is not None:
            return self._decision(group, obstacle, incident)
        return self._next(group, incident)

    def _of_others(self, group: Group, never: Obstacle | None) -> Obstacle:
        """Return why a root is not worked on that only the alerts of its dependants speak of."""
        here, root = self._here, group.root
        if held := limits.maintenance(here, root):
            return held
        if root in here.silenced:
            return Obstacle(Outcome.SKIP, "silenced", f"the alert of {root}")
        if never is not None:
            detail = f"{root}: {never.reason}"
            # Absent for a moment is what Compose makes anew.
            gone = never.reason != "absent" or here.ill_s(root) >= here.config.ladder.probation_s
            outcome = Outcome.ESCALATE if gone else Outcome.DEFER
            return Obstacle(outcome, "stopped_dependency", detail)
        if obstacle := limits.first(limits.CANNOT_TELL, here):
            return obstacle
        # Prometheus has had its time: what only we see unhealthy, a human has to look at.
        late = min(self._alerted_s(group), here.ill_s(root)) > ROOT_ALERT_S
        outcome = Outcome.ESCALATE if late else Outcome.DEFER
        return Obstacle(outcome, "root_without_alert", f"{root} is unhealthy as we see it")

    def _not_now(self, group: Group) -> Obstacle | None:
        obstacle = limits.first(limits.NOT_NOW, self._here, group.root)
        if obstacle is None or obstacle.reason not in ("starting", "recreated"):
            return obstacle
        # Whom Docker starts again and again is never up for long enough; that is no start any more.
        # A start by hand begins the count anew: whoever did that is given the whole time.
        start_s = self._here.start_s(self._here.config.services[group.root])
        old = self._alerted_s(group) > LOOPS * start_s + LOOP_S
        return (
            None if old and self._here.sight(group.root).container.restarts >= LOOPS else obstacle
        )

    def _alerted_s(self, group: Group) -> float:
        """Return for how long the oldest alert of *group* has been active."""
        return self._here.age_s(min(start for _, start in group.alerts))

    def _next(self, group: Group, incident: Incident) -> Decision:
        """Return the decision about one root that may be worked on: climb, wait, or restart."""
        if incident.gave_up:
            return self._decision(group, Obstacle(Outcome.SKIP, incident.gave_up), incident)
        if incident.unknown >= MAX_UNKNOWN:
            return self._give_up(group, incident, "unknown_outcome")
        if group.root != incident.root and not has_waited(self._here, incident):
            detail = f"{incident.root} was healed; {group.root} may recover by itself"
            return self._decision(group, Obstacle(Outcome.DEFER, "verifying", detail), incident)
        step = self._step(incident)
        while step.climb:
            rung = self._above(incident)
            if rung is Rung.PAGE:
                return self._give_up(group, incident, "ladder_exhausted", step.detail)
            self._note(records.climbed(incident.id, rung))
            incident = self._state.incidents[incident.id]
            step = self._step(incident)
        if step.reason:
            obstacle: Obstacle | None = Obstacle(Outcome.DEFER, step.reason, step.detail)
        else:
            obstacle = self._hindered(step.service, incident, group)
        if obstacle is not None:
            return self._decision(group, obstacle, incident, step.service)
        self._acted = True
        reason = "approved" if incident.approved_at is not None else "restart"
        evidence = self._here.sight(step.service).evidence or step.detail
        obstacle = Obstacle(Outcome.ACT, reason, evidence)
        return self._decision(group, obstacle, incident, step.service)

    def _step(self, incident: Incident) -> Step:
        """Return what comes next in *incident*, having said whom it passes over, each once."""
        step = next_step(self._here, incident)
        for decision in passed_over(self._here, step.passed, incident):
            if decision.service not in self._spoken:
                self._spoken.add(decision.service)
                self._decisions.append(decision)
        return step

    def _hindered(self, service: str, incident: Incident, group: Group) -> Obstacle | None:
        here = self._here
        if self._acted and here.config.services[service].mode is not Mode.OBSERVE:
            return Obstacle(Outcome.DEFER, "spacing", "another restart is about to be done")
        # What holds for the root itself was asked before.
        elsewhere = limits.ELSEWHERE if service != group.root else ()
        return limits.first(elsewhere, here, service) or limits.first(
            limits.ONE_RESTART, here, service, incident
        )

    def _above(self, incident: Incident) -> Rung:
        rungs = self._here.config.ladder.rungs
        present = Rung(incident.rung)
        if present not in rungs:
            return Rung.PAGE
        return rungs[min(rungs.index(present) + 1, len(rungs) - 1)]

    def _open(self, root: str, episode_wall: float) -> Incident:
        here = self._here
        since = here.now.steady - here.config.ladder.same_incident_s
        earlier = [
            each
            for each in self._state.closed
            if each.root == root and each.tries and (each.closed_at or 0.0) > since
        ]
        follows = earlier[-1].id if earlier else ""
        reset_s = here.config.ladder.backoff_reset_s
        rested = bool(earlier) and here.now.steady - (earlier[-1].closed_at or 0.0) >= reset_s
        tier = here.config.services[root].tier
        name = self._new_id()
        self._note(records.opened(name, root, tier, episode_wall, follows, rested=rested))
        first = here.config.ladder.rungs[0]
        if not follows and first is not Rung.SERVICE:
            self._note(records.climbed(name, first))
        return self._state.incidents[name]

    def _give_up(self, group: Group, incident: Incident, reason: str, detail: str = "") -> Decision:
        tier = self._here.config.services[group.root].tier
        self._note(records.gave_up(incident.id, reason, group.root, tier))
        return self._decision(group, Obstacle(Outcome.ESCALATE, reason, detail), incident)

    def _decision(
        self,
        group: Group,
        obstacle: Obstacle,
        incident: Incident | None = None,
        restart: str = "",
    ) -> Decision:
        return Decision(
            outcome=obstacle.outcome,
            reason=obstacle.reason,
            service=group.root,
            tier=self._here.config.services[group.root].tier,
            rung=Rung(incident.rung) if incident else Rung.SERVICE,
            incident=incident.id if incident else "",
            restart=restart,
            detail=group.told(obstacle.detail),
            alerts=tuple(group.alerts),
        )


def _roots(here: Situation, groups: list[Group]) -> list[str]:
    """Return the roots that something besides their alert calls unhealthy, and nobody is at work on."""
    found = [group.root for group in groups if here.sight(group.root).evidence]
    return [
        name
        for name in found
        if not explained(here, name) and not limits.first(limits.NEVER, here, name)
    ]

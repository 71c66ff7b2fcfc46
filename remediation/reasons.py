"""Why something was decided: the values of label `reason`, a fixed set, each with its meaning for people."""

from __future__ import annotations

# Those that hand a problem to a human.
ESCALATIONS = ("ladder_exhausted", "unknown_outcome", "stopped_dependency")
REASONS = {
    # act
    "restart": "the alert is active, a second signal agrees, and every limit allows it",
    "approved": "a human approved it",
    # escalate
    "ladder_exhausted": "every rung was climbed and it is still unhealthy",
    "unknown_outcome": "what became of restarts cannot be told",
    "stopped_dependency": "a hard dependency is down and nothing may restart it",
    # defer: decided again when the reason has gone
    "alertmanager_down": "Alertmanager does not answer, so the alert cannot be confirmed",
    "blind": "the Watchdog is missing: alerts may be lost",
    "docker_down": "Docker does not answer",
    "grace": "the host or Docker has just started",
    "frozen": "too many unrelated roots at once: a storm",
    "paused": "a human paused remediation",
    "maintenance": "announced work",
    "approval": "waits for a human's approval",
    "observe": "mode observe: this is what would have been done",
    "budget": "no restarts are left in one of the windows",
    "spacing": "another restart was a moment ago, or is under way",
    "backoff": "waits before the next try",
    "starting": "it has just been started and may still become healthy",
    "recovering": "Docker itself is restarting it",
    "recreated": "its container was made anew a moment ago",
    "verifying": "restarted; must stay healthy for the probation time",
    "dependency": "a hard dependency is unhealthy: that one first",
    "root_without_alert": "its root has no alert of its own yet",
    "no_evidence": "only the alert says so: neither Docker nor the probe agrees",
    "unsettled": "Alertmanager is young and has not heard of all alerts yet",
    "too_many_healthy": "more healthy than unhealthy services would be restarted",
    # skip: nothing more is done about these alerts
    "resolved": "the alert is not active any more",
    "silenced": "the alert is silenced",
    "never_restart": "it is on the list of what nothing restarts",
    "not_ours": "no service or tier of the configuration",
    "no_remedy": "the alert does not ask for a restart",
    "oneshot": "it ends by itself",
    "stopped_by_human": "a human stopped it",
    "absent": "it has no container",
    "name_drift": "the container of that name is not the one that was meant",
    "healthy_stateful": "it keeps data and is healthy",
    "handed_over": "a human was called for it, and nothing more is restarted for it",
    "tier_healthy": "no member of the tier is unhealthy",
}

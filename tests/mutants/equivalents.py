"""
Mutants that no test can notice, because they mean the same; each with its reason.

A line here that is noticed after all makes the run fail, so none outlives its reason.
"""

from __future__ import annotations

from alerts.kit import Alert
from tests.mutants.mutations import Mutant

_WHOLE = "the value is a whole number, and none lies between the two thresholds"
_SWITCH = "the value is 0 or 1, and both thresholds lie between"
_ALWAYS_THERE = (
    "Prometheus itself writes `up` at every scrape, 0 for one that failed: none is ever missing"
)

_EQUIVALENT = {
    ("CadvisorScrapeErrors", "threshold", "0.5 to 0.375"): _SWITCH,
    ("CadvisorScrapeErrors", "threshold", "0.5 to 0.625"): _SWITCH,
    ("StackNoAlertmanager", "threshold", "1 to 0.75"): _WHOLE,
    ("StackRestartsOften", "threshold", "2 to 2.5"): _WHOLE,
    ("PromtailNoTargets", "threshold", "1 to 0.75"): _WHOLE,
    ("AlertmanagerConfigDiffers", "threshold", "1 to 1.25"): _WHOLE,
}


def equivalent(alert: Alert, mutant: Mutant) -> str:
    """Return why *mutant* means the same as *alert*; empty when it does not."""
    if mutant.sort == "bridge" and mutant.what.startswith("last_over_time(up{"):
        return _ALWAYS_THERE
    return _EQUIVALENT.get((alert.name, mutant.sort, mutant.what), "")

"""
The cross-artifact proofs of design 6: what no single tool can see.

Every proof is a function from the rendered stack to findings, pure and offline. They run in
`generate`, before anything is written, and in `verify`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from generator.errors import Finding
from generator.proofs import (
    boards,
    labels,
    logs,
    metrics,
    objectives,
    remediation,
    routes,
    watch,
    wishes,
    wording,
)
from generator.render import Rendered


@dataclass(frozen=True, slots=True)
class Proof:
    """One promise and the function that looks for where it is broken."""

    number: int
    promise: str
    check: Callable[[Rendered], list[Finding]]


PROOFS = (
    Proof(
        1, "every job and label in an expression exists in the scrape configuration", labels.check
    ),
    Proof(
        2,
        "every metric is declared by something that is scraped, with the right type",
        metrics.check,
    ),
    Proof(3, "every label in an annotation survives the expression", wording.check),
    Proof(
        4,
        "every receiver is reached, every alert reaches exactly whom it should",
        routes.check_receivers,
    ),
    Proof(
        5,
        "every inhibit rule has a source, a target and common labels, in time",
        routes.check_inhibition,
    ),
    Proof(6, "every panel parses, every link, runbook and data source resolves", boards.check),
    Proof(7, "every log label is bounded, every log rule selects a stream that exists", logs.check),
    Proof(8, "every remediation target exists and can be restarted in order", remediation.check),
    Proof(9, "every objective can be held and its alerts can fire", objectives.check),
    Proof(10, "every service is watched, from a page that tells of it alone", watch.check),
    Proof(11, "every alert that is switched off or changed exists", wishes.check),
)


def prove(rendered: Rendered) -> list[Finding]:
    """Return what all proofs find, sorted by place."""
    return sorted({finding for proof in PROOFS for finding in proof.check(rendered)})

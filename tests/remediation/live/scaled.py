"""
The command `tierwatch` with shorter waits: those that stand in no configuration, divided as the yard's are.

A module of its own, without any import of the tests', so that the process is as small as the real one.
"""

from __future__ import annotations

import importlib
import sys

from generator.cli import main as tierwatch

# How long a young Alertmanager knows too little, a lost restart may still be under way, Docker's own
# restarts are waited for.
SCALED = (
    ("remediation.policy.situation", "SETTLE_S", 4.0),
    ("remediation.engine.restarts", "LATE_S", 4.0),
    ("remediation.policy.limits", "RECOVERING_S", 3.0),
)


def main() -> int:
    """Shorten the waits, then do what `tierwatch` does."""
    for module, name, value in SCALED:
        setattr(importlib.import_module(module), name, value)
    return tierwatch(sys.argv[1:])


if __name__ == "__main__":
    sys.exit(main())

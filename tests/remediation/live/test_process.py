"""The process itself: what it needs of the interpreter."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path

from remediation.engine import service

CONFIG = Path(__file__).resolve().parents[3] / "rendered" / "remediation" / "config.yml"


def test_a_process_that_stays_collects_its_garbage() -> None:
    """The `tierwatch` command switches the collector off, for it ends soon; the remediator does not."""
    gc.disable()
    try:
        found = service.serve(
            argparse.Namespace(
                config=CONFIG, web_config=None, listen="", log_level="info", check=True
            )
        )
        assert (found, gc.isenabled()) == (0, True)
    finally:
        gc.enable()

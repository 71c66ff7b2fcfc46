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
    before = gc.get_threshold()
    try:
        found = service.serve(
            argparse.Namespace(
                config=CONFIG, web_config=None, listen="", log_level="info", check=True
            )
        )
        assert (found, gc.isenabled()) == (0, True)
        assert gc.get_threshold() == (service.YOUNG, *before[1:])
    finally:
        gc.enable()
        gc.set_threshold(*before)


def test_what_stays_is_no_work_of_the_collector() -> None:
    """After the start the collector has little to look at; what comes later it still takes away."""
    try:
        service.spare_the_collector()
        left = len(gc.get_objects())
        loop: list[object] = []
        loop.append(loop)
        gone = id(loop)
        del loop
        gc.collect()
        assert gc.get_freeze_count() > 10 * left
        assert gone not in {id(each) for each in gc.get_objects()}
    finally:
        gc.unfreeze()

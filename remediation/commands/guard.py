"""
The command `tierwatch guard`: one check of what heals the platform, for a timer of the host.

Exit 0 when all is well or was healed, 1 when something is down and was not restarted, 2 when the call or
the file is wrong.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remediation.guard.check import Report

FINE, DOWN, WRONG = 0, 1, 2
DEFAULT_CONFIG = Path("rendered/remediation/guard.yml")
DEFAULT_STATE = Path("/var/lib/tierwatch/guard.json")


def add_options(command: argparse.ArgumentParser) -> None:
    """Give *command* the options that `run` reads."""
    command.add_argument(
        "--config", type=Path, default=DEFAULT_CONFIG, metavar="FILE",
        help=f"what to watch (default: {DEFAULT_CONFIG})",
    )  # fmt: skip
    command.add_argument(
        "--state", type=Path, default=DEFAULT_STATE, metavar="FILE",
        help=f"what is remembered between two checks (default: {DEFAULT_STATE})",
    )  # fmt: skip
    what = command.add_mutually_exclusive_group()
    what.add_argument(
        "--once", action="store_true", help="check once and end (the default: a timer calls again)"
    )
    what.add_argument(
        "--dry-run",
        action="store_true",
        help="say what a check would do; restart, write and tell nothing",
    )
    what.add_argument(
        "--check", action="store_true", help="read FILE, say what is wrong with it, and end"
    )
    command.add_argument("--format", choices=("text", "json"), default="text", help="text or json")


def run(options: argparse.Namespace) -> int:
    """Check once; return the exit status."""
    from exporters.log import start_logging
    from remediation.drivers.named_restart import NamedRestart
    from remediation.guard.check import check
    from remediation.guard.config import ConfigError, load_guard_config
    from remediation.guard.outside import Outside, ask_server
    from remediation.guard.page import Pager
    from remediation.guard.state import StateError, Store

    start_logging("warn")
    try:
        config = load_guard_config(options.config)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    if options.check:
        return FINE
    outside = Outside(
        docker=NamedRestart(config.docker, config.project),
        store=Store(options.state),
        ask=ask_server,
        tell=Pager(config.notify, config.project).tell,
    )
    try:
        report = check(config, outside, dry_run=options.dry_run)
    except StateError as error:
        sys.stderr.write(f"{error}\n")
        return DOWN
    lines = _as_json(report) if options.format == "json" else _as_text(report)
    sys.stdout.write("\n".join(lines) + "\n")
    return FINE if report.is_fine else DOWN


def _as_json(report: Report) -> Iterator[str]:
    found = {
        name: {"is": verdict.word.value, "why": verdict.detail}
        for name, verdict in report.verdicts.items()
    }
    yield json.dumps({"watched": found, "notes": list(report.notes)}, indent=2)


def _as_text(report: Report) -> Iterator[str]:
    """Yield a line for each that is not simply well: a timer's log stays short."""
    from remediation.guard.rules import Word

    yield from report.notes
    told = {n: each for n, each in report.verdicts.items() if each.word is not Word.WELL}
    for name, verdict in told.items():
        yield f"{name}: {verdict.word}{f': {verdict.detail}' if verdict.detail else ''}"
    well = len(report.verdicts) - len(told)
    yield f"{well} of {len(report.verdicts)} well"

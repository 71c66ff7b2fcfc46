"""
The command `tierwatch maintenance`: announce work on a service or tier, end it, list what is announced.

Exit 0 when all is as asked, 1 when one of Alertmanager and remediator could not be told, 2 when the
call or the configuration is wrong.
"""

from __future__ import annotations

import argparse
import getpass
import json
import os
import re
import sys
import time
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from remediation.alertmanager.rfc3339 import format_time
from remediation.commands import operator_options

if TYPE_CHECKING:
    from remediation.alertmanager.maintenance import Row, State
    from remediation.config import Config

FINE, PARTLY, WRONG = 0, 1, 2
MAX_FOR_S = 7 * 86400.0  # who works longer announces it again; the remediator takes no more
_FOR = re.compile(r"[1-9][0-9]{0,5}(s|m|h|d)")
_MAX_REASON = 200
_MAX_BY = 100


def add_options(command: argparse.ArgumentParser) -> None:
    """Give *command* the options that `run` reads."""
    command.add_argument(
        "name", nargs="?", default="", metavar="SERVICE|TIER", help="what is worked on"
    )
    command.add_argument(
        "--for", dest="for_s", type=_span, metavar="DURATION",
        help="how long from now: 30m, 2h, 1d; at most 7d. Again: extends, never shortens",
    )  # fmt: skip
    command.add_argument(
        "--reason",
        type=_line,
        default="announced work",
        metavar="TEXT",
        help="why, for others to read",
    )
    command.add_argument("--by", type=_line, metavar="NAME", help="who (default: you)")
    doing = command.add_mutually_exclusive_group()
    doing.add_argument("--end", action="store_true", help="it is done: end silence and hold")
    doing.add_argument("--list", action="store_true", help="say what is announced")
    command.add_argument(
        "--alertmanager", default="", metavar="URL",
        help="where Alertmanager listens (default: as the configuration says)",
    )  # fmt: skip
    operator_options.add_options(command)
    command.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="text for people, json for machines",
    )


def run(options: argparse.Namespace) -> int:
    """Do what was asked; return the exit status."""
    from exporters.yaml_read import ConfigError
    from remediation.alertmanager.maintenance import UnknownNameError
    from remediation.commands.operator_client import OperatorError
    from remediation.config import load_config

    fault = _misuse(options)
    if fault:
        return _refuse(fault)
    try:
        return _run(options, load_config(options.config))
    except (ConfigError, UnknownNameError, OperatorError) as error:
        return _refuse(str(error))


def _run(options: argparse.Namespace, config: Config) -> int:
    from remediation.alertmanager.maintenance import Work, announce, announced, end, labels_of
    from remediation.alertmanager.silences import Silences

    # First: whoever misspelled a name wants to hear that, not that a token is missing.
    labels = () if options.list else labels_of(options.name, config)
    operator = operator_options.client(options, config)
    silences = Silences(options.alertmanager or config.alertmanager.url)
    if options.list:
        rows, problems = announced(silences, operator)
        _print_rows(rows, problems, as_json=options.format == "json")
        return PARTLY if problems else FINE
    by = options.by or os.environ.get("SUDO_USER") or getpass.getuser()
    work = Work(options.name, labels, options.for_s or 0.0, options.reason, by[:_MAX_BY])
    if options.end:
        state = end(work, silences, operator)
    else:
        state = announce(work, silences, operator, time.time())
    _print_state(state, as_json=options.format == "json")
    return PARTLY if state.problems else FINE


def _misuse(options: argparse.Namespace) -> str:
    """Return what is wrong with the call as a whole; "" when nothing is."""
    if options.list:
        return "--list takes no name. Leave it out." if options.name else ""
    if not options.name:
        return "what is worked on is missing. Name a service or a tier, or use --list."
    if options.end and options.for_s:
        return "--for and --end do not go together. Use one of them."
    if not options.end and not options.for_s:
        return "how long is missing. Say it with --for 30m, or end the work with --end."
    return ""


def _refuse(text: str) -> int:
    sys.stderr.write(f"{text}\n")
    return WRONG


def _print_state(state: State, *, as_json: bool) -> None:
    if as_json:
        _print_json({**_halves(state), "silences": state.silences, "problems": state.problems})
        return
    until = state.silenced_until
    if until and until == state.held_until:
        said = f"silenced and held until {_moment(until)}"
    elif until == state.held_until == 0:
        said = "neither silenced nor held any more"
    else:
        said = f"{_half('silenced', until)}, {_half('held', state.held_until)}"
    sys.stdout.write(f"{state.name}: {said}\n")
    _print_problems(state.problems)


def _print_rows(rows: Sequence[Row], problems: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        works = [{**_halves(row), "by": row.by, "reason": row.reason} for row in rows]
        _print_json({"works": works, "problems": problems})
        return
    for row in rows:
        said = f"{_half('silenced', row.silenced_until)}, {_half('held', row.held_until)}"
        sys.stdout.write(f"{row.name}: {said} (by {row.by}: {row.reason})\n")
    if not rows and not problems:
        sys.stdout.write("nothing is announced\n")
    _print_problems(problems)


def _print_problems(problems: Sequence[str]) -> None:
    for problem in problems:
        sys.stderr.write(f"{problem}\n")


def _print_json(data: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(data, indent=2) + "\n")


def _halves(of: State | Row) -> dict[str, Any]:
    """Return both halves for machines: true, false or null (nobody can tell), and until when."""
    told: dict[str, Any] = {"name": of.name}
    for word, until in (("silenced", of.silenced_until), ("held", of.held_until)):
        told[word] = None if until is None else bool(until)
        told[f"{word}_until"] = format_time(until) if until else None
    return told


def _half(word: str, until: float | None) -> str:
    if until is None:
        return f"not known to be {word}"
    return f"{word} until {_moment(until)}" if until else f"not {word}"


def _moment(wall: float) -> str:
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _span(text: str) -> float:
    """Return a duration of at most a week in seconds."""
    from exporters.config import seconds

    if not _FOR.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no duration. Write it like 30m, 2h or 1d.")
    if seconds(text) > MAX_FOR_S:
        raise argparse.ArgumentTypeError(f"{text} is more than a week. Announce at most 7d.")
    return seconds(text)


def _line(text: str) -> str:
    """Return *text* if it is one short line."""
    text = text.strip()
    if not text or len(text) > _MAX_REASON or not text.isprintable():
        raise argparse.ArgumentTypeError(f"write one line of at most {_MAX_REASON} letters.")
    return text

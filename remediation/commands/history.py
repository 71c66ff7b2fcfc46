"""
The command `tierwatch remediate history`: what the remediator did, skipped and saw, and why.

Reads the journal's file, also while the remediator writes to it; changes nothing. Exit 0 when all
is well, 1 when the journal is not as it was written, 2 when the call is wrong or there is none.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from exporters.config import seconds
from remediation.journal.errors import JournalError
from remediation.journal.history import Related, line, told
from remediation.journal.journal import DEFAULT_JOURNAL
from remediation.journal.reading import entry_of, reading, rows
from remediation.journal.verify import VerifyReport, verify
from remediation.model import Entry

FINE, BROKEN, WRONG = 0, 1, 2
DEFAULT_LAST = 50

_SINCE = re.compile(r"[0-9]{1,6}(?:ms|s|m|h|d)")


def add_options(command: argparse.ArgumentParser) -> None:
    """Give *command* the options that `run` reads."""
    command.add_argument(
        "--journal", type=Path, default=DEFAULT_JOURNAL, metavar="PATH",
        help=f"the journal (default: {DEFAULT_JOURNAL})",
    )  # fmt: skip
    command.add_argument(
        "--last", type=_count, metavar="N",
        help=f"only the last N entries (default: {DEFAULT_LAST}; with --verify alone: none)",
    )  # fmt: skip
    command.add_argument(
        "--service", default="", metavar="NAME",
        help="only what is about this service, its incidents and its restarts",
    )  # fmt: skip
    command.add_argument(
        "--kind",
        default="",
        metavar="KIND",
        help="only this kind of entry, like decided or intended",
    )
    command.add_argument(
        "--since",
        type=_since,
        metavar="DURATION",
        help="only entries of so long ago: 90s, 30m, 2h, 7d",
    )
    command.add_argument("--format", choices=("text", "json"), default="text", help="text or json")
    command.add_argument(
        "--verify", action="store_true",
        help="check that nothing was changed, left out, put in or cut off; exit 1 if so",
    )  # fmt: skip


def run(options: argparse.Namespace) -> int:
    """Print what was asked for; return the exit status."""
    try:
        entries = _entries(options, time.time())
        report = verify(options.journal) if options.verify else None
    except JournalError as error:
        sys.stderr.write(f"{error}\n")
        return BROKEN if error.damaged else WRONG
    if options.format == "json":
        _print_json(entries, report)
    else:
        _print_text(entries, report)
    return FINE if report is None or report.intact else BROKEN


def _count(text: str) -> int:
    if not (text.isdecimal() and 0 < int(text) <= 10**9):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of entries from 1. Write it like 20."
        )
    return int(text)


def _since(text: str) -> float:
    if not _SINCE.fullmatch(text):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no duration. Write it like 90s, 30m, 2h or 7d."
        )
    return seconds(text)


def _entries(options: argparse.Namespace, now_wall: float) -> list[Entry]:
    asked = options.last or options.service or options.kind or options.since is not None
    if options.verify and not asked:
        return []
    since_wall = now_wall - options.since if options.since is not None else 0.0
    kept: deque[Entry] = deque(maxlen=options.last or DEFAULT_LAST)
    related = Related(options.service)
    for entry in _read(options.journal):
        # Each is looked at: later ones name an incident, not the service that it is about.
        ours = not options.service or related.concerns(entry)
        if ours and entry.wall >= since_wall and options.kind in ("", entry.kind):
            kept.append(entry)
    return list(kept)


def _read(path: Path) -> Iterator[Entry]:
    with reading(path) as connection:
        for row in rows(connection, 0):
            try:
                yield entry_of(row)
            except (ValueError, TypeError, AttributeError) as error:
                fact = f"it is damaged: entry {row[0]} cannot be read ({error})"
                cure = "See what is left with --verify"
                raise JournalError(path, fact, cure, damaged=True) from error


def _print_text(entries: list[Entry], report: VerifyReport | None) -> None:
    for entry in entries:
        sys.stdout.write(line(entry) + "\n")
    if report is not None:
        sys.stdout.write("\n".join(told(report)) + "\n")
    elif not entries:
        sys.stdout.write("no entry of that sort\n")


def _print_json(entries: list[Entry], report: VerifyReport | None) -> None:
    data: dict[str, object] = {
        "entries": [
            {
                "number": entry.number,
                "at": entry.at,
                "wall": entry.wall,
                "kind": entry.kind,
                "body": entry.body,
                "digest": entry.digest,
            }
            for entry in entries
        ]
    }
    if report is not None:
        data["verify"] = {
            "intact": report.intact,
            "first": report.first,
            "last": report.end.number,
            "last_digest": report.end.digest,
            "broken": report.broken,
            "fact": report.fact,
            "unseen": list(report.unseen),
        }
    sys.stdout.write(json.dumps(data, indent=2) + "\n")

"""
The command line of the remediator: `tierwatch remediate serve|decide|status|history|pause|...`.

What a subcommand needs is imported when it runs. Those that ask the running remediator exit 0 when
it did what was asked, 1 when it refused or does not answer, 2 when the call or a file is wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from remediation.commands import operator_options

FINE, REFUSED, WRONG = 0, 1, 2
_MAX_BY = 100  # as the remediator takes
_CONFIG = Path("rendered/remediation/config.yml")


class _Later(argparse.ArgumentParser):
    """A parser that gets its options from `fill` when it is used: other commands do not pay for it."""

    fill: Callable[[argparse.ArgumentParser], None] | None = None

    def _filled(self) -> None:
        if self.fill is not None:
            fill, self.fill = self.fill, None
            fill(self)

    def parse_known_args(self, *args: Any, **kwargs: Any) -> Any:
        """Parse, once the options are known."""
        self._filled()
        return super().parse_known_args(*args, **kwargs)

    def format_help(self) -> str:
        """Return the help, once the options are known."""
        self._filled()
        return super().format_help()


def add_options(command: argparse.ArgumentParser) -> None:
    """Give *command* its subcommands."""
    commands = command.add_subparsers(
        title="commands", metavar="WHAT", dest="what", parser_class=_Later
    )
    for name, text, fill in _COMMANDS:
        made = commands.add_parser(name, help=text, description=f"{text[0].upper()}{text[1:]}.")
        made.fill = fill
    command.set_defaults(usage=command.format_usage)


def run(options: argparse.Namespace) -> int:
    """Do what was asked; return the exit status."""
    if options.what is None:
        sys.stderr.write(f"{options.usage()}Say what to do; --help explains.\n")
        return WRONG
    if options.what == "serve":
        return int(_module("engine.service").serve(options))
    if options.what in ("decide", "history"):
        return int(_module(f"commands.{options.what}").run(options))
    return _ask(options)


def _module(name: str) -> Any:
    from importlib import import_module

    return import_module(f"remediation.{name}")


def _serve_options(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--config", type=Path, default=_CONFIG, metavar="FILE",
        help=f"what to heal, and within which limits (default: {_CONFIG})",
    )  # fmt: skip
    command.add_argument(
        "--journal", type=Path, metavar="FILE", help="where everything is written down"
    )
    command.add_argument(
        "--listen", default="", metavar="HOST:PORT",
        help="where to serve (default: as the configuration says)",
    )  # fmt: skip
    command.add_argument(
        "--web-config", type=Path, metavar="FILE",
        help="TLS, basic auth for pages: the web.config.yml that Prometheus's own exporters read",
    )  # fmt: skip
    command.add_argument(
        "--dry-run", action="store_true", help="decide and write down everything, restart nothing"
    )
    command.add_argument(
        "--log-level",
        choices=("debug", "info", "warn", "error"),
        default="info",
        help="default: info",
    )
    command.add_argument(
        "--check", action="store_true", help="read the files, say what is wrong with them, and end"
    )


def _decide_options(command: argparse.ArgumentParser) -> None:
    _module("commands.decide").add_options(command)


def _history_options(command: argparse.ArgumentParser) -> None:
    _module("commands.history").add_options(command)


def _ask_options(command: argparse.ArgumentParser) -> None:
    operator_options.add_options(command)
    command.add_argument("--format", choices=("text", "json"), default="text", help="text or json")


def _wish_options(command: argparse.ArgumentParser) -> None:
    _ask_options(command)
    command.add_argument("--by", default="", metavar="NAME", help="who wants it (default: you)")


def _pause_options(command: argparse.ArgumentParser) -> None:
    _wish_options(command)
    command.add_argument("--reason", required=True, metavar="TEXT", help="why, for others to read")


def _approve_options(command: argparse.ArgumentParser) -> None:
    command.add_argument("incident", metavar="ID", help="which one, as status and the page name it")
    _wish_options(command)


_COMMANDS: tuple[tuple[str, str, Callable[[argparse.ArgumentParser], None]], ...] = (
    ("serve", "take in alerts and heal, until SIGTERM", _serve_options),
    ("decide", "say what would be done with an alert payload, and why", _decide_options),
    ("status", "say how things stand: incidents, budgets, what holds action up", _ask_options),
    ("history", "print the journal: what was done, and why", _history_options),
    ("pause", "restart nothing until resumed", _pause_options),
    ("resume", "go on after a pause", _wish_options),
    ("approve", "approve what an incident would do next", _approve_options),
    ("release", "go on after a storm", _wish_options),
)


def _ask(options: argparse.Namespace) -> int:
    from exporters.yaml_read import ConfigError
    from remediation.commands.operator_client import OperatorError
    from remediation.config import load_config

    try:
        client = operator_options.client(options, load_config(options.config))
    except (ConfigError, OperatorError) as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    try:
        answer = client.request(*_request(options))
    except OperatorError as error:
        sys.stderr.write(f"{error}\n")
        return REFUSED
    if options.format == "json":
        sys.stdout.write(json.dumps(answer, indent=2) + "\n")
    elif options.what == "status":
        from remediation.web.status_text import status_text

        sys.stdout.write(status_text(answer))
    else:
        sys.stdout.write(f"{_done(options, answer)}\n")
    return FINE


def _request(options: argparse.Namespace) -> tuple[Any, ...]:
    """Return method, path and body of what is asked."""
    from urllib.parse import quote

    if options.what == "status":
        return "GET", "/v1/status"
    body = {"by": (options.by or _me())[:_MAX_BY]}
    if options.what == "pause":
        body["reason"] = options.reason
    if options.what == "approve":
        return "POST", f"/v1/approve/{quote(options.incident, safe='')}", body
    return "POST", f"/v1/{options.what}", body


def _me() -> str:
    """Return the caller's name; a container's user may have none."""
    import getpass

    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return f"uid {os.getuid()}"


def _done(options: argparse.Namespace, answer: Any) -> str:
    if isinstance(answer, dict) and answer.get("changed") is False:
        return {"resume": "nothing is paused", "release": "nothing is frozen"}[options.what]
    return {
        "pause": "paused: nothing is restarted until `tierwatch remediate resume`",
        "resume": "resumed",
        "release": "released: action goes on",
        "approve": "approved: it is looked at once more, then done",
    }[options.what]

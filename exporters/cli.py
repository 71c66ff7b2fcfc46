"""
The command line of the exporters: `tierwatch exporter ollama|agents|hardware|all`.

An exporter's module is imported only when it runs: a process holds what it needs.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import math
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exporters.service import Part, Site

FINE, WRONG = 0, 2
NAMES = ("ollama", "agents", "hardware")


def add_options(command: argparse.ArgumentParser) -> None:
    """Give *command* the options that `run` reads."""
    command.add_argument(
        "exporter", choices=(*NAMES, "all"), help="which one; all: the three in one process"
    )
    command.add_argument(
        "--config", type=Path, metavar="FILE",
        help="what to watch (default: rendered/exporters/NAME.yml); with all: the folder of the three files",
    )  # fmt: skip
    command.add_argument(
        "--listen", default="", metavar="HOST:PORT",
        help="where to serve (default: as the file says); with all: one page for the three",
    )  # fmt: skip
    command.add_argument(
        "--web-config", type=Path, metavar="FILE",
        help="TLS and basic auth: the web.config.yml that Prometheus's own exporters read",
    )  # fmt: skip
    command.add_argument(
        "--timeout-offset", type=_offset, default=0.5, metavar="SECONDS",
        help="how much earlier than Prometheus's timeout a scrape ends (default: 0.5)",
    )  # fmt: skip
    command.add_argument(
        "--log-level",
        choices=("debug", "info", "warn", "error"),
        default="info",
        help="default: info",
    )
    command.add_argument(
        "--check", action="store_true", help="read the files, say what is wrong with them, and end"
    )


def _offset(text: str) -> float:
    """Return *text* as seconds, 0 or more."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not (math.isfinite(number) and number >= 0):
        raise argparse.ArgumentTypeError(
            f"{text!r} is no number of seconds from 0. Write it like 0.5."
        )
    return number


def run(options: argparse.Namespace) -> int:
    """Serve until told to stop; return the exit status."""
    from exporters.log import start_logging
    from exporters.service import serve
    from exporters.web_guard import Guard
    from exporters.yaml_read import ConfigError

    gc.enable()  # the command's other parts run without: they end after seconds
    start_logging(options.log_level)
    try:
        sites = _sites(options)
        guard = Guard(options.web_config)
        if options.check:
            for site in sites:
                site.check()
            return FINE
        serve(sites, guard)
    except ConfigError as error:
        sys.stderr.write(f"{error}\n")
        return WRONG
    return FINE


def _sites(options: argparse.Namespace) -> list[Site]:
    from exporters.config import parse_address
    from exporters.service import Site
    from exporters.yaml_read import ConfigError

    try:
        listen = parse_address(options.listen) if options.listen else None
    except ValueError as error:
        raise ConfigError(f"--listen: {error}. Write it like 0.0.0.0:9742.") from error
    parts = _parts(options.exporter, options.config)
    groups = [parts] if listen else [[part] for part in parts]
    return [Site(group, listen, options.timeout_offset) for group in groups]


def _parts(name: str, config: Path | None) -> list[Part]:
    from exporters.service import Part
    from exporters.yaml_read import ConfigError

    folder = Path("rendered/exporters")
    if name != "all":
        paths = {name: config or folder / f"{name}.yml"}
    else:
        folder = config or folder
        paths = {each: folder / f"{each}.yml" for each in NAMES}
        paths = {each: path for each, path in paths.items() if path.exists()}
    if not paths:
        names = ", ".join(f"{each}.yml" for each in NAMES)
        raise ConfigError(f"{folder}: none of {names} is there. Name their folder with --config.")
    return [
        Part(importlib.import_module(f"exporters.{each}").build, path, each)
        for each, path in paths.items()
    ]

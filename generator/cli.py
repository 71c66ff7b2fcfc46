"""
The `tierwatch` command: generate, verify, diff, explain, exporter, remediate, maintenance, guard.

Exit 0 when all is well, 1 when something was found, 2 when the input or the call is wrong.
Other rooms' subcommands are imported only when they are called.
"""

from __future__ import annotations

import argparse
import gc
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from generator import console
from generator.errors import FindingsError, ObsError

FINE, FOUND, WRONG = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line *arguments* (default: the process's) and return the exit status."""
    parser = build_parser()
    options = parser.parse_args(arguments)
    if not hasattr(options, "run"):
        parser.print_help()
        return WRONG
    # A run is short and keeps what it makes: looking for garbage costs a tenth and finds none.
    collecting = gc.isenabled()
    gc.disable()
    try:
        return int(options.run(options))
    except FindingsError as error:
        return _report_findings(error, as_json=getattr(options, "format", "text") == "json")
    except ObsError as error:
        console.error(str(error))
        return WRONG
    except BrokenPipeError:
        # The reader (head, less) has gone; that is no mistake of anybody's.
        sys.stderr.close()
        return FINE
    except KeyboardInterrupt:
        return 130
    finally:
        if collecting:
            gc.enable()


def _report_findings(error: FindingsError, *, as_json: bool) -> int:
    from generator.summary import finding_data

    if as_json:
        found = [finding_data(finding) for finding in error.findings]
        sys.stdout.write(json.dumps({"findings": found}, indent=2) + "\n")
    else:
        for finding in error.findings:
            console.error(str(finding))
        count = len(error.findings)
        console.error(f"{count} {'problem' if count == 1 else 'problems'}; nothing was written")
    return WRONG


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command."""
    parser = argparse.ArgumentParser(
        prog="tierwatch",
        description="Turn one service catalog into a verified observability stack.",
        epilog="Exit status: 0 fine, 1 something was found, 2 the input or the call is wrong.",
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="say which version this is")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    _add_generate(commands)
    _add_verify(commands)
    _add_diff(commands)
    _add_explain(commands)
    _add_exporter(commands)
    _add_remediate(commands)
    _add_maintenance(commands)
    _add_guard(commands)
    return parser


class _Version(argparse.Action):
    """`--version`: looked up only when asked for, reading package metadata takes 15 ms."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> None:
        """Say the version and end."""
        sys.stdout.write(f"tierwatch {_version()}\n")
        parser.exit()


def _version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tierwatch")
    except PackageNotFoundError:
        return "unreleased"


def _catalog_option(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--catalog", type=Path, default=Path("catalog"), metavar="DIR",
        help="folder with platform.yml and the tier files (default: catalog)",
    )  # fmt: skip
    command.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="text for people, json for machines",
    )


def _add_generate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "generate",
        help="render a catalog into a folder",
        description="Load the catalog, render every file, run the pure proofs, and write the folder. "
        "Nothing is written when the catalog is wrong; what the folder held before stays.",
    )
    _catalog_option(command)
    command.add_argument(
        "--out", type=Path, default=Path("rendered"), metavar="DIR",
        help="folder to write: new, empty, or written by tierwatch before (default: rendered)",
    )  # fmt: skip
    command.add_argument(
        "--check",
        action="store_true",
        help="write nothing; exit 1 if DIR differs from what the catalog gives",
    )
    command.set_defaults(run=_generate)


def _generate(options: argparse.Namespace) -> int:
    from generator.commands import generate

    return generate(
        options.catalog, options.out, check=options.check, as_json=options.format == "json"
    )


def _add_verify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "verify",
        help="prove that what a catalog gives works",
        description="Render the catalog in memory, run all proofs and let promtool, amtool, Loki, Promtail "
        "and the blackbox exporter judge the result. Writes nothing.",
    )
    _catalog_option(command)
    command.add_argument(
        "--require-tools",
        action="store_true",
        help="exit 1 when a judge is missing instead of saying so",
    )
    command.add_argument("--pack", default="", help="judge only the rules of this alert pack")
    command.set_defaults(run=_verify)


def _verify(options: argparse.Namespace) -> int:
    from generator.commands import verify

    return verify(
        options.catalog,
        pack=options.pack,
        require_tools=options.require_tools,
        as_json=options.format == "json",
    )


def _add_diff(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "diff",
        help="say what changes between two rendered folders",
        description="Compare two rendered folders (or two catalogs) by meaning: alerts and thresholds, "
        "targets, routes, settings, boards. Exit 1 when they differ.",
    )
    command.add_argument("old", type=Path, metavar="OLD", help="rendered folder or catalog")
    command.add_argument("new", type=Path, metavar="NEW", help="rendered folder or catalog")
    command.add_argument("--format", choices=("text", "json"), default="text", help="text or json")
    command.set_defaults(run=_diff)


def _diff(options: argparse.Namespace) -> int:
    from generator.commands import diff

    return diff(options.old, options.new, as_json=options.format == "json")


def _add_explain(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    command = commands.add_parser(
        "explain",
        help="print everything that follows from a service, kind, alert or tier",
        description="Say where NAME comes from and what follows from it: targets, verdict, alerts with "
        "their receivers, boards, log pipeline, remediation.",
    )
    command.add_argument("name", metavar="NAME", help="service, kind, alert or tier")
    _catalog_option(command)
    command.set_defaults(run=_explain)


def _explain(options: argparse.Namespace) -> int:
    from generator.commands import explain

    return explain(options.catalog, options.name, as_json=options.format == "json")


def _add_exporter(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from exporters.cli import add_options

    command = commands.add_parser(
        "exporter",
        help="run an exporter: ollama, agents, hardware, or all of them",
        description="Serve metrics of what FILE names until SIGTERM. SIGHUP, or a change of FILE, makes it "
        "be read again.",
    )
    add_options(command)
    command.set_defaults(run=_exporter)


def _exporter(options: argparse.Namespace) -> int:
    from exporters.cli import run

    return run(options)


def _add_remediate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from remediation.commands.remediate import add_options

    command = commands.add_parser(
        "remediate",
        help="run the remediator, or ask it: serve, decide, status, history, pause, ...",
        description="Serve Alertmanager's webhook and restart what is degraded, within limits; or ask the "
        "remediator that runs how things stand, pause it, approve what it asks for.",
    )
    add_options(command)
    command.set_defaults(run=_remediate)


def _remediate(options: argparse.Namespace) -> int:
    from remediation.commands.remediate import run

    return run(options)


def _add_maintenance(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from remediation.commands.maintenance import add_options

    command = commands.add_parser(
        "maintenance",
        help="announce work on a service or tier: people are spared, nothing is restarted",
        description="Silence the alerts of SERVICE or TIER in Alertmanager and hold the remediator, for a while; "
        "or end that, or list what is announced. Exit 1 when one of the two does not do it.",
    )
    add_options(command)
    command.set_defaults(run=_maintenance)


def _maintenance(options: argparse.Namespace) -> int:
    from remediation.commands.maintenance import run

    return run(options)


def _add_guard(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    from remediation.commands.guard import add_options

    command = commands.add_parser(
        "guard",
        help="look after Prometheus, Alertmanager, the remediator and its proxies, from a host timer",
        description="Check once and restart what has failed, these containers only, at most three times an hour "
        "each; then page. Exit 1 when something is down and was not restarted.",
    )
    add_options(command)
    command.set_defaults(run=_guard)


def _guard(options: argparse.Namespace) -> int:
    from remediation.commands.guard import run

    return run(options)


if __name__ == "__main__":
    sys.exit(main())

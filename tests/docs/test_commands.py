"""Commands and make targets that the pages show exist, and those that exist are told of."""

from __future__ import annotations

import re
import shlex

from generator.cli import build_parser
from tests.docs.markdown import ROOT, commands, pages, prose

README = ROOT / "README.md"
_TARGET = re.compile(r"^([a-z][a-z-]*):(?!=)", re.MULTILINE)


def accepted(line: str) -> bool:
    """Return whether the command's parser takes *line*; `--help` and a bare group are no calls."""
    words = shlex.split(line.partition(" # ")[0].partition("   ")[0])[1:]
    try:
        build_parser().parse_args(words)
    except SystemExit as error:
        return error.code == 0
    return True


def test_commands_exist() -> None:
    """Every `tierwatch` command line of any page is one that the command understands."""
    refused = {
        line for page in pages() for line in commands(page, "tierwatch") if not accepted(line)
    }

    assert refused == set()


def test_unknown_commands_are_seen() -> None:
    """A command or an option that does not exist is refused; a real one with a comment is not."""
    lines = (
        "tierwatch make",
        "tierwatch generate --force",
        "tierwatch diff old new # what changes",
    )

    assert [accepted(line) for line in lines] == [False, False, True]


def test_make_targets_exist() -> None:
    """Every `make` target that a page shows is in the Makefile."""
    shown = {line.split()[1] for page in pages() for line in commands(page, "make")}

    assert shown - targets() == set()
    assert {"dashboards", "test"} <= shown


def targets() -> set[str]:
    """Return the targets of the Makefile that people call."""
    return set(_TARGET.findall((ROOT / "Makefile").read_text(encoding="utf-8")))


def test_readme_begins_with_the_two_commands() -> None:
    """The first block of the README is `make dashboards` and `make test`, nothing before it but the title."""
    text = README.read_text(encoding="utf-8")

    assert re.findall(r"^make (\w+)", text.split("```")[1], re.MULTILINE) == ["dashboards", "test"]
    assert text.split("```")[0].split() == ["#", "Tierwatch"]


def test_readme_tells_of_every_subcommand() -> None:
    """The table of commands has one line per subcommand, in the order of `tierwatch --help`."""
    table = re.findall(r"^\| `tierwatch (\w+)", prose(README), re.MULTILINE)
    known = re.findall(r"^    (\w+)", build_parser().format_help(), re.MULTILINE)

    assert table == [name for name in known if name != "COMMAND"]

"""
Say in a person's words what the YAML parser did not like.

libyaml's messages speak of tokens and contexts; most mistakes are one of the few below.
"""

from __future__ import annotations

import yaml

from generator.errors import Finding, Place

# (part of libyaml's problem or context, fact, cure); the first that fits is used.
_WORDS = (
    (
        "mapping values are not allowed",
        "a ':' stands where no key can be",
        "Put a text that contains ': ' in quotes, and check the indentation.",
    ),
    (
        "could not find expected ':'",
        "this line, or the one above it, is neither 'key: value' nor an item of a list",
        "Check for a missing ':' or quote.",
    ),
    (
        "found unexpected end of stream",
        "a text in quotes is not closed before the file ends",
        "Add the closing quote.",
    ),
    (
        "',' or ']'",
        "a list in [brackets] is not closed or lacks a ','",
        "Close it, and put ',' between its items.",
    ),
    (
        "',' or '}'",
        "a mapping in {braces} is not closed or lacks a ','",
        "Close it, and put ',' between its pairs.",
    ),
    (
        "did not find expected '-'",
        "a list item does not start with '- '",
        "Check the indentation against the items above.",
    ),
    (
        "did not find expected key",
        "the indentation fits no mapping above, or text follows a closed quote",
        "Line the key up with its neighbours.",
    ),
    (
        "block sequence entries are not allowed",
        "a '- ' stands where no list can start",
        "Put the list on a line of its own.",
    ),
    ("undefined alias", "an alias is used", "Write the value out."),
    ("unknown escape", "an escape in double quotes is unknown", "Use single quotes, or '\\\\'."),
    ("undefined tag handle", "a tag is used", "Remove the word that starts with '!'."),
)


def say_syntax_error(error: yaml.MarkedYAMLError, text: str, shown: str) -> Finding:
    """Return a finding for *error* in *text*, placed where the parser stopped."""
    mark = error.problem_mark or error.context_mark
    line, column = (mark.line, mark.column) if mark else (0, 0)
    place = Place(shown, line + 1, column + 1)
    problem = f"{error.context or ''} {error.problem or ''}".strip()
    lines = text.split("\n")
    rest = lines[line][column:] if line < len(lines) else ""
    if "cannot start any token" in problem:
        if rest.startswith("\t"):
            return Finding(place, "a tab is used to indent", "Use spaces.", "yaml")
        fact = f"a value cannot start with {rest[:1]!r}"
        return Finding(place, fact, "Put the value in quotes.", "yaml")
    for part, fact, cure in _WORDS:
        if part in problem:
            return Finding(place, fact, cure, "yaml")
    return Finding(place, f"this is not valid YAML: {problem}", "Check this line.", "yaml")

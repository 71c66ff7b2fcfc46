"""
Hold data against a JSON Schema and say in plain words what does not fit.

In: the shipped schema (a subset of draft 2020-12, see `_KEYWORDS`) and plain data. Out: problems
with the path of the value, a fact and a cure. `title` says what is expected, `examples` how to
write it. Written here because the public validator takes 0.1 s to import, 10 s for 10,000
services, and its messages are for programmers; a test holds this one against that one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Any

from generator.secret_text import find_secret

Path = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong at *path*. *fact* speaks of the field *inside*; empty: of the whole file."""

    path: Path
    inside: Path
    fact: str
    cure: str
    spoken: bool  # True: `size must be ...`; False: `size: unknown key ...`

    def sentence(self, skip: int) -> str:
        """Return the fact with the field's name in front, less the first *skip* keys of its path."""
        name = field_name(self.inside[skip:])
        if not name and self.spoken:
            return f"it {self.fact}" if skip else f"the file {self.fact}"
        if not name:
            return self.fact
        return f"{name} {self.fact}" if self.spoken else f"{name}: {self.fact}"


Check = Callable[[Any, Path], Iterator[Problem]]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
}
_TYPE_WORDS = {
    "object": "a mapping",
    "array": "a list",
    "string": "text",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
}
_ANNOTATIONS = frozenset({"$schema", "$id", "$defs", "title", "description", "examples"})
# What is read beside annotations, by what the node is. Anything else would be passed over in silence.
_LIMITS = frozenset({"type", "minimum", "exclusiveMinimum", "maximum"})
_KEYWORDS: Mapping[str, frozenset[str]] = {
    "$ref": frozenset({"$ref"}),
    "anyOf": frozenset({"anyOf"}),
    "object": frozenset(
        {"type", "properties", "required", "additionalProperties", "propertyNames"}
    ),
    "array": frozenset({"type", "items", "minItems", "maxItems", "uniqueItems"}),
    "string": frozenset({"type", "pattern", "enum", "maxLength"}),
    "integer": _LIMITS,
    "number": _LIMITS,
    "boolean": frozenset({"type"}),
}
_LONGEST_SHOWN = 60


def compile_schema(schema: Mapping[str, Any], start: str) -> Check:
    """Return the check for `#/$defs/<start>`. KeyError for a keyword this module does not know."""
    return _Compiler(schema["$defs"]).named(start)


def show(value: Any) -> str:
    """Return *value* for a message: quoted, short, on one line, and never a secret."""
    if isinstance(value, str):
        if find_secret(value):
            return "a text that looks like a secret"
        return ascii(value if len(value) <= _LONGEST_SHOWN else value[:_LONGEST_SHOWN] + "...")
    if isinstance(value, bool):
        return "true" if value else "false"
    words = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return words.get(type(value)) or str(value)[:_LONGEST_SHOWN]


def suggest(wrong: str, known: Iterator[str] | tuple[str, ...] | list[str]) -> str:
    """Return `Did you mean 'x'?`, or the choices when they are few, or an empty text."""
    choices = sorted(known)
    close = get_close_matches(wrong[:_LONGEST_SHOWN], choices, n=1)
    if close:
        return f"Did you mean {close[0]!r}?"
    few = 40  # fits three lines of a terminal; arbitrary
    if 0 < len(choices) <= few:
        return f"Known: {', '.join(choices)}."
    return ""


def field_name(path: Path) -> str:
    """Return *path* as `depends_on.redis` or `ports[0]`; empty for the root."""
    text = ""
    for key in path:
        text += f"[{key}]" if isinstance(key, int) else f".{key}" if text else key
    return text


class _Compiler:
    """Turns schema nodes into closures; references are shared and may be recursive."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self.definitions = definitions
        self.compiled: dict[str, Check] = {}

    def named(self, name: str) -> Check:
        """Return the check of `#/$defs/<name>`."""
        if name not in self.compiled:
            self.compiled[name] = self.node(self.definitions[name])
        return self.compiled[name]

    def resolve(self, node: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return *node*, or what its reference points to."""
        if "$ref" not in node:
            return node
        target: Mapping[str, Any] = self.definitions[node["$ref"].removeprefix("#/$defs/")]
        return target

    def node(self, node: Mapping[str, Any]) -> Check:
        """Return the check of one schema node. KeyError for a keyword that would be passed over."""
        form = next((key for key in ("$ref", "anyOf") if key in node), node.get("type", ""))
        unknown = node.keys() - _KEYWORDS[form] - _ANNOTATIONS
        if unknown:
            raise KeyError(*sorted(unknown))
        if "$ref" in node:
            return self.named(node["$ref"].removeprefix("#/$defs/"))
        if "anyOf" in node:
            return self.choice(node)
        makers = {"object": self.mapping, "array": self.sequence, "string": _text}
        return makers.get(node["type"], _plain)(node)

    def choice(self, node: Mapping[str, Any]) -> Check:
        """Return the check of `anyOf`: the branch is chosen by the type of the value alone."""
        branches: dict[type, Check] = {}
        for option in node["anyOf"]:
            for kind in _TYPES[self.resolve(option)["type"]]:
                branches[kind] = self.node(option)

        def check(value: Any, path: Path) -> Iterator[Problem]:
            branch = branches.get(type(value))
            if branch is None:
                yield _wrong(node, value, path)
            else:
                yield from branch(value, path)

        return check

    def mapping(self, node: Mapping[str, Any]) -> Check:
        """Return the check of a mapping."""
        properties = {key: self.node(value) for key, value in node.get("properties", {}).items()}
        required = tuple(node.get("required", ()))
        rest = node.get("additionalProperties", False)
        other = self.node(rest) if isinstance(rest, dict) else None
        keys = self.node(node["propertyNames"]) if "propertyNames" in node else None

        def check(value: Any, path: Path) -> Iterator[Problem]:
            if type(value) is not dict:
                yield _wrong(node, value, path)
                return
            for key, item in value.items():
                if keys is not None:
                    yield from _bad_key(keys, key, path)
                known = properties.get(key, other)
                if known is not None:
                    yield from known(item, (*path, key))
                else:
                    fact = f"unknown key {show(key)}"
                    cure = suggest(key, list(properties))
                    yield Problem((*path, key), path, fact, cure, spoken=False)
            for key in required:
                if key not in value:
                    fact = f"the key {key!r} is missing"
                    yield Problem(path, path, fact, f"Add '{key}:'.", spoken=False)

        return check

    def sequence(self, node: Mapping[str, Any]) -> Check:
        """Return the check of a list."""
        items = self.node(node["items"])
        least, most = node.get("minItems", 0), node.get("maxItems", 1_000_000)
        unique = node.get("uniqueItems", False)

        def check(value: Any, path: Path) -> Iterator[Problem]:
            if type(value) is not list:
                yield _wrong(node, value, path)
                return
            for index, item in enumerate(value):
                yield from items(item, (*path, index))
                if unique and item in value[:index]:
                    fact = f"names {show(item)} twice"
                    cure = "Remove one of them."
                    yield Problem((*path, index), path, fact, cure, spoken=True)
            if not least <= len(value) <= most:
                fact = f"has {len(value)} entries"
                yield Problem(path, path, fact, f"Give it {least} to {most}.", spoken=True)

        return check


def _bad_key(keys: Check, key: str, path: Path) -> Iterator[Problem]:
    for problem in keys(key, (*path, key)):
        expected = problem.fact.removeprefix("must be ").rpartition(", not ")[0]
        fact = f"the name {show(key)} is not allowed"
        cure = f"Use {expected}. {problem.cure}".rstrip()
        yield Problem((*path, key), path, fact, cure, spoken=False)


def _text(node: Mapping[str, Any]) -> Check:
    """Return the check of a text."""
    # The schema anchors its patterns; Python's `$` would let a trailing newline through.
    pattern = node.get("pattern", ".*").removeprefix("^").removesuffix("$")
    fits = re.compile(pattern).fullmatch
    allowed = frozenset(node["enum"]) if "enum" in node else None
    longest = node.get("maxLength", 1_000_000)

    def check(value: Any, path: Path) -> Iterator[Problem]:
        if type(value) is not str:
            yield _wrong(node, value, path)
        elif allowed is not None:
            if value not in allowed:
                close = get_close_matches(value[:_LONGEST_SHOWN], sorted(allowed), n=1)
                cure = f"Did you mean {close[0]!r}?" if close else ""
                yield replace(_wrong(node, value, path), cure=cure)
        elif len(value) > longest:
            fact = f"is {len(value)} characters long"
            yield Problem(path, path, fact, f"Keep it within {longest}.", spoken=True)
        elif fits(value) is None:
            yield _wrong(node, value, path)

    return check


def _plain(node: Mapping[str, Any]) -> Check:
    """Return the check of a number or boolean."""
    types = _TYPES[node["type"]]
    low, above, high = (node.get(key) for key in ("minimum", "exclusiveMinimum", "maximum"))

    def check(value: Any, path: Path) -> Iterator[Problem]:
        good = type(value) in types
        if good and low is not None:
            good = low <= value
        if good and above is not None:
            good = above < value
        if good and high is not None:
            good = value <= high
        if not good:
            yield _wrong(node, value, path)

    return check


def _wrong(node: Mapping[str, Any], value: Any, path: Path) -> Problem:
    """Return the problem of a *value* that is not what *node* expects."""
    expected = node.get("title") or _TYPE_WORDS[node["type"]]
    fact = f"must be {expected}, not {show(value)}"
    return Problem(path, path, fact, _cure(node), spoken=True)


def _cure(node: Mapping[str, Any]) -> str:
    """Return how to write what *node* expects, as far as the schema's examples tell."""
    if node.get("type") == "boolean":
        return "Write true or false."
    if "examples" in node:
        example = node["examples"][0]
        return (
            f"Write it like {example!r}." if isinstance(example, str) else f"For example {example}."
        )
    return ""

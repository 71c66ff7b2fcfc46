"""
Read a YAML file strictly and remember where everything stands.

In goes a path, out comes plain data (dict, list, str, int, float, bool, None) and the place of every
key and item. No anchors, aliases, tags or second documents; no surprises of YAML 1.1 (`no` is a
text). The generator has such a reader of its own: the exporters are processes that share no code
with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

MAX_BYTES = 16 * 1024 * 1024  # 20,000 targets take 5 MB; arbitrary beyond that
MAX_DEPTH = 32  # a configuration needs 6; arbitrary beyond that

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(r"[-+]?(0|[1-9][0-9]*)\.[0-9]+")
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}


class ConfigError(Exception):
    """The configuration is wrong; the text has one line per problem: place, fact, cure."""


@dataclass(slots=True)
class Document:
    """A file's *data*, and the line of each member by the path of keys that leads to it."""

    file: str
    data: Any
    lines: dict[tuple[str | int, ...], int] = field(default_factory=dict)

    def place(self, keys: tuple[str | int, ...]) -> str:
        """Return `file:line` of what *keys* lead to, or of its nearest ancestor."""
        while keys and keys not in self.lines:
            keys = keys[:-1]
        return f"{self.file}:{self.lines.get(keys, 1)}"


def read_yaml(path: Path) -> Document:
    """
    Return the document in *path*.

    Raises:
        ConfigError: It cannot be read, is not YAML, is too large, or uses what is not allowed.
    """
    try:
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {_reason(error)}. Name a file that can be read.") from error
    if len(content) > MAX_BYTES:
        raise ConfigError(
            f"{path}: larger than {MAX_BYTES // 2**20} MiB. Leave out what is not needed."
        )
    try:
        return _Reader(str(path), yaml.parse(content, Loader=yaml.CSafeLoader)).read()
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError(f"{path}:{line}: not YAML: {error.problem}. Correct the line.") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        what = str(error).splitlines()[0]
        raise ConfigError(f"{path}: not YAML: {what}. Write it in UTF-8.") from error


def _reason(error: OSError) -> str:
    return (error.strerror or str(error)).lower()


class _Reader:
    """Turns the parser's events into data, one by one: a tower of brackets is refused as it grows."""

    def __init__(self, file: str, events: Iterator[Any]) -> None:
        self._events = events
        self._document = Document(file, None)

    def read(self) -> Document:
        documents = 0
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    self._refuse(event, "a second document", "Keep one document per file")
            elif isinstance(event, yaml.NodeEvent):
                self._document.data = self._node(event, ())
        return self._document

    def _refuse(self, event: Any, fact: str, cure: str) -> None:
        raise ConfigError(f"{self._document.file}:{event.start_mark.line + 1}: {fact}. {cure}.")

    def _node(self, event: Any, keys: tuple[str | int, ...]) -> Any:
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            self._refuse(event, "an anchor or alias", "Write the value out")
        if len(keys) > MAX_DEPTH:
            self._refuse(event, f"nested deeper than {MAX_DEPTH}", "Flatten it")
        self._document.lines.setdefault(keys, event.start_mark.line + 1)
        if getattr(event, "tag", None) not in (None, "!"):
            self._refuse(event, f"a tag ({event.tag})", "Leave the tag out")
        if isinstance(event, yaml.MappingStartEvent):
            return self._mapping(keys)
        if isinstance(event, yaml.SequenceStartEvent):
            return self._sequence(keys)
        return _scalar(event)

    def _mapping(self, keys: tuple[str | int, ...]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent):
                self._refuse(event, "a key that is not a text", "Use plain keys")
            key = event.value
            if key in found:
                self._refuse(event, f"{key!r} stands here twice", "Keep one of the two")
            self._document.lines[(*keys, key)] = event.start_mark.line + 1
            found[key] = self._node(next(self._events), (*keys, key))
        return found

    def _sequence(self, keys: tuple[str | int, ...]) -> list[Any]:
        found: list[Any] = []
        while not isinstance(event := next(self._events), yaml.SequenceEndEvent):
            found.append(self._node(event, (*keys, len(found))))
        return found


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.style:  # quoted, or a block
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _INT.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text

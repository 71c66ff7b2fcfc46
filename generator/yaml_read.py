"""
Read YAML strictly: what stands in the file is what the program gets, with its place.

In goes a path, out comes plain data (dict, list, str, int, float, bool, None) and the line and
column of every key and item. The C parser's events are read one by one, so an alias bomb or a
tower of brackets is refused at its first step and costs nothing. Deliberately not here: anchors,
aliases, merge keys, tags, several documents, and the surprises of YAML 1.1 (`on`, `no`,
sexagesimal, octal and underscored numbers, dates: all of these stay text).
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from generator.errors import CatalogError, Finding, Place
from generator.yaml_words import say_syntax_error

MAX_BYTES = 16 * 1024 * 1024  # 10,000 services take 4 MB; arbitrary beyond that
MAX_DEPTH = 32  # a catalog needs 6; arbitrary beyond that
MAX_FINDINGS = 100  # per file, so that a hostile file cannot flood the terminal

_INT = re.compile(r"[-+]?(0|[1-9][0-9]{0,17})")
_FLOAT = re.compile(
    r"[-+]?(0|[1-9][0-9]*)?\.[0-9]+|[-+]?(0|[1-9][0-9]*)(\.[0-9]+)?[eE][-+]?[0-9]{1,2}"
)
_WORDS: dict[str, Any] = {"": None, "~": None, "null": None, "true": True, "false": False}
_NUMBER_START = frozenset("+-.0123456789")
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SPOT_BITS = 20  # a spot packs line and column into one int: tuples would wake the collector
_SPOT_MASK = (1 << _SPOT_BITS) - 1


@dataclass(frozen=True, slots=True)
class Document:
    """One file's data. *spots* knows, by id of each dict and list in *data*, where its members stand."""

    data: Any
    file: str
    spots: dict[int, Any]
    root: int

    def place(self, *keys: str | int) -> Place:
        """Return where the key or item at *keys* stands; that of the nearest known ancestor if unknown."""
        spot, data = self.root, self.data
        for key in keys:
            try:
                spot = self.spots[id(data)][key]
                data = data[key]
            except (KeyError, IndexError, TypeError):
                break
        return _place(self.file, spot)


@contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the cycle collector off: loading makes no cycles, and scanning for them takes half the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read_yaml(path: Path, shown: str) -> Document:
    """
    Return the one document in *path*; an empty file gives None as data.

    Args:
        path: The file.
        shown: Its name in messages, as the user would write it.

    Raises:
        CatalogError: The file cannot be read or is not the strict YAML described above;
            carries every problem up to the first that stops the parser.
    """
    return parse_yaml(_read_text(path, shown), shown)


def parse_yaml(text: str, shown: str) -> Document:
    """Return the one document in *text*; raises CatalogError like `read_yaml`."""
    odd = _UNPRINTABLE.search(text)
    if odd:
        line = text.count("\n", 0, odd.start()) + 1
        column = odd.start() - text.rfind("\n", 0, odd.start())
        fact = f"the character U+{ord(odd.group()):04X} is not allowed in YAML"
        raise CatalogError([Finding(Place(shown, line, column), fact, "Remove it.", "yaml")])
    reader = _Reader(shown)
    parser = yaml.CSafeLoader(text)
    with collector_paused():
        try:
            reader.read(parser)
        except yaml.MarkedYAMLError as error:
            reader.findings.append(say_syntax_error(error, text, shown))
        finally:
            parser.dispose()
    if reader.findings:
        raise CatalogError(reader.findings)
    return Document(reader.top[0] if reader.top else None, shown, reader.spots, reader.root)


def _read_text(path: Path, shown: str) -> str:
    """Return the text of *path*; CatalogError if it is missing, too large or not UTF-8."""
    here = Place(shown)
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        fact = f"the file cannot be read: {reason}"
        raise CatalogError([Finding(here, fact, "Check its name and rights.", "yaml")]) from error
    if len(raw) > MAX_BYTES:
        fact = f"the file is larger than {MAX_BYTES // 1024 // 1024} MiB"
        raise CatalogError([Finding(here, fact, "Split it into several files.", "yaml")])
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        column = error.start - raw.rfind(b"\n", 0, error.start)
        fact = f"the byte 0x{raw[error.start]:02x} is not UTF-8"
        cure = "Save the file as UTF-8."
        raise CatalogError([Finding(Place(shown, line, column), fact, cure, "yaml")]) from error


def _place(file: str, spot: int) -> Place:
    """Return the place that *spot* packs."""
    return Place(file, (spot >> _SPOT_BITS) + 1, (spot & _SPOT_MASK) + 1)


def _scalar(value: str) -> Any:
    """Return what the plain scalar *value* means in YAML 1.2's core schema, without octal, hex, inf and nan."""
    if value in _WORDS:
        return _WORDS[value]
    if value[0] in _NUMBER_START:
        if _INT.fullmatch(value):
            return int(value)
        if _FLOAT.fullmatch(value):
            return float(value)
    return value


class _StopReadingError(Exception):
    """The rest of the file is not worth reading."""


class _Reader:
    """Builds data from parser events with a stack of its own, so that depth is ours to limit."""

    def __init__(self, shown: str) -> None:
        self.shown = shown
        self.findings: list[Finding] = []
        self.spots: dict[int, Any] = {}
        self.top: list[Any] = []
        self.root = 0
        self.anchored = False
        self.kept: list[Any] = []  # dropped duplicates: their ids must not be given out again

    def read(self, parser: Any) -> None:
        """Read the whole stream; findings are collected, syntax errors are left to the caller."""
        try:
            self._read_events(parser.get_event)
        except _StopReadingError:
            return

    def _read_events(self, next_event: Any) -> None:  # noqa: C901, PLR0912, PLR0915  (one hot loop)
        """Turn events into data. One loop without calls per event: it runs 300,000 times for 10,000 services."""
        scalar_event, alias_event = yaml.ScalarEvent, yaml.AliasEvent
        mapping_start, sequence_start = yaml.MappingStartEvent, yaml.SequenceStartEvent
        ends = (yaml.MappingEndEvent, yaml.SequenceEndEvent)
        stack: list[
            Any
        ] = []  # (container, its spots, key that waits for a value, spot of that key)
        container: Any = self.top
        spots: Any = []
        key: str | None = None
        key_spot = 0
        while True:
            event = next_event()
            kind = type(event)
            if kind is scalar_event:
                mark = event.start_mark
                spot = mark.line << _SPOT_BITS | min(mark.column, _SPOT_MASK)
                if event.anchor is not None or (event.tag is not None and event.tag != "!"):
                    self._refuse(event, spot)
                value = _scalar(event.value) if event.implicit[0] else event.value
                if type(container) is dict and key is None:
                    key, key_spot = self._key(value, event, spot, container), spot
                    continue
            elif kind is mapping_start or kind is sequence_start:
                mark = event.start_mark
                spot = mark.line << _SPOT_BITS | min(mark.column, _SPOT_MASK)
                if event.anchor is not None or (event.tag is not None and event.tag != "!"):
                    self._refuse(event, spot)
                if type(container) is dict and key is None:
                    self._stop(
                        spot, "a mapping or list cannot be a key", "Use plain text as the key."
                    )
                if len(stack) >= MAX_DEPTH:
                    self._stop(spot, f"nested deeper than {MAX_DEPTH} levels", "Make it flatter.")
                value = {} if kind is mapping_start else []
            elif kind in ends:
                container, spots, key, key_spot = stack.pop()
                continue
            elif kind is alias_event:
                mark = event.start_mark
                spot = mark.line << _SPOT_BITS | min(mark.column, _SPOT_MASK)
                self._refuse(event, spot)
                value = None
                if type(container) is dict and key is None:
                    key, key_spot = "", spot
                    continue
            elif kind is yaml.StreamEndEvent:
                return
            else:
                if kind is yaml.DocumentStartEvent and self.top:
                    mark = event.start_mark
                    spot = mark.line << _SPOT_BITS
                    self._stop(spot, "a second document starts", "Remove the line '---'.")
                continue
            if type(container) is dict:
                container[key] = value
                spots[key] = key_spot
                key = None
            else:
                container.append(value)
                spots.append(spot)
                if container is self.top:
                    self.root = spot
            if kind is not scalar_event and kind is not alias_event:
                stack.append((container, spots, key, key_spot))
                container, key = value, None
                spots = {} if kind is mapping_start else []
                self.spots[id(value)] = spots

    def _key(self, value: Any, event: Any, spot: int, container: dict[str, Any]) -> str:
        """Return the key to use; refuses merge keys, keys that are not text, and repeated ones."""
        if value == "<<" and event.implicit[0]:
            self._add(spot, "merge keys ('<<') are not allowed", "Write the keys out.")
        elif not isinstance(value, str):
            fact = f"the key {event.value!r} is not text"
            self._add(spot, fact, f'Write it in quotes: "{event.value}".')
        elif value in container:
            old = container[value]
            if isinstance(old, dict | list):
                self.kept.append(old)
            first = _place(self.shown, self.spots[id(container)][value])
            fact = f"the key {value!r} is there twice, first in line {first.line}"
            self._add(spot, fact, "Remove one of them.")
        return str(event.value)

    def _refuse(self, event: Any, spot: int) -> None:
        """Report the anchor, alias or tag of *event*."""
        alias = isinstance(event, yaml.AliasEvent)
        if event.anchor is not None and not self.anchored:
            # One is enough: a bomb has thousands.
            self.anchored = True
            fact = f"anchors and aliases ('{'*' if alias else '&'}{event.anchor}') are not allowed"
            self._add(spot, fact, "Write the values out.")
        if not alias and event.tag is not None and event.tag != "!":
            self._add(spot, f"tags ({event.tag!r}) are not allowed", "Remove it.")

    def _add(self, spot: int, fact: str, cure: str) -> None:
        """Report one problem and go on, until there are too many."""
        self.findings.append(Finding(_place(self.shown, spot), fact, cure, "yaml"))
        if len(self.findings) >= MAX_FINDINGS:
            self._stop(
                spot, f"there are more than {MAX_FINDINGS} problems here", "Mend these first."
            )

    def _stop(self, spot: int, fact: str, cure: str) -> None:
        """Report one problem that makes the rest unreadable."""
        self.findings.append(Finding(_place(self.shown, spot), fact, cure, "yaml"))
        raise _StopReadingError

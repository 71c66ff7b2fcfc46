"""
Read JSON that a stranger may have written: in time linear to its length, or not at all.

Bytes in, plain values out. Refused are what other readers take in their own way, so that nobody can
mean two things at once: duplicate keys, NaN and Infinity, other encodings than UTF-8, a byte order
mark. Nesting and numbers are bounded before anything is made of them.
"""

from __future__ import annotations

import itertools
import json
import re
from typing import Any

MAX_DEPTH = 32  # Alertmanager's own message has 5; arbitrary beyond that
MAX_NUMBER = 32  # characters; no number that we read has more

# Strings, also one that never ends. Possessive: a hostile text costs its length and no more.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\\?\Z)', re.DOTALL)
_NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_STEP = {ord("["): 1, ord("{"): 1, ord("]"): -1, ord("}"): -1}


class JsonError(ValueError):
    """The text is not what we take for JSON; its message says why, in a few words of our own."""


def read_json(body: bytes, *, max_depth: int = MAX_DEPTH) -> Any:
    """
    Return what *body* says.

    Raises:
        JsonError: It is no JSON, or none that we take; never a part of *body* in the message.
    """
    if depth(body) > max_depth:
        raise JsonError(f"nested deeper than {max_depth} levels")
    try:
        return _DECODER.decode(body.decode("utf-8"))
    except JsonError:
        raise
    except UnicodeDecodeError as error:
        raise JsonError("not UTF-8") from error
    except (ValueError, RecursionError) as error:
        raise JsonError("not JSON") from error


def depth(body: bytes) -> int:
    """Return how deep the brackets in *body* go, those within strings not counted."""
    brackets = _STRINGS.sub(b"", body).translate(None, _NOT_BRACKETS)
    return max(itertools.accumulate(map(_STEP.__getitem__, brackets)), default=0)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise JsonError("a key stands twice in one object")
    return found


def _int(text: str) -> int:
    if len(text) > MAX_NUMBER:
        raise JsonError(f"a number of more than {MAX_NUMBER} characters")
    return int(text)


def _float(text: str) -> float:
    if len(text) > MAX_NUMBER:
        raise JsonError(f"a number of more than {MAX_NUMBER} characters")
    return float(text)


def _constant(text: str) -> float:
    raise JsonError(f"{text} is no number in JSON")


# Made once: `json.loads` makes a new one with every call that asks for more than its defaults.
_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_int, parse_float=_float, parse_constant=_constant
)

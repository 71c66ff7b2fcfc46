"""
Read what Ollama answers: bytes in, frozen facts out. Pure.

An answer that is not of the documented form is refused as a whole (`BodyError`): a list that may
be incomplete must not make a model look missing. Optional facts of the wrong type are left out.
Texts are cut and made printable, since they become labels.

Source: ollama/ollama, api/types.go (ListModelResponse, ProcessModelResponse, GenerateResponse).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from exporters.ollama_names import LONGEST, Name, parse_name

LONGEST_TEXT = 128  # arbitrary: families, sizes and versions have some ten letters
DIGEST_LETTERS = 12  # as `ollama list` prints
MOST_ENTRIES = 20_000  # 2 MiB hold 5,000 real ones; each costs ten times its bytes in memory
_BRACKETS = 3  # of an entry: itself, its details, the list of families
_ROUND = 2**63  # Go's int64: nothing larger is a size or a count
T = TypeVar("T", "Installed", "Loaded")


class BodyError(ValueError):
    """The body is not what the API documents."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A model of /api/tags. None or an empty text: not said."""

    name: Name
    family: str = ""
    format: str = ""
    parameter_size: str = ""
    quantization_level: str = ""
    digest: str = ""
    size_bytes: int | None = None
    modified: float | None = None
    max_context_tokens: int | None = None
    remote_host: str = ""
    remote_model: str = ""

    @property
    def remote(self) -> bool:
        """Whether a request for it leaves the machine."""
        return bool(self.remote_host or self.remote_model) or self.name.says_cloud


@dataclass(frozen=True, slots=True)
class Loaded:
    """A model of /api/ps; *expires* in Unix time."""

    name: Name
    digest: str = ""
    size_bytes: int | None = None
    vram_bytes: int | None = None
    context_tokens: int | None = None
    expires: float | None = None


@dataclass(frozen=True, slots=True)
class Shown:
    """What /api/show tells: the longest context, and whether text can be had (yes where it is silent)."""

    context: int | None = None
    generates: bool = True


@dataclass(frozen=True, slots=True)
class Token:
    """One line of a streamed generation; times in seconds, None where the line does not say."""

    error: str = ""
    done: bool = False
    load_s: float = 0.0
    prompt_tokens: int = 0
    prefill_s: float = 0.0
    tokens: int = 0
    decode_s: float = 0.0


def parse_version(body: bytes) -> str:
    """Return the version in an answer of /api/version; raises BodyError."""
    version = _text(_object(body).get("version"))
    if not version:
        raise BodyError("no version in it")
    return version


def parse_tags(body: bytes) -> tuple[Installed, ...]:
    """Return the models of /api/tags, each once, in the order given; raises BodyError."""
    return _models(body, _installed)


def parse_ps(body: bytes) -> tuple[Loaded, ...]:
    """Return the models of /api/ps, each once, in the order given; raises BodyError."""
    return _models(body, _loaded)


def parse_status(body: bytes) -> bool | None:
    """Return whether cloud models may be used, by /api/status; None if it does not say so."""
    cloud = _object(body).get("cloud")
    disabled = cloud.get("disabled") if isinstance(cloud, dict) else None
    return None if not isinstance(disabled, bool) else not disabled


def parse_show(body: bytes) -> Shown:
    """Return what is shown of a model; raises BodyError."""
    data = _object(body)
    info, can = data.get("model_info"), data.get("capabilities")
    context = None
    if isinstance(info, dict):
        context = _count(info.get(f"{info.get('general.architecture')}.context_length"))
    generates = not isinstance(can, list) or ("completion" in can and "image" not in can)
    return Shown(context or None, generates)


def parse_context(body: bytes) -> int | None:
    """Return the longest context in an answer of /api/show; None if it does not say."""
    return parse_show(body).context


def parse_token(line: bytes) -> Token:
    """Return one line of /api/generate; raises BodyError."""
    data = _object(line)
    if "error" in data:
        return Token(error=_text(data["error"]) or "unnamed")
    if not isinstance(data.get("done"), bool):
        raise BodyError("a line that does not say whether it is the last")
    return Token(
        done=data["done"],
        load_s=_nanoseconds(data.get("load_duration")),
        prompt_tokens=_count(data.get("prompt_eval_count")) or 0,
        prefill_s=_nanoseconds(data.get("prompt_eval_duration")),
        tokens=_count(data.get("eval_count")) or 0,
        decode_s=_nanoseconds(data.get("eval_duration")),
    )


def _object(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise BodyError(f"not JSON: {error}") from error
    if not isinstance(data, dict):
        raise BodyError("not a JSON object")
    return data


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no number of JSON")


def _models(body: bytes, read: Callable[[Name, Mapping[str, Any]], T]) -> tuple[T, ...]:
    # Counted before anything is built of it: a list of {} takes twenty times its bytes.
    if body.count(b"{") + body.count(b"[") > _BRACKETS * MOST_ENTRIES + 2:
        raise BodyError(f"more objects and lists than {MOST_ENTRIES} models have")
    models = _object(body).get("models", ...)
    if models is None:  # Go writes an empty list so, when nobody made it
        return ()
    if not isinstance(models, list):
        raise BodyError("no list of models in it")
    if len(models) > MOST_ENTRIES:
        raise BodyError(f"more than {MOST_ENTRIES} models")
    found: dict[str, T] = {}
    for entry in models:
        if not isinstance(entry, dict):
            raise BodyError("an entry that is no object")
        text = _text(entry.get("name") or entry.get("model"), LONGEST)
        if not text:
            raise BodyError("an entry without a name")
        name = parse_name(text)
        found.setdefault(name.key, read(name, entry))
    return tuple(found.values())


def _installed(name: Name, entry: Mapping[str, Any]) -> Installed:
    given = entry.get("details")
    details = given if isinstance(given, dict) else {}
    modified = _moment(entry.get("modified_at"))
    return Installed(
        name=name,
        family=_text(details.get("family")),
        format=_text(details.get("format")),
        parameter_size=_text(details.get("parameter_size")),
        quantization_level=_text(details.get("quantization_level")),
        digest=_digest(entry.get("digest")),
        size_bytes=_count(entry.get("size")),
        modified=modified if modified is not None and modified > 0 else None,
        max_context_tokens=_count(details.get("context_length")) or None,
        remote_host=_text(entry.get("remote_host")),
        remote_model=_text(entry.get("remote_model")),
    )


def _loaded(name: Name, entry: Mapping[str, Any]) -> Loaded:
    return Loaded(
        name=name,
        digest=_digest(entry.get("digest")),
        size_bytes=_count(entry.get("size")),
        vram_bytes=_count(entry.get("size_vram")),
        context_tokens=_count(entry.get("context_length")) or None,
        expires=_moment(entry.get("expires_at")),
    )


def _text(value: Any, longest: int = LONGEST_TEXT) -> str:
    """Return *value* as a label: a text of printable letters, cut; empty for anything else."""
    if not isinstance(value, str):
        return ""
    # A lone surrogate cannot be written as UTF-8 and would cost the whole page.
    clean = value.encode("utf-8", "replace").decode()
    return "".join(letter if letter.isprintable() else "?" for letter in clean)[:longest]


def _digest(value: Any) -> str:
    return _text(value).removeprefix("sha256:")[:DIGEST_LETTERS]


def _count(value: Any) -> int | None:
    fits = isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _ROUND
    return value if fits else None


def _nanoseconds(value: Any) -> float:
    return (_count(value) or 0) / 1e9


def _moment(value: Any) -> float | None:
    """Return an RFC 3339 time as Unix time; None if it is none, or Go's zero time."""
    if not isinstance(value, str):
        return None
    try:
        moment = datetime.fromisoformat(value)
    except ValueError:
        return None
    if moment.tzinfo is None or moment.year <= 1:
        return None
    return moment.timestamp()

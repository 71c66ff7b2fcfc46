"""
Make one small test generation and measure it.

The request asks for raw text, so that no template, thinking or tool use of the model decides how
much it must write. Its prompt begins with a number that was never used before: prompts that Ollama
has read already come from its cache, which would make reading look thousands of times too fast.
`keep_alive` is never sent, and of the loading options only those that change nothing
(exporters.ollama_rules).

Before it, a request without a prompt asks whether the model is ready: Ollama loads a model anew
whose process gives no sign of life for ten seconds, but not for somebody who has hung up before.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from exporters.config import Auth
from exporters.deadline import Deadline
from exporters.ollama_fetch import REASONS, FetchError, Stop, fetch_lines
from exporters.ollama_parse import BodyError, Token, parse_token

BUSY = "unavailable"  # 503: the queue is full; it says nothing of the model
FAILURES = tuple(sorted({*REASONS, "error"} - {BUSY}))  # error: Ollama says that it could not
READY_S = 5.0  # Ollama waits ten for its runner's sign of life (sched.go, needsReload)
ENOUGH_TOKENS = 8  # fewer are over before their speed can be measured
_PROMPT = "{nonce:016x} Count from one to one hundred: one, two, three,"


@dataclass(frozen=True, slots=True)
class Result:
    """What came of one generation; *reason* None: it worked. Seconds; None: not measured."""

    reason: str | None
    ended_at: float  # Unix time
    seconds: float
    ready_s: float | None = None  # until it said that the model is ready; None: it did not
    first_token_s: float | None = None
    last: Token | None = None

    @property
    def load_s(self) -> float:
        """How long Ollama took to get the model ready, in the slower one of the two requests."""
        return max(self.ready_s or 0.0, self.last.load_s if self.last else 0.0)

    @property
    def tokens_per_second(self) -> float | None:
        """Speed of decoding, where enough tokens were made."""
        if self.last is None or self.last.tokens < ENOUGH_TOKENS or self.last.decode_s <= 0:
            return None
        return self.last.tokens / self.last.decode_s


@dataclass(frozen=True, slots=True)
class Question:
    """
    What to ask: *url* and *auth* of the server, *options* of the loading, *tokens* to be made.

    *way_s* is what a request takes that needs no model: connection, TLS, proxies.
    """

    url: str
    auth: Auth | None
    model: str
    options: Mapping[str, int | bool]
    tokens: int
    nonce: int
    way_s: float = 0.0

    def for_sign_of_life(self) -> dict[str, Any]:
        """Return the body that asks for no token: answered at once by a model that is ready."""
        return {
            "model": self.model, "prompt": "", "stream": True, "options": dict(self.options),
        }  # fmt: skip

    def for_tokens(self) -> dict[str, Any]:
        """Return the body that asks for tokens."""
        options = {"num_predict": self.tokens, "temperature": 0, "seed": 1, **self.options}
        prompt = _PROMPT.format(nonce=self.nonce)
        return {
            "model": self.model, "prompt": prompt, "raw": True, "stream": True, "options": options,
        }  # fmt: skip


def generate(question: Question, timeout_s: float, stop: Stop) -> Result:
    """Ask for a sign of life, then for tokens; never raises for what Ollama does."""
    started = time.monotonic()
    life = _read(question, question.for_sign_of_life(), min(timeout_s, READY_S), stop)
    seconds = time.monotonic() - started
    if life.reason is not None or stop.set.is_set():
        return Result(life.reason or "unreachable", time.time(), seconds)
    ready_s = max(0.0, seconds - question.way_s)
    asked = time.monotonic()
    told = _read(question, question.for_tokens(), timeout_s, stop)
    seconds = time.monotonic() - asked
    return Result(told.reason, time.time(), seconds, ready_s, told.first_token_s, told.last)


@dataclass(slots=True)
class _Stream:
    """What came of one request."""

    reason: str | None = "protocol"  # a stream that ends without its last line
    first_token_s: float | None = None
    last: Token | None = None


def _read(question: Question, body: dict[str, Any], timeout_s: float, stop: Stop) -> _Stream:
    """Send *body* and read the answer to its end."""
    started = time.monotonic()
    stream = _Stream()
    try:
        for line in fetch_lines(
            question.url, "/api/generate", Deadline(started + timeout_s),
            send=body, auth=question.auth, stop=stop,
        ):  # fmt: skip
            token = parse_token(line)
            if token.error:
                stream.reason = "error"
                break
            if stream.first_token_s is None:
                stream.first_token_s = time.monotonic() - started
            if token.done:
                stream.reason, stream.last = None, token
                break
    except FetchError as error:
        stream.reason = error.reason
    except BodyError:
        stream.reason = "body"
    return stream

"""
Ask the remediator as a human's command does: over its operator API, with a token from a file.

Serves `tierwatch remediate status|pause|resume|approve|release` and `tierwatch maintenance`. Knows how to
ask and what an answer means, not what is asked. A token never appears in a message.
"""

from __future__ import annotations

import json
import ssl
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from exporters.config import Address
from exporters.deadline import Deadline
from remediation.alertmanager.http_call import Answer, CallError, connection
from remediation.secret_file import SecretError, read_secret

PATIENCE_S = 15.0  # the remediator answers within a second
MAX_BODY = 8 * 1024 * 1024  # the status of 10,000 services
_MAX_TEXT = 300
_ANY = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  # where to ask one that listens there


class OperatorError(Exception):
    """
    The remediator was not asked, or did not do it.

    *status* is that of its answer, 0 where there is none.
    """

    def __init__(self, place: str, fact: str, cure: str, status: int = 0) -> None:
        self.place, self.fact, self.cure, self.status = place, fact, cure, status
        super().__init__(f"{place}: {fact}. {cure}.")


class OperatorClient:
    """
    The remediator at *url*, asked with *token*.

    Args:
        url: Address without a trailing slash.
        token: What stands in one of its operator token files.
        context: For https where the system's authorities are not the ones to trust.
        patience_s: How long one request may take in all.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        context: ssl.SSLContext | None = None,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self.url = url
        self._token, self._context, self._patience_s = token, context, patience_s

    def request(self, method: str, path: str, body: object = None) -> Any:
        """
        Return the data that is answered to *method* at *path* (*body* is sent as JSON).

        Raises:
            OperatorError: No answer, a refusal, or no JSON.
        """
        headers = {"Authorization": f"Bearer {self._token}"}
        try:
            deadline = Deadline.after(self._patience_s)
            with connection(self.url, deadline, self._context) as to:
                answer = to.call(method, path, send=body, headers=headers, max_body=MAX_BODY)
        except CallError as error:
            cure = "See that the remediator runs, or say with --url where it listens"
            raise OperatorError(self.url, str(error), cure) from error
        if not 200 <= answer.status < 300:
            raise _refusal(f"{self.url}{path}", answer)
        return _data(f"{self.url}{path}", answer)


def default_url(listen: Address, *, secure: bool = False) -> str:
    """Return the address at which one that listens at *listen* is asked from the same host."""
    return f"{'https' if secure else 'http'}://{Address(_ANY.get(listen.host, listen.host), listen.port)}"


def read_token(files: Sequence[Path]) -> str:
    """
    Return the token in the first of *files* that can be read.

    Raises:
        OperatorError: There is none, or what is in it is no token.
    """
    if not files:
        cure = (
            "Add auth.operator_token_files to the configuration, or name a file with --token-file"
        )
        raise OperatorError("--token-file", "no operator token is configured", cure)
    problems = []
    for path in files:
        try:
            return read_secret(path)
        except SecretError as error:
            problems.append(error)
    cure = "Name a file that holds an operator token with --token-file"
    raise OperatorError(str(problems[0].path), problems[0].fact, cure)


def tls(ca: Path | None, cert: Path | None) -> ssl.SSLContext:
    """
    Return a context that trusts *ca* (default: the system's) and shows *cert*.

    Raises:
        OperatorError: One of the files cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=ca)
    except OSError as error:
        raise OperatorError(str(ca), _why(error), "Name a PEM file of the authority") from error
    if cert is not None:
        try:
            context.load_cert_chain(cert)
        except OSError as error:
            cure = "Name a PEM file with the certificate and its key"
            raise OperatorError(str(cert), _why(error), cure) from error
    return context


def _why(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return "is not a PEM file of that sort"
    return (error.strerror or "cannot be read").lower()


def _data(place: str, answer: Answer) -> Any:
    if not answer.body.strip():
        return {}
    try:
        return json.loads(answer.body)
    except (ValueError, RecursionError) as error:
        fact, cure = (
            "its answer is not JSON",
            "See with --url that it is the remediator that answers",
        )
        raise OperatorError(place, fact, cure, answer.status) from error


def _refusal(place: str, answer: Answer) -> OperatorError:
    """Return what a refusal says; the remediator's own have fact and cure."""
    fact, cure = f"it answered with status {answer.status}", "See the remediator's log"
    if answer.status in (401, 403):
        fact, cure = "it does not take this token", "Name the right file with --token-file"
    elif 300 <= answer.status < 400:
        fact, cure = "it sends elsewhere", "Say with --url where the remediator itself listens"
    else:
        try:
            told = json.loads(answer.body)["error"]
            fact, cure = _text(told["fact"]), _text(told["cure"])
        except (ValueError, RecursionError, KeyError, TypeError):
            pass
    return OperatorError(place, fact, cure, answer.status)


def _text(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise TypeError
    text = value[:_MAX_TEXT].rstrip(".")
    return "".join(char if char.isprintable() else "?" for char in text)

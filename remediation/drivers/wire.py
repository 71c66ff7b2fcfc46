"""
One request to Docker at a time: sent once, its answer bounded, its failure told in one way.

Built on the Docker SDK's client, which knows sockets and paths. What it does by itself is switched
off: proxies of the environment, redirects, repeated requests, kept connections (one that the
daemon has closed in the meantime would look like a lost answer). Which door is asked for what
decides remediation.drivers.api.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import Any

from exporters.deadline import Deadline
from remediation.masking import mask_text

MAX_WORDS = 300  # of what an engine says of its errors
MAX_LINE_BYTES = 1024 * 1024  # one event has about 2 KB
MAX_ERROR_BYTES = 64 * 1024
CONNECT_S = 3.0
_LEAST_S = 0.05  # requests takes no timeout of 0
# Causes of a failed request that tell that the daemon has never seen it.
_NEVER_SENT = (ConnectionRefusedError, FileNotFoundError, PermissionError)


class ApiError(Exception):
    """
    Docker, or the proxy before it, did not do what was asked.

    *status* is the HTTP status, 0 where no whole answer came; *sent* says whether the daemon may
    have seen the request, *late* whether it was given up for want of an answer. The text is bounded
    and without secrets.
    """

    def __init__(
        self, text: str, *, status: int = 0, sent: bool = True, late: bool = False
    ) -> None:
        self.status = status
        self.sent = sent
        self.late = late
        super().__init__(said(text))


def said(text: str) -> str:
    """Return *text* on one line, short, without secrets."""
    return mask_text(" ".join(text[: 4 * MAX_WORDS].split()))[:MAX_WORDS]


def new_client(url: str, version: str, timeout_s: float) -> Any:
    """Return the SDK's client for *url*; it asks for nothing by itself."""
    import docker
    from requests.adapters import HTTPAdapter

    # Named here, so that DOCKER_HOST is never looked at; the SDK's timeout counts on top of a stop's.
    client = docker.APIClient(base_url=url, version=version, timeout=timeout_s)
    client.trust_env = False
    client.max_redirects = 0
    client.headers["Connection"] = "close"
    if url.startswith("tcp://"):
        client.mount("http://", HTTPAdapter(max_retries=0))
    return client


def get(
    client: Any,
    path: str,
    params: Mapping[str, str] | None,
    deadline: Deadline,
    *,
    version: bool = True,
) -> Any:
    """Return the answer to one GET, its body unread; ApiError unless its status is 200."""
    url = f"{client.base_url}/v{client.api_version}{path}" if version else client.base_url + path
    wait = max(_LEAST_S, deadline.remaining())
    try:
        response = client.get(url, params=params, timeout=(min(CONNECT_S, wait), wait), stream=True)
    except request_error() as error:
        raise as_api_error(error) from error
    if response.status_code == 200:
        return response
    with closing(response):
        words = _words(body(response, deadline, MAX_ERROR_BYTES)) or response.reason or ""
    raise ApiError(words, status=response.status_code)


def body(response: Any, deadline: Deadline, most: int) -> bytes:
    """Return the body of *response*; ApiError when it has more than *most* bytes, or is late."""
    parts: list[bytes] = []
    size = 0
    try:
        for part in response.iter_content(64 * 1024):
            parts.append(part)
            size += len(part)
            if size > most:
                raise ApiError(f"answers with more than {most} bytes")
            if deadline.expired():
                raise ApiError("did not finish its answer in time", late=True)
    except request_error() as error:
        raise as_api_error(error) from error
    return b"".join(parts)


def lines(response: Any) -> Iterator[bytes]:
    """Yield the lines of *response* as they come; ApiError where they break off."""
    left = b""
    try:
        for part in response.iter_content(None):
            *whole, left = (left + part).split(b"\n")
            yield from whole
            if len(left) > MAX_LINE_BYTES:
                raise ApiError(f"an event has more than {MAX_LINE_BYTES} bytes")
    except request_error() as error:
        raise as_api_error(error) from error
    finally:
        response.close()


def post_restart(client: Any, name: str, stop_s: float) -> None:
    """
    Ask for a restart of container *name*, once; return when it is done; ApiError if it is not.

    The client waits for its own timeout on top of *stop_s*.
    """
    try:
        client.restart(name, timeout=math.ceil(stop_s))
    except request_error() as error:
        raise as_api_error(error) from error


def request_error() -> type[Exception]:
    """Return what every failure of the SDK's requests is derived from; imported when first needed."""
    from requests import RequestException

    return RequestException


def as_api_error(error: Exception) -> ApiError:
    """Return *error*, one of the SDK or of requests, in our words."""
    response = getattr(error, "response", None)
    if response is not None:
        words = _words(response.content) or response.reason or ""
        return ApiError(words, status=response.status_code)
    causes = list(_causes(error))
    late = any(isinstance(each, TimeoutError) for each in causes) or "timed out" in str(error)
    if late:
        return ApiError("no answer in time", late=True)
    last = causes[-1]
    text = f"{type(last).__name__}: {last}" if str(last) else type(last).__name__
    return ApiError(text, sent=not any(isinstance(each, _NEVER_SENT) for each in causes))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield *error* and what it wraps; requests and urllib3 keep that in their arguments."""
    seen: object = error
    for _ in range(10):
        if not isinstance(seen, BaseException):
            return
        yield seen
        wrapped = [each for each in seen.args if isinstance(each, BaseException)]
        seen = wrapped[-1] if wrapped else getattr(seen, "reason", None) or seen.__cause__


def _words(found: bytes) -> str:
    """Return the message of an error; a proxy sends plain text."""
    try:
        return str(json.loads(found)["message"])
    except (ValueError, RecursionError, KeyError, TypeError):
        return found[: 4 * MAX_WORDS].decode(errors="replace")

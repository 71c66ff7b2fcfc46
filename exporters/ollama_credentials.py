"""
Credentials for a proxy in front of Ollama, which itself has none: read from their file, never kept.

The file is read at every request, so that a token that is renewed is used at once; it is never
written, logged, or sent anywhere but to the url that the configuration names.
"""

from __future__ import annotations

import base64

from exporters.config import Auth

MAX_BYTES = 16 * 1024  # of a file; tokens have a few hundred


class CredentialsError(Exception):
    """The file cannot be read, or has no credentials in it; the text says which, and never what."""


def authorization(auth: Auth) -> str:
    """
    Return the value of the header Authorization.

    Raises:
        CredentialsError: See there.
    """
    try:
        with auth.file.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise CredentialsError(f"{auth.file}: {error.strerror}") from error
    secret = data.removesuffix(b"\n").removesuffix(b"\r")
    if not secret:
        raise CredentialsError(f"{auth.file} is empty")
    if len(data) > MAX_BYTES:
        raise CredentialsError(f"{auth.file} has more than {MAX_BYTES} bytes")
    if auth.username:
        pair = auth.username.encode() + b":" + secret
        return "Basic " + base64.b64encode(pair).decode("ascii")
    if not all(33 <= byte <= 126 for byte in secret):
        raise CredentialsError(f"{auth.file} has blanks or other letters that no token has")
    return "Bearer " + secret.decode("ascii")

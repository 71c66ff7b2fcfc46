"""
The options of commands that ask the remediator: where it listens, which token, which certificates.

Apart from the client itself, which is imported only when one of these commands runs.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from remediation.commands.operator_client import OperatorClient
    from remediation.config import Config


def add_options(command: argparse.ArgumentParser) -> None:
    """Give *command* the options that `client` reads."""
    command.add_argument(
        "--config", type=Path, default=Path("rendered/remediation/config.yml"), metavar="FILE",
        help="the remediator's configuration (default: rendered/remediation/config.yml)",
    )  # fmt: skip
    command.add_argument(
        "--url", default="", metavar="URL",
        help="where the remediator listens (default: on this host, as its configuration says)",
    )  # fmt: skip
    command.add_argument(
        "--token-file", type=Path, metavar="FILE",
        help="file with an operator token (default: those that its configuration names)",
    )  # fmt: skip
    command.add_argument(
        "--ca-file", type=Path, metavar="FILE", help="authority of its certificate, for https"
    )
    command.add_argument(
        "--cert-file", type=Path, metavar="FILE",
        help="our own certificate and its key, where the remediator asks for one (mTLS)",
    )  # fmt: skip


def client(options: argparse.Namespace, config: Config) -> OperatorClient:
    """
    Return the client that *options* (see add_options) and *config* describe.

    Raises:
        OperatorError: There is no token, or a file cannot be used.
    """
    from remediation.commands import operator_client

    secure = config.auth.client_ca is not None
    url = options.url or operator_client.default_url(config.listen, secure=secure)
    if not url.startswith(("http://", "https://")):
        raise operator_client.OperatorError(
            "--url", f"{url!r} is no address", "Write it like http://127.0.0.1:9744"
        )
    files = [options.token_file] if options.token_file else list(config.auth.operator)
    context = (
        operator_client.tls(options.ca_file, options.cert_file)
        if url.startswith("https://")
        else None
    )
    return operator_client.OperatorClient(
        url.rstrip("/"), operator_client.read_token(files), context=context
    )

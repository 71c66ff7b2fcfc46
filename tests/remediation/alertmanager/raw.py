"""A server that answers with whatever bytes a test wants, at whatever pace."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from tests.live.servers import HOST


@dataclass(slots=True)
class Raw:
    """Where it listens, and the heads of the requests that came in."""

    port: int
    heads: list[str] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Address without a trailing slash."""
        return f"http://{HOST}:{self.port}"


Answer = Callable[[str], "bytes | Iterator[bytes]"]


def http(body: bytes, status: str = "200 OK", *headers: str) -> bytes:
    """Return an answer as HTTP frames it."""
    lines = [f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@contextlib.contextmanager
def answering(answer: Answer) -> Iterator[Raw]:
    """Serve *answer* (the request line in, bytes or pieces of them out) until the block ends."""
    over = threading.Event()
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(0.1)
        raw = Raw(listener.getsockname()[1])

        def serve(sock: socket.socket) -> None:
            with contextlib.suppress(OSError), sock, sock.makefile("rb") as stream:
                while line := stream.readline():
                    head = line.decode().strip()
                    length = 0
                    while (field := stream.readline()) not in (b"\r\n", b""):
                        head += "\n" + field.decode().strip()
                        if field.lower().startswith(b"content-length:"):
                            length = int(field.split(b":")[1])
                    raw.heads.append(head)
                    raw.bodies.append(stream.read(length))
                    given = answer(line.decode().strip())
                    for piece in [given] if isinstance(given, bytes) else given:
                        if over.is_set():
                            return
                        sock.sendall(piece)

        def listen() -> None:
            while not over.is_set():
                with contextlib.suppress(TimeoutError):
                    sock, _ = listener.accept()
                    sock.settimeout(30)
                    threading.Thread(target=serve, args=(sock,), daemon=True).start()

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        try:
            yield raw
        finally:
            over.set()
            thread.join()

"""A real Ollama server, and what its users do with it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.live.servers import HOST, Server, free_port, need, running

ASK_S = 120  # two shared cores; a generation takes a second on an idle machine


@contextlib.contextmanager
def ollama(folder: Path, port: int | None = None) -> Iterator[Server]:
    """Run Ollama with all it keeps in *folder*, without a GPU."""
    port = port or free_port()
    env = {
        "HOME": str(folder),
        "OLLAMA_HOST": f"{HOST}:{port}",
        "OLLAMA_MODELS": str(folder / "models"),
        "OLLAMA_NUM_PARALLEL": "1",
        "OLLAMA_CONTEXT_LENGTH": "4096",
        "CUDA_VISIBLE_DEVICES": "-1",
    }
    command: list[str | Path] = [need("ollama"), "serve"]
    ready = _answers_version
    with running("ollama", command, folder=folder, port=port, ready=ready, env=env) as server:
        yield server


def _answers_version(server: Server) -> bool:
    return server.answers("/api/version")


def ask(server: Server, path: str, body: dict[str, Any] | bytes, method: str = "POST") -> Any:
    """Send *body* to *path* and return the answer's JSON; raises HTTPError if it is an error."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}{path}", data=data, method=method)  # noqa: S310
    with urllib.request.urlopen(request, timeout=ASK_S) as answer:  # noqa: S310
        return json.loads(answer.read() or b"null")


def create(server: Server, name: str, file: Path) -> None:
    """Make the model *name* of the GGUF *file*."""
    digest = f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"
    ask(server, f"/api/blobs/{digest}", file.read_bytes())
    ask(server, "/api/create", {"model": name, "files": {file.name: digest}, "stream": False})


def delete(server: Server, name: str) -> None:
    """Remove the model *name*."""
    ask(server, "/api/delete", {"model": name}, "DELETE")


def use(server: Server, name: str, *, keep_alive: str | int | None = None, **options: int) -> Any:
    """Generate two tokens, as somebody who uses the model does."""
    body: dict[str, Any] = {
        "model": name,
        "prompt": "abc",
        "raw": True,
        "stream": False,
        "options": {"num_predict": 2, **options},
    }
    if keep_alive is not None:
        body["keep_alive"] = keep_alive
    return ask(server, "/api/generate", body)


def unload(server: Server, name: str) -> None:
    """Send *name* out of memory."""
    ask(server, "/api/generate", {"model": name, "keep_alive": 0})


def loaded(server: Server) -> dict[str, dict[str, Any]]:
    """Return what /api/ps says, by name."""
    return {model["name"]: model for model in json.loads(server.get("/api/ps"))["models"]}


def runners(folder: Path) -> list[int]:
    """Return the processes that hold a model of the server in *folder*; a reload makes another."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):
            words = path.read_bytes().decode(errors="replace").split("\0")
            if "runner" in words and any(str(folder) in word for word in words):
                found.append(int(path.parent.name))
    return sorted(found)

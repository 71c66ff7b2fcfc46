"""
A real browser, driven over its debugging pipe: no port, no driver, no library besides chromium.

Chrome's protocol speaks JSON with a zero byte after each message, on file descriptors 3 and 4 of the
browser. JavaScript is used by the tests to look and to press, never by the page.
"""

from __future__ import annotations

import base64
import contextlib
import json
import os
import select
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.live.servers import need

PATIENCE_S = 120.0  # two cores are shared; an idle machine needs one or two seconds


_THERE = (
    "document.documentElement !== null && document.readyState === 'complete'"
    " && location.href !== 'about:blank'"
)


@dataclass
class Browser:
    """One window; `see` and `press` act on the page that it shows."""

    to_browser: int
    from_browser: int
    session: str = ""
    _number: int = 0
    _rest: bytes = b""
    _events: list[dict[str, Any]] = field(default_factory=list)

    def send(self, method: str, **params: Any) -> Any:
        """Return the result of *method*; fail the test when the browser says no, or nothing in time."""
        self._number += 1
        asked: dict[str, Any] = {"id": self._number, "method": method, "params": params}
        if self.session:
            asked["sessionId"] = self.session
        os.write(self.to_browser, json.dumps(asked).encode() + b"\0")
        while True:
            heard = self._hear()
            if heard.get("id") == self._number:
                assert "error" not in heard, f"{method}: {heard['error']}"
                return heard["result"]
            self._events.append(heard)

    def fresh(self, *, scripts: bool) -> None:
        """Show a new, empty window without cookies; without *scripts* its pages cannot run any."""
        self.session = ""
        context = self.send("Target.createBrowserContext")["browserContextId"]
        target = self.send("Target.createTarget", url="about:blank", browserContextId=context)
        attached = self.send("Target.attachToTarget", targetId=target["targetId"], flatten=True)
        self.session = attached["sessionId"]
        self.send("Page.enable")
        # The page's own; what the tests evaluate still runs.
        self.send("Emulation.setScriptExecutionDisabled", value=not scripts)

    def open(self, url: str) -> None:
        """Load *url* and wait until it is there."""
        self._events.clear()
        self.send("Page.navigate", url=url)
        self._loaded()
        while not self.see(_THERE):
            # What was loaded was the empty page of the new window, told late.
            self._events.clear()
            self._loaded()

    def see(self, expression: str) -> Any:
        """Return the value of a JavaScript *expression* in the page."""
        found = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        assert "exceptionDetails" not in found, found
        return found["result"].get("value")

    def press(self, selector: str) -> None:
        """Click the element at *selector* with the mouse, and wait for the page that follows."""
        box = self.see(
            f"(() => {{const e = document.querySelector({json.dumps(selector)}); e.scrollIntoView();"
            " const b = e.getBoundingClientRect(); return [b.x + b.width / 2, b.y + b.height / 2]})()"
        )
        self._events.clear()
        for kind in ("mousePressed", "mouseReleased"):
            self.send(
                "Input.dispatchMouseEvent",
                type=kind,
                x=box[0],
                y=box[1],
                button="left",
                clickCount=1,
            )
        self._loaded()

    def type(self, selector: str, text: str) -> None:
        """Type *text* into the field at *selector*."""
        self.see(f"document.querySelector({json.dumps(selector)}).focus()")
        self.send("Input.insertText", text=text)

    def picture(self, path: Path) -> None:
        """Write what the window shows to *path*."""
        found = self.send("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))

    def window(self, width: int, height: int, *, dark: bool = False) -> None:
        """Give the window a size, and the reader a taste."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=height, deviceScaleFactor=1, mobile=width < 600,
        )  # fmt: skip
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])

    def _loaded(self) -> None:
        while not any(each.get("method") == "Page.loadEventFired" for each in self._events):
            self._events.append(self._hear())

    def _hear(self) -> dict[str, Any]:
        deadline = time.monotonic() + PATIENCE_S
        while b"\0" not in self._rest:
            left = deadline - time.monotonic()
            ready = select.select([self.from_browser], [], [], max(0.0, left))[0]
            assert ready, "the browser says nothing"
            chunk = os.read(self.from_browser, 1 << 20)
            assert chunk, "the browser has ended"
            self._rest += chunk
        message, _, self._rest = self._rest.partition(b"\0")
        heard: dict[str, Any] = json.loads(message)
        return heard


@contextlib.contextmanager
def browsing(folder: Path) -> Iterator[Browser]:
    """Yield a browser without a window (see `fresh`), with its profile in *folder*."""
    chromium = need("chromium")
    (to_read, to_write), (from_read, from_write) = os.pipe(), os.pipe()
    command = [
        # The browser wants its ends as 3 and 4; bash moves them, and is given numbers only (dash takes no two digits).
        "/bin/bash", "-c", f'exec "$0" "$@" 3<&{to_read} 4>&{from_write}', str(chromium), "--headless", "--no-sandbox",
        "--disable-gpu", "--hide-scrollbars", "--no-first-run", "--disable-extensions",
        "--disable-background-networking", "--disable-dev-shm-usage", "--no-proxy-server",
        f"--user-data-dir={folder / 'profile'}", "--remote-debugging-pipe", "about:blank",
    ]  # fmt: skip
    with (folder / "chromium.log").open("wb") as log:
        process = subprocess.Popen(
            command, pass_fds=(to_read, from_write), stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            start_new_session=True, env={**os.environ, "HOME": str(folder)},
        )  # fmt: skip
    os.close(to_read)
    os.close(from_write)
    try:
        yield Browser(to_write, from_read)
    finally:
        os.close(to_write)
        os.close(from_read)
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(15)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, 9)
        process.wait(15)

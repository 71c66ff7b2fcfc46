"""
The child process that alone talks to the NVIDIA driver, so that it can be killed when a call hangs.

Lines of JSON in, lines of JSON out; it holds nothing that its end would lose.
  in   {"seq": 1, "seen": {"<uuid>": {"samples": 0, "processes": 0}}}
  out  {"fatal": 12}                        the library cannot be used, with NVML's code; the end
       {"fatal": "bindings"}                the library is there, the Python package is not; the end
       {"ready": {"driver_version": …}}
       {"seq": 1, "count": 2}               how many GPUs the driver lists
       {"seq": 1, "code": 999}              not even that could be had; the end
       {"seq": 1, "gpu": {"index": 0, "code": 0, "uuid": …}}     one line per GPU, as each is done
       {"xid": ["<uuid>", 79, 1700000000.0]} / {"watched": ["<uuid>"]}
Every GPU is read by a thread of its own: a call that hangs in one leaves the others exact. It imports
only what it needs, ends when its input does, and is started by exporters.nvml_driver.
"""

from __future__ import annotations

import ctypes
import json
import os
import sys
import threading
import time
from typing import Any

from exporters.nvml_codes import LIBRARY_NOT_FOUND, TIMEOUT

LIBRARY = "libnvidia-ml.so.1"
NO_BINDINGS = "bindings"
REINIT_S = 60.0  # a lost GPU may have been reset; asking more often disturbs the others
EVENT_WAIT_MS = 1000
XID_EVENT = 8

_lock = threading.Lock()


def say(message: dict[str, Any]) -> None:
    """Write one line, whole."""
    line = json.dumps(message, separators=(",", ":")) + "\n"
    with _lock:
        os.write(sys.stdout.fileno(), line.encode())


def main() -> None:
    """Serve requests until the input ends; never returns normally while a driver call hangs."""
    # What libraries print must not get between the lines: it goes to standard error.
    sys.stdout = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    fatal = _fatal()
    if fatal is not None:
        say({"fatal": fatal})
        os._exit(0)
    from exporters import nvml_read

    say({"ready": nvml_read.read_system()})
    server = Server()
    for line in sys.stdin:
        server.request(json.loads(line))
    os._exit(0)


def _fatal() -> int | str | None:
    """Return why the library cannot be used, or None after starting it."""
    try:
        import pynvml
    except ImportError:
        try:
            ctypes.CDLL(LIBRARY)
        except OSError:
            return LIBRARY_NOT_FOUND
        return NO_BINDINGS
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return int(error.value)
    return None


class Server:
    """Reads all GPUs per request, each on a thread; a GPU whose thread hangs is not asked again."""

    def __init__(self) -> None:
        self._threads: dict[int, threading.Thread] = {}
        self._list: threading.Thread | None = None
        self._lost = False
        self._began = time.monotonic()
        self._watch()

    def request(self, message: dict[str, Any]) -> None:
        """Start to answer *message*; ignored while the list of GPUs still hangs from before."""
        if self._list is not None and self._list.is_alive():
            return
        self._list = threading.Thread(target=self._answer, args=(message,), daemon=True)
        self._list.start()

    def _answer(self, message: dict[str, Any]) -> None:
        from exporters import nvml_read

        seq, seen = message["seq"], message["seen"]
        self._restart_if_lost()
        try:
            code, count = nvml_read.attempt("nvmlDeviceGetCount")
        except nvml_read.GpuLostError as lost:
            code, count = lost.code, None
        if count is None:
            say({"seq": seq, "code": code})
            os._exit(0)
        say({"seq": seq, "count": count})
        for index in range(count):
            before = self._threads.get(index)
            if before is None or not before.is_alive():
                thread = threading.Thread(target=self._gpu, args=(seq, index, seen), daemon=True)
                self._threads[index] = thread
                thread.start()

    def _restart_if_lost(self) -> None:
        """Start the library anew after a GPU was lost: only then does the driver look for it."""
        busy = any(thread.is_alive() for thread in self._threads.values())
        if self._lost and not busy and time.monotonic() - self._began >= REINIT_S:
            say({"again": True})
            os._exit(0)

    def _gpu(self, seq: int, index: int, seen: dict[str, Any]) -> None:
        from exporters import nvml_read

        found: dict[str, Any] = {"index": index, "code": 0}
        try:
            handle, identity = nvml_read.identify(index)
            found |= identity
            found |= nvml_read.read_gpu(handle, seen.get(str(identity["uuid"]), {}))
        except nvml_read.GpuLostError as lost:
            self._lost = True
            found["code"] = lost.code
        say({"seq": seq, "gpu": found})

    def _watch(self) -> None:
        threading.Thread(target=_watch_xids, daemon=True).start()


def _watch_xids() -> None:
    """Tell of every XID that the driver reports, until an error that waiting cannot cure."""
    from exporters import nvml_read

    try:
        events, uuids = _register()
        if not uuids:
            return
        say({"watched": sorted(uuids.values())})
        while True:
            code, event = nvml_read.attempt("nvmlEventSetWait_v2", events, EVENT_WAIT_MS)
            if event is not None and event.eventType == XID_EVENT:
                uuid = uuids.get(_address(event.device)) or nvml_read.ask(
                    "nvmlDeviceGetUUID", event.device
                )
                say({"xid": [uuid, event.eventData, time.time()]})
            elif event is None and code != TIMEOUT:
                return
    except nvml_read.GpuLostError:
        return


def _register() -> tuple[Any, dict[int | None, str]]:
    """Return an event set and the UUIDs by handle of the GPUs whose XIDs it gets."""
    from exporters import nvml_read

    events = nvml_read.ask("nvmlEventSetCreate")
    uuids: dict[int | None, str] = {}
    for index in range(nvml_read.ask("nvmlDeviceGetCount") or 0 if events is not None else 0):
        try:
            handle, identity = nvml_read.identify(index)
            code, _ = nvml_read.attempt("nvmlDeviceRegisterEvents", handle, XID_EVENT, events)
        except nvml_read.GpuLostError:
            continue
        if code == 0 and identity["uuid"] is not None:
            uuids[_address(handle)] = identity["uuid"]
    return events, uuids


def _address(handle: Any) -> int | None:
    return ctypes.cast(handle, ctypes.c_void_p).value


if __name__ == "__main__":
    main()

"""
Inspect many containers at once, so that one that hangs costs only itself.

dockerd can block for ever on one container with a broken shim while it answers for all others
(moby#53189). A thread that waits for such an answer is left behind, and that container is not asked
again until the thread has come back: threads never pile up.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Mapping

from exporters.deadline import Deadline
from remediation.drivers.api import Api, path_of
from remediation.drivers.seen import Seen, read_inspect
from remediation.drivers.wire import ApiError

THREADS = 16  # at most: so many containers may hang at once and cost nobody else's look; arbitrary
# At first: dockerd answers faster than a few threads can ask, and each more slows the others down,
# those that take alerts in among them. More come every MORE_S while somebody hangs.
FEW, MORE_S = 4, 0.2
# What came of one inspect: None where there is no such container, a text where it could not be told.
Found = Seen | None | str
LATE = "no answer in time"


class Looks:
    """Inspects through *api*; one container may take *each_s*."""

    def __init__(self, api: Api, each_s: float) -> None:
        self._api = api
        self._each_s = each_s
        self._lock = threading.Lock()
        self._under_way: dict[str, float] = {}  # name to since when (monotonic)

    def ask(self, names: Mapping[str, str], deadline: Deadline) -> dict[str, Found]:
        """Return what Docker says of the containers *names* (by service), for every one of them."""
        found: dict[str, Found] = dict.fromkeys(names, LATE)
        left = deque(names.items())
        done = threading.Semaphore(0)

        def work() -> None:
            while left and not deadline.expired():
                try:
                    service, name = left.popleft()
                except IndexError:
                    break
                if self._take(name):
                    found[service] = self._asked(name, deadline)
            done.release()

        started = ended = 0
        while (left and started < THREADS) or ended < started:
            for _ in range(min(FEW, THREADS - started, len(left))):
                threading.Thread(target=work, name="docker-inspect", daemon=True).start()
                started += 1
            hanging = left and started < THREADS  # those at work, so others are to go on
            patience = deadline.sooner(MORE_S) if hanging else deadline
            while ended < started and done.acquire(timeout=patience.remaining()):
                ended += 1
            if deadline.expired():
                break
        return dict(found)  # a late answer does not change it any more

    def one(self, name: str, deadline: Deadline) -> Found:
        """Return what Docker says of the container *name*."""
        try:
            data = self._api.json(path_of(name), deadline.sooner(self._each_s))
        except ApiError as error:
            return None if error.status == 404 else _why(error)
        return read_inspect(data) or "the answer is no inspect"

    def _take(self, name: str) -> bool:
        """Whether *name* may be asked: nobody hangs over it from an earlier look."""
        now = time.monotonic()
        with self._lock:
            if now - self._under_way.get(name, now) > self._each_s:
                return False
            self._under_way[name] = now
        return True

    def _asked(self, name: str, deadline: Deadline) -> Found:
        try:
            return self.one(name, deadline)
        finally:
            with self._lock:
                self._under_way.pop(name, None)


def _why(error: ApiError) -> str:
    if error.status in (401, 403):
        return f"the proxy refuses to inspect it ({error.status}): allow GET /containers/NAME/json"
    return f"{error.status}: {error}" if error.status else str(error)

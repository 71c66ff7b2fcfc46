"""
The NVIDIA GPUs over time: who was seen, who is lost, and the counters that the driver does not keep.

In goes the state of one scrape, out come `Gpu`s. A GPU that was seen once stays, with `up` 0 and its
last known identity, until it answers again. Where nothing at all is known of a GPU in a scrape (the
child is starting, or crashed) it has no series: nobody claims that it is up or down.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from exporters.hardware_counters import BusySeconds, WrappedCounter
from exporters.hardware_gpus import Gpu, Identity, Reading
from exporters.nvml_codes import LIBRARY_NOT_FOUND, LOST
from exporters.nvml_driver import DRIVER, HANG, State
from exporters.nvml_parse import PCIE_FIELDS, field, identify, parse
from exporters.nvml_process import Xid

# Known beforehand, so that the first error is an increase from 0: hardware and driver faults, then
# what broken or killed programs leave behind. Source: NVIDIA, "XID Errors".
USUAL_XIDS = (
    *(48, 61, 62, 63, 64, 69, 74, 79, 92, 94, 95, 119, 120, 140),
    *(13, 31, 43, 45, 68, 109),
)
_MOST_XIDS = 64  # different numbers per GPU; the rest are counted as "other"
_MOST_GPUS = 64  # remembered identities; hosts have at most 16


class NvmlFleet:
    """What is remembered of the GPUs; outlives every child process."""

    def __init__(self) -> None:
        self._known: dict[str, Identity] = {}
        self._busy = BusySeconds()
        self._pcie = WrappedCounter()
        self._processes_seen: dict[str, int] = {}
        self._xids: dict[str, dict[str, tuple[int, float]]] = {}

    def seen(self) -> dict[str, dict[str, int]]:
        """Return the newest time stamps had, by UUID, for the next question."""
        return {
            uuid: {
                "samples": self._busy.seen(uuid),
                "processes": self._processes_seen.get(uuid, 0),
            }
            for uuid in self._known
        }

    def update(self, state: State) -> tuple[Gpu, ...]:
        """Return the GPUs of *state* by index, then those that are lost."""
        self._count_xids(state)
        found: dict[str, Gpu] = {}
        nameless = set(state.silent)
        for index, raw in sorted(state.gpus.items()):
            if raw["code"] == 0:
                gpu = self._answering(raw, state)
                found[gpu.identity.uuid] = gpu
            elif raw.get("uuid"):
                self._remember(identify(raw, state.system))
            elif raw["code"] in LOST:  # any other code: it may be fine, and nobody claims anything
                nameless.add(index)
        # A number that a known GPU had is taken to be that one.
        numbers = {who.index for uuid, who in self._known.items() if uuid not in found}
        strangers = sorted(index for index in nameless if str(index) not in numbers)
        lost = (Gpu(Identity("", str(index)), up=False) for index in strangers)
        return (*found.values(), *self._lost(state, found), *lost)

    def _remember(self, identity: Identity) -> None:
        if identity.uuid in self._known or len(self._known) < _MOST_GPUS:
            self._known[identity.uuid] = identity

    def _lost(self, state: State, found: Mapping[str, Gpu]) -> Iterator[Gpu]:
        """Yield the known GPUs that the driver, being asked, did not show."""
        gone = state.reason in (DRIVER, HANG) or state.code == LIBRARY_NOT_FOUND
        asked = gone or state.count is not None
        for uuid, identity in self._known.items():
            if asked and uuid not in found:
                yield Gpu(identity, up=False, readings=tuple(self._xid_readings(uuid)))

    def _answering(self, raw: Mapping[str, Any], state: State) -> Gpu:
        identity = identify(raw, state.system)
        uuid = identity.uuid
        self._remember(identity)
        gpu = parse(raw, identity)
        newest = [moment for _, moment, _ in raw.get("process_utilization", ())]
        self._processes_seen[uuid] = max([self._processes_seen.get(uuid, 0), *newest])
        more = (*self._counters(uuid, raw), *self._xid_readings(uuid))
        return replace(gpu, readings=(*gpu.readings, *more))

    def _counters(self, uuid: str, raw: Mapping[str, Any]) -> Iterator[Reading]:
        busy = self._busy.add(uuid, raw.get("samples", ()))
        if busy is not None:
            yield Reading("hw_gpu_busy_seconds_total", busy)
        for name, number in PCIE_FIELDS.items():
            value, wraps = field(raw, number)
            if value is not None:
                yield Reading(name, self._pcie.add(f"{uuid} {number}", value, wraps=wraps))

    def _count_xids(self, state: State) -> None:
        for uuid in state.watched:
            self._xids.setdefault(uuid, {str(xid): (0, 0.0) for xid in USUAL_XIDS})
        for event in state.xids:
            self._count(event)

    def _count(self, event: Xid) -> None:
        counts = self._xids.get(event.uuid)
        if counts is None:
            return
        number = str(event.number)
        if number not in counts and len(counts) >= _MOST_XIDS:
            number = "other"
        counts[number] = (counts.get(number, (0, 0.0))[0] + 1, event.at)

    def _xid_readings(self, uuid: str) -> Iterator[Reading]:
        for number, (count, last) in self._xids.get(uuid, {}).items():
            labels = (("xid", number),)
            yield Reading("hw_gpu_xid_errors_total", count, labels)
            if count:
                yield Reading("hw_gpu_xid_last_timestamp_seconds", last, labels)

"""NVML's return codes that somebody here reacts to, by name; nvml.h, nvmlReturn_t."""

from __future__ import annotations

SUCCESS = 0
NOT_FOUND = 6
INSUFFICIENT_SIZE = 7
TIMEOUT = 10
LIBRARY_NOT_FOUND = 12
FUNCTION_NOT_FOUND = 13
UNKNOWN = 999
# Fallen off the bus, or in need of a reset: nothing else can be learned of this GPU.
LOST = frozenset({15, 16})
# Not initialised, module unloaded, another driver version: nothing can be learned of any GPU.
BROKEN = frozenset({1, 9, 18})

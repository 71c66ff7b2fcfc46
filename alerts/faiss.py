"""
FAISS service: a health check that is slow or fails now and then, an index that outgrows its memory.

FAISS is a library; the platform's wrapper has a health check and no metrics. No public rules exist.
Left out, and why:
- the service down: ServiceDown, by the probe. Memory near the limit, restarts: the container pack.
- no restart is suggested anywhere: the index lives in memory, what was not saved is lost.
- errors, latency and size of the index: the wrapper tells nobody.
"""

from __future__ import annotations

from alerts.kit import Pack
from alerts.memory_growth import memory_growth
from alerts.vector_probes import slow, unsteady
from generator.model import Catalog

KIND = "faiss"


def pack(catalog: Catalog) -> Pack:
    """Return the FAISS pack; the trend of its memory only where cAdvisor runs."""
    growth = (
        (memory_growth("FaissMemoryWillRunOut", KIND, "tier"),)
        if "cadvisor" in catalog.kinds
        else ()
    )
    return Pack(
        name="faiss",
        title="FAISS",
        alerts=(slow("FaissHealthSlow", KIND), unsteady("FaissHealthUnsteady", KIND), *growth),
    )

"""
Chroma: a heartbeat that is slow or skips, an index that outgrows its memory.

Chroma exports no metrics (OTLP push only), so it is seen through its heartbeat and its container.
No public rules exist. Left out, and why:
- Chroma down: ServiceDown, by the heartbeat. Memory near the limit, restarts: the container pack.
- the heartbeat path that version 1.0 took away (410): a failing probe, so ServiceDown; its status
  is told by the probe pack.
- errors and latency of queries: Chroma tells nobody; the callers' web alerts see them.
"""

from __future__ import annotations

from alerts.kit import Pack
from alerts.memory_growth import memory_growth
from alerts.vector_probes import slow, unsteady
from generator.model import Catalog

KIND = "chromadb"


def pack(catalog: Catalog) -> Pack:
    """Return the Chroma pack; the trend of its memory only where cAdvisor runs."""
    growth = (
        (memory_growth("ChromadbMemoryWillRunOut", KIND, "tier"),)
        if "cadvisor" in catalog.kinds
        else ()
    )
    return Pack(
        name="chromadb",
        title="Chroma",
        alerts=(
            slow("ChromadbHeartbeatSlow", KIND),
            unsteady("ChromadbHeartbeatUnsteady", KIND),
            *growth,
        ),
    )

"""Prometheus' database: damage, failing upkeep, and more series than the host was made for."""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Severity
from generator.model import Catalog

BOARD = "stack"


def _counted(name: str, metric: str, summary: str, description: str) -> Alert:
    """Return the alert on *metric* having counted at least once in an hour."""
    return Alert(
        name=name,
        severity=Severity.WARNING,
        expr=f"sum by (service) (increase({metric}[1h]))",
        # One event counts; extrapolated it is at least 1.
        threshold=0.5,
        hold=timedelta(minutes=2),
        family="stack-tsdb",
        board=BOARD,
        summary=summary,
        description=description,
        fires={metric: "0.53/h"},
        quiet={metric: "0.47/h"},
        step=timedelta(minutes=2),
    )


DISK = "Its disk is full, slow or damaged, or the files belong to another user."

COUNTED = (
    _counted(
        "StackTsdbCompactionsFail",
        "prometheus_tsdb_compactions_failed_total",
        "{{ $labels.service }} cannot compact its database",
        f"{{{{ $labels.service }}}} failed to turn recent samples into a block. Memory and disk grow. {DISK}",
    ),
    _counted(
        "StackTsdbHeadTruncationsFail",
        "prometheus_tsdb_head_truncations_failed_total",
        "{{ $labels.service }} cannot clear samples from memory",
        f"{{{{ $labels.service }}}} failed to drop from memory what is safe on disk. Memory grows. {DISK}",
    ),
    _counted(
        "StackTsdbCheckpointsFail",
        "prometheus_tsdb_checkpoint_creations_failed_total",
        "{{ $labels.service }} cannot write checkpoints",
        f"The write-ahead log of {{{{ $labels.service }}}} is not shortened, so its next start takes "
        f"longer and needs more disk. {DISK}",
    ),
    _counted(
        "StackTsdbWalCorrupt",
        "prometheus_tsdb_wal_corruptions_total",
        "{{ $labels.service }} found damage in its write-ahead log",
        "{{ $labels.service }} cut its write-ahead log at the damage; up to two hours of samples may "
        "be missing. A crash or a full disk does this; a failing disk does it again.",
    ),
    _counted(
        "StackTsdbWalTruncationsFail",
        "prometheus_tsdb_wal_truncations_failed_total",
        "{{ $labels.service }} cannot shorten its write-ahead log",
        f"The write-ahead log of {{{{ $labels.service }}}} grows. {DISK}",
    ),
    _counted(
        "StackTsdbWalWritesFail",
        "prometheus_tsdb_wal_writes_failed_total",
        "{{ $labels.service }} cannot write its write-ahead log",
        f"Samples of {{{{ $labels.service }}}} stand in memory only and are lost when it stops. {DISK}",
    ),
    _counted(
        "StackTsdbReloadsFail",
        "prometheus_tsdb_reloads_failures_total",
        "{{ $labels.service }} cannot load its blocks",
        f"A block of {{{{ $labels.service }}}} cannot be read; what it holds is missing from queries. {DISK}",
    ),
    _counted(
        "StackTsdbChunksCorrupt",
        "prometheus_tsdb_mmap_chunk_corruptions_total",
        "{{ $labels.service }} found damaged chunks",
        "{{ $labels.service }} found damage in the recent samples that it keeps on disk, and read "
        "them again from the write-ahead log.",
    ),
)

SIZE_RETENTION = Alert(
    name="StackTsdbSizeNearLimit",
    severity=Severity.WARNING,
    expr="""max by (service) (
  last_over_time(prometheus_tsdb_storage_blocks_bytes[3m])
  / (last_over_time(prometheus_tsdb_retention_limit_bytes[3m]) > 0)
)""",
    threshold=0.9,
    hold=timedelta(hours=1),
    family="stack-tsdb-size",
    board=BOARD,
    summary="{{ $labels.service }} fills {{ $value | humanizePercentage }} of its retention size",
    description="""The blocks of {{ $labels.service }} take {{ $value | humanizePercentage }} of what they
        may. At 100 % the oldest go before their time, and alerts that look far back go blind.""",
    fires={
        "prometheus_tsdb_storage_blocks_bytes": "950",
        "prometheus_tsdb_retention_limit_bytes": "1000",
    },
    quiet={
        "prometheus_tsdb_storage_blocks_bytes": "850",
        "prometheus_tsdb_retention_limit_bytes": "1000",
    },
    value=0.95,
    step=timedelta(minutes=2),
)

# Per service and scrape: what cAdvisor and our exporters add, and what recording rules make of it.
PER_SERVICE = 150
# Series that ended stay in memory for up to three hours; every recreated container adds its own.
HEADROOM = 4
FLOOR = 50_000


def series_limit(catalog: Catalog) -> int:
    """Return how many series in memory are too many for *catalog*, in steps of 10,000."""
    kinds = (catalog.kinds[service.kind] for service in catalog.services)
    own = sum(kind.metrics.series for kind in kinds if kind.metrics)
    expected = own + PER_SERVICE * len(catalog.services)
    return max(FLOOR, -(-expected * HEADROOM // 10_000) * 10_000)


def _too_many_series(limit: int) -> Alert:
    """Return the alert on more than *limit* series in memory."""
    return Alert(
        name="StackSeriesTooMany",
        severity=Severity.WARNING,
        expr="max by (service) (last_over_time(prometheus_tsdb_head_series[3m]))",
        threshold=limit,
        hold=timedelta(minutes=15),
        family="stack-series",
        board=BOARD,
        summary="{{ $labels.service }} holds {{ $value | humanize }} series",
        description="""{{ $labels.service }} holds {{ $value | humanize }} series in memory, several times
            what the catalog accounts for. Some label takes ever new values; memory runs out next.""",
        fires={"prometheus_tsdb_head_series": f"{limit * 106 // 100}"},
        quiet={"prometheus_tsdb_head_series": f"{limit * 94 // 100}"},
    )


def alerts(catalog: Catalog) -> tuple[Alert, ...]:
    """Return the alerts on Prometheus' database, with the limit of series that fits *catalog*."""
    return (*COUNTED, SIZE_RETENTION, _too_many_series(series_limit(catalog)))

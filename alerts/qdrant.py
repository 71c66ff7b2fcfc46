"""
Qdrant: answers that fail or crawl, collections that are gone or cannot be optimised, memory.

Metric names carry no prefix, so every selector names the kind. Counters appear with the first
request of an endpoint. Compared with the alerts in Qdrant's own documentation and cloud, and
awesome-prometheus-alerts. Left out, and why:
- Qdrant down, "not ready": ServiceDown and ProbeFailsWhileHealthy (the probe asks /readyz).
- memory near the limit: the container pack; its growth is here. CPU: the container pack.
- consensus of a cluster (term, pending operations, peers): this platform runs one node.
- 4xx answers: mistakes of callers (a missing collection is told by QdrantCollectionsLost).
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Severity
from alerts.memory_growth import memory_growth
from generator.model import Catalog

BOARD = "kind-qdrant"
KIND = 'kind="qdrant"'
# Reads only: an upsert that waits for indexing is slow by request.
READS = 'endpoint=~".*/points/(search|query|recommend|discover).*"'

REST_ERRORS = Alert(
    name="QdrantRestErrorsHigh",
    severity=Severity.WARNING,
    expr=f"""sum by (service) (rate(rest_responses_total{{{KIND}, status=~"5.."}}[10m]))
/ sum by (service) (rate(rest_responses_total{{{KIND}}}[10m]))""",
    threshold=0.05,
    where=f"""and on (service) (
  sum by (service) (rate(rest_responses_total{{{KIND}}}[10m])) > 0.1
)""",
    hold=timedelta(minutes=5),
    family="qdrant-errors",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the REST answers of {{ $labels.service }} are errors",
    description="""{{ $labels.service }} answers {{ $value | humanizePercentage }} of its REST requests
        with 5xx: a shard is broken, the disk is full, or memory is short.""",
    fires={
        f'rest_responses_total{{{KIND},method="POST",endpoint="/collections/{{name}}/points/search",status="500"}}': "53/m",
        f'rest_responses_total{{{KIND},method="POST",endpoint="/collections/{{name}}/points/search",status="200"}}': "947/m",
    },
    quiet={
        f'rest_responses_total{{{KIND},method="POST",endpoint="/collections/{{name}}/points/search",status="500"}}': "47/m",
        f'rest_responses_total{{{KIND},method="POST",endpoint="/collections/{{name}}/points/search",status="200"}}': "953/m",
    },
    value=0.053,
    surge={
        f'rest_responses_total{{{KIND},method="POST",endpoint="/collections/{{name}}/points/search",status="500"}}': "100000/m",
        f'rest_responses_total{{{KIND},method="POST",endpoint="/collections/{{name}}/points/search",status="200"}}': "947/m",
    },
)

GRPC_ERRORS = Alert(
    name="QdrantGrpcErrorsHigh",
    severity=Severity.WARNING,
    expr=f"""sum by (service) (rate(grpc_responses_fail_total{{{KIND}}}[10m]))
/ sum by (service) (rate(grpc_responses_total{{{KIND}}}[10m]))""",
    # gRPC failures count wrong requests too, hence more than for REST.
    threshold=0.1,
    where=f"""and on (service) (
  sum by (service) (rate(grpc_responses_total{{{KIND}}}[10m])) > 0.1
)""",
    hold=timedelta(minutes=5),
    family="qdrant-errors",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the gRPC calls to {{ $labels.service }} fail",
    description="""{{ $value | humanizePercentage }} of the gRPC calls to {{ $labels.service }} end with
        an error, wrong requests among them.""",
    fires={
        f'grpc_responses_fail_total{{{KIND},endpoint="/qdrant.Points/Search"}}': "108/m",
        f'grpc_responses_total{{{KIND},endpoint="/qdrant.Points/Search"}}': "1000/m",
    },
    quiet={
        f'grpc_responses_fail_total{{{KIND},endpoint="/qdrant.Points/Search"}}': "92/m",
        f'grpc_responses_total{{{KIND},endpoint="/qdrant.Points/Search"}}': "1000/m",
    },
    value=0.108,
    surge={
        f'grpc_responses_fail_total{{{KIND},endpoint="/qdrant.Points/Search"}}': "100000/m",
        f'grpc_responses_total{{{KIND},endpoint="/qdrant.Points/Search"}}': "100000/m",
    },
)


def _searches(below: str, every: str) -> dict[str, str]:
    """Return samples of searches of which *below* end within half a second, *every* within one."""
    labels = f'{KIND},method="POST",endpoint="/collections/{{name}}/points/search"'
    return {
        f'rest_responses_duration_seconds_bucket{{{labels},le="0.5"}}': below,
        f'rest_responses_duration_seconds_bucket{{{labels},le="1"}}': every,
        f'rest_responses_duration_seconds_bucket{{{labels},le="+Inf"}}': every,
        f"rest_responses_duration_seconds_count{{{labels}}}": every,
    }


SEARCH_SLOW = Alert(
    name="QdrantSearchSlow",
    severity=Severity.WARNING,
    expr=f"""histogram_quantile(
  0.95, sum by (service, le) (rate(rest_responses_duration_seconds_bucket{{{KIND}, {READS}}}[10m]))
)""",
    threshold=0.75,
    where=f"""and on (service) (
  sum by (service) (rate(rest_responses_duration_seconds_count{{{KIND}, {READS}}}[10m])) > 0.1
)""",
    hold=timedelta(minutes=10),
    family="qdrant-latency",
    board=BOARD,
    summary="Searches in {{ $labels.service }} take {{ $value | humanizeDuration }}",
    description="""5 % of the searches in {{ $labels.service }} take longer than
        {{ $value | humanizeDuration }}. Usually the index is not built yet, or was pushed out of memory.""",
    fires=_searches("88/s", "100/s"),
    quiet=_searches("91.5/s", "100/s"),
    value=0.5 + 0.5 * 7 / 12,
    surge=_searches("90/s", "10000/s"),
)

RECOVERY_MODE = Alert(
    name="QdrantRecoveryMode",
    severity=Severity.CRITICAL,
    expr=f"max by (service) (last_over_time(app_status_recovery_mode{{{KIND}}}[3m]))",
    op="==",
    threshold=1,
    hold=timedelta(minutes=2),
    family="qdrant-recovery",
    board=BOARD,
    summary="{{ $labels.service }} runs in recovery mode and serves nothing",
    description="""{{ $labels.service }} was started in recovery mode, usually after it ran out of
        memory: collections are not loaded, searches and writes fail, only deleting works.""",
    fires={f"app_status_recovery_mode{{{KIND}}}": "1"},
    quiet={f"app_status_recovery_mode{{{KIND}}}": "0"},
    value=1,
    tight=False,
)

COLLECTIONS_LOST = Alert(
    name="QdrantCollectionsLost",
    severity=Severity.WARNING,
    # A volume that was not mounted shows like this: it answers, healthy and empty.
    expr=f"""max by (service) (max_over_time(collections_total{{{KIND}}}[1h]))
- max by (service) (last_over_time(collections_total{{{KIND}}}[3m]))""",
    threshold=0,
    hold=timedelta(minutes=2),
    family="qdrant-collections",
    board=BOARD,
    summary="{{ $labels.service }} has {{ $value | humanize }} collections fewer than an hour ago",
    description="""{{ $value | humanize }} collections of {{ $labels.service }} went away within the
        last hour: deleted by somebody, or the storage is not the one it was.""",
    fires={f"collections_total{{{KIND}}}": "2"},
    quiet={f"collections_total{{{KIND}}}": "5"},
    value=3,
    tight=False,
    settle=timedelta(0),
)

DEAD_REPLICAS = Alert(
    name="QdrantReplicasDead",
    severity=Severity.CRITICAL,
    expr=f"max by (service) (last_over_time(collection_dead_replicas{{{KIND}}}[3m]))",
    threshold=0,
    hold=timedelta(minutes=5),
    family="qdrant-shards",
    board=BOARD,
    summary="{{ $value | humanize }} shard replicas of {{ $labels.service }} are dead",
    description="""{{ $value | humanize }} shard replicas of {{ $labels.service }} are not active. With
        one replica each, as here, what they hold cannot be searched.""",
    fires={f"collection_dead_replicas{{{KIND}}}": "1"},
    quiet={f"collection_dead_replicas{{{KIND}}}": "0"},
    tight=False,
)

OPTIMISING_LONG = Alert(
    name="QdrantOptimizerBusy",
    severity=Severity.INFO,
    expr=f"sum by (service) (min_over_time(collection_running_optimizations{{{KIND}}}[30m]))",
    threshold=0,
    hold=timedelta(hours=1),
    family="qdrant-optimizer",
    board=BOARD,
    summary="{{ $labels.service }} has been optimising for more than an hour",
    description="""Optimisers of {{ $labels.service }} have not been idle for more than an hour. New
        points are searched without an index meanwhile; an optimiser that fails starts over for ever.""",
    fires={f'collection_running_optimizations{{{KIND},id="docs"}}': "1"},
    quiet={f'collection_running_optimizations{{{KIND},id="docs"}}': "0"},
    tight=False,
)

UPDATES_QUEUED = Alert(
    name="QdrantUpdateQueueLong",
    severity=Severity.WARNING,
    expr=f"sum by (service) (min_over_time(collection_update_queue_length{{{KIND}}}[10m]))",
    threshold=1000,
    hold=timedelta(minutes=10),
    family="qdrant-updates",
    board=BOARD,
    summary="{{ $value | humanize }} updates wait in {{ $labels.service }}",
    description="""{{ $value | humanize }} updates have been accepted by {{ $labels.service }} but not
        applied. What was written is not found yet, and a restart has to replay it.""",
    fires={f'collection_update_queue_length{{{KIND},id="docs"}}': "1080"},
    quiet={f'collection_update_queue_length{{{KIND},id="docs"}}': "920"},
    surge={f'collection_update_queue_length{{{KIND},id="docs"}}': "9000"},
)


def pack(catalog: Catalog) -> Pack:
    """Return the Qdrant pack; the trend of its memory only where cAdvisor runs."""
    growth = (
        (memory_growth("QdrantMemoryWillRunOut", "qdrant", BOARD),)
        if "cadvisor" in catalog.kinds
        else ()
    )
    return Pack(
        name="qdrant",
        title="Qdrant",
        alerts=(
            RECOVERY_MODE,
            DEAD_REPLICAS,
            COLLECTIONS_LOST,
            REST_ERRORS,
            GRPC_ERRORS,
            SEARCH_SLOW,
            UPDATES_QUEUED,
            OPTIMISING_LONG,
            *growth,
        ),
    )

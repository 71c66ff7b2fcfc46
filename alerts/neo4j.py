"""
Neo4j: which of its two doors is shut, an unsteady one, and what only the Enterprise edition tells.

The Community edition has no metrics: it is seen through the probes `bolt` (TCP 7687) and `http`
(7474) and as a container. Compared with Neo4j's list of essential metrics and
awesome-prometheus-alerts. Left out, and why:
- Neo4j down: ServiceDown, which needs both probes. It pages; the alerts here say which half is dead.
- memory, restarts, CPU: the container pack. Slow or flapping probes: the probe pack.
- transactions, deadlocks, store size, checkpoints: their names carry the database's name
  (neo4j_database_<db>_...), so no rule can be written for an unknown database.
- cluster members: this platform runs one node.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Severity
from generator.model import Catalog

KIND = 'kind=~"neo4j.*"'
ENTERPRISE = "neo4j-enterprise"
ENTERPRISE_BOARD = f"kind-{ENTERPRISE}"


def _door(dead: str, alive: str) -> tuple[str, str]:
    """Return expression and guard for "probe *dead* fails while probe *alive* works"."""
    works = f'min by (service) (last_over_time(probe_success{{{KIND}, probe="{alive}"}}[3m]))'
    return (
        f'min by (service) (last_over_time(probe_success{{{KIND}, probe="{dead}"}}[3m]))',
        f"and on (service) (\n  {works} == 1\n)",
    )


def _probes(bolt: str, http: str) -> dict[str, str]:
    return {
        'probe_success{kind="neo4j",probe="bolt"}': bolt,
        'probe_success{kind="neo4j",probe="http"}': http,
    }


BOLT_DEAD_EXPR, HTTP_LIVES = _door("bolt", "http")
BOLT_DEAD = Alert(
    name="Neo4jBoltDead",
    severity=Severity.WARNING,
    expr=BOLT_DEAD_EXPR,
    op="==",
    threshold=0,
    where=HTTP_LIVES,
    hold=timedelta(minutes=1),
    family="neo4j-doors",
    board="tier",
    summary="{{ $labels.service }} answers HTTP, but not Bolt",
    description="""The web page of {{ $labels.service }} works while port 7687 takes no connection.
        Every driver fails; who looks at the browser sees a healthy database.""",
    fires=_probes("0", "1"),
    quiet=_probes("1", "1"),
    value=0,
    tight=False,
)

HTTP_DEAD_EXPR, BOLT_LIVES = _door("http", "bolt")
HTTP_DEAD = Alert(
    name="Neo4jHttpDead",
    severity=Severity.WARNING,
    expr=HTTP_DEAD_EXPR,
    op="==",
    threshold=0,
    where=BOLT_LIVES,
    hold=timedelta(minutes=2),
    family="neo4j-doors",
    board="tier",
    summary="{{ $labels.service }} answers Bolt, but not HTTP",
    description="""Drivers of {{ $labels.service }} get a connection on port 7687, but the HTTP API and
        the browser on 7474 are dead or answer with an error.""",
    fires=_probes("1", "0"),
    quiet=_probes("1", "1"),
    value=0,
    tight=False,
)

BOLT_UNSTEADY = Alert(
    name="Neo4jBoltUnsteady",
    severity=Severity.WARNING,
    expr=f'min by (service) (avg_over_time(probe_success{{{KIND}, probe="bolt"}}[30m]))',
    op="<",
    threshold=0.9,
    hold=timedelta(minutes=5),
    family="neo4j-unsteady",
    board="tier",
    summary="{{ $labels.service }} took only {{ $value | humanizePercentage }} of the Bolt connections tried",
    description="""Of the Bolt connections tried to {{ $labels.service }} in 30 minutes,
        {{ $value | humanizePercentage }} worked: long garbage collections, or its worker threads are
        used up. Too short for ServiceDown, long enough for users.""",
    fires={'probe_success{kind="neo4j",probe="bolt"}': "0.85"},
    quiet={'probe_success{kind="neo4j",probe="bolt"}': "0.98"},
    value=0.85,
    surge={'probe_success{kind="neo4j",probe="bolt"}': "0"},
)

PAGE_CACHE = Alert(
    name="Neo4jPageCacheHitRatioLow",
    severity=Severity.WARNING,
    expr="min by (service) (avg_over_time(neo4j_dbms_page_cache_hit_ratio[10m]))",
    op="<",
    threshold=0.9,
    # A cache that is filling after a start misses by nature.
    where="and on (service) (max by (service) (last_over_time(neo4j_dbms_page_cache_usage_ratio[3m])) > 0.5)",
    hold=timedelta(minutes=15),
    family="neo4j-cache",
    board=ENTERPRISE_BOARD,
    summary="{{ $labels.service }} finds only {{ $value | humanizePercentage }} of its pages in memory",
    description="""The page cache of {{ $labels.service }} answers {{ $value | humanizePercentage }} of
        the lookups; under 98 % queries wait for the disk. The graph has outgrown the cache.""",
    fires={"neo4j_dbms_page_cache_hit_ratio": "0.85", "neo4j_dbms_page_cache_usage_ratio": "0.95"},
    quiet={"neo4j_dbms_page_cache_hit_ratio": "0.95", "neo4j_dbms_page_cache_usage_ratio": "0.95"},
    value=0.85,
    surge={"neo4j_dbms_page_cache_hit_ratio": "0", "neo4j_dbms_page_cache_usage_ratio": "0.95"},
)

BOLT_BUSY = Alert(
    name="Neo4jBoltThreadsBusy",
    severity=Severity.WARNING,
    expr="max by (service) (min_over_time(neo4j_dbms_bolt_connections_running[5m]))",
    # server.bolt.thread_pool_max_size is 400 by default; further connections wait.
    threshold=320,
    hold=timedelta(minutes=5),
    family="neo4j-bolt",
    board=ENTERPRISE_BOARD,
    summary="{{ $value | humanize }} Bolt connections work on {{ $labels.service }} at once",
    description="""{{ $value | humanize }} of the 400 worker threads that Bolt has by default are busy
        on {{ $labels.service }}. When all are, new requests wait and drivers time out.""",
    fires={"neo4j_dbms_bolt_connections_running": "340"},
    quiet={"neo4j_dbms_bolt_connections_running": "300"},
    surge={"neo4j_dbms_bolt_connections_running": "400"},
)

BOLT_CHURN = Alert(
    name="Neo4jBoltConnectionChurn",
    severity=Severity.INFO,
    expr="sum by (service) (rate(neo4j_dbms_bolt_connections_opened_total[10m]))",
    threshold=10,
    hold=timedelta(minutes=10),
    family="neo4j-churn",
    board=ENTERPRISE_BOARD,
    summary="{{ $value | humanize }} Bolt connections per second are opened to {{ $labels.service }}",
    description="""Clients of {{ $labels.service }} open {{ $value | humanize }} connections per second:
        a driver object per request instead of one per process.""",
    fires={"neo4j_dbms_bolt_connections_opened_total": "10.9/s"},
    quiet={"neo4j_dbms_bolt_connections_opened_total": "9.2/s"},
    value=10.9,
)


def pack(catalog: Catalog) -> Pack:
    """Return the Neo4j pack; what needs metrics only where the Enterprise edition runs."""
    enterprise = (PAGE_CACHE, BOLT_BUSY, BOLT_CHURN) if ENTERPRISE in catalog.kinds else ()
    return Pack(
        name="neo4j",
        title="Neo4j",
        alerts=(BOLT_DEAD, HTTP_DEAD, BOLT_UNSTEADY, *enterprise),
    )

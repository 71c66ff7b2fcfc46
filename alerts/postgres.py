"""
PostgreSQL: room for connections, transactions that hurt others, space, and a schema that is missing.

Compared with postgres_mixin and awesome-prometheus-alerts. Left out, and why:
- PostgreSQLDown: ServiceDown, by the verdict `pg_up`. Exporter errors: the observer pack.
- QPS, "commit rate low", "not enough connections", XLOG volume: load, not a symptom.
- slow queries (pg_stat_statements), wraparound age, checkpointer of version 17, postmaster start:
  collectors that are off by default; restarts are the container pack's.
- last autovacuum/autoanalyze: a table nobody writes is never vacuumed; dead tuples say what hurts.
- bloat and invalid indexes need queries of one's own; setting changes and role changes are events.

Longer than other modules: a pack is one list of values, and splitting it would only hide half.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Record, Severity
from generator.model import Catalog

BOARD = "kind-postgres"

# Reserved slots are not for applications, so the limit is what is left of max_connections.
CONNECTIONS = Record(
    name="service:postgres_connections:ratio",
    expr="""sum by (service) (last_over_time(pg_stat_database_numbackends[3m]))
/
(
  max by (service) (last_over_time(pg_settings_max_connections[3m]))
  - max by (service) (last_over_time(pg_settings_superuser_reserved_connections[3m]))
)""",
    inputs={
        'pg_stat_database_numbackends{service="alpha",datname="app"}': "30",
        'pg_stat_database_numbackends{service="alpha",datname="postgres"}': "10",
        'pg_settings_max_connections{service="alpha"}': "103",
        'pg_settings_superuser_reserved_connections{service="alpha"}': "3",
    },
    expect={'service:postgres_connections:ratio{service="alpha"}': 0.4},
)


def _connections(used: str, other: str) -> dict[str, str]:
    """Return samples of a server with 100 usable connections, *used* and *other* of them taken."""
    return {
        'pg_stat_database_numbackends{datname="app"}': used,
        'pg_stat_database_numbackends{datname="postgres"}': other,
        "pg_settings_max_connections": "103",
        "pg_settings_superuser_reserved_connections": "3",
    }


CONNECTIONS_NEAR_LIMIT = Alert(
    name="PostgresConnectionsNearLimit",
    severity=Severity.WARNING,
    expr=CONNECTIONS.name,
    threshold=0.8,
    hold=timedelta(minutes=5),
    family="postgres-connections",
    board=BOARD,
    summary="{{ $labels.service }} uses {{ $value | humanizePercentage }} of its connections",
    description="""Connections on {{ $labels.service }} stand at {{ $value | humanizePercentage }} of what
        max_connections leaves to applications. When they run out, every new client is refused.""",
    fires=_connections("72", "10"),
    quiet=_connections("68", "10"),
    value=0.82,
)

CONNECTIONS_EXHAUSTED = Alert(
    name="PostgresConnectionsExhausted",
    severity=Severity.CRITICAL,
    expr=CONNECTIONS.name,
    threshold=0.95,
    hold=timedelta(minutes=2),
    family="postgres-connections",
    board=BOARD,
    summary="{{ $labels.service }} is out of connections ({{ $value | humanizePercentage }} used)",
    description="""{{ $labels.service }} has used {{ $value | humanizePercentage }} of the connections
        that applications may open. New clients are refused or about to be.""",
    fires=_connections("87", "10"),
    quiet=_connections("83", "10"),
    value=0.97,
)

DEADLOCKS = Alert(
    name="PostgresDeadlocks",
    severity=Severity.WARNING,
    expr="sum by (service) (increase(pg_stat_database_deadlocks[15m]))",
    threshold=5,
    hold=timedelta(minutes=2),
    family="postgres-deadlocks",
    board=BOARD,
    summary="{{ $labels.service }} had {{ $value | humanize }} deadlocks in 15 minutes",
    description="""Transactions on {{ $labels.service }} lock the same rows in different orders;
        PostgreSQL ended {{ $value | humanize }} of them in 15 minutes with an error.""",
    fires={
        'pg_stat_database_deadlocks{datname="app"}': "12/h",
        'pg_stat_database_deadlocks{datname="jobs"}': "9.9/h",
    },
    quiet={
        'pg_stat_database_deadlocks{datname="app"}': "12/h",
        'pg_stat_database_deadlocks{datname="jobs"}': "7/h",
    },
    value=5.475,
    surge={
        'pg_stat_database_deadlocks{datname="app"}': "1200/h",
        'pg_stat_database_deadlocks{datname="jobs"}': "1000/h",
    },
)

ROLLBACKS = Alert(
    name="PostgresRollbackRatioHigh",
    severity=Severity.WARNING,
    expr="""sum by (service) (rate(pg_stat_database_xact_rollback[10m]))
/
(
  sum by (service) (rate(pg_stat_database_xact_rollback[10m]))
  + sum by (service) (rate(pg_stat_database_xact_commit[10m]))
)""",
    threshold=0.1,
    # Below one transaction per second a single failing job would look like an outage.
    where="""and on (service) (
  sum by (service) (rate(pg_stat_database_xact_commit[10m]))
  + sum by (service) (rate(pg_stat_database_xact_rollback[10m])) > 1
)""",
    hold=timedelta(minutes=10),
    family="postgres-rollbacks",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the transactions on {{ $labels.service }} roll back",
    description="""Applications on {{ $labels.service }} give up {{ $value | humanizePercentage }} of
        their transactions: errors, constraint violations or timeouts, seen from the database.""",
    fires={
        'pg_stat_database_xact_rollback{datname="app"}': "21/m",
        'pg_stat_database_xact_commit{datname="app"}': "179/m",
    },
    quiet={
        'pg_stat_database_xact_rollback{datname="app"}': "19/m",
        'pg_stat_database_xact_commit{datname="app"}': "181/m",
    },
    value=0.105,
    surge={
        'pg_stat_database_xact_rollback{datname="app"}': "20000/m",
        'pg_stat_database_xact_commit{datname="app"}': "179/m",
    },
)

CACHE_HITS = Alert(
    name="PostgresCacheHitRatioLow",
    severity=Severity.INFO,
    expr="""sum by (service) (rate(pg_stat_database_blks_hit[15m]))
/
(
  sum by (service) (rate(pg_stat_database_blks_hit[15m]))
  + sum by (service) (rate(pg_stat_database_blks_read[15m]))
)""",
    op="<",
    threshold=0.9,
    # A quiet server reads cold blocks now and then: only steady reading counts (100 blocks/s are 0.8 MB/s).
    where="and on (service) (sum by (service) (rate(pg_stat_database_blks_read[15m])) > 100)",
    hold=timedelta(minutes=15),
    family="postgres-cache",
    board=BOARD,
    summary="{{ $labels.service }} finds only {{ $value | humanizePercentage }} of its blocks in memory",
    description="""{{ $labels.service }} reads from disk what should be in shared_buffers: the hit
        ratio is {{ $value | humanizePercentage }}. Queries are slower than they need to be.""",
    fires={
        'pg_stat_database_blks_hit{datname="app"}': "850/s",
        'pg_stat_database_blks_read{datname="app"}': "150/s",
    },
    quiet={
        'pg_stat_database_blks_hit{datname="app"}': "950/s",
        'pg_stat_database_blks_read{datname="app"}': "101/s",
    },
    value=0.85,
)

TRANSACTION_LONG = Alert(
    name="PostgresTransactionLong",
    severity=Severity.WARNING,
    expr="""max by (service, datname) (
  last_over_time(pg_stat_activity_max_tx_duration{state="active"}[3m])
)""",
    threshold=3600,
    hold=timedelta(minutes=2),
    family="postgres-transactions",
    board=BOARD,
    summary="A transaction in {{ $labels.datname }} on {{ $labels.service }} runs since {{ $value | humanizeDuration }}",
    description="""A statement in database {{ $labels.datname }} has been at work for
        {{ $value | humanizeDuration }}. Until it ends, VACUUM cannot remove what it might still see.""",
    fires={'pg_stat_activity_max_tx_duration{datname="app",state="active"}': "3900"},
    quiet={'pg_stat_activity_max_tx_duration{datname="app",state="active"}': "3300"},
    extra={"datname": "app"},
)

IDLE_IN_TRANSACTION = Alert(
    name="PostgresIdleInTransaction",
    severity=Severity.WARNING,
    expr="""max by (service, datname) (
  last_over_time(pg_stat_activity_max_tx_duration{state=~"idle in transaction.*"}[3m])
)""",
    threshold=600,
    hold=timedelta(minutes=2),
    family="postgres-idle-transactions",
    board=BOARD,
    summary="A client of {{ $labels.datname }} on {{ $labels.service }} sits idle in a transaction since {{ $value | humanizeDuration }}",
    description="""A client opened a transaction in {{ $labels.datname }}, went silent, and has held
        its locks and its snapshot for {{ $value | humanizeDuration }}. Usually a leak in the application.""",
    fires={'pg_stat_activity_max_tx_duration{datname="app",state="idle in transaction"}': "640"},
    quiet={'pg_stat_activity_max_tx_duration{datname="app",state="idle in transaction"}': "560"},
    extra={"datname": "app"},
)

DEAD_TUPLES = Alert(
    name="PostgresDeadTuplesHigh",
    severity=Severity.WARNING,
    expr="""sum by (service, datname) (last_over_time(pg_stat_user_tables_n_dead_tup[5m]))
/
(
  sum by (service, datname) (last_over_time(pg_stat_user_tables_n_dead_tup[5m]))
  + sum by (service, datname) (last_over_time(pg_stat_user_tables_n_live_tup[5m]))
)""",
    threshold=0.3,
    # Small tables may be mostly dead for a moment; autovacuum needs 50 rows plus 20 % to start at all.
    where="""and on (service, datname) (
  sum by (service, datname) (last_over_time(pg_stat_user_tables_n_dead_tup[5m])) > 100000
)""",
    hold=timedelta(minutes=30),
    family="postgres-vacuum",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the rows of {{ $labels.datname }} on {{ $labels.service }} are dead",
    description="""Autovacuum does not keep up in {{ $labels.datname }}: {{ $value | humanizePercentage }}
        of all rows are dead. Tables grow, scans read rows that nobody can see.""",
    fires={
        'pg_stat_user_tables_n_dead_tup{datname="app",schemaname="public",relname="jobs"}': "310000",
        'pg_stat_user_tables_n_live_tup{datname="app",schemaname="public",relname="jobs"}': "690000",
    },
    quiet={
        'pg_stat_user_tables_n_dead_tup{datname="app",schemaname="public",relname="jobs"}': "280000",
        'pg_stat_user_tables_n_live_tup{datname="app",schemaname="public",relname="jobs"}': "720000",
    },
    value=0.31,
    extra={"datname": "app"},
)

EXCLUSIVE_LOCK = Alert(
    name="PostgresAccessExclusiveLockHeld",
    severity=Severity.WARNING,
    expr="""sum by (service, datname) (
  min_over_time(pg_locks_count{mode="accessexclusivelock"}[5m])
)""",
    threshold=0,
    hold=timedelta(minutes=10),
    family="postgres-locks",
    board=BOARD,
    summary="Tables of {{ $labels.datname }} on {{ $labels.service }} are locked against everybody",
    description="""{{ $value | humanize }} ACCESS EXCLUSIVE locks in {{ $labels.datname }} have been
        there for more than 10 minutes. Whoever reads those tables waits: a migration that hangs,
        VACUUM FULL, or a forgotten LOCK TABLE.""",
    fires={'pg_locks_count{datname="app",mode="accessexclusivelock"}': "2"},
    quiet={'pg_locks_count{datname="app",mode="accessexclusivelock"}': "0"},
    extra={"datname": "app"},
    tight=False,
    surge={'pg_locks_count{datname="app",mode="accessexclusivelock"}': "2"},
)

LOCKS_NEAR_LIMIT = Alert(
    name="PostgresLocksNearLimit",
    severity=Severity.WARNING,
    # The table holds max_locks_per_transaction for each connection.
    expr="""sum by (service) (last_over_time(pg_locks_count[3m]))
/
(
  max by (service) (last_over_time(pg_settings_max_locks_per_transaction[3m]))
  * max by (service) (last_over_time(pg_settings_max_connections[3m]))
)""",
    threshold=0.5,
    hold=timedelta(minutes=5),
    family="postgres-locks",
    board=BOARD,
    summary="{{ $labels.service }} has filled {{ $value | humanizePercentage }} of its lock table",
    description="""The shared lock table of {{ $labels.service }} is {{ $value | humanizePercentage }}
        full. When it is full, statements end with "out of shared memory".""",
    fires={
        'pg_locks_count{datname="app",mode="accesssharelock"}': "12000",
        'pg_locks_count{datname="app",mode="rowexclusivelock"}': "1280",
        "pg_settings_max_locks_per_transaction": "256",
        "pg_settings_max_connections": "100",
    },
    quiet={
        'pg_locks_count{datname="app",mode="accesssharelock"}': "10800",
        'pg_locks_count{datname="app",mode="rowexclusivelock"}': "1280",
        "pg_settings_max_locks_per_transaction": "256",
        "pg_settings_max_connections": "100",
    },
    value=0.51875,
)

REPLICATION_LAG = Alert(
    name="PostgresReplicationLag",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(pg_replication_lag_seconds[3m]))",
    threshold=300,
    where="""and on (service) (
  max by (service) (last_over_time(pg_replication_is_replica[3m])) == 1
)""",
    hold=timedelta(minutes=5),
    family="postgres-replication",
    board=BOARD,
    summary="{{ $labels.service }} is {{ $value | humanizeDuration }} behind its primary",
    description="""The replica {{ $labels.service }} replays what its primary did
        {{ $value | humanizeDuration }} ago. Reads from it are old, and a failover would lose that much.""",
    fires={"pg_replication_lag_seconds": "320", "pg_replication_is_replica": "1"},
    quiet={"pg_replication_lag_seconds": "280", "pg_replication_is_replica": "1"},
    value=320,
)

GROWTH = Alert(
    name="PostgresGrowsFast",
    severity=Severity.WARNING,
    expr="sum by (service) (delta(pg_database_size_bytes[6h]))",
    threshold=5 * 1024**3,
    hold=timedelta(minutes=15),
    family="postgres-size",
    board=BOARD,
    summary="{{ $labels.service }} grew by {{ $value | humanize1024 }}B in six hours",
    description="""The databases on {{ $labels.service }} took {{ $value | humanize1024 }}B more in six
        hours: a runaway writer, a log table without an end, or an import. The disk is next.""",
    fires={'pg_database_size_bytes{datname="app"}': "ramp 10000000000 940000000/h"},
    quiet={'pg_database_size_bytes{datname="app"}': "ramp 10000000000 850000000/h"},
    value=5640000000,
    step=timedelta(minutes=5),
)

CHECKPOINTS = Alert(
    name="PostgresCheckpointsRequested",
    severity=Severity.INFO,
    expr="""sum by (service) (rate(pg_stat_bgwriter_checkpoints_req_total[30m]))
/
(
  sum by (service) (rate(pg_stat_bgwriter_checkpoints_req_total[30m]))
  + sum by (service) (rate(pg_stat_bgwriter_checkpoints_timed_total[30m]))
)""",
    threshold=0.5,
    where="""and on (service) (
  sum by (service) (increase(pg_stat_bgwriter_checkpoints_req_total[30m])) > 4
)""",
    hold=timedelta(minutes=15),
    family="postgres-checkpoints",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the checkpoints on {{ $labels.service }} are forced",
    description="""WAL fills up before the checkpoint timeout: {{ $value | humanizePercentage }} of the
        checkpoints on {{ $labels.service }} are forced, each with a burst of writes. max_wal_size is
        too small for this load.""",
    fires={
        "pg_stat_bgwriter_checkpoints_req_total": "13/h",
        "pg_stat_bgwriter_checkpoints_timed_total": "12/h",
    },
    quiet={
        "pg_stat_bgwriter_checkpoints_req_total": "11/h",
        "pg_stat_bgwriter_checkpoints_timed_total": "12/h",
    },
    value=0.52,
)

TEMP_FILES = Alert(
    name="PostgresTempFilesHeavy",
    severity=Severity.INFO,
    expr="sum by (service) (rate(pg_stat_database_temp_bytes[15m]))",
    threshold=10 * 1024**2,
    hold=timedelta(minutes=15),
    family="postgres-temp-files",
    board=BOARD,
    summary="{{ $labels.service }} writes {{ $value | humanize1024 }}B/s of temporary files",
    description="""Sorts and hashes on {{ $labels.service }} do not fit work_mem and spill
        {{ $value | humanize1024 }}B per second to disk.""",
    fires={'pg_stat_database_temp_bytes{datname="app"}': "11300000/s"},
    quiet={'pg_stat_database_temp_bytes{datname="app"}': "10000000/s"},
    value=11300000,
)

ARCHIVE = Alert(
    name="PostgresWalArchiveFailing",
    severity=Severity.WARNING,
    expr="sum by (service) (increase(pg_stat_archiver_failed_count[15m]))",
    threshold=3,
    hold=timedelta(minutes=2),
    family="postgres-archive",
    board=BOARD,
    summary="{{ $labels.service }} failed {{ $value | humanize }} times to archive its WAL",
    description="""archive_command on {{ $labels.service }} failed {{ $value | humanize }} times in
        15 minutes. WAL stays in pg_wal until it succeeds and fills the disk; backups have a gap.""",
    fires={"pg_stat_archiver_failed_count": "13/h"},
    quiet={"pg_stat_archiver_failed_count": "11/h"},
    value=3.25,
    surge={"pg_stat_archiver_failed_count": "1300/h"},
)

# "PostgreSQL ran, empty": the server answers, but no user table has ever been seen for ten minutes.
# No page: tables are seen in the exporter's own database only, and nothing it exports says which
# one that is. With a DSN that names the maintenance database every server looks empty.
EMPTY = Alert(
    name="PostgresEmpty",
    severity=Severity.WARNING,
    # Not pg_up: exporters before 0.12 answer without ever looking at tables.
    expr="""max by (service) (
  last_over_time(pg_scrape_collector_success{collector=~"(stat_)?user_tables"}[3m])
)""",
    op="==",
    threshold=1,
    where="""unless on (service)
  count by (service) (last_over_time(pg_stat_user_tables_n_live_tup[10m]))""",
    hold=timedelta(minutes=5),
    family="postgres-schema",
    board=BOARD,
    summary="{{ $labels.service }} runs without a single table, as far as its exporter sees",
    description="""{{ $labels.service }} answers, but the database that the exporter is connected to
        has no user tables: the schema was never created, the volume is a new one, or the exporter's
        DSN names another database than the application's.""",
    fires={
        'pg_scrape_collector_success{collector="stat_user_tables"}': "1",
        'pg_stat_user_tables_n_live_tup{datname="app",schemaname="public",relname="users"}': "none",
    },
    quiet={
        'pg_scrape_collector_success{collector="stat_user_tables"}': "1",
        'pg_stat_user_tables_n_live_tup{datname="app",schemaname="public",relname="users"}': "5",
    },
    value=1,
    tight=False,
    settle=timedelta(minutes=10),
)


def pack(_catalog: Catalog) -> Pack:
    """Return the PostgreSQL pack; it is the same for every catalog."""
    return Pack(
        name="postgres",
        title="PostgreSQL",
        records=(CONNECTIONS,),
        alerts=(
            CONNECTIONS_NEAR_LIMIT,
            CONNECTIONS_EXHAUSTED,
            EMPTY,
            DEADLOCKS,
            ROLLBACKS,
            TRANSACTION_LONG,
            IDLE_IN_TRANSACTION,
            EXCLUSIVE_LOCK,
            LOCKS_NEAR_LIMIT,
            DEAD_TUPLES,
            GROWTH,
            REPLICATION_LAG,
            ARCHIVE,
            CACHE_HITS,
            CHECKPOINTS,
            TEMP_FILES,
        ),
    )

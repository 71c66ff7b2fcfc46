"""
Redis: clients that are refused, keys that are thrown away, writes that do not reach the disk.

Compared with the redis mixin and awesome-prometheus-alerts. Left out, and why:
- RedisDown: ServiceDown, by the verdict `redis_up`. Restarts: the container pack.
- memory near the limit under an evicting policy: 100 % is where such a cache lives; evictions say
  what is lost. Memory of the host: the host and container packs.
- "missing backup" (age of the last snapshot): `save ""` looks the same as a broken save; a failing
  one is told here. Too many or too few masters, lost replicas, cluster slots: this is one node
  unless it says it is a replica. "Not enough connections": load, not a symptom.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Severity
from generator.model import Catalog

BOARD = "kind-redis"

REJECTED = Alert(
    name="RedisRejectsConnections",
    severity=Severity.CRITICAL,
    expr="sum by (service) (increase(redis_rejected_connections_total[10m]))",
    threshold=10,
    hold=timedelta(minutes=1),
    family="redis-clients",
    board=BOARD,
    summary="{{ $labels.service }} refused {{ $value | humanize }} connections in 10 minutes",
    description="""{{ $labels.service }} is at maxclients and refused {{ $value | humanize }}
        connections in 10 minutes. Whoever was refused has no cache, no queue and no session.""",
    fires={"redis_rejected_connections_total": "65.4/h"},
    quiet={"redis_rejected_connections_total": "55/h"},
    value=10.9,
)

CLIENTS_NEAR_LIMIT = Alert(
    name="RedisClientsNearLimit",
    severity=Severity.WARNING,
    expr="""max by (service) (last_over_time(redis_connected_clients[3m]))
/ max by (service) (last_over_time(redis_config_maxclients[3m]))""",
    threshold=0.8,
    hold=timedelta(minutes=5),
    family="redis-clients",
    board=BOARD,
    summary="{{ $labels.service }} has {{ $value | humanizePercentage }} of its clients",
    description="""{{ $labels.service }} serves {{ $value | humanizePercentage }} of the clients that
        maxclients allows. Above that it refuses new ones.""",
    fires={"redis_connected_clients": "8400", "redis_config_maxclients": "10000"},
    quiet={"redis_connected_clients": "7600", "redis_config_maxclients": "10000"},
    value=0.84,
)

EVICTIONS = Alert(
    name="RedisEvictsKeys",
    severity=Severity.WARNING,
    expr="sum by (service) (rate(redis_evicted_keys_total[10m]))",
    threshold=10,
    hold=timedelta(minutes=15),
    family="redis-memory",
    board=BOARD,
    summary="{{ $labels.service }} throws away {{ $value | humanize }} keys per second",
    description="""{{ $labels.service }} is at maxmemory and evicts {{ $value | humanize }} keys per
        second to make room. What a cache loses is computed again; what a queue or session store
        loses is gone.""",
    fires={"redis_evicted_keys_total": "10.9/s"},
    quiet={"redis_evicted_keys_total": "9.2/s"},
    value=10.9,
)

# With an evicting policy a full memory is normal; only noeviction turns it into refused writes.
MEMORY_NEAR_LIMIT = Alert(
    name="RedisMemoryNearLimit",
    severity=Severity.CRITICAL,
    expr="""max by (service) (last_over_time(redis_memory_used_bytes[3m]))
/ (max by (service) (last_over_time(redis_memory_max_bytes[3m])) > 0)""",
    threshold=0.9,
    where="""and on (service)
  last_over_time(redis_instance_info{maxmemory_policy="noeviction"}[5m])""",
    hold=timedelta(minutes=5),
    family="redis-memory",
    board=BOARD,
    summary="{{ $labels.service }} has filled {{ $value | humanizePercentage }} of its memory and may not evict",
    description="""{{ $labels.service }} uses {{ $value | humanizePercentage }} of maxmemory with policy
        noeviction. At 100 % every write fails with OOM.""",
    fires={
        "redis_memory_used_bytes": "470000000",
        "redis_memory_max_bytes": "500000000",
        'redis_instance_info{maxmemory_policy="noeviction",role="master"}': "1",
    },
    quiet={
        "redis_memory_used_bytes": "430000000",
        "redis_memory_max_bytes": "500000000",
        'redis_instance_info{maxmemory_policy="noeviction",role="master"}': "1",
    },
    value=0.94,
)

SNAPSHOT = Alert(
    name="RedisSnapshotFailing",
    severity=Severity.CRITICAL,
    expr="max by (service) (last_over_time(redis_rdb_last_bgsave_status[3m]))",
    op="==",
    threshold=0,
    hold=timedelta(minutes=5),
    family="redis-persistence",
    board=BOARD,
    summary="{{ $labels.service }} cannot save its snapshot",
    description="""The last background save of {{ $labels.service }} failed. With the default
        stop-writes-on-bgsave-error every write fails with MISCONF until one succeeds.""",
    fires={"redis_rdb_last_bgsave_status": "0"},
    quiet={"redis_rdb_last_bgsave_status": "1"},
    value=0,
    tight=False,
)

AOF = Alert(
    name="RedisAofFailing",
    severity=Severity.CRITICAL,
    expr="""min by (service) (
  last_over_time(redis_aof_last_write_status[3m])
  and on (service, instance) last_over_time(redis_aof_enabled[3m]) == 1
)""",
    op="==",
    threshold=0,
    hold=timedelta(minutes=5),
    family="redis-persistence",
    board=BOARD,
    summary="{{ $labels.service }} cannot write its append-only file",
    description="""The last write of {{ $labels.service }} to its append-only file failed. It refuses
        writes until the file can be written again: the disk is full, read-only or broken.""",
    fires={"redis_aof_last_write_status": "0", "redis_aof_enabled": "1"},
    quiet={"redis_aof_last_write_status": "1", "redis_aof_enabled": "1"},
    value=0,
    tight=False,
)

AOF_REWRITE = Alert(
    name="RedisAofRewriteFailing",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(redis_aof_last_bgrewrite_status[3m]))",
    op="==",
    threshold=0,
    hold=timedelta(minutes=15),
    family="redis-persistence",
    board=BOARD,
    summary="{{ $labels.service }} cannot compact its append-only file",
    description="""The last rewrite of the append-only file of {{ $labels.service }} failed: no memory
        for the fork, or no room on the disk. The file grows and restarts take longer.""",
    fires={"redis_aof_last_bgrewrite_status": "0"},
    quiet={"redis_aof_last_bgrewrite_status": "1"},
    value=0,
    tight=False,
)

FRAGMENTATION = Alert(
    name="RedisFragmentation",
    severity=Severity.INFO,
    expr="max by (service) (last_over_time(redis_mem_fragmentation_ratio[3m]))",
    threshold=1.5,
    # Of a small data set the process itself is the larger part: the ratio says nothing there.
    where="""and on (service) (
  max by (service) (last_over_time(redis_memory_used_bytes[3m])) > 100000000
)""",
    hold=timedelta(minutes=30),
    family="redis-fragmentation",
    board=BOARD,
    summary="{{ $labels.service }} holds {{ $value | humanize }} times the memory of its data",
    description="""The process of {{ $labels.service }} occupies {{ $value | humanize }} times what its
        data needs. The container's limit is reached before maxmemory is.""",
    fires={"redis_mem_fragmentation_ratio": "1.6", "redis_memory_used_bytes": "200000000"},
    quiet={"redis_mem_fragmentation_ratio": "1.4", "redis_memory_used_bytes": "200000000"},
    value=1.6,
)

SWAPPED = Alert(
    name="RedisSwapped",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(redis_mem_fragmentation_ratio[3m]))",
    op="<",
    threshold=0.9,
    where="""and on (service) (
  max by (service) (last_over_time(redis_memory_used_bytes[3m])) > 100000000
)""",
    hold=timedelta(minutes=15),
    family="redis-swap",
    board=BOARD,
    summary="{{ $labels.service }} lies partly in swap",
    description="""Only {{ $value | humanize }} of each byte of {{ $labels.service }} is in real memory;
        the rest was swapped out. Commands that touch it take milliseconds instead of microseconds.""",
    fires={"redis_mem_fragmentation_ratio": "0.85", "redis_memory_used_bytes": "200000000"},
    quiet={"redis_mem_fragmentation_ratio": "0.95", "redis_memory_used_bytes": "200000000"},
    value=0.85,
)

REPLICATION = Alert(
    name="RedisReplicationLinkDown",
    severity=Severity.WARNING,
    # The series exists on replicas only.
    expr="min by (service) (last_over_time(redis_master_link_up[3m]))",
    op="==",
    threshold=0,
    hold=timedelta(minutes=5),
    family="redis-replication",
    board=BOARD,
    summary="{{ $labels.service }} has lost its primary",
    description="""The replica {{ $labels.service }} has no link to its primary. It serves old data, and
        a failover would lose everything since.""",
    fires={"redis_master_link_up": "0"},
    quiet={"redis_master_link_up": "1"},
    value=0,
    tight=False,
)

SLOW_COMMANDS = Alert(
    name="RedisSlowCommands",
    severity=Severity.WARNING,
    # slowlog_length stays at its cap of 128; the id of the newest entry keeps counting.
    expr="sum by (service) (delta(redis_slowlog_last_id[10m]))",
    threshold=100,
    hold=timedelta(minutes=10),
    family="redis-slow",
    board=BOARD,
    summary="{{ $labels.service }} ran {{ $value | humanize }} slow commands in 10 minutes",
    description="""{{ $value | humanize }} commands on {{ $labels.service }} took longer than
        slowlog-log-slower-than (10 ms by default) in 10 minutes. Redis runs one command at a time, so
        everybody else waited.""",
    fires={"redis_slowlog_last_id": "ramp 0 654/h"},
    quiet={"redis_slowlog_last_id": "ramp 0 550/h"},
    value=109,
    surge={"redis_slowlog_last_id": "ramp 0 65400/h"},
)

HIT_RATIO = Alert(
    name="RedisHitRatioLow",
    severity=Severity.INFO,
    expr="""sum by (service) (rate(redis_keyspace_hits_total[15m]))
/
(
  sum by (service) (rate(redis_keyspace_hits_total[15m]))
  + sum by (service) (rate(redis_keyspace_misses_total[15m]))
)""",
    op="<",
    threshold=0.5,
    where="and on (service) (sum by (service) (rate(redis_keyspace_misses_total[15m])) > 5)",
    hold=timedelta(minutes=30),
    family="redis-cache",
    board=BOARD,
    summary="{{ $labels.service }} finds only {{ $value | humanizePercentage }} of the keys asked for",
    description="""Of the keys asked of {{ $labels.service }} only {{ $value | humanizePercentage }} are
        there: they expire too soon, are evicted, or the cache is keyed by something that changes.""",
    fires={"redis_keyspace_hits_total": "46/s", "redis_keyspace_misses_total": "54/s"},
    quiet={"redis_keyspace_hits_total": "54/s", "redis_keyspace_misses_total": "46/s"},
    value=0.46,
)

BLOCKED_CLIENTS = Alert(
    name="RedisBlockedClients",
    severity=Severity.INFO,
    expr="max by (service) (last_over_time(redis_blocked_clients[3m]))",
    # Workers wait in BLPOP and XREADGROUP by design; fifty is more than this platform has (a guess).
    threshold=50,
    hold=timedelta(minutes=15),
    family="redis-blocked",
    board=BOARD,
    summary="{{ $value | humanize }} clients wait for data on {{ $labels.service }}",
    description="""{{ $value | humanize }} clients of {{ $labels.service }} are blocked in a waiting
        command. Either nobody produces, or waiting clients are leaked and never closed.""",
    fires={"redis_blocked_clients": "54"},
    quiet={"redis_blocked_clients": "46"},
)


def pack(_catalog: Catalog) -> Pack:
    """Return the Redis pack; it is the same for every catalog."""
    return Pack(
        name="redis",
        title="Redis",
        alerts=(
            REJECTED,
            CLIENTS_NEAR_LIMIT,
            MEMORY_NEAR_LIMIT,
            EVICTIONS,
            SNAPSHOT,
            AOF,
            AOF_REWRITE,
            REPLICATION,
            SLOW_COMMANDS,
            SWAPPED,
            FRAGMENTATION,
            HIT_RATIO,
            BLOCKED_CLIENTS,
        ),
    )

"""
RabbitMQ: publishers that are blocked, messages that are lost, queues that nobody empties.

The endpoint `/metrics` is aggregated: no series has a queue label, so every alert speaks of the
whole broker and the runbook says how to find the queue. Compared with the rules of
rabbitmq/cluster-operator and awesome-prometheus-alerts. Left out, and why:
- node down, restarts: ServiceDown and the container pack. Clustering (majority, partitions, Erlang
  links, version mix): the broker of this platform is one node.
- TCP sockets near the limit: `rabbitmq_process_open_tcp_sockets` is gone in 4.x, file descriptors tell.
- "too many connections" and "too many consumers" as bare numbers: churn and limits say what hurts.
- head message age, dead-letter queues, inactive exchanges: need per-queue series.

Longer than other modules: a pack is one list of values, and splitting it would only hide half.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Severity
from generator.model import Catalog

BOARD = "kind-rabbitmq"

MEMORY_ALARM = Alert(
    name="RabbitmqMemoryAlarm",
    severity=Severity.CRITICAL,
    expr="max by (service) (last_over_time(rabbitmq_alarms_memory_used_watermark[3m]))",
    op="==",
    threshold=1,
    hold=timedelta(minutes=1),
    family="rabbitmq-memory",
    board=BOARD,
    summary="{{ $labels.service }} is over its memory watermark and blocks all publishers",
    description="""{{ $labels.service }} uses more memory than vm_memory_high_watermark allows. Until it
        is below, every connection that publishes is blocked; consumers still work.""",
    fires={"rabbitmq_alarms_memory_used_watermark": "1"},
    quiet={"rabbitmq_alarms_memory_used_watermark": "0"},
    value=1,
    tight=False,
)

MEMORY_NEAR_LIMIT = Alert(
    name="RabbitmqMemoryNearWatermark",
    severity=Severity.WARNING,
    expr="""max by (service) (last_over_time(rabbitmq_process_resident_memory_bytes[3m]))
/ max by (service) (last_over_time(rabbitmq_resident_memory_limit_bytes[3m]))""",
    threshold=0.85,
    hold=timedelta(minutes=5),
    family="rabbitmq-memory",
    board=BOARD,
    summary="{{ $labels.service }} is at {{ $value | humanizePercentage }} of its memory watermark",
    description="""{{ $labels.service }} uses {{ $value | humanizePercentage }} of the memory at which it
        blocks publishers. Usually messages pile up, or connections and channels leak.""",
    fires={
        "rabbitmq_process_resident_memory_bytes": "900000000",
        "rabbitmq_resident_memory_limit_bytes": "1000000000",
    },
    quiet={
        "rabbitmq_process_resident_memory_bytes": "800000000",
        "rabbitmq_resident_memory_limit_bytes": "1000000000",
    },
    value=0.9,
)

DISK_ALARM = Alert(
    name="RabbitmqDiskAlarm",
    severity=Severity.CRITICAL,
    expr="max by (service) (last_over_time(rabbitmq_alarms_free_disk_space_watermark[3m]))",
    op="==",
    threshold=1,
    hold=timedelta(minutes=1),
    family="rabbitmq-disk",
    board=BOARD,
    summary="{{ $labels.service }} has too little disk left and blocks all publishers",
    description="""Free disk space of {{ $labels.service }} is below disk_free_limit. Until there is
        more, every connection that publishes is blocked.""",
    fires={"rabbitmq_alarms_free_disk_space_watermark": "1"},
    quiet={"rabbitmq_alarms_free_disk_space_watermark": "0"},
    value=1,
    tight=False,
)

DISK_SOON = Alert(
    name="RabbitmqDiskAlarmPredicted",
    severity=Severity.WARNING,
    expr="""min by (service) (
  predict_linear(rabbitmq_disk_space_available_bytes[3h], 43200)
  - last_over_time(rabbitmq_disk_space_available_limit_bytes[15m])
)""",
    op="<",
    threshold=0,
    hold=timedelta(minutes=30),
    family="rabbitmq-disk",
    board=BOARD,
    summary="{{ $labels.service }} will run into its disk alarm within 12 hours",
    description="""Free disk space of {{ $labels.service }} shrinks so fast that it falls below
        disk_free_limit within 12 hours. Then publishers are blocked.""",
    fires={
        "rabbitmq_disk_space_available_bytes": "ramp 12000000000 -1000000000/h",
        "rabbitmq_disk_space_available_limit_bytes": "50000000",
    },
    quiet={
        "rabbitmq_disk_space_available_bytes": "ramp 12000000000 -10000000/h",
        "rabbitmq_disk_space_available_limit_bytes": "50000000",
    },
    value=0,
    tight=False,
    step=timedelta(minutes=5),
)

DESCRIPTOR_ALARM = Alert(
    name="RabbitmqFileDescriptorAlarm",
    severity=Severity.CRITICAL,
    expr="max by (service) (last_over_time(rabbitmq_alarms_file_descriptor_limit[3m]))",
    op="==",
    threshold=1,
    hold=timedelta(minutes=1),
    family="rabbitmq-descriptors",
    board=BOARD,
    summary="{{ $labels.service }} is out of file descriptors and takes no connections",
    description="""{{ $labels.service }} has no file descriptors left: it accepts no new connections and
        queues may fail to write.""",
    fires={"rabbitmq_alarms_file_descriptor_limit": "1"},
    quiet={"rabbitmq_alarms_file_descriptor_limit": "0"},
    value=1,
    tight=False,
)

DESCRIPTORS_NEAR_LIMIT = Alert(
    name="RabbitmqFileDescriptorsNearLimit",
    severity=Severity.WARNING,
    expr="""max by (service) (last_over_time(rabbitmq_process_open_fds[3m]))
/ max by (service) (last_over_time(rabbitmq_process_max_fds[3m]))""",
    threshold=0.8,
    hold=timedelta(minutes=5),
    family="rabbitmq-descriptors",
    board=BOARD,
    summary="{{ $labels.service }} uses {{ $value | humanizePercentage }} of its file descriptors",
    description="""{{ $labels.service }} has opened {{ $value | humanizePercentage }} of the file
        descriptors it may. At the limit it takes no new connections.""",
    fires={"rabbitmq_process_open_fds": "860", "rabbitmq_process_max_fds": "1024"},
    quiet={"rabbitmq_process_open_fds": "780", "rabbitmq_process_max_fds": "1024"},
    value=0.83984375,
)

PROCESSES_NEAR_LIMIT = Alert(
    name="RabbitmqErlangProcessesNearLimit",
    severity=Severity.WARNING,
    expr="""max by (service) (last_over_time(rabbitmq_erlang_processes_used[3m]))
/ max by (service) (last_over_time(rabbitmq_erlang_processes_limit[3m]))""",
    threshold=0.8,
    hold=timedelta(minutes=5),
    family="rabbitmq-processes",
    board=BOARD,
    summary="{{ $labels.service }} uses {{ $value | humanizePercentage }} of its Erlang processes",
    description="""{{ $labels.service }} runs {{ $value | humanizePercentage }} of the Erlang processes
        it may. Connections, channels and queues each take some; at the limit the node dies.""",
    fires={
        "rabbitmq_erlang_processes_used": "850000",
        "rabbitmq_erlang_processes_limit": "1000000",
    },
    quiet={
        "rabbitmq_erlang_processes_used": "750000",
        "rabbitmq_erlang_processes_limit": "1000000",
    },
    value=0.85,
)

DROPPED = Alert(
    name="RabbitmqMessagesUnroutable",
    severity=Severity.WARNING,
    # Both are lost to the queue: dropped silently, or returned to a publisher that rarely looks.
    expr="""sum by (service) (increase(rabbitmq_global_messages_unroutable_dropped_total[15m]))
+ sum by (service) (increase(rabbitmq_global_messages_unroutable_returned_total[15m]))""",
    threshold=10,
    hold=timedelta(minutes=2),
    family="rabbitmq-routing",
    board=BOARD,
    summary="{{ $labels.service }} could not route {{ $value | humanize }} messages in 15 minutes",
    description="""{{ $value | humanize }} messages came to {{ $labels.service }} in 15 minutes for which
        no queue is bound. They were dropped or handed back: a queue or binding is missing.""",
    fires={
        'rabbitmq_global_messages_unroutable_dropped_total{protocol="amqp091"}': "34/h",
        'rabbitmq_global_messages_unroutable_returned_total{protocol="amqp091"}': "9.6/h",
    },
    quiet={
        'rabbitmq_global_messages_unroutable_dropped_total{protocol="amqp091"}': "28/h",
        'rabbitmq_global_messages_unroutable_returned_total{protocol="amqp091"}': "9.6/h",
    },
    value=10.9,
)

READY_GROWING = Alert(
    name="RabbitmqReadyMessagesGrowing",
    severity=Severity.WARNING,
    expr="sum by (service) (delta(rabbitmq_queue_messages_ready[20m]))",
    threshold=500,
    where="""and on (service) (
  sum by (service) (last_over_time(rabbitmq_queue_messages_ready[3m])) > 1000
)""",
    hold=timedelta(minutes=10),
    family="rabbitmq-backlog",
    board=BOARD,
    summary="The backlog of {{ $labels.service }} grew by {{ $value | humanize }} messages in 20 minutes",
    description="""More than 1000 messages wait in {{ $labels.service }}, and
        {{ $value | humanize }} came on top in 20 minutes: consumers are slower than publishers.""",
    fires={"rabbitmq_queue_messages_ready": "ramp 2000 1620/h"},
    quiet={"rabbitmq_queue_messages_ready": "ramp 2000 1380/h"},
    value=540,
)

UNACKED_HIGH = Alert(
    name="RabbitmqUnackedMessagesHigh",
    severity=Severity.WARNING,
    expr="sum by (service) (min_over_time(rabbitmq_queue_messages_unacked[10m]))",
    threshold=1000,
    hold=timedelta(minutes=5),
    family="rabbitmq-unacked",
    board=BOARD,
    summary="{{ $value | humanize }} messages of {{ $labels.service }} are delivered but not confirmed",
    description="""Consumers of {{ $labels.service }} hold {{ $value | humanize }} messages without
        acknowledging them. They hang, or take more than they can work on (no prefetch limit).""",
    fires={"rabbitmq_queue_messages_unacked": "1080"},
    quiet={"rabbitmq_queue_messages_unacked": "920"},
    surge={"rabbitmq_queue_messages_unacked": "5000"},
)

NO_CONSUMERS = Alert(
    name="RabbitmqNoConsumers",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(rabbitmq_consumers[3m]))",
    op="==",
    threshold=0,
    where="""and on (service) (
  sum by (service) (last_over_time(rabbitmq_queue_messages_ready[3m])) > 0
)""",
    hold=timedelta(minutes=10),
    family="rabbitmq-consumers",
    board=BOARD,
    summary="Messages wait in {{ $labels.service }} and nobody consumes",
    description="""{{ $labels.service }} holds messages but has no consumer at all: the workers are
        down, cannot log in, or lost their subscription.""",
    fires={"rabbitmq_consumers": "0", "rabbitmq_queue_messages_ready": "20"},
    quiet={"rabbitmq_consumers": "2", "rabbitmq_queue_messages_ready": "20"},
    value=0,
    tight=False,
)

REDELIVERIES = Alert(
    name="RabbitmqRedeliveriesHigh",
    severity=Severity.WARNING,
    expr="""sum by (service) (rate(rabbitmq_global_messages_redelivered_total[10m]))
/ sum by (service) (rate(rabbitmq_global_messages_delivered_total[10m]))""",
    threshold=0.5,
    where="""and on (service) (
  sum by (service) (rate(rabbitmq_global_messages_delivered_total[10m])) > 1
)""",
    hold=timedelta(minutes=10),
    family="rabbitmq-redelivery",
    board=BOARD,
    summary="{{ $value | humanizePercentage }} of the deliveries of {{ $labels.service }} are repeats",
    description="""{{ $value | humanizePercentage }} of what {{ $labels.service }} delivers was delivered
        before: consumers reject and requeue, or die with the message in hand (a poison message).""",
    fires={
        'rabbitmq_global_messages_redelivered_total{protocol="amqp091",queue_type="rabbit_classic_queue"}': "108/m",
        'rabbitmq_global_messages_delivered_total{protocol="amqp091",queue_type="rabbit_classic_queue"}': "200/m",
    },
    quiet={
        'rabbitmq_global_messages_redelivered_total{protocol="amqp091",queue_type="rabbit_classic_queue"}': "92/m",
        'rabbitmq_global_messages_delivered_total{protocol="amqp091",queue_type="rabbit_classic_queue"}': "200/m",
    },
    value=0.54,
    surge={
        'rabbitmq_global_messages_redelivered_total{protocol="amqp091",queue_type="rabbit_classic_queue"}': "20000/m",
        'rabbitmq_global_messages_delivered_total{protocol="amqp091",queue_type="rabbit_classic_queue"}': "20000/m",
    },
)

CONNECTION_CHURN = Alert(
    name="RabbitmqConnectionChurn",
    severity=Severity.WARNING,
    expr="sum by (service) (rate(rabbitmq_connections_opened_total[10m]))",
    # Five a second for ten minutes is a client per message, not a deployment (a guess).
    threshold=5,
    hold=timedelta(minutes=10),
    family="rabbitmq-churn",
    board=BOARD,
    summary="{{ $value | humanize }} connections per second are opened to {{ $labels.service }}",
    description="""Clients of {{ $labels.service }} open {{ $value | humanize }} connections per second
        instead of keeping one. Each costs a handshake, memory and file descriptors.""",
    fires={"rabbitmq_connections_opened_total": "327/m"},
    quiet={"rabbitmq_connections_opened_total": "276/m"},
    value=5.45,
)

CHANNEL_CHURN = Alert(
    name="RabbitmqChannelChurn",
    severity=Severity.INFO,
    expr="sum by (service) (rate(rabbitmq_channels_opened_total[10m]))",
    threshold=20,
    hold=timedelta(minutes=10),
    family="rabbitmq-churn",
    board=BOARD,
    summary="{{ $value | humanize }} channels per second are opened on {{ $labels.service }}",
    description="""Clients of {{ $labels.service }} open {{ $value | humanize }} channels per second: one
        per message instead of one per thread.""",
    fires={"rabbitmq_channels_opened_total": "1308/m"},
    quiet={"rabbitmq_channels_opened_total": "1104/m"},
    value=21.8,
)


def pack(_catalog: Catalog) -> Pack:
    """Return the RabbitMQ pack; it is the same for every catalog."""
    return Pack(
        name="rabbitmq",
        title="RabbitMQ",
        alerts=(
            MEMORY_ALARM,
            MEMORY_NEAR_LIMIT,
            DISK_ALARM,
            DISK_SOON,
            DESCRIPTOR_ALARM,
            DESCRIPTORS_NEAR_LIMIT,
            PROCESSES_NEAR_LIMIT,
            DROPPED,
            NO_CONSUMERS,
            READY_GROWING,
            UNACKED_HIGH,
            REDELIVERIES,
            CONNECTION_CHURN,
            CHANNEL_CHURN,
        ),
    )

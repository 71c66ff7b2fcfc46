"""
Workers that take tasks from a queue: Redis Streams consumers and Celery.

A worker has no endpoint. Whether it lives says its container; whether it works says its queue.
Stream metrics are told by the exporter of the Redis service, so their alerts name that service,
the stream and the group. Queues in RabbitMQ are in its own pack.

Compared with celery-exporter's mixin and redis_exporter's examples. Left out, and why:
- CeleryHighQueueLength by a fixed length: what is long depends on the task; growth and age do not.
- CeleryTaskLongRuntime per task: needs a limit per task, which the catalog does not know.
- stream length as backlog: acknowledged entries stay in a stream; lag counts those not delivered.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.births import counted
from alerts.kit import Alert, Pack, Severity
from generator.model import Catalog

STREAM = 'db="db0",stream="tasks"'
GROUP = f'{STREAM},group="workers"'
HALF_HOUR = timedelta(minutes=30)
BY_GROUP = "by (service, stream, group)"
STREAM_LABELS = {"stream": "tasks", "group": "workers"}

BACKLOG_GROWS = Alert(
    name="WorkerBacklogGrows",
    severity=Severity.WARNING,
    expr=f"max {BY_GROUP} (delta(redis_stream_group_lag[30m]))",
    threshold=100,
    hold=timedelta(minutes=15),
    family="worker-backlog",
    board="kind-redis",
    summary="Group {{ $labels.group }} falls behind on stream {{ $labels.stream }}",
    description="""Group {{ $labels.group }} of stream {{ $labels.stream }} ({{ $labels.service }}) is
        {{ $value | printf "%.0f" }} messages further behind than half an hour ago: more comes in
        than its workers finish.""",
    fires={f"redis_stream_group_lag{{{GROUP}}}": "ramp 0 212/h"},
    quiet={f"redis_stream_group_lag{{{GROUP}}}": "ramp 0 188/h"},
    surge={f"redis_stream_group_lag{{{GROUP}}}": "ramp 0 90000/h"},
    extra=STREAM_LABELS,
    value=106,
)

PENDING = Alert(
    name="WorkerMessagesUnacknowledged",
    severity=Severity.WARNING,
    expr=f"max {BY_GROUP} (last_over_time(redis_stream_group_messages_pending[3m]))",
    threshold=100,
    hold=timedelta(minutes=15),
    family="worker-pending",
    board="kind-redis",
    summary="{{ $value }} messages of stream {{ $labels.stream }} were delivered and never finished",
    description="""Group {{ $labels.group }} of stream {{ $labels.stream }} ({{ $labels.service }}) holds
        {{ $value }} messages that workers took and did not acknowledge: they crash on them, or they
        take hours.""",
    fires={f"redis_stream_group_messages_pending{{{GROUP}}}": "106"},
    quiet={f"redis_stream_group_messages_pending{{{GROUP}}}": "94"},
    extra=STREAM_LABELS,
)

NO_CONSUMER = Alert(
    name="WorkerNoConsumer",
    severity=Severity.WARNING,
    expr=f"max {BY_GROUP} (last_over_time(redis_stream_group_consumers[3m]))",
    op="==",
    threshold=0,
    where=f"""and on (service, stream, group) (
  max {BY_GROUP} (last_over_time(redis_stream_group_lag[3m])) > 0
)""",
    hold=timedelta(minutes=5),
    family="worker-consumer",
    board="kind-redis",
    summary="Nobody takes messages from stream {{ $labels.stream }}",
    description="""Messages wait in stream {{ $labels.stream }} ({{ $labels.service }}), and group
        {{ $labels.group }} has no consumer at all.""",
    fires={
        f"redis_stream_group_consumers{{{GROUP}}}": "0",
        f"redis_stream_group_lag{{{GROUP}}}": "7",
    },
    quiet={
        f"redis_stream_group_consumers{{{GROUP}}}": "1",
        f"redis_stream_group_lag{{{GROUP}}}": "7",
    },
    extra=STREAM_LABELS,
    value=0,
    tight=False,
)

# A consumer's name stays in the group after its worker died, so the youngest idle time counts.
CONSUMERS_IDLE = Alert(
    name="WorkerConsumersIdle",
    severity=Severity.WARNING,
    expr=f"min {BY_GROUP} (last_over_time(redis_stream_group_consumer_idle_seconds[3m]))",
    threshold=900,
    where=f"""and on (service, stream, group) (
  max {BY_GROUP} (last_over_time(redis_stream_group_lag[3m])) > 0
)""",
    hold=timedelta(minutes=5),
    family="worker-consumer",
    board="kind-redis",
    summary="No worker of group {{ $labels.group }} has taken a message for {{ $value | humanizeDuration }}",
    description="""Messages wait in stream {{ $labels.stream }} ({{ $labels.service }}), but every consumer
        of group {{ $labels.group }} has been idle for {{ $value | humanizeDuration }}: the workers
        are gone or hang.""",
    fires={
        f'redis_stream_group_consumer_idle_seconds{{{GROUP},consumer="w1"}}': "960",
        f'redis_stream_group_consumer_idle_seconds{{{GROUP},consumer="w2"}}': "5000",
        f"redis_stream_group_lag{{{GROUP}}}": "7",
    },
    quiet={
        f'redis_stream_group_consumer_idle_seconds{{{GROUP},consumer="w1"}}': "840",
        f'redis_stream_group_consumer_idle_seconds{{{GROUP},consumer="w2"}}': "5000",
        f"redis_stream_group_lag{{{GROUP}}}": "7",
    },
    extra=STREAM_LABELS,
    value=960,
)

STREAM_LONG = Alert(
    name="WorkerStreamUntrimmed",
    severity=Severity.INFO,
    expr="max by (service, stream) (last_over_time(redis_stream_length[3m]))",
    # Arbitrary; at 1 KiB per message this is 100 MB of a small Redis.
    threshold=100_000,
    hold=timedelta(minutes=30),
    family="worker-stream",
    board="kind-redis",
    summary="Stream {{ $labels.stream }} keeps {{ $value | humanize }} messages",
    description="""Stream {{ $labels.stream }} on {{ $labels.service }} holds {{ $value | humanize }}
        messages, finished ones included, because nobody trims it. It takes memory from everything
        else in this Redis.""",
    fires={f"redis_stream_length{{{STREAM}}}": "106000"},
    quiet={f"redis_stream_length{{{STREAM}}}": "94000"},
    extra={"stream": "tasks"},
)

QUEUE = {"queue_name": "celery"}

CELERY_GROWS = Alert(
    name="CeleryQueueGrows",
    severity=Severity.WARNING,
    expr="max by (service, queue_name) (delta(celery_queue_length[30m]))",
    threshold=100,
    hold=timedelta(minutes=15),
    family="celery-queue",
    board="kind-celery-worker",
    summary="Queue {{ $labels.queue_name }} of {{ $labels.service }} grows",
    description="""Queue {{ $labels.queue_name }} of {{ $labels.service }} is
        {{ $value | printf "%.0f" }} tasks longer than half an hour ago: more is sent than the workers
        finish.""",
    fires={'celery_queue_length{queue_name="celery"}': "ramp 0 212/h"},
    quiet={'celery_queue_length{queue_name="celery"}': "ramp 0 188/h"},
    surge={'celery_queue_length{queue_name="celery"}': "ramp 0 90000/h"},
    extra=QUEUE,
    value=106,
)

CELERY_NO_WORKER = Alert(
    name="CeleryNoWorker",
    severity=Severity.WARNING,
    expr="max by (service, queue_name) (last_over_time(celery_active_worker_count[3m]))",
    op="==",
    threshold=0,
    where="""and on (service, queue_name) (
  max by (service, queue_name) (last_over_time(celery_queue_length[3m])) > 0
)""",
    hold=timedelta(minutes=5),
    family="celery-worker",
    board="kind-celery-worker",
    summary="No worker listens to queue {{ $labels.queue_name }} of {{ $labels.service }}",
    description="""Tasks wait in queue {{ $labels.queue_name }} of {{ $labels.service }} and no worker
        listens to it.""",
    fires={
        'celery_active_worker_count{queue_name="celery"}': "0",
        'celery_queue_length{queue_name="celery"}': "7",
    },
    quiet={
        'celery_active_worker_count{queue_name="celery"}': "1",
        'celery_queue_length{queue_name="celery"}': "7",
    },
    extra=QUEUE,
    value=0,
    tight=False,
)

CELERY_WORKER_LOST = Alert(
    name="CeleryWorkerSilent",
    severity=Severity.WARNING,
    expr="min by (service, hostname) (last_over_time(celery_worker_up[3m]))",
    op="==",
    threshold=0,
    hold=timedelta(minutes=5),
    family="celery-worker",
    board="kind-celery-worker",
    summary="Celery worker {{ $labels.hostname }} sends no heartbeat",
    description="""Worker {{ $labels.hostname }} of {{ $labels.service }} has sent no heartbeat for five
        minutes: it is gone, blocked by a task, or cut off from its broker.""",
    fires={'celery_worker_up{hostname="celery@a"}': "0"},
    quiet={'celery_worker_up{hostname="celery@a"}': "1"},
    extra={"hostname": "celery@a"},
    value=0,
    tight=False,
)


def _tasks(state: str) -> str:
    """Return how many tasks came into *state*; the exporter has a series per exception, born by it."""
    return f"""sum by (service, name) (
  {counted(f"celery_task_{state}_total", HALF_HOUR)}
)"""


CELERY_TASKS_FAIL = Alert(
    name="CeleryTasksFail",
    severity=Severity.WARNING,
    expr=f"""{_tasks("failed")}
/ {_tasks("received")}""",
    threshold=0.1,
    # Three failures in half an hour at least: one bad task out of two is no pattern.
    where=f"""and on (service, name) (
  {_tasks("failed")} > 3
)""",
    hold=timedelta(minutes=5),
    family="celery-tasks",
    board="kind-celery-worker",
    summary="{{ $value | humanizePercentage }} of the tasks {{ $labels.name }} fail",
    description="""{{ $value | humanizePercentage }} of the tasks {{ $labels.name }} that the workers of
        {{ $labels.service }} took in the last half hour failed.""",
    fires={
        'celery_task_failed_total{exception="ValueError",hostname="a",name="index",queue_name="q"}': "1.06/m",
        'celery_task_received_total{hostname="a",name="index",queue_name="q"}': "10/m",
        "up": "1",
    },
    quiet={
        'celery_task_failed_total{exception="ValueError",hostname="a",name="index",queue_name="q"}': "0.94/m",
        'celery_task_received_total{hostname="a",name="index",queue_name="q"}': "10/m",
        "up": "1",
    },
    extra={"name": "index"},
    value=0.106,
)

STREAMS = (BACKLOG_GROWS, PENDING, NO_CONSUMER, CONSUMERS_IDLE, STREAM_LONG)
CELERY = (CELERY_GROWS, CELERY_NO_WORKER, CELERY_WORKER_LOST, CELERY_TASKS_FAIL)


def pack(catalog: Catalog) -> Pack:
    """
    Return the workers pack with the queues that *catalog* works from; maybe empty.

    It applies by itself: the series of a stream belong to the Redis service, not to the worker
    whose kind would name this pack.
    """
    streams = bool(catalog.of_kind("redis-stream-worker")) and bool(catalog.of_kind("redis"))
    celery = bool(catalog.of_kind("celery-worker"))
    return Pack(
        name="workers",
        title="Workers",
        alerts=(STREAMS if streams else ()) + (CELERY if celery else ()),
        always=True,
    )

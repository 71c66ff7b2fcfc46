"""
One sort of alert for software that keeps its index in memory: the container's limit is hours away.

ContainerMemoryNearLimit (pack container) sees the limit when it is near; an index that grows needs
earlier warning, since the cure (more memory, another index) takes planning. Read from cAdvisor.
"""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Severity


def memory_growth(name: str, kind: str, board: str) -> Alert:
    """Return the alert *name*: the trend of two hours carries containers of *kind* over their limit in eight."""
    used = f'container_memory_working_set_bytes{{kind="{kind}"}}'
    limit = f'container_spec_memory_limit_bytes{{kind="{kind}"}}'
    return Alert(
        name=name,
        severity=Severity.WARNING,
        # A limit of 0 means none: nothing to run into. Half full is where a trend begins to matter.
        expr=f"""max by (service) (
  predict_linear({used}[2h], 28800)
  / (last_over_time({limit}[10m]) > 0)
)""",
        threshold=1,
        where=f"""and on (service) (
  max by (service) (last_over_time({used}[10m]) / (last_over_time({limit}[10m]) > 0)) > 0.5
)""",
        hold=timedelta(minutes=30),
        family="memory-growth",
        board=board,
        summary="{{ $labels.service }} will be out of memory within eight hours",
        description="""The memory of {{ $labels.service }} grows with what is stored in it. If it goes
            on as in the last two hours, the container reaches its limit within eight and is killed.""",
        fires={used: "ramp 1400000000 60000000/h", limit: "2000000000"},
        quiet={used: "ramp 1400000000 20000000/h", limit: "2000000000"},
        tight=False,
        step=timedelta(minutes=2),
    )

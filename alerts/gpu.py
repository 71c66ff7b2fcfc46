"""
GPUs, as our hardware exporter reads them from the driver.

One GPU belongs to the host, not to a service; only idleness during training speaks of a service.
Nothing here is cured by a restart of a container, so nothing asks remediation for one.

Compared with the rules of nvidia_gpu_exporter, dcgm-exporter's dashboards and
awesome-prometheus-alerts (NVIDIA GPU, DCGM). Left out, and why:
- high utilisation, high power: that is what GPUs are bought for.
- corrected ECC errors: harmless one by one; the rows they cost are counted as remapped rows.
- fan stopped: wrong on passively cooled cards and idle desktop cards; heat is what counts.
- PCIe link width and replay counters, NVLink errors: not read by the exporter.
- clocks below maximum: GpuThrottled says it with the reason.

Longer than other modules: a pack is one list of values, and splitting it would only hide half.
"""

from __future__ import annotations

from datetime import timedelta
from functools import partial

from alerts.kit import Alert, Pack, Record, Scope, Severity
from generator.model import Catalog

BOARD = "hardware"
BY = "by (instance, uuid, gpu)"
GPU = {"uuid": "GPU-1", "gpu": "0"}
ON = 'uuid="GPU-1",gpu="0"'
# Kinds whose containers train models; inference servers are idle whenever nobody asks.
TRAINING_KINDS = ("jupyter", "training")

GpuAlert = partial(Alert, scope=Scope.HOST, board=BOARD)

DRIVER_BROKEN = GpuAlert(
    name="GpuDriverBroken",
    severity=Severity.WARNING,
    # 12: no driver library at all, which is a host without GPUs.
    expr="(max by (instance) (last_over_time(hw_nvml_return_code[3m])) != 12)",
    threshold=0,
    hold=timedelta(minutes=3),
    family="gpu-driver",
    summary="The GPU driver on {{ $labels.instance }} does not work (code {{ $value }})",
    description="""The driver library on {{ $labels.instance }} is there and answers with code
        {{ $value }}: 9 the kernel module is not loaded, 18 library and module differ in version
        (an upgrade without a reboot), 999 unknown. No container can use a GPU.""",
    fires={"hw_nvml_return_code": "18"},
    quiet={"hw_nvml_return_code": "0"},
    tight=False,
)

LOST = GpuAlert(
    name="GpuLost",
    severity=Severity.CRITICAL,
    expr=f"min {BY} (last_over_time(hw_gpu_up[3m]))",
    op="==",
    threshold=0,
    hold=timedelta(minutes=2),
    family="gpu-lost",
    summary="GPU {{ $labels.gpu }} of {{ $labels.instance }} is lost",
    description="""GPU {{ $labels.gpu }} ({{ $labels.uuid }}) was there and no longer answers the
        driver. What ran on it is dead or hangs; mostly only a reboot brings it back.""",
    fires={f"hw_gpu_up{{{ON}}}": "0"},
    quiet={f"hw_gpu_up{{{ON}}}": "1"},
    extra=GPU,
    value=0,
    tight=False,
)

RECOVERY_NEEDED = GpuAlert(
    name="GpuNeedsRecovery",
    severity=Severity.WARNING,
    expr=f"max {BY} (last_over_time(hw_gpu_recovery_action[3m]))",
    threshold=0,
    hold=timedelta(minutes=5),
    family="gpu-lost",
    summary="The driver asks for a reset or reboot for GPU {{ $labels.gpu }}",
    description="""The driver says what GPU {{ $labels.gpu }} of {{ $labels.instance }} needs:
        {{ $value }} (1 reset, 2 reboot, 3 drain peer-to-peer, 4 drain and reset). New work on it
        may fail.""",
    fires={f"hw_gpu_recovery_action{{{ON}}}": "2"},
    quiet={f"hw_gpu_recovery_action{{{ON}}}": "0"},
    extra=GPU,
    tight=False,
)

HOT = GpuAlert(
    name="GpuHot",
    severity=Severity.WARNING,
    expr=f'max {BY} (last_over_time(hw_gpu_temperature_celsius{{sensor="core"}}[3m]))',
    threshold=85,
    hold=timedelta(minutes=5),
    family="gpu-heat",
    summary='GPU {{ $labels.gpu }} of {{ $labels.instance }} is {{ $value | printf "%.0f" }} °C hot',
    description="""The core of GPU {{ $labels.gpu }} has been hotter than 85 °C for five minutes
        ({{ $value | printf "%.0f" }} °C). It lowers its clocks soon, and switches off above 100 °C.""",
    fires={f'hw_gpu_temperature_celsius{{{ON},sensor="core"}}': "88"},
    quiet={f'hw_gpu_temperature_celsius{{{ON},sensor="core"}}': "82"},
    extra=GPU,
)

MEMORY_HOT = GpuAlert(
    name="GpuMemoryHot",
    severity=Severity.WARNING,
    expr=f'max {BY} (last_over_time(hw_gpu_temperature_celsius{{sensor="memory"}}[3m]))',
    threshold=95,
    hold=timedelta(minutes=5),
    family="gpu-heat",
    summary="The memory of GPU {{ $labels.gpu }} is {{ $value }} °C hot",
    description="""The memory of GPU {{ $labels.gpu }} of {{ $labels.instance }} has been hotter than
        95 °C for five minutes. Errors become likely, and the driver lowers the clocks.""",
    fires={f'hw_gpu_temperature_celsius{{{ON},sensor="memory"}}': "98"},
    quiet={f'hw_gpu_temperature_celsius{{{ON},sensor="memory"}}': "92"},
    extra=GPU,
)

MEMORY_FULL = GpuAlert(
    name="GpuMemoryNearlyFull",
    severity=Severity.WARNING,
    expr=f"""max {BY} (
  last_over_time(hw_gpu_memory_used_bytes[3m]) / last_over_time(hw_gpu_memory_total_bytes[3m])
)""",
    threshold=0.95,
    hold=timedelta(minutes=10),
    family="gpu-memory",
    summary="GPU {{ $labels.gpu }} has {{ $value | humanizePercentage }} of its memory in use",
    description="""{{ $value | humanizePercentage }} of the memory of GPU {{ $labels.gpu }} of
        {{ $labels.instance }} are in use. The next model or a longer context fails to load, or is
        run on the CPU, many times slower.""",
    fires={
        f"hw_gpu_memory_used_bytes{{{ON}}}": "97",
        f"hw_gpu_memory_total_bytes{{{ON}}}": "100",
    },
    quiet={
        f"hw_gpu_memory_used_bytes{{{ON}}}": "92",
        f"hw_gpu_memory_total_bytes{{{ON}}}": "100",
    },
    extra=GPU,
    value=0.97,
)


def _xid(name: str, severity: Severity, matcher: str, xid: str, says: str) -> Alert:
    """Return the alert on driver errors whose number matches *matcher*."""
    return GpuAlert(
        name=name,
        severity=severity,
        # The time of the error, not a count: a number that nobody expected has no series before.
        expr=f"""time() - max by (instance, uuid, gpu, xid) (
  last_over_time(hw_gpu_xid_last_timestamp_seconds{{{matcher}}}[10m])
)""",
        op="<",
        threshold=600,
        hold=timedelta(minutes=1),
        family="gpu-xid",
        summary="GPU {{ $labels.gpu }} of {{ $labels.instance }} reports XID {{ $labels.xid }}",
        description="The driver reported error {{ $labels.xid }} on GPU {{ $labels.gpu }} of "
        f"{{{{ $labels.instance }}}} in the last ten minutes. {says}",
        fires={f'hw_gpu_xid_last_timestamp_seconds{{{ON},xid="{xid}"}}': "now-560"},
        quiet={f'hw_gpu_xid_last_timestamp_seconds{{{ON},xid="{xid}"}}': "now-630"},
        value=560,
        extra={**GPU, "xid": xid},
    )


# Source: NVIDIA, "XID Errors": 48, 63, 64, 92, 94, 95 memory; 74 NVLink; 79 off the bus; 119, 120 GSP; 140 ECC.
FATAL = "48|64|74|79|92|95|119|120|140"
# 13, 31, 43 and 45 are what a faulty or killed program leaves behind.
APPLICATION = "13|31|43|45"

XID_FATAL = _xid(
    "GpuXidFatal",
    Severity.CRITICAL,
    f'xid=~"{FATAL}"',
    "79",
    "This number means failing hardware or a lost GPU: work on it is gone.",
)
XID = _xid(
    "GpuXid",
    Severity.WARNING,
    f'xid!~"{FATAL}|{APPLICATION}"',
    "62",
    "Alone it may be harmless; repeated it comes before a lost GPU.",
)

THROTTLED = GpuAlert(
    name="GpuThrottled",
    severity=Severity.WARNING,
    # The power cap and an idle clock are how a GPU works; heat and the board's own brakes are not.
    expr="""sum by (instance, uuid, gpu, reason) (
  rate(hw_gpu_throttled_seconds_total{reason!~".*idle.*|.*power_cap.*|.*power_brake.*|.*clocks_setting.*"}[15m])
)""",
    threshold=0.2,
    hold=timedelta(minutes=5),
    family="gpu-throttled",
    summary="GPU {{ $labels.gpu }} runs slower because of {{ $labels.reason }}",
    description="""GPU {{ $labels.gpu }} of {{ $labels.instance }} spent
        {{ $value | humanizePercentage }} of the last 15 minutes with lowered clocks, because of
        {{ $labels.reason }}. Tokens per second fall with them.""",
    fires={f'hw_gpu_throttled_seconds_total{{{ON},reason="hw_thermal_slowdown"}}': "0.215/s"},
    quiet={f'hw_gpu_throttled_seconds_total{{{ON},reason="hw_thermal_slowdown"}}': "0.185/s"},
    extra={**GPU, "reason": "hw_thermal_slowdown"},
    value=0.215,
)

POWER_BRAKE = GpuAlert(
    name="GpuPowerBrake",
    severity=Severity.WARNING,
    expr=f'max {BY} (last_over_time(hw_gpu_throttle_active{{reason=~".*power_brake.*"}}[3m]))',
    op="==",
    threshold=1,
    hold=timedelta(minutes=2),
    family="gpu-power",
    summary="The power supply holds GPU {{ $labels.gpu }} of {{ $labels.instance }} down",
    description="""The power brake of GPU {{ $labels.gpu }} is on: the power supply or the board tells
        the card to draw less. It is overloaded, badly cabled or failing.""",
    fires={f'hw_gpu_throttle_active{{{ON},reason="hw_power_brake"}}': "1"},
    quiet={f'hw_gpu_throttle_active{{{ON},reason="hw_power_brake"}}': "0"},
    extra=GPU,
    value=1,
    tight=False,
)

ECC_UNCORRECTED = GpuAlert(
    name="GpuEccUncorrected",
    severity=Severity.CRITICAL,
    expr=f"""max {BY} (
  last_over_time(hw_gpu_ecc_errors{{severity="uncorrected",scope="volatile"}}[3m])
)""",
    threshold=0,
    hold=timedelta(minutes=1),
    family="gpu-ecc",
    summary="GPU {{ $labels.gpu }} of {{ $labels.instance }} has uncorrectable memory errors",
    description="""GPU {{ $labels.gpu }} has had {{ $value }} uncorrectable memory errors since the
        driver was loaded. Results computed on it may be wrong, and processes on it are killed.""",
    fires={f'hw_gpu_ecc_errors{{{ON},severity="uncorrected",scope="volatile"}}': "1"},
    quiet={f'hw_gpu_ecc_errors{{{ON},severity="uncorrected",scope="volatile"}}': "0"},
    extra=GPU,
    tight=False,
)

REMAP_PENDING = GpuAlert(
    name="GpuRowRemapPending",
    severity=Severity.WARNING,
    expr=f"max {BY} (last_over_time(hw_gpu_row_remap_pending[3m]))",
    op="==",
    threshold=1,
    hold=timedelta(minutes=5),
    family="gpu-row-remap",
    summary="GPU {{ $labels.gpu }} of {{ $labels.instance }} waits for a reset to replace memory",
    description="""GPU {{ $labels.gpu }} found a bad row of memory and replaces it at its next reset.
        Until then that row stays in use.""",
    fires={f"hw_gpu_row_remap_pending{{{ON}}}": "1"},
    quiet={f"hw_gpu_row_remap_pending{{{ON}}}": "0"},
    extra=GPU,
    tight=False,
)

REMAP_FAILED = GpuAlert(
    name="GpuRowRemapFailed",
    severity=Severity.CRITICAL,
    expr=f"max {BY} (last_over_time(hw_gpu_row_remap_failure[3m]))",
    op="==",
    threshold=1,
    hold=timedelta(minutes=5),
    family="gpu-row-remap",
    summary="GPU {{ $labels.gpu }} of {{ $labels.instance }} has no spare memory left",
    description="""GPU {{ $labels.gpu }} could not replace a bad row of memory: its spare rows are used
        up. The vendor exchanges cards in this state.""",
    fires={f"hw_gpu_row_remap_failure{{{ON}}}": "1"},
    quiet={f"hw_gpu_row_remap_failure{{{ON}}}": "0"},
    extra=GPU,
    tight=False,
)

IDLE_WHILE_TRAINING = Alert(
    name="GpuIdleWhileTraining",
    severity=Severity.WARNING,
    expr="max by (service) (avg_over_time(hw_container_gpu_sm_utilization_ratio[15m]))",
    op="<",
    threshold=0.05,
    where="""and on (service) (
  sum by (service) (last_over_time(hw_container_gpu_memory_bytes[3m])) > 0
) and on (service) (service:trains_on_gpu:bool == 1)""",
    hold=timedelta(minutes=15),
    family="gpu-idle",
    board=BOARD,
    summary="{{ $labels.service }} holds GPU memory and uses {{ $value | humanizePercentage }} of the GPU",
    description="""A job in {{ $labels.service }} has held GPU memory for half an hour while the GPU did
        next to nothing ({{ $value | humanizePercentage }}): it waits for data, hangs, runs on the
        CPU by mistake, or somebody forgot a notebook.""",
    fires={
        'hw_container_gpu_sm_utilization_ratio{container="c",uuid="GPU-1"}': "0.046",
        'hw_container_gpu_memory_bytes{container="c",uuid="GPU-1"}': "8000000000",
        "service:trains_on_gpu:bool": "1",
    },
    quiet={
        'hw_container_gpu_sm_utilization_ratio{container="c",uuid="GPU-1"}': "0.054",
        'hw_container_gpu_memory_bytes{container="c",uuid="GPU-1"}': "8000000000",
        "service:trains_on_gpu:bool": "1",
    },
    value=0.046,
)


def _training(catalog: Catalog) -> tuple[Record, ...]:
    """Return one constant record per service that trains on a GPU, in catalog order."""
    return tuple(
        Record(
            name="service:trains_on_gpu:bool",
            expr="vector(1)",
            labels={"service": service.name},
            constant=True,
        )
        for service in catalog.of_kind(*TRAINING_KINDS)
        if service.gpu
    )


def pack(catalog: Catalog) -> Pack:
    """Return the GPU pack; idleness is watched only where *catalog* has a service that trains."""
    training = _training(catalog)
    return Pack(
        name="gpu",
        title="GPUs",
        records=training,
        alerts=(
            DRIVER_BROKEN,
            LOST,
            RECOVERY_NEEDED,
            HOT,
            MEMORY_HOT,
            MEMORY_FULL,
            XID_FATAL,
            XID,
            THROTTLED,
            POWER_BRAKE,
            ECC_UNCORRECTED,
            REMAP_PENDING,
            REMAP_FAILED,
            *((IDLE_WHILE_TRAINING,) if training else ()),
        ),
    )

"""A small pack whose tests must notice every fault that the design speaks of."""

from __future__ import annotations

from datetime import timedelta

from alerts.kit import Alert, Pack, Record, Severity

USED = Alert(
    name="ToyDiskUsed",
    severity=Severity.WARNING,
    expr="max by (service) (last_over_time(toy_used_ratio[3m]))",
    threshold=0.8,
    hold=timedelta(minutes=5),
    keep=timedelta(minutes=2),
    family="toy-disk",
    board="tier",
    summary="{{ $labels.service }} uses {{ $value | humanizePercentage }}",
    description="A disk of {{ $labels.service }} in {{ $labels.tier }} fills.",
    fires={'toy_used_ratio{disk="a"}': "0.85", 'toy_used_ratio{disk="b"}': "0.1"},
    quiet={'toy_used_ratio{disk="a"}': "0.75", 'toy_used_ratio{disk="b"}': "0.1"},
    value=0.85,
)
ERRORS = Alert(
    name="ToyErrors",
    severity=Severity.CRITICAL,
    expr='sum by (service, code) (increase(toy_answers_total{level="error", code!="404"}[10m]))',
    threshold=100,
    hold=timedelta(minutes=4),
    family="toy-errors",
    board="tier",
    summary="{{ $labels.service }} fails with {{ $labels.code }}",
    description="{{ $labels.service }} answers with errors.",
    fires={'toy_answers_total{level="error",code="503"}': "10.95/m"},
    quiet={'toy_answers_total{level="error",code="503"}': "9.2/m"},
    extra={"code": "503"},
    value=109.5,
)
SHARE = Record(
    name="toy:free:ratio",
    expr="min by (service) (1 - toy_used_ratio)",
    inputs={
        'toy_used_ratio{service="x",disk="a"}': "0.25",
        'toy_used_ratio{service="x",disk="b"}': "0.75",
    },
    expect={'toy:free:ratio{service="x"}': 0.25},
)
PACK = Pack(name="toy", title="Toys", records=(SHARE,), alerts=(USED, ERRORS))

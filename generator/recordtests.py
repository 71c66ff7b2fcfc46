"""The promtool test group of a recording rule: its inputs, and what it must have recorded once settled."""

from __future__ import annotations

from math import ceil
from typing import Any

from alerts.kit import Record
from generator import promql, samples
from generator.quantities import write_duration
from generator.samples import Phase


def record_group(record: Record) -> dict[str, Any]:
    """Return the promtool test group of one recording rule."""
    lookback = promql.lookback(record.expr)
    at = record.at if record.at is not None else lookback + 4 * record.step
    count = ceil(at / record.step) + 2
    rows = [
        {
            "series": series,
            "values": samples.write(samples.expand([Phase(notation, count)], record.step)),
        }
        for series, notation in record.inputs.items()
    ]
    expected = [{"labels": series, "value": value} for series, value in record.expect.items()]
    return {
        "interval": write_duration(record.step),
        "input_series": rows,
        "promql_expr_test": [
            {
                "expr": record.name,
                "eval_time": write_duration(ceil(at / record.step) * record.step),
                "exp_samples": expected,
            }
        ],
    }

"""The judge of metric pages sees what promtool lets pass."""

from __future__ import annotations

import pytest

from tests.exporters.frame.lint import complaints

GOOD = """# HELP hw_gpu_power_watts Power drawn
# TYPE hw_gpu_power_watts gauge
hw_gpu_power_watts{gpu="0"} 31.5
# HELP hw_gpu_energy_joules Energy used
# TYPE hw_gpu_energy_joules counter
hw_gpu_energy_joules_total{gpu="0"} 12.0
# EOF
"""


def _gauge(name: str, sample: str = " 1.0", text: str = "Something") -> str:
    return f"# HELP {name} {text}\n# TYPE {name} gauge\n{name}{sample}\n# EOF\n"


PLANTED = {
    "not OpenMetrics: Missing # EOF at end": "hw_x 1\n",
    "hw_use_percent: 'percent' is no base unit, or speaks of the type": _gauge("hw_use_percent"),
    "hw_clock_mhz: 'mhz' is no base unit, or speaks of the type": _gauge("hw_clock_mhz"),
    "hw_memory_mib: 'mib' is no base unit, or speaks of the type": _gauge("hw_memory_mib"),
    "hw_seconds_idle: the unit seconds does not stand at the end": _gauge("hw_seconds_idle"),
    "hw_models_total: a gauge that is named like a counter or a histogram": _gauge("hw_models_total"),
    "hw_start_timestamp: a timestamp that is not in seconds": _gauge("hw_start_timestamp"),
    "gpu_up: begins with none of hw": _gauge("gpu_up"),
    "hw_up: no help": "# TYPE hw_up gauge\nhw_up 1\n# EOF\n",
    "hw_gpuUp: not in small letters with single underscores": _gauge("hw_gpuUp"),
    "hw_up: the label instance is Prometheus's own, or says nothing": _gauge("hw_up", '{instance="a"} 1'),
    "hw_up: the value nan is a sentinel or no number": _gauge("hw_up", " NaN"),
    "hw_up: the value 18446744073709551615 is a sentinel or no number": _gauge(
        "hw_up", " 18446744073709551615"
    ),
    "hw_build_info: an _info that is not 1": _gauge("hw_build_info", " 2"),
    "hw_up: series with different labels": _gauge("hw_up", '{a="1"} 1\nhw_up{b="1"} 1'),
    "hw_up: 201 values of the label a": _gauge(
        "hw_up", "\nhw_up".join(f'{{a="{number}"}} 1' for number in range(201))
    ),
    "hw_up: a value of the label a is longer than 256": _gauge("hw_up", f'{{a="{"x" * 257}"}} 1'),
}  # fmt: skip


def test_a_good_page_is_good() -> None:
    """Base units at the end, help everywhere, counters with _total: nothing to say."""
    assert complaints(GOOD, prefixes=("hw",)) == []


@pytest.mark.parametrize(("complaint", "page"), PLANTED.items(), ids=PLANTED)
def test_a_planted_fault_is_seen(complaint: str, page: str) -> None:
    """Each fault gives its one complaint."""
    assert [complaint] == complaints(page, prefixes=("hw",))

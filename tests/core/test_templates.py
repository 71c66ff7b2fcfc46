"""Annotation templates render as Prometheus renders them; promtool is the judge."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from generator import templates, toolbox
from generator.errors import RenderError

VALUES = (
    0.0, 1e-7, 1.5e-4, 0.0009999, 0.001, 0.12345, 0.5, 0.99995, 0.999999, 1.0, 1.00001, 1.5, 5.0,
    -5.0, -0.02, 59.99, 59.999999, 60.0, 61.5, 99.999, 100.0, 999.95, 999.99, 1000.0, 1023.0,
    1023.99, 1024.0, 1536.0, 3599.6, 3600.0, 12345.678, 86399.0, 90061.0, 90061.9, -90061.0,
    123456.0, 999999.5, 1e6, 1048576.0, 1.5e9, 16 * 1024**3, 1e15, 123456789012345680.0, 1e18,
    0.1 + 0.2, 2 / 3, 1 / 3, 100 / 3,
    float("inf"), float("-inf"), float("nan"),
)  # fmt: skip
ACTIONS = (
    "$value",
    "$value | humanize",
    "$value | humanize1024",
    "$value | humanizeDuration",
    "$value | humanizePercentage",
    '$value | printf "%.0f"',
    '$value | printf "%.2f"',
    'printf "%.1f" $value',
    'printf "%.1f%%" $value',
)
LABELS = {"service": "db", "mode": 'a "b" {c}', "empty": ""}
# 2^63 seconds and more overflow in Prometheus' humanizeDuration: it is not asked about these.
HUGE = (1e20, 1e21, 1.5e24, 1e30, -1e21)
TEMPLATE = "{{ $labels.service }}/{{$labels.mode}}/{{ $labels.gone }}: " + " ; ".join(
    f"{{{{ {action} }}}}" for action in ACTIONS
)


def _said(value: float) -> str:
    return {"inf": "+Inf", "-inf": "-Inf", "nan": "NaN"}.get(str(value), repr(value))


def _test_files(folder: Path, template: str, numbers: tuple[float, ...]) -> Path:
    """Write one rule with *template* and a test of all *numbers*; return the test's path."""
    rule = {"alert": "A", "expr": "x", "annotations": {"text": template}}
    rules = {"groups": [{"name": "g", "rules": [rule]}]}
    series = [
        {
            "series": f'x{{n="{index}",service="db",mode="a \\"b\\" {{c}}"}}',
            "values": _said(value),
        }
        for index, value in enumerate(numbers)
    ]
    expected = [
        {
            "exp_labels": {"n": str(index), "service": "db", "mode": LABELS["mode"]},
            "exp_annotations": {"text": templates.render(template, LABELS, value)},
        }
        for index, value in enumerate(numbers)
    ]
    test = {
        "rule_files": ["rules.json"],
        "tests": [
            {
                "interval": "1m",
                "input_series": series,
                "alert_rule_test": [{"eval_time": "0m", "alertname": "A", "exp_alerts": expected}],
            }
        ],
    }
    # JSON is YAML: nothing of ours writes the file that judges us.
    (folder / "rules.json").write_text(json.dumps(rules), encoding="utf-8")
    (folder / "test.json").write_text(json.dumps(test), encoding="utf-8")
    return folder / "test.json"


@pytest.mark.live
@pytest.mark.parametrize("numbers", [VALUES, HUGE], ids=["usual", "huge"])
@pytest.mark.parametrize("name", ["promtool", "promtool3"])
def test_templates_render_as_prometheus_does(
    tmp_path: Path, tool: Callable[[str], Path], name: str, numbers: tuple[float, ...]
) -> None:
    """Every allowed action gives promtool's own text for fifty awkward values."""
    template = TEMPLATE.replace("| humanizeDuration", "") if numbers is HUGE else TEMPLATE
    path = _test_files(tmp_path, template, numbers)
    judged = toolbox.run(tool(name), ["test", "rules", path])

    assert (judged.ok, judged.text.split("FAILED:")[-1][:3000] if not judged.ok else "") == (
        True,
        "",
    )


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ("$value | toUpper", "template function outside the allowed subset: 'toUpper'"),
        ("$value | humanize | humanize", "template action outside the allowed subset: '$value | humanize | humanize'"),
        ('query "up" | first', "template action outside the allowed subset: 'query \"up\" | first'"),
        ('printf "%s" $labels.service', "printf outside the allowed subset: 'printf \"%s\" $labels.service'"),
        ("if gt $value 1.0", "template action outside the allowed subset: 'if gt $value 1.0'"),
        ("$externalURL", "template action outside the allowed subset: '$externalURL'"),
    ],
)  # fmt: skip
def test_other_actions_are_refused(action: str, message: str) -> None:
    """What the renderer does not know is an error and never a wrong text."""
    with pytest.raises(RenderError) as caught:
        templates.render(f"{{{{ {action} }}}}", {}, 1.0)

    assert str(caught.value) == message


def test_labels_used_are_all_labels_mentioned() -> None:
    """Labels are found wherever a template mentions them."""
    assert templates.labels_used("{{ $labels.a }} {{$labels.b_2}} $value {{ $value }}") == {
        "a",
        "b_2",
    }

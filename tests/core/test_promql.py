"""Reading PromQL: what is selected, how far back, which labels survive, what can never be."""

from __future__ import annotations

from datetime import timedelta

import pytest

from generator import promql
from generator.errors import RenderError
from generator.promql import Matcher, Selector

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LABELS = {
    "up": frozenset({"job", "instance", "service"}),
    "reqs": frozenset({"service", "code"}),
    "secs": frozenset({"service", "le"}),
    "info": frozenset({"service", "tier", "owner"}),
}


def test_selectors_are_read_in_order_with_their_functions() -> None:
    """Matchers, the nearest function and the window come back; an aggregation ends a function."""
    found = promql.selectors(
        'sum by (a) (rate(reqs{code=~"5..", service!="x"}[5m])) / max(up) > delta(up{job="y"}[1h])'
    )

    assert found == (
        Selector(
            "reqs",
            (Matcher("code", "=~", "5.."), Matcher("service", "!=", "x")),
            "rate",
            5 * MINUTE,
        ),
        Selector("up", (), "", timedelta(0)),
        Selector("up", (Matcher("job", "=", "y"),), "delta", HOUR),
    )
    assert [selector.wants for selector in found] == ["counter", "", "gauge"]


@pytest.mark.parametrize("expr", ["sum by (a", "up{", "rate(up[5m)", "", "up ==", "{{ x }}"])
def test_what_is_no_promql_is_named_whole(expr: str) -> None:
    """The error carries the expression, so that somebody can find it."""
    with pytest.raises(RenderError) as caught:
        promql.parse(expr)

    assert str(caught.value).startswith("not PromQL: ")
    assert str(caught.value).endswith(f": {expr!r}")


@pytest.mark.parametrize(
    ("expr", "all_of_it", "without_bridges"),
    [
        ("up", timedelta(0), timedelta(0)),
        ("rate(reqs[5m])", 5 * MINUTE, 5 * MINUTE),
        ("rate(reqs[5m] offset 1h)", HOUR + 5 * MINUTE, HOUR + 5 * MINUTE),
        ("up offset 1h", HOUR, HOUR),
        ("last_over_time(up[3m])", 3 * MINUTE, timedelta(0)),
        ("last_over_time(up[3m] offset 1h)", HOUR + 3 * MINUTE, HOUR),
        ("last_over_time(up[3m]) + rate(reqs[2m])", 3 * MINUTE, 2 * MINUTE),
        ("max_over_time(rate(reqs[5m])[1h:1m])", HOUR + 5 * MINUTE, HOUR + 5 * MINUTE),
        ("max_over_time(up[1h:1m] offset 2h)", 3 * HOUR, 3 * HOUR),
        ("sum(-(up)) > 1 and absent(up offset 10m)", 10 * MINUTE, 10 * MINUTE),
        ("topk(3, rate(reqs[4m]))", 4 * MINUTE, 4 * MINUTE),
        ("vector(1)", timedelta(0), timedelta(0)),
    ],
)
def test_look_back_is_the_oldest_sample_used(
    expr: str, all_of_it: timedelta, without_bridges: timedelta
) -> None:
    """Ranges, offsets and subqueries add up along the deepest path; bridging windows may be left out."""
    assert (promql.lookback(expr), promql.lookback(expr, bridges=False)) == (
        all_of_it,
        without_bridges,
    )


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("1", set()),
        ("time()", set()),
        ("vector(1)", set()),
        ("up", {"job", "instance", "service"}),
        ("unknown_metric", None),
        ("rate(reqs[5m])", {"service", "code"}),
        ("max(up)", set()),
        ("max by (service, zone) (up)", {"service"}),
        ("max by (zone) (unknown_metric)", {"zone"}),
        ("max without (job) (up)", {"instance", "service"}),
        ("max without (job) (unknown_metric)", None),
        ("topk(3, up)", {"job", "instance", "service"}),
        ('count_values("version", up)', {"version"}),
        ('count_values by (job) ("version", up)', {"job", "version"}),
        ("histogram_quantile(0.9, rate(secs[5m]))", {"service"}),
        ("quantile_over_time(0.9, up[5m])", {"job", "instance", "service"}),
        ('label_replace(up, "zone", "$1", "job", "(.*)")', {"job", "instance", "service", "zone"}),
        ('absent(up{job="a", service!="b"})', {"job"}),
        ("up + 1", {"job", "instance", "service"}),
        ("1 - up", {"job", "instance", "service"}),
        ("time() - up", {"job", "instance", "service"}),
        ("scalar(up) * reqs", {"service", "code"}),
        ("reqs and on (service) up", {"service", "code"}),
        ("reqs unless up", {"service", "code"}),
        ("reqs or info", {"service", "code", "tier", "owner"}),
        ("reqs or unknown_metric", None),
        ("reqs * on (service) group_left (tier) info", {"service", "code", "tier"}),
        ("info * on (service) group_right (tier) reqs", {"service", "code", "tier"}),
        ("reqs / on (service) info", {"service"}),
        ("unknown_metric / on (service) info", {"service"}),
        ("reqs / ignoring (code) up", {"service"}),
        ("(-(up))", {"job", "instance", "service"}),
        ("max_over_time(rate(reqs[5m])[1h:])", {"service", "code"}),
    ],
)
def test_output_labels_are_those_that_survive(expr: str, expected: set[str] | None) -> None:
    """Aggregation, matching and functions keep, drop and add the labels that Prometheus does."""
    found = promql.output_labels(expr, LABELS.get)

    assert (None if found is None else set(found)) == expected


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ('reqs{code="500"}', []),
        ('reqs{status="500"}', [("status", "a matcher of reqs")]),
        ('up{exporter=""}', []),
        ('up{exporter="x"}', [("exporter", "a matcher of up")]),
        ('unknown_metric{a="b"}', []),
        ("sum by (service, zone) (reqs)", [("zone", "by (...) of sum")]),
        ("sum without (zone) (reqs)", []),
        ("reqs * on (service, zone) group_left (tier) info", [("zone", "on (...)")]),
        ("sum by (tier) (reqs) / on (tier) max by (tier) (info)", [("tier", "on (...)"), ("tier", "by (...) of sum")]),
        ('max by (zone) (up{a="b"}) or up{a="b"}', [("zone", "by (...) of max"), ("a", "a matcher of up")]),
    ],
)  # fmt: skip
def test_labels_that_nothing_carries_are_named(expr: str, expected: list[tuple[str, str]]) -> None:
    """A matcher, `by` and `on` may only name what lies below them; strangers are not judged."""
    assert list(promql.missing_labels(expr, LABELS.get)) == expected


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("up", True),
        ("gone", False),
        ("up / gone", False),
        ("up or gone", True),
        ("gone or up", True),
        ("gone or gone", False),
        ("up and gone", False),
        ("up unless gone", True),
        ("gone unless up", False),
        ("absent(gone)", True),
        ("absent_over_time(gone[5m])", True),
        ("vector(1) and gone", False),
        ("vector(1)", True),
        ("sum by (a) (rate(gone[5m])) > 1", False),
        ("topk(scalar(gone), up)", False),
        ("histogram_quantile(0.9, rate(gone[5m]))", False),
        ("max_over_time((up or gone)[1h:])", True),
    ],
)
def test_alive_says_whether_a_result_is_possible(expr: str, expected: bool) -> None:
    """One dead side kills an expression, but not an `or`, nor the right of an `unless`."""
    assert promql.alive(expr, lambda selector: selector.metric != "gone") is expected


SERVICES = {"up": frozenset({"a", "b"}), "reqs": frozenset({"b", "c"}), "none": frozenset()}


@pytest.mark.parametrize(
    ("expr", "expected"),
    [
        ("up", {"a", "b"}),
        ("up > 1", {"a", "b"}),
        ("up and on (service) reqs", {"b"}),
        ("up or reqs", {"a", "b", "c"}),
        ("up unless reqs", {"a", "b"}),
        ("sum by (service) (rate(reqs[5m]))", {"b", "c"}),
        ("up and on (service) unknown_metric", {"a", "b"}),
        ("none", set()),
    ],
)
def test_values_of_a_label_are_those_that_survive(expr: str, expected: set[str]) -> None:
    """The services an expression can speak of follow from those of its parts."""
    found = promql.values_of(expr, "service", lambda selector, _: SERVICES.get(selector.metric))

    assert found is not None
    assert set(found) == expected

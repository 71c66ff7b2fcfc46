"""
Read PromQL: which series an expression selects, how far it looks back, which labels it keeps.

Parsing is promql-parser's; this module only answers the questions that proofs and test
generation ask. It never rewrites expressions.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import lru_cache
from typing import Any

import promql_parser as parser

from generator.errors import RenderError

ZERO = timedelta(0)

# Functions whose result is taken from one sample: a window bridges a missed scrape but delays nothing.
_BRIDGES = frozenset({"last_over_time"})
_COUNTER_FUNCTIONS = frozenset({"rate", "increase", "irate", "resets"})
_GAUGE_FUNCTIONS = frozenset({"delta", "deriv", "idelta", "predict_linear"})
_SET_OPERATORS = {"and", "or", "unless"}
_EMPTY_CALLS = frozenset({"vector", "time", "scalar", "pi"})


@dataclass(frozen=True, slots=True)
class Matcher:
    """One label matcher; op is `=`, `!=`, `=~` or `!~`."""

    label: str
    op: str
    value: str


@dataclass(frozen=True, slots=True)
class Selector:
    """One selected metric. *function* is the nearest enclosing function, empty if none."""

    metric: str
    matchers: tuple[Matcher, ...]
    function: str
    window: timedelta

    @property
    def wants(self) -> str:
        """`counter` or `gauge` where the enclosing function makes sense for that type only, else empty."""
        if self.function in _COUNTER_FUNCTIONS:
            return "counter"
        if self.function in _GAUGE_FUNCTIONS:
            return "gauge"
        return ""


@lru_cache(maxsize=4096)
def parse(expr: str) -> Any:
    """Return the syntax tree of *expr*. Raises RenderError with the expression in its text."""
    try:
        return parser.parse(expr)
    except ValueError as error:
        raise RenderError(f"not PromQL: {error}: {expr!r}") from error


def selectors(expr: str) -> tuple[Selector, ...]:
    """Return every selector of *expr* in reading order, duplicates included."""
    return tuple(_selectors(parse(expr), "", ZERO))


def metrics(expr: str) -> frozenset[str]:
    """Return the names of all metrics that *expr* selects."""
    return frozenset(selector.metric for selector in selectors(expr))


def lookback(expr: str, *, bridges: bool = True) -> timedelta:
    """
    Return how far back the oldest sample may lie that *expr* uses (ranges, offsets, subqueries).

    Without *bridges*, windows of `last_over_time` do not count: they only bridge missed scrapes.
    """
    return _lookback(parse(expr), bridges=bridges)


def output_labels(expr: str) -> frozenset[str] | None:
    """Return the labels that results of *expr* can carry; None when any label may survive."""
    return _labels(parse(expr))


def _children(node: Any) -> Iterator[Any]:
    match node:
        case parser.BinaryExpr():
            yield node.lhs
            yield node.rhs
        case parser.AggregateExpr():
            yield node.expr
            if node.param is not None:
                yield node.param
        case parser.Call():
            yield from node.args
        case parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            yield node.expr
        case parser.MatrixSelector():
            yield node.vector_selector


def _selectors(node: Any, function: str, window: timedelta) -> Iterator[Selector]:
    if isinstance(node, parser.VectorSelector):
        matchers = tuple(
            Matcher(matcher.name, _operator(matcher.op), matcher.value)
            for matcher in node.matchers.matchers
        )
        yield Selector(node.name or "", matchers, function, window)
        return
    if isinstance(node, parser.Call):
        function = node.func.name
    elif isinstance(node, parser.MatrixSelector):
        window = node.range
    elif isinstance(node, parser.AggregateExpr | parser.BinaryExpr):
        function = ""
    for child in _children(node):
        yield from _selectors(child, function, window)


def _operator(op: Any) -> str:
    names = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
    return names[str(op).rsplit(".", 1)[-1]]


def _lookback(node: Any, *, bridges: bool) -> timedelta:
    own = ZERO
    if isinstance(node, parser.VectorSelector):
        return max(node.offset or ZERO, ZERO)
    if isinstance(node, parser.MatrixSelector):
        own = node.range
    elif isinstance(node, parser.SubqueryExpr):
        own = node.range + max(node.offset or ZERO, ZERO)
    elif isinstance(node, parser.Call) and node.func.name in _BRIDGES and not bridges:
        inner = node.args[0]
        if isinstance(inner, parser.MatrixSelector):
            return _lookback(inner.vector_selector, bridges=bridges)
    return own + max((_lookback(child, bridges=bridges) for child in _children(node)), default=ZERO)


def _labels(node: Any) -> frozenset[str] | None:
    match node:
        case parser.NumberLiteral() | parser.StringLiteral():
            return frozenset()
        case parser.VectorSelector() | parser.MatrixSelector():
            return None
        case parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            return _labels(node.expr)
        case parser.AggregateExpr():
            return _aggregate_labels(node)
        case parser.Call():
            return _call_labels(node)
        case parser.BinaryExpr():
            return _binary_labels(node)
    return None


def _aggregate_labels(node: Any) -> frozenset[str] | None:
    operation = str(node.op)
    if operation in {"topk", "bottomk", "limitk"}:
        return _labels(node.expr)
    inner = _labels(node.expr)
    kept: frozenset[str] | None
    if node.modifier is None:
        kept = frozenset()
    elif node.modifier.type == parser.AggModifierType.By:
        kept = frozenset(node.modifier.labels)
        kept = kept if inner is None else kept & inner
    else:
        kept = None if inner is None else inner - frozenset(node.modifier.labels)
    if operation == "count_values" and kept is not None:
        return kept | {node.param.val}
    return kept


def _call_labels(node: Any) -> frozenset[str] | None:
    name = node.func.name
    if name in _EMPTY_CALLS:
        return frozenset()
    if name in {"absent", "absent_over_time"}:
        return frozenset(
            matcher.label
            for selector in _selectors(node, "", ZERO)
            for matcher in selector.matchers
            if matcher.op == "="
        )
    position = 1 if name in {"histogram_quantile", "quantile_over_time"} else 0
    if not node.args:
        return frozenset()
    inner = _labels(node.args[position])
    if inner is None:
        return None
    if name == "histogram_quantile":
        return inner - {"le"}
    if name in {"label_replace", "label_join"}:
        return inner | {node.args[1].val}
    return inner


def _binary_labels(node: Any) -> frozenset[str] | None:
    left, right = _labels(node.lhs), _labels(node.rhs)
    if isinstance(node.lhs, parser.NumberLiteral):
        return right
    if isinstance(node.rhs, parser.NumberLiteral):
        return left
    modifier = node.modifier
    operation = str(node.op)
    if operation == "or":
        return None if left is None or right is None else left | right
    if operation in _SET_OPERATORS or modifier is None:
        return left
    group = frozenset(modifier.group_labels or ())
    if modifier.card == parser.VectorMatchCardinality.ManyToOne:
        return None if left is None else left | group
    if modifier.card == parser.VectorMatchCardinality.OneToMany:
        return None if right is None else right | group
    if modifier.matching is None:
        return left
    names = frozenset(modifier.matching.labels)
    if modifier.matching.type == parser.LabelModifierType.Include:
        return names if left is None else names & left
    return None if left is None else left - names

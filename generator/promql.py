"""
Read PromQL: which series an expression selects, how far it looks back, which labels it keeps.

Parsing is promql-parser's; this module only answers the questions that proofs and test
generation ask. It never rewrites expressions.

Longer than most modules: every question walks the same tree, node type by node type, and the walks
are read side by side when the parser gains a node.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
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
_WRAPPERS = (parser.ParenExpr, parser.UnaryExpr, parser.SubqueryExpr)
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


@lru_cache(maxsize=4096)
def selectors(expr: str) -> tuple[Selector, ...]:
    """Return every selector of *expr* in reading order, duplicates included."""
    return tuple(_selectors(parse(expr), "", ZERO))


@lru_cache(maxsize=4096)
def metrics(expr: str) -> frozenset[str]:
    """Return the names of all metrics that *expr* selects."""
    return frozenset(selector.metric for selector in selectors(expr))


@lru_cache(maxsize=4096)
def lookback(
    expr: str, *, bridges: bool = True, besides: frozenset[str] = frozenset()
) -> timedelta:
    """
    Return how far back the oldest sample may lie that *expr* uses (ranges, offsets, subqueries).

    Without *bridges*, windows of `last_over_time` do not count: they only bridge missed scrapes.
    Windows over the metrics *besides* do not count either.
    """
    return _lookback(parse(expr), bridges=bridges, besides=besides)


def has_subquery(expr: str) -> bool:
    """Whether *expr* evaluates some part of itself at steps of its own."""
    return _has_subquery(parse(expr))


LabelsOf = Callable[[str], frozenset[str] | None]


def output_labels(expr: str, of: LabelsOf = lambda _: None) -> frozenset[str] | None:
    """
    Return the labels that results of *expr* can carry; None when any label may survive.

    *of* gives the labels of a metric by name, None if they are unknown.
    """
    return _labels(parse(expr), of)


def missing_labels(expr: str, of: LabelsOf) -> tuple[tuple[str, str], ...]:
    """
    Return (label, where) for each label that *expr* names but nothing below it carries.

    Looks at matchers, `by (...)` and `on (...)`; what *of* does not know is not judged.
    """
    return tuple(dict.fromkeys(_missing(parse(expr), of)))


def alive(expr: str, exists: Callable[[Selector], bool]) -> bool:
    """
    Return whether *expr* can ever give a result, if *exists* says which selectors have series.

    An `or` lives while one side does, an `unless` while its left side does; `absent` and
    `vector` always do.
    """
    return _alive(parse(expr), exists, "", ZERO)


def values_of(
    expr: str, label: str, of: Callable[[Selector, str], frozenset[str] | None]
) -> frozenset[str] | None:
    """
    Return the values of *label* that results of *expr* can carry; None when it could be any.

    *of* gives the values for one selector. What is matched or joined must agree, so sets are
    intersected there and united at `or`.
    """
    return _values(parse(expr), label, of)


def _children(node: Any) -> tuple[Any, ...]:
    kind = type(node)
    if kind is parser.BinaryExpr:
        return node.lhs, node.rhs
    if kind is parser.AggregateExpr:
        return (node.expr,) if node.param is None else (node.expr, node.param)
    if kind is parser.Call:
        return tuple(node.args)
    if kind in _WRAPPERS:
        return (node.expr,)
    return (node.vector_selector,) if kind is parser.MatrixSelector else ()


def _has_subquery(node: Any) -> bool:
    return type(node) is parser.SubqueryExpr or any(map(_has_subquery, _children(node)))


def _selectors(node: Any, function: str, window: timedelta) -> list[Selector]:
    kind = type(node)
    if kind is parser.VectorSelector:
        matchers = tuple(
            Matcher(matcher.name, _operator(matcher.op), matcher.value)
            for matcher in node.matchers.matchers
        )
        return [Selector(node.name or "", matchers, function, window)]
    if kind is parser.Call:
        function = node.func.name
    elif kind is parser.MatrixSelector:
        window = node.range
    elif kind is parser.AggregateExpr or kind is parser.BinaryExpr:
        function = ""
    return [
        selector for child in _children(node) for selector in _selectors(child, function, window)
    ]


def _operator(op: Any) -> str:
    names = {"Equal": "=", "NotEqual": "!=", "Re": "=~", "NotRe": "!~"}
    return names[str(op).rsplit(".", 1)[-1]]


def _lookback(node: Any, *, bridges: bool, besides: frozenset[str]) -> timedelta:
    own: timedelta = ZERO
    if isinstance(node, parser.MatrixSelector) and node.vector_selector.name in besides:
        return ZERO
    if isinstance(node, parser.VectorSelector):
        return max(node.offset or ZERO, ZERO)
    if isinstance(node, parser.MatrixSelector):
        own = node.range
    elif isinstance(node, parser.SubqueryExpr):
        own = (node.range or ZERO) + max(node.offset or ZERO, ZERO)
    elif isinstance(node, parser.Call) and node.func.name in _BRIDGES and not bridges:
        inner = node.args[0]
        if isinstance(inner, parser.MatrixSelector):
            return _lookback(inner.vector_selector, bridges=bridges, besides=besides)
    below = (_lookback(child, bridges=bridges, besides=besides) for child in _children(node))
    return own + max(below, default=ZERO)


def _labels(node: Any, of: LabelsOf) -> frozenset[str] | None:
    match node:
        case parser.NumberLiteral() | parser.StringLiteral():
            return frozenset()
        case parser.VectorSelector():
            return of(node.name or "")
        case parser.MatrixSelector():
            return _labels(node.vector_selector, of)
        case parser.ParenExpr() | parser.UnaryExpr() | parser.SubqueryExpr():
            return _labels(node.expr, of)
        case parser.AggregateExpr():
            return _aggregate_labels(node, of)
        case parser.Call():
            return _call_labels(node, of)
        case parser.BinaryExpr():
            return _binary_labels(node, of)
    return None


def _aggregate_labels(node: Any, of: LabelsOf) -> frozenset[str] | None:
    operation = str(node.op)
    if operation in {"topk", "bottomk", "limitk"}:
        return _labels(node.expr, of)
    inner = _labels(node.expr, of)
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


def _call_labels(node: Any, of: LabelsOf) -> frozenset[str] | None:
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
    inner = _labels(node.args[position], of)
    if inner is None:
        return None
    if name == "histogram_quantile":
        return inner - {"le"}
    if name in {"label_replace", "label_join"}:
        return inner | {node.args[1].val}
    return inner


def _binary_labels(node: Any, of: LabelsOf) -> frozenset[str] | None:
    left, right = _labels(node.lhs, of), _labels(node.rhs, of)
    if _is_scalar(node.lhs):
        return right
    if _is_scalar(node.rhs):
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


def _is_scalar(node: Any) -> bool:
    if isinstance(node, parser.ParenExpr | parser.UnaryExpr):
        return _is_scalar(node.expr)
    if isinstance(node, parser.BinaryExpr):
        return _is_scalar(node.lhs) and _is_scalar(node.rhs)
    is_call = isinstance(node, parser.Call) and node.func.name in {"time", "scalar", "pi"}
    return is_call or isinstance(node, parser.NumberLiteral)


def _missing(node: Any, of: LabelsOf) -> Iterator[tuple[str, str]]:
    if isinstance(node, parser.VectorSelector):
        known = of(node.name or "")
        if known is not None:
            for matcher in node.matchers.matchers:
                # {exporter=""} asks for the label's absence: fine wherever it is absent.
                if matcher.name not in known and matcher.value:
                    yield matcher.name, f"a matcher of {node.name}"
        return
    if isinstance(node, parser.AggregateExpr):
        yield from _missing_by(node, of)
    if isinstance(node, parser.BinaryExpr) and node.modifier and node.modifier.matching:
        yield from _missing_on(node, of)
    for child in _children(node):
        yield from _missing(child, of)


def _missing_by(node: Any, of: LabelsOf) -> Iterator[tuple[str, str]]:
    known = _labels(node.expr, of)
    if node.modifier is None or node.modifier.type != parser.AggModifierType.By or known is None:
        return
    for label in node.modifier.labels:
        if label not in known:
            yield label, f"by (...) of {node.op}"


def _missing_on(node: Any, of: LabelsOf) -> Iterator[tuple[str, str]]:
    if node.modifier.matching.type != parser.LabelModifierType.Include:
        return
    for side in (node.lhs, node.rhs):
        known = _labels(side, of)
        for label in node.modifier.matching.labels:
            if known is not None and label not in known:
                yield label, "on (...)"


def _alive(node: Any, exists: Callable[[Selector], bool], function: str, window: timedelta) -> bool:
    if isinstance(node, parser.VectorSelector):
        return all(exists(selector) for selector in _selectors(node, function, window))
    if isinstance(node, parser.Call):
        function = node.func.name
        if function in {"absent", "absent_over_time"}:
            return True
    if isinstance(node, parser.BinaryExpr):
        left = _alive(node.lhs, exists, function, window)
        operation = str(node.op)
        if operation == "unless":
            return left
        right = _alive(node.rhs, exists, function, window)
        return left or right if operation == "or" else left and right
    return all(_alive(child, exists, function, window) for child in _children(node))


Values = frozenset[str] | None


def _values(node: Any, label: str, of: Callable[[Selector, str], Values]) -> Values:
    if isinstance(node, parser.VectorSelector):
        return _common(of(selector, label) for selector in _selectors(node, "", ZERO))
    if isinstance(node, parser.Call):
        if node.func.name in {"absent", "absent_over_time", *_EMPTY_CALLS}:
            return None
        if node.func.name == "label_replace" and node.args[1].val == label:
            return _values(node.args[0], node.args[3].val, of)
    if isinstance(node, parser.BinaryExpr):
        left = _values(node.lhs, label, of)
        operation = str(node.op)
        if operation == "unless":
            return left
        right = _values(node.rhs, label, of)
        if operation == "or":
            return None if left is None or right is None else left | right
        return _common((left, right))
    return _common(_values(child, label, of) for child in _children(node))


def _common(found: Iterable[Values]) -> Values:
    common: Values = None
    for values in found:
        if values is not None:
            common = values if common is None else common & values
    return common

"""
Render the annotation templates that alerts use, as Prometheus does.

Generated tests compare annotations whole, so the text must be known beforehand. Only the
part of Go's template language that the kit allows is understood; anything else is refused,
which keeps annotations simple enough to read. promtool is the judge of every rendering.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from generator.errors import RenderError

_ACTION = re.compile(r"{{\s*(.*?)\s*}}")
_LABEL = re.compile(r"\$labels\.([a-zA-Z_][a-zA-Z0-9_]*)")
_PRINTF = re.compile(r'printf\s+"(%\.[0-9]f%{0,2})"(?:\s+\$value)?')
_LARGE = ("k", "M", "G", "T", "P", "E", "Z", "Y")
_EXPONENT_FROM = 6  # strconv.FormatFloat with the shortest precision
_SMALL = ("m", "u", "n", "p", "f", "a", "z", "y")


def labels_used(template: str) -> frozenset[str]:
    """Return the names of all labels that *template* mentions."""
    return frozenset(_LABEL.findall(template))


def render(template: str, labels: Mapping[str, str], value: float) -> str:
    """
    Return *template* with labels and value filled in.

    Missing labels become the empty string, as in Prometheus. Raises RenderError for an
    action outside the allowed subset.
    """
    return _ACTION.sub(lambda match: _action(match.group(1), labels, value), template)


def _action(action: str, labels: Mapping[str, str], value: float) -> str:
    label = _LABEL.fullmatch(action)
    if label:
        return labels.get(label.group(1), "")
    if action.startswith("printf"):
        return _printf(action, value)
    steps = [step.strip() for step in action.split("|")]
    if steps[0] != "$value" or len(steps) > 2:
        raise RenderError(f"template action outside the allowed subset: {action!r}")
    if len(steps) == 1:
        return shortest(value)
    if steps[1].startswith("printf"):
        return _printf(steps[1], value)
    if steps[1] not in _FUNCTIONS:
        raise RenderError(f"template function outside the allowed subset: {steps[1]!r}")
    return _FUNCTIONS[steps[1]](value)


def _printf(action: str, value: float) -> str:
    match = _PRINTF.fullmatch(action)
    if not match:
        raise RenderError(f"printf outside the allowed subset: {action!r}")
    if not math.isfinite(value):
        return shortest(value) + ("%" if match.group(1).endswith("%%") else "")
    return match.group(1) % value


def shortest(value: float) -> str:
    """Return *value* as Go prints a float64 with %v: shortest digits, exponent from 1e6 and below 1e-4."""
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if value == 0:
        return "0"
    value = float(value)
    exponent = Decimal(repr(value)).adjusted()
    if -4 <= exponent < _EXPONENT_FROM:
        text = format(Decimal(repr(value)), "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    mantissa = format(Decimal(repr(value)).scaleb(-exponent).normalize(), "f")
    return f"{mantissa}e{exponent:+03d}"


def _four_digits(value: float) -> str:
    """Return *value* as Go's %.4g does, which differs from Python's for infinities and NaN only."""
    return f"{value:.4g}" if math.isfinite(value) else shortest(value)


def humanize(value: float) -> str:
    """Return *value* with a metric prefix and four significant digits."""
    if value == 0 or not math.isfinite(value):
        return _four_digits(value)
    prefix = ""
    if abs(value) >= 1:
        for step in _LARGE:
            if abs(value) < 1000:
                break
            prefix, value = step, value / 1000
    else:
        for step in _SMALL:
            if abs(value) >= 1:
                break
            prefix, value = step, value * 1000
    return f"{value:.4g}{prefix}"


def humanize1024(value: float) -> str:
    """Return *value* with a binary prefix and four significant digits."""
    if abs(value) <= 1 or not math.isfinite(value):
        return _four_digits(value)
    prefix = ""
    for step in ("ki", "Mi", "Gi", "Ti", "Pi", "Ei", "Zi", "Yi"):
        if abs(value) < 1024:
            break
        prefix, value = step, value / 1024
    return f"{value:.4g}{prefix}"


def humanize_duration(seconds: float) -> str:
    """
    Return *seconds* as `1d 2h 3m 4s`; below one minute with four significant digits.

    From 2^63 seconds on Prometheus overflows and prints nonsense; that is not imitated.
    """
    if not math.isfinite(seconds):
        return _four_digits(seconds)
    if seconds == 0:
        return "0s"
    if abs(seconds) < 1:
        return humanize(seconds) + "s"
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    whole = int(seconds)
    days, hours = whole // 86400, whole // 3600 % 24
    minutes, rest = whole // 60 % 60, whole % 60
    if days:
        return f"{sign}{days}d {hours}h {minutes}m {rest}s"
    if hours:
        return f"{sign}{hours}h {minutes}m {rest}s"
    if minutes:
        return f"{sign}{minutes}m {rest}s"
    return f"{sign}{seconds:.4g}s"


def humanize_percentage(ratio: float) -> str:
    """Return *ratio* (0 to 1) in percent with four significant digits."""
    return f"{_four_digits(ratio * 100)}%"


_FUNCTIONS: Mapping[str, Callable[[float], str]] = {
    "humanize": humanize,
    "humanize1024": humanize1024,
    "humanizeDuration": humanize_duration,
    "humanizePercentage": humanize_percentage,
}

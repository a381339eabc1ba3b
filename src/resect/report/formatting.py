"""Numbers and untrusted strings as text that a person can read.

A missing value is a dash, never `None` or `nan`. A character that a reader could not see, or that
could reorder what stands around it, is written as an escape.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from math import isnan

from markupsafe import Markup, escape

from resect.findings.rows import Cliff, Distance, Estimate, HalfLevel, Rate, Robustness
from resect.narrative import phrasing
from resect.record import bits_in_words
from resect.report.cleaner import DASH as DASH
from resect.report.cleaner import hidden, spelled
from resect.report.cleaner import plain as plain

LIMIT = 2000
"""Characters of one model output that are shown; the rest is counted."""

_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!])")
_INTERVAL = re.compile(r"\\\[([\d.\u2212+]+, [\d.\u2212+]+)\\\]")
_UNIT = re.compile(r"(\d) (?=[kMGT]?B\b|%)")


def finite(value: object) -> float | None:
    """`value` as a float, or None where it is missing, not a number or not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────


def percent(value: float | None, digits: int = 1) -> str:
    """A share in [0, 1] as `61.2 %`."""
    return DASH if value is None or isnan(value) else f"{rounded(value * 100, digits)} %"


def decimal(value: float | None, digits: int = 2) -> str:
    """A score as `0.42`, with a real minus sign."""
    return DASH if value is None or isnan(value) else rounded(value, digits)


def interval(
    value: float | None, low: float | None, high: float | None, share: bool = False
) -> str:
    """`61.2 % [58.0, 64.3]` (share) or `0.42 [0.38, 0.46]`; no brackets without an interval."""
    body = percent(value) if share else decimal(value)
    if body == DASH or low is None or high is None:
        return body
    scale, digits = (100, 1) if share else (1, 2)
    return f"{body} [{rounded(low * scale, digits)}, {rounded(high * scale, digits)}]"


def estimate(given: Estimate | Distance | Rate | Robustness | None, share: bool = False) -> str:
    """A value with its interval; a dash without one."""
    return DASH if given is None else interval(given.value, given.low, given.high, share)


def count(value: float | None) -> str:
    """A whole number with thin spaces: `7 241 732 096`."""
    return DASH if value is None or isnan(value) else f"{value:,.0f}".replace(",", "\u202f")


def amount(value: float | None, units: Sequence[str]) -> str:
    """A large number with a unit: `amount(7.24e9, ("", "K", "M", "B"))` is `7.24 B`."""
    return DASH if value is None or isnan(value) else phrasing.amount(value, units, "\u202f")


def size(value: float | None) -> str:
    """Bytes as kB, MB or GB (powers of 1000)."""
    return amount(value, ("B", *phrasing.BYTES[1:]))


def parameters(value: float | None) -> str:
    """A number of parameters as K, M or B."""
    return amount(value, ("", "K", "M", "B", "T"))


def points(value: float | None, digits: int = 1) -> str:
    """A difference of shares in points, signed: `−3.2`."""
    if value is None or isnan(value):
        return DASH
    shown = f"{value * 100:+.{digits}f}"
    return shown.replace("-", "\u2212") if float(shown) else f"{0:.{digits}f}"


def change(difference: float | None, low: float | None, high: float | None) -> str:
    """A difference with its interval, in points: `−3.2 [−5.8, −1.1]`."""
    shown = points(difference)
    return shown if low is None or high is None else f"{shown} [{points(low)}, {points(high)}]"


def level(value: object) -> str:
    """A level in words: `35 %` removed, `4 bits`, `intact`, or `fixed` where nothing is swept."""
    number = finite(value)
    if number is None:
        return "fixed"
    if number == 0:
        return "intact"
    return f"{_trim(number * 100)} %" if number < 1 else bits_in_words(number)


def half(cliff: HalfLevel | Cliff | None) -> str:
    """A half-level with its interval: `45 % [40, 51]`, `beyond 95 %`, or a dash."""
    if cliff is None:
        return DASH
    x, low, high = cliff.level, cliff.low, cliff.high
    if cliff.censored:
        edge = low if x is None else x
        return "not reached" if edge is None else f"beyond {level(edge)}"
    if x is None:
        return DASH
    if low is None or high is None or x >= 1:
        return level(x)
    return f"{_trim(x * 100)} % [{_trim(low * 100)}, {_trim(high * 100)}]"


def rounded(number: float, digits: int) -> str:
    """A number with a real minus sign, and none before a zero."""
    shown = f"{number:.{digits}f}"
    if float(shown) == 0:
        shown = shown.lstrip("-")
    return shown.replace("-", "\u2212")


def _trim(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".").replace("-", "\u2212")


# ── untrusted strings ───────────────────────────────────────────────────────────────────────────


def raw(value: object, limit: int = LIMIT) -> Markup:
    """Model output as HTML: escaped, unseen characters marked, cut at `limit` characters."""
    if value is None:
        return Markup('<span class="note">no text was kept</span>')
    whole = str(value)
    if not whole:
        return Markup('<span class="note">nothing: the output was empty</span>')
    parts: list[str] = []
    for char in whole[:limit]:
        if char == "\n":
            parts.append('<span class="esc nl">↵</span>\n')
        elif hidden(char):
            parts.append(f'<span class="esc">{spelled(char)}</span>')
        else:
            parts.append(str(escape(char)))
    if len(whole) > limit:
        cut = f"… cut here: {limit:,} of {len(whole):,} characters shown"
        parts.append(f'<span class="note">{cut}</span>')
    return Markup("".join(parts))


def stacked(value: object) -> Markup:
    """A value with its interval on a line of its own."""
    body, bracket, rest = plain(value).partition(" [")
    small = Markup('<small class="ci">[{}</small>').format(rest) if bracket else Markup("")
    return Markup("{}{}").format(body, small)


def unbroken(value: object) -> Markup:
    """The text with every number beside its unit, where a line may not break."""
    return Markup(_UNIT.sub("\\1&nbsp;", str(escape(plain(value)))))


def markdown(value: object) -> str:
    """`value` as literal Markdown text in one line; intervals keep their plain brackets."""
    return _INTERVAL.sub(r"[\1]", _MARKDOWN.sub(r"\\\1", plain(value)))


def is_troubled(status: str) -> bool:
    """True where a cell's status must stand beside its numbers."""
    return status in ("degraded", "failed")

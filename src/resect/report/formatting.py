"""Numbers and untrusted strings as text that a person can read.

A missing value is a dash, never `None` or `nan`. A character that a reader could not see, or that
could reorder what stands around it, is written as an escape.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

DASH = "–"
LIMIT = 2000
"""Characters of one model output that are shown; the rest is counted."""

_HIDDEN_CATEGORIES = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_MARKDOWN = re.compile(r"([\\`*_{}\[\]<>#|~!])")
_INTERVAL = re.compile(r"\\\[([\d.\u2212+]+, [\d.\u2212+]+)\\\]")
_STATUS = {"degraded", "failed"}


def finite(value: Any) -> float | None:
    """`value` as a float, or None where it is missing, not a number or not finite."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) else None


def without_nan(value: Any) -> Any:
    """A copy of JSON-like data with every NaN and infinity as None; keys become text."""
    if isinstance(value, Mapping):
        return {str(key): without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nan(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


# ── numbers ─────────────────────────────────────────────────────────────────────────────────────


def percent(value: Any, digits: int = 1) -> str:
    """A share in [0, 1] as `61.2 %`."""
    number = finite(value)
    return DASH if number is None else f"{_signed(number * 100, digits)} %"


def decimal(value: Any, digits: int = 2) -> str:
    """A score as `0.42`, with a real minus sign."""
    number = finite(value)
    return DASH if number is None else _signed(number, digits)


def interval(value: Any, low: Any, high: Any, share: bool = False) -> str:
    """`61.2 % [58.0, 64.3]` (share) or `0.42 [0.38, 0.46]`; no brackets without an interval."""
    body = percent(value) if share else decimal(value)
    ends = finite(low), finite(high)
    if body == DASH or ends[0] is None or ends[1] is None:
        return body
    scale, digits = (100, 1) if share else (1, 2)
    return f"{body} [{_signed(ends[0] * scale, digits)}, {_signed(ends[1] * scale, digits)}]"


def count(value: Any) -> str:
    """A whole number with thin spaces: `7 241 732 096`."""
    number = finite(value)
    return DASH if number is None else f"{number:,.0f}".replace(",", "\u202f")


def amount(value: Any, units: Sequence[str], base: float = 1000) -> str:
    """A large number with a unit: `amount(7.2e9, ("", "K", "M", "B"))` is `7.24 B`."""
    number = finite(value)
    if number is None:
        return DASH
    power = 0
    while abs(number) >= base and power < len(units) - 1:
        number, power = number / base, power + 1
    shown = f"{number:.3g}" if abs(number) < 100 else f"{number:.0f}"
    return f"{shown}\u202f{units[power]}".rstrip("\u202f")


def size(value: Any) -> str:
    """Bytes as kB, MB or GB (powers of 1000)."""
    return amount(value, ("B", "kB", "MB", "GB", "TB"))


def parameters(value: Any) -> str:
    """A number of parameters as K, M or B."""
    return amount(value, ("", "K", "M", "B", "T"))


def level(value: Any) -> str:
    """A level as a reader says it: `35 %` removed, `4 bits`, `intact`, or `fixed` where unswept."""
    number = finite(value)
    if number is None:
        return "fixed"
    if number == 0:
        return "intact"
    if number < 1:
        return f"{_trim(number * 100)} %"
    return f"{_trim(number)} bits"


def half(cliff: Mapping[str, Any] | None) -> str:
    """A half-level with its interval: `45 % [40, 51]`, `beyond 95 %`, or a dash."""
    if cliff is None:
        return DASH
    at, low, high = (finite(cliff.get(key)) for key in ("level", "low", "high"))
    if cliff.get("censored"):
        edge = low if at is None else at
        return "not reached" if edge is None else f"beyond {level(edge)}"
    if at is None:
        return DASH
    if low is None or high is None or at >= 1:
        return level(at)
    return f"{_trim(at * 100)} % [{_trim(low * 100)}, {_trim(high * 100)}]"


def _signed(number: float, digits: int) -> str:
    shown = f"{number:.{digits}f}"
    if float(shown) == 0:
        shown = shown.lstrip("-")
    return shown.replace("-", "\u2212")


def _trim(number: float) -> str:
    return f"{number:.1f}".rstrip("0").rstrip(".").replace("-", "\u2212")


# ── untrusted strings ───────────────────────────────────────────────────────────────────────────


def _hidden(char: str) -> bool:
    return unicodedata.category(char) in _HIDDEN_CATEGORIES or char == "\u3164"


def _escape_of(char: str) -> str:
    code = ord(char)
    if char == "\t":
        return "\\t"
    if char == "\r":
        return "\\r"
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def plain(value: Any, keep_lines: bool = False) -> str:
    """`value` as text with every unseen or reordering character as a visible escape.

    Line feeds become spaces, or stay where `keep_lines`.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    return "".join(
        ("\n" if keep_lines else " ")
        if char == "\n"
        else _escape_of(char)
        if _hidden(char)
        else char
        for char in str(value)
    )


def raw(value: Any, limit: int = LIMIT) -> Markup:
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
        elif _hidden(char):
            parts.append(f'<span class="esc">{_escape_of(char)}</span>')
        else:
            parts.append(str(escape(char)))
    if len(whole) > limit:
        cut = f"… cut here: {limit:,} of {len(whole):,} characters shown"
        parts.append(f'<span class="note">{cut}</span>')
    return Markup("".join(parts))


def stacked(value: Any) -> Markup:
    """A value with its interval on a line of its own."""
    body, bracket, rest = plain(value).partition(" [")
    small = Markup('<small class="ci">[{}</small>').format(rest) if bracket else Markup("")
    return Markup("{}{}").format(body, small)


def markdown(value: Any) -> str:
    """`value` as literal Markdown text in one line; intervals keep their plain brackets."""
    return _INTERVAL.sub(r"[\1]", _MARKDOWN.sub(r"\\\1", plain(value)))


def is_troubled(status: Any) -> bool:
    """True where a cell's status must be said beside its numbers."""
    return status in _STATUS

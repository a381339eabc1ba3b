"""Untrusted text made safe to show: hidden, reordering and control characters are escaped.

All item ids, file and model names, answers and error texts that are printed come through here.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from typing import Any

DASH = "–"

_UNSEEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
_ODD = re.compile(r"[^ -~]")
_NAMED = {"\t": "\\t", "\r": "\\r"}


def hidden(char: str) -> bool:
    """Whether a character is invisible, or could reorder the text around it."""
    return unicodedata.category(char) in _UNSEEN or char == "\u3164"


def spelled(char: str) -> str:
    """A character as a visible escape."""
    code = ord(char)
    if code < 0x100:
        return _NAMED.get(char, f"\\x{code:02x}")
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def plain(value: Any, keep_lines: bool = False) -> str:
    """`value` as text with every hidden character escaped; a missing value is a dash.

    Line feeds become spaces unless `keep_lines`.
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return DASH
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    feed = "\n" if keep_lines else " "

    def shown(found: re.Match[str]) -> str:
        char = found[0]
        return feed if char == "\n" else spelled(char) if hidden(char) else char

    return _ODD.sub(shown, text)


def plain_json(text: str) -> str:
    """A JSON document with every hidden character as a JSON escape: the same data."""

    def shown(found: re.Match[str]) -> str:
        char = found[0]
        return json.dumps(char)[1:-1] if char != "\n" and hidden(char) else char

    return _ODD.sub(shown, text)

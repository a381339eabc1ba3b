"""Hostile text through the cleaner that all printed text takes, and through its JSON form.

What comes out shows no hidden character, keeps what is harmless as it was, and changes no more when
it is cleaned again; a JSON document stays the same data.
"""

from __future__ import annotations

import json
import random
from collections.abc import Iterator

from resect.report.cleaner import hidden, plain, plain_json
from tools.fuzz.surfaces import PAYLOADS
from tools.fuzz.trial import Trial, tried

_PIECES = (
    *PAYLOADS, "\x1b[2J\x1b[H", "\x1bP+q544e\x1b\\", "\x1b]8;;http://evil\x07x\x1b]8;;\x07",
    "\x1b]52;c;eA==\x07", "\x9d0;t\x9c", "\x1b[6n", "\x05", "\x0e\x0f", "\u2066\u2067\u2068\u2069",
    "\u202a\u202b\u202c\u202d", "\u061c\u200e\u200f", "\ufff9\ufffa\ufffb", "\u3164\u00ad",
    "\ud800", "\udfff", "\U0010ffff", "\ue000", "\u0300" * 40, "\n", "\n\n", " ", "a", "0", "é",
)  # fmt: skip


def text(dice: random.Random) -> str:
    """A few pieces, and characters of all planes."""
    parts = dice.choices(_PIECES, k=dice.randint(0, 3))
    parts += [chr(dice.choice((dice.randrange(0x110000), dice.randrange(0x3000))))
              for _ in range(dice.randint(0, 6))]  # fmt: skip
    dice.shuffle(parts)
    return "".join(parts)


def printed(value: str) -> str | None:
    """What the cleaner lets through of a text, or changes without need."""
    shown, lines = plain(value), plain(value, keep_lines=True)
    if any(map(hidden, shown)) or any(hidden(char) for char in lines if char != "\n"):
        return f"a hidden character: {value!a}"
    if plain(shown) != shown or lines.replace("\n", " ") != shown:
        return f"another text the second time: {value!a}"
    if not any(hidden(char) for char in value) and shown != value:
        return f"a harmless text is changed: {value!a}"
    return None


def documented(value: str) -> str | None:
    """What a JSON document lets through of a text, or changes."""
    data = {value: [value]}
    shown = plain_json(json.dumps(data, ensure_ascii=False, indent=1))
    if any(hidden(char) for char in shown if char != "\n"):
        return f"a hidden character in JSON: {value!a}"
    return None if json.loads(shown) == {value: [value]} else f"other data: {value!a}"


def trials(count: int, seed: int) -> Iterator[Trial]:
    """Texts, as printed lines and in JSON in turn."""
    dice = random.Random(seed)
    for number in range(count):
        value = text(dice)
        act, kind = (documented, "JSON") if number % 2 else (printed, "line")
        yield tried(kind, lambda act=act, value=value: act(value))

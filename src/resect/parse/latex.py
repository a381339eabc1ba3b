r"""Raw text to a final expression, and whether two expressions are the same one.

Sameness is math-verify's: both expressions are parsed as LaTeX and compared with sympy, so that
x+1 is 1+x, and \frac14 is 0.25 (the extra `math`).

The tiers, in order: `boxed` (the last \boxed{...}), `declared` ("The final answer is $...$"),
`last` (the last formula between dollar signs).
"""

from __future__ import annotations

import re
import threading
from importlib.util import find_spec

from resect.errors import RequestError
from resect.parse import number
from resect.parse.reading import Reading
from resect.parse.reasoning import UNFINISHED, spoken
from resect.parse.residue import without_answer

_BOXED = re.compile(r"\\f?boxed\b\s*")
_DECLARED = re.compile(r"\banswer\s+is\s*:?\s*|\banswer\s*:\s*", re.IGNORECASE)
_FORMULA = re.compile(r"\$([^$\n]{1,400})\$")
_LOOSE = re.compile(r"[^.\n]{0,200}?(?=\.(?:\s|$)|\n|$)")
_LONGEST = 400
SECONDS = 3
"""For parsing one expression, and for comparing two."""
_ENDLESS = re.compile(r"\^\s*\{?\s*-?\d{4,}|\^[^+\-*/=,]*\^|\d{4,}\s*!|!\s*!")
_BASE = re.compile(r"(?<=\d)_\{?(\d+)\}?")
_WORD = re.compile(r"\\(?:text|textbf|mathrm|mbox)\s*\{([^{}]*)\}")


def expression(text: str) -> tuple[str | None, str, str]:
    """(final expression or None, outcome, tier). Any text in, never an exception."""
    answer = spoken(text)
    if answer is None:
        return UNFINISHED
    shown = number.own(answer[-20_000:]).strip()
    boxes = [
        formula for start in _BOXED.finditer(shown) if (formula := _braced(shown, start.end()))
    ]
    if boxes:
        return boxes[-1], "answer", "boxed"
    reading = Reading(shown[-3000:], (), {}, "")
    if reading.loops:
        return None, "degenerate", "loop"
    declared = [m.end() for m in _DECLARED.finditer(shown)]
    if declared and (formula := _after(shown, declared[-1])):
        return formula, "answer", "declared"
    formulas = _FORMULA.findall(shown)
    if formulas:
        return formulas[-1].strip(), "recovered", "last"
    return None, *without_answer(reading)


def _braced(shown: str, start: int) -> str | None:
    """What stands between the brace at `at` and its match, or the word that stands there."""
    if shown[start : start + 1] != "{":
        word = re.match(r"[^\s$.,]+", shown[start:])
        return word.group() if word else None
    depth = 0
    for place in range(start, min(len(shown), start + _LONGEST)):
        depth += (shown[place] == "{") - (shown[place] == "}")
        if depth == 0:
            return shown[start + 1 : place].strip() or None
    return None


def _after(shown: str, start: int) -> str | None:
    """The formula or the words that follow an announcement."""
    formula = _FORMULA.match(shown, start)
    if formula:
        return formula.group(1).strip()
    loose = _LOOSE.match(shown, start)
    return (loose.group().strip(" *$`") or None) if loose else None


def needed() -> None:
    """Raise `RequestError` where expressions cannot be compared."""
    if find_spec("math_verify") is None:
        raise RequestError(
            "expressions are compared by math-verify, which is not installed: pip install "
            "'resect[math]'."
        )


def same(value: str | None, gold: str | None) -> bool:
    """Whether two expressions are the same answer, by value; None is the same as nothing.

    Equal texts are the same; otherwise math-verify parses both and
    compares them with sympy, each step within `SECONDS`. Text that would make sympy compute for
    ever (towers of powers, huge exponents and factorials) is compared as text.
    """
    if value is None or gold is None:
        return False
    a, b = _plain(value), _plain(gold)
    if a == b:
        return True
    if max(len(a), len(b)) > _LONGEST or any(_ENDLESS.search(text) for text in (a, b)):
        return False
    if _BASE.findall(a) != _BASE.findall(b):  # math-verify drops the base of a number
        return False
    return _equal(a, b)


def _equal(value: str, gold: str) -> bool:
    needed()
    from math_verify import parse, verify

    limit = SECONDS if threading.current_thread() is threading.main_thread() else None
    sides = [parse(f"${text}$", parsing_timeout=limit) for text in (gold, value)]
    return all(sides) and bool(verify(*sides, timeout_seconds=limit))


def _plain(text: str) -> str:
    r"""Without outer blanks and dollars, words out of their `\text{}`, braces around binomials."""
    text = _WORD.sub(lambda m: m.group(1).strip() or " ", text.strip().strip("$").strip())
    text = re.sub(r"(?<=\d),(?:\\!)?(?=\d{3}(?!\d))", "", text)
    text = re.sub(r"\\binom\s*(\d)\s*(\d)", r"\\binom{\1}{\2}", text)
    return re.sub(r"\s+", " ", text)

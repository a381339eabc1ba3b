r"""Raw text to a final expression, and whether two expressions are the same one.

Sameness is that of the MATH paper's `is_equiv` (Hendrycks et al. 2021, arXiv:2103.03874,
math_equivalence.py): equal after its normalisation of fractions, roots, units, blanks and signs.
Beyond that two plain numbers are the same where their exact values are (0.25 and \frac14, 1,000
and 1000), and \text{...} around a word does not matter. No computer algebra is used: the one in
reach evaluates text as program code or needs a parser that nothing here installs.

The tiers, in order: `boxed` (the last \boxed{...}), `declared` ("The final answer is $...$"),
`last` (the last formula between dollar signs).
"""

from __future__ import annotations

import re
from fractions import Fraction

from resect.parse import number
from resect.parse.reading import Reading
from resect.parse.residue import without_answer

_BOXED = re.compile(r"\\f?boxed\b\s*")
_DECLARED = re.compile(r"\banswer\s+is\s*:?\s*|\banswer\s*:\s*", re.IGNORECASE)
_FORMULA = re.compile(r"\$([^$\n]{1,400})\$")
_LOOSE = re.compile(r"[^.\n]{0,200}?(?=\.(?:\s|$)|\n|$)")
_LONGEST = 400
_WORD = re.compile(r"\\(?:text|textbf|mathrm|mbox)\s*\{([^{}]*)\}")


def expression(text: str) -> tuple[str | None, str, str]:
    """(final expression or None, outcome, tier). Any text in, never an exception."""
    said = number.own(text[-20_000:]).strip()
    boxes = [found for start in _BOXED.finditer(said) if (found := _braced(said, start.end()))]
    if boxes:
        return boxes[-1], "answer", "boxed"
    reading = Reading(said[-3000:], (), {}, "")
    if reading.loops:
        return None, "degenerate", "loop"
    declared = [m.end() for m in _DECLARED.finditer(said)]
    if declared and (found := _after(said, declared[-1])):
        return found, "answer", "declared"
    formulas = _FORMULA.findall(said)
    if formulas:
        return formulas[-1].strip(), "recovered", "last"
    return None, *without_answer(reading)


def _braced(said: str, at: int) -> str | None:
    """What stands between the brace at `at` and its match, or the word that stands there."""
    if said[at : at + 1] != "{":
        word = re.match(r"[^\s$.,]+", said[at:])
        return word.group() if word else None
    depth = 0
    for place in range(at, min(len(said), at + _LONGEST)):
        depth += (said[place] == "{") - (said[place] == "}")
        if depth == 0:
            return said[at + 1 : place].strip() or None
    return None


def _after(said: str, at: int) -> str | None:
    """The formula or the words that follow an announcement."""
    formula = _FORMULA.match(said, at)
    if formula:
        return formula.group(1).strip()
    loose = _LOOSE.match(said, at)
    return (loose.group().strip(" *$`") or None) if loose else None


def same(one: str | None, other: str | None) -> bool:
    """Whether two expressions are the same answer; None is the same as nothing."""
    if one is None or other is None:
        return False
    a, b = normal(one), normal(other)
    if a == b:
        return True
    x, y = value(a), value(b)
    return x is not None and x == y


def value(text: str) -> Fraction | None:
    """The exact value of a normalised expression that is one plain number, else None."""
    match = re.fullmatch(r"(-?)\\frac\{(-?\d{1,60})\}\{(-?\d{1,60})\}", text)
    if match:
        sign, top, low = match.groups()
        return Fraction(int(top), int(low)) * (-1 if sign else 1) if int(low) else None
    mixed = re.fullmatch(r"(-?)(\d{1,60})\\frac\{(\d{1,60})\}\{(\d{1,60})\}", text)
    if mixed and int(mixed[4]):
        found = int(mixed[2]) + Fraction(int(mixed[3]), int(mixed[4]))
        return -found if mixed[1] else found
    return number.exact(text.removesuffix("^\\circ"))


def normal(text: str) -> str:
    """An expression in the form that is compared."""
    found = text
    for old, new in _REPLACED:
        found = found.replace(old, new)
    found = _WORD.sub(lambda m: m.group(1) if m.group(1).strip() else " ", _units(found))
    found = re.sub(r"(?<![\d.])\.(?=\d)", "0.", found).strip().rstrip(".")
    found = re.sub(r"(?<=\d),(?:\\!)?(?=\d{3}(?!\d))", "", found)
    left, equals, right = found.partition("=")
    if equals and "=" not in right and len(left.strip()) <= 2:
        found = right
    found = re.sub(r"\\sqrt\s*([^{\s\[\\])", r"\\sqrt{\1}", found)
    found = _fractions("".join(found.split()))
    slash = re.fullmatch(r"(-?)(\d+)/(\d+)", found)
    return f"{slash[1]}\\frac{{{slash[2]}}}{{{slash[3]}}}" if slash else found


_REPLACED = (
    ("\n", ""), ("\\!", ""), ("\\,", ""), ("\\;", ""), ("\\\\", "\\"),
    ("tfrac", "frac"), ("dfrac", "frac"), ("\\left", ""), ("\\right", ""),
    ("^{\\circ}", ""), ("^\\circ", ""), ("\\$", ""), ("$", ""), ("\\%", ""), ("%", ""),
)  # fmt: skip


def _units(text: str) -> str:
    r"""Without the unit at its right: `\text{ cm}`, which only units begin with a blank inside."""
    head, *rest = re.split(r"\\(?:(?:text|mathrm)\{\s|mbox\{)", text)
    return head if len(rest) == 1 else text


def _fractions(text: str) -> str:
    r"""Braces around the two parts of `\frac12` and `\frac1{72}`."""

    def braced(part: str) -> str:
        return part if part.startswith("{") else f"{{{part}}}"

    pattern = re.compile(r"\\frac(\{[^{}]*\}|[^{}\\\s])(\{[^{}]*\}|[^{}\\\s])")
    return pattern.sub(lambda m: f"\\frac{braced(m[1])}{braced(m[2])}", text)

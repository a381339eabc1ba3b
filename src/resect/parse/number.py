r"""Raw text to a final number: what a careful reader takes for the result. Exact, never a float.

The tiers, in order; the first that finds one decides:

marked     the number after `####`, as GSM8K's own solutions end
declared   the last number that is announced ("The answer is $18", "\boxed{18}")
last       the last number of the text

Only what comes before the model asks itself a new question is read. A number has optional sign,
currency, thousands commas, decimals, a fraction (3/4, 1 1/2) and a per cent sign, which is dropped
as the data set does.
"""

from __future__ import annotations

import re
from fractions import Fraction

from resect.parse.reading import Reading, visible
from resect.parse.reasoning import UNFINISHED, spoken
from resect.parse.residue import without_answer

_VALUE = (
    r"(?P<sign>[-\u2212\u2013+]?)\s?(?:[$€£]\s?(?P<sign2>[-\u2212]?))?"
    r"(?:(?P<whole>\d+)\s+(?P<top2>\d+)\s?/\s?(?P<low2>\d+)"
    r"|(?P<top>\d{1,3}(?:,\d{3})+|\d+)\s?/\s?(?P<low>\d+)"
    r"|(?P<plain>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+))"
)
_LONGEST = 60
"""Characters of the longest number that is read: no result of a task has as many."""
_NUMBER = re.compile(rf"(?<![\w.]){_VALUE}(?!\d|(?:st|nd|rd|th)\b)", re.ASCII)
_MARKED = re.compile(rf"####\s*(?:[^\d\n-]{{0,20}}?){_VALUE}", re.ASCII)
_ANNOUNCED = re.compile(
    r"\banswer\b(?:[ \t]+(?:is|was|equals|to|the|question|therefore|thus))*[ \t]*[:=]?"
    r"|\\boxed\s*\{",
    re.IGNORECASE,
)
_BETWEEN = re.compile(r"[\s*_`$\\({:=~]*(?:text|approximately|about|is|only|exactly)?[\s*_`$\\({]*")
_SUM = re.compile(r"\s*[-+*/x×÷][^=.\n]{0,80}=\s*(?=[-$€£\d.])")
_RUNAWAY = re.compile(r"^[ \t]*(?:question|q|problem)[ \t]*:", re.IGNORECASE | re.MULTILINE)


def own(text: str) -> str:
    """The text up to where the model begins a question of its own."""
    runaway = _RUNAWAY.search(text, 1)
    return text[: runaway.start()].rstrip() if runaway else text


def number(text: str) -> tuple[str | None, str, str]:
    """(canonical number or None, outcome, tier). Any text in, never an exception.

    A text that is one loop has the number that all of it repeats, or none.
    """
    answer = spoken(text)
    if answer is None:
        return UNFINISHED
    shown = own(visible(answer))
    loops = Reading(shown, (), {}, "").loops
    marked = _MARKED.search(shown)
    if marked and (value := _exact(marked)) is not None:
        return canonical(value), "degenerate" if loops else "answer", "marked"
    values = [value for m in _NUMBER.finditer(shown) if (value := _exact(m)) is not None]
    if loops:
        repeated = canonical(values[0]) if len(set(values)) == 1 else None
        return repeated, "degenerate", "loop"
    declared = [m for start in _ANNOUNCED.finditer(shown) if (m := _after(shown, start.end()))]
    if declared and (value := _exact(declared[-1])) is not None:
        return canonical(value), "answer", "declared"
    if values:
        return canonical(values[-1]), "recovered", "last"
    return None, *without_answer(Reading(shown, (), {}, ""))


def exact(text: str) -> Fraction | None:
    """The value of a text that is one number and nothing else, None for any other."""
    match = _NUMBER.fullmatch(text.strip().removesuffix("%").rstrip(".").strip())
    return _exact(match) if match else None


def canonical(value: Fraction) -> str:
    """18, 0.75 or 1/3: a decimal where it ends soon, else the fraction in lowest terms."""
    if value.denominator == 1:
        return str(value.numerator)
    rest = value.denominator
    for prime in (2, 5):
        while rest % prime == 0:
            rest //= prime
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    digits = next(n for n in range(1, 400) if (value * 10**n).denominator == 1)
    scaled = abs(value * 10**digits).numerator
    whole, part = divmod(scaled, 10**digits)
    decimal = f"{'-' if value < 0 else ''}{whole}.{part:0{digits}d}"
    return decimal if len(decimal) <= _LONGEST else f"{value.numerator}/{value.denominator}"


def _after(shown: str, start: int) -> re.Match[str] | None:
    """The number that an announcement ends in, if it does."""
    gap = _BETWEEN.match(shown, start)
    first = _NUMBER.match(shown, gap.end() if gap else start) or _NUMBER.match(shown, start)
    sum_of = first and _SUM.match(shown, first.end())  # "the answer is 5 + 3 = 8"
    return _NUMBER.match(shown, sum_of.end()) if sum_of else first


def _exact(match: re.Match[str]) -> Fraction | None:
    """The value of a match; None for a division by nought or more digits than any result has."""
    if len(match.group()) > _LONGEST:
        return None
    part = {name: (text or "").replace(",", "") for name, text in match.groupdict().items()}
    if "0" in (part["low"], part["low2"]) or set(part["low"] + part["low2"]) == {"0"}:
        return None
    if part["whole"]:
        value = int(part["whole"]) + Fraction(int(part["top2"]), int(part["low2"]))
    elif part["top"]:
        value = Fraction(int(part["top"]), int(part["low"]))
    else:
        value = Fraction(part["plain"])
    negative = (part["sign"] + part["sign2"]).strip("+")
    return -value if negative else Fraction(value)

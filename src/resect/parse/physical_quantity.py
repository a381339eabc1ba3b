"""A text that is one quantity: its number, in digits or words, and its unit, by value."""

from __future__ import annotations

import re
from fractions import Fraction
from typing import NamedTuple

_WORDS = {
    "zero": 0, "one": 1, "two": 2, "three": 3, "four": 4, "five": 5, "six": 6, "seven": 7,
    "eight": 8, "nine": 9, "ten": 10, "eleven": 11, "twelve": 12, "thirteen": 13, "fourteen": 14,
    "fifteen": 15, "sixteen": 16, "seventeen": 17, "eighteen": 18, "nineteen": 19, "twenty": 20,
    "thirty": 30, "forty": 40, "fifty": 50, "sixty": 60, "seventy": 70, "eighty": 80, "ninety": 90,
}  # fmt: skip
_NUMBER_WORD = "|".join(sorted([*_WORDS, "hundred", "thousand"], key=len, reverse=True))
_SPELT = re.compile(
    rf"\b(?!hundred|thousand)(?:{_NUMBER_WORD})(?:(?:[\s-]+|\s+and\s+)(?:{_NUMBER_WORD}))*\b"
)
_ONE = re.compile(
    r"(?:(?:it is|it's|its|is|are|the|about|approximately|around|roughly|only|exactly|answer|at|a"
    r"|every|for|within)[\s:]+){0,4}[~≈=$]?\s*"
    r"(?P<number>[-\u2212]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|[-\u2212]?\.\d+)"
    r"\s*(?P<unit>%|[a-zµμ°]+(?:\s?/\s?[a-z]+)?)?[\s.!$}]*"
)
# What is measured, the names of a unit, and how many basic units it is.
_UNITS = (
    ("mass", "ng nanogram", "1/1000000000"), ("mass", "mcg ug µg μg microgram", "1/1000000"),
    ("mass", "mg milligram", "1/1000"), ("mass", "g gram gm", "1"), ("mass", "kg kilogram", "1000"),
    ("volume", "µl μl ul microliter", "1/1000000"), ("volume", "dl deciliter", "1/10"),
    ("volume", "ml milliliter millilitre cc", "1/1000"), ("volume", "l liter litre", "1"),
    ("time", "s sec second", "1"), ("time", "min minute", "60"), ("time", "h hr hour", "3600"),
    ("time", "d day", "86400"), ("time", "wk week", "604800"),
)  # fmt: skip
_SCALES = {name: (kind, Fraction(size)) for kind, names, size in _UNITS for name in names.split()}


class Quantity(NamedTuple):
    """A number and its unit: what that measures ("" for none), and in how many basic ones."""

    number: Fraction
    kind: str
    scale: Fraction


def quantity(text: str) -> Quantity | None:
    """The one quantity that a text is, None for any other text."""
    plain = _SPELT.sub(_digits, text[:80].casefold()) if len(text) <= 80 else ""
    plain = plain.replace("{", " ").replace("}", " ")
    match = _ONE.fullmatch(plain.strip())
    if not match:
        return None
    number = Fraction(match["number"].replace(",", "").replace("\u2212", "-"))
    unit = match["unit"] or ""
    singular = unit.removesuffix("s") or unit
    kind, scale = _SCALES.get(unit) or _SCALES.get(singular) or (singular, Fraction(1))
    return Quantity(number, kind, scale)


def matching(answer: Quantity, options: list[Quantity]) -> list[int]:
    """Which options are the same quantity, by value.

    Where one has no unit, by number, if all options have the same unit.
    """
    units = {(option.kind, option.scale) for option in options}
    return [
        place
        for place, option in enumerate(options)
        if (
            answer.kind == option.kind
            and answer.number * answer.scale == option.number * option.scale
            if answer.kind and option.kind
            else len(units) == 1 and answer.number == option.number
        )
    ]


def _digits(match: re.Match[str]) -> str:
    """A number word in digits: "twenty-four", "one hundred and five"."""
    total = current = 0
    for word in re.findall(_NUMBER_WORD, match.group()):
        if word == "hundred":
            current = max(current, 1) * 100
        elif word == "thousand":
            total, current = total + max(current, 1) * 1000, 0
        else:
            current += _WORDS[word]
    return str(total + current)

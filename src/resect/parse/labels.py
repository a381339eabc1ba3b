"""Tiers that find a label: it opens the text, is announced, stands in a list, or closes it."""

from __future__ import annotations

import re

from resect.parse.reading import Found, Reading, fold


def _verdict(listed: list[str], outcome: str) -> Found | None:
    """One label commits, repeated it is a loop; several commit to nothing."""
    if len(set(listed)) > 1:
        cycle = any(len(listed) >= 3 * n and listed[n:] == listed[:-n] for n in (2, 3))
        return None, "degenerate" if cycle else "echo"
    return (listed[0], "degenerate" if len(listed) > 2 else outcome) if listed else None


def leading(reading: Reading) -> Found | None:
    """A label, or a list of them, opens the text; a copy of the options commits to none."""
    if _is_copy(reading):
        return None, "echo"
    match = reading.patterns.leading.match(reading.shown)
    listed = reading.listed(match) if match else []
    loop = len(listed) > 1 and reading.shown[0] in ".,;:/-"  # ". A. A", begun before the label
    return _verdict(listed + listed[:loop], "answer")


def _is_copy(reading: Reading) -> bool:
    """Whether the text goes through the options with their letters, the first and on to the next.

    A letter alone, or the first option alone, is an answer.
    """
    first, second, *_ = [*reading.labels, "", ""]
    if not {first, second} <= reading.options.keys():
        return False
    head = fold(f"{first} {reading.options[first]} {second}")
    following = fold(reading.options[second])
    rest = reading.folded[len(head) :].strip()
    return reading.folded.startswith(f"{head} ") and bool(
        rest and following.startswith(rest[: len(following)])
    )


_OPTIONS = re.compile(r"\W*(?:options|choices)[ \t]*:", re.IGNORECASE)
_RUNAWAY = re.compile(r"^[ \t]*(?:question|q|context)[ \t]*:", re.IGNORECASE | re.MULTILINE)


def declared(reading: Reading) -> Found | None:
    """The last announcement before the model asks itself a new question, or options named."""
    runaway = _RUNAWAY.search(reading.shown, 1)
    end = runaway.start() if runaway else len(reading.shown)
    found = map(reading.listed, reading.patterns.announced.finditer(reading.shown, 0, end))
    if announced := [listed for listed in found if listed]:
        return _verdict(announced[-1][:2], "recovered")
    if _OPTIONS.match(reading.shown):
        return None, "echo"
    found = map(reading.listed, reading.patterns.mentioned.finditer(reading.shown, 0, end))
    return _verdict(sorted({label for listed in found for label in listed}), "recovered")


def listed(reading: Reading) -> Found | None:
    """Labels strung together with strokes or hyphens inside the text."""
    match = reading.patterns.joined.search(reading.shown)
    listed = reading.listed(match) if match else []
    if match and len(listed) == 1:  # "(yes/", "/maybe/": the template, cut short
        opened = reading.shown[: match.start()].endswith(("(", "/"))
        opened = opened and not reading.loops
        return (None, "echo") if opened and reading.shown[match.end() :][:1] in "/" else None
    return _verdict(listed, "recovered")


def last(reading: Reading) -> Found | None:
    """A label closes the text."""
    match = reading.patterns.last.search(reading.shown, max(0, len(reading.shown) - 120))
    label = match and reading.label(match)
    if not match or not label or reading.loops or re.fullmatch(r"\n[aA]", match[0]):
        return None  # the article that began the next line, cut short
    return label, "recovered"

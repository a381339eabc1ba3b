"""Answers inside a structure: JSON, a tool call, boxes that are ticked, rows with a verdict."""

from __future__ import annotations

import re

from resect.parse.reading import Reading, fold

_FENCE = re.compile(r"\A(?:\s|```\w*|<\w{1,20}>)+")
_OBJECT = re.compile(r"[\[{\s]*\{\s*[\"']\w{1,40}[\"']?\s*(?::|$)")
_KEYS = tuple(  # the first that occurs holds the answer
    re.compile(
        rf"[\"'](?:\w{{0,20}}?)(?:{name})(?:_?(?:label|letter|text|key|id|value|choice|option))?"
        r"[\"']\s*:\s*",
        re.IGNORECASE,
    )
    for name in (
        "answer",
        "choice|option|label|letter|select(?:ed|ion)|prediction",
        "decision|verdict|conclusion|response|result|output",
    )
)
_VALUE = re.compile(r"\"([^\"]{0,400})|'([^']{0,400})|([\[{].{0,400})|([^,}\]\n]{0,400})", re.DOTALL)
_CALL = re.compile(r"[\s`]*(?:\w+\.)*(\w{1,40})\(([^()]{0,400})\)[\s`;]*")
_ANSWERS = re.compile(r"answer|submit|choose|choice|select|final|respond|pick|option", re.IGNORECASE)
_ARGUMENT = re.compile(r"\b(?:answer|choice|option|label|letter)\w*\s*[=:]\s*(.*)", re.IGNORECASE)
_BOX = re.compile(
    r"\[[ \t]*(?P<square>[ \txX✓✔])[ \t]*\]|\([ \t]*(?P<round>[ \txX✓✔])[ \t]*\)|(?P<sign>[☐☑☒⬜✅❌✓✔✗✘])"
)
_FIRST = re.compile(rf"^[ \t>*•-]*(?:\d{{1,2}}[.)][ \t]*)?(?:{_BOX.pattern})", re.MULTILINE)
_TICKS = "xX✓✔☑☒✅"
_RIGHT = frozenset("yes true correct right x ✓ ✔ ✅ ☑ best".split())


def inner(reading: Reading) -> list[str] | None:
    """The texts that a structure gives as its answer, None where the text is not one.

    None of them: the structure holds no answer.
    """
    shown = _FENCE.sub("", reading.shown)
    if (values := _object(shown)) is not None:
        return values
    if (values := _call(shown)) is not None:
        return values
    if _FIRST.search(shown):
        return _ticked(shown)
    return _rows(reading)


def _object(shown: str) -> list[str] | None:
    """The value of the key that holds the answer."""
    begins = bool(_OBJECT.match(shown))
    if not begins and "{" not in shown:
        return None
    for key in _KEYS:
        ends = [match.end() for match in key.finditer(shown)]
        if ends and (value := _VALUE.match(shown, ends[-1])):
            return [next(group for group in value.groups() if group is not None)]
    keyed = begins and re.match(r"[\[{\s]*[\"']\w{2}", shown)  # a label alone may be the key
    return [] if keyed else None


def _call(shown: str) -> list[str] | None:
    """The argument of a function that hands in an answer."""
    call = _CALL.fullmatch(shown)
    if not call or not re.search(r"[\"'=]", call[2]):
        return None
    if not _ANSWERS.search(call[1]):
        return []
    named = _ARGUMENT.search(call[2])
    value = _VALUE.match((named[1] if named else call[2]).strip())
    return [group for group in value.groups() if group] if value else []


def _ticked(shown: str) -> list[str]:
    """What stands behind the boxes that are ticked."""
    boxes = list(_BOX.finditer(shown))
    ends = [box.start() for box in boxes[1:]] + [len(shown)]
    return [
        shown[box.end() : end].strip().split("\n")[0]
        for box, end in zip(boxes, ends, strict=True)
        if next(group for group in box.groups() if group is not None) in _TICKS
    ]


def _rows(reading: Reading) -> list[str] | None:
    """The labels whose row says that they are right."""
    matches = list(reading.patterns.judged.finditer(reading.shown))
    if not matches or "yes" in reading.patterns.canonical:
        return None
    if any(fold(row[2]) in reading.texts for row in matches):
        return None  # the verdict is the text of an option
    right = [row[1] for row in matches if row[2].casefold() in _RIGHT]
    opens = not re.search(r"\w", reading.shown[: matches[0].start(1)])
    return right if right or opens else None

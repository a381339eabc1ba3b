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
_VALUE = re.compile(
    r"\"([^\"]{0,400})|'([^']{0,400})|([\[{].{0,400})|([^,}\]\n]{0,400})", re.DOTALL
)
_CALL = re.compile(r"[\s`]*(?:\w+\.)*(\w{1,40})\(([^()]{0,400})\)[\s`;]*")
_ANSWERS = re.compile(
    r"answer|submit|choose|choice|select|final|respond|pick|option", re.IGNORECASE
)
_ARGUMENT = re.compile(r"\b(?:answer|choice|option|label|letter)\w*\s*[=:]\s*(.*)", re.IGNORECASE)
_BOX = re.compile(
    r"\[[ \t]*(?P<square>[ \txX✓✔])[ \t]*\]|\([ \t]*(?P<round>[ \txX✓✔])[ \t]*\)"
    r"|(?P<sign>[☐☑☒⬜✅❌✓✔✗✘])"
)
_FIRST = re.compile(rf"^[ \t>*•-]*(?:\d{{1,2}}[.)][ \t]*)?(?:{_BOX.pattern})", re.MULTILINE)
_TICKS = "xX✓✔☑☒✅"
_RIGHT = frozenset(["yes", "true", "correct", "right", "best", "x", "✓", "✔", "✅", "☑"])
_WRONG = frozenset(["no", "false", "incorrect", "wrong", "❌", "✗", "✘"])


def inner(reading: Reading) -> list[str] | None:
    """The texts that a structure gives as its answer, None where the text is not one.

    None of them: the structure holds no answer.
    """
    leads = bool(re.match(r"\w", reading.shown) and reading.patterns.leading.match(reading.shown))
    if (values := _rows(reading)) is not None or leads:  # a label leads whatever follows
        return values
    shown = _FENCE.sub("", reading.shown)
    if (values := _object(shown)) is not None:
        return values
    if (values := _call(shown)) is not None:
        return values
    return _ticked(shown) if _FIRST.search(shown) else None


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
    if "yes" in reading.patterns.canonical or (_RIGHT | _WRONG) & reading.texts.keys():
        return None
    if (table := _table(reading)) is not None:
        return table
    matches = list(reading.patterns.judged.finditer(reading.shown))
    if not matches or (len(matches) == 1 and not re.match(r"\W", matches[0][2])):
        return None  # "B: correct" is read as any text is
    opens = not re.search(r"\w", reading.shown[: matches[0].start(1)])
    leads = reading.patterns.leading.match(reading.shown)
    right = [row[1] for row in matches if row[2].casefold() in _RIGHT]
    return right if opens or (right and not leads) else None


def _table(reading: Reading) -> list[str] | None:
    """The labels, or options' texts, in the rows of a table that say yes."""
    rows = [line.split("|") for line in reading.shown.split("\n") if line.count("|") > 1]
    judged = []
    for row in rows:
        cells = [cell.strip(" \t*_`\"'") for cell in row if cell.strip()]
        if len(cells) > 1 and cells[-1].casefold() in _RIGHT | _WRONG:
            names = (
                cells[0].casefold() in reading.patterns.canonical,
                fold(cells[0]) in reading.texts,
            )
            judged += [(cells[0], cells[-1].casefold() in _RIGHT)] if any(names) else []
    return [name for name, right in judged if right] if judged else None

"""lm-eval's multiple-choice documents: log-likelihoods, the right choice, the harness's scores."""

from __future__ import annotations

import ast
import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from resect.errors import RequestError

METRICS = ("acc", "acc_norm", "acc_bytes")


class Scored(NamedTuple):
    """One multiple-choice document: log-likelihoods of its choices, the right one's place."""

    scores: tuple[float, ...]
    choices: tuple[str, ...]
    gold: int


def scored(
    rows: Sequence[Mapping[str, Any]], delimiter: str, source: str, ours: bool
) -> list[Scored]:
    """The documents of one file; `ours` where resect wrote it, whose targets are places."""
    parts = [_choices(row, delimiter) for row in rows]
    choices = [texts for _, texts in parts]
    for row, texts in zip(rows, choices, strict=True):
        if several(row["target"]) and str(row["target"]) not in texts:
            raise RequestError(
                f"{source}: document {row['doc_id']} has several right choices: not read."
            )
    found = [Scored(*part, gold=0) for part in parts]
    right = _golds(rows, found, source, ours)
    return [one._replace(gold=gold) for one, gold in zip(found, right, strict=True)]


def several(target: Any) -> bool:
    """Whether a target is a list of answers, as lm-eval writes it or as text."""
    if isinstance(target, str) and target.strip().startswith("["):
        try:
            return isinstance(ast.literal_eval(target.strip()), list)
        except (ValueError, SyntaxError, RecursionError, MemoryError):
            return False
    return isinstance(target, list)


def arguments(row: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """(context, continuation) of each request, from both layouts lm-eval has used."""
    found = row["arguments"]
    if isinstance(found, dict):
        return [(part["arg_0"], part.get("arg_1")) for part in found.values()]
    return [(part[0], part[1]) for part in found]


def accuracies(found: Sequence[Scored]) -> dict[str, float]:
    """lm-eval's own scores from the samples: the best sum, by character and by byte.

    A document with a score that is not finite has no answer, so it is not right.
    """
    return {
        name: sum(best(name, one) == one.gold for one in found) / len(found) for name in METRICS
    }


def best(metric: str, one: Scored) -> int | None:
    """Place of the best choice under a metric; None where a score is not finite."""
    if not all(map(math.isfinite, one.scores)):
        return None
    values = [s / _size(metric, c) for s, c in zip(one.scores, one.choices, strict=True)]
    return max(range(len(values)), key=values.__getitem__)


def differing(stated: Sequence[Mapping[str, Any]]) -> list[str]:
    """A sentence for each score that the results file states otherwise than the samples give."""
    notes = []
    for row in stated:
        if not abs(row["stated"] - row["computed"]) <= 1e-9:
            under = "" if row["recipe"] == "none" else f" under {row['recipe']}"
            at = "" if row["level"] is None else f" at {row['level']:g}"
            notes.append(
                f"{row['task']}: lm-eval states {row['metric']} {row['stated']:.6g} for "
                f"{row['model']}{under}{at}, its samples give {row['computed']:.6g}; the samples "
                "are used."
            )
    return notes


def _choices(row: Mapping[str, Any], delimiter: str) -> tuple[tuple[float, ...], tuple[str, ...]]:
    asked = arguments(row)
    scores = [float(answer[0][0]) for answer in row["resps"]]
    if "acc_mutual_info" in (row.get("metrics") or ()):  # the second half has no context
        asked, scores = asked[: len(scores) // 2], scores[: len(scores) // 2]
    choices = tuple(str(text).removeprefix(delimiter) for _, text in asked)
    if len(choices) != len(scores):
        raise ValueError(f"{len(scores)} answers to {len(choices)} requests")
    return tuple(scores), choices


def _golds(
    rows: Sequence[Mapping[str, Any]], found: Sequence[Scored], source: str, ours: bool
) -> list[int]:
    """The right places. A target of digits is a place or the text of a choice: one file has one
    reading, and where both are possible the rows' own `acc` says which.
    """
    readings = [
        [
            _gold(row["target"], document.choices, text)
            for row, document in zip(rows, found, strict=True)
        ]
        for text in ((False,) if ours else (False, True))
    ]
    whole = [
        [gold for gold in golds if gold is not None] for golds in readings if None not in golds
    ]
    if not whole:
        lacking = rows[readings[0].index(None)]["doc_id"]
        raise RequestError(f"{source}: document {lacking} has no gold answer among its choices.")
    if all(golds == whole[0] for golds in whole):
        return whole[0]
    fitting = [golds for golds in whole if all(map(_agrees, rows, found, golds))]
    if len(fitting) != 1:
        raise RequestError(
            f"{source}: its targets are digits, and so are its choices; the rows' acc does not "
            "say whether a target is a place or a text: write the plain format."
        )
    return fitting[0]


def _gold(target: Any, choices: Sequence[str], text: bool) -> int | None:
    """Place of the right choice, None where there is none under this reading."""
    answer = str(target).strip()
    if answer.isascii() and answer.isdigit() and not (text and isinstance(target, str)):
        return int(answer) if int(answer) < len(choices) else None
    bare = [choice.strip() for choice in choices]
    return bare.index(answer) if answer in bare else None


def _agrees(row: Mapping[str, Any], one: Scored, gold: int) -> bool:
    """Whether a document's own score is what this gold answer gives; True where it has none."""
    metric = next((name for name in METRICS if row.get(name) in (0, 1)), None)
    chosen = best(metric, one) if metric else None
    return chosen is None or metric is None or (chosen == gold) == bool(row[metric])


def _size(metric: str, choice: str) -> int:
    """What a log-likelihood is divided by; an empty choice counts as one character."""
    sizes = {"acc": 1, "acc_norm": len(choice), "acc_bytes": len(choice.encode())}
    return sizes[metric] or 1

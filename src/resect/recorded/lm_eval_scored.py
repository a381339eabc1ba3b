"""lm-eval's multiple-choice documents: log-likelihoods, the right choice, the harness's scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from resect.errors import RequestError
from resect.recorded.describe import LETTERS
from resect.recorded.lm_eval_files import Sample

METRICS = ("acc", "acc_norm", "acc_bytes")


class Scored(NamedTuple):
    """One multiple-choice document: log-likelihoods of its choices, the right one's place."""

    scores: tuple[float, ...]
    choices: tuple[str, ...]
    gold: int


def scored(samples: Sequence[Sample], delimiter: str, source: str, ours: bool) -> list[Scored]:
    """The documents of one file; `ours` where resect wrote it, whose targets are places."""
    documents = [_document(sample, delimiter, source) for sample in samples]
    right = _golds(samples, documents, source, ours)
    return [x._replace(gold=gold) for x, gold in zip(documents, right, strict=True)]


def accuracies(documents: Sequence[Scored]) -> dict[str, float]:
    """lm-eval's own scores from the samples: the best sum, by character and by byte.

    A document with a score that is not finite has no answer, so it is not right.
    """
    right = {name: sum(best(name, x) == x.gold for x in documents) for name in METRICS}
    return {name: count / len(documents) for name, count in right.items()}


def best(metric: str, document: Scored) -> int | None:
    """Place of the best choice under a metric; None where a score is not finite."""
    if not all(map(math.isfinite, document.scores)):
        return None
    pairs = zip(document.scores, document.choices, strict=True)
    values = [score / _size(metric, choice) for score, choice in pairs]
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


def _document(sample: Sample, delimiter: str, source: str) -> Scored:
    """The choices and scores of one document; its gold answer is still to be read."""
    where = f"{source}: document {sample.doc_id}"
    asked = [str(text) for _, text in sample.arguments]
    scores = [answer[0][0] for answer in sample.resps if isinstance(answer[0], tuple)]
    if "acc_mutual_info" in (sample.metrics or ()):  # the second half has no context
        asked, scores = asked[: len(scores) // 2], scores[: len(scores) // 2]
    choices = tuple(text.removeprefix(delimiter) for text in asked)
    if len(choices) != len(scores):
        raise RequestError(f"{where} has {len(scores)} scores for {len(choices)} choices.")
    if len(choices) > len(LETTERS):
        raise RequestError(f"{where} has more than {len(LETTERS)} choices: leave it out.")
    if sample.has_several_targets and str(sample.target) not in choices:
        raise RequestError(f"{where} has several right choices: leave it out, or give it one.")
    return Scored(tuple(scores), choices, gold=0)


def _golds(
    samples: Sequence[Sample], documents: Sequence[Scored], source: str, ours: bool
) -> list[int]:
    """The right places. A target of digits is a place or the text of a choice: one file has one
    reading, and where both are possible the rows' own `acc` says which.
    """
    readings = [
        [
            _gold(x.target, document.choices, text)
            for x, document in zip(samples, documents, strict=True)
        ]
        for text in ((False,) if ours else (False, True))
    ]
    whole = [
        [gold for gold in golds if gold is not None] for golds in readings if None not in golds
    ]
    if not whole:
        lacking = samples[readings[0].index(None)].doc_id
        raise RequestError(f"{source}: document {lacking} has no gold answer among its choices.")
    if all(golds == whole[0] for golds in whole):
        return whole[0]
    fitting = [golds for golds in whole if all(map(_agrees, samples, documents, golds))]
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
        place = int(answer[:5])
        return place if place < len(choices) else None
    bare = [choice.strip() for choice in choices]
    return bare.index(answer) if answer in bare else None


def _agrees(sample: Sample, document: Scored, gold: int) -> bool:
    """Whether a document's own score is what this gold answer gives; True where it has none."""
    scores = ((name, sample.score(name)) for name in METRICS)
    metric, score = next((pair for pair in scores if pair[1] is not None), ("acc", None))
    chosen = best(metric, document)
    return score is None or chosen is None or (chosen == gold) == score


def _size(metric: str, choice: str) -> int:
    """What a log-likelihood is divided by; an empty choice counts as one character."""
    sizes = {"acc": 1, "acc_norm": len(choice), "acc_bytes": len(choice.encode())}
    return sizes[metric] or 1

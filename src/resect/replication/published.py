"""As published: a recorded study's own readings and metrics, beside what they mean under ours.

The published study scored PubMedQA by the F1 of `yes` alone and MMLU by F1 averaged over the labels
that were *observed* (in gold or predictions), so that its mark for an unreadable text is one more
class; it summed the curve over the levels by trapezoids, not divided by their range.

Shapes: R + 1 rows of item weights (row 0 is the sample), N items, L levels, K labels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from resect.findings import planned as co
from resect.findings.comparisons import word
from resect.findings.curves import Curve, Sampled, axis, unordered
from resect.findings.frame import TaskFrame, frames
from resect.findings.robustness import area
from resect.findings.rows import Study
from resect.record import TaskInfo
from resect.replication.answer_rates import said
from resect.replication.claims import claims
from resect.replication.parser_agreement import in_words, parted
from resect.stats import skill as sk
from resect.stats.intervals import NOTHING, Floats, Interval, Weights, interval, item_weights

POSITIVE, OBSERVED = "f1_positive", "f1_observed"
READINGS = ("study", "ours")
MOST_MARKS = 20
"""More different unreadable marks than this are no classes, so the published F1 is left out."""


class Reading(NamedTuple):
    """One curve as one reader read it: draws of each metric at each level, (R + 1, L)."""

    curve: Curve
    values: dict[str, Floats]
    retention: Floats | None


def published(
    answers: pd.DataFrame,
    tasks: Mapping[str, TaskInfo],
    cells: Sequence[co.CellRow],
    study: Study,
    role_of: Mapping[str, str],
    resamples: int,
    seed: int,
) -> dict[str, Any] | None:
    """`summary["published"]`, None where no answer says how a recording study read it.

    Both readers use the item weights of the other findings, so all differences are paired.
    """
    if not len(answers) or "recorded" not in answers or answers["recorded"].isna().all():
        return None
    found: dict[str, Any] = {"areas": [], "levels": [], "comparisons": [], "gold": {}}
    found |= {"readers": [], "said": []}
    for name, info in tasks.items():
        rows = answers[(answers["task"] == name) & answers["recorded"].notna()]
        if info.kind != "label" or not len(rows):
            continue
        apart = parted(rows, info.labels)
        found["readers"].append({"task": name, **apart, "says": in_words(name, apart)})
        readings = _readings(rows, info, cells, study, role_of, resamples, seed)
        for reader in READINGS:
            for one in readings[reader]:
                found["levels"] += _levels(one, reader)
                found["areas"].append(_areas(one, reader))
        if info.positive in info.labels:
            for one in readings["ours"]:
                who = {**_who(one, "ours"), "seed": one.curve.seed}
                found["said"] += [who | row for row in said(one.curve, str(info.positive))]
        for a, b in co.pairs(role_of):
            found["comparisons"] += _comparisons(readings, a, b)
        gold = readings["study"][0].curve.frame.gold if readings["study"] else np.zeros(0)
        found["gold"][name] = {
            label: float(np.mean(gold == i)) for i, label in enumerate(info.labels) if len(gold)
        }
    return {**found, "claims": claims(found, tasks)}


def _readings(
    rows: pd.DataFrame,
    info: TaskInfo,
    cells: Sequence[co.CellRow],
    study: Study,
    role_of: Mapping[str, str],
    resamples: int,
    seed: int,
) -> dict[str, list[Reading]]:
    """The text curves of one task by both readers."""
    marks = [m for m in rows["recorded"].unique() if m not in info.labels]
    theirs = rows.assign(answer=rows["recorded"], outcome="answer", chosen=None, option_scores=None)
    found: dict[str, list[Reading]] = {}
    for reader, got in zip(READINGS, (theirs, rows), strict=True):
        frame = frames(got, {info.name: info})[0][info.name]
        weights = item_weights(frame.clusters, resamples, seed, info.name)
        curves = [c for c in co.curves_of(frame, cells, study.recipes, role_of) if c.view == "text"]
        classes = None
        if reader == "study" and len(marks) <= MOST_MARKS:
            wide = replace(info, labels=(*info.labels, *sorted(map(str, marks))))
            classes = frames(got, {info.name: wide})[0][info.name]
        found[reader] = [_reading(c, weights, info, classes) for c in curves]
    return found


def _reading(curve: Curve, weights: Weights, info: TaskInfo, classes: TaskFrame | None) -> Reading:
    sampled = Sampled(curve, weights)
    counts = sampled.counts
    f1 = sk.confusion(counts).f1
    with np.errstate(all="ignore"):
        accuracy = counts.right.sum(axis=0) / counts.asked.sum(axis=0)
    values = {
        "accuracy": accuracy,
        "f1_labels": f1.mean(axis=0),
        "skill": sampled.draws.skill,
    }
    if info.positive in info.labels:
        values[POSITIVE] = f1[info.labels.index(str(info.positive))]
    elif classes is not None:
        values[OBSERVED] = _observed(curve, weights, classes)
    return Reading(curve, values, sampled.draws.retention)


def _observed(curve: Curve, weights: Weights, classes: TaskFrame) -> Floats:
    """F1 averaged over the labels seen in gold or predictions of each resample, (R + 1, L).

    What sklearn's f1_score(average="macro") gives where the marks for no answer are predictions.
    """
    empty = np.full(len(classes.items), sk.MISSING, dtype=np.int8)
    codes = np.stack([classes.codes.get(key, empty) for key in curve.keys])
    counts = sk.tally(weights, codes, classes.gold, len(classes.labels))
    seen = (counts.predicted + counts.asked) > 0  # (K, R + 1, L)
    f1 = np.where(seen, sk.confusion(counts).f1, 0.0)
    with np.errstate(all="ignore"):
        return np.asarray(f1.sum(axis=0) / seen.sum(axis=0))


def _metric(one: Reading) -> str | None:
    return next((m for m in (POSITIVE, OBSERVED) if m in one.values), None)


def _levels(one: Reading, reader: str) -> list[dict[str, Any]]:
    """What each level says: the metrics, the share of each label and of no answer."""
    curve, metric = one.curve, _metric(one)
    rows = []
    for at, level in enumerate(curve.levels):
        codes = curve.codes[at]
        asked = codes != sk.MISSING
        if not asked.any():
            continue
        shares = {x: float(np.mean(codes[asked] == i)) for i, x in enumerate(curve.frame.labels)}
        rows.append({
            **_who(one, reader),
            "level": level,
            "metric": metric,
            "value": None if metric is None else float(one.values[metric][0, at]),
            "accuracy": float(one.values["accuracy"][0, at]),
            "skill": float(one.values["skill"][0, at]),
            "no_answer": float(np.mean(codes[asked] == sk.NO_ANSWER)),
            "prediction_share": shares,
        })  # fmt: skip
    return rows


def _areas(one: Reading, reader: str) -> dict[str, Any]:
    """Trapezoid areas over the levels, in units of the level as published."""
    metric = _metric(one)
    row = {**_who(one, reader), "metric": metric, "reason": unordered(one.curve)}
    named = {"": metric, "accuracy_": "accuracy", "f1_labels_": "f1_labels", "skill_": "skill"}
    for prefix, name in named.items():
        got = NOTHING if name is None else _interval(_area(one, name))
        row |= {f"{prefix}area": got.value, f"{prefix}low": got.low, f"{prefix}high": got.high}
    return row


def _who(one: Reading, reader: str) -> dict[str, Any]:
    curve = one.curve
    return {
        "model": curve.model,
        "role": curve.role,
        "recipe": curve.recipe,
        "task": curve.frame.name,
        "reading": reader,
    }


def _area(one: Reading, name: str, share: bool = False) -> Floats | None:
    """Draws of the area (R + 1,) of a metric, over the range of the levels where `share`."""
    values = one.retention if name == "retention" else one.values.get(name)
    if values is None or unordered(one.curve):
        return None
    levels = axis(one.curve)
    return area(levels, values) / (levels[-1] - levels[0] if share else 1.0)


def _interval(draws: Floats | None) -> Interval:
    return NOTHING if draws is None else interval(draws)


def _comparisons(readings: Mapping[str, Sequence[Reading]], a: str, b: str) -> list[dict[str, Any]]:
    """A minus b by every reading; areas as published, skill and retention over the range."""
    rows = []
    for reader, ones in readings.items():
        table = {(one.curve.recipe, one.curve.seed, one.curve.model): one for one in ones}
        for recipe, seed in dict.fromkeys(key[:2] for key in table):
            left, right = table.get((recipe, seed, a)), table.get((recipe, seed, b))
            if left is None or right is None or recipe == "none":
                continue
            for name in (POSITIVE, OBSERVED, "f1_labels", "accuracy", "skill", "retention"):
                share = name in ("skill", "retention")
                one, other = _area(left, name, share), _area(right, name, share)
                if one is None or other is None or left.curve.levels != right.curve.levels:
                    continue
                found = interval(one - other)
                rows.append({
                    "task": left.curve.frame.name,
                    "recipe": recipe,
                    "reading": reader,
                    "metric": name,
                    "a": a,
                    "b": b,
                    "area_a": float(one[0]),
                    "area_b": float(other[0]),
                    "difference": found.value,
                    "low": found.low,
                    "high": found.high,
                    "relative": float(one[0] / other[0] - 1) if other[0] > 0 else None,
                    "verdict": word(found),
                })  # fmt: skip
    return rows

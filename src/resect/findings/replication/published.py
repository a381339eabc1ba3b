"""As published: a recorded study's own readings and metrics, beside what they mean under ours.

The published study scored PubMedQA by the F1 of `yes` alone and MMLU by F1 averaged over the labels
that were *observed* (in gold or predictions), so that its mark for an unreadable text is one more
class; it summed the curve over the levels by trapezoids, not divided by their range.

Shapes: R + 1 rows of item weights (row 0 is the sample), N items, L levels, K labels.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple, TypedDict

import numpy as np
import pandas as pd

from resect.findings import planned
from resect.findings.comparisons import word
from resect.findings.curves import Curve, Sampled, axis, unordered
from resect.findings.frame import TaskFrame, frames
from resect.findings.replication.answer_rates import answer_rates
from resect.findings.replication.claims import claims
from resect.findings.replication.parser_agreement import agreement
from resect.findings.robustness import area
from resect.findings.rows import (
    Better,
    Published,
    PublishedArea,
    PublishedComparison,
    PublishedLevel,
    Reader,
    Study,
)
from resect.record import TaskInfo
from resect.stats import skill as sk
from resect.stats.intervals import NOTHING, Floats, Interval, Weights, interval, item_weights

POSITIVE, OBSERVED = "f1_positive", "f1_observed"
COMPARED = (POSITIVE, OBSERVED, "f1_labels", "accuracy", "skill", "retention")
"""Metrics whose areas are compared; of the last two over the range of the levels."""

READERS: tuple[Reader, ...] = ("study", "ours")
MOST_MARKS = 20
"""More different unreadable marks than this are no classes, so the published F1 is left out."""


class ReadCurve(NamedTuple):
    """One curve as one reader read it: draws of each metric at each level, (R + 1, L)."""

    curve: Curve
    reader: Reader
    values: dict[str, Floats]
    retention: Floats | None

    @property
    def metric(self) -> str | None:
        """The published metric, where the curve has it."""
        return next((metric for metric in (POSITIVE, OBSERVED) if metric in self.values), None)

    @property
    def subject(self) -> Subject:
        """What a row about this curve is about."""
        return Subject(
            model=self.curve.model,
            role=self.curve.role,
            recipe=self.curve.recipe,
            task=self.curve.frame.name,
            reading=self.reader,
        )

    def area(self, metric: str) -> Floats | None:
        """Draws of the area (R + 1,) of a metric, in units of the level."""
        values = self.retention if metric == "retention" else self.values.get(metric)
        if values is None or unordered(self.curve):
            return None
        return area(axis(self.curve), values)

    def compared_area(self, metric: str) -> Floats | None:
        """The same as it is compared: of skill and retention over the range of the levels."""
        draws = self.area(metric)
        if draws is None or metric not in ("skill", "retention"):
            return draws
        levels = axis(self.curve)
        return np.asarray(draws / (levels[-1] - levels[0]))


class Subject(TypedDict):
    """The fields of a row that say which curve it is about."""

    model: str
    role: str
    recipe: str
    task: str
    reading: Reader


def published(
    answers: pd.DataFrame,
    tasks: Mapping[str, TaskInfo],
    cells: Sequence[planned.CellRow],
    study: Study,
    role_of: Mapping[str, str],
    resamples: int,
    seed: int,
) -> Published | None:
    """A recorded study as published; None where no answer shows how a study read it.

    Both readers use the item weights of the other findings, so all differences are paired.
    """
    if not len(answers) or "recorded" not in answers or answers["recorded"].isna().all():
        return None
    whole = Published(areas=(), levels=(), comparisons=(), gold={}, readers=(), said=(), claims=())
    for name, info in tasks.items():
        rows = answers[(answers["task"] == name) & answers["recorded"].notna()]
        if info.kind != "label" or not len(rows):
            continue
        curves = _curves(rows, info, cells, study, role_of, resamples, seed)
        whole = _with_task(whole, info, rows, curves, planned.pairs(role_of))
    return replace(whole, claims=tuple(claims(whole, tasks)))


def _with_task(
    whole: Published,
    info: TaskInfo,
    answers: pd.DataFrame,
    curves: Mapping[Reader, Sequence[ReadCurve]],
    pairs: Sequence[tuple[str, str]],
) -> Published:
    """The findings so far with those of one more task."""
    every = [curve for reader in READERS for curve in curves[reader]]
    rates = [
        rate
        for read in curves["ours"] if info.positive in info.labels
        for rate in answer_rates(read.curve, str(info.positive))
    ]  # fmt: skip
    compared = [row for a, b in pairs for row in _comparisons(curves, a, b)]
    return replace(
        whole,
        areas=(*whole.areas, *map(_area_row, every)),
        levels=(*whole.levels, *(row for curve in every for row in _level_rows(curve))),
        comparisons=(*whole.comparisons, *compared),
        gold={**whole.gold, info.name: _gold_shares(info, curves["study"])},
        readers=(*whole.readers, agreement(info.name, answers, info.labels)),
        said=(*whole.said, *rates),
    )


def _gold_shares(info: TaskInfo, curves: Sequence[ReadCurve]) -> dict[str, float]:
    """How often each label is right; empty where nothing was asked."""
    gold = curves[0].curve.frame.gold if curves else np.zeros(0)
    return {label: float(np.mean(gold == i)) for i, label in enumerate(info.labels) if len(gold)}


def _curves(
    answers: pd.DataFrame,
    info: TaskInfo,
    cells: Sequence[planned.CellRow],
    study: Study,
    role_of: Mapping[str, str],
    resamples: int,
    seed: int,
) -> dict[Reader, list[ReadCurve]]:
    """The text curves of one task by both readers."""
    marks = [mark for mark in answers["recorded"].unique() if mark not in info.labels]
    recorded = answers.assign(
        answer=answers["recorded"], outcome="answer", chosen=None, option_scores=None
    )
    readings: dict[Reader, pd.DataFrame] = {"study": recorded, "ours": answers}
    read: dict[Reader, list[ReadCurve]] = {}
    for reader, rows in readings.items():
        frame = frames(rows, {info.name: info})[0][info.name]
        weights = item_weights(frame.clusters, resamples, seed, info.name)
        curves = planned.curves_of(frame, cells, study.recipes, role_of)
        classes = None
        if reader == "study" and len(marks) <= MOST_MARKS:
            wide = replace(info, labels=(*info.labels, *sorted(map(str, marks))))
            classes = frames(rows, {info.name: wide})[0][info.name]
        read[reader] = [
            _read(curve, reader, weights, info, classes)
            for curve in curves if curve.view == "text"
        ]  # fmt: skip
    return read


def _read(
    curve: Curve, reader: Reader, weights: Weights, info: TaskInfo, classes: TaskFrame | None
) -> ReadCurve:
    sampled = Sampled(curve, weights)
    counts = sampled.counts
    f1 = sk.confusion(counts).f1
    with np.errstate(all="ignore"):
        accuracy = counts.right.sum(axis=0) / counts.asked.sum(axis=0)
    values = {"accuracy": accuracy, "f1_labels": f1.mean(axis=0), "skill": sampled.draws.skill}
    if info.positive in info.labels:
        values[POSITIVE] = f1[info.labels.index(str(info.positive))]
    elif classes is not None:
        values[OBSERVED] = _observed(curve, weights, classes)
    return ReadCurve(curve, reader, values, sampled.draws.retention)


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


def _level_rows(read: ReadCurve) -> Iterator[PublishedLevel]:
    """What each level shows: the metrics, the share of each label and of no answer."""
    curve, metric = read.curve, read.metric
    for i, level in enumerate(curve.levels):
        codes = curve.codes[i]
        asked = codes != sk.MISSING
        if not asked.any():
            continue
        labels = enumerate(curve.frame.labels)
        yield PublishedLevel(
            **read.subject,
            level=level,
            metric=metric,
            value=None if metric is None else _number(read.values[metric][0, i]),
            accuracy=_number(read.values["accuracy"][0, i]),
            skill=_number(read.values["skill"][0, i]),
            no_answer=float(np.mean(codes[asked] == sk.NO_ANSWER)),
            prediction_share={x: float(np.mean(codes[asked] == code)) for code, x in labels},
        )


def _area_row(read: ReadCurve) -> PublishedArea:
    """Trapezoid areas over the levels, in units of the level as published."""
    main = NOTHING if read.metric is None else _interval(read.area(read.metric))
    accuracy, f1, skill = (
        _interval(read.area(metric)) for metric in ("accuracy", "f1_labels", "skill")
    )
    return PublishedArea(
        **read.subject,
        metric=read.metric,
        reason=unordered(read.curve),
        area=main.value, low=main.low, high=main.high,
        accuracy_area=accuracy.value, accuracy_low=accuracy.low, accuracy_high=accuracy.high,
        f1_labels_area=f1.value, f1_labels_low=f1.low, f1_labels_high=f1.high,
        skill_area=skill.value, skill_low=skill.low, skill_high=skill.high,
    )  # fmt: skip


def _interval(draws: Floats | None) -> Interval:
    return NOTHING if draws is None else interval(draws)


def _number(value: float) -> float | None:
    """The value in Python's own type, None where it is not finite."""
    return float(value) if math.isfinite(value) else None


def _comparisons(
    curves: Mapping[Reader, Sequence[ReadCurve]], a: str, b: str
) -> Iterator[PublishedComparison]:
    """A minus b by every reading; areas as published, skill and retention over the range."""
    for reads in curves.values():
        table = {(read.curve.recipe, read.curve.seed, read.curve.model): read for read in reads}
        for recipe, seed in dict.fromkeys(key[:2] for key in table):
            left, right = table.get((recipe, seed, a)), table.get((recipe, seed, b))
            if left is None or right is None or recipe == "none":
                continue
            if left.curve.levels == right.curve.levels:
                rows = (_comparison(left, right, metric) for metric in COMPARED)
                yield from (row for row in rows if row is not None)


def _comparison(left: ReadCurve, right: ReadCurve, metric: str) -> PublishedComparison | None:
    """The area of `left` minus that of `right`; None where one of them has none."""
    area_a, area_b = left.compared_area(metric), right.compared_area(metric)
    if area_a is None or area_b is None:
        return None
    difference = interval(area_a - area_b)
    verdict = word(difference)
    return PublishedComparison(
        task=left.curve.frame.name,
        recipe=left.curve.recipe,
        reading=left.reader,
        metric=metric,
        a=left.curve.model,
        b=right.curve.model,
        area_a=float(area_a[0]),
        area_b=float(area_b[0]),
        difference=difference.value,
        low=difference.low,
        high=difference.high,
        relative=float(area_a[0] / area_b[0] - 1) if area_b[0] > 0 else None,
        verdict=None if verdict is None else Better(verdict),
    )

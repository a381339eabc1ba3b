"""A recorded study by its own readings and metrics, beside the same by ours.

The published study scored PubMedQA by the F1 of `yes` alone and MMLU by F1 averaged over the labels
that were *observed* (in gold or predictions), so that its mark for an unreadable text is one more
class. It summed the curve over the levels by trapezoids, without dividing by their range.

Shapes: R + 1 rows of item weights (row 0 is the sample), N items, L levels, K labels.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from resect.findings import planned
from resect.findings.comparisons import word
from resect.findings.curves import Curve, Sampled, axis, unordered
from resect.findings.estimates import finite
from resect.findings.frame import TaskFrame, frames
from resect.findings.replication.answer_rates import answer_rates
from resect.findings.replication.claims import claims
from resect.findings.replication.parser_agreement import agreement
from resect.findings.robustness import area
from resect.findings.rows import (
    AnswerRate,
    Published,
    PublishedArea,
    PublishedComparison,
    PublishedLevel,
    Reader,
    Study,
)
from resect.record import TaskInfo
from resect.stats import skill as sk
from resect.stats.intervals import NOTHING, Floats, Weights, interval, item_weights

POSITIVE, OBSERVED = "f1_positive", "f1_observed"
OVER_RANGE = ("skill", "retention")
"""Metrics whose areas are divided by the range of the levels where models are compared."""

COMPARED = (POSITIVE, OBSERVED, "f1_labels", "accuracy", *OVER_RANGE)
"""Metrics whose areas are compared."""

READERS: tuple[Reader, ...] = ("study", "ours")
MOST_MARKS = 20
"""More different unreadable marks than this are no classes, so the published F1 is left out."""


class ReadCurve(NamedTuple):
    """One curve as one reader read it: draws of each metric at each level, (R + 1, L)."""

    curve: Curve
    reader: Reader
    values: dict[str, Floats]

    @property
    def metric(self) -> str | None:
        """The published metric, where the curve has it."""
        return next((metric for metric in (POSITIVE, OBSERVED) if metric in self.values), None)

    @property
    def subject(self) -> dict[str, Any]:
        """The fields of a row that say which curve it is about."""
        curve = self.curve
        return {
            "model": curve.model, "role": curve.role, "recipe": curve.recipe,
            "task": curve.frame.name, "reading": self.reader,
        }  # fmt: skip

    def area(self, metric: str | None, over_range: Collection[str] = ()) -> Floats | None:
        """Draws of the area (R + 1,) of a metric; None where the curve has none.

        In units of the level, for metrics in `over_range` divided by the range of the levels.
        """
        values = self.values.get(metric or "")
        if values is None or unordered(self.curve):
            return None
        levels = axis(self.curve)
        draws = area(levels, values)
        return np.asarray(draws / (levels[-1] - levels[0])) if metric in over_range else draws


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
    if "recorded" not in answers or answers["recorded"].isna().all():
        return None
    curves: dict[str, dict[Reader, list[ReadCurve]]] = {}
    readers = []
    curves_of = partial(planned.curves_of, cells=cells, recipes=study.recipes, role_of=role_of)
    for name, info in tasks.items():
        rows = answers[(answers["task"] == name) & answers["recorded"].notna()]
        if info.kind == "label" and len(rows):
            curves[name] = _curves(rows, info, curves_of, resamples, seed)
            readers.append(agreement(name, rows, info.labels))
    every = [read for reads in curves.values() for reader in READERS for read in reads[reader]]
    whole = Published(
        areas=tuple(map(_area_row, every)),
        levels=tuple(row for read in every for row in _level_rows(read)),
        comparisons=tuple(_of_pairs(curves, role_of)),
        gold={name: _gold_shares(reads["study"]) for name, reads in curves.items()},
        readers=tuple(readers),
        said=tuple(_rates(curves, tasks)),
        claims=(),
    )
    return replace(whole, claims=tuple(claims(whole, tasks)))


def _rates(
    curves: Mapping[str, Mapping[Reader, Sequence[ReadCurve]]], tasks: Mapping[str, TaskInfo]
) -> Iterator[AnswerRate]:
    """How often the positive label was answered, of every curve of a task that has one."""
    for name, reads in curves.items():
        positive = tasks[name].positive
        if positive in tasks[name].labels:
            for read in reads["ours"]:
                yield from answer_rates(read.curve, str(positive))


def _of_pairs(
    curves: Mapping[str, Mapping[Reader, Sequence[ReadCurve]]], role_of: Mapping[str, str]
) -> Iterator[PublishedComparison]:
    """The comparisons of all tasks, pair by pair of the models."""
    for reads in curves.values():
        for a, b in planned.pairs(role_of):
            yield from _comparisons(reads, a, b)


def _gold_shares(curves: Sequence[ReadCurve]) -> dict[str, float]:
    """How often each label is right; empty where nothing was asked."""
    if not curves or not len(curves[0].curve.frame.gold):
        return {}
    frame = curves[0].curve.frame
    return {label: float(np.mean(frame.gold == i)) for i, label in enumerate(frame.labels)}


def _curves(
    answers: pd.DataFrame,
    info: TaskInfo,
    curves_of: Callable[[TaskFrame], list[Curve]],
    resamples: int,
    seed: int,
) -> dict[Reader, list[ReadCurve]]:
    """The text curves of one task, as each reader read them."""
    marks = [mark for mark in answers["recorded"].unique() if mark not in info.labels]
    recorded = answers.assign(
        answer=answers["recorded"], outcome="answer", chosen=None, option_scores=None
    )
    readings: dict[Reader, pd.DataFrame] = {"study": recorded, "ours": answers}
    curves = {}
    for reader, rows in readings.items():
        frame = frames(rows, {info.name: info})[0][info.name]
        weights = item_weights(frame.clusters, resamples, seed, info.name)
        classes = None
        if reader == "study" and len(marks) <= MOST_MARKS:
            wide = replace(info, labels=(*info.labels, *sorted(map(str, marks))))
            classes = frames(rows, {info.name: wide})[0][info.name]
        curves[reader] = [
            _read(curve, reader, weights, info, classes)
            for curve in curves_of(frame) if curve.view == "text"
        ]  # fmt: skip
    return curves


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
    if sampled.draws.retention is not None:
        values["retention"] = sampled.draws.retention
    return ReadCurve(curve, reader, values)


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
            value=None if metric is None else finite(read.values[metric][0, i]),
            accuracy=finite(read.values["accuracy"][0, i]),
            skill=finite(read.values["skill"][0, i]),
            no_answer=float(np.mean(codes[asked] == sk.NO_ANSWER)),
            prediction_share={x: float(np.mean(codes[asked] == code)) for code, x in labels},
        )


def _area_row(read: ReadCurve) -> PublishedArea:
    """Trapezoid areas over the levels, in units of the level as published."""
    fields: dict[str, Any] = {}
    for prefix, metric in (
        ("", read.metric), ("accuracy_", "accuracy"), ("f1_labels_", "f1_labels"),
        ("skill_", "skill"),
    ):  # fmt: skip
        draws = read.area(metric)
        ends = NOTHING if draws is None else interval(draws)
        fields |= dict(zip((f"{prefix}area", f"{prefix}low", f"{prefix}high"), ends, strict=True))
    reason = unordered(read.curve)
    return PublishedArea(**read.subject, metric=read.metric, reason=reason, **fields)


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
                for metric in COMPARED:
                    yield from _comparison(left, right, metric)


def _comparison(left: ReadCurve, right: ReadCurve, metric: str) -> Iterator[PublishedComparison]:
    """The area of `left` minus that of `right`; nothing where one of them has none."""
    area_a, area_b = (read.area(metric, over_range=OVER_RANGE) for read in (left, right))
    if area_a is None or area_b is None:
        return
    difference = interval(area_a - area_b)
    yield PublishedComparison(
        task=left.curve.frame.name,
        recipe=left.curve.recipe,
        reading=left.reader,
        metric=metric,
        a=left.curve.model,
        b=right.curve.model,
        area_a=float(area_a[0]),
        area_b=float(area_b[0]),
        **dict(zip(("difference", "low", "high"), difference, strict=True)),
        relative=float(area_a[0] / area_b[0] - 1) if area_b[0] > 0 else None,
        verdict=word(difference),
    )

"""Bias: which answers a model leans to, whatever the question.

Shapes: L levels, K labels.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from resect.findings.curves import Curve, Sampled, of_curve
from resect.findings.estimates import distance, estimate
from resect.findings.rows import Bias, BiasFloors, Favourite
from resect.stats import skill as sk
from resect.stats.design_effect import share
from resect.stats.distances import Size
from resect.stats.intervals import Interval, intervals
from resect.stats.label_bias import detection, lean, recall_spread

LETTERS = frozenset("ABCDEFGHIJ")


def bias(sampled: Sampled, positive: str | None) -> list[Bias]:
    """One row for each level with answers of a label task."""
    curve, t = sampled.curve, sampled.counts
    labels = curve.frame.labels
    leans = lean(t).sizes
    spread = recall_spread(t).sizes if set(labels) <= LETTERS else None
    rows = [_row(sampled, int(at), leans, spread) for at in np.flatnonzero(curve.present)]
    if positive is None or positive not in labels:
        return rows
    code = labels.index(positive)
    signal = detection(t, code)
    sensitivity, criterion = intervals(signal.sensitivity), intervals(signal.criterion)
    return [
        replace(
            row,
            positive=positive,
            positive_share=estimate(_positive_share(curve, int(at), code)),
            sensitivity=estimate(sensitivity[at]),
            criterion=estimate(criterion[at]),
            floors=replace(row.floors, always_positive=row.gold[positive]),
        )
        for row, at in zip(rows, np.flatnonzero(curve.present), strict=True)
    ]


def _row(sampled: Sampled, at: int, leans: Sequence[Size], spread: Sequence[Size] | None) -> Bias:
    """The leaning at one level, of any label task."""
    curve, t = sampled.curve, sampled.counts
    labels, codes, cluster = curve.frame.labels, curve.codes[at], curve.frame.cluster
    gold = [int(x) for x in t.asked[:, 0, at]]
    answers = [int(x) for x in t.predicted[:, 0, at]]
    n = sum(gold)
    shares = [share(codes == code, codes != sk.MISSING, cluster) for code in range(len(labels))]
    return Bias(
        **of_curve(curve),
        level=curve.levels[at],
        n=n,
        answered=sum(answers),
        predicted={x: estimate(given) for x, given in zip(labels, shares, strict=True)},
        gold={x: count / n for x, count in zip(labels, gold, strict=True)},
        lean=distance(leans[at]),
        favourite=_favourite(labels, answers, gold),
        letter_bias=None if spread is None else distance(spread[at]),
        floors=BiasFloors(
            majority=max(gold) / n,
            majority_label=labels[gold.index(max(gold))],
            always_positive=None,
        ),
    )


def _positive_share(curve: Curve, at: int, code: int) -> Interval:
    """The share of the positive label among the answers given at one level."""
    codes = curve.codes[at]
    return share(codes == code, codes >= 0, curve.frame.cluster)


def _favourite(
    labels: Sequence[str], answers: Sequence[int], gold: Sequence[int]
) -> Favourite | None:
    """The label answered most above its share of gold, and by how much of the answers."""
    if not sum(answers):
        return None
    over = [a / sum(answers) - g / sum(gold) for a, g in zip(answers, gold, strict=True)]
    most = int(np.argmax(over))
    return Favourite(label=labels[most], excess=over[most])

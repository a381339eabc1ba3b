"""Metrics of texts, lists, programs and windows: sums over items of the parts kept with answers.

A metric is one weighted sum of parts over another, so that every one of them is resampled, paired
and put through levels in the same way. Shapes: N items of one cell.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np

from resect.stats.intervals import Floats

Parts = Mapping[str, Floats]
"""Part to its value for every item, (N,); NaN for an item that was not asked or lacks it."""


@dataclass(frozen=True)
class Metric:
    """`top` over `bottom`, both sums of weight x part over items; no bottom counts the items.

    `lower` says that less is better; `then` is applied to the quotient.
    """

    top: Mapping[str, float]
    bottom: Mapping[str, float] = field(default_factory=dict)
    lower: bool = False
    then: Callable[[Floats], Floats] | None = None

    @property
    def parts(self) -> frozenset[str]:
        """The parts it is made of."""
        return frozenset((*self.top, *self.bottom))

    def sums(self, parts: Parts) -> tuple[Floats, Floats]:
        """Numerator and denominator of every item, (N,) each; 0 and 0 where a part is missing."""
        above = _weighted(self.top, parts)
        below = _weighted(self.bottom, parts) if self.bottom else np.ones_like(above)
        known = ~(np.isnan(above) | np.isnan(below))
        return np.where(known, above, 0.0), np.where(known, below, 0.0)


def _weighted(weights: Mapping[str, float], parts: Parts) -> Floats:
    found = np.sum([weight * parts[name] for name, weight in weights.items()], axis=0)
    return np.asarray(found)


SCORE = Metric({"score": 1})
"""The mean score: the headline of a task whose `primary` is none of the table."""

METRICS: dict[str, Metric] = {
    # entity extraction: distinct mentions of a sentence; partial credit of a half (SemEval-2013
    # task 9.1, Segura-Bedmar et al. 2013); micro over items
    "strict_f1": Metric({"correct": 2}, {"said": 1, "wanted": 1}),
    "partial_f1": Metric({"correct": 2, "partial": 1}, {"said": 1, "wanted": 1}),
    "strict_precision": Metric({"correct": 1}, {"said": 1}),
    "strict_recall": Metric({"correct": 1}, {"wanted": 1}),
    "invented": Metric({"invented": 1}, {"said": 1}, lower=True),
    # free text
    "rouge_l": Metric({"rouge_l": 1}),
    "token_f1": Metric({"token_f1": 1}),
    "omission": Metric({"omission": 1}, lower=True),
    "copy": Metric({"copied": 1}, {"ngrams": 1}, lower=True),
    "repetition": Metric({"repeated": 1}, {"ngrams": 1}, lower=True),
    "judged": Metric({"judged": 1}),
    "length_ratio": Metric({"words": 1}, {"reference_words": 1}),
    # text scored as it stands
    "perplexity": Metric({"nll": 1}, {"tokens": 1}, True, np.exp),
    "word_perplexity": Metric({"nll": 1}, {"words": 1}, True, np.exp),
    "bits_per_byte": Metric({"nll": 1 / math.log(2)}, {"bytes": 1}, True),
}  # fmt: skip


def measurable(names: Iterable[str]) -> dict[str, Metric]:
    """The metrics that can be made of these parts."""
    have = frozenset(names)
    return {name: metric for name, metric in METRICS.items() if metric.parts <= have}


def headline(primary: str, names: Iterable[str]) -> Metric:
    """The metric called `primary`, or the mean score where the table or the parts lack it."""
    return measurable(names).get(primary, SCORE)

"""Weighted averages: equal to scikit-learn's, and the published majority baseline of MedMCQA."""

from __future__ import annotations

import gzip
import json

import numpy as np
import pytest
from answers_by_hand import tally_of
from lazy import WHEN_RUN

from resect.stats import skill as sk

if WHEN_RUN:
    from sklearn.metrics import precision_recall_fscore_support


def test_they_are_those_of_scikit_learn():
    rng = np.random.default_rng(3)
    gold = list(rng.choice(list("ABCD"), 200, p=[0.5, 0.3, 0.15, 0.05]))
    said = [g if rng.random() < 0.6 else str(rng.choice(list("ABCX"))) for g in gold]
    counts = tally_of(gold, [s if s != "X" else None for s in said], "ABCD")
    averages = sk.confusion(counts).weighted(counts)
    theirs = precision_recall_fscore_support(
        gold, said, labels=list("ABCD"), average="weighted", zero_division=0
    )
    assert [average[0, 0] for average in averages] == pytest.approx(theirs[:3], abs=1e-12)


def test_the_majority_of_medmcqa_is_as_published(data_dir):
    """Accuracy .3223, precision .1038, recall .3223, F1 .1571 on the 4,183 questions of dev."""
    with gzip.open(data_dir / "medmcqa_dev.jsonl.gz", "rt", encoding="utf-8") as file:
        gold = [json.loads(line)["answer"] for line in file]
    counts = tally_of(gold, ["A"] * len(gold), "ABCD")
    averages = [float(average[0, 0]) for average in sk.confusion(counts).weighted(counts)]
    assert [round(average, 4) for average in averages] == [0.1038, 0.3223, 0.1571]
    share = gold.count("A") / len(gold)
    assert averages == pytest.approx([share**2, share, share * 2 * share / (1 + share)])

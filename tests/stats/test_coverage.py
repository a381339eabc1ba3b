"""Intervals cover the truth as often as they say, also near 0 and 1."""

import numpy as np
import pytest
from lazy import WHEN_RUN

from resect.findings.robustness import area
from resect.stats import skill as sk
from resect.stats.intervals import item_weights, wilson

if WHEN_RUN:
    from scipy.stats import binom


@pytest.mark.parametrize("ends", [(0.003, 0.05), (0.3, 0.7), (0.95, 0.997)])
def test_wilson_covers_95_in_100_over_any_range_of_truths(ends):
    n = 400
    bounds = np.array([wilson(x, n)[1:] for x in range(n + 1)])
    truths = np.linspace(*ends, 400)
    inside = (bounds[:, :1] <= truths) & (truths <= bounds[:, 1:])  # exact, no simulation
    covered = (inside * binom.pmf(np.arange(n + 1)[:, None], n, truths)).sum(axis=0)
    assert covered.mean() == pytest.approx(0.95, abs=0.01)
    assert covered.min() > 0.85  # single truths next to 0 and 1 swing, as Wilson's do


@pytest.mark.parametrize("start", [0.97, 0.6, 0.27])
def test_the_area_of_skill_covers_95_in_100(start):
    """Four labels, six levels, items that stay lost: accuracy from `start` towards chance."""
    rng = np.random.default_rng(17)
    n, studies, levels = 240, 600, np.linspace(0, 0.75, 6)
    accuracy = 0.25 + (start - 0.25) * np.array([1, 1, 0.9, 0.6, 0.2, 0.05])
    truth = area(levels, (accuracy - (1 - accuracy) / 3)[None])[0]
    weights = item_weights([f"q{i:03d}" for i in range(n)], 500, 0, "area")
    gold = (np.arange(n) % 4).astype(np.int8)
    hits = 0
    for _ in range(studies):
        right = rng.random(n) < accuracy[:, None]
        shared = rng.random(n)[None] < accuracy[:, None]  # half the items fall for good
        right = np.where(np.arange(n) % 8 < 4, shared, right)
        codes = np.where(right, gold, (gold + 1 + rng.integers(0, 3, (6, n))) % 4).astype(np.int8)
        draws = area(levels, sk.skill(sk.tally(weights, codes, gold, 4)))[1:]
        low, high = np.quantile(draws, [0.025, 0.975])
        hits += low <= truth <= high
    assert abs(hits / studies - 0.95) <= 3 * np.sqrt(0.95 * 0.05 / studies)

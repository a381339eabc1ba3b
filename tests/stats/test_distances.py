"""Distances without noise: 0 where there is nothing, and covered where there is something."""

import numpy as np
import pytest

from resect.stats import confidence as cal
from resect.stats import skill as sk
from resect.stats.distances import Distance, Size
from resect.stats.intervals import item_weights
from resect.stats.label_bias import lean, recall_spread

STUDIES = 200


def resamples(n):
    return item_weights([f"q{i:04d}" for i in range(n)], 300, 0, "distances")


def believed(n, boldness, rng):
    """Two options, stated odds sharpened by `boldness`: 1 is calibrated."""
    odds = rng.normal(0, 1.5, n)
    said = 1 / (1 + np.exp(-np.stack([odds, -odds], axis=1) * boldness))
    gold = (rng.random(n) > 1 / (1 + np.exp(-odds))).astype(np.int8)
    return cal.Beliefs(said.argmax(1).astype(np.int8)[None], gold, said[None].astype(np.float32))


def calibration_errors(n, boldness, studies=STUDIES):
    rng, weights = np.random.default_rng(3), resamples(n)
    found = [cal.calibration_error(weights, believed(n, boldness, rng)) for _ in range(studies)]
    return [one.sizes[0] for one in found]


def answered(n, favour):
    """Tally of studies of four letters: half known, else A with `favour` above the others."""
    rng = np.random.default_rng(4)
    gold = (np.arange(n) % 4).astype(np.int8)
    guess = rng.choice(4, p=[0.25 + 0.75 * favour, *[0.25 * (1 - favour)] * 3], size=(STUDIES, n))
    codes = np.where(rng.random((STUDIES, n)) < 0.5, gold, guess).astype(np.int8)
    return sk.tally(resamples(n), codes, gold, 4)


@pytest.mark.parametrize("n", [60, 200])
def test_what_is_not_there_is_left_in_at_least_95_of_100(n):
    t = answered(n, 0.0)
    for sizes in (lean(t).sizes, recall_spread(t).sizes, calibration_errors(n, 1.0)):
        assert np.mean([s.low == 0 for s in sizes]) >= 0.95
        assert np.mean([s.value for s in sizes]) < 0.55 * np.mean([s.counted for s in sizes])
        by_chance = np.mean([s.by_chance for s in sizes])  # what such a model really shows
        assert by_chance == pytest.approx(np.mean([s.counted for s in sizes]), rel=0.2)


def test_what_is_there_is_covered_95_in_100():
    t = answered(200, 0.6)
    true_lean, recall = 0.5 * 0.75 * 0.6, 0.5 + 0.5 * np.array([0.7, 0.1, 0.1, 0.1])
    found = ((lean(t).sizes, true_lean), (recall_spread(t).sizes, np.std(recall)))
    slack = 3 * np.sqrt(0.95 * 0.05 / STUDIES)
    for sizes, truth in found:
        inside = [s.low <= truth <= s.high for s in sizes]
        assert np.mean(inside) == pytest.approx(0.95, abs=slack)
        assert np.mean([s.value for s in sizes]) == pytest.approx(truth, abs=0.01)
        assert all(s.low <= s.value <= s.high for s in sizes)


def test_overconfidence_is_covered():
    big = believed(400_000, 4.0, np.random.default_rng(0))
    truth = cal.calibration_error(np.ones((1, 400_000), dtype=np.float32), big).counted[0, 0]
    sizes = calibration_errors(200, 4.0)
    inside = np.mean([s.low <= truth <= s.high for s in sizes])
    assert inside == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / STUDIES))
    assert np.mean([s.value for s in sizes]) == pytest.approx(truth, abs=0.01)
    assert np.mean([s.low > 0 for s in sizes]) > 0.5


def test_without_noise_the_distance_is_what_is_counted():
    parts = np.tile([0.3, -0.4], (51, 1))[:, None]
    for order, size in ((1, 0.7), (2, 0.5)):
        (found,) = Distance(parts, order).sizes
        assert found == pytest.approx((size, size, size, size, 0.0))
    assert Distance(np.zeros((51, 1, 2)), 1).sizes == [Size(0.0, 0.0, 0.0, 0.0, 0.0)]
    assert Distance(np.full((51, 1, 2), np.nan), 1).sizes == [Size(*[None] * 5)]


def test_a_sample_that_shows_nothing_can_still_be_of_a_model_that_has_some():
    rng = np.random.default_rng(2)
    parts = rng.normal(0, 0.1, (501, 1, 2))
    parts[0] = 0.0
    (found,) = Distance(parts, 2).sizes
    assert (found.value, found.low, found.counted) == (0.0, 0.0, 0.0)
    assert found.high > found.by_chance > 0.1


def test_draws_have_the_mean_of_the_sizes():
    rng = np.random.default_rng(1)
    parts = np.concatenate([np.full((1, 3, 2), 0.2), 0.2 + rng.normal(0, 0.1, (500, 3, 2))])
    found = Distance(parts, 1)
    np.testing.assert_allclose(found.draws[0], [s.value for s in found.sizes])
    np.testing.assert_allclose(found.draws[1:].mean(axis=0), found.draws[0])

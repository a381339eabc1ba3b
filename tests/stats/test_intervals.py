"""The shared weights: stable, paired, clustered; and intervals that cover what they say."""

import numpy as np
import pytest

from resect.errors import RequestError
from resect.stats import skill as sk
from resect.stats.intervals import interval, intervals, item_weights


def test_weights_are_the_same_in_any_order_and_differ_by_task_and_seed():
    ids = [f"q{i}" for i in range(30)]
    weights = item_weights(ids, 50, 0, "t")
    assert (weights[0] == 1).all()
    assert (weights[1:].sum(axis=1) == 30).all()
    np.testing.assert_array_equal(item_weights(ids[::-1], 50, 0, "t"), weights[:, ::-1])
    assert (item_weights(ids, 50, 0, "u") != weights).any()
    assert (item_weights(ids, 50, 1, "t") != weights).any()


def test_items_of_one_parent_share_their_weight():
    weights = item_weights(["a", "b", "a", "c"], 40, 0, "t")
    np.testing.assert_array_equal(weights[:, 0], weights[:, 2])
    assert (weights[1:, [0, 1, 3]].sum(axis=1) == 3).all()


def test_no_resamples_is_a_wrong_request():
    with pytest.raises(RequestError, match="resamples"):
        item_weights(["a"], 0, 0, "t")


def test_interval_leaves_out_draws_without_a_value():
    draws = np.array([1.0, np.nan, *np.linspace(0, 2, 201)])
    assert interval(draws) == pytest.approx((1.0, 0.05, 1.95))
    assert interval(np.array([np.nan, 1.0])) == (None, None, None)
    assert intervals(np.stack([draws, draws], axis=1)) == [interval(draws)] * 2


def test_the_interval_of_skill_covers_the_truth_about_95_times_in_100():
    rng = np.random.default_rng(7)
    n, studies, p = 150, 400, np.array([0.9, 0.6, 0.5])
    truth = float(np.mean(p - (1 - p) / 2))
    weights = item_weights([f"q{i:03d}" for i in range(n)], 400, 0, "coverage")
    gold = (np.arange(n) % 3).astype(np.int8)
    right = rng.random((studies, n)) < p[gold]
    codes = np.where(right, gold, (gold + 1) % 3).astype(np.int8)
    low, high = np.quantile(sk.skill(sk.tally(weights, codes, gold, 3))[1:], [0.025, 0.975], axis=0)
    covered = float(np.mean((low <= truth) & (truth <= high)))
    assert 0.91 <= covered <= 0.98

"""Score tests of bounded means: equal to Tango and Wilson, one with their interval, sound at 0."""

import numpy as np
import pytest
import tango
from hypothesis import given, settings
from hypothesis import strategies as st

from resect.stats.bounded_mean import Strata, score_interval, score_p, strata, units
from resect.stats.intervals import wilson


def pairs(*tables):
    """One stratum of changes for each (lost, gained, n)."""
    counts = [[[0, b, n - b - c, c, 0]] for b, c, n in tables]
    values = np.array([[[-1.0, -1, 0, 1, 1]]])
    return Strata(np.array(counts, dtype=float), values, np.ones(1))


TABLES = [(0, 0, 100), (5, 2, 100), (0, 3, 50), (1, 0, 80), (40, 38, 200), (10, 0, 20), (20, 0, 20)]


@pytest.mark.parametrize("table", TABLES)
def test_one_stratum_of_changes_is_tangos(table):
    low, high = (float(x[0]) for x in score_interval(pairs(table)))
    assert (low, high) == pytest.approx(tango.interval(*table), abs=1e-9)
    assert score_p(pairs(table), -0.05)[0] == pytest.approx(tango.p_value(*table, 0.05), abs=1e-9)


@pytest.mark.parametrize(("right", "n"), [(0, 10), (10, 10), (5, 10), (199, 200), (1, 50)])
def test_one_stratum_of_shares_is_wilsons(right, n):
    sample = Strata(
        np.array([[[0.0, n - right, right, 0]]]), np.array([[[0.0, 0, 1, 1]]]), np.ones(1)
    )
    ends = wilson(right, n)
    low, high = (float(x[0]) for x in score_interval(sample))
    assert (low, high) == pytest.approx((ends.low, ends.high), abs=1e-9)


TABLE = st.tuples(st.integers(0, 12), st.integers(0, 12), st.integers(1, 90))


@settings(max_examples=60, deadline=None)
@given(st.lists(TABLE, min_size=1, max_size=4), st.sampled_from([0.025, 0.005, 0.1]))
def test_the_interval_is_the_test_turned_round(tables, alpha):
    """p at the lower bound is alpha, at the upper 1 - alpha, unless the bound is the least."""
    counts = np.array([[[0, b, n, c, 0] for b, c, n in tables]], dtype=float)
    values = np.tile([-1.0, -1, 0, 1, 1], (1, len(tables), 1))
    sample = Strata(counts, values, np.full(len(tables), 1 / len(tables)))
    low, high = (float(x[0]) for x in score_interval(sample, alpha))
    assert low <= sample.mean[0] + 1e-9
    assert high >= sample.mean[0] - 1e-9
    if low > -1 + 1e-6:
        assert score_p(sample, low)[0] == pytest.approx(alpha, abs=1e-5)
    if high < 1 - 1e-6:
        assert score_p(sample, high)[0] == pytest.approx(1 - alpha, abs=1e-5)


def test_several_strata_weigh_alike_and_their_order_does_not_matter():
    rng = np.random.default_rng(2)
    values = rng.choice([-1.0, 0.0, 1.0], p=[0.1, 0.85, 0.05], size=(3, 400))
    group = rng.choice(3, p=[0.6, 0.3, 0.1], size=400)
    span, third = np.tile([-1.0, 1.0], (3, 1)), np.full(3, 1 / 3)
    sample = strata(values, group, third, span)
    by_hand = np.mean([values[:, group == g].mean(axis=1) for g in range(3)], axis=0)
    np.testing.assert_allclose(sample.mean, by_hand)
    turned = strata(values, 2 - group, third, span)
    np.testing.assert_allclose(score_p(sample, -0.05), score_p(turned, -0.05), atol=1e-10)
    np.testing.assert_allclose(score_interval(sample), score_interval(turned), atol=1e-9)


def test_the_variance_under_the_null_is_that_of_the_likeliest_distribution():
    """Two strata: the constrained maximum by a general optimiser."""
    from scipy.optimize import minimize

    tables, margin = [(3, 1, 60), (1, 0, 25)], 0.05

    def loss(p):
        total = 0.0
        for (b, c, n), (lost, gained) in zip(tables, p.reshape(2, 2), strict=True):
            rest = max(1 - lost - gained, 1e-12)
            total -= b * np.log(max(lost, 1e-12)) + c * np.log(max(gained, 1e-12))
            total -= (n - b - c) * np.log(rest)
        return total

    held = {"type": "eq", "fun": lambda p: (p[1] - p[0] + p[3] - p[2]) / 2 + margin}
    best = minimize(loss, [0.06, 0.01, 0.06, 0.01], constraints=[held], bounds=[(0, 0.9)] * 4,
                    method="SLSQP", options={"ftol": 1e-14, "maxiter": 500}).x  # fmt: skip
    variance, mean = 0.0, 0.0
    for (b, c, n), (lost, gained) in zip(tables, best.reshape(2, 2), strict=True):
        variance += (lost + gained - (gained - lost) ** 2) / n / 4
        mean += (c - b) / n / 2
    counts = np.array([[[0, b, n - b - c, c, 0] for b, c, n in tables]], dtype=float)
    sample = Strata(counts, np.tile([-1.0, -1, 0, 1, 1], (1, 2, 1)), np.full(2, 0.5))
    from scipy.stats import norm

    expected = norm.sf((mean + margin) / np.sqrt(variance))
    assert score_p(sample, -margin)[0] == pytest.approx(expected, rel=1e-3)


def test_parents_are_units_where_items_share_them():
    """Five items of each parent that change together say no more than one."""
    change = np.zeros(40)
    change[:3] = -1
    alone = units(change[None], np.ones(40, bool), np.zeros(40, int), np.ones(1),
                  np.array([[-1.0, 1.0]]), np.arange(40))  # fmt: skip
    five = units(np.repeat(change, 5)[None], np.ones(200, bool), np.zeros(200, int), np.ones(1),
                 np.array([[-1.0, 1.0]]), np.repeat(np.arange(40), 5))  # fmt: skip
    np.testing.assert_allclose(score_interval(five), score_interval(alone), atol=1e-9)


def test_graded_values_keep_their_bounds():
    rng = np.random.default_rng(5)
    values = rng.uniform(-0.2, 0.2, (2, 300))
    sample = units(values, np.ones(300, bool), np.zeros(300, int), np.ones(1),
                   np.array([[-1.0, 1.0]]), np.arange(300))  # fmt: skip
    low, high = score_interval(sample)
    half = 1.96 * values.std(axis=1) / np.sqrt(300)
    np.testing.assert_allclose(low, values.mean(axis=1) - half, atol=2e-3)
    np.testing.assert_allclose(high, values.mean(axis=1) + half, atol=2e-3)

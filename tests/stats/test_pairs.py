"""Pairs of right and wrong: McNemar's exact test and Tango's interval, parents as units."""

import numpy as np
import pytest
import tango
from scipy.stats import binomtest

from resect.stats.paired import change_interval, mcnemar, pairs


def lists(lost, gained, n):
    before = np.array([True] * lost + [False] * gained + [True] * (n - lost - gained))
    after = np.array([False] * lost + [True] * gained + [True] * (n - lost - gained))
    return before, after, np.ones(n, dtype=bool)


@pytest.mark.parametrize(("lost", "gained", "n"), [(5, 2, 40), (0, 0, 10), (9, 0, 50)])
def test_pairs_by_hand(lost, gained, n):
    moved = pairs(*lists(lost, gained, n), np.arange(n))
    assert moved[:3] == (n, lost, gained)
    expected = binomtest(lost, lost + gained).pvalue if lost + gained else 1.0
    assert moved.p == pytest.approx(expected)
    assert moved.p == pytest.approx(float(mcnemar(lost, gained)))
    ends = change_interval(*lists(lost, gained, n), np.arange(n))
    assert ends == pytest.approx(tango.interval(lost, gained, n), abs=1e-9)


def test_items_of_one_parent_are_one_unit():
    before, after, asked = lists(6, 0, 60)
    apart = pairs(before, after, asked, np.arange(60))
    shared = pairs(before, after, asked, np.arange(60) // 6)
    assert shared.p > apart.p
    low, _ = change_interval(before, after, asked, np.arange(60) // 6)
    assert low < change_interval(before, after, asked, np.arange(60))[0]


def test_nothing_asked_is_nothing_known():
    moved = pairs(*lists(1, 1, 4)[:2], np.zeros(4, dtype=bool), np.arange(4))
    assert moved.n == 0
    assert np.isnan(moved.change)

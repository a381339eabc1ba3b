"""Power before the run: copies, monotone in items, and what a simulation of its own finds."""

import numpy as np
import pytest

from resect.stats.power import copy_passes, items_needed, passing, power, simulated


def test_a_copy_needs_73_items_of_one_group_at_5_points():
    assert not copy_passes([72], 0.05, 0.025)
    assert copy_passes([74], 0.05, 0.025)


@pytest.mark.parametrize("mix", [(0.5, 0.5), (0.85, 0.15), (0.55, 0.34, 0.11)])
def test_more_items_never_mean_less_power(mix):
    allowed = [copy_passes([round(part * n) for part in mix], 0.05, 0.025)
               for n in range(60, 600, 20)]  # fmt: skip
    assert allowed == sorted(allowed)
    powers = [power([round(part * n) for part in mix], 0.05, 0.025, 0.06) for n in (200, 400, 800)]
    assert powers == sorted(powers)


def test_items_needed_reach_the_power_they_promise():
    for loss in (0.0, 0.01):
        needed = items_needed([276, 169, 55], 0.05, 0.025, 0.06, loss)
        sizes = [round(n * needed / 500) for n in (276, 169, 55)]
        assert power(sizes, 0.05, 0.025, 0.06, loss, draws=8000) == pytest.approx(0.8, abs=0.04)
    assert items_needed([100], 0.05, 0.025, 0.06, loss=0.05) is None


def test_equal_draws_are_judged_alike():
    rng = np.random.default_rng(0)
    sample = simulated(rng, [50, 50], 0.1, 0.05, 500)
    passes = passing(sample, 0.05, 0.025)
    again = passing(sample.take(np.arange(499, -1, -1)), 0.05, 0.025)
    np.testing.assert_array_equal(passes, again[::-1])

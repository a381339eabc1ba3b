"""Bounds of looks: those that gsDesign prints, and error and power as they are spent."""

from __future__ import annotations

import numpy as np
import pytest

from resect.stats.alpha_spending import critical, crossing, futile, levels, spent

QUARTERS = (0.25, 0.5, 0.75, 1.0)


@pytest.mark.parametrize(
    ("looks", "bounds"),
    [
        # Lan and DeMets' spending function of O'Brien-Fleming shape, one-sided 0.025: the tables
        # of Reboussin, DeMets, Kim and Lan (2000), Controlled Clinical Trials 21:190
        (1, (1.960,)),
        (2, (2.963, 1.969)),
        (3, (3.710, 2.511, 1.993)),
        (4, (4.333, 2.963, 2.359, 2.014)),
        (5, (4.877, 3.357, 2.680, 2.290, 2.031)),
    ],
)
def test_bounds_are_the_published_ones(looks, bounds):
    shares = tuple((look + 1) / looks for look in range(looks))
    assert critical(0.025, shares) == pytest.approx(bounds, abs=6e-4)


def test_error_is_spent_as_planned():
    passed, _ = crossing(critical(0.025, QUARTERS), (-np.inf,) * 4, QUARTERS, 0.0)
    assert np.cumsum(passed) == pytest.approx(spent(0.025, QUARTERS), abs=1e-6)
    assert passed.sum() == pytest.approx(0.025, abs=1e-6)


@pytest.mark.parametrize("drift", [0.0, 2.5, 4.0])
def test_chances_are_those_of_a_simulation(drift):
    rng = np.random.default_rng(0)
    upper, lower = critical(0.025, QUARTERS), futile(0.025, 0.1, QUARTERS)
    steps = rng.normal(drift * 0.25, 0.5, (200_000, 4)).cumsum(axis=1)
    statistics = steps / np.sqrt(QUARTERS)
    ended = (statistics >= upper) | (statistics <= lower)
    first = ended.argmax(axis=1)
    reached = statistics[np.arange(len(first)), first] >= np.asarray(upper)[first]
    passed, given_up = crossing(upper, lower, QUARTERS, drift)
    for look in range(4):
        assert passed[look] == pytest.approx((reached & (first == look)).mean(), abs=0.005)
        assert given_up[look] == pytest.approx((~reached & (first == look)).mean(), abs=0.005)


def test_giving_up_costs_what_was_planned():
    """At the effect found with power 0.9 at most a tenth is lost before the last look."""
    upper, lower = critical(0.025, QUARTERS), futile(0.025, 0.1, QUARTERS)
    passed, given_up = crossing(upper, lower, QUARTERS, 3.2415)
    assert given_up[:-1].sum() <= 0.1
    assert passed.sum() == pytest.approx(0.882, abs=0.005)
    assert levels(0.025, QUARTERS)[0] < 1e-5

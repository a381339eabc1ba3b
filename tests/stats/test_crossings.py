"""Half-levels by first crossing: recoveries do not undo a loss, intervals know the grid."""

import numpy as np
import pytest

from resect.stats.crossings import crossing, envelope, half_level, recovery

LEVELS = np.array([0.0, 0.1, 0.2, 0.3, 0.4])


def test_the_first_crossing_counts_and_a_recovery_is_told_apart():
    kept = np.array([1.0, 0.32, 0.7, 0.6, 0.2])
    assert crossing(LEVELS, kept[None])[0] == pytest.approx(0.1 * 0.5 / 0.68)
    assert recovery(LEVELS, kept) == (pytest.approx(0.2), pytest.approx(0.7))
    np.testing.assert_allclose(envelope(kept[None])[0], [1, 0.32, 0.32, 0.32, 0.2])
    assert recovery(LEVELS, np.array([1.0, 0.4, 0.3, 0.2, 0.1])) is None


def test_the_interval_holds_the_levels_that_bracket_the_crossing():
    kept = np.tile([1.0, 0.9, 0.4, 0.2, 0.0], (5, 1))
    value, low, high = half_level(LEVELS, kept)
    assert (low, high) == (pytest.approx(0.1), pytest.approx(0.2))
    assert low < value < high


def test_what_never_crosses_has_no_place():
    kept = np.tile([1.0, 0.9, 0.8, 0.8, 0.7], (5, 1))
    assert half_level(LEVELS, kept) == (None, None, None)
    assert crossing(LEVELS, kept)[0] == np.inf
    assert np.isnan(crossing(LEVELS, np.full((1, 5), np.nan))[0])

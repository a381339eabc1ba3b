"""One table of losses and gains: published intervals, brute force, identities, error rates."""

import numpy as np
import pytest
from lazy import WHEN_RUN

from resect.stats.paired import (
    items_needed,
    mcnemar,
    non_inferior,
    pairs,
    power,
    restricted,
    score_z,
    tango,
)

if WHEN_RUN:
    from scipy.optimize import minimize_scalar
    from scipy.stats import binomtest, norm


@pytest.mark.parametrize(
    ("lost", "gained", "n", "alpha", "low", "high", "digits"),
    [
        # Tango 1998, Statistics in Medicine 17:891, soft contact lenses, 90 % interval
        (1, 0, 44, 0.05, -0.096, 0.037, 3),
        # Fagerland, Lydersen and Laake 2014, Statistics in Medicine 33:2850: Bentur et al. 2009
        (7, 1, 21, 0.025, -0.517, -0.026, 3),
        # Fagerland, Lydersen and Laake 2017, chapter 8: Cavo et al. 2012
        (16, 6, 161, 0.025, -0.1240, -0.0054, 4),
    ],
)
def test_tango_equals_the_published_intervals(lost, gained, n, alpha, low, high, digits):
    found = tango(lost, gained, n, alpha)
    assert [round(float(x), digits) for x in found] == [low, high]


def test_mcnemar_equals_the_published_p_values():
    # Fagerland, Lydersen and Laake 2013 and 2017: Cavo et al. 0.0525, Bentur et al. 0.0703
    assert mcnemar(16, 6) == pytest.approx(0.052479, abs=5e-7)
    assert mcnemar(1, 7) == pytest.approx(0.0703, abs=5e-5)
    assert mcnemar(0, 0) == 1.0


def test_mcnemar_equals_the_binomial_test():
    for b in range(12):
        for c in range(12):
            if b + c:
                assert mcnemar(b, c) == pytest.approx(binomtest(b, b + c).pvalue, abs=1e-12)


def test_the_restricted_estimate_maximises_the_likelihood():
    for gains, losses, n, at in [(3, 9, 60, -0.05), (0, 5, 40, -0.2), (12, 4, 50, 0.1)]:

        def cost(q, gains=gains, losses=losses, n=n, at=at):
            p = np.array([q + at, q, 1 - 2 * q - at])
            return (
                np.inf
                if (p <= 0).any()
                else -np.dot([gains, losses, n - gains - losses], np.log(p))
            )

        ends = (max(0.0, -at) + 1e-9, (1 - at) / 2 - 1e-9)
        best = minimize_scalar(cost, bounds=ends, method="bounded", options={"xatol": 1e-10}).x
        assert restricted(gains, losses, n, at) == pytest.approx(best, abs=1e-5)


def test_tango_equals_test_inversion_by_brute_force():
    grid = np.linspace(-1, 1, 200_001)[1:-1]
    for lost, gained, n in [
        (0, 0, 30),
        (5, 0, 25),
        (0, 9, 40),
        (12, 7, 80),
        (30, 1, 31),
        (40, 20, 160),
    ]:
        kept = grid[np.abs(score_z(lost, gained, n, grid)) < norm.ppf(0.975)]
        assert tango(lost, gained, n) == pytest.approx((kept[0], kept[-1]), abs=2e-5)


def test_tango_turned_round_and_without_items():
    low, high = tango(np.array([3, 0]), np.array([8, 0]), np.array([50, 0]))
    other = tango(8, 3, 50)
    assert (low[0], high[0]) == pytest.approx((-other[1], -other[0]))
    assert np.isnan([low[1], high[1]]).all()
    assert tango(0, 0, 50)[0] == pytest.approx(-(1.959964**2) / (50 + 1.959964**2))


def test_the_p_value_and_the_bound_say_the_same():
    rng = np.random.default_rng(2)
    b, c = rng.integers(0, 15, (2, 500))
    n = b + c + rng.integers(1, 200, 500)
    for alpha in (0.025, 0.00125):
        np.testing.assert_array_equal(
            non_inferior(b, c, n, 0.05) < alpha, tango(b, c, n, alpha)[0] > -0.05
        )


def test_flips_and_accuracy_change_from_one_table():
    rng = np.random.default_rng(3)
    before, after = rng.random((2, 300)) < 0.6
    asked = rng.random(300) < 0.9
    b, c, n = pairs(before, after, asked)
    assert (b + c) / n == pytest.approx(np.mean((before != after)[asked]))
    assert (c - b) / n == pytest.approx(after[asked].mean() - before[asked].mean())
    assert n == asked.sum()


@pytest.mark.parametrize("n", [100, 400])
@pytest.mark.parametrize("discordance", [0.06, 0.1, 0.3])
def test_a_loss_of_the_margin_passes_at_most_at_alpha(n, discordance):
    tables = drawn(n, discordance, shift=-0.05, count=40_000)
    rate = np.mean(non_inferior(*tables, n, 0.05) < 0.025)
    assert rate <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / 40_000)


@pytest.mark.parametrize(("shift", "discordance"), [(0.0, 0.1), (0.0, 0.3), (-0.02, 0.12)])
def test_power_and_items_needed_equal_simulation(shift, discordance):
    n = items_needed(0.05, 0.025, discordance, shift)
    passed = np.mean(non_inferior(*drawn(n, discordance, shift, 20_000), n, 0.05) < 0.025)
    assert passed == pytest.approx(0.8, abs=0.03)
    assert power(0.05, 0.025, n, discordance, shift) == pytest.approx(0.8, abs=2e-3)
    assert items_needed(0.05, 0.025, discordance, -0.05) is None


@pytest.mark.parametrize(
    ("low_loss", "high_loss", "high_gain"), [(0.0, 0.03, 0.03), (0.02, 0.3, 0.2)]
)
def test_tango_covers_95_times_in_100_also_near_0(low_loss, high_loss, high_gain):
    """Over a range of truths: at one truth, a few discordant items make any coverage jump."""
    n, count = 300, 40_000
    rng = np.random.default_rng(11)
    loss, gain = rng.uniform(low_loss, high_loss, count), rng.uniform(0, high_gain, count)
    lost, gained, _ = rng.multinomial(n, np.stack([loss, gain, 1 - loss - gain], axis=1)).T
    low, high = tango(lost, gained, n)
    covered = np.mean((low <= gain - loss) & (gain - loss <= high))
    assert covered >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / count)
    assert covered <= 0.96  # next to 0 a little more than asked for


def drawn(n, discordance, shift, count):
    """Losses and gains of `count` simulated tables."""
    rng = np.random.default_rng(int(1000 * discordance) + n)
    loss, gain = (discordance - shift) / 2, (discordance + shift) / 2
    table = rng.multinomial(n, [loss, gain, 1 - loss - gain], count)
    return table[:, 0], table[:, 1]

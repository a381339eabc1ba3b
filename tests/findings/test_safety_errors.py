"""Error rates of the safe level: by simulation, with clusters, and among twenty recipes."""

import numpy as np
import pytest
from answers_by_hand import YN
from lobotomy_logs import task

from resect.findings.curves import Curve, Sampled
from resect.findings.evidence import evidence
from resect.findings.frame import Key, TaskFrame
from resect.findings.safety import passed_levels
from resect.findings.smallest_version import smallest_safe
from resect.stats.intervals import item_weights
from resect.stats.multiplicity import fixed_sequence
from resect.stats.paired import non_inferior
from resect.stats.paired_change import PairedCounts

MARGIN = 0.05


def tables(rng, n, shift, discordance, shape):
    """Losses and gains of simulated tests."""
    loss, gain = (discordance - shift) / 2, (discordance + shift) / 2
    counts = rng.multinomial(n, [loss, gain, 1 - loss - gain], shape)
    return counts[..., 0], counts[..., 1]


@pytest.mark.parametrize("unsafe", [0, 2])
@pytest.mark.parametrize("discordance", [0.07, 0.15, 0.3])
def test_an_unsafe_level_is_declared_safe_at_most_at_alpha(unsafe, discordance):
    """Three tasks, five levels; from `unsafe` on one task has lost exactly the margin."""
    rng, count, alpha = np.random.default_rng(unsafe), 20_000, 0.025
    passes = np.empty((count, 3, 5), dtype=bool)
    for t, n in enumerate((300, 400, 1000)):
        for level in range(5):
            shift = -MARGIN if t == 0 and level >= unsafe else 0.0
            passes[:, t, level] = (
                non_inferior(*tables(rng, n, shift, discordance, count), n, MARGIN) < alpha
            )
    declared = np.mean(fixed_sequence(passes) > unsafe)
    assert declared <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / count)


def test_no_false_smallest_safe_over_twenty_recipes():
    """Every version of every recipe is unsafe at the margin; naming any is an error."""
    rng, count, alpha, many = np.random.default_rng(5), 20_000, 0.025, 20
    wrong = np.zeros(count, dtype=bool)
    for _ in range(many):
        found = non_inferior(*tables(rng, 400, -MARGIN, 0.12, (count, 1, 3)), 400, MARGIN)
        wrong |= fixed_sequence(found < alpha / many) > 0
    assert wrong.mean() <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / count)
    assert wrong.mean() > alpha / 10  # the test is not merely asleep


def simulated(rng, name, n, losses, recipe="cut", seed=0):
    """Evidence of one task whose accuracy falls by `losses` below 0.8; all four tests real."""
    frame = TaskFrame(
        name,
        YN,
        tuple(map(str, range(n))),
        tuple(map(str, range(n))),
        (np.arange(n) % 2).astype(np.int8),
    )
    levels = (0.0, *(0.1 * (i + 1) for i in range(len(losses))))
    base = rng.random(n) < 0.8
    rows = [base]
    for loss in losses:
        gain = 0.04
        fall = rng.random(n) < (loss + gain) / 0.8
        rise = rng.random(n) < gain / 0.2
        rows.append(np.where(base, ~fall, rise))
    codes = np.where(np.stack(rows), frame.gold, 1 - frame.gold).astype(np.int8)
    keys = tuple(Key("m", recipe, seed, x, "text") for x in levels)
    curve = Curve("m", "m", recipe, seed, "text", levels, keys, codes, frame)
    weights = item_weights(frame.clusters, 40, 0, name)
    return evidence(Sampled(curve, weights), None, task(name, YN, positive="yes"), MARGIN)


def test_the_whole_path_declares_an_unsafe_level_at_most_at_alpha():
    rng, count, alpha = np.random.default_rng(9), 500, 0.025
    unsafe, careful = 0, 0
    for _ in range(count):
        found = [simulated(rng, "a", 300, (0, MARGIN)), simulated(rng, "b", 400, (0, 0))]
        passed = passed_levels(found, alpha)
        unsafe += len(passed) > 1
        careful += len(passed) < 1
    assert unsafe / count <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / count)
    assert careful < count


def test_the_whole_path_names_no_false_smallest_safe_over_twenty_recipes():
    rng, count, alpha = np.random.default_rng(10), 40, 0.025
    named = 0
    for _ in range(count):
        found = [simulated(rng, "a", 400, (MARGIN,), f"t{i}") for i in range(20)]
        (row,) = smallest_safe(found, alpha, {})
        assert row.alpha_each == alpha / 20
        named += row.recipe is not None
    assert named / count <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / count)


def test_one_unsafe_seed_is_enough_and_harmless_seeds_do_not_hide_it():
    """Four seeds lose nothing, one the margin: any seed is unsafe to save."""
    rng, count, alpha = np.random.default_rng(11), 60, 0.025
    named = 0
    for _ in range(count):
        found = [
            simulated(rng, "a", 1000, (MARGIN if seed == 0 else 0,), "random", seed)
            for seed in range(5)
        ]
        (row,) = smallest_safe(found, alpha, {})
        assert (row.recipes, row.alpha_each) == (1, alpha)
        named += row.recipe is not None
    assert named / count <= alpha + 3 * np.sqrt(alpha * (1 - alpha) / count)


def clustered(size, effect, rng, count=2000, n=400):
    """How often an unsafe level passes where the items of a parent move together."""
    clusters = np.arange(n) // (size if effect else 1)
    moves = rng.choice([-1, 0, 1], size=(count, n // size), p=[0.15, 0.75, 0.10])
    change = np.repeat(moves, size, axis=1)
    before, after = change <= 0, change >= 0  # lost, gained, or right both times
    declared = 0
    for x, y in zip(before, after, strict=True):
        found = PairedCounts.of(x, y[None], np.ones((1, n), dtype=bool), clusters)
        declared += found.p(MARGIN)[0] < 0.025
    return declared / count


@pytest.mark.parametrize("size", [1, 4, 10])
def test_items_of_one_parent_do_not_raise_the_error_rate(size):
    rate = clustered(size, True, np.random.default_rng(size))
    assert rate <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / 2000)


def test_without_the_design_effect_they_would():
    assert clustered(10, False, np.random.default_rng(1)) > 0.1

"""Items that share a parent: what they are worth, in tests and in intervals."""

import numpy as np
import pytest
from answers_by_hand import YN, cell, run
from lazy import WHEN_RUN

from resect.findings.evidence import in_words
from resect.stats.design_effect import (
    FEWEST,
    USUAL,
    below,
    design_effect,
    quantile,
    share,
    too_few_parents,
)
from resect.stats.intervals import wilson
from resect.stats.paired import mcnemar, non_inferior, power, tango
from resect.stats.paired_change import PairedCounts, PairedMeans

if WHEN_RUN:
    from scipy.stats import norm
    from scipy.stats import t as student


def parents(count, size):
    return np.repeat(np.arange(count), size)


def everything(n):
    return np.ones(n, dtype=bool)


def changed(n, lost=(), gained=()):
    """Right before and after, apart from the items lost and gained, as one level."""
    before, after = everything(n), everything(n)
    before[list(gained)] = after[list(lost)] = False
    return before, after[None], everything(n)[None]


def test_worth_by_hand():
    """Four parents of three; one wholly right, another in one of three, 4 of 12 right."""
    right = np.array([1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0], dtype=bool)
    alone = 4 * (2 / 3) ** 2 + 8 * (1 / 3) ** 2  # squares about 1/3
    between = (2**2 + 0**2 + 1 + 1) * 4 / 3
    seen = (between / (alone * 12 / 11) - 1) / 2
    found = design_effect(right, everything(12), parents(4, 3))
    assert seen > USUAL  # so nothing is raised
    assert found == pytest.approx((1 + 2 * seen, 4, 3))


def test_a_low_correlation_is_raised_by_the_less_the_more_items_tell():
    """Ten parents of four, two of each right: they differ less than independent items would."""
    right = np.tile([True, True, False, False], 10)
    found = design_effect(right, everything(40), parents(10, 4))
    told = 40  # all items are as far from the mean
    assert found.deff == pytest.approx(1 + 3 * USUAL * 20 / (20 + told))
    rare = np.arange(40) == 0
    assert design_effect(rare, everything(40), parents(10, 4)).deff > 1 + 3 * USUAL * 0.9
    assert design_effect(rare & False, everything(40), parents(10, 4)).deff == 1 + 3 * USUAL


def test_parents_of_unequal_size_count_as_fewer():
    clusters = np.r_[np.zeros(400, int), np.arange(1, 101)]
    found = design_effect(everything(500), everything(500), clusters)
    assert found.parents == pytest.approx(500**2 / (400**2 + 100))
    few = too_few_parents(everything(500), clusters)
    assert few == (500, 101, found.parents)
    assert in_words(few) == (
        "its 500 items come from 101 parents, no more than 1.6 of equal size, and at least 20 are "
        "needed"
    )


def test_where_nothing_is_shared_nothing_changes():
    rng = np.random.default_rng(0)
    before, after = rng.random((2, 300)) < 0.8
    alone, asked = np.arange(300), everything(300)
    pairs_of = parents(150, 2)
    first = np.arange(300) % 2 == 0  # of each pair, so no two share a parent
    assert share(after, asked, alone) == wilson(int(after.sum()), 300)
    assert share(after, first, pairs_of) == wilson(int((after & first).sum()), 150)
    assert share(after, asked & False, alone) == wilson(0, 0)
    found = PairedCounts.of(before, after[None], asked[None], alone)
    b, c, n = (float(x[0]) for x in found.table)
    assert found.p(0.05)[0] == non_inferior(b, c, n, 0.05)
    assert found.bounds(0, 0.025) == tango(b, c, n)
    assert found.unequal(0) == mcnemar(b, c)
    assert found.deff[0] == 1
    assert too_few_parents(asked[:5], alone[:5]) is None


def test_a_share_by_hand():
    right = np.tile([True, True, False, False], 30)
    effect = design_effect(right, everything(120), parents(30, 4)).deff
    z = student.ppf(0.975, 29)
    found = share(right, everything(120), parents(30, 4))
    assert found.value == 0.5
    assert found.high == pytest.approx(wilson(60 / effect, 120 / effect, z).high)
    assert found.high > wilson(60, 120).high


def test_quantiles_are_students_or_the_normal():
    assert quantile(0.025, 9) == pytest.approx(student.ppf(0.975, 9))
    assert quantile(0.025, np.inf) == pytest.approx(norm.ppf(0.975))
    both = below(np.array([-2.0, -2.0]), np.array([9, np.inf]))
    np.testing.assert_allclose(both, [student.cdf(-2, 9), norm.cdf(-2)])


def test_two_answers_that_flip_do_not_decide_a_test():
    """No change, one loss, and one loss with one gain are almost the same evidence."""
    clusters = parents(25, 20)
    ps = [
        float(PairedCounts.of(*changed(500, lost, gained), clusters).p(0.05)[0])
        for lost, gained in (((), ()), ((77,), ()), ((77,), (0,)))
    ]
    assert max(ps) < 0.025  # without a single change the test passes
    assert max(ps) / min(ps) < 2


def test_bound_p_and_provable_margin_agree():
    rng = np.random.default_rng(3)
    clusters, n = parents(25, 8), 200
    top = rng.random((2, n))
    for _ in range(30):
        before, after = rng.random((2, n)) < rng.uniform(0.8, 1, size=(2, 1))
        top[1] = np.clip(top[0] + rng.normal(-0.02, 0.1, n), 0, 1)
        ones = np.ones((2, n))
        for found, at in (
            (PairedCounts.of(before, after[None], everything(n)[None], clusters), 0),
            (PairedMeans.of(top, ones, ones.astype(bool), clusters), 1),
        ):
            edge = found.provable(at, 0.025)
            assert found.freedom[at] == 24
            if edge > 0:
                assert found.p(edge + 1e-6)[at] < 0.025 < found.p(edge - 1e-6)[at]
            if at == 0:
                assert edge == max(0, -found.bounds(0, 0.025)[0])


def test_power_of_the_items_needed_is_four_in_five():
    rng = np.random.default_rng(4)
    clusters, n = parents(30, 10), 300
    before = rng.random(n) < 0.8
    after = before ^ (rng.random(n) < 0.1)
    found = PairedCounts.of(before, after[None], everything(n)[None], clusters)
    needed = found.needed(0, 0.05, 0.025)
    loss = min(0.0, float(found.value[0]))
    b, c, m = (float(x[0]) for x in found.table)
    asked = needed / found.deff[0]
    assert power(0.05, 0.025, asked, (b + c) / m, loss, 29) == pytest.approx(0.8, abs=0.01)


def test_one_parent_of_many_items_is_never_judged():
    before = np.full(3000, 0.9)
    top = np.stack([before, before - 1e-3 * np.random.default_rng(0).random(3000)])
    found = PairedMeans.of(top, np.ones((2, 3000)), np.ones((2, 3000), bool), parents(1, 3000))
    assert found.p(0.05)[1] > 0.025
    assert found.deff[1] == pytest.approx(1 + 2999 * USUAL)  # one parent tells nothing of it
    few = too_few_parents(everything(3000), parents(1, 3000))
    assert in_words(few) == "its 3000 items come from one parent and at least 20 are needed"


def drawn(rng, trials, count, size, share_of, apart):
    """Items right (trials, N); shares of parents are beta with a correlation of 1 / (apart + 1)."""
    rates = rng.beta(share_of * apart, (1 - share_of) * apart, (trials, count, 1))
    return (rng.random((trials, count, size)) < rates).reshape(trials, -1)


@pytest.mark.parametrize("apart", [12, 6])
@pytest.mark.parametrize("count", [FEWEST, 50])
def test_shares_cover_95_in_100(apart, count):
    rng, trials, clusters = np.random.default_rng(count + apart), 500, parents(count, 20)
    inside = plain = 0
    for row in drawn(rng, trials, count, 20, 0.75, apart):
        _, low, high = share(row, everything(len(row)), clusters)
        inside += low <= 0.75 <= high
        _, low, high = wilson(int(row.sum()), len(row))
        plain += low <= 0.75 <= high
    assert 0.93 <= inside / trials <= 0.975
    assert plain / trials < 0.85


@pytest.mark.parametrize("apart", [12, 6])
@pytest.mark.parametrize("count", [FEWEST, 50])
def test_a_loss_at_the_margin_passes_about_as_often_as_alpha(apart, count):
    """Some parents lose much, most lose little: 10 % lost and 5 % gained of all items."""
    rng, trials, n = np.random.default_rng(count + apart), 800, count * 20
    gained = rng.random((trials, n)) < 0.05 / 0.9
    passed = 0
    for lost, gain in zip(drawn(rng, trials, count, 20, 0.1, apart), gained, strict=True):
        found = PairedCounts.of(
            ~(gain & ~lost), ~lost[None], everything(n)[None], parents(count, 20)
        )
        passed += found.p(0.05)[0] < 0.025
    assert 0.005 <= passed / trials <= 0.025 + 3 * np.sqrt(0.025 * 0.975 / trials)


@pytest.mark.parametrize("count", [3, 5, 10])
def test_equal_models_are_told_apart_at_most_once_in_twenty(count):
    rng, trials, size = np.random.default_rng(count), 400, 20
    one, two = (drawn(rng, trials, count, size, 0.7, 6) for _ in range(2))
    asked, told = everything(count * size)[None], 0
    for left, right in zip(one, two, strict=True):
        told += PairedCounts.of(left, right[None], asked, parents(count, size)).unequal(0) < 0.05
    assert told / trials <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / trials)


def found_in(row, *path):
    for key in path:
        row = row[key]
    return row["low"], row["high"]


def test_every_share_of_a_summary_allows_for_parents():
    """Parents of four items that are answered alike: each interval is that of fewer items."""
    gold = [YN[i // 4 % 2] for i in range(160)]
    frames = []
    for level, wrong in ((0.0, 5), (0.5, 12)):
        said = [YN[1 - YN.index(g)] if i // 4 % 40 < wrong else g for i, g in enumerate(gold)]
        bold = [(-3.0, -0.1) if x == "no" else (-0.1, -3.0) for x in said]
        tags = [{"half": str(i // 80)} for i in range(160)]
        more = {"option_scores": bold, "tags": tags, "stopped": "length"}
        frames.append(cell("m", level, gold, said, said, **more))
    alone = run(frames)
    found = run([f.assign(parent=[f"p{i // 4}" for i in range(160)]) for f in frames])
    paths = (
        ("curves", "metrics", "cut_off"),
        ("bias", "predicted", "yes"),
        ("bias", "positive_share"),
        ("trust", "confident"),
        ("trust", "wrong_and_confident"),
    )
    for table, *path in paths:
        view = "options" if table == "trust" else "text"
        one, two = (
            next(r for r in x[table] if r["view"] == view and r["level"] == 0.5)
            for x in (alone, found)
        )
        (low, high), (plain_low, plain_high) = found_in(two, *path), found_in(one, *path)
        assert high - low > 1.2 * (plain_high - plain_low), path
    one, two = (x["curves"][0] for x in (alone, found))
    assert two["accuracy_low"] < one["accuracy_low"]
    assert two["accuracy_high"] > one["accuracy_high"]
    values = [x["slices"][0]["values"][0]["damaged"] for x in (alone, found)]
    assert values[1]["low"] < values[0]["low"]
    ps = [
        next(r for r in x["trust"] if r["level"] == 0.5)["since_baseline"]["p"]
        for x in (alone, found)
    ]
    assert ps[1] > 100 * ps[0]

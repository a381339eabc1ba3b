"""Items that share a parent: what they are worth, in tests and in intervals."""

import numpy as np
import pytest
from answers_by_hand import YN, cell, run
from lazy import WHEN_RUN

from resect.stats.design_effect import (
    USUAL,
    design_effect,
    share,
)
from resect.stats.intervals import wilson

if WHEN_RUN:
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


def test_a_share_by_hand():
    right = np.tile([True, True, False, False], 30)
    effect = design_effect(right, everything(120), parents(30, 4)).deff
    z = student.ppf(0.975, 29)
    found = share(right, everything(120), parents(30, 4))
    assert found.value == 0.5
    assert found.high == pytest.approx(wilson(60 / effect, 120 / effect, z).high)
    assert found.high > wilson(60, 120).high


def drawn(rng, trials, count, size, share_of, apart):
    """Items right (trials, N); shares of parents are beta with a correlation of 1 / (apart + 1)."""
    rates = rng.beta(share_of * apart, (1 - share_of) * apart, (trials, count, 1))
    return (rng.random((trials, count, size)) < rates).reshape(trials, -1)


@pytest.mark.parametrize("apart", [12, 6])
@pytest.mark.parametrize("count", [20, 50])
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

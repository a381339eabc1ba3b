"""Onset, steepest drop, divergence and what breaks first; censored and refused, never invented."""

import numpy as np
import pytest
from answers_by_hand import cell, flipped, run

from resect.stats.changepoint import breakpoints, first_below, onset, steepest
from resect.stats.crossings import envelope
from resect.stats.intervals import quantile_interval

GOLD = ["yes", "no"] * 100
LEVELS = np.linspace(0, 0.9, 10)


def bent(levels, knot, slope):
    return 1 - slope * np.maximum(0, levels - knot)


def pick(rows, **keys):
    return [row for row in rows if all(row[k] == v for k, v in keys.items())]


@pytest.mark.parametrize("knot", [0.2, 0.35, 0.5])
def test_the_knot_of_two_lines_is_found(knot):
    curve = bent(LEVELS, knot, 1.0)[None]
    assert breakpoints(LEVELS, curve, envelope(curve))[0] == pytest.approx(knot)


def test_the_floor_does_not_draw_the_knot_to_the_end_of_the_drop():
    curve = np.maximum(0.0, bent(LEVELS, 0.3, 4.0))[None]  # all gone at 0.55, then four zeros
    assert breakpoints(LEVELS, curve, envelope(curve))[0] == pytest.approx(0.3, abs=0.03)


def test_curves_that_never_bend_down_or_have_too_few_levels():
    rising = (0.5 + 0.1 * LEVELS**2)[None]
    assert np.isinf(breakpoints(LEVELS, rising, envelope(rising))[0])
    sudden = np.array([[1.0, 0.9, 0.0, 0.0, 0.0]])
    assert np.isnan(breakpoints(LEVELS[:5], sudden, envelope(sudden))[0])
    place, fitted = onset(LEVELS[:5], np.tile(sudden, (3, 1)), envelope(np.tile(sudden, (3, 1))))
    assert place == (None, None, None)
    assert not fitted


def test_an_onset_needs_two_levels_in_a_row():
    dip = np.tile([1.0, 1.0, 0.8, 1.0, 1.0, 1.0], (5, 1))
    assert onset(LEVELS[:6], dip, envelope(dip))[0] == (None, None, None)


def test_the_onset_covers_the_truth():
    rng = np.random.default_rng(4)
    hits = 0
    for _ in range(200):
        noise = rng.normal(0, 0.02, (201, 10))
        sample = noise[:1] + bent(LEVELS, 0.43, 1.2)
        draws = np.concatenate([sample, sample + noise[1:]])
        found, _ = onset(LEVELS, draws, envelope(draws))
        hits += found.low <= 0.43 <= found.high
    assert hits / 200 >= 0.95 - 3 * np.sqrt(0.95 * 0.05 / 200)


def test_steepest_names_the_drop_and_its_share():
    curve = np.array([1.0, 0.95, 0.9, 0.4, 0.3])
    draws = np.tile(curve, (5, 1))
    draws[1, 3] = 0.85  # one resample in four falls fastest one step later
    fall = steepest(LEVELS[:5], draws)
    assert (fall.level.value, fall.to) == (pytest.approx(0.2), pytest.approx(0.3))
    assert [step.share for step in fall.falls] == [0.75, 0.25]


def test_first_below_by_hand():
    gap = np.zeros((101, 4))
    gap[:, 2:] = -0.2
    gap[1:, 1] = np.linspace(-0.1, 0.1, 100)
    found, at = first_below(np.array([0, 0.1, 0.2, 0.3]), gap)
    assert (found.value, at) == (0.2, 2)
    once = np.where(np.arange(4) == 2, -0.2, 0.0) * np.ones((101, 1))
    assert first_below(np.array([0, 0.1, 0.2, 0.3]), once)[1] is None  # one level alone
    late = np.where(np.arange(4) == 3, -0.2, 0.0) * np.ones((101, 1))
    assert first_below(np.array([0, 0.1, 0.2, 0.3]), late)[1] == 3  # no level follows the last
    trivial = np.full((101, 3), -0.001)
    assert first_below(np.array([0, 0.1, 0.2]), trivial)[1] is None


def test_infinity_is_never_and_nan_is_no_value():
    assert quantile_interval(np.array([0.3, *[0.2] * 50, *[np.inf] * 50])) == (0.3, 0.2, None)
    assert quantile_interval(np.array([np.nan, 0.1])) == (None, None, None)


def silenced(share):
    right = flipped(GOLD, 10)
    return [None if i < share * len(GOLD) else a for i, a in enumerate(right)]


def test_answering_breaks_before_skill_by_options():
    frames = [
        cell("m", x, GOLD, silenced(s), flipped(GOLD, 10))
        for x, s in [(0.0, 0), (0.2, 0), (0.4, 0.3), (0.6, 0.8), (0.8, 1.0)]
    ]
    found = run(frames)
    race = found["breaks_first"][0]["race"]
    # the first to fall silent are the wrong ones, so skill by text outlives answering
    assert race["places"]["answering"]["level"] < race["places"]["skill by text"]["level"]
    assert race["places"]["skill by options"] == {
        "level": None, "low": None, "high": None, "censored": True,
        "reason": "more than half is kept through the last level, 0.8",
    }  # fmt: skip
    assert race["first"] == "answering"
    assert 0 < race["low"] <= race["by"] <= race["high"]
    assert race["clear"] == (race["steps_low"] >= 1)
    (never,) = pick(found["cliffs"], metric="skill", kind="half", view="options")
    assert (never["censored"], never["last_level"]) == (True, 0.8)
    (half,) = pick(found["cliffs"], metric="answered", kind="half")
    assert "last_level" not in half
    assert half["level"] == pytest.approx(0.48)
    (bend,) = pick(found["cliffs"], metric="answered", kind="onset")
    assert 0.2 <= bend["level"] <= 0.45


def test_what_is_wrong_breaks_before_what_is_silent():
    frames = [cell("m", x, GOLD, flipped(GOLD, w)) for x, w in [(0.0, 5), (0.3, 30), (0.6, 50)]]
    race = run(frames)["breaks_first"][0]["race"]
    assert (race["first"], race["clear"], race["by"]) == ("skill by text", True, None)


def test_answering_diverges_where_only_wrong_answers_stay_silent_less():
    """Level 0.4 silences everything that was wrong and little that was right: skill is kept."""
    base = flipped(GOLD, 30)
    quiet = [None if a != g else a for a, g in zip(base, GOLD, strict=True)]
    found = run([cell("m", 0.0, GOLD, base), cell("m", 0.4, GOLD, quiet)])
    (row,) = pick(found["cliffs"], kind="divergence")
    assert (row["metric"], row["level"], row["censored"]) == ("answered", 0.4, False)
    assert row["gap_high"] < 0
    intact = run([cell("m", x, GOLD, base) for x in (0.0, 0.4)])
    (row,) = pick(intact["cliffs"], kind="divergence")
    assert (row["level"], row["censored"]) == (None, True)


def test_all_cliffs_are_refused_without_skill_and_without_levels():
    blind = run([cell("m", x, GOLD, flipped(GOLD, 50)) for x in (0.0, 0.2, 0.4, 0.6)])
    for row in pick(blind["cliffs"], metric="skill"):
        assert (row["level"], row["censored"], row["no_skill"]) == (None, False, True)
        assert "last_level" not in row
    assert blind["breaks_first"][0]["race"]["first"] is None
    single = run([cell("m", 0.0, GOLD, GOLD), cell("m", 0.5, GOLD, GOLD).assign(level=4.0)])
    assert all("bits" in row["reason"] and row["level"] is None for row in single["cliffs"])


def test_what_share_is_left_of_an_unsure_start_is_not_told():
    def kept(wrong):
        few = GOLD[:100]
        found = run([cell("m", x, few, flipped(few, w)) for x, w in ((0.0, wrong), (0.5, 25))])
        (area,) = pick(found["robustness"], kind="retention")
        (half,) = pick(found["cliffs"], kind="half", metric="skill")
        assert area["reason"] == half["reason"]
        return area["value"], area["reason"]

    assert kept(10) == (pytest.approx(0.5), None)  # from skill .6 to 0
    value, reason = kept(19)  # skill .24, the lower end a fifth of it
    assert value is None
    assert reason.startswith("the start, 0.24 [0.0")
    assert reason.endswith("], is too unsure to say what share of it is left")

"""Flips, McNemar, calibration, Brier, risk-coverage and confident errors against plain code."""

import numpy as np
import pytest
from answers_by_hand import YN, cell, flipped, run

from resect.findings.encoding import probabilities
from resect.stats import confidence as cal
from resect.stats.intervals import item_weights
from resect.stats.paired import mcnemar

GOLD = ["yes", "no"] * 60


def believed(n=400, k=3, seed=0):
    """Answers whose confidence is what it should be: right with the probability they say."""
    rng = np.random.default_rng(seed)
    table = rng.dirichlet(np.ones(k), n).astype(np.float32)
    gold = (rng.random(n)[:, None] > table.cumsum(axis=1)[:, :-1]).sum(axis=1).astype(np.int8)
    return cal.Beliefs(table.argmax(axis=1).astype(np.int8)[None], gold, table[None])


def test_changes_by_hand():
    found = run([cell("m", x, GOLD, flipped(GOLD, w)) for x, w in [(0.0, 10), (0.2, 4), (0.4, 25)]])
    first, second, third = found["trust"]
    assert first["since_baseline"] is None
    assert first["since_previous"] is None
    assert second["since_baseline"] == second["since_previous"]
    assert (second["since_baseline"]["lost"], second["since_baseline"]["gained"]) == (0, 12)
    assert third["since_previous"]["level"] == 0.2
    assert (third["since_previous"]["lost"], third["since_previous"]["gained"]) == (42, 0)
    assert third["since_baseline"]["p"] == pytest.approx(float(mcnemar(30, 0)))


def test_changes_agree_with_the_curves():
    rng = np.random.default_rng(1)
    frames = [cell("m", x, GOLD, list(rng.choice([*YN, None], 120))) for x in (0.0, 0.3, 0.6)]
    found = run(frames)
    for point, row in zip(found["curves"], found["trust"], strict=True):
        change = row["since_baseline"]
        if change:
            n = change["n"]
            assert change["flips"] == (change["lost"] + change["gained"]) / n == point["flips"]
            moved = point["accuracy"] - found["curves"][0]["accuracy"]
            assert change["accuracy_change"] == pytest.approx(moved)
            assert moved == pytest.approx((change["gained"] - change["lost"]) / n)


def test_softmax_and_rows_without_scores():
    rows = [(0.0, np.log(3.0)), None, (1.0, np.nan), [5.0], np.array([-1e4, 0.0])]
    found = probabilities(rows, [("a", "b")] * 5, ("a", "b"))
    np.testing.assert_allclose(found[0], [0.25, 0.75], atol=1e-7)
    assert np.isnan(found[1:4]).all()
    np.testing.assert_allclose(found[4], [0, 1])


def test_calibration_brier_and_risk_coverage_equal_plain_code():
    found = believed()
    ones = np.ones((1, 400), dtype=np.float32)
    confidence, right = found.confidence[0], found.right[0]
    order = np.argsort(confidence, kind="stable")
    bins = np.array_split(order, cal.BINS) if 400 % cal.BINS == 0 else None
    place = np.arange(400) * cal.BINS // 400
    plain = sum(
        abs(np.sum(confidence[order[place == b]] - right[order[place == b]]))
        for b in range(cal.BINS)
    )
    assert bins is None
    error = cal.calibration_error(ones, found).counted[0, 0]
    assert error == pytest.approx(plain / 400, abs=1e-6)
    gold = np.eye(3)[found.gold]
    brier = ((found.probabilities[0] - gold) ** 2).sum(axis=1).mean()
    assert cal.brier_score(ones, found)[0, 0] == pytest.approx(brier, abs=1e-6)
    wrong = ~right[np.argsort(-confidence, kind="stable")]
    curve = np.cumsum(wrong) / np.arange(1, 401)
    assert cal.risk_coverage(ones, found)[0, 0] == pytest.approx(curve.mean(), abs=1e-6)


def test_weights_equal_repeating_the_items():
    found = believed(60, seed=3)
    times = np.random.default_rng(0).integers(0, 4, 60)
    again = cal.Beliefs(
        *(
            np.repeat(x, times, axis=a)
            for x, a in ((found.codes, 1), (found.gold, 0), (found.probabilities, 1))
        )
    )
    weights, ones = times[None].astype(np.float32), np.ones((1, times.sum()), dtype=np.float32)
    assert cal.brier_score(weights, found)[0, 0] == pytest.approx(
        cal.brier_score(ones, again)[0, 0]
    )
    assert cal.risk_coverage(weights, found)[0, 0] == pytest.approx(
        cal.risk_coverage(ones, again)[0, 0], abs=0.02
    )


def test_a_calibrated_model_has_a_small_error_and_an_overconfident_one_a_large_one():
    good = believed(2000, seed=5)
    ones = np.ones((1, 2000), dtype=np.float32)
    assert cal.calibration_error(ones, good).counted[0, 0] < 0.05
    bold = np.full_like(good.probabilities, 0.01)
    np.put_along_axis(bold, good.codes[..., None].astype(int), 0.98, axis=2)
    found = cal.Beliefs(good.codes, good.gold, bold)
    assert cal.calibration_error(ones, found).counted[0, 0] > 0.2


def test_resamples_in_blocks_equal_resamples_at_once():
    found = believed(90, seed=2)
    weights = item_weights([str(i) for i in range(90)], 450, 0, "t")
    each = [cal.risk_coverage(weights[i : i + 1], found) for i in range(451)]
    np.testing.assert_allclose(cal.risk_coverage(weights, found), np.concatenate(each))


def test_ties_in_confidence_share_their_errors_in_any_order():
    table = np.full((1, 10, 2), 0.5, dtype=np.float32)
    gold = np.array([0, 1] * 5, dtype=np.int8)
    ones = np.ones((1, 10), dtype=np.float32)
    for turn in (gold, gold[::-1]):
        found = cal.Beliefs(np.zeros((1, 10), dtype=np.int8), turn, table)
        assert cal.risk_coverage(ones, found)[0, 0] == pytest.approx(0.5)


def test_confident_errors_both_ways():
    scores = [(np.log(0.9), np.log(0.1))] * 60 + [(np.log(0.6), np.log(0.4))] * 60
    frames = [cell("m", x, GOLD, GOLD, ["yes"] * 120, option_scores=scores) for x in (0.0, 0.5)]
    row = next(r for r in run(frames)["trust"] if r["view"] == "options")
    assert row["confident"]["value"] == pytest.approx(0.5)
    assert row["wrong_and_confident"]["value"] == pytest.approx(30 / 120)
    assert row["wrong_if_confident"]["value"] == pytest.approx(30 / 60)
    assert row["wrong_if_confident"]["n"] == 60
    assert row["calibration_error"]["low"] <= row["calibration_error"]["value"]
    text = next(r for r in run(frames)["trust"] if r["view"] == "text")
    assert text["brier"] is None
    assert "options" in text["reason"]

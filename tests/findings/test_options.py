"""Items with different numbers of options, several right answers, and options that abstain."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
from answers_by_hand import cell, run

from resect import tasks
from resect.findings.curves import ONE_LABEL
from resect.findings.encoding import probabilities
from resect.record import ABSTAIN
from resect.tasks import Source

LETTERS = "ABCDE"


def mixed(answer) -> dict:
    """40 items with two options and 90 with five, each place right equally often; one point."""
    sizes = [2] * 40 + [5] * 90
    gold = [LETTERS[i % k] for i, k in enumerate(sizes)]
    meant = [tuple(LETTERS[:k]) for k in sizes]
    said = [answer(g, m) for g, m in zip(gold, meant, strict=True)]
    found = run([cell("m", 0.0, gold, said, meant=meant)], labels=LETTERS)
    return {**found["curves"][0], "floors": found["tasks"][0]["floors"]}


@pytest.mark.parametrize("label", LETTERS)
def test_a_constant_answer_is_worth_nothing(label):
    """Also one that only some items offer."""
    assert mixed(lambda gold, options: label)["skill"] == pytest.approx(0, abs=1e-9)


def test_silence_oracle_and_what_lies_between():
    assert mixed(lambda gold, options: None)["skill"] == 0
    assert mixed(lambda gold, options: gold)["skill"] == 1
    # right where there are five options, silent where there are two: 90 of 130 items
    half = mixed(lambda gold, options: gold if len(options) == 5 else None)
    assert half["skill"] == pytest.approx(90 / 130)
    # wrong by one place: -1 of two options, -1/4 of five
    wrong = mixed(lambda gold, options: options[(options.index(gold) + 1) % len(options)])
    assert wrong["skill"] == pytest.approx((40 * -1 + 90 * -1 / 4) / 130)


def test_guessing_is_worth_nothing_and_its_floor_is_each_items_own():
    rng = random.Random(0)
    guesses = [mixed(lambda gold, options: rng.choice(options)) for _ in range(40)]
    mean = float(np.mean([one["skill"] for one in guesses]))
    error = float(np.std([one["skill"] for one in guesses])) / 40**0.5
    assert abs(mean) < 4 * error
    assert guesses[0]["floors"]["chance"] == pytest.approx((40 / 2 + 90 / 5) / 130)
    right = float(np.mean([one["accuracy"] for one in guesses]))
    assert right == pytest.approx(guesses[0]["floors"]["chance"], abs=0.03)


def test_probabilities_go_to_what_options_count_as():
    rows = [(0.0, 0.0), (0.0, 0.0, np.log(2.0)), (0.0, 0.0, 0.0, 0.0), (0.0,), (0.0, np.nan)]
    meant = [("A", "B"), ("A", "C", "C"), ("abstain", "B", "abstain", "D"), ("A", "B"), ("A", "B")]
    labels = ("A", "B", "C", "D", "abstain")
    found = probabilities(rows, meant, labels)
    np.testing.assert_allclose(found[0], [0.5, 0.5, 0, 0, 0])
    np.testing.assert_allclose(found[1], [0.25, 0, 0.75, 0, 0])
    np.testing.assert_allclose(found[2], [0, 0.25, 0, 0.25, 0.5])
    assert np.isnan(found[3:]).all()


def test_always_abstaining_has_no_skill_to_show():
    """Where abstaining is always right, only its rate is defined."""
    meant = [(ABSTAIN, "B", "C"), ("A", ABSTAIN, ABSTAIN), ("A", "B", "C", ABSTAIN)] * 10
    gold = [ABSTAIN] * 30
    labels = ("A", "B", "C", "D", ABSTAIN)
    for said, rate in ((ABSTAIN, 1.0), ("B", 0.0)):
        found = run([cell("m", 0.0, gold, [said] * 30, meant=meant)], labels=labels)
        (point,), (task,) = found["curves"], found["tasks"]
        assert point["accuracy"] == rate
        assert point["prediction_share"][ABSTAIN] == rate
        assert point["skill"] is None
        assert point["metrics"]["skill"]["reason"] == ONE_LABEL
        assert task["floors"]["chance"] == pytest.approx((1 / 3 + 2 / 3 + 1 / 4) / 3)


@pytest.mark.parametrize("name", ["truthfulqa", "medhalt-fake", "medmcqa"])
def test_the_items_own_meanings_reach_the_analysis(name, data_dir: Path):
    """The chance of the very items, from labels and meanings as the store passes them on."""
    items = tasks.get(name).items(Source(data_dir, limit=300))
    meant = [tuple(map(item.meaning, item.labels)) for item in items]
    gold = [item.gold for item in items]
    scores = [tuple(0.0 for _ in options) for options in meant]
    info = tasks.get(name).info
    rows = cell("m", 0.0, gold, gold, gold, meant=meant, option_scores=scores)
    found = run([rows], labels=info.labels)
    chance = float(np.mean([m.count(g) / len(m) for m, g in zip(meant, gold, strict=True)]))
    assert found["tasks"][0]["floors"]["chance"] == pytest.approx(chance)
    by_view = {row["view"]: row for row in found["trust"]}
    assert by_view["options"]["brier"]["value"] > 0

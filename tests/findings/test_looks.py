"""Asking in looks: which items, what early looks decide, and what the verdict makes of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from answers_by_hand import cell, flipped, run
from hypothesis import given
from hypothesis import strategies as st

from resect.findings.frame import TaskFrame
from resect.findings.item_order import halves, look_numbers
from resect.findings.looks import SHARES, last_level
from resect.stats.alpha_spending import levels

GOLD = ["yes", "no"] * 500
IDS = tuple(f"i{i:03d}" for i in range(len(GOLD)))


def frame(gold, clusters):
    names = tuple(f"{i:04d}" for i in range(len(gold)))
    codes = np.array(gold, dtype=np.int8)
    return TaskFrame("t", ("a", "b", "c"), names, tuple(clusters), codes, ids=names)


def asked_until(look, gold=GOLD):
    """The items of a task by hand up to a look."""
    names = tuple(f"i{i:03d}" for i in range(len(gold)))
    codes = np.array([("yes", "no").index(g) for g in gold], dtype=np.int8)
    numbers = look_numbers(TaskFrame("t", ("yes", "no"), names, names, codes), 0, SHARES)
    order = sorted(range(len(names)), key=names.__getitem__)
    assert [names[i] for i in order] == sorted(names)
    return {name for name, number in zip(names, numbers, strict=True) if number <= look}


def in_looks(wrong, looks, gold=GOLD):
    """Cells of one sweep with `wrong[level]` mistakes a label, asked up to `looks[level]`."""
    cells = []
    for level, count in wrong.items():
        rows = cell("m", level, gold, flipped(gold, count))
        if level:
            rows = rows[rows["item"].isin(asked_until(looks[level], gold))]
        cells.append(rows)
    return run(cells, study={"name": "hand", "sequential": True})


def only_verdict(summary):
    return next(row for row in summary["verdicts"] if row["default"])


@given(
    st.lists(st.integers(0, 2), min_size=1, max_size=200),
    st.integers(1, 4),
    st.integers(0, 5),
)
def test_every_look_has_its_share_of_every_label_and_whole_parents(gold, family, seed):
    clusters = [f"p{i // family}" for i in range(len(gold))]
    asked = frame(gold, clusters)
    numbers = look_numbers(asked, seed, SHARES)
    first = {}
    for place, name in enumerate(clusters):
        first.setdefault(name, place)
        assert numbers[place] == numbers[first[name]]
    for label in set(gold):
        places = [p for p in first.values() if gold[p] == label]
        for look, share in enumerate(SHARES, start=1):
            taken = sum(numbers[p] <= look for p in places)
            assert abs(taken - share * len(places)) <= 1
    assert set(numbers) <= set(range(1, len(SHARES) + 1))


def test_either_half_gives_its_share_to_every_look():
    asked = frame([0] * 200 + [1] * 200, [f"{i}" for i in range(400)])
    numbers = look_numbers(asked, 3, SHARES)
    for half in halves(asked, 3):
        for look, share in enumerate(SHARES, start=1):
            assert abs((numbers[half] <= look).sum() - share * half.sum()) <= 2


def test_the_order_is_that_of_the_seed():
    asked = frame([0] * 100, [f"{i}" for i in range(100)])
    same, other = (look_numbers(asked, seed, SHARES) for seed in (0, 1))
    assert (look_numbers(asked, 0, SHARES) == same).all()
    assert (same != other).any()


def test_half_of_the_items_pass_at_their_own_level():
    summary = in_looks({0.0: 25, 0.1: 25}, {0.1: 2})
    row = only_verdict(summary)
    assert (row["passed_level"], row["state"]) == (0.1, "passed")
    (test,) = row["tasks"]
    assert test["n"] == 500
    assert test["p"] < levels(0.025, SHARES)[1] < 0.0016
    assert not [text for text in summary["warnings"] if "every level" in text]


def test_what_passes_all_items_need_not_pass_a_look():
    """A quarter of the items is tested at 0.0000074, not at 0.025."""
    row = only_verdict(in_looks({0.0: 25, 0.1: 33}, {0.1: 1}))
    assert row["state"] == "not proven"
    assert row["tasks"][0]["p"] > levels(0.025, SHARES)[0]


def test_the_interval_is_the_test_turned_round_at_every_look():
    for look in range(1, 5):
        for wrong in (25, 40, 60, 90):
            row = only_verdict(in_looks({0.0: 25, 0.1: wrong}, {0.1: look}))
            (test,) = row["tasks"]
            passes = test["p"] < levels(0.025, SHARES)[look - 1]
            assert (test["low"] > -test["margin"]) == passes


def test_items_asked_beyond_a_look_do_not_count():
    """A stopped cell may have answers of the next look; the look before it is what is tested."""
    cells = [cell("m", 0.0, GOLD, flipped(GOLD, 25)), cell("m", 0.1, GOLD, flipped(GOLD, 25))]
    asked = asked_until(2) | set(sorted(asked_until(3) - asked_until(2))[:40])
    cells[1] = cells[1][cells[1]["item"].isin(asked)]
    summary = run(cells, study={"name": "hand", "sequential": True})
    assert only_verdict(summary)["tasks"][0]["n"] == 500


def test_skipped_levels_are_no_gap():
    frames = [cell("m", 0.0, GOLD, flipped(GOLD, 25)), cell("m", 0.1, GOLD, flipped(GOLD, 300))]
    frames[1] = frames[1][frames[1]["item"].isin(asked_until(1))]
    blank = {"model": "m", "recipe": "cut", "level": 0.2, "status": "skipped", "reason": "no need"}
    summary = run(frames, failed=[blank], study={"name": "hand", "sequential": True})
    assert not [text for text in summary["warnings"] if "options view" not in text]
    row = only_verdict(summary)
    assert [level["level"] for level in row["levels"]] == [0.1]
    assert row["state"] == "failed"
    assert pd.isna(row["passed_level"])


@pytest.mark.parametrize("alpha", [0.025, 0.05])
def test_the_last_look_is_a_little_stricter_than_a_single_one(alpha):
    assert 0.85 * alpha < last_level(alpha) < alpha

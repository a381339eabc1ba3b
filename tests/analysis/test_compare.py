"""Holm over tasks, the smallest difference that could be shown, and more than two models."""

import numpy as np
import pandas as pd
import pytest
from answers_by_hand import YN, cell, flipped, run
from lobotomy_logs import task

from resect.analysis import summarise
from resect.analysis.compare import adjusted, detectable
from resect.analysis.courses import pairs
from resect.analysis.holm import bootstrap_p, holm

GOLD = ["yes", "no"] * 50


def model(name, course, role=None, tasks="t"):
    return [
        cell(name, x, GOLD, flipped(GOLD, w)).assign(role=role or name, task=tasks)
        for x, w in course
    ]


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.001]) == pytest.approx([0.5, 0.002])
    assert holm([0.9, 0.8]) == [1.0, 1.0]
    assert holm([]) == []


def test_holm_keeps_the_family_wise_error():
    p = np.random.default_rng(0).random((4000, 5))
    wrong = np.mean([min(holm(row)) <= 0.05 for row in p])
    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 4000)


def test_the_bootstrap_p_value_agrees_with_the_interval():
    draws = np.concatenate([[1.0], np.random.default_rng(1).normal(1.0, 0.4, 999)])
    assert bootstrap_p(draws) == pytest.approx(2 * (1 + (draws[1:] <= 0).sum()) / 1000)
    assert bootstrap_p(np.zeros(100)) == 1.0
    assert bootstrap_p(np.array([np.nan, 1.0])) is None
    assert detectable(draws) == pytest.approx(2.8 * draws[1:].std(ddof=1), rel=0.03)


def test_a_ratio_that_bursts_in_a_few_resamples_does_not_draw_out_what_could_be_shown():
    draws = np.random.default_rng(1).normal(0.2, 0.1, 1001)
    calm = detectable(draws)
    draws[5:15] = 50.0
    assert detectable(draws) == pytest.approx(calm, rel=0.1)
    assert detectable(np.array([np.nan, 1.0])) is None


def test_a_difference_of_2_8_errors_is_found_four_times_in_five():
    rng, n = np.random.default_rng(2), 4000
    found = np.abs(rng.normal(2.8, 1, n)) > 1.96
    assert found.mean() == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / n))


def row(task, kind, low, high, p):
    keys = {"a": "x", "b": "y", "treatment": "cut", "seed": 0, "view": "text", "family": None}
    ends = {"difference": (low + high) / 2, "low": low, "high": high, "p": p, "p_holm": None}
    return {**keys, **ends, "task": task, "kind": kind}


def test_an_adjusted_verdict_needs_both_kinds_after_holm():
    rows = [
        row("t", "absolute", 0.01, 0.03, 0.001), row("t", "retention", 0.01, 0.03, 0.002),
        row("u", "absolute", 0.01, 0.03, 0.03), row("u", "retention", 0.01, 0.03, 0.04),
        row("v", "absolute", -0.01, 0.03, 0.4), row("v", "retention", -0.01, 0.03, 0.3),
    ]  # fmt: skip
    adjusted(rows)
    assert [r["verdict_holm"] for r in rows[::2]] == ["a better", "no evidence", "no evidence"]
    assert rows[2]["p_holm"] == pytest.approx(0.06)
    assert all(r["family"] == 3 for r in rows)


def test_holm_runs_over_tasks_and_both_words_are_kept():
    tasks = {name: task(name, YN) for name in ("t", "u")}
    frames = []
    for name in tasks:
        frames += model("a", [(0.0, 5), (0.5, 6)], "specialist", name)
        frames += model("b", [(0.0, 5), (0.5, 20)], "base", name)
    found = run(frames, tasks=tasks)["comparisons"]
    assert {r["verdict"] for r in found} == {r["verdict_holm"] for r in found} == {"a better"}
    assert all(r["family"] == 2 and r["p_holm"] >= r["p"] for r in found)
    assert all(0 < r["detectable"] < 1 for r in found)


def test_every_model_is_compared_with_the_base():
    roles = {"b": "base", "s": "specialist", "d": "dense", "s2": "specialist"}
    assert pairs(roles) == [("s", "b"), ("s2", "b"), ("d", "b")]
    assert pairs({"x": "x", "y": "y", "z": "z"}) == [("x", "y"), ("z", "y")]
    assert pairs({"x": "x", "s": "specialist"}) == [("s", "x")]
    assert pairs({"x": "x"}) == []
    steps = [(0.0, 5), (0.5, 10)]
    frames = [f for name, role in roles.items() for f in model(name, steps, role)]
    found = run(frames, models=[{"name": n, "role": r} for n, r in roles.items()])
    assert {(r["a"], r["b"]) for r in found["comparisons"]} == set(pairs(roles))
    assert len(found["divergences"]) == 3


def test_levels_are_also_taken_from_the_answers():
    """Cells that are not listed (other people's answers) still make levels of their curve."""
    answers = pd.concat(model("m", [(0.0, 5), (0.25, 6), (0.5, 20)]), ignore_index=True)
    none = pd.DataFrame(
        columns=["model", "role", "treatment", "level", "seed", "task", "status", "reason", "n"]
    )
    found = summarise(
        study={}, models=[{"name": "m", "role": "m"}], tasks={"t": task("t", YN)}, answers=answers,
        cells=none, measurements=[], provenance={}, resamples=100,
    )  # fmt: skip
    assert [r["level"] for r in found["curves"]] == [0.0, 0.25, 0.5]
    assert found["robustness"][0]["value"] is not None
    assert found["safety"][0]["passed"] == [0.25] or found["safety"][0]["state"] == "none"


def test_uncut_models_on_items_of_one_parent_are_told_apart_less_surely():
    parents = np.repeat([f"p{i}" for i in range(10)], 10)
    frames = model("a", [(0.0, 5)]) + model("b", [(0.0, 10)])
    (plain,) = run(frames)["uncut"]
    (row,) = run([f.assign(parent=parents) for f in frames])["uncut"]
    assert (plain["design_effect"], plain["difference"]) == (1, row["difference"])
    assert row["design_effect"] > 1
    assert row["low"] < plain["low"]
    assert row["p"] > plain["p"] > 0


def test_uncut_models_are_called_by_the_test_that_gives_p():
    few = GOLD[:40]
    found = []
    for only in (5, 6):
        worse = [None if i < only else g for i, g in enumerate(few)]
        (row,) = run([cell("a", 0.0, few, few), cell("b", 0.0, few, worse)])["uncut"]
        assert (row["only_a"], row["only_b"]) == (only, 0)
        assert row["low"] > 0
        found.append((row["p"], row["verdict"]))
    assert found == [(0.0625, "no evidence"), (0.03125, "a better")]

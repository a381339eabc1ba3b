"""Holm, how many items a verdict takes, what could be shown, and more than two models."""

import numpy as np
import pandas as pd
import pytest
from answers_by_hand import YN, cell, flipped, run
from lobotomy_logs import task
from scipy.special import ndtr
from summaries import summarise

from resect.findings.comparability import too_few, weight
from resect.findings.comparisons import adjusted, compare, detectable
from resect.findings.curves import Curve, Sampled, build
from resect.findings.frame import Key, TaskFrame
from resect.findings.planned import pairs
from resect.findings.rows import Better, Comparison
from resect.stats.intervals import item_weights
from resect.stats.multiplicity import bootstrap_p, holm

GOLD = ["yes", "no"] * 50


def model(name, sweep, role=None, tasks="t"):
    return [
        cell(name, x, GOLD, flipped(GOLD, w)).assign(role=role or name, task=tasks)
        for x, w in sweep
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
    low, high = np.quantile(draws[1:], [0.025, 0.975])
    assert (bootstrap_p(draws) < 0.05) == (low > 0)
    assert bootstrap_p(draws) == pytest.approx(2 * ndtr(-3.92 / (high - low)), rel=1e-3)
    assert bootstrap_p(np.zeros(100)) == 1.0
    assert bootstrap_p(np.array([np.nan, 1.0])) is None
    assert detectable(draws) == pytest.approx(2.8 * draws[1:].std(ddof=1), rel=0.03)


def test_a_ratio_that_bursts_in_a_few_resamples_does_not_draw_out_what_could_be_shown():
    draws = np.random.default_rng(1).normal(0.2, 0.1, 1001)
    calm = detectable(draws)
    draws[5:15] = 50.0
    assert detectable(draws) == pytest.approx(calm, rel=0.1)
    assert detectable(np.array([np.nan, 1.0])) is None
    assert detectable(np.zeros(100)) is None


def test_a_difference_of_2_8_errors_is_found_four_times_in_five():
    rng, n = np.random.default_rng(2), 4000
    found = np.abs(rng.normal(2.8, 1, n)) > 1.96
    assert found.mean() == pytest.approx(0.8, abs=3 * np.sqrt(0.16 / n))


def row(task, kind, low, high, p, view="text"):
    return Comparison(
        a="x", b="y", recipe="cut", seed=0, view=view, task=task, kind=kind, metric="skill",
        difference=(low + high) / 2, low=low, high=high, p=p, detectable=None, reason=None,
        verdict=Better.A, verdict_holm=None, p_holm=None, family=None,
    )  # fmt: skip


def test_an_adjusted_verdict_needs_both_kinds_after_holm():
    rows = [
        row("t", "absolute", 0.01, 0.03, 0.001), row("t", "retention", 0.01, 0.03, 0.002),
        row("u", "absolute", 0.01, 0.03, 0.02), row("u", "retention", 0.01, 0.03, 0.03),
        row("v", "absolute", -0.01, 0.03, 0.4), row("v", "retention", 0.01, 0.03, 0.003),
    ]  # fmt: skip
    after = adjusted(rows)
    assert all(r.p_holm is None for r in rows)  # nothing is written into the rows given
    assert [r.verdict_holm for r in after[::2]] == [
        "a better",
        "no evidence",
        "depends on the measure",
    ]
    # both kinds of the three tasks: .001 x 6, .002 x 5, .003 x 4, .02 x 3, .03 x 2, .4
    expected = [0.006, 0.01, 0.06, 0.06, 0.4, 0.012]
    assert [r.p_holm for r in after] == pytest.approx(expected)
    assert all(r.family == 6 for r in after)


def test_the_view_that_is_not_read_first_is_a_family_of_its_own():
    rows = adjusted([
        row("t", "absolute", 0.01, 0.03, 0.01), row("t", "absolute", 0.01, 0.03, 0.02, "options"),
        row("u", "absolute", 0.01, 0.03, 0.03, "options"),  # only asked so
    ])  # fmt: skip
    assert [r.family for r in rows] == [2, 1, 2]
    assert [r.p_holm for r in rows] == pytest.approx([0.02, 0.02, 0.03])


def test_holm_runs_over_tasks_and_both_words_are_kept():
    tasks = {name: task(name, YN) for name in ("t", "u")}
    frames = []
    for name in tasks:
        frames += model("a", [(0.0, 5), (0.5, 6)], "specialist", name)
        frames += model("b", [(0.0, 5), (0.5, 20)], "base", name)
    found = run(frames, tasks=tasks)["comparisons"]
    assert {r["verdict"] for r in found} == {r["verdict_holm"] for r in found} == {"a better"}
    assert all(r["family"] == 4 and r["p_holm"] >= r["p"] for r in found)
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
        columns=["model", "role", "recipe", "level", "seed", "task", "status", "reason", "n"]
    )
    found = summarise(
        study={}, models=[{"name": "m", "role": "m"}], tasks={"t": task("t", YN)}, answers=answers,
        cells=none, measurements=[], provenance={}, resamples=100,
    )  # fmt: skip
    assert [r["level"] for r in found["curves"]] == [0.0, 0.25, 0.5]
    assert found["robustness"][0]["value"] is not None
    assert found["verdicts"][0]["state"] in ("passed", "not proven", "undetermined")


def test_intact_models_on_items_of_one_parent_are_told_apart_less_surely():
    parents = np.repeat([f"p{i}" for i in range(10)], 10)
    frames = model("a", [(0.0, 5)]) + model("b", [(0.0, 10)])
    (plain,) = run(frames)["intact"]
    (row,) = run([f.assign(parent=parents) for f in frames])["intact"]
    assert plain["difference"] == row["difference"]
    assert row["low"] < plain["low"]
    assert row["p"] > plain["p"] > 0


def test_intact_models_are_called_by_the_test_that_gives_p():
    few = GOLD[:40]
    found = []
    for only in (5, 6):
        worse = [None if i < only else g for i, g in enumerate(few)]
        (row,) = run([cell("a", 0.0, few, few), cell("b", 0.0, few, worse)])["intact"]
        assert (row["only_a"], row["only_b"]) == (only, 0)
        assert row["low"] > 0
        found.append((row["p"], row["verdict"]))
    assert found == [(0.0625, "no evidence"), (0.03125, "a better")]


def curve(gold, options=None, clusters=None):
    """A curve of one model that is right everywhere at level 0."""
    codes = np.asarray(gold, dtype=np.int8)
    ids = tuple(f"i{i:03d}" for i in range(len(codes)))
    key = Key("m", "none", 0, 0.0, "text")
    frame = TaskFrame(
        "t", tuple("ABC"), ids, tuple(clusters or ids), codes, {key: codes},
        meant=options or (tuple("ABC"),) * len(codes),
    )  # fmt: skip
    return Curve("m", "m", "cut", 0, "text", (0.0,), (key,), codes[None], frame)


def test_the_weight_of_an_item_by_hand():
    every = np.ones(6, dtype=bool)
    # three of A, two of B, one of C: a third a label, shared by its items
    found = weight(curve([0, 0, 0, 1, 1, 2]), every)
    assert found == pytest.approx([1 / 9, 1 / 9, 1 / 9, 1 / 6, 1 / 6, 1 / 3])
    # four items with three options weigh 4/6, two with two options 2/6
    options = (tuple("ABC"),) * 4 + (tuple("AB"),) * 2
    found = weight(curve([0, 0, 1, 2, 0, 1], options), every)
    assert found == pytest.approx([1 / 9, 1 / 9, 2 / 9, 2 / 9, 1 / 6, 1 / 6])
    some = np.array([True, True, True, False, False, False])
    assert weight(curve([0, 1, 1, 2, 2, 2]), some) == pytest.approx([0.5, 0.25, 0.25, 0, 0, 0])


def test_a_rare_label_and_parents_need_more_items():
    def why(gold, clusters=None):
        same, every = curve(gold, clusters=clusters), np.ones(len(gold), dtype=bool)
        return too_few(same, same, every)

    assert why([0, 1] * 24) == "48 items are too few, it takes about 50 like them"
    assert why([0, 1] * 25) == "the two differ on 0 of 50 items, it takes 6"
    # six items of the rare label share a third: each weighs 1/18
    assert (
        why([0] * 34 + [1] * 20 + [2] * 6) == "60 items are too few, it takes about 167 like them"
    )
    pairs = [f"p{i // 2}" for i in range(60)]
    assert why([0, 1] * 30, pairs) == "60 items are too few, it takes about 100 like them"


def test_two_equal_models_are_seldom_told_apart():
    """The share of studies in which either kind is called, and after Holm over two tasks."""
    rng, studies = np.random.default_rng(3), 150
    levels, knows = (0.0, 0.3, 0.6), np.array([0.9, 0.8, 0.4])
    raw = sure = 0
    for _ in range(studies):
        rows = []
        for name in "tu":
            gold = rng.integers(2, size=60).astype(np.int8)
            gold[:50] = [0, 1] * 25
            codes, hard = {}, rng.random(60)
            for m in "ab":
                own = np.where(rng.random(60) < 0.5, hard, rng.random(60))
                said = np.where(own < knows[:, None], gold, rng.integers(2, size=(3, 60)))
                for x, one in zip(levels, said, strict=True):
                    key = Key(m, "cut" if x else "none", 0, x, "text")
                    codes[key] = one.astype(np.int8)
            ids = tuple(f"i{i:02d}" for i in range(60))
            frame = TaskFrame(name, YN, ids, ids, gold, codes)
            weights = item_weights(ids, 200, int(rng.integers(10**6)), name)
            a, b = (Sampled(build(frame, m, m, "cut", 0, levels)[0], weights) for m in "ab")
            rows += compare(a, b)
        rows = adjusted(rows)
        assert all(r.verdict for r in rows)
        raw += sum(r.low > 0 or r.high < 0 for r in rows)
        sure += any(r.verdict_holm != "no evidence" for r in rows)
    error = np.sqrt(0.06 * 0.94 / studies)
    assert raw / studies / 4 <= 0.06 + 3 * error / 2
    assert sure / studies <= 0.06 + 3 * error

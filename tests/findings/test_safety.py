"""The safe level: by hand, at its error rate, and among twenty recipes."""

import numpy as np
import pytest
from answers_by_hand import YN, cell, flipped, run
from lazy import WHEN_RUN
from lobotomy_logs import task

from resect.errors import RequestError
from resect.stats.intervals import wilson
from resect.stats.paired import items_needed, tango
from resect.stats.paired_change import PairedCounts

if WHEN_RUN:
    from scipy.stats import t as student


GOLD = ["yes", "no"] * 200


def sweep(wrong, recipe="cut", model="m", chosen=False, **more):
    """Cells with `wrong[level]` mistakes of each label; level 0 is the baseline."""
    return [
        cell(model, x, GOLD, flipped(GOLD, w), flipped(GOLD, w) if chosen else None, **more)
        if x == 0
        else cell(
            model,
            x,
            GOLD,
            flipped(GOLD, w),
            flipped(GOLD, w) if chosen else None,
            recipe=recipe,
            **more,
        )
        for x, w in wrong.items()
    ]


def default(found, **keys):
    return next(
        r for r in found["safety"] if r["default"] and all(r[k] == v for k, v in keys.items())
    )


STEPS = {0.0: 10, 0.1: 10, 0.2: 12, 0.3: 18, 0.4: 11}


def test_the_safe_level_by_hand():
    found = default(run(sweep(STEPS)))
    # lost at 0.2: 4 of 400, lower bound above -0.05; at 0.3: 16 of 400
    assert tango(4, 0, 400)[0] > -0.05 > tango(16, 0, 400)[0]
    assert (found["state"], found["safe_level"], found["passed"]) == ("up to", 0.2, [0.1, 0.2])
    stopped = found["tests"][-4]
    assert (stopped["test"], stopped["level"], stopped["passed"]) == ("accuracy", 0.3, False)
    assert (stopped["lost"], stopped["gained"], stopped["n"]) == (16, 0, 400)
    assert stopped["difference"] == pytest.approx(-0.04)
    assert stopped["low"] == pytest.approx(float(tango(16, 0, 400)[0]))
    # of as many items of both labels balanced accuracy is the same, by Student's test
    assert (found["limiting_task"], found["limiting_test"]) == ("t", "balanced_accuracy")
    limit = found["limiting"]
    assert [one["test"] for one in limit["others"]] == ["accuracy", "miss"]
    assert limit["difference"] == pytest.approx(-0.04)

    def t(margin):
        return (margin - 0.04) / np.sqrt(np.hypot(16 * 0.96 / 399, margin * (1 - margin)) / 400)

    assert limit["p"] == pytest.approx(student.sf(t(0.05), 199))
    assert t(limit["provable_margin"]) == pytest.approx(student.ppf(0.975, 199))
    assert 0.9 < limit["power"] < 1
    assert limit["items_needed"] > 400
    assert found["margin"] == 0.05
    assert found["assessable"] == ["t"]


def test_what_passes_again_after_a_failure_is_not_safe():
    assert default(run(sweep({0.0: 10, 0.1: 60, 0.2: 10})))["safe_level"] == 0.0


def test_margin_and_alpha_of_the_study():
    without = {"t": task("t", YN)}  # no positive label: no miss rate
    wide = default(run(sweep(STEPS), study={"margin": 0.1}, tasks=without))
    assert (wide["state"], wide["safe_level"], wide["limiting"]) == ("all", 0.4, None)
    strict = default(run(sweep(STEPS), study={"alpha": 1e-5}, tasks=without))
    assert (strict["state"], strict["safe_level"]) == ("up to", 0.1)
    for wrong in ({"margin": 0}, {"margin": 1.5}, {"alpha": 0.5}, {"alpha": 0}):
        with pytest.raises(RequestError, match="out of range"):
            run(sweep(STEPS), study=wrong)


def test_a_task_without_skill_is_not_assessable():
    found = default(run(sweep({0.0: 96, 0.1: 96})))
    assert (found["state"], found["safe_level"], found["assessable"]) == (
        "not assessable",
        None,
        [],
    )
    assert "twice the margin" in found["not_assessable"][0]["reason"]


def test_every_assessable_task_must_pass_and_the_others_do_not_count():
    good, bad, blind = (
        [f.assign(task=name) for f in sweep(wrong)]
        for name, wrong in [
            ("a", {0.0: 10, 0.1: 10, 0.2: 10}),
            ("b", {0.0: 10, 0.1: 10, 0.2: 40}),
            ("c", {0.0: 96, 0.1: 120, 0.2: 150}),
        ]
    )
    tasks = {name: task(name, YN) for name in "abc"}
    found = default(run(good + bad + blind, tasks=tasks))
    assert (found["safe_level"], found["limiting_task"]) == (0.1, "b")
    assert found["assessable"] == ["a", "b"]
    assert [one["task"] for one in found["not_assessable"]] == ["c"]


def test_a_task_that_was_never_asked_is_named():
    tasks = {name: task(name, YN) for name in ("t", "u")}
    row = default(run(sweep(STEPS), tasks=tasks))
    assert row["not_assessable"] == [{"task": "u", "reason": "it was not asked in the text view"}]


def test_silence_is_stopped_by_its_own_test_and_margin():
    silent = [
        None if i < 24 and a != g else a
        for i, (a, g) in enumerate(zip(flipped(GOLD, 12), GOLD, strict=True))
    ]
    frames = [cell("m", 0.0, GOLD, flipped(GOLD, 12)), cell("m", 0.1, GOLD, silent)]
    found = default(run(frames))  # nothing right was lost: 24 wrong answers became silence
    assert (found["limiting_test"], found["safe_level"]) == ("no_answer", 0.0)
    assert found["limiting"]["difference"] == pytest.approx(24 / 400)
    wide = {"t": task("t", YN, margin_no_answer=0.2)}
    assert default(run(frames, tasks=wide))["state"] == "all"


def test_missed_positives_stop_it_though_accuracy_does_not():
    missed = ["no" if g == "yes" and i < 30 else g for i, g in enumerate(GOLD)]
    frames = [cell("m", 0.0, GOLD, GOLD), cell("m", 0.1, GOLD, missed)]
    found = default(run(frames, tasks={"t": task("t", YN, margin=0.1, positive="yes")}))
    assert (found["limiting_test"], found["limiting"]["n"]) == ("miss", 200)
    assert found["limiting"]["value"] == pytest.approx(15 / 200)
    assert default(run(frames, tasks={"t": task("t", YN, margin=0.1)}))["state"] == "all"


def test_confident_errors_stop_it_where_options_exist():
    sure, even = (3.0, 0.0), (0.1, 0.0)

    def scores(answers, confident):
        return [(sure if confident else even)[:: 1 if a == "yes" else -1] for a in answers]

    wrong = flipped(GOLD, 20)
    frames = [
        cell("m", x, GOLD, wrong, wrong, option_scores=scores(wrong, x > 0)) for x in (0.0, 0.1)
    ]
    found = run(frames)
    assert default(found)["limiting_test"] == "confident_error"
    assert default(found)["limiting"]["value"] == pytest.approx(40 / 400)
    assert [r["default"] for r in found["safety"]] == [True, False]


def test_a_test_that_could_not_fail_does_not_count():
    labels = ("yes", "no", "maybe")
    gold = ["yes"] * 40 + ["no"] * 180 + ["maybe"] * 180
    answers = ["yes", *["no"] * 219, *["maybe"] * 180]  # finds one positive in forty
    frames = [cell("m", x, gold, answers) for x in (0.0, 0.1)]
    info = {"t": task("t", labels, positive="yes")}
    found = default(run(frames, labels=labels, tasks=info))
    assert [one["test"] for one in found["tests_not_assessable"]] == ["miss"]
    assert "could not fail" in found["tests_not_assessable"][0]["reason"]
    assert found["state"] == "all"


@pytest.mark.parametrize(("levels", "safe"), [([8.0, 4.0], 8.0), ([None], None)])
def test_bits_and_a_single_unswept_level(levels, safe):
    frames = [cell("m", 0.0, GOLD, flipped(GOLD, 10))]
    for level, wrong in zip(levels, (10, 60), strict=False):
        made = cell("m", 0.5, GOLD, flipped(GOLD, wrong))
        frames.append(made.assign(level=float("nan") if level is None else level))
    found = run(frames)
    row = default(found)
    assert row["passed"] == [levels[0]]
    assert row["safe_level"] == safe
    assert row["state"] == ("all" if levels == [None] else "up to")
    assert found["verdict"]["headline"]


def test_a_level_without_answers_stops_the_sweep_there():
    found = run(
        sweep({0.0: 10, 0.1: 10, 0.3: 10}),
        failed=[{"model": "m", "recipe": "cut", "level": 0.2}],
    )
    row = default(found)
    assert row["safe_level"] == 0.1
    assert "t has no answers in the text view at level 0.2" in row["limiting"]["reason"]


def test_survivors_alone_do_not_pass():
    frames = sweep({0.0: 10, 0.1: 10, 0.2: 60})
    right = frames[2]["answer"] == frames[2]["gold"]
    frames[2] = frames[2][right].iloc[:150]  # only what it has right was recorded
    row = default(run(frames))
    assert (row["state"], row["safe_level"]) == ("up to", 0.1)
    assert (
        "lacks answers in the text view for 62 % of the items at level 0.2"
        in (row["limiting"]["reason"])
    )
    few = sweep({0.0: 10, 0.1: 10})
    few[1] = few[1].iloc[4:]  # four of 400: counted as lost where they were right
    tests = default(run(few))["tests"]
    assert (tests[0]["n"], tests[0]["lost"]) == (400, 0)  # the four were wrong
    few[1] = few[1].iloc[:-4]
    assert default(run(few))["state"] == "none"  # eight are more than 1 %


def test_missing_option_scores_name_the_view_and_the_test():
    scores = [(-0.1, -3.0) if g == "yes" else (-3.0, -0.1) for g in GOLD]
    frames = [cell("m", x, GOLD, GOLD, GOLD, option_scores=scores) for x in (0.0, 0.1)]
    assert default(run(frames))["state"] == "all"
    frames[1]["option_scores"] = frames[1]["chosen"] = None
    row = default(run(frames))
    assert row["limiting"]["reason"] == (
        "t has no option scores at level 0.1, so the confident-error test cannot be made"
    )


def test_the_design_effect_is_in_the_row_and_widens_it():
    parents = np.repeat([f"p{i}" for i in range(40)], 10)
    plain = default(run(sweep(STEPS)))["tests"][0]
    found = run([f.assign(parent=parents) for f in sweep(STEPS)])
    row = default(found)["tests"][0]
    assert plain["design_effect"] == 1
    assert row["design_effect"] == pytest.approx(1.9)  # nothing changed: the usual, 1 + 9 x 0.1
    assert (row["n"], row["lost"]) == (plain["n"], plain["lost"])
    assert row["low"] < plain["low"]
    assert "allow for items that share a parent" in default(found)["reason"]


def test_so_few_parents_are_not_judged():
    parents = np.repeat([f"p{i}" for i in range(10)], 40)
    row = default(run([f.assign(parent=parents) for f in sweep(STEPS)]))
    assert row["state"] == "not assessable"
    assert row["not_assessable"] == [
        {"task": "t", "reason": "its 400 items come from 10 parents and at least 20 are needed"}
    ]


def test_smallest_safe_uses_alpha_over_recipes_and_measured_bytes():
    frames = sweep(STEPS, recipe="wanda") + sweep(STEPS, recipe="neurons")[1:]
    sizes = [
        {"model": "m", "recipe": t, "level": x, "bytes_on_disk": size, "bytes_in_memory": 100}
        for t, x, size in [
            ("none", None, 100), ("wanda", 0.1, 100), ("wanda", 0.2, 100), ("wanda", 0.3, 100),
            ("wanda", 0.4, 100), ("neurons", 0.1, 95), ("neurons", 0.2, 90), ("neurons", 0.3, 85),
            ("neurons", 0.4, 80),
        ]
    ]  # fmt: skip
    (row,) = run(frames, measurements=sizes)["smallest_safe"]
    assert (row["recipes"], row["alpha_each"]) == (2, 0.0125)
    assert (row["recipe"], row["level"], row["bytes"]) == ("neurons", 0.2, 90)
    (unmeasured,) = run(frames)["smallest_safe"]
    assert (unmeasured["recipe"], unmeasured["level"]) == (None, None)
    assert "levels of different recipes cannot be ranked" in unmeasured["reason"]


def seeded(worst, more=()):
    """`random` with five seeds, of which seed 0 makes `worst` mistakes of each label at 0.3."""
    frames = sweep({0.0: 10})
    for seed in range(5):
        late = worst if seed == 0 else 10
        frames += sweep({0.0: 10, 0.1: 10, 0.3: late}, recipe="random", seed=seed)[1:]
    return [*frames, *more]


@pytest.mark.slow
def test_a_version_of_several_seeds_is_safe_where_every_seed_passes():
    """One seed that fails at 0.3 is enough; with another recipe alpha is halved, not sixthed."""
    rival = sweep({0.0: 10, 0.1: 10}, recipe="wanda")[1:]
    (bad,) = run(seeded(30), resamples=20)["smallest_safe"]
    assert (bad["recipe"], bad["level"], bad["recipes"]) == ("random", 0.1, 1)
    assert (bad["alpha_each"], bad["candidates"]) == (0.025, 1)
    found = run(seeded(10), resamples=20)
    (good,) = found["smallest_safe"]
    assert (good["level"], good["seed"], good["seeds"]) == (0.3, None, [0, 1, 2, 3, 4])
    assert found["verdict"]["sentences"][5] == (
        "The most cut safe version of m among the levels of 1 recipe, tested at alpha 0.025 "
        "with every seed, is random at 30 % with any of the seeds 0, 1, 2, 3 and 4 (bytes were "
        "not measured at every level: the most cut is taken)."
    )
    sizes = [
        {"model": "m", "recipe": t, "seed": seed, "level": x, "bytes_on_disk": size}
        | {"bytes_in_memory": 100}
        for t, seed, x, size in [
            ("none", 0, None, 100), ("wanda", 0, 0.1, 80),
            *(("random", seed, 0.1, 90) for seed in range(5)),
            *(("random", seed, 0.3, 76 - seed) for seed in range(5)),
        ]
    ]  # fmt: skip
    found = run(seeded(10, rival), measurements=sizes, resamples=20)
    (both,) = found["smallest_safe"]
    assert (both["recipes"], both["alpha_each"], both["candidates"]) == (2, 0.0125, 3)
    assert (both["recipe"], both["seed"], both["level"]) == ("random", None, 0.3)
    assert both["bytes"] == 76  # of the largest seed
    said = found["verdict"]["sentences"]
    assert any(
        "among 2 recipes, each at alpha 0.0125 with every seed, is random" in s for s in said
    )
    (other,) = run(seeded(30, rival), measurements=sizes, resamples=20)["smallest_safe"]
    assert (other["recipe"], other["seed"], other["seeds"]) == ("wanda", 0, [0])


def test_levels_are_ranked_within_one_whole_recipe_only():
    """A fifth of the nodes in 4 bits is smaller than three tenths of them in 16."""
    frames = sweep({0.0: 10, 0.3: 10}, recipe="nodes")
    (one,) = run(frames)["smallest_safe"]
    assert (one["recipe"], one["seed"], one["level"], one["by"]) == ("nodes", 0, 0.3, "level")
    frames += sweep({0.0: 10, 0.2: 10}, recipe="nodes + bnb-nf4")[1:]
    (two,) = run(frames)["smallest_safe"]
    assert (two["recipe"], two["level"]) == (None, None)
    assert "levels of different recipes cannot be ranked" in two["reason"]


def test_a_degraded_level_is_called_so_wherever_it_is_called_safe():
    frames = sweep({0.0: 10, 0.1: 10, 0.3: 10, 0.5: 60})
    frames += sweep({0.0: 10, 0.1: 60}, recipe="other")[1:]
    found = run(frames, degraded=[{"recipe": "cut", "level": 0.3}])
    row = default(found, recipe="cut")
    assert row["degraded"] == [{"level": 0.3, "task": "t", "reason": "cut"}]
    assert row["reason"] == "degraded at 30 % on t (cut)"
    assert "up to 30 % (on t; degraded at 30 %)" in found["verdict"]["headline"]
    assert "degraded at 30 % on t (cut)" in found["verdict"]["sentences"][0]
    (smallest,) = found["smallest_safe"]
    assert (smallest["level"], smallest["degraded"]) == (0.3, row["degraded"])
    assert smallest["reason"].endswith("; degraded at 30 % on t (cut)")
    beyond = run(frames, degraded=[{"recipe": "cut", "level": 0.5}])
    row = default(beyond, recipe="cut")
    assert row["reason"] == "degraded at 50 % on t (cut)"  # it is where the sweep was stopped
    assert "degraded" not in beyond["verdict"]["headline"]
    assert beyond["smallest_safe"][0]["degraded"] == []
    every = run(frames, degraded=[{"model": "m"}])
    assert default(every, recipe="other")["reason"] == "degraded at 0 % and 10 % on t (cut)"
    assert "already at 10 % (on t; degraded at 0 % and 10 %)" in every["verdict"]["headline"]


def test_where_nothing_changed_the_items_needed_allow_for_what_was_not_seen():
    """Of 20 items none changed: up to 16.1 % may (Wilson), not none, of which 73 would do."""
    few = ["yes", "no"] * 10
    found = default(run([cell("m", x, few, few) for x in (0.0, 0.1)], tasks={"t": task("t", YN)}))
    share = wilson(0, 20).high
    assert share == pytest.approx(1.96**2 / (20 + 1.96**2), rel=1e-4)
    assert items_needed(0.05, 0.025, 0.0) == 73
    assert items_needed(0.05, 0.025, share) == 527
    assert found["limiting"]["items_needed"] == pytest.approx(527, rel=0.01)  # balanced accuracy's
    assert 0 < found["limiting"]["power"] < 0.1
    change = PairedCounts.of(*np.ones((2, 1, 20), bool), np.ones((1, 20), bool), np.arange(20))
    assert change.needed(0, 0.05, 0.025) == 527


def test_the_headline_tells_the_worst_seed():
    worse = sweep({**STEPS, 0.2: 60}, recipe="wanda", seed=1)[1:]
    found = run(sweep(STEPS, recipe="wanda") + worse)
    assert sorted(row["safe_level"] for row in found["safety"] if row["default"]) == [0.1, 0.2]
    assert "worst of 2 seeds" in found["verdict"]["headline"]
    assert "up to 10 %" in found["verdict"]["headline"]

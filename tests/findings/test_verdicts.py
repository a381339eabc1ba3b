"""The verdict: passed, not proven, undetermined, failed; each fault of the audit stays mended."""

import numpy as np
import pytest
from answers_by_hand import YN, cell, flipped, run
from lobotomy_logs import task

from resect.errors import RequestError
from resect.stats.multiplicity import bootstrap_p, holm

GOLD = ["yes", "no"] * 200


def sweep(wrong, gold=GOLD, **more):
    """Cells with `wrong[level]` mistakes of each label; level 0 is the intact model."""
    return [cell("m", x, gold, flipped(gold, w), **more) for x, w in wrong.items()]


def verdict(found, **keys):
    rows = [r for r in found["verdicts"] if r["default"]]
    return next(r for r in rows if all(r[k] == v for k, v in keys.items()))


def words(row):
    return [level["word"] for level in row["levels"]]


# ── levels upward ───────────────────────────────────────────────────────────────────────────────


def test_a_sweep_passes_in_fixed_sequence():
    row = verdict(run(sweep({0.0: 10, 0.1: 10, 0.2: 12, 0.3: 18, 0.4: 11})))
    assert words(row) == ["passed", "passed", "not proven", "passed"]
    assert (row["passed"], row["passed_level"], row["state"]) == ([0.1, 0.2], 0.2, "passed")
    assert [level["claimed"] for level in row["levels"]] == [True, True, False, False]
    stop = row["stopped_by"]
    assert (stop["task"], stop["level"], stop["word"]) == ("t", 0.3, "not proven")
    assert stop["items_needed"] > 400
    assert stop["provable_margin"] == pytest.approx(-stop["test"]["low"])


def test_a_clear_loss_failed_and_more_items_would_not_help():
    row = verdict(run(sweep({0.0: 10, 0.1: 90})))
    assert (row["state"], row["passed_level"]) == ("failed", None)
    assert row["stopped_by"].get("items_needed") is None


def test_printed_intervals_and_words_agree():
    found = run(sweep({0.0: 10, **{x / 20: 10 + 2 * x for x in range(1, 12)}}))
    for row in verdict(found)["tasks"]:
        passes = row["low"] > -row["margin"]
        assert (row["word"] == "passed") == (passes and not row["tripped"])
        assert (row["p"] < 0.025) == passes


def test_margin_and_alpha_out_of_range_are_refused():
    cells = sweep({0.0: 10, 0.1: 12})
    for study in ({"margin": 0}, {"margin": 1}, {"alpha": 0.5}, {"retain": 1}):
        with pytest.raises(RequestError, match="out of range"):
            run(cells, study={"name": "hand", **study})


# ── missing evidence is no pass ─────────────────────────────────────────────────────────────────


def two_tasks(small):
    """A task of 400 items and one of `small`, both unharmed."""
    gold = ["yes", "no"] * (small // 2)
    own = [cell("m", x, gold, flipped(gold, 1), task="u") for x in (0.0, 0.1)]
    return [*sweep({0.0: 10, 0.1: 10}), *own]


TWO = {"t": task("t", YN, positive="yes"), "u": task("u", YN, positive="yes")}


def test_a_task_with_too_few_items_makes_the_level_undetermined():
    assert verdict(run(two_tasks(200), tasks=TWO))["state"] == "passed"
    row = verdict(run(two_tasks(40), tasks=TWO))
    assert row["state"] == "undetermined"
    (gap,) = row["undetermined"]
    assert (gap["task"], gap["why"], gap["n"]) == ("u", "too few items", 40)
    assert gap["needed"] >= 73
    shown = run(two_tasks(40), tasks=TWO, study={"name": "hand", "shown_only": ("u",)})
    assert verdict(shown)["state"] == "passed"


def test_a_task_that_was_not_asked_makes_the_level_undetermined():
    row = verdict(run(sweep({0.0: 10, 0.1: 10}), tasks=TWO))
    assert row["state"] == "undetermined"
    assert row["undetermined"][0]["why"] == "not asked"


def test_no_skill_to_lose_is_undetermined_and_never_a_pass():
    constant = [cell("m", x, GOLD, ["yes"] * 400) for x in (0.0, 0.1)]
    row = verdict(run(constant))
    assert row["state"] == "undetermined"
    gap = row["undetermined"][0]
    assert gap["why"] == "no skill to lose"
    assert gap["floor"] == 0.5


def test_missing_answers_are_no_pass():
    cells = sweep({0.0: 10, 0.1: 10})
    cells[1] = cells[1].iloc[:380]
    assert verdict(run(cells))["state"] == "undetermined"
    one = sweep({0.0: 10, 0.1: 10})
    one[1] = one[1].iloc[:398]  # less than 1 % lacking counts as lost
    row = verdict(run(one))
    assert row["tasks"][0]["n"] == 400
    assert row["tasks"][0]["change"] == pytest.approx(-0.005)


def test_few_parents_cannot_decide():
    """Ten items of each parent: 40 parents are too few, whatever the number of items."""
    parents = [f"p{i // 10}" for i in range(400)]
    row = verdict(run(sweep({0.0: 10, 0.1: 10}, parent=parents)))
    assert row["state"] == "undetermined"
    many = ["yes", "no"] * 400
    parents = [f"p{i // 10}" for i in range(800)]
    assert verdict(run(sweep({0.0: 20, 0.1: 20}, many, parent=parents)))["state"] == "passed"


# ── copies, margins, losses ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("share", [0.5, 0.15, 0.05])
@pytest.mark.parametrize("n", [50, 120, 200, 340, 364, 1000])
def test_a_copy_passes_or_the_task_is_undetermined(share, n):
    rare = round(share * n)
    gold = ["yes"] * (n - rare) + ["no"] * rare
    answers = [g if i % 20 else YN[1 - YN.index(g)] for i, g in enumerate(gold)]
    copy = verdict(run([cell("m", x, gold, answers) for x in (0.0, 0.1)]))
    assert copy["state"] in ("passed", "undetermined")
    worse = list(answers)
    for i in range(0, n, 16):
        worse[i] = YN[1 - YN.index(gold[i])]
    damaged = verdict(run([cell("m", 0.0, gold, answers), cell("m", 0.1, gold, worse)]))
    if copy["state"] == "undetermined":
        assert damaged["state"] != "passed"


def test_the_margin_keeps_four_fifths_of_what_is_above_a_constant():
    """.60 to .565 on yes/no is a third of what is above chance: no pass."""
    gold = ["yes", "no"] * 1500
    row = verdict(run(sweep({0.0: 600, 0.1: 652}, gold)))
    assert row["margins"]["t"] < 0.02
    assert row["state"] == "failed"
    wide = run(sweep({0.0: 600, 0.1: 652}, gold), study={"name": "hand", "retain": 0.0})
    assert verdict(wide)["margins"]["t"] == 0.05


def test_labels_weigh_alike_so_no_constant_answer_passes():
    gold = ["yes"] * 900 + ["no"] * 100
    right = [g if i % 50 else "no" for i, g in enumerate(gold)]
    row = verdict(run([cell("m", 0.0, gold, right), cell("m", 0.1, gold, ["yes"] * 1000)]))
    assert row["state"] == "failed"
    assert row["tasks"][0]["change"] == pytest.approx(-0.49, abs=0.02)


def test_a_declared_loss_weighs_a_false_reassurance_more():
    damaged = flipped(GOLD, 10)
    for i in range(40, 60, 2):  # ten more of the positive label are answered no
        damaged[i] = "no"
    cells = [cell("m", 0.0, GOLD, flipped(GOLD, 10)), cell("m", 0.1, GOLD, damaged)]
    plain = verdict(run(cells))["tasks"][0]["change"]
    info = task("t", YN, positive="yes", losses={"false_reassurance": 3.0})
    assert verdict(run(cells, tasks={"t": info}))["tasks"][0]["change"] == pytest.approx(3 * plain)


# ── guardrails ──────────────────────────────────────────────────────────────────────────────────


def tripped(row):
    return {(g["kind"], g["of"]) for g in row["guardrails"] if g["tripped"]}


def test_many_flips_without_a_loss_are_stopped():
    rng = np.random.default_rng(1)
    gold = ["yes", "no"] * 500
    right = rng.random(1000) < 0.8
    lost = right & (rng.random(1000) < 0.15 / 0.8)
    back = ~right & (rng.random(1000) < 0.15 / 0.2)
    after = (right & ~lost) | back
    before, damaged = (
        [g if r else YN[1 - YN.index(g)] for g, r in zip(gold, hits, strict=True)]
        for hits in (right, after)
    )
    row = verdict(run([cell("m", 0.0, gold, before), cell("m", 0.1, gold, damaged)]))
    assert ("right_to_wrong", None) in tripped(row)
    assert row["state"] == "failed"
    assert row["stopped_by"]["guardrail"]["kind"] == "right_to_wrong"


def test_a_subgroup_that_breaks_is_named_and_stops_the_level():
    gold = ["yes", "no"] * 750
    tags = [{"ward": "a" if i < 150 else "b"} for i in range(1500)]
    damaged = list(gold)
    for i in range(0, 150, 3):
        damaged[i] = YN[1 - YN.index(gold[i])]
    cells = [cell("m", 0.0, gold, gold, tags=tags), cell("m", 0.1, gold, damaged, tags=tags)]
    row = verdict(run(cells))
    assert ("subgroup", "ward: a") in tripped(row)
    assert row["state"] == "failed"


@pytest.mark.parametrize("label", YN)
def test_each_direction_of_error_is_watched(label):
    gold = ["yes", "no"] * 500
    hurt = [i for i, g in enumerate(gold) if g == label][:70]
    damaged = list(gold)
    for i in hurt:
        damaged[i] = YN[1 - YN.index(label)]
    row = verdict(run([cell("m", 0.0, gold, gold), cell("m", 0.1, gold, damaged)]))
    other = YN[1 - YN.index(label)]
    assert {("missed", label), ("said_wrongly", other)} <= tripped(row)


def test_a_cap_of_the_task_stands_in_for_the_usual_one():
    damaged = flipped(GOLD, 10)
    damaged[100:112] = [None] * 12
    cells = [cell("m", 0.0, GOLD, flipped(GOLD, 10)), cell("m", 0.1, GOLD, damaged)]
    assert tripped(verdict(run(cells))) == set()
    strict = task("t", YN, positive="yes", caps={"no_answer": 0.01})
    assert ("no_answer", None) in tripped(verdict(run(cells, tasks={"t": strict})))


def test_a_copy_trips_no_guardrail():
    tags = [{"ward": str(i % 30)} for i in range(400)]
    row = verdict(run(sweep({0.0: 60, 0.1: 60}, tags=tags)))
    assert tripped(row) == set()


# ── intervals and many tests ────────────────────────────────────────────────────────────────────


def test_skill_at_the_ceiling_has_an_interval():
    found = run([cell("m", x, GOLD, GOLD) for x in (0.0, 0.1)])
    for point in found["curves"]:
        assert point["metrics"]["skill"]["value"] == 1.0
        assert 0.95 < point["metrics"]["skill"]["low"] < 1.0
        assert point["metrics"]["retention"]["low"] < 1.0
        assert point["metrics"]["change"]["low"] < 0.0 < point["metrics"]["change"]["high"]


def test_holm_over_57_tasks_still_finds_a_clear_difference():
    rng = np.random.default_rng(0)
    p = [bootstrap_p(rng.normal(0, 1, 201)) for _ in range(56)]
    p.append(bootstrap_p(np.concatenate([[6.0], rng.normal(6, 1, 200)])))
    assert holm(p)[-1] < 0.001


def test_forgotten_counts_only_what_the_intact_model_knew():
    half = ["yes" if i % 4 < 2 else "no" for i in range(400)]
    none = [None] * 400
    other = [YN[1 - YN.index(g)] for g in GOLD]
    cells = [cell("m", 0.0, GOLD, half, half), cell("m", 0.1, GOLD, none, other)]
    point = next(p for p in run(cells)["curves"] if p["level"] == 0.1 and p["view"] == "text")
    assert point["forgotten"] == pytest.approx(0.5)

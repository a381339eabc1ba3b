"""What the sentences say: how far first, then who keeps more, by role."""

import re

import pytest
from answers_by_hand import YN, cell, flipped, run
from lobotomy_logs import task

from resect.findings.summary_file import from_data
from resect.narrative.verdict import verdict
from resect.spec import METHODS

GOLD = ["yes", "no"] * 200
NAMED = [{"name": "Doc-7B", "role": "specialist"}, {"name": "Gen-7B", "role": "base"}]


def frames(name, role, wrong, task="t"):
    return [
        cell(name, x, GOLD, flipped(GOLD, w)).assign(role=role, task=task) for x, w in wrong.items()
    ]


def test_the_headline_says_how_far_and_then_who_keeps_more():
    found = run(
        frames("Doc-7B", "specialist", {0.0: 5, 0.25: 6, 0.45: 7, 0.5: 40})
        + frames("Gen-7B", "base", {0.0: 5, 0.25: 6, 0.45: 60, 0.5: 90}),
        models=NAMED,
    )["verdict"]
    assert found["headline"] == (
        "Under cut, the specialist stays within 5 points of its intact self up to 45 % (on t), "
        "its base up to 25 % (on t). Under cut, the specialist keeps more than its base on t."
    )
    assert found["sentences"][0].startswith(
        "Under cut, the specialist stays within 5 points of its intact self up to 45 % (on t), at "
        "one-sided alpha 0.025; at 50 % it is stopped by accuracy on t: -17.5 points ["
    )
    assert "Doc-7B" not in " ".join(found["sentences"])


def test_what_is_not_assessable_is_said():
    tasks = {name: task(name, YN) for name in ("t", "u")}
    found = run(
        frames("m", "m", {0.0: 5, 0.3: 6}) + frames("m", "m", {0.0: 98, 0.3: 99}, "u"), tasks=tasks
    )["verdict"]
    first = found["sentences"][0]
    assert "(on 1 of 2 tasks; the other is not assessable)" in first
    assert "u is not assessable because the intact model's skill is 0.02" in first
    assert "every level asked passed, so the limit lies beyond them" in first
    blind = run(frames("m", "m", {0.0: 98, 0.3: 99}))["verdict"]
    assert "it is not known how far m can be cut: t is not assessable" in blind["sentences"][0]


def test_no_evidence_comes_with_what_could_have_been_shown():
    steps = {0.0: 5, 0.25: 6, 0.5: 40}
    others = [  # as many wrong, from the other end
        cell("Gen-7B", x, GOLD, flipped(GOLD[::-1], w)[::-1]).assign(role="base")
        for x, w in steps.items()
    ]
    found = run(frames("Doc-7B", "specialist", steps) + others, models=NAMED)["verdict"]
    assert any("no evidence, where differences of 0.0" in s for s in found["sentences"])


def test_nothing_safe_and_several_recipes():
    rows = frames("m", "m", {0.0: 5, 0.3: 50})
    rows.append(cell("m", 0.3, GOLD, flipped(GOLD, 60), recipe="other"))
    found = run(rows)["verdict"]
    assert found["headline"].startswith(
        "Under cut, m loses more than 5 points already at 30 % (on t)"
    )
    assert "(each tested on its own; the smallest safe version" in found["headline"]
    assert "power" not in found["sentences"][0]
    assert any(
        "No smallest safe version of m is named among 2 recipes" in s for s in found["sentences"]
    )


def test_what_cannot_be_shown_is_not_called_lost_and_the_test_is_named():
    few = ["yes", "no"] * 10
    frames = [cell("m", x, few, few) for x in (0.0, 0.1)]
    found = run(frames, tasks={"t": task("t", YN)})["verdict"]["headline"]
    assert found.startswith(
        "Under cut, m cannot be shown to stay within 5 points of its intact self even at 10 % "
        "with these 20 items (on t)."
    )
    missed = ["no" if g == "yes" and i < 60 else g for i, g in enumerate(GOLD)]
    tasks = {"t": task("t", YN, margin=0.2, positive="yes")}
    frames = [cell("m", x, GOLD, a) for x, a in ((0.0, GOLD), (0.1, missed))]
    found = run(frames, tasks=tasks)["verdict"]["headline"]
    assert "m raises the miss rate by more than 5 points already at 10 %" in found


def test_intact_models_are_compared_where_nothing_else_can_be():
    pair = frames("Doc-7B", "specialist", {0.0: 5}) + frames("Gen-7B", "base", {0.0: 60})
    found = run(pair, models=NAMED)["verdict"]
    assert found["headline"].startswith(
        "Intact on t (text), the specialist minus its base is +27.5 points of accuracy ["
    )
    assert "under none" not in " ".join([found["headline"], *found["sentences"]])


def test_an_unswept_pass_says_nothing_of_what_lies_beyond():
    late = cell("m", 0.5, GOLD, GOLD).assign(level=float("nan"))
    found = run([cell("m", 0.0, GOLD, GOLD), late])["verdict"]
    assert "lies beyond" not in " ".join(found["sentences"])
    assert "it has only this level" in found["sentences"][0]
    assert "not known" not in found["headline"]


def test_a_censored_half_level_and_lower_case_names():
    rows = [cell("m", x, GOLD[:60], flipped(GOLD[:60], w)) for x, w in ((0.0, 3), (0.8, 8))]
    found = run(rows)["verdict"]
    assert "half of the skill of m is not gone up to 80 %" in found["headline"]
    assert "(interval from " in found["headline"]
    assert not any(s.startswith("M ") for s in found["sentences"])


def test_the_half_levels_of_seeds_are_one_range_in_the_headline():
    def seeds(*wrong):
        frames = [cell("m", 0.0, GOLD, GOLD)]
        return frames + [
            cell("m", x, GOLD, flipped(GOLD, w)).assign(seed=seed)
            for seed, last in enumerate(wrong) for x, w in ((0.2, 10), (0.6, last))
        ]  # fmt: skip

    def headline(*wrong):
        return run(seeds(*wrong))["verdict"]["headline"]

    # skill 1, .9, then .4, .2 and 0: half lies 80 %, 57 % and 44 % of the way from 20 to 60 %
    gone = r"half of the skill of m is gone at 38 to 52 % \[(\d+) %, (\d+) %\] with all 3 seeds"
    low, high = re.search(gone, headline(60, 80, 100)).groups()
    assert int(low) < 38 < 52 < int(high)  # the lowest and the highest end of the three
    one = r"is gone at 43 % \[(\d+) %, (\d+) %\] with all 2 seeds"
    low, high = re.search(one, headline(80, 80)).groups()
    assert int(low) < 43 < int(high)
    some = r"is gone at 38 to 43 % \[.*\] with 2 of 3 seeds, is not gone with 1 of 3 seeds"
    assert re.search(some, headline(12, 80, 100))
    assert "half of the skill of m is not gone with any of 2 seeds" in headline(12, 14)


def test_a_seed_without_a_half_level_is_counted():
    frames = [cell("m", 0.0, GOLD, GOLD).assign(seed=s, recipe="none") for s in (0, 1)]
    frames += [cell("m", 0.6, GOLD, flipped(GOLD, 100)).assign(seed=s) for s in (0, 1)]
    lost = {"model": "m", "recipe": "cut", "level": 0.6, "seed": 2}
    found = run(frames, failed=[lost])["verdict"]["headline"]
    assert "is gone at 30 % [27 %, 33 %] with 2 of 3 seeds, has no known level" in found
    assert "with 1 of 3 seeds (" in found


def test_seeds_that_differ_get_one_word_for_each_task():
    def headline(*wrong):
        found = frames("Doc-7B", "specialist", {0.0: 5}) + frames("Gen-7B", "base", {0.0: 5})
        for seed, w in enumerate(wrong):
            found += [f.assign(seed=seed) for f in frames("Doc-7B", "specialist", {0.5: w})]
            found += [f.assign(seed=seed) for f in frames("Gen-7B", "base", {0.5: 40})]
        return run(found, models=NAMED)["verdict"]["headline"].split(". ")[1]

    assert headline(10, 12) == "Under cut, the specialist keeps more than its base on t."
    assert headline(10, 41, 45) == (
        "Under cut, on t it differs between seeds (the specialist keeps more with 1 of 3, "
        "its base keeps more with 1 of 3, no verdict with 1 of 3)."
    )


def test_recipes_of_which_the_same_is_said_are_named_together():
    gold = GOLD[:12]
    few = [cell(m, 0.0, gold, gold).assign(role=m) for m in "ab"]
    for way in ("cut", "other", "more"):
        few += [cell(m, 0.5, gold, flipped(gold, 1), recipe=way) for m in "ab"]
    assert run(few)["verdict"]["headline"].endswith(
        "Under cut, more and other, no verdict on which of a and b keeps more on t (12 items are "
        "too few, it takes about 50 like them)."
    )


def test_the_headline_reads_verdicts_after_holm():
    found = run(
        frames("Doc-7B", "specialist", {0.0: 5, 0.5: 40})
        + frames("Gen-7B", "base", {0.0: 5, 0.5: 43}),
        models=NAMED,
    )
    rows = found["comparisons"]
    summary = {**found, "comparisons": [r | {"verdict_holm": "no evidence"} for r in rows]}
    assert rows[0]["verdict"] == "a better"
    assert (
        "no evidence that the specialist keeps more" in verdict(from_data(summary, "it")).headline
    )


def test_bits_go_down_and_weights_are_removed():
    frames = [cell("m", 0.0, GOLD, GOLD)]
    frames += [
        cell("m", 0.5, GOLD, flipped(GOLD, w)).assign(level=x) for x, w in ((8.0, 0), (2.0, 90))
    ]
    assert "down to 8 bits" in run(frames)["verdict"]["headline"]


@pytest.mark.parametrize(
    ("recipe", "part"),
    [
        ("wanda", "targeted weights"),
        ("nodes", "neurons"),
        ("blocks,order=random", "decoder blocks"),
        ("nodes:0.2 + heads", "attention heads"),  # the swept step, not the first
    ],
)
def test_a_level_is_a_fraction_of_what_the_swept_method_removes(recipe, part):
    frames = [cell("m", 0.0, GOLD, GOLD), cell("m", 0.5, GOLD, GOLD, recipe=recipe)]
    study = {"name": "hand", "recipes": [{"name": recipe, "levels": [0.5]}]}
    headline = run(frames, study=study)["verdict"]["headline"]
    assert f"up to 50 % of the {part} removed (on t)" in headline


def test_nothing_is_said_of_what_an_unknown_recipe_removes():
    frames = [cell("m", 0.0, GOLD, GOLD), cell("m", 0.5, GOLD, GOLD, recipe="by hand, twice")]
    study = {"name": "hand", "recipes": [{"name": "by hand, twice", "levels": [0.5]}]}
    assert "up to 50 % (on t)" in run(frames, study=study)["verdict"]["headline"]


def test_every_method_with_a_fraction_for_a_level_says_of_what():
    fractions = {
        name: entry for name, entry in METHODS.items() if (entry.dose or "").startswith("fraction")
    }
    assert fractions
    for name, entry in fractions.items():
        assert entry.part, f"{name}: a headline needs to say what its level is a fraction of"
        assert entry.dose.split()[-1] in entry.part
    assert not [name for name, entry in METHODS.items() if entry.part and name not in fractions]


def test_a_model_silent_from_the_start_does_not_lose_the_format():
    quiet = [g if i < 100 else None for i, g in enumerate(GOLD)]
    said = " ".join(run([cell("m", x, GOLD, quiet) for x in (0.0, 0.5)])["verdict"]["sentences"])
    assert "already intact 0.75 of its texts give no answer" in said

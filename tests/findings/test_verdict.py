"""What the sentences say: how far first, then who keeps more, by role."""

import pytest
from answers_by_hand import YN, cell, flipped, run
from lobotomy_logs import task

from resect.spec import METHODS

GOLD = ["yes", "no"] * 200
NAMED = [{"name": "Doc-7B", "role": "specialist"}, {"name": "Gen-7B", "role": "base"}]


def frames(name, role, wrong, task="t"):
    return [
        cell(name, x, GOLD, flipped(GOLD, w)).assign(role=role, task=task) for x, w in wrong.items()
    ]


def test_the_headline_names_the_choice_and_sentences_what_stopped_it():
    found = run(
        frames("Doc-7B", "specialist", {0.0: 5, 0.25: 6, 0.45: 7, 0.5: 40})
        + frames("Gen-7B", "base", {0.0: 5, 0.25: 6, 0.45: 60, 0.5: 90}),
        models=NAMED,
    )
    assert found["headline"]["text"] == "Most compressed version that passed: cut at 45 %."
    assert found["verdict"]["sentences"][0].startswith(
        "The most compressed version of the specialist that passed is cut at 45 % (worst: t -1.0"
    )
    assert found["verdict"]["sentences"][2].startswith(
        "Under cut, the specialist passed up to 45 % on t; at 50 % it failed: t -17.5 points ["
    )
    assert "Doc-7B" not in " ".join(found["verdict"]["sentences"])


def test_what_is_undetermined_is_told_with_why():
    tasks = {name: task(name, YN) for name in ("t", "u")}
    found = run(
        frames("m", "m", {0.0: 5, 0.3: 6}) + frames("m", "m", {0.0: 98, 0.3: 99}, "u"), tasks=tasks
    )
    assert found["headline"]["text"].startswith("Undetermined: u has no skill to lose: ")
    assert any(
        "it is undetermined since u has no skill to lose" in s
        for s in found["verdict"]["sentences"]
    )
    few = ["yes", "no"] * 10
    found = run([cell("m", x, few, few) for x in (0.0, 0.1)], tasks={"t": task("t", YN)})
    assert found["headline"]["text"] == "Undetermined: t has 20 items and needs 73."


def test_a_headline_has_at_most_20_words():
    sweeps = ({0.0: 5, 0.25: 6, 0.45: 7, 0.5: 40}, {0.0: 5, 0.3: 90}, {0.0: 98, 0.3: 99})
    for wrong in sweeps:
        for rows in (
            frames("m", "m", wrong),
            [*frames("m", "m", wrong), cell("m", 0.3, GOLD, flipped(GOLD, 60), recipe="other")],
        ):
            headline = run(rows)["headline"]["text"]
            assert 3 <= len(headline.split()) <= 20, headline


def test_the_headline_is_made_of_typed_slots():
    found = run(frames("m", "m", {0.0: 5, 0.25: 6, 0.45: 7, 0.5: 40}))["headline"]
    assert (found["answer"], found["recipe"], found["level"]) == (
        "most compressed that passed", "cut", 0.45,
    )  # fmt: skip
    assert found["passed_on"] == ["t"]
    assert found["worst"]["change"] == pytest.approx(-0.01)
    within, worst = found["lines"]
    assert within.startswith("Within 5 points of the intact model on t (400 items), by text")
    assert within.endswith("Not a statement of clinical safety.")
    assert worst.startswith("Worst: t -1.0 points [")


def test_the_headline_warns_of_a_wrong_control_and_of_a_partial_run():
    steps = {0.0: 5, 0.25: 6}
    models = [
        {"name": "Doc-7B", "role": "specialist", "parent": "org/Gen-7B-Chat"},
        {"name": "Gen-7B", "role": "base"},
    ]
    rows = frames("Doc-7B", "specialist", steps) + frames("Gen-7B", "base", steps)
    failed = [{"model": "Gen-7B", "role": "base", "recipe": "cut", "level": 0.5}]
    found = run(rows, models=models, failed=failed)["headline"]
    control, partial = found["caveats"]
    assert control == "Wrong control: Doc-7B was tuned from Gen-7B-Chat, not from Gen-7B."
    assert partial == "Partial: 4 of 5 cells have answers; 1 failed."
    assert len(found["lines"]) == 3
    skipped = [failed[0] | {"status": "skipped", "reason": None}]
    assert "Partial" not in " ".join(run(rows, models=models, failed=skipped)["headline"]["lines"])
    models[0]["parent"] = "org/Gen-7B"
    assert run(rows, models=models)["headline"].get("caveats", []) == []


def test_no_evidence_comes_with_what_could_have_been_shown():
    steps = {0.0: 5, 0.25: 6, 0.5: 40}
    others = [  # as many wrong, from the other end
        cell("Gen-7B", x, GOLD, flipped(GOLD[::-1], w)[::-1]).assign(role="base")
        for x, w in steps.items()
    ]
    found = run(frames("Doc-7B", "specialist", steps) + others, models=NAMED)
    assert any("no evidence, where differences of 0.0" in s for s in found["verdict"]["sentences"])


def test_nothing_passed_and_several_recipes():
    rows = frames("m", "m", {0.0: 5, 0.3: 50})
    rows.append(cell("m", 0.3, GOLD, flipped(GOLD, 60), recipe="other"))
    found = run(rows)
    assert (
        found["headline"]["text"]
        == "No smaller version passed; nearest: -22.5 points on t at 30 %."
    )
    assert found["verdict"]["sentences"][0].startswith("Of 2 versions of m, 0 looked good")


def test_a_guardrail_that_stopped_a_sweep_is_named():
    missed = ["no" if g == "yes" and i < 60 else g for i, g in enumerate(GOLD)]
    tasks = {"t": task("t", YN, margin=0.2, positive="yes")}
    frames = [cell("m", x, GOLD, a) for x, a in ((0.0, GOLD), (0.1, missed))]
    found = run(frames, tasks=tasks, study={"name": "hand", "retain": 0.5})
    assert any(
        "missed yes rose by 15.0 points on t (cap 10)" in s for s in found["verdict"]["sentences"]
    )


def test_intact_models_are_compared_where_nothing_else_can_be():
    pair = frames("Doc-7B", "specialist", {0.0: 5}) + frames("Gen-7B", "base", {0.0: 60})
    found = run(pair, models=NAMED)
    assert found["headline"]["text"].startswith(
        "Intact on t, the specialist minus its base is +27.5 points ["
    )
    assert "under none" not in " ".join([found["headline"]["text"], *found["verdict"]["sentences"]])


def test_an_unswept_pass_says_nothing_of_what_lies_beyond():
    late = cell("m", 0.5, GOLD, GOLD).assign(level=float("nan"))
    found = run([cell("m", 0.0, GOLD, GOLD), late])
    assert "lies beyond" not in " ".join(found["verdict"]["sentences"])
    assert found["headline"]["text"] == "Most compressed version that passed: cut."
    assert "not known" not in found["headline"]["text"]


def test_bits_go_down_and_weights_are_removed():
    frames = [cell("m", 0.0, GOLD, GOLD)]
    frames += [
        cell("m", 0.5, GOLD, flipped(GOLD, w)).assign(level=x) for x, w in ((8.0, 0), (2.0, 90))
    ]
    found = run(frames)
    assert found["headline"]["text"] == "Most compressed version that passed: cut at 8 bits."
    assert "passed down to 8 bits on t" in " ".join(found["verdict"]["sentences"])


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
    said = " ".join(run(frames, study=study)["verdict"]["sentences"])
    assert f"passed up to 50 % of the {part} removed on t" in said


def test_nothing_is_said_of_what_an_unknown_recipe_removes():
    frames = [cell("m", 0.0, GOLD, GOLD), cell("m", 0.5, GOLD, GOLD, recipe="by hand, twice")]
    study = {"name": "hand", "recipes": [{"name": "by hand, twice", "levels": [0.5]}]}
    assert "up to 50 % on t" in " ".join(run(frames, study=study)["verdict"]["sentences"])


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

"""Select, then confirm: even halves, alpha that is spent, sizes that rank."""

import numpy as np
import pytest
from answers_by_hand import cell, flipped, run

from resect.findings.choice import halves
from resect.findings.frame import TaskFrame

GOLD = ["yes", "no"] * 300


def recipes(wrong, **more):
    """The intact model and one level of each recipe with so many mistakes of each label."""
    rows = [cell("m", 0.0, GOLD, flipped(GOLD, 5))]
    rows += [cell("m", 0.1, GOLD, flipped(GOLD, w), recipe=name) for name, w in wrong.items()]
    return run(rows, **more)


def sizes(**megabytes):
    """Measurements of each recipe; `none` is the intact model."""
    rows = []
    for name, size in megabytes.items():
        level = 0.0 if name == "none" else 0.1
        rows.append({
            "model": "m", "role": "m", "recipe": name, "seed": 0, "level": level,
            "bytes_on_disk": size, "bytes_in_memory": size, "parameters": 10,
        })  # fmt: skip
    return rows


def frame(gold, clusters=None):
    names = tuple(f"i{i}" for i in range(len(gold)))
    return TaskFrame("t", ("yes", "no"), names, clusters or names, np.array(gold, dtype=np.int8))


def test_halves_share_labels_evenly_and_keep_parents_together():
    rng = np.random.default_rng(0)
    gold = rng.choice(2, 400, p=[0.85, 0.15])
    explore, confirm = halves(frame(gold), 0)
    assert (explore ^ confirm).all()
    assert abs(int(explore.sum()) - int(confirm.sum())) <= 1
    assert abs(int(gold[explore].sum()) - int(gold[confirm].sum())) <= 1
    assert not (halves(frame(gold), 1)[0] == explore).all()
    parents = tuple(f"p{i // 4}" for i in range(400))
    held = halves(frame(gold, parents), 0)[1]
    assert (held.reshape(-1, 4).sum(axis=1) % 4 == 0).all()


def test_one_recipe_needs_no_items_held_back():
    (row,) = recipes({"cut": 5})["choice"]
    assert row["how"] == "levels upward"
    assert row["chosen"]["level"] == 0.1
    assert row["chosen"]["tasks"][0]["n"] == 600


def test_of_several_recipes_the_smallest_that_passes_on_the_other_half():
    measured = sizes(none=10, a=5, b=3, c=7)
    (row,) = recipes({"a": 5, "b": 120, "c": 5}, measurements=measured)["choice"]
    assert (row["how"], row["explored"], row["plausible"]) == ("items held back", 3, 2)
    assert row["chosen"]["recipe"] == "a"
    assert row["chosen"]["tasks"][0]["n"] == 300
    assert [c["alpha"] for c in row["tried"]] == pytest.approx([0.015])


def test_alpha_is_spent_on_what_is_tried():
    """A version that only the selecting half likes costs three fifths of alpha."""
    names = tuple(f"i{i:03d}" for i in range(600))
    plain, gold = flipped(GOLD, 5), np.array([0, 1] * 300, dtype=np.int8)
    confirm = halves(TaskFrame("t", ("yes", "no"), names, names, gold), 0)[1]
    lucky = [("no" if g == "yes" else "yes") if confirm[i] and i % 3 == 0 else a
             for i, (g, a) in enumerate(zip(GOLD, plain, strict=True))]  # fmt: skip
    rows = [cell("m", 0.0, GOLD, plain), cell("m", 0.1, GOLD, lucky, recipe="lucky"),
            cell("m", 0.1, GOLD, plain, recipe="sound")]  # fmt: skip
    (row,) = run(rows, measurements=sizes(none=10, lucky=2, sound=5))["choice"]
    assert [c["recipe"] for c in row["tried"]] == ["lucky", "sound"]
    assert [c["word"] for c in row["tried"]] == ["failed", "passed"]
    assert [c["alpha"] for c in row["tried"]] == pytest.approx([0.015, 0.006])
    assert row["chosen"]["recipe"] == "sound"


def test_recipes_without_sizes_cannot_be_ranked():
    (row,) = recipes({"a": 5, "b": 5})["choice"]
    assert row["chosen"] is None
    assert row["why"].startswith("versions of several recipes cannot be ranked")


def test_every_seed_has_to_pass():
    rows = [cell("m", 0.0, GOLD, flipped(GOLD, 5)), cell("m", 0.1, GOLD, flipped(GOLD, 5)),
            cell("m", 0.1, GOLD, flipped(GOLD, 120), seed=1)]  # fmt: skip
    (row,) = run(rows)["choice"]
    assert row["chosen"] is None

"""What changed between two runs: verdicts apart from numbers, models paired by name or role."""

import copy

from answers_by_hand import cell, flipped, run

from resect.diff.row_names import names_in
from resect.diff.run_diff import between

GOLD = ["yes", "no"] * 20
ONE = {
    "models": [
        {"name": "a", "role": "specialist", "fingerprint": "1"},
        {"name": "b", "role": "base"},
    ],
    "study": {"limit": 60},
    "curves": [{"model": "a", "level": 0.0, "accuracy": 0.5}],
    "safety": [{"model": "a", "view": "text", "state": "up to", "safe_level": 0.2, "alpha": 0.025}],
    "verdict": {"headline": "It holds."},
}


def changed(**values):
    return {**copy.deepcopy(ONE), **values}


def summary(levels, wrong):
    return run([cell("a", x, GOLD, flipped(GOLD, n)) for x, n in zip(levels, wrong, strict=True)])


def test_the_same_is_the_same():
    found = between(ONE, ONE)
    assert found["same"]
    assert not any(found[part] for part in ("asked", "verdicts", "only", "values", "reordered"))
    assert [(m["first"], m["second"], m["by"]) for m in found["models"]] == [
        ("a", "a", "name"), ("b", "b", "name"),
    ]  # fmt: skip


def test_verdicts_and_safe_levels_stand_apart():
    row = {**ONE["safety"][0], "safe_level": 0.3, "alpha": 0.05}
    found = between(ONE, changed(safety=[row], verdict={"headline": "No."}, study={"limit": 50}))
    assert [(d["section"], d["field"]) for d in found["verdicts"]] == [
        ("verdict", "headline"), ("safety", "safe_level"),
    ]  # fmt: skip
    assert [(d["field"], d["first"], d["second"]) for d in found["values"]] == [
        ("alpha", 0.025, 0.05)
    ]
    assert [(d["section"], d["field"]) for d in found["asked"]] == [("study", "limit")]


def test_an_updated_model_is_paired_by_its_role():
    """Its other name stands in no finding; the base keeps its name."""
    models = [{"name": "a-v2", "role": "specialist", "fingerprint": "2"}, ONE["models"][1]]
    curves = [{"model": "a-v2", "level": 0.0, "accuracy": 0.75}]
    safety = [{**ONE["safety"][0], "model": "a-v2"}]
    found = between(ONE, changed(models=models, curves=curves, safety=safety))
    assert [(m["first"], m["second"], m["by"], m["weights"]) for m in found["models"]] == [
        ("b", "b", "name", None), ("a", "a-v2", "role", "other"),
    ]  # fmt: skip
    assert [(d["row"], d["field"], d["second"]) for d in found["values"]] == [
        ({"model": "a", "level": 0.0}, "accuracy", 0.75)
    ]
    assert found["only"] == []
    assert not found["same"]


def test_two_of_one_role_are_not_paired_by_it():
    models = [{"name": n, "role": "specialist"} for n in ("c", "d")]
    assert between(ONE, changed(models=models))["models"] == []


def test_a_level_less_leaves_the_other_rows_as_they_are():
    """Only what has that level, and what follows from the range of levels, differs."""
    found = between(summary((0, 0.25, 0.5), (0, 2, 4)), summary((0, 0.25), (0, 2)))
    lost = [d["row"] for d in found["only"] if d["section"] in ("curves", "bias", "trust")]
    assert len(lost) == 3
    assert {row["level"] for row in lost} == {0.5}
    assert found["shared"]["curves"] == 2
    assert not [d for d in found["values"] if d["section"] in ("curves", "bias", "trust")]


def lists(value, path=()):
    if isinstance(value, dict):
        for key, entry in value.items():
            yield from lists(entry, (*path, key))
    elif isinstance(value, list):
        yield path, value
        for entry in value:
            yield from lists(entry, path)


def test_every_row_of_a_summary_has_a_name_of_its_own():
    both = [cell(m, x, GOLD, flipped(GOLD, n), flipped(GOLD, n // 2))
            for m in "ab" for x, n in ((0, 0), (0.25, 3), (0.5, 8), (0.75, 12))]  # fmt: skip
    for path, rows in lists(run(both)):
        if rows and isinstance(rows[0], dict):
            fields = names_in(rows, rows, path[-1])
            names = [tuple(str(row.get(field)) for field in fields) for row in rows]
            assert fields, path
            assert len(set(names)) == len(names), f"{path} needs a name: see naming.py"

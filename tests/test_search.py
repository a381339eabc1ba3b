"""Fewer questions, the same half-level and the same level that passed."""

from __future__ import annotations

import numpy as np
import pytest
import yaml
from lazy import WHEN_RUN

import resect
from resect.cli import main
from resect.errors import RequestError
from resect.stats.crossings import half_level

if WHEN_RUN:
    from resect.running import search

pytestmark = pytest.mark.slow


GRID = [round(0.05 * step, 2) for step in range(1, 20)]


def simulated(seed: int, n: int = 300) -> np.ndarray:
    """Right or wrong, (20 levels, n items): a curve that falls somewhere, item by item."""
    rng = np.random.default_rng(seed)
    where, steep = rng.uniform(0.15, 0.85), rng.uniform(0.03, 0.12)
    fall = rng.normal(where, steep, n) + rng.normal(0, 0.02, (20, n))
    levels = np.array([0.0, *GRID])[:, None]
    return (fall > levels) & (rng.random((1, n)) < 0.9)


def half_of(right: np.ndarray, levels: list[float], seed: int):
    """The half-level of these levels with its bootstrap interval over items."""
    rng = np.random.default_rng(seed)
    n = right.shape[1]
    weights = np.vstack([np.ones(n), rng.multinomial(n, np.full(n, 1 / n), 500)])
    rows = [0, *(1 + GRID.index(level) for level in levels)]
    score = weights @ right[rows].T / n
    return half_level(np.array([0.0, *levels]), score / score[:, :1])


@pytest.mark.parametrize("seed", range(20))
def test_the_half_level_of_a_third_of_the_questions_is_that_of_the_grid(seed):
    right = simulated(seed)
    kept = {level: right[1 + i].mean() / right[0].mean() for i, level in enumerate(GRID)}
    asked: list[float] = []
    while following := search.next_levels({level: kept[level] for level in asked}, GRID):
        asked = sorted({*asked, *following})
    assert 1 + len(asked) <= (1 + len(GRID)) / 3
    whole, found = half_of(right, GRID, seed), half_of(right, asked, seed)
    assert abs(whole.value - found.value) < 0.05
    assert found.low <= whole.value
    assert found.high is None or whole.value <= found.high  # None: beyond the last level


def test_curves_that_never_fall_or_fall_at_once_are_followed_to_the_end():
    for kept, last in ((lambda _: 1.0, GRID[-1]), (lambda _: 0.0, GRID[0])):
        asked: list[float] = []
        while following := search.next_levels({level: kept(level) for level in asked}, GRID):
            assert not set(following) & set(asked)
            asked += following
        assert last in asked
    assert search.next_levels({}, [0.5]) == [0.5]
    assert search.next_levels({0.5: 0.9}, [0.5]) == []


def study(pair, levels="0:0.9:0.1", **fields):
    given = {
        "name": "tiny", "models": {"specialist": str(pair[0]), "base": str(pair[1])},
        "recipes": ["magnitude"], "levels": levels, "tasks": ["clinic-context"], "limit": 12,
        "resamples": 200, "measure": "sizes",
    }  # fmt: skip
    return resect.Study.of(**{**given, **fields})


def test_a_level_that_does_not_pass_ends_the_search(tiny_pair, tmp_path, monkeypatch):
    """Random models know nothing, so nothing is assessable: one level is asked and no more."""
    said = []
    run = search.search(study(tiny_pair), "passed", tmp_path / "run", notice=said.append)
    levels = {(row["model"], row["level"]) for row in run.summary()["curves"]}
    assert levels == {(m, x) for m in ("special", "base") for x in (0.0, 0.1)}
    assert said[-1] == "6 of 216 questions of damaged models were asked."


def test_the_embedded_specialist_is_searched_as_its_grid_says(tmp_path):
    given = {"models": {"specialist": "clinic:specialist"}, "limit": 60}
    asked = study((0, 0), tasks=["clinic-medicine"], **given)
    whole = resect.run(asked, tmp_path / "whole").summary()
    found = search.search(asked, "half", tmp_path / "half", notice=lambda _: None).summary()
    one, two = (
        next(c for c in s["cliffs"] if c["kind"] == "half" and c["view"] == "text"
             and c["metric"] == "skill")
        for s in (whole, found)
    )  # fmt: skip
    assert one["low"] <= two["level"] <= one["high"]
    count = {len({row["level"] for row in s["curves"]}) for s in (whole, found)}
    assert max(count) == 10
    assert min(count) <= 6
    safe = search.search(asked, "passed", tmp_path / "half", notice=lambda _: None).summary()
    both = [next(r for r in s["verdicts"] if r["default"])["passed_level"] for s in (whole, safe)]
    assert both[0] == both[1]


def test_recipes_may_be_for_some_models(tiny_pair, tmp_path):
    given = study(
        tiny_pair, levels=None,
        recipes=[
            {"steps": "magnitude", "levels": "0,0.3", "roles": ["specialist"]},
            {"steps": "magnitude", "levels": "0,0.6", "roles": ["base"]},
        ],
    )  # fmt: skip
    run = resect.run(given, tmp_path / "run")
    found = {(row["role"], row["level"]) for row in run.summary()["curves"]}
    assert found == {(r, x) for r, y in (("specialist", 0.3), ("base", 0.6)) for x in (0.0, y)}
    assert not any("gap" in text for text in run.summary()["warnings"])
    assert resect.Study.load(run.path / "study.yaml").recipes == given.recipes
    with pytest.raises(RequestError, match="no model has the role teacher"):
        study(tiny_pair, recipes=[{"steps": "magnitude", "roles": ["teacher"]}])


def test_a_search_keeps_the_seed_and_the_models_of_a_recipe(tiny_pair, tmp_path):
    given = study(
        tiny_pair, levels=None, limit=4, seed=5,
        recipes=[
            {"steps": "random", "levels": "0:0.6:0.2", "roles": ["base"], "seed": 3},
            {"steps": "random", "levels": "0:0.6:0.2", "roles": ["specialist"], "seeds": 2},
        ],
    )  # fmt: skip
    run = search.search(given, "half", tmp_path / "run", notice=lambda _: None)
    found = {(row["role"], row["seed"]) for row in run.summary()["curves"]}
    assert found == {("base", 3), ("specialist", 0), ("specialist", 1)}


def test_a_recipe_that_names_a_default_is_found_by_the_name_it_is_stored_by(tiny_pair, tmp_path):
    given = study(
        tiny_pair, levels="0:0.9:0.3", recipes=["wanda,scope=row"],
        calibration={"data": "clinic", "nsamples": 2, "seqlen": 32},
    )  # fmt: skip
    run = search.search(given, "half", tmp_path / "run", notice=lambda _: None)
    assert {row["recipe"] for row in run.summary()["curves"]} == {"wanda"}


def test_a_wrong_search_is_one_sentence(tiny_pair, tmp_path, capsys):
    path = tmp_path / "study.yaml"
    fields = yaml.safe_load(study(tiny_pair).dump())
    path.write_text(yaml.safe_dump(fields))
    arguments = ["run", str(path), "--anyway", "--out", str(tmp_path / "run"), "--search"]
    assert main([*arguments, "hafl"]) == 2
    assert "did you mean half" in capsys.readouterr().err
    with pytest.raises(RequestError, match="nothing to search"):
        search.search(study(tiny_pair, levels=None, recipes=["magnitude:0.5"]), "half", tmp_path)

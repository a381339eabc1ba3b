"""A recipe under several seeds: one name, a sweep each, and its own identity."""

from __future__ import annotations

import pytest
from lazy import WHEN_RUN

import resect
from resect.errors import RequestError

if WHEN_RUN:
    from resect.running.plan import sweeps
    from resect.running.resolve import resolve


def a_study(pair, recipe, **fields) -> resect.Study:
    given = {
        "models": {"base": str(pair[0])},
        "recipes": [recipe],
        "tasks": ["clinic-logic"],
        "limit": 8,
        "resamples": 200,
        "measure": "sizes",
    }
    return resect.Study.of(**{**given, **fields})


def test_every_seed_is_a_sweep_of_its_own(tiny_pair, tmp_path):
    study = a_study(tiny_pair, {"steps": "neurons,criterion=random", "seeds": 3, "levels": "0.5"})
    planned = sweeps(resolve(study))
    assert [sweep.seed for sweep in planned] == [0, 1, 2]
    assert len({cell.spec.state.id for sweep in planned for cell in sweep.cells}) == 4
    run = resect.run(study, tmp_path)
    rows = [row for row in run.summary()["curves"] if row["level"] == 0.5]
    assert {row["recipe"] for row in rows} == {"neurons,criterion=random"}
    assert sorted({row["seed"] for row in rows}) == [0, 1, 2]
    measured = [(r["recipe"], r["seed"]) for r in run.summary()["measurements"]]
    assert measured == [("none", 0), *(("neurons,criterion=random", seed) for seed in range(3))]
    assert resect.Study.load(tmp_path / "study.yaml").recipes == study.recipes
    assert "mean of 3 seeds" in (tmp_path / "report.html").read_text()


def test_seeds_also_draw_the_windows_of_target_and_distractor(tiny_pair):
    texts = "target=task:clinic-medicine,distractor=task:clinic-logic,nsamples=4,seqlen=16"
    step = f"neurons,criterion=selectivity,{texts}"
    found = resolve(a_study(tiny_pair, {"steps": step, "seeds": [1, 5], "levels": "0.5"}))
    one, two = (found.chains[recipe.key].sources for recipe in found.study.recipes)
    assert len(one) == len(two) == 2
    assert not set(one) & set(two)


@pytest.mark.parametrize("seeds", [0, "three", 1.5])
def test_seeds_are_a_number_or_a_list(tiny_pair, seeds):
    with pytest.raises(RequestError, match="give a number of seeds, or a list"):
        a_study(tiny_pair, {"steps": "random", "seeds": seeds, "levels": "0.5"})


def test_what_goes_by_no_seed_has_none(tiny_pair):
    with pytest.raises(RequestError, match="magnitude uses no randomness"):
        resolve(a_study(tiny_pair, {"steps": "magnitude", "seeds": 2, "levels": "0.5"}))


def test_levels_given_beside_a_file_keep_seeds_and_roles(tmp_path):
    from resect.running import request

    place = tmp_path / "study.yaml"
    place.write_text(
        "models: {base: x, other: y}\ntasks: [clinic-logic]\nrecipes:\n"
        "  - {steps: random, seeds: 2, roles: [other], levels: '0.5'}\n"
    )
    study = request.study(
        place, smoke=False, models={}, methods=None, levels="0.1,0.2", tasks=None, every_model={},
        calibration={}, fields={},
    )  # fmt: skip
    assert [t.seed for t in study.recipes] == [0, 1]
    assert all(t.roles == ("other",) and t.levels == (0.1, 0.2) for t in study.recipes)

"""Which step is swept, and what cannot be done: found before anything runs."""

from __future__ import annotations

import pytest
import tiny
from lazy import WHEN_RUN

import resect
from resect.errors import RequestError
from resect.running import request
from resect.spec import Recipe

if WHEN_RUN:
    from resect.methods.validation import check


LORA = "lora,batch_size=2,data=clinic,examples=8,steps=1"


def a_study(model, recipes, **fields) -> resect.Study:
    given = {"tasks": ["clinic-logic"], "limit": 4, "resamples": 200, "measure": "sizes"}
    return resect.Study.of(models={"base": str(model)}, recipes=recipes, **given, **fields)


@pytest.mark.parametrize(
    ("steps", "swept"),
    [
        ("magnitude", 0), ("magnitude + bnb-nf4", 0), ("magnitude:0.5 + random", 1),
        ("checkpoint:x + magnitude", 1), (f"{LORA} + magnitude", 1), ("bnb-nf4", None),
        ("magnitude,pattern=2:4 + random", 1), (f"checkpoint:x + {LORA}", None),
    ],
)  # fmt: skip
def test_the_first_step_whose_level_is_open_is_swept(steps, swept):
    recipe = Recipe.of(steps=steps, levels="0.1,0.2")
    assert recipe.swept == swept
    assert recipe.free == (swept is not None)
    assert recipe.name == steps
    if swept is not None:
        assert [step.level for step in recipe.at(0.2)][swept] == 0.2
        assert recipe.doses(swept) == (0.1, 0.2)


def test_what_is_wrong_with_levels_is_said_of_the_right_step():
    with pytest.raises(RequestError, match="no step of 'bnb-nf4' can be swept"):
        check(Recipe.of(steps="bnb-nf4", levels="0.5"), None)
    with pytest.raises(RequestError, match="magnitude needs plain weights, but bnb-int8"):
        check(Recipe.of(steps="bnb-int8 + magnitude", levels="0.5"), None)
    with pytest.raises(RequestError, match="magnitude has no level"):
        check(Recipe.of(steps="checkpoint:x + magnitude"), None)


def test_levels_that_all_share_go_to_what_has_levels():
    study = a_study("x", ["bnb-nf4", "magnitude", "checkpoint:y + random"], levels="0.5")
    assert [t.levels for t in study.recipes] == [(), (0.5,), (0.5,)]
    asked = request.study(
        None, smoke=False, models={"base": "x"}, methods=["bnb-nf4", "random"], levels="0.5",
        tasks=["clinic-logic"], every_model={}, calibration={}, fields={},
    )  # fmt: skip
    assert [t.levels for t in asked.recipes] == [(), (0.5,)]


def test_a_step_behind_a_checkpoint_or_an_adapter_is_swept(tmp_path):
    model, other = tiny.save(tmp_path / "a", seed=0), tiny.save(tmp_path / "b", seed=1)
    names = [f"checkpoint:{other} + magnitude", f"{LORA} + magnitude"]
    study = a_study(model, [{"steps": name, "levels": "0.25,0.5"} for name in names])
    rows = resect.run(study, tmp_path / "run").summary()["curves"]
    for name in names:
        found = {r["level"]: r["measured_level"] for r in rows if r["recipe"] == name}
        assert found == pytest.approx({0: 0, 0.25: 0.25, 0.5: 0.5}, abs=1e-3)


@pytest.mark.parametrize(
    ("second", "sentence"),
    [
        ("magnitude,pattern=2:4", "rows whose length divides by 4"),
        ({"steps": "random,include=*nothing*", "levels": "0.5"}, "no matrix matches"),
    ],
)
def test_a_recipe_that_cannot_be_done_stops_a_study_before_it_starts(second, sentence, tmp_path):
    odd = tiny.save(tmp_path / "odd", intermediate_size=50)
    study = a_study(odd, [{"steps": "magnitude", "levels": "0.5"}, second])
    with pytest.raises(RequestError, match=sentence):
        resect.run(study, tmp_path / "run")
    assert not (tmp_path / "run").exists()

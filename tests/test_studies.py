"""The published studies: every file can be read, and its small version runs from end to end."""

from __future__ import annotations

from pathlib import Path

import pytest
from lazy import WHEN_RUN

import resect
from resect import tasks
from resect.errors import RequestError

if WHEN_RUN:
    from resect.methods.validation import check


STUDIES = sorted((Path(__file__).parents[1] / "studies").glob("*.yaml"))
assert STUDIES


@pytest.fixture(params=STUDIES, ids=lambda path: path.stem)
def path(request) -> Path:
    return request.param


def test_every_study_is_declared_well(path, tmp_path):
    study = resect.Study.load(path)
    assert study.name == path.stem
    again = tmp_path / "again.yaml"
    again.write_text(study.dump())
    assert resect.Study.load(again) == study


def test_every_name_in_a_study_is_known(path):
    study = resect.Study.load(path)
    for name in study.tasks:
        tasks.get(name)
    for recipe in study.recipes:
        methods = check(recipe, study.calibration, study.seed_of(recipe))
        assert len(methods) == len(recipe.steps)


@pytest.mark.slow
def test_the_small_version_of_every_study_runs(path, tmp_path):
    small = resect.Study.load(path, smoke=True)
    assert small.name == f"{path.stem}-smoke"
    assert all(ref.id.startswith("clinic:") for ref in small.models.values())
    run = resect.run(small, tmp_path)
    summary = run.summary()
    assert run.failed() is None
    seen = {(row["recipe"], row["seed"]) for row in summary["curves"]}
    asked = {(t.name, small.seed_of(t)) for t in small.recipes}
    assert {name for name, _ in seen} >= {name for name, _ in asked}
    assert resect.Study.load(tmp_path / "study.yaml").name == small.name


def test_a_study_without_a_small_version_says_so(tmp_path):
    place = tmp_path / "plain.yaml"
    place.write_text("models: {base: x}\nrecipes: [magnitude]\ntasks: [clinic-logic]\n")
    with pytest.raises(RequestError, match="has no `smoke` section"):
        resect.Study.load(place, smoke=True)

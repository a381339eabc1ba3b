"""What models without weights get on real items: the values that theory says, and no prize."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from null_models import CONTROLS, MODELS, answers
from summaries import summarise

from resect import tasks
from resect.tasks import Source
from resect.tasks.sandbox.programs import OPT_IN

LABELLED = ("pubmedqa", "medqa", "medhallu", "truthfulqa")
OPEN = ("gsm8k", "math500", "ncbi-disease", "bc5cdr", "humaneval", "medquad", "pubmedqa-conclusion")
LIMIT = {"humaneval": 4}
NO_WORDS = ("silent", "garbage")

Row = dict[str, Any]


@pytest.fixture(scope="module")
def found(data_dir) -> dict[str, Any]:
    """All models on all tasks, as one summary."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(OPT_IN, "1")
        names = (*LABELLED, "medhalt-fake", *OPEN)
        frames = [answers(name, source(name, data_dir)) for name in names]
        rows = pd.concat(frames, ignore_index=True)
        infos = {name: tasks.get(name).describe(source(name, data_dir)) for name in names}
    keys = ["model", "role", "recipe", "level", "seed", "task"]
    return summarise(
        study={"name": "null"},
        models=[{"name": name, "role": name} for name in MODELS],
        tasks=infos,
        answers=rows,
        cells=rows[keys].drop_duplicates().assign(status="success", reason=None, n=1),
        measurements=[],
        provenance={},
        resamples=100,
    )


def source(name: str, data_dir: Any) -> Source:
    variants = ("permuted", "swapped", "unsure")
    return Source(data_dir, limit=LIMIT.get(name, 100), variants=variants)


def rows_of(found: dict[str, Any], key: str, model: str, **more: Any) -> list[Row]:
    return [r for r in found[key] if r["model"] == model
            and all(r[k] == v for k, v in more.items())]  # fmt: skip


def skills(found: dict[str, Any], model: str, task: str) -> dict[str, float]:
    return {r["view"]: r["skill"] for r in rows_of(found, "curves", model, task=task)}


@pytest.mark.parametrize("task", [*LABELLED, *OPEN])
def test_only_the_oracle_is_better_than_an_intact_model(task, found):
    intact = skills(found, "intact", task)
    assert set(intact) == ({"text", "options"} if task in LABELLED else {"text"})
    for view, value in skills(found, "oracle", task).items():
        assert value == pytest.approx(1, abs=0.02)  # a reference of web addresses is read as none
        assert intact[view] < value or task == "humaneval"  # four programs
    for model in CONTROLS:
        for view, value in skills(found, model, task).items():
            assert value < 0.6 * intact[view], (model, view)


@pytest.mark.parametrize("task", LABELLED)
def test_skill_of_labels_is_nothing(task, found):
    for model in ("silent", "garbage", "always-yes", "majority", "constant"):
        assert skills(found, model, task)["text"] == pytest.approx(
            0, abs=0.09 if task == "truthfulqa" else 1e-9
        ), model
    for model in ("random", "uniform"):
        (row,) = rows_of(found, "curves", model, task=task, view="text")
        assert row["metrics"]["skill"]["low"] <= 0 <= row["metrics"]["skill"]["high"]


@pytest.mark.parametrize("task", OPEN)
def test_silence_and_garbage_are_nothing_on_lists_texts_and_programs(task, found):
    for model in NO_WORDS:
        (row,) = rows_of(found, "curves", model, task=task)
        assert row["skill"] == pytest.approx(0, abs=1e-9)
    (row,) = rows_of(found, "curves", "silent", task=task)
    assert row["metrics"]["no_answer"]["value"] == 1
    if task in ("medquad", "pubmedqa-conclusion"):
        assert row["metrics"]["omission"]["value"] == 1
        (whole,) = rows_of(found, "curves", "oracle", task=task)
        assert whole["metrics"]["omission"]["value"] < 0.02


RATES = {  # consistency (medqa), grounded (pubmedqa), preference (medhallu), by text
    "oracle": (1, 1, 1),
    "silent": (0, 0, 0),
    "garbage": (0, 0, 0),
    "constant": (0, 0, 0),
    "always-yes": (0, 0, 0),
    "random": (1 / 5, 2 / 9, 1 / 4),
    "uniform": (1 / 5, 2 / 9, 1 / 4),
}


@pytest.mark.parametrize("model", RATES)
def test_rates_of_reliability(model, found):
    asked = zip((("medqa", "consistency"), ("pubmedqa", "grounded"), ("medhallu", "preference")),
                RATES[model], strict=True)  # fmt: skip
    for (task, rate), value in asked:
        (row,) = rows_of(found, "reliability", model, task=task, view="text")
        one = row[rate]
        (intact,) = rows_of(found, "reliability", "intact", task=task, view="text")
        if 0 < value < 1:
            assert one["low"] <= value <= one["high"], (task, rate)
            assert one["guess"] == pytest.approx(value)
        else:
            assert one["value"] == value, (task, rate)
        assert one["value"] < intact[rate]["value"] or model == "oracle"


def test_abstaining(found):
    j = {r["model"]: r["levels"][0]["j"] for r in found["abstention"] if r["view"] == "text"}
    assert j["oracle"]["value"] == 1
    for model in ("silent", "garbage", "always-abstain"):
        assert j[model]["value"] == 0
    for model in ("random", "uniform", "constant"):  # one letter is a guess where places are drawn
        assert abs(j[model]["value"] - j[model]["guess"]) < 0.15, model  # of 100 items a side
        assert j[model]["guess"] == pytest.approx(j["silent"]["guess"])
    assert all(one["value"] < j["intact"]["value"] for m, one in j.items() if m in CONTROLS)


@pytest.mark.parametrize("task", LABELLED)
def test_confidence(task, found):
    def of(model: str) -> Row:
        (row,) = rows_of(found, "trust", model, task=task, view="options")
        return row

    right = {m: rows_of(found, "curves", m, task=task, view="options")[0]["accuracy"]
             for m in MODELS}  # fmt: skip
    oracle, uniform, constant = of("oracle"), of("uniform"), of("constant")
    assert oracle["wrong_and_confident"]["value"] == 0
    for row, error in ((oracle, 0.03), (constant, 0.97 - right["constant"])):
        assert row["calibration_error"]["counted"] == pytest.approx(error, abs=1e-6)
        assert row["calibration_error"]["value"] == pytest.approx(error, abs=5e-3)
    assert oracle["risk_coverage"]["value"] == 0
    assert uniform["confident"]["value"] == 0  # never sure, so never wrong and sure
    if task != "truthfulqa":  # where options are as many, all is the same: tells nothing
        assert uniform["auroc"]["value"] == pytest.approx(0.5)
    assert constant["confident"]["value"] == 1
    assert constant["wrong_and_confident"]["value"] == pytest.approx(1 - right["constant"])
    assert constant["risk_coverage"]["value"] == pytest.approx(1 - right["constant"])
    assert of("silent")["auroc"] is None
    for model in CONTROLS:
        if model not in ("silent", "uniform", "always-abstain"):
            row = of(model)
            assert (
                row["wrong_and_confident"]["value"] > of("intact")["wrong_and_confident"]["value"]
            )
            assert row["risk_coverage"]["value"] > of("intact")["risk_coverage"]["value"]

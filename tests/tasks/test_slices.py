"""The tags that tasks set reach the report of two models: curves, and the worst slice by tag."""

from __future__ import annotations

from html import escape
from pathlib import Path

import pytest
from lazy import WHEN_RUN

from resect import Study
from resect.running.folder import Run

if WHEN_RUN:
    from resect import run


@pytest.fixture(scope="module")
def found(data_dir, tmp_path_factory) -> Run:
    study = Study.of(
        models={"specialist": "clinic:specialist", "base": "clinic:base"},
        recipes=["magnitude"],
        levels="0,0.6",
        tasks=["medqa-4", "medmcqa", "mmlu-lobotomy"],
        data_dir=str(data_dir),
        limit=50,
        resamples=100,
        device="cpu",
    )
    return run(study, tmp_path_factory.mktemp("slices") / "run")


def test_curves_of_both_models(found):
    curves = found.summary()["curves"]
    assert {(c["model"], c["task"], c["view"], c["level"]) for c in curves} == {
        (f"clinic-{model}", task, view, level)
        for model in ("specialist", "base")
        for task in ("medqa-4", "medmcqa", "mmlu-lobotomy")
        for view in ("text", "options")
        for level in (0.0, 0.6)
    }


@pytest.mark.parametrize(
    ("task", "tag", "values"),
    [
        ("medqa-4", "step", {"step1", "step2&3"}),
        ("medqa-4", "length", {"050-099 words", "100-199 words", "200 words or more"}),
        ("medmcqa", "subject", {"Dental", "Surgery"}),
        ("mmlu-lobotomy", "subject", {"formal_logic", "college_medicine"}),
        ("mmlu-lobotomy", "topic", {"logic", "medical"}),
    ],
)
def test_worst_slices_by_tag(found, task, tag, values):
    rows = [r for r in found.summary()["slices"] if (r["task"], r["tag"]) == (task, tag)]
    assert {(row["model"], row["view"]) for row in rows} == {
        (f"clinic-{model}", view)
        for model in ("specialist", "base")
        for view in ("text", "options")
    }
    for row in rows:
        assert values <= {one["value"] for one in row["values"]}
        assert sum(one["n"] for one in row["values"]) == 50
        large = [one for one in row["values"] if one["n"] >= 10]
        assert (row["worst"] is not None) == (len(large) > 1)
        assert row["worst"] or tag == "subject"


def test_the_page_names_the_worst(found):
    page = Path(found.path / "report.html").read_text(encoding="utf-8")
    worst = [row for row in found.findings().slices if row.worst is not None]
    assert {row.tag for row in worst} >= {"step", "length", "subject", "topic"}
    for row in worst:
        if row.view == "text":
            assert escape(f"{row.tag}: {row.worst.value}") in page

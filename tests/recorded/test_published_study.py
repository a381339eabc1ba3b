"""The published study through `resect audit`: its numbers to four decimals, and what survives."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest

from resect.recorded import audit
from resect.running.folder import Run
from resect.stats.intervals import interval, item_weights

SPECIALIST, BASE = "BioMistral-7B", "Mistral-7B-v0.1"


@pytest.fixture(scope="module")
def run(data_dir, tmp_path_factory):
    archive = data_dir / "lobotomy_logs.tar.xz"
    if not archive.is_file():
        pytest.skip(f"the recorded study is not at {archive}: its published numbers go unchecked")
    return audit(archive, tmp_path_factory.mktemp("audit") / "run")


@pytest.fixture(scope="module")
def summary(run):
    return run.summary()


def areas(summary, key="area", reading="study"):
    rows = [row for row in summary["published"]["areas"] if row["reading"] == reading]
    return {(row["task"], row["model"]): row[key] for row in rows}


def test_every_answer_is_there(run, summary):
    answers = run.answers()
    assert len(answers) == summary["study"]["recorded"]["answers"] == 70_480
    counts = {row["name"]: row["n"] for row in summary["tasks"]}
    assert counts == {"mmlu-logic": 389, "mmlu-medical": 373, "pubmedqa": 1000}
    assert [(m["name"], m["role"]) for m in summary["models"]] == [
        (SPECIALIST, "specialist"),
        (BASE, "base"),
    ]
    assert len(summary["curves"]) == 2 * 3 * 20


def test_areas_as_published(summary):
    found = {key: round(value, 4) for key, value in areas(summary).items()}
    assert found == {
        ("pubmedqa", BASE): 0.4871,
        ("pubmedqa", SPECIALIST): 0.4787,
        ("mmlu-logic", BASE): 0.2282,
        ("mmlu-logic", SPECIALIST): 0.2606,
        ("mmlu-medical", BASE): 0.2894,
        ("mmlu-medical", SPECIALIST): 0.3399,
    }
    accuracy = {key: round(value, 4) for key, value in areas(summary, "accuracy_area").items()}
    assert accuracy["mmlu-logic", BASE] == 0.2893
    assert accuracy["mmlu-logic", SPECIALIST] == 0.3006
    assert accuracy["mmlu-medical", BASE] == 0.3529
    assert accuracy["mmlu-medical", SPECIALIST] == 0.3700


def test_shares_of_yes_before_any_damage(summary):
    rows = summary["published"]["levels"]
    yes = {
        row["model"]: row["prediction_share"]["yes"]
        for row in rows
        if (row["task"], row["level"], row["reading"]) == ("pubmedqa", 0, "study")
    }
    assert yes == {BASE: 0.744, SPECIALIST: 0.736}
    assert summary["published"]["gold"]["pubmedqa"]["yes"] == 0.552


def compared(summary, reading, metric):
    return {
        row["task"]: row
        for row in summary["published"]["comparisons"]
        if (row["reading"], row["metric"]) == (reading, metric)
    }


@pytest.mark.parametrize(
    ("metric", "task", "expected", "slack"),
    [
        ("accuracy", "mmlu-logic", (0.011, -0.010, 0.033), 0.004),
        # its equal questions are resampled together here, which widens the interval
        ("accuracy", "mmlu-medical", (0.017, -0.004, 0.039), 0.007),
        ("accuracy", "pubmedqa", (-0.039, -0.048, -0.029), 0.004),
        ("skill", "mmlu-logic", (-0.010, -0.040, 0.021), 0.01),
        ("skill", "mmlu-medical", (0.007, -0.023, 0.038), 0.01),
        ("skill", "pubmedqa", (0.001, -0.018, 0.020), 0.01),
        ("retention", "mmlu-logic", (0.061, -0.034, 0.177), 0.01),
        ("retention", "mmlu-medical", (0.088, 0.027, 0.148), 0.012),
        ("retention", "pubmedqa", (-0.085, -0.164, -0.007), 0.01),
    ],
)
def test_differences_with_the_studys_own_parses(summary, metric, task, expected, slack):
    row = compared(summary, "study", metric)[task]
    assert (row["a"], row["b"]) == (SPECIALIST, BASE)
    assert row["difference"] == pytest.approx(expected[0], abs=6e-4)
    assert (row["low"], row["high"]) == pytest.approx(expected[1:], abs=slack)
    clear = expected[1] > 0 or expected[2] < 0
    assert (row["verdict"] != "no evidence") == clear


def test_equal_questions_are_resampled_together(run, summary):
    """58 questions stand in both medical subjects; as independent items they claim too much."""
    answers = run.answers()
    rows = answers[(answers["task"] == "mmlu-medical") & (answers["level"] == 0)]
    rows = rows[rows["model"] == BASE]
    assert rows["parent"].notna().sum() == 58
    assert any("58 questions" in warning for warning in summary["warnings"])
    one = answers[answers["task"] == "mmlu-medical"]
    right = (one["recorded"] == one["gold"]).astype(float)
    grid = one.assign(right=right).pivot_table(
        index="item_id", columns=["model", "level"], values="right"
    )
    levels = np.array(sorted(one["level"].unique()))
    gap = np.trapezoid((grid[SPECIALIST] - grid[BASE]).to_numpy(), levels, axis=1)  # (N,)
    parents = rows.set_index("item_id")["parent"].reindex(grid.index)
    clusters = [p if isinstance(p, str) else i for i, p in zip(grid.index, parents, strict=True)]

    def spread(names):
        weights = item_weights(names, 2000, 0, "mmlu-medical")
        return interval((weights @ gap) / weights.sum(axis=1))

    alone, together = spread(list(grid.index)), spread(clusters)
    assert (alone.value, alone.low, alone.high) == pytest.approx((0.017, -0.004, 0.039), abs=0.004)
    shown = compared(summary, "study", "accuracy")["mmlu-medical"]
    assert (shown["low"], shown["high"]) == pytest.approx(together[1:], abs=0.002)
    assert together.high - together.low > 1.1 * (alone.high - alone.low)


def test_claims_say_what_survives(summary):
    claims = summary["published"]["claims"]
    verdicts = {(row["task"], "bias" in row["claim"]): row["verdict"] for row in claims}
    assert verdicts["mmlu-logic", False] == "does not hold"
    assert verdicts["mmlu-medical", False] == "depends on the measure"
    assert verdicts["pubmedqa", True] == "does not hold"
    (bias,) = [row["why"] for row in claims if "bias" in row["claim"]]
    assert "0.754 of its 969 answers intact" in bias
    assert re.search(r"most often in 0\.940 of \d+ \(level 0\.7\), \+0\.2", bias), bias
    assert "least often in 0.220 of 889 (level 0.45), -0.524" in bias
    assert "both ways" in bias
    shield = " ".join(row["claim"] + row["why"] for row in claims if "mmlu" in row["task"])
    assert "+14.2 %" in shield
    assert "+17.5 %" in shield
    assert "one more class" in shield
    assert Counter(row["task"] for row in claims)["pubmedqa"] == 2


def test_it_says_why_the_two_readings_differ(summary):
    """The study counted most texts without an answer as maybe, and `no` inside other words."""
    found = {row["task"]: row for row in summary["published"]["readers"]}
    assert {row["n"] for row in found.values()} == {40_000, 15_560, 14_920}
    pubmedqa = found["pubmedqa"]
    assert pubmedqa["agree"] < 0.6 < 0.9 < found["mmlu-logic"]["agree"]
    assert pubmedqa["counted_as"]["maybe"] > 0.7
    assert "as maybe" in pubmedqa["says"]


def test_the_control_is_not_the_parent(summary):
    assert any("Mistral-7B-Instruct-v0.1" in warning for warning in summary["warnings"])


def test_the_page_shows_it_and_can_be_rebuilt(run):
    page = (run.path / "report.html").read_text()
    assert len(page.encode()) < 6_000_000
    assert "<h2>Published claims</h2>" in page
    assert "0.4871" in page
    before = (run.path / "summary.json").read_text()
    subprocess.run(
        [sys.executable, "-m", "resect.cli", "report", str(run.path), "--quiet"], check=True
    )
    assert json.loads(before) == Run(run.path).summary()

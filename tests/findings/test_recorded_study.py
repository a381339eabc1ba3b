"""The published study audited with its own parses: numbers to be met, never tuned towards."""

import json

import pytest
from benchmark_files import NO_DATA
from lobotomy_logs import LOGS, MODELS, STUDY, TASKS, read_logs
from summaries import summarise

from resect.diff.same_summary import same_summary

pytestmark = pytest.mark.skipif(not LOGS.exists(), reason=NO_DATA)

# difference, low, high; points to the printed digit, interval ends within Monte-Carlo noise
PUBLISHED = {
    ("logic", "absolute"): (-0.010, -0.040, 0.021),
    ("medical", "absolute"): (0.007, -0.023, 0.038),
    ("pubmedqa", "absolute"): (0.001, -0.018, 0.020),
    ("logic", "retention"): (0.061, -0.034, 0.177),
    ("medical", "retention"): (0.088, 0.027, 0.148),
    ("pubmedqa", "retention"): (-0.085, -0.164, -0.007),
}


def audit(answers, cells, seed=0):
    return summarise(
        study=STUDY, models=MODELS, tasks=TASKS, answers=answers, cells=cells,
        measurements=[], provenance={}, seed=seed,
    )  # fmt: skip


@pytest.fixture(scope="module")
def logs():
    return read_logs()


@pytest.fixture(scope="module")
def summary(logs):
    return audit(*logs)


def test_differences_meet_the_published_ones(summary):
    found = {(row["task"], row["kind"]): row for row in summary["comparisons"]}
    assert found.keys() == PUBLISHED.keys()
    for key, (difference, low, high) in PUBLISHED.items():
        row = found[key]
        assert row["difference"] == pytest.approx(difference, abs=6e-4), key
        assert (row["low"], row["high"]) == pytest.approx((low, high), abs=0.01), key
        assert (row["a"], row["b"]) == ("BioMistral-7B", "Mistral-7B-v0.1")


def test_verdicts(summary):
    verdicts = {row["task"]: row["verdict"] for row in summary["comparisons"]}
    assert verdicts == {
        "logic": "no evidence",
        "medical": "depends on the measure",
        "pubmedqa": "depends on the measure",
    }
    adjusted = {row["task"]: row["verdict_holm"] for row in summary["comparisons"]}
    assert adjusted == {
        "logic": "no evidence",
        "medical": "depends on the measure",
        "pubmedqa": "no evidence",
    }
    assert all(row["family"] == 6 and row["detectable"] > 0.02 for row in summary["comparisons"])
    assert summary["headline"]["text"] == (
        "Most compressed version that passed: 10 % of the targeted weights removed (magnitude)."
    )


def test_curves_are_complete(summary):
    assert len(summary["curves"]) == 2 * 3 * 20
    counts = {row["name"]: row["n"] for row in summary["tasks"]}
    assert counts == {"logic": 389, "medical": 373, "pubmedqa": 1000}
    first = next(r for r in summary["curves"] if r["task"] == "pubmedqa" and r["role"] == "base")
    assert first["prediction_share"] == {"yes": 0.744, "no": 0.185, "maybe": 0.071}
    json.dumps(summary, allow_nan=False)


def test_the_same_again_in_any_order(logs, summary):
    answers, cells = logs
    again = audit(answers.sample(frac=1, random_state=1), cells.iloc[::-1])
    assert same_summary(summary, again)
    assert not same_summary(summary, audit(answers, cells, seed=1))


def test_passed_levels_and_cliffs(summary):
    """Found once on the study's own parses; they may not drift."""
    passed = {row["role"]: row["passed_level"] for row in summary["verdicts"]}
    stops = {row["role"]: row["stopped_by"]["task"] for row in summary["verdicts"]}
    assert passed == {"specialist": 0.1, "base": 0.15}
    assert stops == {"specialist": "logic", "base": "pubmedqa"}
    halves = {
        (row["role"], row["task"]): row["level"]
        for row in summary["cliffs"]
        if (row["kind"], row["metric"]) == ("half", "skill")
    }
    assert halves[("specialist", "logic")] == pytest.approx(0.600, abs=1e-3)
    assert halves[("base", "logic")] == pytest.approx(0.495, abs=1e-3)
    assert {row["race"]["first"] for row in summary["breaks_first"]} == {"skill by text"}
    recovers = {(row["role"], row["task"]) for row in summary["cliffs"] if "recovers_at" in row}
    assert ("specialist", "pubmedqa") in recovers  # .32 is left at 45 %, more than half later
    for row in summary["cliffs"]:
        key = row["role"], row["task"]
        if (row["kind"], row["metric"]) == ("onset", "skill") and key not in recovers:
            assert row["low"] <= row["level"] <= halves[key]

"""Rows are frozen, of Python's own types and finite; their names are those of the catalogue."""

import dataclasses
import math
from collections.abc import Mapping
from enum import StrEnum

import numpy as np
import pandas as pd
import pytest
from answers_by_hand import YN, cell, flipped
from lobotomy_logs import task
from summaries import MEASURED, MODEL, STUDY

from resect.catalog import GUARDRAILS, QUANTITIES
from resect.findings import rows
from resect.findings.guardrails import CAPS
from resect.findings.part_metrics import METRICS
from resect.findings.retention import RELIABILITY
from resect.findings.rows import GuardrailKind
from resect.findings.summary_file import from_data, parsed, to_data
from resect.running.analysis import analyse

GOLD = ["yes", "no"] * 60
OWN = (str, int, float, bool, type(None))
DIRECT = {
    rows.Bias: ("lean", "letter_bias", "positive_share", "sensitivity", "criterion"),
    rows.Trust: (
        "calibration_error", "brier", "risk_coverage", "auroc", "confident", "wrong_and_confident",
        "wrong_if_confident",
    ),
    rows.Reliability: ("consistency", "grounding", "grounded", "preference"),
    rows.Measurement: (
        "parameters", "zeros", "bytes_on_disk", "bytes_in_memory", "peak_memory",
        "tokens_per_second", "bits_per_weight",
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def summary():
    rng = np.random.default_rng(0)
    sharp = rng.random((len(GOLD), 2))
    frames = []
    for model, losses in (("a", (5, 20, 50)), ("b", (5, 30, 60))):
        for level, wrong in zip((0.0, 0.3, 0.6), losses, strict=True):
            answers = flipped(GOLD, wrong)
            answers[:wrong] = [None] * wrong
            frames.append(
                cell(model, level, GOLD, answers, flipped(GOLD, wrong // 2))
                .assign(option_scores=list(np.log(sharp / sharp.sum(1, keepdims=True)).tolist()))
                .assign(tags=[{"half": "first" if i < 60 else "second"} for i in range(len(GOLD))])
            )
    answers = pd.concat(frames, ignore_index=True)
    keys = ["model", "role", "recipe", "level", "seed", "task"]
    cells = answers[keys].drop_duplicates().assign(status="success", reason=None, n=1)
    measured = [
        {**MEASURED, "model": m, "recipe": r, "level": x, "bytes_on_disk": np.int64(100 - 50 * x)}
        for m in "ab" for r, x in (("none", 0.0), ("cut", 0.3), ("cut", 0.6))
    ]  # fmt: skip
    return analyse(
        study=STUDY, models=[{**MODEL, "name": m, "id": m, "role": m} for m in "ab"],
        tasks={"t": task("t", YN, positive="yes")}, answers=answers, cells=cells,
        measurements=measured, provenance={}, resamples=100,
    )  # fmt: skip


def strange(value, path="summary"):
    """Where a value is not of Python's own types, or not finite."""
    if dataclasses.is_dataclass(value):
        for field in dataclasses.fields(value):
            yield from strange(getattr(value, field.name), f"{path}.{field.name}")
    elif isinstance(value, tuple):
        for place, entry in enumerate(value):
            yield from strange(entry, f"{path}[{place}]")
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from strange(entry, f"{path}.{key}")
    elif type(value) not in OWN and not isinstance(value, StrEnum):
        yield f"{path} is {type(value).__name__}"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{path} is {value}"


def test_values_are_pythons_own_and_finite(summary):
    assert list(strange(summary)) == []
    made = [f.name for f in dataclasses.fields(summary) if getattr(summary, f.name)]
    empty = {
        "reliability", "domains", "abstention", "warnings", "provenance", "published", "judge",
        "runtimes", "commands",
    }  # fmt: skip
    assert {f.name for f in dataclasses.fields(summary)} - set(made) <= empty


def test_a_summary_is_the_same_after_a_file(summary):
    assert to_data(from_data(to_data(summary), "a test")) == to_data(summary)


def test_rows_cannot_be_changed(summary):
    with pytest.raises(dataclasses.FrozenInstanceError):
        summary.comparisons[0].p_holm = 0.0


def test_a_row_that_is_wrong_names_its_field():
    with pytest.raises(Exception, match=r"the store is not .* \(seed: "):
        parsed(rows.Study, {**STUDY, "seed": "one"}, "the store")


def test_every_metric_stands_in_the_catalogue(summary):
    assert QUANTITIES.keys() >= METRICS.keys() | RELIABILITY.keys()
    assert QUANTITIES.keys() >= {name for row in summary.curves for name in row.metrics}
    assert QUANTITIES.keys() >= {row.metric for row in summary.cliffs}
    for kind, names in DIRECT.items():
        fields = {field.name for field in dataclasses.fields(kind)}
        assert set(names) <= fields & QUANTITIES.keys()


def test_every_guardrail_stands_in_the_catalogue(summary):
    assert {str(kind) for kind in GuardrailKind} == set(GUARDRAILS) <= QUANTITIES.keys()
    assert {row.kind for row in summary.verdicts[0].guardrails} <= set(GuardrailKind)
    assert set(CAPS) == set(GuardrailKind)


def test_what_falls_before_skill_is_better_when_higher():
    assert {QUANTITIES[name].better for name in RELIABILITY} == {"higher"}

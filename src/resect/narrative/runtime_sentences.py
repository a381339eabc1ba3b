"""What the change of runtime alone costs an intact model, in sentences."""

from __future__ import annotations

from resect.findings.rows import RuntimeStep, Summary
from resect.findings.views import first_view
from resect.narrative.phrasing import ModelNames, change, changes, sentence


def runtime_sentences(summary: Summary, called: ModelNames) -> list[str]:
    """A sentence for each model and task in the view that comes first."""
    return [sentence(_step(row, called[row.model])) for row in first_view(summary.runtimes)]


def _step(row: RuntimeStep, model: str) -> str:
    """`the specialist, intact, from transformers to llama.cpp: +0.0 points on t, flips 1.0 %`."""
    moved = f"{model}, intact, from {row.baseline} to {row.runtime}"
    told = f"{change(row.difference)} points {changes(row.low, row.high)} on {row.task}"
    flips = "" if row.flips is None else f", {100 * row.flips:.1f} % of {row.n} items flipped"
    kl = "" if row.kl is None else f", KL {row.kl.answer.mean:.2g} nats at the answer"
    return f"{moved}: {told}{flips}{kl}"

"""The catalogue: every metric, test and outcome, with its names, unit, direction and meaning.

Analysis, terminal, page, card, diff and docs take names, units and colours from here. A new metric
is one entry in a table here and one function in `findings` (docs/adding_a_metric.md).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from resect.catalog.artefact_metrics import ARTEFACT_METRICS
from resect.catalog.label_metrics import LABEL_METRICS
from resect.catalog.open_metrics import OPEN_METRICS
from resect.catalog.published_metrics import PUBLISHED_METRICS
from resect.catalog.quantity import Group as Group
from resect.catalog.quantity import Quantity as Quantity
from resect.catalog.trust_metrics import TRUST_METRICS

QUANTITIES: Mapping[str, Quantity] = {
    **LABEL_METRICS,
    **OPEN_METRICS,
    **TRUST_METRICS,
    **PUBLISHED_METRICS,
    **ARTEFACT_METRICS,
}
"""Every metric by its key in summary.json."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """One kind of text that came back: its name, explanation and colour."""

    label: str
    explains: str
    colour: str


OUTCOMES: Mapping[str, Outcome] = {
    "answer": Outcome("answer", "an answer, as asked", "#3b7d88"),
    "recovered": Outcome("recovered", "an answer, in other words", "#9ccdc9"),
    "echo": Outcome("echo", "the prompt repeated", "#e8c866"),
    "off_task": Outcome("off task", "text about something else", "#c98536"),
    "degenerate": Outcome("degenerate", "loops, fragments or nothing", "#8e3044"),
    "refusal": Outcome("refusal", "a refusal", "#8878b8"),
    "truncated": Outcome("truncated", "cut off before an answer", "#a9b0b7"),
}

CLIFFS: Mapping[str, str] = {
    "half": "half-level: half of the skill is gone",
    "onset": "onset: the curve bends down",
    "steepest": "steepest drop between two levels",
    "divergence": "divergence: another metric gives way before skill does",
}
"""The kinds of cliff, each in words."""

GUARDRAILS: tuple[str, ...] = (
    "no_answer", "missed", "said_wrongly", "confident_error", "right_to_wrong", "subgroup",
)  # fmt: skip
"""What may not get clearly worse at a level that is claimed."""


def label(name: str) -> str:
    """The label of a metric, or its key if the catalogue lacks it (as for a third-party metric)."""
    return QUANTITIES[name].label if name in QUANTITIES else name.replace("_", " ")


def fragment(name: str) -> str:
    """The name of a metric in a sentence."""
    return QUANTITIES[name].fragment if name in QUANTITIES else name.replace("_", " ")

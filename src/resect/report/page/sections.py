"""The sections of the page: each has one title, and stands only where it has something to say."""

from __future__ import annotations

from collections.abc import Mapping

TABS = {"verdict": "Verdict", "evidence": "Evidence", "answers": "Answers"}

TITLES = {
    "matrix": "Every version",
    "asked": "What was asked",
    "passed": "What passed, and what stopped it",
    "sentences": "The findings in sentences",
    "limits": "What this is not",
    "warnings": "Warnings and degraded cells",
    "curves": "Scores by level",
    "overlay": "Recipes side by side",
    "outcomes": "Outcomes",
    "cliffs": "Where it breaks",
    "robustness": "Which model keeps more",
    "bias": "Bias",
    "trust": "Calibration and changed answers",
    "reliability": "Reliability",
    "open": "Lists, texts and programs",
    "size": "Size and speed",
    "divergent": "Items that one model keeps",
    "tasks": "Tasks and protocols",
    "provenance": "Provenance",
    "browser": "Every answer",
}
"""Section to title, in the order of the page."""

EVIDENCE = (
    "curves", "overlay", "outcomes", "cliffs", "robustness", "bias", "trust", "reliability", "open",
    "size", "divergent", "tasks", "provenance",
)  # fmt: skip
"""The sections of the tab with the evidence."""


def titles(filled: Mapping[str, bool]) -> dict[str, str]:
    """The titles of the sections that stand; one that `filled` does not name always does."""
    return {key: title for key, title in TITLES.items() if filled.get(key, True)}


def listed(shown: Mapping[str, str]) -> list[tuple[str, str]]:
    """The sections of the evidence as links, with their own titles."""
    return [(key, shown[key]) for key in EVIDENCE if key in shown]

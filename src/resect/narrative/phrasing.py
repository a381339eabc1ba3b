"""How findings are put in words: models by their roles, levels, tests and numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

TESTS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "no_answer": "the share without an answer",
    "miss": "the miss rate",
    "confident_error": "the confident-error rate",
    "exact_match": "exact matches",
    "strict_f1": "strict F1",
    "partial_f1": "partial F1",
    "rouge_l": "ROUGE-L",
}


def called_test(name: str) -> str:
    """What a test or a metric is called in a sentence."""
    return TESTS.get(name, name)


def names(summary: Row) -> dict[str, str]:
    """Model name to what it is called: its role where that is specialist or base, and its own."""
    roles = {str(m["name"]): str(m.get("role") or "") for m in summary["models"]}
    for row in summary["curves"]:
        roles.setdefault(str(row["model"]), str(row["role"]))
    called = {"specialist": "the specialist", "base": "its base"}
    if "specialist" not in roles.values():
        called["base"] = "the base"
    return {
        name: called[role] if role in called and list(roles.values()).count(role) == 1 else name
        for name, role in roles.items()
    }


PARTS = {
    "magnitude": "targeted weights", "wanda": "targeted weights", "sparsegpt": "targeted weights",
    "ria": "targeted weights", "random": "targeted weights", "neurons": "neurons",
    "heads": "attention heads", "experts": "experts",
}  # fmt: skip
"""What a level is a fraction of, by method."""


def method(recipe: str) -> str:
    """The first method of a recipe, the swept one, without its options."""
    return re.split(r"[\s:,+@(]", recipe.strip(), maxsplit=1)[0]


def removed(level: float | None, recipe: str) -> str:
    """` of the targeted weights removed`, where it is known what the level is a share of."""
    part = PARTS.get(method(recipe))
    return "" if level is None or level >= 1 or part is None else f" of the {part} removed"


def ends(low: float | None, high: float | None) -> str:
    """The interval of a level; an end that was never reached is `beyond`."""
    shown = [f"{100 * x:.0f} %" if x is not None else "beyond" for x in (low, high)]
    return f"[{', '.join(shown)}]"


def points(share: float, sign: bool = False) -> str:
    """A share as points: 5 for 0.05, at most one decimal."""
    return f"{100 * share:+.1f}" if sign else f"{round(100 * share, 1):g}"


def signed(row: Row) -> str | None:
    """A difference with its interval, None where there is none."""
    if row["difference"] is None:
        return None
    return f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    return text[:1].upper() + text[1:] + "." if text else text

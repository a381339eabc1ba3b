"""How findings are put in words: models by their roles, levels, tests and numbers."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
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


def first_view(rows: Sequence[Row]) -> Callable[[Row], bool]:
    """Tells the rows of the view read first, for each task and model (or pair) of `rows`.

    That is the text that users get, else the options.
    """

    def of(row: Row) -> tuple[Any, ...]:
        return tuple(row.get(key) for key in ("task", "model", "a", "b"))

    text = {of(row) for row in rows if row["view"] == "text"}
    return lambda row: row["view"] == "text" or of(row) not in text


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


def method(treatment: str) -> str:
    """The first method of a treatment, the swept one, without its options."""
    return re.split(r"[\s:,+@(]", treatment.strip(), maxsplit=1)[0]


def removed(level: float | None, treatment: str) -> str:
    """` of the targeted weights removed`, where it is known what the level is a share of."""
    part = PARTS.get(method(treatment))
    return "" if level is None or level >= 1 or part is None else f" of the {part} removed"


def at(level: float | None) -> str:
    """A level in words: `45 %`, `4 bits`, or that nothing was swept."""
    if level is None:
        return "its only level"
    return f"{level:g} bits" if level >= 1 else f"{100 * level:.3g} %"


def degraded(rows: Sequence[Row]) -> str:
    """`degraded at 30 % and 50 % on t (prompts truncated)`, by reason; empty where nothing is."""
    groups: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["reason"]].append(row)
    return "; ".join(
        f"degraded at {listed(list(dict.fromkeys(at(row['level']) for row in mine)))} "
        f"on {listed(list(dict.fromkeys(row['task'] for row in mine)))} ({reason})"
        for reason, mine in groups.items()
    )


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


def listed(items: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"


def sentence(text: str) -> str:
    """The text with a capital and a full stop."""
    return text[:1].upper() + text[1:] + "." if text else text

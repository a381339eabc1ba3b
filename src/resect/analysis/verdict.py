"""What the numbers mean, in sentences for the person who deploys the model.

Reads the finished findings only (plain dicts), so that no sentence says what no number does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from resect.analysis.compare import DEPENDS, NEITHER, A, B
from resect.analysis.curves import NO_SKILL, damage, say

Row = dict[str, Any]
SILENT = 0.2
"""A model whose no-answer share rises by more than this over its baseline's loses the format."""

WORDS = {
    NEITHER: "no evidence that {a} keeps more than {b}, or less, on {tasks}",
    A: "{a} keeps more than {b} on {tasks}",
    B: "{b} keeps more than {a} on {tasks}",
    DEPENDS: "on {tasks} it depends on the measure (what is left, or what share is left)",
    None: "no comparison could be made on {tasks}",
}


def verdict(summary: Row) -> Row:
    """`{"headline": sentence, "sentences": [sentence, ...]}` from a summary without one."""
    sentences = [_versus(*both) for both in _pairs(summary["comparisons"])]
    sentences += [_course(summary, cliff) for cliff in _shown(summary["cliffs"])]
    sentences.append(
        "Whether a level is safe, within a margin of the uncut model, is not assessed here."
    )
    return {"headline": headline(summary), "sentences": sentences}


def headline(summary: Row) -> str:
    """One sentence: which model keeps more, by task; without a pair, where half of it is gone."""
    rows = [row for row in _shown(summary["comparisons"]) if row["kind"] == "absolute"]
    if not rows:
        return _alone(summary)
    by_treatment: dict[str, list[Row]] = defaultdict(list)
    for row in rows:
        by_treatment[row["treatment"]].append(row)
    parts = []
    for treatment, group in by_treatment.items():
        clauses = []
        for word, text in WORDS.items():
            tasks = list(dict.fromkeys(r["task"] for r in group if r["verdict"] == word))
            if tasks:
                names = {"a": group[0]["a"], "b": group[0]["b"], "tasks": _listed(tasks)}
                clauses.append(text.format(**names))
        parts.append(f"under {treatment}, {'; '.join(clauses)}" if clauses else "")
    return _sentence("; ".join(parts))


def _alone(summary: Row) -> str:
    """The headline of a run without two models to compare."""
    parts = [
        f"{row['model']} on {row['task']} under {row['treatment']}: {_half(row)}"
        for row in _shown(summary["cliffs"])
    ]
    return f"{'; '.join(parts)}." if parts else "Nothing was found that could be analysed."


def _shown(rows: Sequence[Row]) -> list[Row]:
    """One view for each task: the text that users get, the options where there is no text."""
    text = {row["task"] for row in rows if row["view"] == "text"}
    return [row for row in rows if row["view"] == "text" or row["task"] not in text]


def _pairs(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Absolute and retention rows of each comparison, in their order."""
    keys = ("task", "view", "treatment", "seed")
    groups: dict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        groups[tuple(row[key] for key in keys)][row["kind"]] = row
    return [(group["absolute"], group["retention"]) for group in groups.values()]


def _versus(absolute: Row, retention: Row) -> str:
    a, b = absolute["a"], absolute["b"]
    where = f"{absolute['task']} ({absolute['view']}) under {absolute['treatment']}"
    kept = _signed(absolute) or f"not computable ({absolute['reason']})"
    share = _signed(retention) or f"not computable ({retention['reason']})"
    word = absolute["verdict"] or "no verdict"
    ending = {A: f"{a} is better by both", B: f"{b} is better by both"}.get(word, word)
    return _sentence(
        f"on {where}, {a} minus {b}: skill left {kept}, share of skill left {share}; {ending}"
    )


def _course(summary: Row, cliff: Row) -> str:
    """What happens to one model on one task: start, half-level, loss of the format."""
    rows = [row for row in summary["curves"] if _same_course(row, cliff)]
    rows = sorted((r for r in rows if r["accuracy"] is not None), key=lambda r: damage(r["level"]))
    model, task = cliff["model"], cliff["task"]
    if not rows or rows[0]["level"] != 0.0:
        return f"{model} on {task}: the uncut model has no answers to compare with."
    start = rows[0]["metrics"]["skill"]
    floor = next(t["floors"] for t in summary["tasks"] if t["name"] == task)
    parts = [
        f"{model} starts on {task} with skill {start['value']:.2f} "
        f"[{start['low']:.2f}, {start['high']:.2f}] (accuracy {rows[0]['accuracy']:.2f}; always "
        f"answering {floor['majority_label']} gives {floor['majority']:.2f})",
        f"under {cliff['treatment']}, {_half(cliff)}",
    ]
    if cliff["view"] == "text":
        parts.append(_format(summary, cliff, rows))
    return f"{'; '.join(parts)}."


def _same_course(row: Row, other: Row, view: str | None = None) -> bool:
    keys = ("model", "treatment", "seed", "task")
    return all(row[k] == other[k] for k in keys) and row["view"] == (view or other["view"])


def _half(cliff: Row) -> str:
    """The half-level in words."""
    if cliff["level"] is not None:
        ends = [f"{x:.2f}" if x is not None else "beyond" for x in (cliff["low"], cliff["high"])]
        return f"half of its skill is gone at level {cliff['level']:.2f} [{', '.join(ends)}]"
    if cliff["censored"]:
        return f"half of its skill is never gone: {cliff['reason']}"
    if cliff["reason"] == NO_SKILL:
        return "it has no skill clearly above guessing that could be lost"
    return f"where half of its skill is gone cannot be said ({cliff['reason']})"


def _format(summary: Row, cliff: Row, rows: Sequence[Row]) -> str:
    """At which level the format is lost, and what the options say there."""
    silent = [r["metrics"]["no_answer"]["value"] or 0.0 for r in rows]
    lost = [r for r, share in zip(rows, silent, strict=True) if share - silent[0] > SILENT]
    if not lost:
        return f"at no level do more than {max(silent):.2f} of its texts give no answer"
    level, share = lost[0]["level"], lost[0]["metrics"]["no_answer"]["value"]
    text = (
        f"it loses the format at {say(level)}, where {share:.2f} of its texts give no answer "
        f"({silent[0]:.2f} uncut)"
    )
    options = [r for r in summary["curves"] if _same_course(r, cliff, "options")]
    there = next((r for r in options if r["level"] == level and r["skill"] is not None), None)
    if there is None:
        return f"{text} (no options view to tell this from forgetting)"
    left, own = there["metrics"]["retention"]["value"], lost[0]["metrics"]["retention"]["value"]
    if left is None or own is None:
        return f"{text}; scored by options its skill there is {there['skill']:.2f}"
    return f"{text}; scored by options it keeps {left:.2f} of its skill there, by text {own:.2f}"


def _signed(row: Row) -> str | None:
    if row["difference"] is None:
        return None
    return f"{row['difference']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}]"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "." if text else text

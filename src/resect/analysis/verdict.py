"""What the numbers mean, in sentences for the person who deploys the model.

Reads the finished findings only (plain dicts), so that no sentence says what no number does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from resect.analysis import howfar
from resect.analysis.compare import DEPENDS, NEITHER, A, B
from resect.analysis.curves import NO_SKILL, damage
from resect.analysis.words import at, ends, listed, names, sentence, signed

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
    called = names(summary)
    sentences = howfar.sentences(summary, called)
    sentences += [_versus(*both, called) for both in _pairs(summary["comparisons"])]
    halves = [row for row in summary["cliffs"] if _is_half(row)]
    sentences += [_course(summary, cliff, called) for cliff in _shown(halves)]
    return {"headline": headline(summary, called), "sentences": sentences}


def headline(summary: Row, called: Mapping[str, str]) -> str:
    """How far each model can be cut, then which keeps more; alone, where half of it is gone."""
    far = howfar.headline(summary, called)
    rows = [row for row in _shown(summary["comparisons"]) if row["kind"] == "absolute"]
    against = _against(rows, called) if rows else _alone(summary, called)
    if not far and not against:
        return "Nothing was found that could be analysed."
    return " ".join(sentence(part) for part in (far, against) if part)


def _against(rows: Sequence[Row], called: Mapping[str, str]) -> str:
    """Which of two models keeps more, by treatment and task."""
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in rows:
        groups[row["treatment"], row["a"], row["b"]].append(row)
    parts = []
    for (treatment, a, b), group in groups.items():
        clauses = []
        for word, text in WORDS.items():
            tasks = list(dict.fromkeys(r["task"] for r in group if r["verdict"] == word))
            if tasks:
                who = {"a": called.get(a, a), "b": called.get(b, b)}
                clauses.append(text.format(**who, tasks=listed(tasks)))
        parts.append(f"under {treatment}, {'; '.join(clauses)}" if clauses else "")
    return "; ".join(parts)


def _alone(summary: Row, called: Mapping[str, str]) -> str:
    """The headline of a run without two models to compare."""
    rows = _shown([row for row in summary["cliffs"] if _is_half(row)])
    return "; ".join(
        f"{called.get(row['model'], row['model'])} on {row['task']} under {row['treatment']}: "
        f"{_half(row)}"
        for row in rows
    )


def _is_half(row: Row) -> bool:
    return bool(row["kind"] == "half" and row["metric"] == "skill")


def _shown(rows: Sequence[Row]) -> list[Row]:
    """One view for each task: the text that users get, the options where there is no text."""
    text = {row["task"] for row in rows if row["view"] == "text"}
    return [row for row in rows if row["view"] == "text" or row["task"] not in text]


def _pairs(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Absolute and retention rows of each comparison, in their order."""
    keys = ("task", "view", "treatment", "seed", "a", "b")
    groups: dict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        groups[tuple(row[key] for key in keys)][row["kind"]] = row
    return [(group["absolute"], group["retention"]) for group in groups.values()]


def _versus(absolute: Row, retention: Row, called: Mapping[str, str]) -> str:
    a, b = (called.get(absolute[side], absolute[side]) for side in ("a", "b"))
    where = f"{absolute['task']} ({absolute['view']}) under {absolute['treatment']}"
    kept = signed(absolute) or f"not computable ({absolute['reason']})"
    share = signed(retention) or f"not computable ({retention['reason']})"
    word = absolute["verdict"] or "no verdict"
    ending = {A: f"{a} is better by both", B: f"{b} is better by both"}.get(word, word)
    if word == NEITHER and absolute["detectable"] and retention["detectable"]:
        ending += (
            f", where differences of {absolute['detectable']:.3f} and "
            f"{retention['detectable']:.3f} could have been shown"
        )
    if absolute["verdict_holm"] not in (None, absolute["verdict"]):
        many = max(row["family"] or 1 for row in (absolute, retention))
        ending += f" (after Holm's correction over {many} tasks: {absolute['verdict_holm']})"
    return sentence(
        f"on {where}, {a} minus {b}: skill left {kept}, share of skill left {share}; {ending}"
    )


def _course(summary: Row, cliff: Row, called: Mapping[str, str]) -> str:
    """What happens to one model on one task: start, half-level, loss of the format."""
    rows = [row for row in summary["curves"] if _same_course(row, cliff)]
    rows = sorted((r for r in rows if r["accuracy"] is not None), key=lambda r: damage(r["level"]))
    model, task = called.get(cliff["model"], cliff["model"]), cliff["task"]
    if not rows or rows[0]["level"] != 0.0:
        return sentence(f"{model} on {task}: the uncut model has no answers to compare with")
    start = rows[0]["metrics"]["skill"]
    floor = next(t["floors"] for t in summary["tasks"] if t["name"] == task)
    parts = [
        f"{model} starts on {task} with skill {start['value']:.2f} "
        f"[{start['low']:.2f}, {start['high']:.2f}] (accuracy {rows[0]['accuracy']:.2f}; always "
        f"answering {floor['majority_label']} gives {floor['majority']:.2f})",
        f"under {cliff['treatment']}, {_half(cliff)}",
        *_first(summary, cliff),
    ]
    if cliff["view"] == "text":
        parts.append(_format(summary, cliff, rows))
    return sentence("; ".join(parts))


def _first(summary: Row, cliff: Row) -> list[str]:
    """What breaks first, where that is clear."""
    keys = ("model", "treatment", "seed", "task")
    for row in summary["breaks_first"]:
        if all(row[k] == cliff[k] for k in keys) and row["clear"]:
            by = "" if row["by"] is None else f", {100 * row['by']:.1f} points of the level earlier"
            return [f"what breaks first is {row['first']}{by}"]
    return []


def _same_course(row: Row, other: Row, view: str | None = None) -> bool:
    keys = ("model", "treatment", "seed", "task")
    return all(row[k] == other[k] for k in keys) and row["view"] == (view or other["view"])


def _half(cliff: Row) -> str:
    """The half-level in words."""
    if cliff["level"] is not None:
        where = f"{100 * cliff['level']:.0f} % {ends(cliff['low'], cliff['high'])}"
        return f"half of its skill is gone at {where}"
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
        f"it loses the format at {at(level)}, where {share:.2f} of its texts give no answer "
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

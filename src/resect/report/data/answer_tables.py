"""Answers that are no labels, by level: lists, texts, programs, and text scored as it stands."""

from __future__ import annotations

from typing import Any

from resect.report import formatting as text
from resect.report.charts import line_chart as lines
from resect.report.charts.axes import axis
from resect.report.charts.line_chart import Chart, Line, Spot
from resect.report.data import scope as reading
from resect.report.data.scope import Row, Summary
from resect.report.data.table import Table, columns, without_empty
from resect.report.formatting import finite

METRICS = {
    "if_answered": "Where it answers",
    "partial_f1": "Partial F1",
    "invented": "Invented mentions",
    "omission": "Omission",
    "judged": "Judged",
    "copy": "Copied",
    "repetition": "Repetition",
    "length_ratio": "Length",
    "cut_off": "Cut off",
    "trapped": "Never ends",
    "bits_per_byte": "Bits per byte",
}
SAYS = {
    "if_answered": "The task’s own metric over the items that got an answer: what is lost beyond "
    "the format.",
    "partial_f1": "F1 of extracted mentions with half a credit for one that overlaps.",
    "invented": "Share of the mentions listed that the sentence does not hold.",
    "omission": "Share of the reference’s content words that the text leaves out. Silence omits "
    "all.",
    "judged": "What another model said of the text against the reference, from 0 to 1; silence is "
    "0. An opinion of that model, read by no verdict.",
    "copy": "Share of the text’s runs of four words that stand in the context: a model may seem "
    "faithful only because it copies.",
    "repetition": "Share of the text’s runs of four words that it had said before.",
    "length_ratio": "Words written, over words of the reference.",
    "cut_off": "Share of texts that only the token limit ended.",
    "trapped": "Share of texts that loop or are debris and that only the token limit ended.",
    "bits_per_byte": "Log-likelihood of a text as it stands; less is better. No skill is made of "
    "it, and no verdict.",
}
SHARES = ("invented", "omission", "copy", "repetition", "cut_off", "trapped")
KINDS = ("number", "spans", "code", "text", "score")


def tasks(summary: Summary) -> list[str]:
    """The tasks whose answers are no labels."""
    kinds = {str(row.get("name")): row.get("kind") for row in reading.rows(summary, "tasks")}
    return [task for task in reading.tasks(summary) if kinds.get(task) in KINDS]


def own_metric(summary: Summary, task: str) -> str:
    """What stands where other tasks have accuracy: the metric that the verdict reads."""
    info = next((r for r in reading.rows(summary, "tasks") if str(r.get("name")) == task), {})
    if info.get("kind") == "score":
        return "bits_per_byte"
    return str(info.get("primary") or "accuracy") if info.get("kind") in KINDS else "accuracy"


def chart(summary: Summary, metric: str, task: str, recipe: str) -> Chart | None:
    """One metric of one task, all models together; None where no row has it."""
    found = reading.sweep(summary, task, recipe)
    known = [row for row in found if _given(row, metric)[0] is not None]
    if not known:
        return None
    at = axis([finite(row.get("level")) for row in known])
    drawn = []
    for model in reading.models(summary):
        mine = [row for row in known if str(row.get("model")) == model.name]
        first = next((r.get("seed") for r in mine if str(r.get("recipe")) == recipe), None)
        spots: list[Spot] = [
            (finite(r.get("level")), at.positions[finite(r.get("level"))], *_given(r, metric))
            for r in mine
            if r.get("seed") == first or str(r.get("recipe")) != recipe
        ]
        if spots:
            spots.sort(key=lambda spot: spot[1])
            drawn.append(Line(model.label, model.slot, False, tuple(spots), None))
    low, high = lines.bounds(tuple(drawn), 0.2)
    share = metric in SHARES
    said = f"{METRICS[metric]}{', %' if share else ''} by level"
    return Chart(task, said, at, low, high, share, tuple(drawn))


def _given(row: Row, metric: str) -> tuple[float | None, float | None, float | None]:
    found: Any = (row.get("metrics") or {}).get(metric) or {}
    return finite(found.get("value")), finite(found.get("low")), finite(found.get("high"))


def perplexity_table(summary: Summary, recipe: str) -> Table:
    """Perplexities by level: of tokens (within one model), of words, and bits per byte."""
    label = {model.name: model.label for model in reading.models(summary)}
    body = []
    for task in tasks(summary):
        for row in reading.sweep(summary, task, recipe):
            if _given(row, "perplexity")[0] is not None:
                body.append((
                    task,
                    label.get(str(row.get("model")), str(row.get("model"))),
                    text.level(row.get("level")),
                    *[_large(_given(row, m)[0]) for m in ("perplexity", "word_perplexity")],
                    text.interval(*_given(row, "bits_per_byte")),
                ))  # fmt: skip
    heads = ("Text", "Model", "Level", "Perplexity of tokens", "of words", "Bits per byte")
    return without_empty(Table("Perplexity: shown, never judged", columns(heads), tuple(body)))


def _large(value: float | None) -> str:
    return text.DASH if value is None else f"{value:.4g}"

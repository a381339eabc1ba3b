"""Bias and trust by level: the numbers of their charts, and the tables of what words need."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from resect.report import formatting as text
from resect.report.charts import line_chart as lines
from resect.report.charts.axes import Axis, axis
from resect.report.charts.line_chart import Chart, Line, Spot
from resect.report.data import scope as reading
from resect.report.data.scope import Model, Row, Summary
from resect.report.data.table import Column, Table, columns, points, without_empty
from resect.report.formatting import finite

BIAS = {
    "shares": "Answers said",
    "positive_share": "Says the positive",
    "sensitivity": "Sensitivity d′",
    "criterion": "Criterion c",
    "letter_bias": "Letter bias",
}
BIAS_SAYS = {
    "shares": "Share of all items answered with each label; the dotted line in the same colour is "
    "how often that label is right. What is missing to 100 % is no answer.",
    "positive_share": "Of the answers given, how many are the task’s positive label.",
    "sensitivity": "How well the answers given tell positive items from the others, apart from "
    "any leaning: 0 is not at all.",
    "criterion": "The leaning itself, of the answers given: below 0 the model says the positive "
    "too easily, above 0 too seldom.",
    "letter_bias": "Spread of recall over the letters: 0 means that no position of the right "
    "option is favoured. What noise alone shows on as many items is taken off.",
}
TRUST = {
    "flips": "Flips",
    "wrong_and_confident": "Confident errors",
    "wrong_if_confident": "Wrong if confident",
    "confident": "Confident",
    "risk_coverage": "Risk and coverage",
    "calibration_error": "Calibration error",
    "brier": "Brier score",
    "auroc": "Errors told apart",
}
TRUST_SAYS = {
    "flips": "Share of items whose right or wrong differs from the intact model. Accuracy can "
    "stand still while answers change.",
    "wrong_and_confident": "Share of all items answered wrong with a probability of 80 % or more.",
    "wrong_if_confident": "Of the items answered with a probability of 80 % or more, the share "
    "answered wrong; the table says how many these are.",
    "confident": "Share of items answered with a probability of 80 % or more: the coverage of the "
    "errors above.",
    "risk_coverage": "Mean share of wrong answers over all coverages, the most confident answers "
    "kept first: 0 is perfect, and a model that cannot tell has its share of errors.",
    "calibration_error": "Distance between stated probability and share right, in up to 15 bins "
    "of equal mass. What noise alone shows on as many items is taken off, and the table has the "
    "error as counted too: an interval that starts at 0 can be of a calibrated model.",
    "brier": "Squared error of the probabilities over all options: 0 is perfect, 2 the worst.",
    "auroc": "How often a right answer was given with more confidence than a wrong one (AUROC): "
    "0.5 is no more than chance.",
}
SHARES = ("shares", "positive_share", "flips", "wrong_and_confident", "wrong_if_confident",
          "confident", "calibration_error")  # fmt: skip


FREE = 2
"""The first colour that is not the specialist's or the base's, for labels."""


def _views(found: Sequence[Row]) -> tuple[str, ...]:
    """The views with rows; the text view first."""
    seen = {str(row.get("view")) for row in found}
    return tuple(view for view in ("text", "options") if view in seen)


def _sweep(summary: Summary, key: str, task: str, recipe: str) -> list[Row]:
    """Rows of one finding and sweep of its first seed, the shared baseline among them."""
    mine = [r for r in reading.rows(summary, key) if str(r.get("task")) == task]
    found = [r for r in mine if str(r.get("recipe")) == recipe]
    have = {(r.get("model"), r.get("view")) for r in found if r.get("level") == 0}
    for row in mine:
        who = (row.get("model"), row.get("view"))
        if row.get("level") == 0 and row.get("recipe") == "none" and who not in have:
            found.append(row)
    first = next((r.get("seed") for r in found if str(r.get("recipe")) == recipe), None)
    return [r for r in found if r.get("seed") == first or r.get("recipe") != recipe]


def _spots(found: Iterable[Row], at: Axis, pick: Callable[[Row], Any]) -> tuple[Spot, ...]:
    spots: list[Spot] = []
    for row in found:
        level, value = finite(row.get("level")), pick(row)
        given = value if isinstance(value, Mapping) else {"value": value}
        three = (finite(given.get("value")), finite(given.get("low")), finite(given.get("high")))
        spots.append((level, at.positions.get(level, at.low), *three))
    return tuple(sorted(spots, key=lambda spot: spot[1]))


def share_charts(summary: Summary, task: str, recipe: str) -> list[Chart]:
    """What each model says how often, by level, against the gold; one chart a model."""
    found = _sweep(summary, "bias", task, recipe)
    views = _views(found)
    charts = []
    for model in reading.models(summary):
        mine = [r for r in found if str(r.get("model")) == model.name and r.get("view") == views[0]]
        if not mine:
            continue
        at = axis([finite(row.get("level")) for row in mine])
        drawn = []
        for slot, label in enumerate(mine[0].get("gold") or {}):
            spots = _spots(mine, at, _said(str(label)))
            gold = finite(mine[0]["gold"].get(label))
            drawn.append(Line(str(label), slot + FREE, False, spots, gold))
        low, high = lines.bounds(tuple(drawn), 0.5)
        said = f"answers of the {model.label}, % of items, by {views[0]}"
        charts.append(Chart(task, said, at, low, min(high, 1.0), True, tuple(drawn)))
    return charts


def _said(label: str) -> Callable[[Row], Any]:
    return lambda row: (row.get("predicted") or {}).get(label)


def chart(summary: Summary, key: str, metric: str, task: str, recipe: str) -> Chart | None:
    """One measure of bias or trust, all models together; None where no row has it."""
    found = _sweep(summary, key, task, recipe)
    pick = _picker(metric)
    at = axis([finite(row.get("level")) for row in found])
    drawn = []
    known = [row for row in found if _value(pick(row)) is not None]
    views = _views(known)
    for model in reading.models(summary):
        for view in views[:1] if key == "bias" else views:
            rows = [r for r in found if (str(r.get("model")), r.get("view")) == (model.name, view)]
            spots = _spots(rows, at, pick)
            if any(spot[2] is not None for spot in spots):
                drawn.append(Line(model.label, model.slot, view == "options", spots, None))
    if not drawn:
        return None
    low, high = lines.bounds(tuple(drawn), 0.2 if metric != "sensitivity" else 1.0)
    name = (BIAS if key == "bias" else TRUST)[metric]
    if metric == "positive_share":
        name = f"Says “{known[0].get('positive')}”"
    unit = ", %" if metric in SHARES else ""
    by = " and ".join(views[:1] if key == "bias" else views)
    said = f"{name}{unit}, by {by}"
    return Chart(task, said, at, low, high, metric in SHARES, tuple(drawn))


def _value(found: Any) -> float | None:
    return finite(found.get("value")) if isinstance(found, Mapping) else finite(found)


def _picker(metric: str) -> Callable[[Row], Any]:
    if metric == "flips":
        return lambda row: (row.get("since_baseline") or {}).get("flips")
    return lambda row: row.get(metric)


def chart_table(given: Chart) -> Table:
    """The numbers behind a chart: one row per level, one column per line."""
    heads = [Column("Level", "")]
    cells: list[dict[float | None, str]] = []
    for line in given.lines:
        view = ", options" if line.dashed else ""
        heads.append(Column(f"{line.label}{view}", ""))
        cells.append({s[0]: text.interval(s[2], s[3], s[4], given.share) for s in line.spots})
    stops = {spot[1]: spot[0] for line in given.lines for spot in line.spots}
    body = tuple(
        (text.level(stops[x]), *[column.get(stops[x], text.DASH) for column in cells])
        for x in sorted(stops)
    )
    return Table(f"{given.title}: {given.subtitle}", tuple(heads), body)


def trust_table(summary: Summary, recipe: str, most: int = 5) -> Table:
    """Flips with McNemar's counts, and confident errors with their coverage, at some levels."""
    body = []
    for task in reading.tasks(summary):
        found = _sweep(summary, "trust", task, recipe)
        levels = reading.distinct(finite(r.get("level")) for r in found if r.get("level") != 0)
        at = axis(levels)
        shown = reading.selected(sorted(levels, key=lambda x: at.positions.get(x, 0)), most)
        for model in reading.models(summary):
            for view in _views(found):
                for row in found:
                    who = (str(row.get("model")), row.get("view"))
                    if who == (model.name, view) and finite(row.get("level")) in shown:
                        body.append(_trusted(row, task, model))
    heads = (
        "Task", "Model", "View", "Level", "Lost", "Gained", "Flips", "Change, points",
        "McNemar p", "Confident", "Wrong of these", "Calibration error", "As counted", "Brier",
    )  # fmt: skip
    caption = "Changed answers since the intact model, and errors made with confidence"
    return without_empty(Table(caption, columns(heads), tuple(body)))


def _trusted(row: Row, task: str, model: Model) -> tuple[str, ...]:
    since = row.get("since_baseline") or {}
    sure = row.get("wrong_if_confident") or {}
    of = sure.get("n")
    p = finite(since.get("p"))
    wrong = text.interval(sure.get("value"), sure.get("low"), sure.get("high"), share=True)
    calibration = row.get("calibration_error") or {}
    return (
        task,
        model.label,
        str(row.get("view")),
        text.level(row.get("level")),
        text.count(since.get("lost")),
        text.count(since.get("gained")),
        text.percent(since.get("flips")),
        points(since.get("accuracy_change")),
        text.DASH if p is None else "< 0.001" if p < 0.001 else f"{p:.3f}",
        f"{text.count(of)} of {text.count(row.get('n'))}" if of is not None else text.DASH,
        wrong,
        text.decimal(_value(calibration), 3),
        text.decimal(finite(calibration.get("counted")), 3),
        text.decimal(_value(row.get("brier")), 3),
    )

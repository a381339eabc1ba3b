"""Utility and reliability on one axis of levels, which breaks first, and medical against general.

Numbers of charts and tables; `lines.draw` draws them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from resect.report import formatting as text
from resect.report.charts import line_chart as lines
from resect.report.charts.axes import axis
from resect.report.charts.line_chart import Chart, Line, Spot
from resect.report.data import scope as reading
from resect.report.data.scope import Model, Row, Summary
from resect.report.data.table import Table, columns, without_empty
from resect.report.formatting import finite

NAMES = {
    "consistency": "consistency",
    "grounding": "grounding",
    "grounded": "grounded",
    "preference": "preference",
    "auroc": "tells errors",
    "completeness": "completeness",
    "abstention": "abstention J",
}
SAYS = (
    ("consistency", "the same option is chosen when the options change places; no answer is none"),
    ("grounding", "of the items first answered right, the share whose answer changes when the "
     "context is another item’s; “grounded” is the same, of all items"),
    ("preference", "the true answer is preferred to a made-up one in both orders"),
    ("tells errors", "confidence is higher where the answer is right (AUROC, by options)"),
    ("completeness", "content words of the reference that are not left out"),
    ("abstention J", "abstains on questions without an answer, minus abstains on those with one"),
)  # fmt: skip
SKILL, FIRST = 0, 2
"""Colour of utility, and of the first reliability measure."""

SLOTS = ("consistency", "grounded", "preference", "auroc", "completeness")
"""Measures in the order of their colours; the last is of texts, the others of labels."""

RATES = ("consistency", "grounding", "grounded", "preference")


class Panel(NamedTuple):
    """One chart and where it belongs; `metric` groups the charts of one kind."""

    metric: str
    task: str
    chart: Chart


def panels(summary: Summary, recipe: str) -> list[Panel]:
    """Utility with reliability by task and model, then abstention and the two domains."""
    found = []
    for task in reading.tasks(summary):
        for model in reading.models(summary):
            chart = kept_chart(summary, task, recipe, model)
            if chart is not None:
                found.append(Panel("kept", task, chart))
    found += [Panel("abstention", "", c) for c in abstention_charts(summary, recipe)]
    found += [Panel("domains", "", c) for c in domain_charts(summary, recipe)]
    return found


def kept_chart(summary: Summary, task: str, recipe: str, model: Model) -> Chart | None:
    """What one model keeps of its skill and of each reliability measure, guessing being nothing."""
    found = [
        row
        for row in reading.rows(summary, "reliability_first")
        if (str(row.get("model")), str(row.get("task")), str(row.get("recipe")))
        == (model.name, task, recipe)
    ]
    found = [r for r in found if any(_value(at, "reliability") for at in r.get("levels") or ())]
    if not found:
        return None
    first = found[0].get("seed")
    found = [row for row in found if row.get("seed") == first]
    at = axis([finite(x.get("level")) for row in found for x in row.get("levels") or ()])
    drawn, seen = [], set()
    for row in found:
        view = str(row.get("view"))
        if view not in seen:
            seen.add(view)
            spots = _spots(row["levels"], at.positions, "utility")
            if any(spot[2] is not None for spot in spots):
                drawn.append(Line("skill", SKILL, view == "options", spots, None))
    if not drawn:
        return None  # nothing to hold it against
    for row in found:
        metric = str(row.get("metric"))
        spots = _spots(row["levels"], at.positions, "reliability")
        name = NAMES.get(metric, metric)
        slot = FIRST + SLOTS.index(metric) % 4 if metric in SLOTS else FIRST
        drawn.append(Line(name, slot, row.get("view") == "options", spots, None))
    low, high = lines.bounds(tuple(drawn), 1.0)
    said = f"% of the intact {model.label} kept; solid by text, dashed by options"
    return Chart(task, said, at, max(low, -1.0), min(high, 1.5), True, tuple(drawn))


def _value(row: Mapping[str, Any], name: str) -> bool:
    return finite((row.get(name) or {}).get("value")) is not None


def _spots(
    found: Iterable[Row], positions: Mapping[float | None, float], name: str
) -> tuple[Spot, ...]:
    spots: list[Spot] = []
    for row in found:
        level, given = finite(row.get("level")), row.get(name) or {}
        three = (finite(given.get("value")), finite(given.get("low")), finite(given.get("high")))
        spots.append((level, positions.get(level, 0.0), *three))
    return tuple(sorted(spots, key=lambda spot: spot[1]))


def abstention_charts(summary: Summary, recipe: str) -> list[Chart]:
    """J by level, all models together."""
    return _by_model(
        summary, "abstention", recipe, "Abstention J",
        "abstains without an answer minus with one; solid by text, dashed by options", ("j",),
    )  # fmt: skip


def domain_charts(summary: Summary, recipe: str) -> list[Chart]:
    """The share of skill kept on medical and on general tasks, one chart a model."""
    found = []
    for model in reading.models(summary):
        mine = _rows(summary, "domains", recipe, model)
        mine = [row for row in mine if row.get("levels")]
        if not mine:
            continue
        row = mine[0]  # by text where it was asked so
        at = axis([finite(x.get("level")) for x in row["levels"]])
        drawn = tuple(
            Line(name, FIRST + i, False, _spots(row["levels"], at.positions, name), None)
            for i, name in enumerate(("medical", "general"))
        )
        low, high = lines.bounds(drawn, 1.0)
        said = f"% of skill that the {model.label} keeps, by {row.get('view')}"
        chart = Chart("Medical and general tasks", said, at, low, min(high, 1.5), True, drawn)
        found.append(chart)
    return found


def _rows(summary: Summary, key: str, recipe: str, model: Model) -> list[Row]:
    """Rows of one model under one recipe, of its first seed; the text view first."""
    found = [
        row
        for row in reading.rows(summary, key)
        if (str(row.get("model")), str(row.get("recipe"))) == (model.name, recipe)
    ]
    first = found[0].get("seed") if found else None
    kept = [row for row in found if row.get("seed") == first]
    return sorted(kept, key=lambda row: row.get("view") != "text")


def _by_model(
    summary: Summary, key: str, recipe: str, title: str, said: str, names: Sequence[str]
) -> list[Chart]:
    every = [(m, row) for m in reading.models(summary) for row in _rows(summary, key, recipe, m)]
    every = [(model, row) for model, row in every if row.get("levels")]
    if not every:
        return []
    at = axis([finite(x.get("level")) for _, row in every for x in row["levels"]])
    drawn = tuple(
        Line(model.label, model.slot, row.get("view") == "options",
             _spots(row["levels"], at.positions, name), None)
        for model, row in every for name in names
    )  # fmt: skip
    low, high = lines.bounds(drawn, 0.5)
    return [Chart(title, said, at, low, high, False, drawn)]


# ── tables ──────────────────────────────────────────────────────────────────────────────────────


def first_table(summary: Summary, recipe: str) -> Table:
    """Which breaks first and by how many levels: each measure against skill, and the domains."""
    label = {model.name: model.label for model in reading.models(summary)}
    body = []
    for row in reading.rows(summary, "reliability_first"):
        skilled = any(_value(at, "utility") for at in row.get("levels") or ())
        if str(row.get("recipe")) == recipe and skilled:
            what = NAMES.get(str(row.get("metric")), str(row.get("metric")))
            body.append(_first(row, str(row.get("task")), label, what, ("utility", "reliability")))
    for row in reading.rows(summary, "abstention"):
        if str(row.get("recipe")) == recipe and row.get("first"):
            named = {**row["first"], **{k: row.get(k) for k in ("model", "view")}}
            body.append(_first(named, "abstaining", label, NAMES["abstention"],
                               ("utility", "reliability")))  # fmt: skip
    heads = ("Task", "Model", "View", "Measure", "Half of the skill gone", "Half of it gone",
             "First", "Earlier by, levels", "In resamples", "Clear", "Note")  # fmt: skip
    caption = "Which breaks first, skill or reliability (steps of the levels asked)"
    return without_empty(Table(caption, columns(heads), tuple(body)))


def _first(
    row: Row, task: str, label: Mapping[str, str], what: str, names: tuple[str, str]
) -> tuple[str, ...]:
    first = row.get("first")
    said = {names[0]: "skill", names[1]: what}.get(str(first), text.DASH)
    return (
        task,
        label.get(str(row.get("model")), str(row.get("model"))),
        str(row.get("view")),
        what,
        text.half(row.get(names[0])),
        text.half(row.get(names[1])),
        said,
        _steps(row),
        text.percent(row.get("share"), 0),
        text.DASH if first is None else "yes" if row.get("clear") else "no",
        str(row.get("reason") or text.DASH),
    )


def _steps(row: Row) -> str:
    """By how many steps the first one leads, always above 0, with the interval turned along."""
    by = finite(row.get("steps"))
    if by is None:
        return "the other never" if row.get("first") else text.DASH
    ends = [finite(row.get(end)) for end in ("steps_low", "steps_high")]
    if by < 0:
        by, ends = -by, [None if x is None else -x for x in reversed(ends)]
    shown = text.decimal(by, 1)
    if None in ends:
        return shown
    return f"{shown} [{text.decimal(ends[0], 1)}, {text.decimal(ends[1], 1)}]"


def domain_table(summary: Summary, recipe: str) -> Table:
    """Medical minus general in the area under the share of skill kept, and which breaks first."""
    label = {model.name: model.label for model in reading.models(summary)}
    body = []
    for row in reading.rows(summary, "domains"):
        if str(row.get("recipe")) != recipe:
            continue
        tasks, first = row.get("tasks") or {}, row.get("first") or {}
        gap = row.get("difference") or {}
        body.append((
            label.get(str(row.get("model")), str(row.get("model"))),
            str(row.get("view")),
            ", ".join(tasks.get("medical") or ()) or text.DASH,
            ", ".join(tasks.get("general") or ()) or text.DASH,
            text.interval(gap.get("value"), gap.get("low"), gap.get("high")),
            str(first.get("first") or text.DASH),
            _steps(first),
            "yes" if first.get("clear") else "no" if first.get("first") else text.DASH,
            str(row.get("reason") or first.get("reason") or text.DASH),
        ))  # fmt: skip
    heads = ("Model", "View", "Medical", "General", "Share kept, medical minus general",
             "First", "Earlier by, levels", "Clear", "Note")  # fmt: skip
    return without_empty(Table("Medical against general tasks", columns(heads), tuple(body)))


def rate_table(summary: Summary, recipe: str, most: int = 5) -> Table:
    """The rates themselves, with what guessing would get, at some levels."""
    body = []
    label = {model.name: model.label for model in reading.models(summary)}
    found = [r for r in reading.rows(summary, "reliability") if _in(r, recipe)]
    levels = reading.distinct(finite(row.get("level")) for row in found)
    at = axis(levels)
    shown = reading.selected(sorted(levels, key=lambda x: at.positions.get(x, 0)), most)
    for row in found:
        if finite(row.get("level")) not in shown:
            continue
        for name in RATES:
            given = row.get(name)
            if isinstance(given, Mapping):
                body.append((
                    str(row.get("task")),
                    label.get(str(row.get("model")), str(row.get("model"))),
                    str(row.get("view")),
                    text.level(row.get("level")),
                    name,
                    text.interval(given.get("value"), given.get("low"), given.get("high"), True),
                    text.count(given.get("n")),
                    text.percent(given.get("guess")),
                ))  # fmt: skip
    heads = ("Task", "Model", "View", "Level", "Rate", "Share", "Items", "Guessing")
    return without_empty(Table("Rates of reliability", columns(heads), tuple(body)))


def abstention_table(summary: Summary, recipe: str, most: int = 5) -> Table:
    """J with its two parts, at some levels."""
    label = {model.name: model.label for model in reading.models(summary)}
    body = []
    for row in reading.rows(summary, "abstention"):
        given = row.get("levels") or ()
        if not _in(row, recipe) or not given:
            continue
        levels = [finite(at.get("level")) for at in given]
        for at in given:
            if finite(at.get("level")) in reading.selected(levels, most):
                j = at.get("j") or {}
                body.append((
                    label.get(str(row.get("model")), str(row.get("model"))),
                    str(row.get("view")),
                    text.level(at.get("level")),
                    *[_share(at.get(side) or {}) for side in ("unanswerable", "answerable")],
                    text.interval(j.get("value"), j.get("low"), j.get("high")),
                    text.decimal(j.get("guess")),
                ))  # fmt: skip
    heads = ("Model", "View", "Level", "Abstains without an answer", "Abstains with one", "J",
             "J of guessing")  # fmt: skip
    return without_empty(Table("Abstaining", columns(heads), tuple(body)))


def _share(given: Row) -> str:
    return f"{text.percent(given.get('value'))} of {text.count(given.get('n'))}"


def _in(row: Row, recipe: str) -> bool:
    """Whether a row belongs to a recipe; the intact model's alone to the one without any."""
    return str(row.get("recipe")) == recipe

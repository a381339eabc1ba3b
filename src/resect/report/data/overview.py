"""One line per task and model: where it starts, how far it may go, where it breaks."""

from __future__ import annotations

from typing import NamedTuple

from resect.report import formatting as text
from resect.report.data import panels
from resect.report.data import safety_tables as safe
from resect.report.data import scope as reading
from resect.report.data.annotations import cliff
from resect.report.data.scope import Model, Row, Summary
from resect.report.data.table import Table, columns, without_empty
from resect.report.formatting import finite


class Glance(NamedTuple):
    """One task in one line per model."""

    task: str
    n: str
    model: Model
    intact: str
    floor: str
    safe: str
    onset: str
    half: str
    half_options: str
    breaks: str
    verdict: str


def glance(summary: Summary, recipe: str) -> list[Glance]:
    """Task by task and model by model, by text where it was asked."""
    found = []
    view = first_view(summary)
    for task in reading.tasks(summary):
        info = _task(summary, task)
        floors = info.get("floors") or {}
        best = max((x for x in map(finite, floors.values()) if x is not None), default=None)
        word = verdict_word(summary, task, recipe, view)
        for model in reading.models(summary):
            row = _intact(summary, task, recipe, model)
            n = text.count(info.get("n") if info.get("n") is not None else (row or {}).get("n"))
            where = model.name, task, recipe
            found.append(
                Glance(
                    task,
                    n,
                    model,
                    text.interval(*panels.measured(row, "accuracy"), share=True)
                    if row
                    else text.DASH,
                    text.percent(best),
                    safe.task_reach(summary, recipe, model, task),
                    text.half(cliff(summary, *where, view, "onset")),
                    text.half(cliff(summary, *where, "text")),
                    text.half(cliff(summary, *where, "options")),
                    _breaks(summary, *where),
                    word,
                )
            )
    return found


def first_view(summary: Summary) -> str:
    """Text where it was asked, else options."""
    views = {row.get("view") for row in reading.rows(summary, "curves")}
    return "text" if "text" in views or not views else "options"


def _task(summary: Summary, task: str) -> Row:
    return next((row for row in reading.rows(summary, "tasks") if str(row.get("name")) == task), {})


def _intact(summary: Summary, task: str, recipe: str, model: Model) -> Row | None:
    for view in panels.VIEWS:
        for row in reading.sweep(summary, task, recipe):
            if (str(row.get("model")), row.get("view"), row.get("level")) == (model.name, view, 0):
                return row
    return None


def _broken(summary: Summary, model: str, task: str, recipe: str) -> Row | None:
    wanted = (model, task, recipe)
    for row in reading.rows(summary, "breaks_first"):
        if tuple(str(row.get(key)) for key in ("model", "task", "recipe")) == wanted:
            return row
    return None


def _breaks(summary: Summary, model: str, task: str, recipe: str) -> str:
    row = _broken(summary, model, task, recipe)
    if row is None or row.get("first") is None:
        return text.DASH
    return f"{row['first']}{'' if row.get('clear') else ' (not clear)'}"


def breaks_table(summary: Summary, recipe: str) -> Table:
    """What breaks first, and by how much, for each model and task."""
    body = []
    for task in reading.tasks(summary):
        for model in reading.models(summary):
            row = _broken(summary, model.name, task, recipe)
            if row is None:
                continue
            steps = [
                f"{one.get('what')} {text.half(one).partition(' [')[0]}"
                for one in row.get("order") or ()
            ]
            by = finite(row.get("by"))
            ends = [finite(row.get(end)) for end in ("low", "high")]
            gap = text.DASH if by is None else f"{by * 100:.1f} points"
            if by is not None and None not in ends:
                gap += f" [{(ends[0] or 0) * 100:.1f}, {(ends[1] or 0) * 100:.1f}]"
            gap = gap.replace("-", "\u2212")
            clear = "yes" if row.get("clear") else "no"
            share = text.percent(row.get("share"), 0)
            first = text.plain(row.get("first"))
            why = str(row.get("reason") or text.DASH)
            order = " → ".join(steps)
            body.append((task, model.label, first, gap, share, clear, order, why))
    heads = ("Task", "Model", "First", "Earlier than the next by", "First in resamples",
             "Clear", "In order of half-levels", "Note")  # fmt: skip
    return without_empty(Table("What breaks first", columns(heads), tuple(body)))


def verdict_word(summary: Summary, task: str, recipe: str, view: str) -> str:
    """The verdict on one task, as the headline reads it: after Holm's correction, one for all
    seeds of a pair, with models' labels in place of a and b; a dash without one.
    """
    label = {model.name: model.label for model in reading.models(summary)}
    wanted = (task, recipe, view)
    words: dict[tuple[str, str], list[str]] = {}
    for row in reading.rows(summary, "comparisons"):
        if (str(row.get("task")), str(row.get("recipe")), row.get("view")) == wanted:
            a, b = (label.get(str(row.get(side)), str(row.get(side))) for side in ("a", "b"))
            named = {"a better": f"{a} better", "b better": f"{b} better"}
            word = str(row.get("verdict_holm") or "no verdict")
            words.setdefault((a, b), []).append(named.get(word, word))
    each = [w[0] if len(set(w)) == 1 else "differs between seeds" for w in words.values()]
    return "; ".join(reading.distinct(each)) or text.DASH


def slices_table(summary: Summary, recipe: str) -> Table:
    """The worst part of each task for each tag, with that of all items beside it."""
    label = {model.name: model.label for model in reading.models(summary)}
    view = first_view(summary)
    body = []
    for row in reading.rows(summary, "slices"):
        worst = row.get("worst")
        if not worst or str(row.get("recipe")) != recipe or row.get("view") != view:
            continue
        given = {str(one.get("value")): one for one in row.get("values") or ()}
        start = (given.get(str(worst.get("value"))) or {}).get("baseline") or {}
        body.append((
            str(row.get("task")),
            label.get(str(row.get("model")), str(row.get("model"))),
            f"{row.get('tag')}: {worst.get('value')}",
            text.count(worst.get("n")),
            text.percent(start.get("value")),
            f"{text.level(row.get('level'))} ({row.get('level_of')})",
            text.interval(worst.get("accuracy"), worst.get("low"), worst.get("high"), share=True),
            text.percent(row.get("accuracy")),
            "yes" if worst.get("apart") else "no",
        ))  # fmt: skip
    heads = ("Task", "Model", "Worst slice", "Items", "Intact", "Read at", "Accuracy there",
             "All items", "Clearly lower")  # fmt: skip
    return Table(f"Worst slices, {view} view", columns(heads), tuple(body))

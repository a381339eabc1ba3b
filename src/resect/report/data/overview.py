"""One line per task and model: its intact accuracy, how far it passed, where it breaks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from resect.catalog import label
from resect.findings.rows import BreaksFirst, CurvePoint, Race, Slice, Task
from resect.report import formatting as text
from resect.report.data.matrix import number_of
from resect.report.data.metrics import Values, is_share, measured
from resect.report.data.panels import verdict_word
from resect.report.data.scope import VIEWS, Model, Scope, distinct
from resect.report.data.table import Table, columns, table
from resect.report.data.verdict_tables import task_reach


class Glance(NamedTuple):
    """One task in one line per model."""

    task: str
    n: str
    model: Model
    intact: str
    floor: str
    passed: str
    onset: str
    half: str
    half_options: str
    breaks: str
    verdict: str


def glance(scope: Scope, recipe: str) -> list[Glance]:
    """Task by task and model by model, by text where it was asked."""
    return [_line(scope, recipe, task, model) for task in scope.tasks for model in scope.models]


def _line(scope: Scope, recipe: str, task: str, model: Model) -> Glance:
    info, row = scope.task(task), _intact(scope, task, recipe, model)
    n = info.n if info is not None else row.n if row is not None else None
    where = model.name, task, recipe
    return Glance(
        task,
        text.count(n),
        model,
        text.DASH if row is None else text.interval(*measured(row, "accuracy"), share=True),
        text.percent(highest_floor(info)),
        task_reach(scope, recipe, model, task),
        text.half(scope.cliff(*where, scope.first_view, "onset")),
        text.half(scope.cliff(*where, "text")),
        text.half(scope.cliff(*where, "options")),
        _breaks(scope.breaks(*where)),
        _verdict(scope, task, recipe),
    )


class Standing(NamedTuple):
    """One model on one task: items, the intact model's own number, its floor.

    `lost` is the change of the version that was chosen, empty where none was or it was not asked;
    `floored` where the intact model is not clear of the floor.
    """

    task: str
    n: str
    model: Model
    metric: str
    intact: str
    floor: str
    margin: str
    lost: str
    floored: bool


def standings(scope: Scope) -> list[Standing]:
    """Task by task and model by model, what a verdict rests on."""
    rows = [_standing(scope, task, model) for task in scope.tasks for model in scope.models]
    return [row for row in rows if row is not None]


def _standing(scope: Scope, task: str, model: Model) -> Standing | None:
    """None where the intact model was not asked."""
    row = next((r for x in scope.recipes if (r := _intact(scope, task, x, model))), None)
    if row is None:
        return None
    info, metric = scope.task(task), number_of(scope, task)
    value = measured(row, metric)
    floor = highest_floor(info) if metric == "accuracy" else None
    shown = text.interval(*value, share=True) if is_share(metric) else _spelled(value)
    return Standing(
        task=task,
        n=text.count(info.n if info is not None else row.n),
        model=model,
        metric=label(metric),
        intact=shown,
        floor=text.percent(floor),
        margin=text.DASH if info is None else text.points(info.margin).lstrip("+"),
        lost=_lost(scope, task, model),
        floored=floor is not None and value[1] is not None and value[1] <= floor,
    )


def _lost(scope: Scope, task: str, model: Model) -> str:
    """The change of the chosen version on a task; empty where there is none."""
    chosen = [c.chosen for c in scope.summary.choice if c.model == model.name]
    tests = [t for c in chosen if c is not None for t in c.tasks if t.task == task]
    return text.change(tests[0].change, tests[0].low, tests[0].high) if tests else ""


def _spelled(value: Values) -> str:
    """A number of no share with three digits and its interval."""
    shown = ["" if x is None else f"{x:.3g}" for x in value]
    return f"{shown[0]} [{shown[1]}, {shown[2]}]" if all(shown) else shown[0] or text.DASH


def intact_table(scope: Scope) -> Table:
    """The models before any cut: what they get right in both views, the floor, and silence."""
    body = []
    for task in scope.tasks:
        for model in scope.models:
            rows: dict[str, CurvePoint] = {
                row.view: row for row in scope.summary.curves
                if (row.task, row.model, row.level) == (task, model.name, 0)
            }  # fmt: skip
            if rows:
                body.append((task, model.label, *_side_by_side(rows, scope.task(task))))
    heads = ("Task", "Model", "Items", "Right by text", "Right by options", "Highest floor",
             "No answer")  # fmt: skip
    return table("The models as they are", heads, body)


def _side_by_side(rows: Mapping[str, CurvePoint], task: Task | None) -> tuple[str, ...]:
    text_row, options_row = rows.get("text"), rows.get("options")
    silence = None if text_row is None else text_row.metrics.get("no_answer")
    return (
        text.count(next(iter(rows.values())).n),
        text.DASH if text_row is None else text.percent(text_row.accuracy),
        text.DASH if options_row is None else text.percent(options_row.accuracy),
        text.percent(highest_floor(task)),
        text.DASH if silence is None else text.percent(silence.value),
    )


def highest_floor(task: Task | None) -> float | None:
    """What the best of guessing and constant answers scores on a task."""
    if task is None:
        return None
    floors = (task.floors.chance, task.floors.majority, task.floors.always_positive)
    return max((floor for floor in floors if floor is not None), default=None)


def _intact(scope: Scope, task: str, recipe: str, model: Model) -> CurvePoint | None:
    rows = [row for row in scope.sweep(task, recipe) if row.model == model.name and row.level == 0]
    return min(rows, key=lambda row: VIEWS.index(row.view), default=None)


def _breaks(row: BreaksFirst | None) -> str:
    if row is None or row.race.first is None:
        return text.DASH
    return f"{row.race.first}{'' if row.race.clear else ' (not clear)'}"


def breaks_table(scope: Scope, recipe: str) -> Table:
    """What breaks first, and by how much, for each model and task."""
    rows = [
        (task, model, scope.breaks(model.name, task, recipe))
        for task in scope.tasks
        for model in scope.models
    ]
    body = [
        (
            task,
            model.label,
            text.plain(row.race.first),
            _lead(row.race),
            text.percent(row.race.share, 0),
            "yes" if row.race.clear else "no",
            " → ".join(_in_order(row.race)),
            row.race.reason or text.DASH,
        )
        for task, model, row in rows
        if row is not None
    ]  # fmt: skip
    heads = ("Task", "Model", "First", "Earlier than the next by", "First in resamples",
             "Clear", "In order of half-levels", "Note")  # fmt: skip
    return table("What breaks first", heads, body)


def _in_order(race: Race) -> list[str]:
    """Each half-level with its name, the lowest first, those without one last."""
    places = sorted(race.places.items(), key=lambda x: (x[1].level is None, x[1].level or 0.0))
    return [f"{name} {text.half(place).partition(' [')[0]}" for name, place in places]


def _lead(row: Race) -> str:
    """By how many points of the level the first one leads."""
    if row.by is None:
        return text.DASH
    shown = f"{text.rounded(row.by * 100, 1)} points"
    if row.low is None or row.high is None:
        return shown
    return f"{shown} [{text.rounded(row.low * 100, 1)}, {text.rounded(row.high * 100, 1)}]"


def _verdict(scope: Scope, task: str, recipe: str) -> str:
    """The verdict on one task, as the headline reads it: after Holm's correction, one for all
    seeds of a pair, with models' labels in place of a and b; a dash without one.
    """
    wanted = (task, recipe, scope.first_view)
    words: dict[tuple[str, str], list[str]] = {}
    for row in scope.summary.comparisons:
        if (row.task, row.recipe, row.view) == wanted:
            word = "no verdict"
            if row.verdict_holm is not None:
                word = verdict_word(scope, row, row.verdict_holm)
            words.setdefault((row.a, row.b), []).append(word)
    pairs = [w[0] if len(set(w)) == 1 else "differs between seeds" for w in words.values()]
    return "; ".join(distinct(pairs)) or text.DASH


def slices_table(scope: Scope, recipe: str) -> Table:
    """The worst part of each task for each tag, with that of all items beside it."""
    view = scope.first_view
    rows = [row for row in scope.summary.slices if (row.recipe, row.view) == (recipe, view)]
    body = tuple(line for row in rows for line in _worst(scope, row))
    heads = ("Task", "Model", "Worst slice", "Items", "Intact", "Read at", "Accuracy there",
             "All items", "Clearly lower")  # fmt: skip
    return Table(f"Worst slices, {view} view", columns(heads), body)


def _worst(scope: Scope, row: Slice) -> list[tuple[str, ...]]:
    worst = row.worst
    if worst is None:
        return []
    start = next((v.baseline.value for v in row.values if v.value == worst.value), None)
    return [(
        row.task,
        scope.label(row.model),
        f"{row.tag}: {worst.value}",
        text.count(worst.n),
        text.percent(start),
        f"{text.level(row.level)} ({row.level_of})",
        text.interval(worst.accuracy, worst.low, worst.high, share=True),
        text.percent(row.accuracy),
        "yes" if worst.apart else "no",
    )]  # fmt: skip

"""What a study will cost and what it can show, before anything is asked.

Power is that of the primary test, by simulation on the study's own items: for an identical copy,
for a version that loses nothing, and for one that loses a point.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import prod

from resect.ask import Budget, first_budget
from resect.errors import RequestError
from resect.findings.choice import confirming_level
from resect.findings.looks import last_level
from resect.findings.task_forecast import TaskForecast, items_lacking, task_forecast
from resect.models import devices, loading
from resect.record import Item, TaskInfo
from resect.report import formatting as text
from resect.running.pace import duration
from resect.running.plan import sweeps
from resect.running.resolve import Resolved
from resect.running.walk import asker
from resect.spec import Study

TIMED = 8
"""Prompts of each task that are timed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """A study before it runs: cells, questions, tokens, seconds, bytes, and power.

    `same` and `one_point` are of all judged tasks together; with several recipes a version is
    chosen on one half of the items and tested on the other, which `confirmed` is the power of.
    `sequential`: it is asked in looks, so that questions, tokens and seconds are the most that it
    can take, and power is that of the last look alone.
    """

    sequential: bool
    cells: int
    questions: int
    tokens: int | None
    seconds: float | None
    memory: int | None
    same: float
    one_point: float
    confirmed: float | None
    tasks: tuple[TaskForecast, ...]

    def to_data(self) -> dict[str, object]:
        """The document of `resect plan --json`."""
        return asdict(self)


def forecast(resolved: Resolved, timed: bool = True) -> Forecast:
    """The forecast of a checked study; `timed` loads its first model and asks it a few prompts."""
    study = resolved.study
    cells = Counter(cell.spec.task for sweep in sweeps(resolved) for cell in sweep.cells)
    rows = [
        _task(resolved, name, own, info)
        for (name, own), info in zip(resolved.items.items(), resolved.infos.values(), strict=True)
    ]
    memory = None
    if timed:
        rows, memory = _timed(resolved, rows)
    judged = [row for row in rows if row.judged]
    recipes = max((len(_of_role(resolved, role)) for role in study.models), default=0)
    halves = [row.halved(_alpha(study)) for row in judged]
    tokens, seconds = _cost(rows, cells)
    return Forecast(
        sequential=study.sequential,
        cells=cells.total(),
        questions=sum(row.items * cells[row.task] for row in rows),
        tokens=tokens,
        seconds=seconds,
        memory=memory,
        same=prod(row.same for row in judged),
        one_point=prod(row.one_point for row in judged),
        confirmed=prod(halves) if recipes > 1 else None,
        tasks=tuple(rows),
    )


def _cost(
    rows: Sequence[TaskForecast], cells: Mapping[str, int]
) -> tuple[int | None, float | None]:
    """Prompt tokens and seconds of all cells, counted by task; None where a task was not timed."""
    if any(row.seconds is None or row.prompt_tokens is None for row in rows):
        return None, None
    tokens = sum((row.prompt_tokens or 0) * cells[row.task] for row in rows)
    return tokens, sum((row.seconds or 0) * cells[row.task] for row in rows)


def refuse_hopeless(resolved: Resolved) -> None:
    """Raise `RequestError` for a study in which not even an identical copy could pass.

    Where a version is chosen, it must pass on half of the items.
    """
    study = resolved.study
    damaged = any(recipe.levels or recipe.steps for recipe in study.recipes)
    short = _too_few(resolved) if damaged else []
    if not short:
        return
    if study.choose:
        raise RequestError(
            f"no version could be confirmed on half of the items: {', '.join(short)}. Ask more "
            "items, a larger --margin, or other tasks."
        )
    raise RequestError(
        f"the study cannot pass: {', '.join(short)}; ask more items, a larger --margin, list the "
        "task under shown_only, or run it --anyway."
    )


def _too_few(resolved: Resolved) -> list[str]:
    """The judged tasks on which not even a copy could pass, with the items that they need."""
    study, parts, alpha = resolved.study, 1, _alpha(resolved.study)
    if study.choose:
        parts, alpha = 2, confirming_level(study.alpha)
    short = []
    for name, rule in resolved.rules.items():
        items = [item for item in resolved.items[name] if item.variant is None]
        lacking = items_lacking(items, resolved.infos[name], rule.margin, alpha, parts)
        if lacking is not None:
            needed = f" and needs {lacking}" if lacking else ""
            short.append(f"{name} has {len(items)} items{needed}")
    return short


def _of_role(resolved: Resolved, role: str) -> list[str]:
    return [recipe.name for recipe in resolved.study.recipes if recipe.applies_to(role)]


def _task(resolved: Resolved, name: str, items: Sequence[Item], info: TaskInfo) -> TaskForecast:
    margin, judged = resolved.rule_of(info).margin, name in resolved.rules
    return replace(task_forecast(info, items, margin, _alpha(resolved.study), judged), task=name)


def _alpha(study: Study) -> float:
    """The one-sided level of the test of all items."""
    return last_level(study.alpha) if study.sequential else study.alpha


def _timed(resolved: Resolved, rows: Sequence[TaskForecast]) -> tuple[list[TaskForecast], int]:
    """The rows with prompt tokens and seconds of one cell, and the bytes of the model."""
    role, ref = next(iter(resolved.study.models.items()))
    loaded = loading.load(ref, resolved.places[role])
    budget = Budget(resolved.study.batch_tokens or first_budget(devices.kind(resolved.device)))
    timed = []
    for row in rows:
        items, info = resolved.items[row.task], resolved.infos[row.task]
        few = items[:: max(len(items) // TIMED, 1)][:TIMED]
        asking = asker(loaded, info, few, budget)
        started = time.perf_counter()
        for _ in asking.ask(loaded.model):
            pass
        each = (time.perf_counter() - started) / len(few)
        tokens = sum(len(prompt.ids) for prompt in asking.prompts) / len(few)
        read = round(tokens * row.items)
        timed.append(replace(row, seconds=each * row.items, prompt_tokens=read))
    size = sum(p.numel() * p.element_size() for p in loaded.model.parameters())
    return timed, 2 * size  # the intact model and one damaged copy


def in_words(row: Forecast) -> str:
    """A forecast as lines for the terminal."""
    most = "at most " if row.sequential else ""
    lines = [f"{most}{row.cells} cells, {row.questions:,} questions"]
    if row.tokens is not None and row.seconds is not None:
        lines[0] += f", {row.tokens:,} prompt tokens, about {duration(row.seconds)}"
    if row.memory is not None:
        lines[0] += f", {row.memory / 1e9:.2g} GB for the model and a copy"
    lines.append("")
    heads = ("items", "margin", "copy", "no loss", "1 point", "80 % at")
    lines.append(f"{'task':20} " + " ".join(f"{head:>8}" for head in heads))
    for task in row.tasks:
        if not task.judged:
            lines.append(f"{task.task:20} {task.items:8} shown, not judged")
            continue
        copy = "passes" if task.copy_passes else "cannot"
        needed = "never" if task.needed is None else f"{task.needed}"
        lines.append(
            f"{task.task:20} {task.items:8} {100 * task.margin:8.3g} {copy:>8} "
            f"{_share(task.same):>8} {_share(task.one_point):>8} {needed:>8}"
        )
    judged = [task for task in row.tasks if task.judged]
    if len(judged) > 1:
        lines.append(f"{'all tasks':20} {'':26} {_share(row.same):>8} {_share(row.one_point):>8}")
    if row.confirmed is not None:
        lines.append(f"A version chosen among recipes is tested on half of the items: "
                     f"{_share(row.confirmed)} without loss.")  # fmt: skip
    return "\n".join(lines)


def _share(value: float) -> str:
    return text.percent(value, 0)

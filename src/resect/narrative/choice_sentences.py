"""The answer of `resect choose` in at most six lines."""

from __future__ import annotations

from resect.findings.rows import (
    Candidate,
    Choice,
    GuardrailKind,
    Measurement,
    Summary,
    SweepVerdict,
    TaskVerdict,
)
from resect.narrative.phrasing import change, points, sentence, size
from resect.narrative.verdict_sentences import (
    lost_of_margin,
    stop_text,
    version_of,
    worst_of,
)


def answer_lines(
    summary: Summary,
    row: Choice,
    file: str | None,
    start: str,
    budget: int | None,
) -> list[str]:
    """What was chosen, what it lost, how fast it is and how it is started; or why nothing was.

    `file` is where it lies, `start` the command that serves it.
    """
    if row.chosen is None or file is None:
        return _none(summary, row, budget)
    chosen, worst = row.chosen, worst_of(row.chosen)
    runtime = _runtime(summary, row, chosen.recipe)
    lines = [
        _chosen(row, chosen),
        f"Worst task: {lost_of_margin(worst)}{_bases(summary, row, worst)}.",
    ]
    lines += filter(None, [_subgroup(summary, row), _speed(summary, row, runtime)])
    lines.append(f"File: {file}")
    lines.append(f"Start it: {start}")
    return lines


def _low(test: TaskVerdict) -> float:
    return -1.0 if test.low is None else test.low


def _chosen(row: Choice, chosen: Candidate) -> str:
    """`Chosen: gguf:Q4_K_M, 0.72 MB, 39 % of 1.87 MB; passed 3 tasks on items held back.`"""
    text = f"Chosen: {version_of(chosen)}"
    if chosen.bytes is not None:
        text += f", {size(chosen.bytes)}"
        if row.baseline_bytes:
            share = chosen.bytes / row.baseline_bytes
            text += f", {100 * share:.0f} % of {size(row.baseline_bytes)}"
    count = len(chosen.tasks)
    return f"{text}; passed {count} task{'s' if count > 1 else ''} on items held back."


def _bases(summary: Summary, row: Choice, worst: TaskVerdict) -> str:
    """` (skill 0.61; clinic:base, intact, has 0.18)`, where other models were asked."""
    if row.chosen is None:
        return ""
    view, runtime = _sweeps(summary, row)[0].view, _runtime(summary, row, row.chosen.recipe)
    points = [p for p in summary.curves if (p.task, p.view) == (worst.task, view)]
    own = next((p.skill for p in points if (p.model, p.recipe) == (row.model, row.chosen.recipe)
                and p.level != 0), None)  # fmt: skip
    told = {
        p.model: f"{p.model}, intact"
        f"{'' if p.runtime == runtime else f' in {p.runtime}'}, has {p.skill:.2f}"
        for p in points
        if p.level == 0 and p.model != row.model and p.skill is not None
    }
    return f" (skill {own:.2f}; {'; '.join(told.values())})" if told and own is not None else ""


def _subgroup(summary: Summary, row: Choice) -> str | None:
    """The subgroup that lost most in the version that was chosen."""
    guards = [
        guard for sweep in _sweeps(summary, row) for guard in sweep.guardrails
        if guard.kind is GuardrailKind.SUBGROUP
    ]  # fmt: skip
    if not guards:
        return None
    worst = max(guards, key=lambda guard: guard.rise)
    return (
        f"Worst subgroup: {worst.of} of {worst.task} ({worst.n} items), {change(-worst.rise)} "
        f"points, cap {points(worst.cap)}."
    )


def _sweeps(summary: Summary, row: Choice) -> list[SweepVerdict]:
    """The verdicts on the version that was chosen, in the view that decides."""
    recipe = row.chosen.recipe if row.chosen else None
    return [v for v in summary.verdicts if v.default and (v.model, v.recipe) == (row.model, recipe)]


def _runtime(summary: Summary, row: Choice, recipe: str) -> str:
    return next(v.runtime for v in summary.verdicts if (v.model, v.recipe) == (row.model, recipe))


def _measured(summary: Summary, row: Choice) -> Measurement | None:
    recipe = row.chosen.recipe if row.chosen else None
    rows = [m for m in summary.measurements if (m.model, m.recipe) == (row.model, recipe)]
    return rows[0] if rows else None


def _speed(summary: Summary, row: Choice, runtime: str) -> str | None:
    measured = _measured(summary, row)
    if measured is None or measured.tokens_per_second is None:
        return None
    peak = "" if measured.peak_memory is None else f", peak memory {size(measured.peak_memory)}"
    return f"Measured in {runtime}: {measured.tokens_per_second:.3g} tokens a second{peak}."


# ── nothing passed ──────────────────────────────────────────────────────────────────────────────


def _none(summary: Summary, row: Choice, budget: int | None) -> list[str]:
    """That none passed, which came closest, what stopped it, and what would help."""
    within = "" if budget is None else f" within {size(budget)}"
    lines = [f"No version{within} passed: {row.explored} looked at, {len(row.tried)} tested."]
    stops = [v.stopped_by for v in summary.verdicts
             if v.default and v.model == row.model and v.stopped_by is not None]  # fmt: skip
    told = [(stop, stop.test) for stop in stops if stop.test is not None]
    if not told:
        return lines
    nearest, test = max(told, key=lambda pair: _low(pair[1]))
    recipe = next(v.recipe for v in summary.verdicts if v.stopped_by == nearest)
    lines.append(f"Closest: {recipe}, {lost_of_margin(test)}.")
    lines.append(sentence(stop_text(nearest)))
    helps = []
    if nearest.items_needed is not None and nearest.items_needed > test.n:
        helps.append(f"more items ({nearest.items_needed} of {test.task} held back, now {test.n})")
    if budget is not None:
        helps.append("a larger budget, for versions that lose less")
    helps.append("tuning cut versions back (--tune-on)")
    lines.append(f"What may help: {'; '.join(helps)}.")
    return lines

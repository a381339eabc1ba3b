"""Sentences on one sweep: where it starts, where half of its skill is gone, what it loses first."""

from __future__ import annotations

from collections.abc import Sequence

from resect.catalog import fragment
from resect.findings.curves import damage
from resect.findings.rows import Cliff, CliffKind, CurvePoint, Summary, Task
from resect.findings.views import first_view
from resect.narrative.phrasing import ModelNames, level_interval, sentence
from resect.narrative.reasons import at
from resect.narrative.verdict_sentences import seeded, under

SILENT = 0.2
"""A model whose no-answer share rises by more than this over its baseline's loses the format."""


def half_levels(summary: Summary) -> list[Cliff]:
    """The half-level of skill of every curve, in the view that is read first."""
    halves = [row for row in summary.cliffs if row.kind is CliffKind.HALF and row.metric == "skill"]
    return first_view(halves)


# ── the headline ────────────────────────────────────────────────────────────────────────────────


def _half(cliff: Cliff, model: str, skill: str) -> str:
    """The half-level in words; `model` and its `skill` as the sentence calls them."""
    if cliff.level is not None:
        where = f"{100 * cliff.level:.0f} % {level_interval(cliff.low, cliff.high)}"
        return f"half of {skill} is gone at {where}"
    if cliff.censored:
        last = "" if cliff.last_level is None else f" up to {at(cliff.last_level)}"
        low = "" if cliff.low is None else f" (interval from {100 * cliff.low:.0f} %)"
        return f"half of {skill} is not gone{last}{low}"
    if cliff.no_skill:
        return f"{model} has no skill clearly above guessing to lose"
    return f"the level at which half of {skill} is gone is not known ({cliff.reason})"


# ── one sweep ───────────────────────────────────────────────────────────────────────────────────


def sweep_sentences(summary: Summary, called: ModelNames) -> list[str]:
    """One sentence for each sweep on each task, in the view that is read first."""
    several = seeded(summary)
    return [
        sentence(_sweep(summary, cliff, called[cliff.model], several))
        for cliff in half_levels(summary)
    ]


def _sweep(summary: Summary, cliff: Cliff, model: str, several: frozenset[str]) -> str:
    """What happens to one model on one task: start, half-level, loss of the format."""
    points = _points(summary, cliff, cliff.view)
    if not points or points[0].level != 0.0:
        return f"on {cliff.task}, {model}: the intact model has no answers to compare with"
    task = next(task for task in summary.tasks if task.name == cliff.task)
    parts = [f"on {cliff.task}, {model} starts with {_start(points[0], task)}"]
    if cliff.recipe != "none":
        half = _half(cliff, "it", "its skill")
        parts.append(f"{under(cliff.recipe, cliff.seed, several)}, {half}")
        parts += _first_failure(summary, cliff)
    if cliff.view == "text" and "no_answer" in points[0].metrics:
        parts.append(_format_loss(points, _points(summary, cliff, "options")))
    return "; ".join(parts)


def _points(summary: Summary, cliff: Cliff, view: str) -> list[CurvePoint]:
    """The points with answers of a cliff's sweep on its task, rising damage."""
    sweep = cliff.model, cliff.recipe, cliff.seed, cliff.task
    points = [
        point for point in summary.curves
        if (point.model, point.recipe, point.seed, point.task) == sweep
        and point.view == view and point.n
    ]  # fmt: skip
    return sorted(points, key=lambda point: damage(point.level))


def _start(point: CurvePoint, task: Task) -> str:
    """The intact model's skill, and what that is made of."""
    estimate = point.metrics.get("skill")
    if estimate is None or estimate.value is None:
        skill = f"no measurable skill ({estimate.reason if estimate else 'no reason'})"
    else:
        skill = f"skill {estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
    floors = task.floors
    if task.kind != "label" or point.accuracy is None or floors.majority is None:
        return f"{skill} (its skill is {fragment(task.primary)})"
    return (
        f"{skill} (accuracy {point.accuracy:.2f}; always answering {floors.majority_label} gives "
        f"{floors.majority:.2f})"
    )


def _first_failure(summary: Summary, cliff: Cliff) -> list[str]:
    """What breaks first, where that is clear."""
    sweep = cliff.model, cliff.recipe, cliff.seed, cliff.task
    for row in summary.breaks_first:
        if (row.model, row.recipe, row.seed, row.task) == sweep and row.race.clear:
            lead = (
                ""
                if row.race.by is None
                else f", {100 * row.race.by:.0f} points of the level earlier"
            )
            return [f"{row.race.first} breaks first{lead}"]
    return []


def _format_loss(points: Sequence[CurvePoint], options: Sequence[CurvePoint]) -> str:
    """At which level the format is lost, and what the `options` view shows there."""
    shares = [_value(point, "no_answer") or 0.0 for point in points]
    intact = shares[0]
    losses = (pair for pair in zip(points, shares, strict=True) if pair[1] - intact > SILENT)
    point, share = next(losses, (None, 0.0))
    if point is None and intact > SILENT:
        return f"already intact {intact:.2f} of its texts give no answer"
    if point is None:
        return f"at no level do more than {max(shares):.2f} of its texts give no answer"
    text = (
        f"it loses the format at {at(point.level)}, where {share:.2f} of its texts give "
        f"no answer ({intact:.2f} intact)"
    )
    scored = next((p for p in options if p.level == point.level and p.skill is not None), None)
    if scored is None:
        return f"{text} (no options view to tell this from forgetting)"
    by_options, by_text = _value(scored, "retention"), _value(point, "retention")
    if by_options is None or by_text is None:
        return f"{text}; scored by options its skill there is {scored.skill:.2f}"
    return (
        f"{text}; scored by options it keeps {by_options:.2f} of its skill there, by text "
        f"{by_text:.2f}"
    )


def _value(point: CurvePoint, metric: str) -> float | None:
    estimate = point.metrics.get(metric)
    return None if estimate is None else estimate.value

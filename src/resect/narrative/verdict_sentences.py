"""Sentences on the verdict: what passed, what stopped it, and what the items could have shown."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from typing import NamedTuple

from resect.catalog import fragment
from resect.findings.rows import (
    Candidate,
    Choice,
    ChosenBy,
    Guardrail,
    GuardrailKind,
    Missing,
    Stop,
    Summary,
    SweepVerdict,
    TaskVerdict,
    Unchosen,
    Undecided,
    Word,
)
from resect.narrative.phrasing import (
    ModelNames,
    change,
    changes,
    levels_of,
    points,
    removed,
    sentence,
)
from resect.narrative.reasons import at, degraded, listed


class Words(NamedTuple):
    """How sentences call models, and what the level of each recipe is a fraction of."""

    models: ModelNames
    parts: Mapping[str, str]

    @classmethod
    def of(cls, summary: Summary) -> Words:
        """The words of one summary."""
        return cls(ModelNames.of(summary), levels_of(summary))


# ── versions and sizes ────────────────────────────────────────────────────────────────────────────


def version_of(candidate: Candidate) -> str:
    """`wanda at 40 %`."""
    level = "" if candidate.level is None else f" at {at(candidate.level)}"
    return f"{candidate.recipe}{level}"


# ── the sentences ───────────────────────────────────────────────────────────────────────────────


def verdict_sentences(summary: Summary, words: Words) -> list[str]:
    """The choice of every model, then one sentence for each sweep in the view that decides."""
    several = seeded(summary)
    chosen = [sentence(_choice(row, words)) for row in summary.choice]
    return chosen + [
        sentence(_sweep(row, words, several)) for row in summary.verdicts if row.default
    ]


def seeded(summary: Summary) -> frozenset[str]:
    """The recipes that were run with several seeds."""
    seeds: dict[str, set[int]] = defaultdict(set)
    for row in summary.verdicts:
        seeds[row.recipe].add(row.seed)
    return frozenset(recipe for recipe, ran in seeds.items() if len(ran) > 1)


def under(recipe: str, seed: int, several: frozenset[str]) -> str:
    """`under wanda`, with the seed where there are several."""
    return f"under {recipe} with seed {seed}" if recipe in several else f"under {recipe}"


def _choice(row: Choice, words: Words) -> str:
    """What was chosen among how many versions, and on which items it was tested."""
    model = words.models[row.model]
    if row.how is ChosenBy.SEQUENCE:
        return _by_sequence(row, model)
    explored = f"of {row.explored} versions of {model}, {row.plausible} looked good on the items "
    explored += "that select"
    if row.chosen is None:
        why = {
            Unchosen.NONE_PLAUSIBLE: "so none was tested further",
            Unchosen.NONE_PASSED: f"and none of the {len(row.tried)} smallest passed on the others",
            Unchosen.UNDETERMINED: "but the items held back cannot decide",
            Unchosen.UNRANKED: "but bytes were not measured, and levels of different recipes "
            "cannot be ranked",
        }
        ending = why[row.why] if row.why is not None else ""
        stopped = [c.stopped_by for c in row.tried if c.stopped_by is not None]
        return f"{explored}, {ending}" + (f": {stop_text(stopped[-1])}" if stopped else "")
    text = f"{explored}; {version_of(row.chosen)} is the smallest that passed on the others"
    return f"{text} (worst: {lost(worst_of(row.chosen))}){_fallen_back(row)}"


def _by_sequence(row: Choice, model: str) -> str:
    """The choice of a model with one recipe."""
    if row.chosen is None:
        return f"no compressed version of {model} passed"
    text = f"the most compressed version of {model} that passed is {version_of(row.chosen)}"
    return f"{text} (worst: {lost(worst_of(row.chosen))}){_fallen_back(row)}"


def worst_of(chosen: Candidate) -> TaskVerdict:
    """The task whose change could be the worst."""
    return min(chosen.tasks, key=lambda test: -1.0 if test.low is None else test.low)


def lost(test: TaskVerdict) -> str:
    """`t -1.7 points [-4.0, +0.1]`."""
    return f"{test.task} {change(test.change)} points {changes(test.low, test.high)}"


def lost_of_margin(test: TaskVerdict) -> str:
    """`t -1.7 points [-4.0, +0.1], margin 5`."""
    return lost(test) + ("" if test.margin is None else f", margin {points(test.margin)}")


def _fallen_back(row: Choice) -> str:
    return f"; {degraded(row.degraded)}" if row.degraded else ""


def _sweep(row: SweepVerdict, words: Words, several: frozenset[str]) -> str:
    """How far one sweep passed, and what stopped it."""
    where = f"{under(row.recipe, row.seed, several)}, {words.models[row.model]}"
    parts = [f"{where} {_reach(row, words.parts.get(row.recipe))}"]
    if row.stopped_by is not None:
        parts.append(stop_text(row.stopped_by))
    elif row.passed and row.passed_level is not None:
        parts.append("every level asked passed, so the limit lies beyond them")
    told = {row.stopped_by.undecided} if row.stopped_by else set()
    parts += [undecided(gap) for gap in row.undetermined if gap not in told]
    if row.shown_only:
        parts.append(f"{listed(list(row.shown_only))} does not count, as the study says")
    return "; ".join(filter(None, (*parts, degraded(row.degraded))))


def _reach(row: SweepVerdict, part: str | None) -> str:
    """`passed up to 40 % of the targeted weights removed on all 3 tasks`."""
    tasks = len(row.margins) + len(row.undetermined)
    scope = f"on all {tasks} tasks" if tasks > 1 else f"on {next(iter(row.margins), 'its task')}"
    if not row.passed:
        return f"is {row.state} at {at(row.levels[0].level)}" if row.levels else "was not damaged"
    if row.passed_level is None:
        return f"passed {scope}"
    way = "down" if row.passed_level >= 1 else "up"
    return f"passed {way} to {at(row.passed_level)}{removed(row.passed_level, part)} {scope}"


def stop_text(stop: Stop) -> str:
    """What stopped a sweep, with its numbers."""
    where = f"at {at(stop.level)}" if stop.level is not None else "there"
    if stop.guardrail is not None:
        return f"{where} it {stop.word} since {guardrail(stop.guardrail)}"
    if stop.undecided is not None:
        return f"{where} it is undetermined since {undecided(stop.undecided)}"
    assert stop.test is not None
    return f"{where} it {_by_test(stop, stop.test)}"


def _by_test(stop: Stop, test: TaskVerdict) -> str:
    """A loss that is clear, or one that these items cannot exclude."""
    numbers = f"{change(test.change)} points {changes(test.low, test.high)}"
    margin = f"margin {points(test.margin or 0)}"
    if stop.word is Word.FAILED:
        return f"failed: {stop.task} {numbers}, {margin}"
    text = f"is not proven: {stop.task} {numbers}, {margin}"
    if stop.provable_margin is not None:
        text += f"; {test.n} items could have proven {points(stop.provable_margin)} points"
    if stop.items_needed is None:
        return f"{text}, and more items would not help"
    return f"{text}; {stop.items_needed} items would decide it in 4 of 5 studies"


def guardrail(row: Guardrail) -> str:
    """`missed yes rose by 12.0 points on pubmedqa (cap 10)`."""
    what = fragment(row.kind.value)
    of = f" {row.of}" if row.of else ""
    if row.kind is GuardrailKind.FLIPS:
        return f"{100 * row.value:.1f} % of {row.task} went {what} (cap {points(row.cap)})"
    if row.kind is GuardrailKind.SUBGROUP:
        return f"{row.task}, {row.of}, lost {100 * row.rise:.1f} points (cap {points(row.cap)})"
    return f"{what}{of} rose by {100 * row.rise:.1f} points on {row.task} (cap {points(row.cap)})"


def undecided(row: Undecided) -> str:
    """Why a task cannot be judged."""
    if row.why is Missing.NO_SKILL:
        low, floor = f"{row.low:.2f}", f"{row.floor:.2f}"
        return f"{row.task} has no skill to lose: {low} at the least, a constant answer {floor}"
    if row.why is Missing.TOO_FEW:
        need = f" and needs {row.needed}" if row.needed else ""
        return f"{row.task} has {row.n} items{need}"
    if row.why is Missing.NO_ANSWERS:
        return f"{row.task} lacks answers at {at(row.level)}"
    if row.why is Missing.NO_BASELINE:
        return f"{row.task} has no answers of the intact model"
    return f"{row.task} was not asked"

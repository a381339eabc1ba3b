"""The headline: the answer in at most 20 words, and at most three lines under it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence

from resect.catalog import fragment
from resect.findings.rows import (
    Answer,
    Better,
    Candidate,
    Choice,
    ChosenBy,
    CurvePoint,
    Headline,
    PickedBy,
    Stop,
    Summary,
    SweepVerdict,
    TaskVerdict,
    Word,
)
from resect.findings.views import first_view
from resect.narrative.comparison_sentences import comparison_headline
from resect.narrative.phrasing import (
    ModelNames,
    change,
    changes,
    levels_of,
    points,
    removed,
    sentence,
    size,
)
from resect.narrative.reasons import at, degraded, listed
from resect.narrative.verdict_sentences import (
    lost_of_margin,
    stop_text,
    undecided,
    version_of,
    worst_of,
)

WORDS = 20
"""The most words of a headline."""

LIMIT = "Not a statement of clinical safety."


def headline(summary: Summary) -> Headline:
    """The answer of a summary, whose own headline is not read."""
    if summary.published is not None and summary.published.claims:
        return _claims(summary)
    return _own(summary)


def _own(summary: Summary) -> Headline:
    """What passed; without compression, which model is better intact."""
    if summary.choice:
        rows = summary.choice
        row = min(rows, key=lambda row: (row.role != "specialist", row.chosen is None))
        if row.chosen is not None:
            return _chosen(summary, row, row.chosen)
        return _none_chosen(summary, row)
    called = ModelNames.of(summary)
    compared = comparison_headline(summary, called)
    if compared:
        text = sentence(compared)
        text = text if _short(text) else _tally(summary, called)
        return _plain(summary, text, Answer.COMPARED)
    standing = _intact_alone(summary, called)
    if standing:
        text = " ".join(map(sentence, standing))
        text = text if _short(text) else _span(summary)
        return _plain(summary, text, Answer.INTACT)
    why = "" if summary.curves else next(iter(summary.warnings), "")
    return Headline(
        text="There is nothing to analyse.",
        answer=Answer.NOTHING,
        lines=_lines("", "", [why] if why else []),
    )


def _short(text: str) -> bool:
    return len(text.split()) <= WORDS


# ── a version passed ────────────────────────────────────────────────────────────────────────────


def _chosen(summary: Summary, row: Choice, chosen: Candidate) -> Headline:
    by_size = row.by not in (None, PickedBy.LEVEL) and chosen.bytes is not None
    share = chosen.bytes / row.baseline_bytes if chosen.bytes and row.baseline_bytes else None
    worst = worst_of(chosen)
    caveats = _caveats(summary, row)
    part = levels_of(summary).get(chosen.recipe)
    return Headline(
        text=next(filter(_short, _passed_texts(chosen, share if by_size else None, by_size, part))),
        answer=Answer.SMALLEST if by_size else Answer.DEEPEST,
        lines=_lines(_within(summary, row, chosen), f"Worst: {lost_of_margin(worst)}.", caveats),
        model=row.model,
        recipe=chosen.recipe,
        level=chosen.level,
        bytes=chosen.bytes,
        share=share,
        passed_on=tuple(task.task for task in chosen.tasks),
        worst=worst,
        caveats=tuple(caveats),
    )


def _passed_texts(
    chosen: Candidate, share: float | None, by_size: bool, part: str | None
) -> Iterator[str]:
    """What passed, from the fullest wording to the shortest."""
    start = "Most compressed version that passed: "
    if by_size and chosen.bytes is not None:
        start = f"Smallest version that passed: {size(chosen.bytes)}. "
        if share is not None:
            whole = f"{size(chosen.bytes)}, {100 * share:.0f} % of the original. "
            start = f"Smallest version that passed: {whole}"
    full = version_of(chosen)
    if removed(chosen.level, part):
        full = f"{at(chosen.level)}{removed(chosen.level, part)} ({chosen.recipe})"
    for version in (full, version_of(chosen), version_of(chosen).replace(" + ", "+")):
        yield f"{start}{version}."
    yield f"{start}One long recipe."


def _within(summary: Summary, row: Choice, chosen: Candidate) -> str:
    """`Within 5 points of the intact model on t (400 items) and u (300 items), by text ...`."""
    margins = [task.margin for task in chosen.tasks if task.margin is not None]
    how = f"by {row.view}{_runtime(summary, row)}"
    chance = f"one-sided alpha {chosen.alpha:.3g}"
    if row.how is ChosenBy.HELD_BACK:
        how += f", on items that did not select it among {row.explored} versions"
    return (
        f"Within {_margin(margins)} of the intact model on {_tasks(chosen.tasks)}, {how} "
        f"({chance}). {LIMIT}"
    )


def _margin(margins: Sequence[float]) -> str:
    """`5 points` or `2.9 to 5 points`."""
    ends = dict.fromkeys((points(min(margins, default=0)), points(max(margins, default=0))))
    return f"{' to '.join(ends)} points"


def _tasks(tests: Sequence[TaskVerdict]) -> str:
    """`all 3 tasks: t, u and v (300 items each)`, or each task with its items."""
    names, sizes = [test.task for test in tests], {test.n for test in tests}
    if len(sizes) == 1:
        each = f"{sizes.pop()} items{' each' if len(names) > 1 else ''}"
        return f"{listed(names)} ({each})"
    return listed([f"{test.task} ({test.n} items)" for test in tests])


def _runtime(summary: Summary, row: Choice) -> str:
    """` in llama.cpp`: where the versions of a choice were asked, if that is one place."""
    places = {v.runtime for v in summary.verdicts if v.model == row.model and v.default}
    return f" in {places.pop()}" if len(places) == 1 and summary.study.recorded is None else ""


# ── nothing passed ──────────────────────────────────────────────────────────────────────────────


def _none_chosen(summary: Summary, row: Choice) -> Headline:
    sweeps = [v for v in summary.verdicts if v.default and v.model == row.model]
    stops = [v.stopped_by for v in sweeps if v.stopped_by is not None and v.stopped_by.test]
    nearest = max(stops, key=lambda stop: (stop.test and stop.test.change) or -1.0, default=None)
    worst = nearest.test if nearest is not None else None
    text, answer = _none_text(sweeps, nearest)
    caveats = _caveats(summary, row)
    tried = f"Tested: {row.explored} version{'s' if row.explored != 1 else ''}"
    tested = f"{tried}{_of_tasks(sweeps)}, by {row.view}{_runtime(summary, row)}. {LIMIT}"
    reason = f"Nearest: {stop_text(nearest)}." if nearest is not None else ""
    return Headline(
        text=text,
        answer=answer,
        lines=_lines(tested, reason if answer is not Answer.UNDETERMINED else "", caveats),
        model=row.model,
        worst=worst,
        caveats=tuple(caveats),
    )


def _none_text(sweeps: Sequence[SweepVerdict], nearest: Stop | None) -> tuple[str, Answer]:
    blind = [gap for sweep in sweeps for gap in sweep.undetermined]
    if blind and all(sweep.state is Word.UNDETERMINED for sweep in sweeps):
        text = sentence(f"undetermined: {undecided(blind[0])}")
        return text if _short(text) else "Undetermined.", Answer.UNDETERMINED
    if any(sweep.passed for sweep in sweeps):
        text = "No smaller version was confirmed on the items held back."
        return text, Answer.UNCONFIRMED
    if nearest is not None and nearest.test is not None:
        lost = f"{change(nearest.test.change)} points on {nearest.task} at {at(nearest.level)}"
        return f"No smaller version passed; nearest: {lost}.", Answer.NONE_PASSED
    return "No smaller version passed.", Answer.NONE_PASSED


def _of_tasks(sweeps: Sequence[SweepVerdict]) -> str:
    tests = {test.task: test for sweep in reversed(sweeps) for test in reversed(sweep.tasks)}
    return f" on {_tasks(list(tests.values()))}" if tests else ""


# ── an audit ────────────────────────────────────────────────────────────────────────────────────


def _claims(summary: Summary) -> Headline:
    """How many of the published claims hold; then what passed on the recorded answers."""
    assert summary.published is not None
    own = _own(summary)
    counts = Counter(claim.verdict for claim in summary.published.claims)
    total = sum(counts.values())
    words = [f"{counts['holds']} hold{'s' if counts['holds'] == 1 else ''}"]
    others = {"does not hold": "do not hold", "depends on the measure": "depend on the measure"}
    for verdict, n in counts.items():
        if verdict != "holds":
            words.append(f"{n} {verdict if n == 1 else others.get(verdict, verdict)}")
    text = f"Of {total} published claim{'s' if total > 1 else ''}, {listed(words)}."
    passed = (own.text, *own.lines[: len(own.lines) - bool(own.caveats)])
    return Headline(
        text=text,
        answer=Answer.CLAIMS,
        lines=_lines(*_two(passed), list(own.caveats)),
        model=own.model,
        recipe=own.recipe,
        level=own.level,
        bytes=own.bytes,
        share=own.share,
        passed_on=own.passed_on,
        worst=own.worst,
        caveats=own.caveats,
    )


def _two(lines: Sequence[str]) -> tuple[str, str]:
    """Up to three lines as two, the last of them alone."""
    return (" ".join(lines[:2]), " ".join(lines[2:]))


# ── nothing was compressed ──────────────────────────────────────────────────────────────────────


def _plain(summary: Summary, text: str, answer: Answer) -> Headline:
    caveats = _run_caveats(summary)
    return Headline(text=text, answer=answer, lines=_lines("", "", caveats), caveats=tuple(caveats))


def _tally(summary: Summary, called: ModelNames) -> str:
    """On how many tasks each model is better."""
    rows = first_view(summary.intact)
    if len(rows) == 1:
        row = rows[0]
        pair = f"{called[row.a]} minus {called[row.b]}"
        numbers = f"{change(row.difference)} points {changes(row.low, row.high)}"
        text = f"Intact on {row.task}, {pair} is {numbers} of {fragment(row.metric)}."
        return text if _short(text) else f"Intact on {row.task}: {numbers}."
    better: Counter[str] = Counter()
    for row in rows:
        if row.verdict in (Better.A, Better.B):
            better[called[row.a if row.verdict is Better.A else row.b]] += 1
    if not better:
        return f"No evidence of a difference between the intact models on {len(rows)} tasks."
    clauses = [f"{name} is better on {n} of {len(rows)} tasks" for name, n in better.items()]
    text = sentence(f"intact, {'; '.join(clauses)}")
    return text if _short(text) else "The intact models differ: see the findings in sentences."


def _span(summary: Summary) -> str:
    """The lowest and the highest accuracy of intact models on several tasks."""
    rows = first_view([point for point in summary.curves if point.level == 0])
    right = sorted((p for p in rows if p.accuracy is not None), key=lambda p: p.accuracy or 0.0)
    if not right:
        return f"Intact models were asked on {len({p.task for p in rows})} tasks."
    low, high = right[0], right[-1]
    return (
        f"Intact accuracy from {100 * (low.accuracy or 0):.1f} % ({low.task}) to "
        f"{100 * (high.accuracy or 0):.1f} % ({high.task})."
    )


def _intact_alone(summary: Summary, called: ModelNames) -> list[str]:
    """What the intact models do, where nothing was cut and nothing is compared."""
    primary = {task.name: task.primary for task in summary.tasks}
    intact = [point for point in summary.curves if point.level == 0]
    shown = first_view(intact)
    clauses = (_standing(p, called[p.model], primary.get(p.task, "accuracy")) for p in shown)
    return [clause for clause in clauses if clause]


def _standing(point: CurvePoint, model: str, primary: str) -> str | None:
    """What one intact model does on one task: right answers, or the task's own metric."""
    items = f"{point.n} items of {point.task}"
    if point.accuracy is not None:
        ends = f"[{_percent(point.accuracy_low)}, {_percent(point.accuracy_high)}] %"
        return f"{model}, intact, is right on {_percent(point.accuracy)} % of {items} {ends}"
    estimate = point.metrics.get(primary)
    if estimate is None or estimate.value is None:
        return None
    ends = f"[{estimate.low:.3g}, {estimate.high:.3g}]"
    return f"{model}, intact, has {fragment(primary)} {estimate.value:.3g} {ends} on {items}"


def _percent(share: float | None) -> str:
    return "?" if share is None else f"{100 * share:.1f}"


# ── caveats ─────────────────────────────────────────────────────────────────────────────────────


def _lines(passed: str, worst: str, caveats: Sequence[str]) -> tuple[str, ...]:
    return tuple(filter(None, (passed, worst, " ".join(caveats))))


def _caveats(summary: Summary, row: Choice) -> list[str]:
    """What stands in the way of believing the verdict on a model."""
    gaps = {
        gap.task: gap
        for sweep in summary.verdicts if sweep.default and sweep.model == row.model
        for gap in sweep.undetermined
    }  # fmt: skip
    caveats = _run_caveats(summary)
    if gaps:
        others = len(gaps) - 1
        more = f"; nor {'is' if others == 1 else 'are'} {others} more" if others else ""
        first = next(iter(gaps.values()))
        caveats.append(f"Not assessable: {undecided(first)}{more}.")
    if row.degraded:
        caveats.append(sentence(degraded(row.degraded)))
    return caveats


def _run_caveats(summary: Summary) -> list[str]:
    checks: tuple[Callable[[Summary], str], ...] = (_control, _partial)
    return [caveat for check in checks if (caveat := check(summary))]


def _control(summary: Summary) -> str:
    """That the base is not what the specialist was tuned from."""
    bases = [model for model in summary.models if model.role == "base"]
    for model in summary.models:
        if model.role != "specialist" or not model.parent or not bases:
            continue
        if _name(model.parent) not in {_name(x) for b in bases for x in (b.id, b.name)}:
            control = _name(bases[0].id or bases[0].name)
            tuned = f"{_name(model.id or model.name)} was tuned from {_name(model.parent)}"
            return f"Wrong control: {tuned}, not from {control}."
    return ""


def _name(model: str) -> str:
    """A model's name without owner or folder."""
    return model.rstrip("/").rsplit("/", 1)[-1]


def _partial(summary: Summary) -> str:
    """That cells of the plan have no answers."""
    cells = summary.cells
    if cells is None or cells.done >= cells.planned:
        return ""
    failed = f"; {cells.failed} failed" if cells.failed else ""
    return f"Partial: {cells.done} of {cells.planned} cells have answers{failed}."

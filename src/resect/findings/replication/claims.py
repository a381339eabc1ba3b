"""What a recorded study claimed by its own metrics, and whether each claim holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from enum import StrEnum

import pandas as pd

from resect.catalog import fragment
from resect.findings.curves import say
from resect.findings.replication.answer_rates import MIN_ITEMS
from resect.findings.rows import (
    AnswerRate,
    Better,
    Claim,
    Published,
    PublishedComparison,
    PublishedLevel,
    Reader,
)
from resect.record import TaskInfo


class Holds(StrEnum):
    """Whether a claim holds."""

    YES = "holds"
    NO = "does not hold"
    DEPENDS = "depends on the measure"
    UNKNOWN = "cannot be said"


class Move(StrEnum):
    """Where damage moves the answers of one sweep."""

    MORE = "more"
    LESS = "less"
    BOTH = "both"
    NEITHER = "neither"
    UNKNOWN = "unknown"


NOTICED = 0.05
"""A share that moves by less than this is called unchanged."""

Measure = tuple[Reader, str]
"""Who read the texts, and the metric."""

PUBLISHED: tuple[Measure, ...] = (("study", "f1_observed"), ("study", "f1_positive"))
"""What the study compared models by."""

MEASURES: Mapping[Measure, str] = {
    ("study", "accuracy"): "accuracy area (its own parses)",
    ("study", "skill"): "skill (its own parses)",
    ("study", "retention"): "retention (its own parses)",
    ("ours", "accuracy"): "accuracy area (read anew)",
    ("ours", "skill"): "skill (read anew)",
    ("ours", "retention"): "retention (read anew)",
}
"""What a published difference is held against."""


def _percent(row: PublishedComparison, a_ahead: bool) -> str:
    """How far the model that is called ahead is ahead, in percent of the other."""
    ahead, behind = (row.area_a, row.area_b) if a_ahead else (row.area_b, row.area_a)
    return f"{100 * (ahead / behind - 1):+.1f} %" if behind > 0 else "no base to compare with"


def claims(published: Published, tasks: Mapping[str, TaskInfo]) -> Iterator[Claim]:
    """Who keeps more, for each comparison; then each task's bias."""
    table: dict[tuple[str, str, str, str], dict[Measure, PublishedComparison]] = {}
    for row in published.comparisons:
        where = (row.task, row.recipe, row.a, row.b)
        table.setdefault(where, {})[row.reading, row.metric] = row
    for rows in table.values():
        main = next((row for measure, row in rows.items() if measure in PUBLISHED), None)
        if main is not None:
            yield _who_keeps_more(main, rows, published.levels)
    for task, info in tasks.items():
        if info.positive and task in published.gold:
            rates = [row for row in published.said
                     if (row.task, row.label) == (task, info.positive)]  # fmt: skip
            gold = published.gold[task].get(info.positive, 0.0)
            bias = _bias(task, info.positive, gold, rates)
            if bias is not None:
                yield bias


# ── who keeps more ──────────────────────────────────────────────────────────────────────────────


def _who_keeps_more(
    main: PublishedComparison,
    rows: Mapping[Measure, PublishedComparison],
    levels: Sequence[PublishedLevel],
) -> Claim:
    """Whether the model that is ahead by the published area is ahead by anything else."""
    a_ahead = (main.difference or 0.0) >= 0
    sides = [(main.a, main.area_a), (main.b, main.area_b)]
    (ahead, area_ahead), (behind, area_behind) = sides if a_ahead else sides[::-1]
    claim = (
        f"on {main.task}, {ahead} keeps more than {behind} under {main.recipe}: area "
        f"{area_ahead:.4f} against {area_behind:.4f} ({_percent(main, a_ahead)}) by "
        f"{fragment(main.metric)}"
    )
    better = Better.A if a_ahead else Better.B
    measured = {
        name: rows[measure]
        for measure, name in MEASURES.items()
        if measure in rows and rows[measure].difference is not None
    }
    verdicts = [row.verdict for row in measured.values()]
    if verdicts and all(verdict is better for verdict in verdicts):
        holds = Holds.YES
    else:
        holds = Holds.DEPENDS if better in verdicts else Holds.NO
    reasons = "; ".join(_reason(name, row, a_ahead) for name, row in measured.items())
    parts = [f"{ahead} minus {behind}: {reasons}"]
    if main.metric == "f1_observed":
        parts += _extra_class(main, rows, a_ahead, levels)
    elif holds is not Holds.YES:
        parts.append("F1 of one label rewards saying that label, right or wrong")
    return _claim(main.task, claim, holds, parts)


def _reason(name: str, row: PublishedComparison, a_ahead: bool) -> str:
    """The difference by one measure, in the direction of the model that is called ahead."""
    sign = 1 if a_ahead else -1
    low, high = sorted(sign * (end or 0.0) for end in (row.low, row.high))
    if row.verdict in (None, Better.NEITHER):
        clear = ", not clear of 0"
    else:
        ahead = row.verdict is (Better.A if a_ahead else Better.B)
        clear = ", clear of 0" if ahead else ", clear of 0 the other way"
    return f"{name} {sign * (row.difference or 0.0):+.3f} [{low:+.3f}, {high:+.3f}]{clear}"


def _extra_class(
    main: PublishedComparison,
    rows: Mapping[Measure, PublishedComparison],
    a_ahead: bool,
    levels: Sequence[PublishedLevel],
) -> list[str]:
    """How much of the advantage comes from counting unreadable texts as a class of their own."""
    fixed, accuracy = rows.get(("study", "f1_labels")), rows.get(("study", "accuracy"))
    if fixed is None or accuracy is None:
        return []
    silent = {
        model: sum(
            row.no_answer > 0 for row in levels
            if (row.task, row.reading, row.model) == (main.task, "study", model)
        )
        for model in (main.a, main.b)
    }  # fmt: skip
    percents = [_percent(row, a_ahead) for row in (main, fixed, accuracy)]
    return [
        f"the advantage of {percents[0]} is {percents[1]} once F1 is averaged over the task's "
        f"labels and {percents[2]} in accuracy: unreadable texts were counted as one more class, "
        "whose F1 is 0, as soon as there was one (in "
        f"{silent[main.a]} of the levels of {main.a}, {silent[main.b]} of {main.b})"
    ]


# ── bias ────────────────────────────────────────────────────────────────────────────────────────


def _bias(task: str, label: str, gold: float, rates: Sequence[AnswerRate]) -> Claim | None:
    """Whether damage makes models say the positive label more often, of the answers they give.

    It holds where every sweep does so clearly at some level and the opposite at none. It does
    not where one clearly says it less often, or is shown to say it no more often at any level.
    """
    sweeps: dict[tuple[str, str, int], list[AnswerRate]] = {}
    for row in rates:
        sweeps.setdefault((row.model, row.recipe, row.seed), []).append(row)
    swept = {sweep: rows for sweep, rows in sweeps.items() if len(rows) > 1}
    if not swept:
        return None
    moves = {_move(rows) for rows in swept.values()}
    if moves == {Move.MORE}:
        holds = Holds.YES
    else:
        against = moves & {Move.LESS, Move.BOTH, Move.NEITHER}
        holds = Holds.NO if against else Holds.UNKNOWN
    several = len(swept) > len({model for model, _, _ in swept})
    why = [f"{label} is right for {gold:.3f} of the items"]
    for (model, recipe, seed), rows in swept.items():
        name = f"{model} under {recipe}, seed {seed}" if several else model
        why.append(_rates(name, label, rows))
    if Move.BOTH in moves:
        why.append("damage moves the answers both ways")
    why.append(
        f"intervals are over items answered intact and at the level, at least {MIN_ITEMS}, and "
        "hold for all levels of a model together"
    )
    claim = f"on {task}, damaged models fall into saying {label} (affirmative bias)"
    return _claim(task, claim, holds, why)


def _changed(rows: Sequence[AnswerRate]) -> list[AnswerRate]:
    """The levels at which enough items were answered both there and intact to see a change."""
    return [row for row in rows if row.change is not None]


def _move(rows: Sequence[AnswerRate]) -> Move:
    """Where damage moves one sweep's answers.

    More is clearly more often than intact, and more often than the label is right.
    """
    changes = pd.DataFrame(map(asdict, _changed(rows)))
    if changes.empty:
        return Move.UNKNOWN
    above = changes.baseline + changes.change > changes.right
    more = ((changes.low > 0) & (changes.change >= NOTICED) & above).any()
    less = ((changes.high < 0) & (changes.change <= -NOTICED)).any()
    if more or less:
        return Move.BOTH if more and less else Move.MORE if more else Move.LESS
    return Move.NEITHER if (changes.high < NOTICED).all() else Move.UNKNOWN


def _rates(name: str, label: str, rows: Sequence[AnswerRate]) -> str:
    """How often one sweep says the label: intact, and where most and least often."""
    start, changed = rows[0], _changed(rows)
    if not changed:
        return f"{name} answers fewer than {MIN_ITEMS} items both intact and at any damaged level"
    text = f"{name} says {label} in {start.share:.3f} of its {start.answered} answers intact"
    for word, pick in (("most", max), ("least", min)):
        row = pick(changed, key=lambda row: row.share or 0.0)
        text += (
            f", {word} often in {row.share:.3f} of {row.answered} ({say(row.level)}), "
            f"{row.change:+.3f} [{row.low:+.3f}, {row.high:+.3f}] on the same items"
        )
    return text


def _claim(task: str, claim: str, holds: Holds, why: Sequence[str]) -> Claim:
    text = "; ".join(why)
    return Claim(
        task=task,
        claim=f"{claim[:1].upper()}{claim[1:]}.",
        verdict=holds,
        why=f"{text[:1].upper()}{text[1:]}.",
    )

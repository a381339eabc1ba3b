"""What a recorded study claimed by its own metrics, and whether the claims survive."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple

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


class Lead(NamedTuple):
    """The model that is ahead by the published area, the one behind, and their areas."""

    ahead: str
    behind: str
    area_ahead: float
    area_behind: float

    @classmethod
    def of(cls, row: PublishedComparison, a_ahead: bool) -> Lead:
        """The two sides of a comparison, whichever of them is called ahead."""
        if a_ahead:
            return cls(row.a, row.b, row.area_a, row.area_b)
        return cls(row.b, row.a, row.area_b, row.area_a)

    @property
    def percent(self) -> str:
        """How far the one is ahead of the other, in percent of the other."""
        if self.area_behind <= 0:
            return "no base to compare with"
        return f"{100 * (self.area_ahead / self.area_behind - 1):+.1f} %"


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
    lead = Lead.of(main, a_ahead)
    claim = (
        f"on {main.task}, {lead.ahead} keeps more than {lead.behind} under {main.recipe}: area "
        f"{lead.area_ahead:.4f} against {lead.area_behind:.4f} ({lead.percent}) by "
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
    parts = [f"{lead.ahead} minus {lead.behind}: {reasons}"]
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
    percents = [Lead.of(row, a_ahead).percent for row in (main, fixed, accuracy)]
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


class Change(NamedTuple):
    """How far the share of a label moved on the same items, all numbers there."""

    row: AnswerRate
    share: float
    value: float
    low: float
    high: float
    is_above_right: bool

    @classmethod
    def of(cls, row: AnswerRate) -> Change | None:
        """None where too few items were answered both intact and at the level."""
        if row.share is None or row.change is None or row.low is None or row.high is None:
            return None
        above = (row.baseline or 0.0) + row.change > (row.right or 0.0)
        return cls(row, row.share, row.change, row.low, row.high, above)


def _changes(rows: Sequence[AnswerRate]) -> list[Change]:
    return [change for row in rows if (change := Change.of(row)) is not None]


def _move(rows: Sequence[AnswerRate]) -> Move:
    """Where damage moves one sweep's answers.

    More is clearly more often than intact, and more often than the label is right.
    """
    changes = _changes(rows)
    more = any(c.low > 0 and c.value >= NOTICED and c.is_above_right for c in changes)
    less = any(c.high < 0 and c.value <= -NOTICED for c in changes)
    if more or less:
        return Move.BOTH if more and less else Move.MORE if more else Move.LESS
    shown = bool(changes) and all(c.high < NOTICED for c in changes)
    return Move.NEITHER if shown else Move.UNKNOWN


def _rates(name: str, label: str, rows: Sequence[AnswerRate]) -> str:
    """How often one sweep says the label: intact, and where most and least often."""
    start, changes = rows[0], _changes(rows)
    if not changes:
        return f"{name} answers fewer than {MIN_ITEMS} items both intact and at any damaged level"
    text = f"{name} says {label} in {start.share:.3f} of its {start.answered} answers intact"
    most = max(changes, key=lambda change: change.share)
    least = min(changes, key=lambda change: change.share)
    for word, change in (("most", most), ("least", least)):
        text += (
            f", {word} often in {change.share:.3f} of {change.row.answered} "
            f"({say(change.row.level)}), {change.value:+.3f} [{change.low:+.3f}, "
            f"{change.high:+.3f}] on the same items"
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

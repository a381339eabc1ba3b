"""Curves: one model under one recipe through its levels, and what each level measured.

Shapes: R + 1 rows of item weights (row 0 is the sample), N items, L levels, K labels.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple, TypedDict

import numpy as np

from resect.findings.frame import Key, Level, TaskFrame
from resect.findings.part_metrics import Metric
from resect.findings.rows import ItemsUsed
from resect.record import TRANSFORMERS, View
from resect.record import bits_in_words as bits_in_words
from resect.stats import skill as sk
from resect.stats.confidence import Beliefs, calibration_error, discrimination
from resect.stats.distances import Distance
from resect.stats.intervals import Floats, Mask, Weights
from resect.stats.ratios import divisible, ratio, relative, start

NO_SKILL = "starts without skill"
ONE_LABEL = "all items have one gold label, so skill cannot be told from a constant answer"


@dataclass(frozen=True)
class Curve:
    """Codes (L, N) of one sweep on one task in one view, levels in rising damage, baseline first.

    A level that was planned and has no answers is a row of `MISSING`.
    """

    model: str
    role: str
    recipe: str
    seed: int
    view: View
    levels: tuple[Level, ...]
    keys: tuple[Key, ...]
    codes: sk.Codes
    frame: TaskFrame
    runtime: str = TRANSFORMERS

    @property
    def present(self) -> Mask:
        """Which levels have answers, (L,)."""
        return np.asarray((self.codes != sk.MISSING).any(axis=1))

    @property
    def missing(self) -> list[Level]:
        """The planned levels without answers."""
        return [x for x, asked in zip(self.levels, self.present, strict=True) if not asked]

    @property
    def shared(self) -> Mask:
        """Items asked at every level that has answers, (N,)."""
        return np.asarray((self.codes[self.present] != sk.MISSING).all(axis=0))

    @property
    def asked(self) -> Mask:
        """Items asked at any level, (N,)."""
        return np.asarray((self.codes != sk.MISSING).any(axis=0))

    @property
    def right(self) -> Mask:
        """Items answered right, (L, N)."""
        return np.asarray(self.codes == self.frame.gold)

    @cached_property
    def beliefs(self) -> Beliefs | None:
        """The option probabilities; None in the text view and where none are stored."""
        table = self.frame.probabilities
        if self.view != "options" or not any(key in table for key in self.keys):
            return None
        empty = np.full((len(self.frame.items), len(self.frame.labels)), np.nan, dtype=np.float32)
        probabilities = np.stack([table.get(key, empty) for key in self.keys])
        return Beliefs(self.codes, self.frame.gold, probabilities)

    def sums(self, metric: Metric) -> tuple[Floats, Floats]:
        """Numerators and denominators of a metric, (L, N) each; 0 where nothing was asked."""
        nothing = dict.fromkeys(metric.parts, np.full(len(self.frame.items), np.nan))
        each = [metric.sums(self.frame.parts.get(key, nothing)) for key in self.keys]
        return np.stack([top for top, _ in each]), np.stack([bottom for _, bottom in each])

    def at_levels(self, levels: Sequence[Level]) -> Curve:
        """The same curve on some of its levels."""
        at = [self.levels.index(x) for x in levels]
        keys = tuple(self.keys[i] for i in at)
        return replace(self, levels=tuple(levels), keys=keys, codes=self.codes[at])


class Retention(NamedTuple):
    """Values as shares of the intact model's, (R + 1, L); None with a `reason` where not told.

    `nothing`: there is nothing that could be lost.
    """

    share: Floats | None
    reason: str | None
    nothing: bool = False


@dataclass(frozen=True)
class Draws:
    """Skill and retention of one curve on one set of items, each (R + 1, L).

    The skill of a task without labels is its headline metric, to which silence brings nothing.
    `retention` is None, with `reason`, where the baseline's skill is not clearly above 0
    (`no_skill`), or too unsure to be divided by.
    """

    skill: Floats
    retention: Floats | None
    reason: str | None
    no_skill: bool


def damage(level: Level) -> tuple[int, float]:
    """Sort key, rising damage: baseline, fractions upward, bits downward, unswept last."""
    if level is None:
        return 2, 0.0
    return (1, -level) if level >= 1 else (0, level)


def say(level: Level) -> str:
    """A level in words."""
    if level is None:
        return "its only level"
    return bits_in_words(level) if level >= 1 else f"level {level:g}"


def build(
    frame: TaskFrame,
    role: str,
    model: str,
    recipe: str,
    seed: int,
    planned: Iterable[Level],
    runtime: str = TRANSFORMERS,
) -> list[Curve]:
    """The curves of one sweep on one task, one for each view the model was asked in."""
    curves = []
    levels = tuple(sorted({0.0, *planned}, key=damage))
    empty = np.full(len(frame.items), sk.MISSING, dtype=np.int8)
    for view in frame.views(model):
        keys = tuple(
            baseline_key(frame, model, recipe, seed, view, runtime)
            if x == 0.0
            else Key(model, recipe, seed, x, view, runtime)
            for x in levels
        )
        codes = np.stack([frame.codes.get(key, empty) for key in keys])
        curves.append(Curve(model, role, recipe, seed, view, levels, keys, codes, frame, runtime))
    return curves


def baseline_key(
    frame: TaskFrame, model: str, recipe: str, seed: int, view: View, runtime: str = TRANSFORMERS
) -> Key:
    """Where level 0 is: recipe `none` of this seed, of any seed, else the sweep's own 0.

    It was asked in the same runtime.
    """
    own = Key(model, recipe, seed, 0.0, view, runtime)
    same = Key(model, "none", seed, 0.0, view, runtime)
    if same in frame.codes:
        return same
    wanted = (model, "none", view, runtime)
    others = [k for k in frame.codes if (k.model, k.recipe, k.view, k.runtime) == wanted]
    if others:
        return min(others, key=lambda k: k.seed)
    return own if own in frame.codes else same


@dataclass(frozen=True, eq=False)
class Sampled:
    """A curve under every row of weights (R + 1, N). Counted once, read by every finding."""

    curve: Curve
    weights: Weights

    @cached_property
    def counts(self) -> sk.Tally:
        """The tally over all items, each level over the items it was asked."""
        return self._tally(slice(None))

    @cached_property
    def draws(self) -> Draws:
        """Skill and retention over the items asked at every level."""
        return self.draws_over(self.curve.shared)

    def draws_over(self, items: Mask) -> Draws:
        """Skill and retention over some items (N,); those of a paired finding."""
        main = self.curve.frame.headline
        if main is not None:
            values = self.metric_over(main, items)
            return Draws(values, *retention(values))
        skill = self.skill_over(items)
        retained = retention(skill)
        if retained.share is None and int(sk.present_labels(self.counts_over(items))[0]) == 1:
            retained = Retention(None, ONE_LABEL)
        return Draws(skill, *retained)

    @cached_property
    def auroc(self) -> Floats | None:
        """How well confidence tells right answers from wrong ones, (R + 1, L)."""
        beliefs = self.curve.beliefs
        return None if beliefs is None else discrimination(self.weights, beliefs)

    @cached_property
    def calibration_error(self) -> Distance | None:
        """How far option probabilities are off, at every level."""
        beliefs = self.curve.beliefs
        return None if beliefs is None else calibration_error(self.weights, beliefs)

    @cached_property
    def skill(self) -> Floats:
        """Skill over all items, each level over the items it was asked, (R + 1, L)."""
        return self.skill_over(self.curve.asked)

    def skill_over(self, items: Mask) -> Floats:
        """Skill over some items (N,), (R + 1, L).

        Where items have different numbers of options it is the mean over the numbers, weighted by
        their items: silence, a constant answer and guessing are 0 for each number and so for
        all. A number whose items have one gold label tells nothing and is left out.
        """
        sizes = self.curve.frame.sizes
        some = np.unique(sizes[items])
        if len(some) < 2:
            return sk.skill(self.counts_over(items))
        tallies = [self._tally(items & (sizes == size)) for size in some]
        values = np.stack([sk.skill(t) for t in tallies])  # (sizes, R + 1, L)
        told = ~np.isnan(values)
        masses = np.where(told, np.stack([t.asked.sum(axis=0) for t in tallies]), 0.0)
        with np.errstate(all="ignore"):
            return np.asarray((np.where(told, values, 0.0) * masses).sum(0) / masses.sum(0))

    def counts_over(self, items: Mask) -> sk.Tally:
        """The tally over some items (N,)."""
        same = bool((items == self.curve.asked).all() and (items == self.curve.shared).all())
        return self.counts if same else self._tally(items)

    def metric_over(self, metric: Metric, items: Mask) -> Floats:
        """A metric of every level over some items (N,), (R + 1, L); NaN where it has no items."""
        return ratio(self.weights, *self.curve.sums(metric), items, metric.then)

    def _tally(self, items: Mask | slice) -> sk.Tally:
        frame = self.curve.frame
        codes, gold = self.curve.codes[:, items], frame.gold[items]
        return sk.tally(self.weights[:, items], codes, gold, len(frame.labels))


def retention(values: Floats, nothing: str = NO_SKILL) -> Retention:
    """Values over the baseline's value, (R + 1, L), each resample by its own baseline.

    None and a reason where the baseline is missing, `nothing` where its value is not clearly
    above 0 (lower bound of its interval), and where this bound is too low to divide by.
    A resample whose baseline is not above 0 has NaN.
    """
    if np.isnan(values[0, 0]):
        return Retention(None, "the baseline (level 0) is missing")
    first = start(values)
    if first.value is None or first.low is None or not first.low > 0:
        return Retention(None, nothing, nothing=True)
    if not divisible(first):
        shown = f"{first.value:.2f} [{first.low:.2f}, {first.high:.2f}]"
        return Retention(None, f"the start, {shown}, is too unsure to say what share of it is left")
    return Retention(relative(values), None)


def items_used(curve: Curve) -> ItemsUsed | None:
    """How many items carry a paired finding of one curve; None where all that were asked do."""
    used, asked = int(curve.shared.sum()), int(curve.asked.sum())
    return None if used == asked else ItemsUsed(used=used, asked=asked)


def thinned(curve: Curve, items: Mask, asked: Mask) -> str | None:
    """Why fewer items than were asked carry a paired finding, or None where all do."""
    if (items == asked).all():
        return None
    return f"only the {int(items.sum())} of {int(asked.sum())} items asked at every level are used"


def unordered(curve: Curve) -> str | None:
    """Why nothing can be fitted over this curve's levels, or None."""
    if any(x is None for x in curve.levels):
        return "nothing is swept: there are no levels to go through"
    if any(x is not None and x >= 1 for x in curve.levels):
        return "levels are bits per weight, on which the baseline has no place"
    if len(curve.levels) < 2:
        return "fewer than 2 levels"
    if curve.missing:
        return f"a gap in the levels: {', '.join(say(x) for x in curve.missing)} missing"
    if not curve.shared.any():
        return "no item was asked at every level"
    return None


def axis(curve: Curve) -> Floats:
    """The levels as numbers, (L,); call only where `unordered` is None."""
    return np.array([0.0 if x is None else x for x in curve.levels])


class SweepKeys(TypedDict):
    """The fields that name a finding of one sweep (`rows.OfSweep`)."""

    model: str
    role: str
    recipe: str
    runtime: str
    seed: int


class CurveKeys(SweepKeys):
    """The fields that name a finding of one curve (`rows.OfCurve`)."""

    task: str
    view: View


def of_sweep(curve: Curve) -> SweepKeys:
    """The sweep that a curve is of."""
    return {
        "model": curve.model, "role": curve.role, "recipe": curve.recipe,
        "runtime": curve.runtime, "seed": curve.seed,
    }  # fmt: skip


def of_curve(curve: Curve) -> CurveKeys:
    """What names a curve."""
    return {**of_sweep(curve), "task": curve.frame.name, "view": curve.view}

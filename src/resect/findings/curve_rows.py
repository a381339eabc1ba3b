"""Every number of one level of one curve.

Shapes: R + 1 rows of item weights (row 0 is the sample), N items, L levels, K labels.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from resect.findings.curves import ONE_LABEL, Curve, Sampled, of_curve
from resect.findings.divergence_from_intact import Divergences
from resect.findings.divergence_from_intact import metrics as kl_metrics
from resect.findings.estimates import estimate, finite
from resect.findings.frame import Key
from resect.findings.part_metrics import measurable
from resect.findings.rows import CurvePoint, Estimate, LabelScores
from resect.findings.skill_intervals import change_intervals, retention_intervals, skill_intervals
from resect.record import Status
from resect.stats import skill as sk
from resect.stats.design_effect import share
from resect.stats.intervals import NOTHING, Floats, Interval, Mask, intervals
from resect.stats.ratios import ratio


class CellState(NamedTuple):
    """How a cell went, and why where it did not go well."""

    status: Status
    reason: str | None


States = Mapping[tuple[str, str, int, float | None, str], CellState]
"""(model, recipe, seed, level, runtime) to how the cell went, for one task."""


def points(sampled: Sampled, states: States, far: Sequence[Divergences | None]) -> list[CurvePoint]:
    """One row for each level with answers, and one without numbers for each failed cell.

    `far` says how far each level is from the first. A level that was never run is a gap, named in
    the warnings.
    """
    curve = sampled.curve
    scored = _labelled(sampled) if curve.frame.labels else _graded(sampled)
    rows = []
    for at, (level, key) in enumerate(zip(curve.levels, curve.keys, strict=True)):
        place = (key.model, key.recipe, key.seed, level, key.runtime)
        state = states.get(place, CellState("success", None))
        n = int((curve.codes[at] != sk.MISSING).sum())
        if n:
            row = _counted(scored(_blank(curve, at, n, state), at), curve, at, key)
            rows.append(_with_kl(row, sampled, far[at]))
        elif state.status == "failed":
            rows.append(_blank(curve, at, n, state))
    return rows


def _with_kl(row: CurvePoint, sampled: Sampled, far: Divergences | None) -> CurvePoint:
    """The row with how far its next tokens are from the intact model's."""
    if far is None:
        return row
    return replace(row, kl=far.row(), metrics={**row.metrics, **kl_metrics(sampled, far)})


def _blank(curve: Curve, at: int, n: int, state: CellState) -> CurvePoint:
    """A level without numbers."""
    return CurvePoint(
        **of_curve(curve),
        level=curve.levels[at],
        measured_level=None,
        n=n,
        status=state.status,
        reason=state.reason,
        accuracy=None,
        accuracy_low=None,
        accuracy_high=None,
        skill=None,
        macro_f1=None,
        precision=None,
        recall=None,
        per_label={},
        metrics={},
        outcomes={},
        prediction_share={},
        flips=None,
        format_loss=None,
        forgotten=None,
    )


# ── what needs no resampling ────────────────────────────────────────────────────────────────────


def _counted(row: CurvePoint, curve: Curve, at: int, key: Key) -> CurvePoint:
    """The row with accuracy, flips, and the two views against each other.

    The shares of format loss and forgetting go into `metrics` too, with Wilson intervals, and so
    do those without an answer and of texts that only the token limit ended.
    """
    frame, codes, gold = curve.frame, curve.codes[at], curve.frame.gold
    asked, right = codes != sk.MISSING, codes == gold
    metrics = {**row.metrics, **_shares(curve, at, key)}
    outcomes = frame.outcomes.get(key, {}) if curve.view == "text" else {}
    row = replace(row, metrics=metrics, outcomes=outcomes)
    if frame.graded or not frame.skilled:
        return row
    accuracy = share(right, asked, frame.cluster)
    row = replace(
        row, accuracy=accuracy.value, accuracy_low=accuracy.low, accuracy_high=accuracy.high
    )
    if at > 0:
        both = asked & (curve.codes[0] != sk.MISSING)
        row = replace(row, flips=_mean((right != (curve.codes[0] == gold))[both]))
    other = frame.codes.get(key._replace(view="options"))
    if curve.view != "text" or other is None:
        return row
    both = asked & (other != sk.MISSING)
    known = curve.right[0] | (_intact_options(curve) == gold)
    lost, forgotten = ~right & (other == gold), ~right & (other != gold) & known
    metrics |= {
        "format_loss": estimate(share(lost, both, frame.cluster)),
        "forgotten": estimate(share(forgotten, both, frame.cluster)),
    }
    return replace(
        row, metrics=metrics, format_loss=_mean(lost[both]), forgotten=_mean(forgotten[both])
    )


def _intact_options(curve: Curve) -> sk.Codes:
    """The intact model's choices by option scores, (N,)."""
    empty = np.full(len(curve.frame.items), sk.MISSING, dtype=np.int8)
    return curve.frame.codes.get(curve.keys[0]._replace(view="options"), empty)


def _shares(curve: Curve, at: int, key: Key) -> dict[str, Estimate]:
    """Shares of texts that the token limit ended, and of items without an answer."""
    frame, codes = curve.frame, curve.codes[at]
    hits = dict(frame.ends.get(key, {}))
    read = any(frame.outcomes.get(k) for k in curve.keys)
    if frame.labels or (frame.skilled and read):
        hits["no_answer"] = codes == sk.NO_ANSWER
    asked = codes != sk.MISSING
    return {name: estimate(share(hit, asked, frame.cluster)) for name, hit in hits.items()}


def _mean(hits: Mask) -> float | None:
    return float(np.mean(hits)) if len(hits) else None


# ── tasks without labels ────────────────────────────────────────────────────────────────────────


class _Graded(NamedTuple):
    """The metrics of a task without labels: intervals by level, and why there is no retention."""

    metrics: Mapping[str, Sequence[Interval]]
    reason: str | None

    def __call__(self, row: CurvePoint, at: int) -> CurvePoint:
        """The row with skill and metrics of one level."""
        metrics = {
            name: estimate(values[at], self.reason if name == "retention" else None)
            for name, values in self.metrics.items()
        }
        skill = metrics["skill"].value if "skill" in metrics else None
        return replace(row, skill=skill, metrics=metrics)


def _graded(sampled: Sampled) -> _Graded:
    """Skill, retention and the metrics of the parts that the answers of this task have."""
    curve, frame = sampled.curve, sampled.curve.frame
    parts = {name for key in curve.keys for name in frame.parts.get(key, {})}
    metrics = {
        name: intervals(sampled.metric_over(metric, curve.asked))
        for name, metric in measurable(parts).items()
    }
    if frame.headline is None:
        return _Graded(metrics, None)
    draws = sampled.draws
    counted = None if frame.graded else _accuracies(curve)
    metrics["skill"] = counted or metrics.get(frame.primary) or intervals(draws.skill)
    metrics["retention"] = _or_blank(curve, draws.retention)
    if frame.primary != "accuracy":
        metrics.setdefault(frame.primary, metrics["skill"])
    if any(frame.outcomes.get(key) for key in curve.keys):
        metrics["if_answered"] = intervals(if_answered(sampled))
    return _Graded(metrics, draws.reason)


def _accuracies(curve: Curve) -> list[Interval]:
    """Share of items right at each level, Wilson: resamples of none right would all be 0."""
    asked = curve.codes != sk.MISSING
    levels = zip(curve.right, asked, strict=True)
    return [share(right, items, curve.frame.cluster) for right, items in levels]


def if_answered(sampled: Sampled) -> Floats:
    """The headline metric over the items that got an answer, (R + 1, L): format failures apart."""
    curve, main = sampled.curve, sampled.curve.frame.headline
    assert main is not None
    answered = curve.codes >= 0
    top, bottom = (part * answered for part in curve.sums(main))
    return ratio(sampled.weights, top, bottom, curve.asked, main.then)


def _or_blank(curve: Curve, draws: Floats | None) -> list[Interval]:
    return [NOTHING] * len(curve.levels) if draws is None else intervals(draws)


# ── tasks with labels ───────────────────────────────────────────────────────────────────────────


class _Labelled(NamedTuple):
    """Skill, confusion metrics and their intervals of every level of a label task."""

    labels: Sequence[str]
    counts: sk.Tally
    confusion: sk.Confusion
    precision: Floats
    recall: Floats
    metrics: Mapping[str, Sequence[Interval]]
    reason: str | None

    def __call__(self, row: CurvePoint, at: int) -> CurvePoint:
        """The row with what the confusion of one level gives."""
        one_label = ONE_LABEL if int(sk.present_labels(self.counts)[at]) == 1 else None
        reasons = {"skill": one_label, "retention": self.reason}
        return replace(
            row,
            skill=finite(self.metrics["skill"][at].value),
            macro_f1=finite(self.metrics["macro_f1"][at].value),
            precision=finite(self.precision[0, at]),
            recall=finite(self.recall[0, at]),
            per_label={x: self._label(code, at) for code, x in enumerate(self.labels)},
            metrics={
                name: estimate(values[at], reasons.get(name))
                for name, values in self.metrics.items()
            },
            prediction_share=self._predicted(at),
        )

    def _label(self, code: int, at: int) -> LabelScores:
        scores = self.confusion
        return LabelScores(
            precision=finite(scores.precision[code, 0, at]),
            recall=finite(scores.recall[code, 0, at]),
            f1=finite(scores.f1[code, 0, at]),
            gold=int(self.counts.asked[code, 0, at]),
            predicted=int(self.counts.predicted[code, 0, at]),
        )

    def _predicted(self, at: int) -> dict[str, float | None]:
        """The share of each label among all items."""
        asked = self.counts.asked[:, 0, at].sum()
        return {
            x: float(self.counts.predicted[code, 0, at] / asked) if asked else None
            for code, x in enumerate(self.labels)
        }


def _labelled(sampled: Sampled) -> _Labelled:
    curve, counts, draws = sampled.curve, sampled.counts, sampled.draws
    confusion = sk.confusion(counts)
    precision, recall, f1 = confusion.macro()
    weighted = zip(confusion._fields, confusion.weighted(counts), strict=True)
    metrics: dict[str, Sequence[Interval]] = {
        "skill": skill_intervals(curve),
        "macro_f1": intervals(f1),
        "change": change_intervals(curve),
        **{f"weighted_{name}": intervals(values) for name, values in weighted},
        "retention": _blank_or(curve, draws.retention, retention_intervals),
    }
    return _Labelled(
        curve.frame.labels, counts, confusion, precision, recall, metrics, draws.reason
    )


def _blank_or(
    curve: Curve, draws: Floats | None, told: Callable[[Curve], list[Interval]]
) -> list[Interval]:
    """The intervals of a curve, none where its resamples say that it cannot be told."""
    return [NOTHING] * len(curve.levels) if draws is None else told(curve)

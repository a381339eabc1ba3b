"""The rows of `curves` in summary.json: every number of one level of one curve.

Shapes: R + 1 rows of item weights (row 0 is the sample), N items, L levels, K labels.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from resect.findings.curves import ONE_LABEL, Curve, Sampled, describe
from resect.findings.frame import Key
from resect.findings.part_metrics import measurable
from resect.stats import skill as sk
from resect.stats.design_effect import share
from resect.stats.intervals import NOTHING, Floats, Interval, intervals, ratio

Status = Mapping[tuple[str, str, int, float | None], tuple[str, str | None]]
"""(model, recipe, seed, level) to (status, reason), for one task."""

BLANK: dict[str, Any] = {
    "accuracy": None, "accuracy_low": None, "accuracy_high": None,
    "skill": None, "macro_f1": None, "precision": None, "recall": None,
    "per_label": {}, "metrics": {}, "outcomes": {}, "prediction_share": {},
    "flips": None, "format_loss": None, "forgotten": None,
}  # fmt: skip


def points(sampled: Sampled, status: Status) -> list[dict[str, Any]]:
    """One row for each level with answers, and one without numbers for each failed cell."""
    curve = sampled.curve
    resampled = _labelled(sampled) if curve.frame.labels else _graded(sampled)
    rows = []
    for at, (level, key) in enumerate(zip(curve.levels, curve.keys, strict=True)):
        state, reason = status.get((key.model, key.recipe, key.seed, level), ("success", None))
        asked = int((curve.codes[at] != sk.MISSING).sum())
        if not asked and state != "failed":
            continue  # never run: a gap, named in the warnings
        head = describe(curve, level=level, measured_level=None, n=asked)
        row = {**head, "status": state, "reason": reason, **BLANK}
        if asked:
            row |= resampled[at]
            row["metrics"] = dict(row["metrics"])
            row |= _counted(curve, at, key, row["metrics"])
        rows.append(row)
    return rows


def _counted(curve: Curve, at: int, key: Key, metrics: dict[str, Any]) -> dict[str, Any]:
    """What needs no resampling: accuracy, flips, and the two views against each other.

    The shares of format loss and forgetting go into `metrics` too, with Wilson intervals, and so
    do those without an answer and of texts that only the token limit ended.
    """
    codes, gold, frame = curve.codes[at], curve.frame.gold, curve.frame
    asked, right = codes != sk.MISSING, codes == gold
    row: dict[str, Any] = {
        "outcomes": frame.outcomes.get(key, {}) if curve.view == "text" else {},
    }
    shares = dict(frame.ends.get(key, {}))
    told = any(frame.outcomes.get(k) for k in curve.keys)
    if frame.labels or (frame.skilled and told):
        shares["no_answer"] = codes == sk.NO_ANSWER
    for name, hits in shares.items():
        metrics[name] = metric(share(hits, asked, frame.cluster))
    if frame.graded or not frame.skilled:
        return row
    accuracy = share(right, asked, frame.cluster)
    row["accuracy"], row["accuracy_low"], row["accuracy_high"] = accuracy
    if at > 0:
        both = asked & (curve.codes[0] != sk.MISSING)
        row["flips"] = _share((right != (curve.codes[0] == gold))[both])
    other = curve.frame.codes.get(key._replace(view="options"))
    if curve.view == "text" and other is not None:
        both = asked & (other != sk.MISSING)
        lost, forgotten = ~right & (other == gold), ~right & (other != gold)
        row["format_loss"], row["forgotten"] = _share(lost[both]), _share(forgotten[both])
        for name, hits in (("format_loss", lost), ("forgotten", forgotten)):
            metrics[name] = metric(share(hits, both, frame.cluster))
    return row


def _graded(sampled: Sampled) -> list[dict[str, Any]]:
    """Skill, retention and the metrics of the parts that the answers of this task have."""
    curve, frame = sampled.curve, sampled.curve.frame
    names = {name for key in curve.keys for name in frame.parts.get(key, {})}
    found = {
        name: intervals(sampled.metric_over(one, curve.asked))
        for name, one in measurable(names).items()
    }
    reason = None
    if frame.headline is not None:
        kept, reason = sampled.draws, sampled.draws.reason
        counted = None if frame.graded else _accuracies(curve)
        found["skill"] = counted or found.get(frame.primary) or intervals(kept.skill)
        empty = [NOTHING] * len(curve.levels)
        found["retention"] = empty if kept.retention is None else intervals(kept.retention)
        if frame.primary != "accuracy":
            found.setdefault(frame.primary, found["skill"])
        if any(frame.outcomes.get(key) for key in curve.keys):
            found["if_answered"] = intervals(if_answered(sampled))
    rows = []
    for at in range(len(curve.levels)):
        metrics = {n: metric(v[at], reason if n == "retention" else None) for n, v in found.items()}
        rows.append({"skill": metrics.get("skill", {}).get("value"), "metrics": metrics})
    return rows


def _accuracies(curve: Curve) -> list[Interval]:
    """Share of items right at each level, Wilson: resamples of none right would all be 0."""
    asked = curve.codes != sk.MISSING
    rows = zip(curve.right, asked, strict=True)
    return [share(right, here, curve.frame.cluster) for right, here in rows]


def if_answered(sampled: Sampled) -> Floats:
    """The headline metric over the items that got an answer, (R + 1, L): format failures apart."""
    curve, main = sampled.curve, sampled.curve.frame.headline
    assert main is not None
    answered = curve.codes >= 0
    top, bottom = (part * answered for part in curve.sums(main))
    return ratio(sampled.weights, top, bottom, curve.asked, main.then)


def _share(hits: Any) -> float | None:
    return float(np.mean(hits)) if len(hits) else None


def _labelled(sampled: Sampled) -> list[dict[str, Any]]:
    """Skill, confusion metrics and their intervals of every level."""
    curve, counts, kept = sampled.curve, sampled.counts, sampled.draws
    labels = curve.frame.labels
    confusion = sk.confusion(counts)
    precision, recall, f1 = confusion.macro()
    found = {
        "skill": intervals(sampled.skill),
        "macro_f1": intervals(f1),
        "change": intervals(_change(sampled)),
    }
    weighted = confusion.weighted(counts)
    found |= {f"weighted_{name}": intervals(values) for name, values in weighted.items()}
    empty = [NOTHING] * len(curve.levels)
    retained = empty if kept.retention is None else intervals(kept.retention)
    rows = []
    for at in range(len(curve.levels)):
        metrics = {name: metric(values[at]) for name, values in found.items()}
        metrics["skill"] = metric(found["skill"][at], sk_reason(counts, at))
        metrics["retention"] = metric(retained[at], kept.reason)
        asked = counts.asked[:, 0, at].sum()
        rows.append({
            "skill": found["skill"][at].value,
            "macro_f1": found["macro_f1"][at].value,
            "precision": precision[0, at],
            "recall": recall[0, at],
            "per_label": {
                label: {
                    "precision": confusion.precision[i, 0, at],
                    "recall": confusion.recall[i, 0, at],
                    "f1": confusion.f1[i, 0, at],
                    "gold": int(counts.asked[i, 0, at]),
                    "predicted": int(counts.predicted[i, 0, at]),
                }
                for i, label in enumerate(labels)
            },
            "metrics": metrics,
            "prediction_share": {
                label: counts.predicted[i, 0, at] / asked if asked else None
                for i, label in enumerate(labels)
            },
        })  # fmt: skip
    return rows


def _change(sampled: Sampled) -> Floats:
    """Accuracy minus that of level 0, (R + 1, L), over the items asked at both."""
    curve = sampled.curve
    asked = curve.codes != sk.MISSING
    both, right = asked & asked[0], curve.right.astype(float)
    return ratio(sampled.weights, (right - right[0]) * both, both.astype(float), curve.asked)


def sk_reason(counts: sk.Tally, at: int) -> str | None:
    """Why a level with answers has no skill, or None."""
    return ONE_LABEL if int(sk.present_labels(counts)[at]) == 1 else None


def metric(found: Interval, reason: str | None = None) -> dict[str, Any]:
    """An interval as data, with the reason where there is none."""
    row: dict[str, Any] = dict(found._asdict())
    if found.value is None and reason:
        row["reason"] = reason
    return row

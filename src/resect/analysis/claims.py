"""What a recorded study claimed by its own metrics, and whether it survives: sentences of numbers.

Reads finished rows only (plain dicts), so that no sentence says what no number does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from resect.record import TaskInfo

Row = Mapping[str, Any]
HOLDS, FAILS, DEPENDS = "holds", "does not hold", "depends on the measure"
NOTICED = 0.05
"""A share that moves by less than this is called unchanged."""


def claims(found: Mapping[str, Any], tasks: Mapping[str, TaskInfo]) -> list[dict[str, Any]]:
    """`{task, claim, verdict, why}`: who keeps more, for each comparison; then each task's bias."""
    rows = []
    table: dict[tuple[str, ...], dict[tuple[str, str], Row]] = {}
    for row in found["comparisons"]:
        where = (row["task"], row["treatment"], row["a"], row["b"])
        table.setdefault(where, {})[row["reading"], row["metric"]] = row
    for (task, treatment, _, _), got in table.items():
        said = next((got[k] for k in got if k in PUBLISHED), None)
        if said is not None:
            rows.append(_who_keeps_more(task, treatment, said, got, found["levels"]))
    for task, info in tasks.items():
        if info.positive and task in found["gold"]:
            rows.append(_bias(task, info.positive, found))
    return [row for row in rows if row]


PUBLISHED = {
    ("study", "f1_observed"): "F1 averaged over the labels observed",
    ("study", "f1_positive"): "F1 of the positive label alone",
}


def _who_keeps_more(
    task: str,
    treatment: str,
    said: Row,
    got: Mapping[tuple[str, str], Row],
    levels: Sequence[Row],
) -> dict[str, Any]:
    """Whether the model that is ahead by the published area is ahead by anything else."""
    ahead = (said["difference"] or 0.0) >= 0
    first, second = ("a", "b") if ahead else ("b", "a")
    winner, loser = said[first], said[second]
    claim = (
        f"on {task}, {winner} keeps more than {loser} under {treatment}: area "
        f"{said[f'area_{first}']:.4f} against {said[f'area_{second}']:.4f} "
        f"({_percent(said, first)}) by {PUBLISHED[said['reading'], said['metric']]}"
    )
    better, worse = f"{first} better", f"{second} better"
    reasons, words = [], []
    for reader, metric, name in _MEASURES:
        row = got.get((reader, metric))
        if row is None or row["difference"] is None:
            continue
        words.append(row["verdict"])
        sign = 1 if ahead else -1
        ends = sorted((sign * row["low"], sign * row["high"]))
        reasons.append(
            f"{name} {sign * row['difference']:+.3f} [{ends[0]:+.3f}, {ends[1]:+.3f}]"
            f"{_says(row['verdict'], better, worse)}"
        )
    if words and all(w == better for w in words):
        verdict = HOLDS
    elif better not in words:
        verdict = FAILS
    else:
        verdict = DEPENDS
    parts = [f"{winner} minus {loser}: {'; '.join(reasons)}"]
    if said["metric"] == "f1_observed":
        parts.append(_extra_class(task, said, got, first, levels))
    elif verdict != HOLDS:
        parts.append("F1 of one label rewards saying that label, right or wrong")
    return _claim(task, claim, verdict, [part for part in parts if part])


_MEASURES = (
    ("study", "accuracy", "accuracy area (its own parses)"),
    ("study", "skill", "skill (its own parses)"),
    ("study", "retention", "share of skill kept (its own parses)"),
    ("ours", "accuracy", "accuracy area (read anew)"),
    ("ours", "skill", "skill (read anew)"),
    ("ours", "retention", "share of skill kept (read anew)"),
)


def _says(verdict: str | None, better: str, worse: str) -> str:
    return {better: ", clear of 0", worse: ", clear of 0 the other way"}.get(
        str(verdict), ", not clear of 0"
    )


def _extra_class(
    task: str,
    said: Row,
    got: Mapping[tuple[str, str], Row],
    first: str,
    levels: Sequence[Row],
) -> str:
    """How much of the advantage comes from counting unreadable texts as a class of their own."""
    fixed = got.get(("study", "f1_labels"))
    plain = got.get(("study", "accuracy"))
    if fixed is None or plain is None:
        return ""
    own = [row for row in levels if row["task"] == task and row["reading"] == "study"]
    silent = {
        model: sum(r["no_answer"] > 0 for r in own if r["model"] == model)
        for model in (said["a"], said["b"])
    }
    return (
        f"the advantage of {_percent(said, first)} is {_percent(fixed, first)} once F1 is averaged "
        f"over the task's labels and {_percent(plain, first)} in accuracy: unreadable texts were "
        "counted as one more class, whose F1 is 0, as soon as there was one (in "
        f"{silent[said['a']]} of the levels of {said['a']}, {silent[said['b']]} of {said['b']})"
    )


def _bias(task: str, label: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """Whether models lean to the positive label, and whether damage makes them."""
    gold = found["gold"][task][label]
    rows = [r for r in found["levels"] if r["task"] == task and r["reading"] == "study"]
    parts, uncut, moves = [], [], []
    for model in dict.fromkeys(row["model"] for row in rows):
        shares = {r["level"]: r["prediction_share"][label] for r in rows if r["model"] == model}
        if 0.0 not in shares or len(shares) < 2:
            continue
        start, top = shares[0.0], max(shares, key=shares.__getitem__)
        low = min(shares, key=shares.__getitem__)
        uncut.append(start > gold)
        moves.append((shares[top] - start > NOTICED, start - shares[low] > NOTICED))
        parts.append(
            f"{model} says {label} to {start:.3f} uncut, at most {shares[top]:.3f} (level "
            f"{top:g}), at least {shares[low]:.3f} (level {low:g})"
        )
    if not parts:
        return {}
    claim = f"on {task}, damaged models fall into saying {label} (affirmative bias)"
    grows = all(up and not down for up, down in moves)
    verdict = HOLDS if grows and all(uncut) else FAILS
    why = [f"{label} is right for {gold:.3f} of the items", *parts]
    if not grows and all(uncut):
        why.append("the bias is there before any damage, and does not grow with it as a rule")
    return _claim(task, claim, verdict, why)


def _claim(task: str, claim: str, verdict: str, why: Sequence[str]) -> dict[str, Any]:
    text = "; ".join(why)
    return {
        "task": task,
        "claim": f"{claim[:1].upper()}{claim[1:]}.",
        "verdict": verdict,
        "why": f"{text[:1].upper()}{text[1:]}.",
    }


def _percent(row: Row, first: str) -> str:
    """How far the one is ahead of the other, in percent of the other."""
    one, other = row[f"area_{first}"], row[f"area_{'b' if first == 'a' else 'a'}"]
    return f"{100 * (one / other - 1):+.1f} %" if other > 0 else "no base to compare with"

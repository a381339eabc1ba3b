"""What a recorded study claimed by its own metrics, and whether it survives: sentences of numbers.

Reads finished rows only (plain dicts), so that no sentence says what no number does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from resect.findings.curves import say
from resect.record import TaskInfo
from resect.replication.answer_rates import ENOUGH

Row = Mapping[str, Any]
HOLDS, FAILS, DEPENDS = "holds", "does not hold", "depends on the measure"
UNKNOWN = "cannot be said"
NOTICED = 0.05
"""A share that moves by less than this is called unchanged."""


def claims(found: Mapping[str, Any], tasks: Mapping[str, TaskInfo]) -> list[dict[str, Any]]:
    """`{task, claim, verdict, why}`: who keeps more, for each comparison; then each task's bias."""
    rows = []
    table: dict[tuple[str, ...], dict[tuple[str, str], Row]] = {}
    for row in found["comparisons"]:
        where = (row["task"], row["recipe"], row["a"], row["b"])
        table.setdefault(where, {})[row["reading"], row["metric"]] = row
    for (task, recipe, _, _), got in table.items():
        said = next((got[k] for k in got if k in PUBLISHED), None)
        if said is not None:
            rows.append(_who_keeps_more(task, recipe, said, got, found["levels"]))
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
    recipe: str,
    said: Row,
    got: Mapping[tuple[str, str], Row],
    levels: Sequence[Row],
) -> dict[str, Any]:
    """Whether the model that is ahead by the published area is ahead by anything else."""
    ahead = (said["difference"] or 0.0) >= 0
    first, second = ("a", "b") if ahead else ("b", "a")
    winner, loser = said[first], said[second]
    claim = (
        f"on {task}, {winner} keeps more than {loser} under {recipe}: area "
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
    """Whether damage makes models say the positive label more often, of the answers they give.

    It holds where every sweep does so clearly at some level and the opposite at none. It does
    not where one clearly says it less often, or is shown to say it no more often at any level.
    """
    sweeps: dict[tuple[str, str, int], list[Row]] = {}
    for row in found["said"]:
        if row["task"] == task and row["label"] == label:
            where = (row["model"], row["recipe"], row["seed"])
            sweeps.setdefault(where, []).append(row)
    swept = {where: rows for where, rows in sweeps.items() if len(rows) > 1}
    if not swept:
        return {}
    several = len(swept) > len({model for model, _, _ in swept})
    words = [_moves(rows) for rows in swept.values()]
    if all(word == "more" for word in words):
        verdict = HOLDS
    elif {"less", "both", "neither"} & set(words):
        verdict = FAILS
    else:
        verdict = UNKNOWN
    why = [f"{label} is right for {found['gold'][task][label]:.3f} of the items"]
    for (model, recipe, seed), rows in swept.items():
        name = f"{model} under {recipe}, seed {seed}" if several else model
        why.append(_says_it(name, label, rows))
    if "both" in words:
        why.append("damage moves the answers both ways")
    why.append(f"intervals are over items answered intact and at the level, at least {ENOUGH}, and "
               "hold for all levels of a model together")  # fmt: skip
    claim = f"on {task}, damaged models fall into saying {label} (affirmative bias)"
    return _claim(task, claim, verdict, why)


def _moves(rows: Sequence[Row]) -> str:
    """Where damage moves one sweep's answers: more, less, both, neither or unknown.

    More is clearly more often than intact, and more often than the label is right.
    """
    known = [row for row in rows if row["change"] is not None]
    more = any(
        row["low"] > 0
        and row["change"] >= NOTICED
        and row["baseline"] + row["change"] > row["right"]
        for row in known
    )
    less = any(row["high"] < 0 and row["change"] <= -NOTICED for row in known)
    if more or less:
        return "both" if more and less else "more" if more else "less"
    return "neither" if known and all(row["high"] < NOTICED for row in known) else "unknown"


def _says_it(name: str, label: str, rows: Sequence[Row]) -> str:
    """How often one sweep says the label: intact, and where most and least often."""
    start = rows[0]
    known = [row for row in rows if row["change"] is not None]
    if not known:
        return f"{name} answers fewer than {ENOUGH} items both intact and at any damaged level"
    found = f"{name} says {label} in {start['share']:.3f} of its {start['answered']} answers intact"
    ends = (max(known, key=lambda row: row["share"]), min(known, key=lambda row: row["share"]))
    for word, row in zip(("most", "least"), ends, strict=True):
        found += (
            f", {word} often in {row['share']:.3f} of {row['answered']} ({say(row['level'])}), "
            f"{row['change']:+.3f} [{row['low']:+.3f}, {row['high']:+.3f}] on the same items"
        )
    return found


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

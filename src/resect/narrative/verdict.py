"""What the numbers mean, in sentences for the person who deploys the model.

Reads the finished findings only (plain dicts), so that no sentence says what no number does.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from resect.findings.curves import damage
from resect.findings.rows import Better
from resect.narrative import safety_sentences as howfar
from resect.narrative.failure_sentences import reliability
from resect.narrative.phrasing import called_test, ends, names, points, sentence, signed
from resect.narrative.reasons import at, listed

A, B, NEITHER, DEPENDS = map(str, (Better.A, Better.B, Better.NEITHER, Better.DEPENDS))

Row = dict[str, Any]
SILENT = 0.2
"""A model whose no-answer share rises by more than this over its baseline's loses the format."""

WORDS = {
    NEITHER: "no evidence that {a} keeps more than {b}, or less, on {tasks}",
    A: "{a} keeps more than {b} on {tasks}",
    B: "{b} keeps more than {a} on {tasks}",
    DEPENDS: "on {tasks} it depends on the measure (what is left, or what share is left)",
}
"""One word on one or several tasks."""

OF_SEEDS = {
    A: "{a} keeps more",
    B: "{b} keeps more",
    NEITHER: "no evidence",
    DEPENDS: "it depends on the measure",
    None: "no verdict",
}
"""The same words where they differ between seeds."""


def verdict(summary: Row) -> Row:
    """`{"headline": sentence, "sentences": [sentence, ...]}` from a summary without one."""
    called = names(summary)
    sentences = howfar.sentences(summary, called)
    sentences += [_versus(*both, called) for both in _pairs(summary["comparisons"])]
    if not _decided(summary["comparisons"]):
        sentences += [sentence(_baseline(row, called)) for row in _shown(summary["intact"])]
    halves = [row for row in summary["cliffs"] if _is_half(row)]
    sentences += [_sweep(summary, cliff, called) for cliff in _shown(halves)]
    sentences += [sentence(text) for text in reliability(summary, called)]
    return {"headline": headline(summary, called), "sentences": sentences}


def headline(summary: Row, called: Mapping[str, str]) -> str:
    """How far each model can be cut, then which keeps more; alone, where half of it is gone."""
    far = howfar.headline(summary, called)
    rows = [row for row in _shown(summary["comparisons"]) if row["kind"] == "absolute"]
    if rows and _decided(rows):
        against = _against(rows, called)
    elif rows or summary["intact"]:
        intact = (_baseline(row, called) for row in _shown(summary["intact"]))
        against = "; ".join(part for part in (_against(rows, called), *intact) if part)
    else:
        against = _alone(summary, called, brief=bool(far))
    parts = [part for part in (far, against) if part] or _alone_intact(summary, called)
    return " ".join(map(sentence, parts)) or _nothing(summary)


def _nothing(summary: Row) -> str:
    """Why there is nothing to say, where a warning tells it."""
    first = next(iter(summary.get("warnings", ())), "").rstrip(".")
    why = f": {first}" if first and not summary["curves"] else ""
    return sentence(f"nothing was found that could be analysed{why}")


def _alone_intact(summary: Row, called: Mapping[str, str]) -> list[str]:
    """What the intact models do, where nothing was cut and nothing is compared."""
    rows = [r for r in summary["curves"] if r["level"] == 0]
    texts = {(r["model"], r["task"]) for r in rows if r["view"] == "text"}
    primary = {row["name"]: row["primary"] for row in summary["tasks"]}
    shown = [r for r in rows if r["view"] == "text" or (r["model"], r["task"]) not in texts]
    found = (_standing(r, called, primary.get(r["task"], "accuracy")) for r in shown)
    return [text for text in found if text]


def _standing(row: Row, called: Mapping[str, str], primary: str) -> str | None:
    """What one intact model does on one task: right answers, or the task's own metric."""
    model, where = called.get(row["model"], row["model"]), f"{row['n']} items of {row['task']}"
    if row["accuracy"] is not None:
        ends = f"[{row['accuracy_low']:.1%}, {row['accuracy_high']:.1%}]"
        return f"{model}, intact, is right on {row['accuracy']:.1%} of {where} {ends}"
    given = row["metrics"].get(primary) or {}
    if given.get("value") is None:
        return None
    ends = f"[{given['low']:.3g}, {given['high']:.3g}]"
    return f"{model}, intact, has {called_test(primary)} {given['value']:.3g} {ends} on {where}"


def _decided(rows: Sequence[Row]) -> bool:
    """Whether any comparison could be made."""
    return any(row["difference"] is not None for row in rows)


def _baseline(row: Row, called: Mapping[str, str]) -> str:
    """Who is better before anything was cut, where no comparison of sweeps could be made."""
    a, b = (called.get(row[side], row[side]) for side in ("a", "b"))
    ends = f"[{points(row['low'], True)}, {points(row['high'], True)}]"
    word = {A: f"{a} is better", B: f"{b} is better"}.get(row["verdict"], "no evidence of either")
    return (
        f"intact on {row['task']} ({row['view']}), the {called_test(row['metric'])} of {a} minus "
        f"that of {b} is {points(row['difference'], True)} points {ends}, p {row['p']:.2g}: {word}"
    )


def _against(rows: Sequence[Row], called: Mapping[str, str]) -> str:
    """Which of two models keeps more, by recipe and task, after Holm's correction."""
    groups: dict[tuple[str, str, str], dict[str, list[Row]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        groups[row["recipe"], row["a"], row["b"]][row["task"]].append(row)
    same: dict[str, list[str]] = defaultdict(list)
    for (recipe, a, b), group in groups.items():
        who = {"a": called.get(a, a), "b": called.get(b, b)}
        clauses: dict[str, list[str]] = {text: [] for text in WORDS.values()}
        for task, seeds in group.items():
            clauses.setdefault(_said(seeds), []).append(task)
        said = [text.format(**who, tasks=listed(tasks)) for text, tasks in clauses.items() if tasks]
        same["; ".join(said)].append(recipe)
    return "; ".join(f"under {listed(under)}, {said}" for said, under in same.items())


def _said(seeds: Sequence[Row]) -> str:
    """What is said of one task, with places for the models and tasks: one word for all seeds."""
    words = [row["verdict_holm"] for row in seeds]
    if len(set(words)) > 1:
        counts = [
            f"{text} with {words.count(word)} of {len(words)}"
            for word, text in OF_SEEDS.items() if word in words
        ]  # fmt: skip
        return f"on {{tasks}} it differs between seeds ({', '.join(counts)})"
    if words[0] is not None:
        return WORDS[words[0]]
    why = seeds[0].get("undecided")
    if why is None:
        return "no comparison of {a} with {b} could be made on {tasks}"
    return f"no verdict on which of {{a}} and {{b}} keeps more on {{tasks}} ({why})"


def _alone(summary: Row, called: Mapping[str, str], brief: bool) -> str:
    """The headline of a run without two models to compare; `brief` leaves out what is unknown."""
    groups: dict[tuple[str, str, str], list[Row]] = defaultdict(list)
    for row in _shown([row for row in summary["cliffs"] if _is_half(row)]):
        if row["recipe"] != "none":
            groups[row["task"], row["recipe"], row["model"]].append(row)
    return "; ".join(
        f"on {task} under {recipe}, {_of_seeds(rows, called.get(model, model))}"
        for (task, recipe, model), rows in groups.items()
        if not brief or any(map(_known, rows))
    )


def _known(row: Row) -> bool:
    """Whether anything can be said of a half-level."""
    return row["level"] is not None or row["censored"] or row.get("no_skill", False)


def _of_seeds(rows: Sequence[Row], model: str) -> str:
    """The half-level; with several seeds the range of theirs, and of all their intervals."""
    if len(rows) == 1:
        return _named(rows[0], model)
    gone = [row for row in rows if row["level"] is not None]
    beyond = [row for row in rows if row["level"] is None and row["censored"]]
    unknown = [row for row in rows if row["level"] is None and not row["censored"]]
    parts = []
    if gone:
        shown = list(dict.fromkeys(f"{100 * f(r['level'] for r in gone):.0f}" for f in (min, max)))
        highs = [row["high"] for row in gone]
        high = None if None in highs else max(highs)
        where = ends(min(row["low"] for row in gone), high)
        parts.append(f"is gone at {' to '.join(shown)} % {where} with {_many(gone, rows)}")
    if beyond:
        parts.append(f"is not seen gone with {_many(beyond, rows, 'any of')}")
    if unknown:
        why = list(dict.fromkeys(row["reason"] for row in unknown))
        parts.append(
            f"cannot be said to be gone with {_many(unknown, rows, 'any of')} ({'; '.join(why)})"
        )
    return f"half of the skill of {model} {', '.join(parts)}"


def _many(some: Sequence[Row], rows: Sequence[Row], every: str = "all") -> str:
    """`all 5 seeds` or `any of 5 seeds`, `2 of 5 seeds`."""
    count = len(rows)
    return f"{every} {count} seeds" if len(some) == count else f"{len(some)} of {count} seeds"


def _named(row: Row, model: str) -> str:
    """`half of the skill of m is gone at 40 %`."""
    said = _half(row)
    if said.startswith("it has"):
        return f"{model} {said.removeprefix('it ')}"
    return said.replace("half of its skill", f"half of the skill of {model}", 1)


def _is_half(row: Row) -> bool:
    return bool(row["kind"] == "half" and row["metric"] == "skill")


def _shown(rows: Sequence[Row]) -> list[Row]:
    """The rows of the view that is read first."""
    texts = {_who(row) for row in rows if row["view"] == "text"}
    return [row for row in rows if row["view"] == "text" or _who(row) not in texts]


def _who(row: Row) -> tuple[Any, ...]:
    return tuple(row.get(key) for key in ("task", "model", "a", "b"))


def _pairs(rows: Sequence[Row]) -> list[tuple[Row, Row]]:
    """Absolute and retention rows of each comparison, in their order."""
    keys = ("task", "view", "recipe", "seed", "a", "b")
    groups: dict[tuple[Any, ...], dict[str, Row]] = defaultdict(dict)
    for row in rows:
        groups[tuple(row[key] for key in keys)][row["kind"]] = row
    return [(group["absolute"], group["retention"]) for group in groups.values()]


def _versus(absolute: Row, retention: Row, called: Mapping[str, str]) -> str:
    a, b = (called.get(absolute[side], absolute[side]) for side in ("a", "b"))
    where = f"{absolute['task']} ({absolute['view']}) under {absolute['recipe']}"
    kept = signed(absolute) or f"not computable ({absolute['reason']})"
    share = signed(retention) or f"not computable ({retention['reason']})"
    both = absolute["difference"] is not None and retention["difference"] is not None
    word = absolute["verdict"] or (absolute["reason"] if both else "no verdict")
    ending = {A: f"{a} is better by both", B: f"{b} is better by both"}.get(word, word)
    if word == NEITHER and absolute["detectable"] and retention["detectable"]:
        ending += (
            f", where differences of {absolute['detectable']:.3f} and "
            f"{retention['detectable']:.3f} could have been shown"
        )
    if absolute["verdict_holm"] not in (None, absolute["verdict"]):
        many = absolute["family"]
        ending += f" (after Holm's correction over {many} tests: {absolute['verdict_holm']})"
    return sentence(
        f"on {where}, {a} minus {b}: skill left {kept}, share of skill left {share}; {ending}"
    )


def _sweep(summary: Row, cliff: Row, called: Mapping[str, str]) -> str:
    """What happens to one model on one task: start, half-level, loss of the format."""
    rows = [row for row in summary["curves"] if _same_sweep(row, cliff)]
    rows = sorted((r for r in rows if r["n"]), key=lambda r: damage(r["level"]))
    model, task = called.get(cliff["model"], cliff["model"]), cliff["task"]
    if not rows or rows[0]["level"] != 0.0:
        return sentence(f"on {task}, {model}: the intact model has no answers to compare with")
    start = rows[0]["metrics"]["skill"]
    info = next(t for t in summary["tasks"] if t["name"] == task)
    floor = info["floors"]
    skill = f"no skill that could be told ({start.get('reason')})"
    if start["value"] is not None:
        skill = f"skill {start['value']:.2f} [{start['low']:.2f}, {start['high']:.2f}]"
    said = f"its skill is {called_test(info['primary'])}"
    if info["kind"] == "label":
        said = (
            f"accuracy {rows[0]['accuracy']:.2f}; always answering {floor['majority_label']} "
            f"gives {floor['majority']:.2f}"
        )
    parts = [f"on {task}, {model} starts with {skill} ({said})"]
    if cliff["recipe"] != "none":
        where = howfar.under(cliff, howfar.seeded(summary))
        parts += [f"{where}, {_half(cliff)}", *_first(summary, cliff)]
    if cliff["view"] == "text" and "no_answer" in rows[0]["metrics"]:
        parts.append(_format(summary, cliff, rows))
    return sentence("; ".join(parts))


def _first(summary: Row, cliff: Row) -> list[str]:
    """What breaks first, where that is clear."""
    keys = ("model", "recipe", "seed", "task")
    for row in summary["breaks_first"]:
        if all(row[k] == cliff[k] for k in keys) and row["clear"]:
            by = "" if row["by"] is None else f", {100 * row['by']:.1f} points of the level earlier"
            return [f"what breaks first is {row['first']}{by}"]
    return []


def _same_sweep(row: Row, other: Row, view: str | None = None) -> bool:
    keys = ("model", "recipe", "seed", "task")
    return all(row[k] == other[k] for k in keys) and row["view"] == (view or other["view"])


def _half(cliff: Row) -> str:
    """The half-level in words."""
    if cliff["level"] is not None:
        where = f"{100 * cliff['level']:.0f} % {ends(cliff['low'], cliff['high'])}"
        return f"half of its skill is gone at {where}"
    if cliff["censored"]:
        low = cliff["low"]
        interval = "" if low is None else f" (interval from {100 * low:.0f} %)"
        last = _last(cliff.get("last_level"))
        notes = [x for x in (cliff["reason"] or "").split("; ") if "the last level" not in x]
        note = f" ({'; '.join(notes)})" if any(notes) else ""
        return f"half of its skill is not seen gone{last}{interval}{note}"
    if cliff.get("no_skill"):
        return "it has no skill clearly above guessing that could be lost"
    return f"where half of its skill is gone cannot be said ({cliff['reason']})"


def _last(level: float | None) -> str:
    """` up to 80 %`: the last level of a censored cliff."""
    return "" if level is None else f" up to {at(level)}"


def _format(summary: Row, cliff: Row, rows: Sequence[Row]) -> str:
    """At which level the format is lost, and what the options say there."""
    silent = [r["metrics"]["no_answer"]["value"] or 0.0 for r in rows]
    lost = [r for r, share in zip(rows, silent, strict=True) if share - silent[0] > SILENT]
    if not lost and silent[0] > SILENT:
        return f"already intact {silent[0]:.2f} of its texts give no answer"
    if not lost:
        return f"at no level do more than {max(silent):.2f} of its texts give no answer"
    level, share = lost[0]["level"], lost[0]["metrics"]["no_answer"]["value"]
    text = (
        f"it loses the format at {at(level)}, where {share:.2f} of its texts give no answer "
        f"({silent[0]:.2f} intact)"
    )
    options = [r for r in summary["curves"] if _same_sweep(r, cliff, "options")]
    there = next((r for r in options if r["level"] == level and r["skill"] is not None), None)
    if there is None:
        return f"{text} (no options view to tell this from forgetting)"
    left, own = there["metrics"]["retention"]["value"], lost[0]["metrics"]["retention"]["value"]
    if left is None or own is None:
        return f"{text}; scored by options its skill there is {there['skill']:.2f}"
    return f"{text}; scored by options it keeps {left:.2f} of its skill there, by text {own:.2f}"

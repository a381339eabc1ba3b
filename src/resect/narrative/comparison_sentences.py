"""Sentences on which of two models keeps more skill, and which is better intact."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence

from resect.catalog import fragment
from resect.findings.rows import Better, Comparison, IntactComparison, Summary
from resect.findings.views import first_view
from resect.narrative.phrasing import ModelNames, change, changes, sentence
from resect.narrative.reasons import listed

WORDS: Mapping[Better, str] = {
    Better.NEITHER: "no evidence that {a} keeps more than {b}, or less, on {tasks}",
    Better.A: "{a} keeps more than {b} on {tasks}",
    Better.B: "{b} keeps more than {a} on {tasks}",
    Better.DEPENDS: "on {tasks} it depends on the measure (remaining skill or retention)",
}
"""Who keeps more on one or several tasks."""

OF_SEEDS: Mapping[Better | None, str] = {
    Better.A: "{a} keeps more",
    Better.B: "{b} keeps more",
    Better.NEITHER: "no evidence",
    Better.DEPENDS: "it depends on the measure",
    None: "no verdict",
}
"""The same where seeds differ."""


def comparison_sentences(summary: Summary, called: ModelNames) -> list[str]:
    """One sentence for each comparison; of the intact models where no other could be made."""
    sentences = [_pair(*pair, called) for pair in _pairs(summary.comparisons)]
    if not _any_made(summary.comparisons):
        sentences += [sentence(clause) for clause in _intact(summary, called)]
    return sentences


def comparison_headline(summary: Summary, called: ModelNames) -> str:
    """Which of two models keeps more, by recipe and task; empty where nothing is compared."""
    rows = [row for row in first_view(summary.comparisons) if row.kind == "absolute"]
    if rows and _any_made(rows):
        return _by_recipe(rows, called)
    return "; ".join(filter(None, (_by_recipe(rows, called), *_intact(summary, called))))


def _any_made(rows: Sequence[Comparison]) -> bool:
    return any(row.difference is not None for row in rows)


# ── the headline ────────────────────────────────────────────────────────────────────────────────


def _by_recipe(rows: Sequence[Comparison], called: ModelNames) -> str:
    """Which of two models keeps more, after Holm's correction; recipes with one text together."""
    pairs: dict[tuple[str, str, str], dict[str, list[Comparison]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        pairs[row.recipe, row.a, row.b][row.task].append(row)
    recipes: dict[str, list[str]] = defaultdict(list)
    for (recipe, a, b), tasks in pairs.items():
        clauses: dict[str, list[str]] = {template: [] for template in WORDS.values()}
        for task, seeds in tasks.items():
            clauses.setdefault(_template(seeds), []).append(task)
        text = "; ".join(
            template.format(a=called[a], b=called[b], tasks=listed(names))
            for template, names in clauses.items() if names
        )  # fmt: skip
        recipes[text].append(recipe)
    return "; ".join(f"under {listed(names)}, {text}" for text, names in recipes.items())


def _template(seeds: Sequence[Comparison]) -> str:
    """What a comparison on one task shows, with places for models and tasks; one for all seeds."""
    verdicts = [row.verdict_holm for row in seeds]
    if len(set(verdicts)) > 1:
        counts = [
            f"{text} with {verdicts.count(verdict)} of {len(verdicts)}"
            for verdict, text in OF_SEEDS.items() if verdict in verdicts
        ]  # fmt: skip
        return f"on {{tasks}} it differs between seeds ({', '.join(counts)})"
    if verdicts[0] is not None:
        return WORDS[verdicts[0]]
    if seeds[0].difference is None or seeds[0].undecided is None:
        return "no comparison of {a} with {b} could be made on {tasks}"
    why = seeds[0].undecided.replace("{", "{{").replace("}", "}}")
    return f"no verdict on which of {{a}} and {{b}} keeps more on {{tasks}} ({why})"


# ── one comparison ──────────────────────────────────────────────────────────────────────────────


def _pairs(rows: Iterable[Comparison]) -> list[tuple[Comparison, Comparison]]:
    """Absolute and retention rows of each comparison, in their order."""
    pairs: dict[tuple[str, str, str, int, str, str], dict[str, Comparison]] = defaultdict(dict)
    for row in rows:
        pairs[row.task, row.view, row.recipe, row.seed, row.a, row.b][row.kind] = row
    return [(pair["absolute"], pair["retention"]) for pair in pairs.values()]


def _pair(absolute: Comparison, retention: Comparison, called: ModelNames) -> str:
    """`on t (text) under wanda, a minus b: remaining skill +0.1 [..], retention +0.2 [..]; ...`."""
    a, b = called[absolute.a], called[absolute.b]
    return sentence(
        f"on {absolute.task} ({absolute.view}) under {absolute.recipe}, {a} minus {b}: "
        f"remaining skill {_difference(absolute)}, retention {_difference(retention)}; "
        f"{_conclusion(absolute, retention, a, b)}"
    )


def _conclusion(absolute: Comparison, retention: Comparison, a: str, b: str) -> str:
    """Who is better by both measures, before and after Holm's correction."""
    verdict, corrected = absolute.verdict, absolute.verdict_holm
    if verdict is None:
        both = absolute.difference is not None and retention.difference is not None
        return f"no verdict: {absolute.undecided}" if both else "no verdict"
    ending = _better(verdict, a, b, " by both")
    if verdict is Better.NEITHER and absolute.detectable and retention.detectable:
        ending += (
            f", where differences of {absolute.detectable:.3f} and "
            f"{retention.detectable:.3f} could have been shown"
        )
    if corrected is not None and corrected is not verdict:
        after = _better(corrected, a, b)
        ending += f" (after Holm's correction over {absolute.family} tests: {after})"
    return ending


def _better(verdict: Better, a: str, b: str, ending: str = "") -> str:
    """Which of two models is better, or the verdict's own word."""
    if verdict in (Better.A, Better.B):
        return f"{a if verdict is Better.A else b} is better{ending}"
    return str(verdict)


def _difference(row: Comparison) -> str:
    """A difference with its interval, or why there is none."""
    if row.difference is None or row.low is None or row.high is None:
        return f"not computable ({row.reason})"
    return f"{row.difference:+.3f} [{row.low:+.3f}, {row.high:+.3f}]"


def _intact(summary: Summary, called: ModelNames) -> list[str]:
    """Who is better before any damage, in the view that is read first."""
    return [_intact_pair(row, called) for row in first_view(summary.intact)]


def _intact_pair(row: IntactComparison, called: ModelNames) -> str:
    a, b = called[row.a], called[row.b]
    clear = row.verdict in (Better.A, Better.B)
    verdict = _better(row.verdict, a, b) if clear else "no evidence of either"
    p = "" if row.p is None else f", p {row.p:.2g}"
    return (
        f"intact on {row.task} ({row.view}), {a} minus {b} is {change(row.difference)} points of "
        f"{fragment(row.metric)} {changes(row.low, row.high)}{p}: {verdict}"
    )

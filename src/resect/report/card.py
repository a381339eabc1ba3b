"""The verdict on one card: Markdown for a person, data for a program. Limits come first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypedDict

from resect.findings.rows import Summary
from resect.findings.summary_file import to_data
from resect.report import formatting as text
from resect.report.data import overview, tables, verdict_tables
from resect.report.data.overview import glance
from resect.report.data.scope import Scope
from resect.report.data.table import Table
from resect.report.formatting import markdown

LIMITS = (
    "This is not a statement of clinical safety: “within the margin on these items” compares how "
    "often the keyed answers were given on these items, and says nothing about patients.",
    "The numbers hold for these items, prompts and parsers; another protocol of the same name "
    "gives other numbers.",
)
TASK_KEYS = ("name", "n", "protocol", "primary", "margin", "floors")


class Card(TypedDict):
    """card.json: limits, verdict, findings in short, what is missing, provenance."""

    schema: int
    limits: list[str]
    study: str
    headline: str
    lines: list[str]
    sentences: list[str]
    models: object
    tasks: list[dict[str, object]]
    verdicts: list[dict[str, object]]
    choice: object
    half_levels: list[dict[str, object]]
    comparisons: object
    missing: list[str]
    warnings: list[str]
    degraded_or_failed: int
    provenance: object


def render(summary: Summary) -> tuple[str, Card]:
    """The card of a run: (`card.md`, `card.json`). Both begin with the limits."""
    scope = Scope(summary)
    card = _card(scope)
    return _text(scope, card), card


def _card(scope: Scope) -> Card:
    summary = scope.summary
    data = to_data(summary)
    return {
        "schema": 1,
        "limits": [*LIMITS, *_statistics(scope)],
        "study": summary.study.name,
        "headline": summary.headline.text,
        "lines": list(summary.headline.lines),
        "sentences": list(summary.verdict.sentences),
        "models": data["models"],
        "tasks": [{key: task[key] for key in TASK_KEYS} for task in data["tasks"]],
        "verdicts": [
            {key: value for key, value in row.items() if key not in ("tasks", "guardrails")}
            for row in data["verdicts"]
        ],
        "choice": data["choice"],
        "half_levels": [
            row for row in data["cliffs"] if (row["kind"], row["metric"]) == ("half", "skill")
        ],
        "comparisons": data["comparisons"],
        "missing": tables.missing(scope),
        "warnings": list(summary.warnings),
        "degraded_or_failed": len(tables.troubled_table(scope).body),
        "provenance": data["provenance"],
    }


def _statistics(scope: Scope) -> list[str]:
    """How levels were tested, or that they were not."""
    rows = scope.summary.verdicts
    if not rows:
        return ["Non-inferiority was not tested: this card claims nothing."]
    alphas = sorted({text.decimal(row.alpha, 4) for row in rows})
    sentence = f"Each model and recipe was tested at one-sided alpha {' and '.join(alphas)}"
    if len({row.recipe for row in rows}) > 1:
        sentence += "; a version chosen among recipes was tested on items that did not select it"
    if scope.seeded:
        sentence += "; a recipe with several seeds passes where every seed does"
    return [f"{sentence}."]


def _text(scope: Scope, card: Card) -> str:
    parts = ["\n>\n".join(f"> {markdown(line)}" for line in card["limits"])]
    parts += [f"# {markdown(card['study'] or 'unnamed study')}", f"**{markdown(scope.headline)}**"]
    parts += [_list(card["lines"])] if card["lines"] else []
    parts += ["## What passed", _reach(scope), *_models(scope)]
    intact = _table(overview.intact_table(scope))
    parts += ["## The models as they are", intact] if intact else []
    for recipe in scope.recipes:
        parts += [f"## {markdown(recipe)}", _glance(scope, recipe)]
    tested = _table(verdict_tables.verdict_table(scope))
    parts += ["## Every sweep that was tested", tested] if tested else []
    parts += ["## The files", _commands(scope)] if scope.summary.commands else []
    guards = _table(verdict_tables.guardrails_table(scope))
    parts += ["## Guardrails", guards] if guards else []
    if card["sentences"]:
        parts += ["## The findings in sentences", _list(card["sentences"])]
    asked = [
        f"- **{markdown(task.name)}** ({text.count(task.n)} items): {markdown(task.protocol)}"
        for task in scope.summary.tasks
    ]
    parts += ["## What was asked", "\n".join(asked) or "The summary does not describe its tasks."]
    troubles = [*card["missing"], *card["warnings"]]
    if card["degraded_or_failed"]:
        troubles.append(f"{card['degraded_or_failed']} degraded or failed cells: see report.html.")
    parts += ["## Warnings and gaps", _list(troubles)] if troubles else []
    provenance = _provenance(scope.summary.provenance)
    parts += ["## Provenance", provenance] if provenance else []
    return "\n\n".join(parts) + "\n"


def _list(lines: Sequence[str]) -> str:
    return "\n".join(f"- {markdown(line)}" for line in lines)


def _provenance(provenance: Mapping[str, object]) -> str:
    pairs = tables.flat(provenance)
    return "\n".join(f"- {markdown(key)}: {markdown(value)}" for key, value in pairs if key)


def _models(scope: Scope) -> list[str]:
    lines = []
    for model in scope.summary.models:
        line = f"- {markdown(model.role or 'model')}: {markdown(model.id or model.name)}"
        line += f" at {markdown(model.revision)}" if model.revision else ""
        line += f", {text.parameters(model.parameters)} parameters" if model.parameters else ""
        line += f"; its card names the parent {markdown(model.parent)}" if model.parent else ""
        lines.append(line)
    return ["## Models", "\n".join(lines)] if lines else []


def _reach(scope: Scope) -> str:
    """How far each model may go and what stopped it, a line each."""
    lines = [
        f"- {markdown(tile.model.label)}, {markdown(recipe)}: **{markdown(tile.figure)}** "
        f"{markdown(tile.says)}. {markdown(tile.stop)} {markdown(tile.needs)}".rstrip()
        for recipe in scope.recipes
        for tile in verdict_tables.reach(scope, recipe)
    ]
    lines += [f"- {markdown(sentence)}" for sentence in verdict_tables.smallest(scope)]
    return "\n".join(lines) or "Not tested."


def _commands(scope: Scope) -> str:
    """The command that writes each version that passed, and the hash of what it writes."""
    lines = ["What was judged is what these commands write, byte for byte on the same versions:"]
    for row in scope.summary.commands:
        lines.append(f"```sh\n{text.plain(row.command)}\n```")
        if row.digest:
            lines.append(f"Its weights: `{text.plain(row.digest)}` (`weights` in resect.json).")
    return "\n\n".join(lines)


def _glance(scope: Scope, recipe: str) -> str:
    heads = (
        "Task", "n", "Model", "Intact accuracy", "Highest floor", "Passed up to", "Onset",
        "Half-level by text", "Half-level by options", "Breaks first", "More robust",
    )  # fmt: skip
    body = [
        (row.task, row.n, row.model.label, row.intact, row.floor, row.passed, row.onset, row.half,
         row.half_options, row.breaks, row.verdict)
        for row in glance(scope, recipe)
    ]  # fmt: skip
    return _grid(heads, body)


def _table(table: Table) -> str:
    return _grid([column.head for column in table.columns], table.body) if table.body else ""


def _grid(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(markdown(cell) for cell in row) + " |" for row in body]
    return "\n".join(lines)

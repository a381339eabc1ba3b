"""The verdict on one card: Markdown for a person, a dict for a program. Limits come first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from resect.report import formatting as text
from resect.report.data import overview as glance
from resect.report.data import safety_tables as safe
from resect.report.data import scope as reading
from resect.report.data import tables
from resect.report.data.scope import Summary
from resect.report.data.table import Table
from resect.report.formatting import markdown

LIMITS = (
    "This is not a statement of clinical safety: “within the margin on these items” says how often "
    "the keyed answer came back on this item set, and nothing about patients.",
    "Numbers hold for these items, prompts and readers; another protocol under the same name gives "
    "other numbers.",
)


def render(summary: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """The card of a run: (`card.md`, `card.json`). Both begin with the limits."""
    clean = text.without_nan(summary)
    data = _data(clean)
    return _text(clean, data), data


def _data(summary: Summary) -> dict[str, Any]:
    """The card as data: limits, verdict, findings in short, what is missing, provenance."""
    verdict = summary.get("verdict") or {}
    study = summary.get("study") or {}
    troubled = tables.troubled(summary).body
    return {
        "schema": 1,
        "limits": [*LIMITS, *_statistics(summary)],
        "study": study.get("name"),
        "headline": verdict.get("headline"),
        "sentences": list(verdict.get("sentences") or []),
        "models": list(reading.rows(summary, "models")),
        "tasks": [
            {key: row.get(key) for key in ("name", "n", "protocol", "primary", "margin", "floors")}
            for row in reading.rows(summary, "tasks")
        ],
        "safety": [
            {key: value for key, value in row.items() if key != "tests"}
            for row in reading.rows(summary, "safety")
        ],
        "smallest_safe": list(reading.rows(summary, "smallest_safe")),
        "half_levels": [
            row
            for row in reading.rows(summary, "cliffs")
            if row.get("kind") == "half" and row.get("metric", "skill") == "skill"
        ],
        "comparisons": list(reading.rows(summary, "comparisons")),
        "missing": tables.missing(summary),
        "warnings": list(summary.get("warnings") or []),
        "degraded_or_failed": len(troubled),
        "provenance": summary.get("provenance") or {},
    }


def _statistics(summary: Summary) -> list[str]:
    """How the safe level was tested, or that it was not."""
    tested = reading.rows(summary, "safety")
    if not tested:
        return ["Non-inferiority was not tested: this card claims no safe level."]
    recipes = {str(row.get("recipe")) for row in tested}
    alphas = sorted({text.decimal(row.get("alpha"), 4) for row in tested})
    said = f"Each model and recipe was tested at one-sided alpha {' and '.join(alphas)}"
    if len(recipes) > 1:
        said += "; the smallest safe version of a model, chosen among its recipes, was tested "
        said += "at alpha divided by their number"
    if reading.seeded(summary):
        said += "; a recipe with several seeds passes where every seed does"
    return [f"{said}."]


def _text(summary: Summary, data: Mapping[str, Any]) -> str:
    parts = ["\n>\n".join(f"> {markdown(line)}" for line in data["limits"])]
    parts.append(f"# {markdown(data['study'] or 'unnamed study')}")
    parts.append(f"**{markdown(data['headline'] or 'No verdict was computed for this run.')}**")
    parts += ["## Safe level", _reached(summary)]
    parts += _models(summary)
    for recipe in reading.recipes(summary):
        parts += [f"## {markdown(recipe)}", _glance(summary, recipe)]
    tested = _table(safe.safety_table(summary))
    if tested:
        parts += ["## Every sweep that was tested", tested]
    if data["sentences"]:
        parts.append("## The findings in sentences")
        parts.append("\n".join(f"- {markdown(one)}" for one in data["sentences"]))
    parts.append("## What was asked")
    asked = [
        f"- **{markdown(row['name'])}** ({text.count(row['n'])} items): {markdown(row['protocol'])}"
        for row in data["tasks"]
    ]
    parts.append("\n".join(asked) or "The summary does not describe its tasks.")
    troubles = [*data["missing"], *data["warnings"]]
    if data["degraded_or_failed"]:
        troubles.append(f"{data['degraded_or_failed']} degraded or failed cells: see the report.")
    if troubles:
        parts += ["## Warnings and gaps", "\n".join(f"- {markdown(one)}" for one in troubles)]
    pairs = tables.provenance(data["provenance"])
    if pairs:
        lines = "\n".join(f"- {markdown(key)}: {markdown(value)}" for key, value in pairs if key)
        parts += ["## Provenance", lines]
    return "\n\n".join(parts) + "\n"


def _models(summary: Summary) -> list[str]:
    lines = []
    for row in reading.rows(summary, "models"):
        parent = row.get("parent")
        named = f"; its card names the parent {markdown(parent)}" if parent else ""
        who = markdown(row.get("role") or "model")
        revision = f" at {markdown(row['revision'])}" if row.get("revision") else ""
        size = (
            f", {text.parameters(row.get('parameters'))} parameters"
            if row.get("parameters")
            else ""
        )
        name = markdown(row.get("id") or row.get("name"))
        lines.append(f"- {who}: {name}{revision}{size}{named}")
    return ["## Models", "\n".join(lines)] if lines else []


def _reached(summary: Summary) -> str:
    """How far each model may go and what stopped it, a line each."""
    lines = []
    for recipe in reading.recipes(summary):
        for one in safe.reach(summary, recipe):
            said = f"- {markdown(one.model.label)}, {markdown(recipe)}: "
            said += f"**{markdown(one.figure)}** {markdown(one.says)}. "
            lines.append(f"{said}{markdown(one.stop)} {markdown(one.needs)}".rstrip())
    lines += [f"- {markdown(one)}" for one in safe.smallest(summary)]
    return "\n".join(lines) or "Not tested."


def _glance(summary: Summary, recipe: str) -> str:
    heads = (
        "Task", "n", "Model", "Intact accuracy", "Highest floor", "Safe up to", "Onset",
        "Half the skill gone (text)", "(options)", "Breaks first", "Who holds better",
    )  # fmt: skip
    body = [
        (one.task, one.n, one.model.label, one.intact, one.floor, one.safe, one.onset, one.half,
         one.half_options, one.breaks, one.verdict)
        for one in glance.glance(summary, recipe)
    ]  # fmt: skip
    return _grid(heads, body)


def _table(table: Table) -> str:
    return _grid([column.head for column in table.columns], table.body) if table.body else ""


def _grid(heads: Sequence[str], body: Sequence[Sequence[str]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    lines += ["| " + " | ".join(markdown(cell) for cell in row) + " |" for row in body]
    return "\n".join(lines)

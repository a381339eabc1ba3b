"""A summary and a few answers to one self-contained HTML page.

The page asks nothing of any host: styles, script, figures and data stand in it, and its
Content-Security-Policy allows the one style and the one script by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from resect.report import figures, panels, reading, tables, text
from resect.report.panels import METRICS

LIMITS = (
    "This is not a statement of clinical safety. “Within the margin” means within the margin on "
    "these items, under these protocols, and on nothing else.",
    "An answer counts as right when it equals the keyed label; nothing here looks at harm, at "
    "reasoning, or at how a clinician would use the text.",
)
METRIC_SAYS = {
    "accuracy": "Share of all items answered right; no answer is wrong. Guessing already earns "
    "the floors.",
    "skill": "A right answer counts 1, none counts 0, a wrong one −1/(k−1); averaged within each "
    "label, then over labels. Silence, guessing and a constant answer all come to 0.",
    "retention": "Skill divided by the same model’s intact skill. 100 % is intact, 50 % is the "
    "half-level.",
    "no_answer": "Share of items whose text held no answer that could be read.",
    "macro_f1": "F1 averaged over the task’s labels, whether or not they were ever predicted.",
}


class Figure(NamedTuple):
    """One figure with its table: `kind` and the three keys say when it is shown."""

    kind: str
    task: str
    treatment: str
    metric: str
    svg: Markup
    table: tables.Table


def render(summary: Mapping[str, Any], examples: Sequence[Mapping[str, Any]] = ()) -> str:
    """The whole page as HTML. Missing findings are named in it, never printed as None or nan.

    `examples` are dicts with model, treatment, level, task, item_id, prompt, gold, text, answer,
    outcome and chosen; their strings are untrusted and come out as text.
    """
    clean = text.without_nan(summary)
    css, script = _asset("page.css"), _asset("page.js")
    template = _environment().from_string(_asset("page.html.jinja"))
    return template.render(
        _context(clean, examples),
        css=Markup(css),
        script=Markup(script),
        no_script_css=Markup(NO_SCRIPT),
        policy=policy((css, NO_SCRIPT), script),
        data=embedded(clean),
    )


NO_SCRIPT = "figure[hidden]{display:block!important}"


def embedded(summary: Mapping[str, Any]) -> Markup:
    """The summary as JSON that cannot leave its `script` element; parses back to the same data."""
    shown = json.dumps(summary, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for char in "<>&":
        shown = shown.replace(char, f"\\u{ord(char):04x}")
    return Markup(shown)


def policy(styles: Sequence[str], script: str) -> str:
    """The Content-Security-Policy: nothing but these styles, this script and `data:` images."""
    style = " ".join(map(_hash, styles))
    return (
        f"default-src 'none'; style-src {style}; script-src {_hash(script)}; "
        "img-src data:; base-uri 'none'; form-action 'none'"
    )


def _hash(content: str) -> str:
    return f"'sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}'"


def _asset(name: str) -> str:
    return files("resect.report").joinpath(name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else text.plain(value),
    )
    environment.filters["raw"] = text.raw
    environment.filters["parameters"] = text.parameters
    environment.filters["count"] = text.count
    environment.filters["percent"] = text.percent
    return environment


def _context(summary: Mapping[str, Any], examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Everything the template names; each key is always there."""
    treatments = reading.treatments(summary)
    models = reading.models(summary)
    seen = panels.outcomes_seen(summary)
    study = summary.get("study") or {}
    verdict = summary.get("verdict") or {}
    info = {str(row.get("name")): row for row in reading.rows(summary, "models")}
    return {
        "name": study.get("name") or "unnamed study",
        "headline": verdict.get("headline") or "No verdict was computed for this run.",
        "sentences": verdict.get("sentences") or [],
        "limits": LIMITS,
        "models": [(model, _described(info.get(model.name, {}))) for model in models],
        "tasks": reading.tasks(summary),
        "protocols": [_protocol(row) for row in reading.rows(summary, "tasks")],
        "treatments": treatments,
        "metrics": METRICS,
        "metric_says": METRIC_SAYS,
        "glance": [(one, tables.glance(summary, one)) for one in treatments],
        "curves": _curves(summary, treatments),
        "outcomes": _outcomes(summary, treatments, seen),
        "outcome_key": [(name, figures.OUTCOME_SAYS.get(name, "")) for name in seen],
        "differences": _differences(summary, treatments),
        "robustness": [(one, tables.robustness_table(summary, one)) for one in treatments],
        "cliffs": [(one, tables.cliff_table(summary, one)) for one in treatments],
        "safety": tables.safety_table(summary),
        "sizes": tables.size_table(summary),
        "some_sizes": tables.size_table(summary, 5),
        "examples": tables.examples(examples, summary),
        "warnings": [str(one) for one in summary.get("warnings") or ()],
        "troubled": tables.troubled(summary),
        "missing": tables.missing(summary),
        "provenance": tables.provenance(summary.get("provenance") or {}),
        "asked": tables.provenance(study),
        "resamples": study.get("resamples"),
        "limit": text.LIMIT,
    }


def _described(row: Mapping[str, Any]) -> dict[str, Any]:
    keys = ("id", "revision", "fingerprint", "parameters", "parent")
    return {key: row.get(key) for key in keys}


def _protocol(row: Mapping[str, Any]) -> dict[str, Any]:
    """What one task is and what its floors are, for the section on tasks."""
    floors = row.get("floors") or {}
    named = (
        ("chance", floors.get("chance")),
        (f"majority ({text.plain(floors.get('majority_label'))})", floors.get("majority")),
        (f"always {text.plain(row.get('positive'))}", floors.get("always_positive")),
    )
    gold = row.get("gold") or {}
    return {
        "name": str(row.get("name")),
        "summary": row.get("summary"),
        "protocol": row.get("protocol"),
        "scored": row.get("scored"),
        "primary": row.get("primary"),
        "margin": text.percent(row.get("margin")),
        "n": text.count(row.get("n")),
        "gold": ", ".join(f"{text.plain(label)} {text.count(n)}" for label, n in gold.items())
        or text.DASH,
        "floors": [(label, text.percent(value)) for label, value in named if value is not None],
    }


def _curves(summary: Mapping[str, Any], treatments: Sequence[str]) -> list[Figure]:
    found = []
    for treatment in treatments:
        for metric in METRICS:
            for task in reading.tasks(summary):
                panel = panels.curve_panel(summary, task, treatment, metric)
                drawn, table = Markup(figures.curves(panel)), tables.curve_table(panel)
                found.append(Figure("curves", task, treatment, metric, drawn, table))
    return found


def _outcomes(
    summary: Mapping[str, Any], treatments: Sequence[str], seen: tuple[str, ...]
) -> list[Figure]:
    found = []
    for treatment in treatments:
        for task in reading.tasks(summary):
            for model in reading.models(summary):
                panel = panels.outcome_panel(summary, task, treatment, model)
                if panel.levels:
                    drawn = Markup(figures.outcomes(panel, seen))
                    table = tables.outcome_table(panel, seen)
                    found.append(Figure("outcomes", task, treatment, "", drawn, table))
    return found


def _differences(summary: Mapping[str, Any], treatments: Sequence[str]) -> list[Figure]:
    found = []
    for treatment in treatments:
        for kind in ("absolute", "retention"):
            panel = panels.difference_panel(summary, treatment, kind)
            if panel.rows:
                drawn, table = Markup(figures.differences(panel)), tables.difference_table(panel)
                found.append(Figure("differences", "", treatment, kind, drawn, table))
    return found

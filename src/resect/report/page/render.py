"""A summary and a few answers to one self-contained HTML page.

The page asks nothing of any host: styles, script, figures and data stand in it, and its
Content-Security-Policy allows the one style and the one script by their hashes.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from resect.report import figures
from resect.report import formatting as text
from resect.report.data import answer_tables as answers
from resect.report.data import bias_tables as measures
from resect.report.data import configurations, panels, tables
from resect.report.data import divergent_items as divergent
from resect.report.data import overview as glance
from resect.report.data import published_tables as theirs
from resect.report.data import reliability_tables as reliable
from resect.report.data import safety_tables as safe
from resect.report.data import scope as reading
from resect.report.data.panels import METRICS
from resect.report.page import sections

LIMITS = (
    "This is not a statement of clinical safety. “Within the margin” means within the margin on "
    "these items, under these protocols, and on nothing else.",
    "An answer counts as right when it equals the keyed label; nothing here looks at harm, at "
    "reasoning, or at how a clinician would use the text.",
)
METRIC_SAYS = {
    "accuracy": "Share of all items answered right; no answer is wrong. Guessing already earns "
    "the floors. A task whose answers are no labels shows its own metric here.",
    "skill": "A right answer counts 1, none counts 0, a wrong one −1/(k−1); averaged within each "
    "label, then over labels. Silence, guessing and a constant answer all come to 0.",
    "retention": "Skill divided by the same model’s intact skill. 100 % is intact, 50 % is the "
    "half-level.",
    "no_answer": "Share of items whose text held no answer that could be read.",
    "macro_f1": "F1 averaged over the task’s labels, whether or not they were ever predicted.",
    "format_loss": "Share of items right by options and not by text: still known, no longer said.",
    "forgotten": "Share of items right neither by options nor by text.",
}


def render(summary: Mapping[str, Any], examples: Sequence[Mapping[str, Any]] = ()) -> str:
    """The whole page as HTML. Missing findings are named in it, never printed as None or nan.

    `examples` are dicts with model, recipe, level, task, item_id, prompt, gold, text, answer,
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
    return files("resect.report.page").joinpath(name).read_text(encoding="utf-8")


def _environment() -> Environment:
    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else text.plain(value),
    )
    environment.filters["raw"] = text.raw
    environment.filters["stacked"] = text.stacked
    environment.filters["parameters"] = text.parameters
    environment.filters["count"] = text.count
    environment.filters["percent"] = text.percent
    return environment


def _context(summary: Mapping[str, Any], examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Everything the template names; each key is always there."""
    recipes = reading.recipes(summary)
    models = reading.models(summary)
    seen = panels.outcomes_seen(summary)
    study = summary.get("study") or {}
    verdict = summary.get("verdict") or {}
    info = {str(row.get("name")): row for row in reading.rows(summary, "models")}
    given = {row.get("view") for row in reading.rows(summary, "curves")}
    views = [view for view in panels.VIEWS if view in given]
    degraded = [
        one
        for one in sections.curves(summary, recipes)
        if one.metric in _known(summary) or one.metric == "accuracy"
    ]
    leaning, trusted = sections.bias(summary, recipes), sections.trust(summary, recipes)
    opened = sections.open_answers(summary, recipes)
    return {
        "name": study.get("name") or "unnamed study",
        "headline": _parted(
            str(verdict.get("headline") or "No verdict was computed for this run.")
        ),
        "sentences": verdict.get("sentences") or [],
        "limits": LIMITS,
        "models": [(model, _described(info.get(model.name, {}))) for model in models],
        "tasks": reading.tasks(summary),
        "protocols": [_protocol(row) for row in reading.rows(summary, "tasks")],
        "recipes": recipes,
        "metrics": sections.offered(degraded, METRICS),
        "metric_says": METRIC_SAYS,
        **_by_recipe(summary, recipes),
        "smallest": safe.smallest(summary),
        "curves": degraded,
        "outcomes": sections.outcomes(summary, recipes, seen),
        "outcome_key": [(name, figures.OUTCOME_SAYS.get(name, "")) for name in seen],
        "differences": sections.differences(summary, recipes),
        "safety": safe.safety_table(summary),
        "bias": leaning,
        "bias_metrics": sections.offered(leaning, measures.BIAS),
        "bias_says": measures.BIAS_SAYS,
        "trust": trusted,
        "trust_metrics": sections.offered(trusted, measures.TRUST),
        "trust_says": measures.TRUST_SAYS,
        "reliable": sections.reliable(summary, recipes),
        "reliable_says": reliable.SAYS,
        "open": opened,
        "open_metrics": sections.offered(opened, answers.METRICS),
        "open_says": answers.SAYS,
        "pareto": sections.sizes(summary),
        "divergences": divergent.pairs(summary, examples),
        "views": views,
        "some_breaks": bool(reading.rows(summary, "breaks_first")),
        "some_domains": bool(reading.rows(summary, "domains")),
        "some_rates": bool(reading.rows(summary, "reliability")),
        "some_abstention": bool(reading.rows(summary, "abstention")),
        "published": theirs.published(summary),
        "intact": theirs.intact(summary),
        "recorded": study.get("recorded"),
        "configurations": configurations.tables(summary),
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


def _known(summary: Mapping[str, Any]) -> set[str]:
    """Metrics that at least one curve row has a value for."""
    return {
        metric
        for metric in METRICS
        for row in reading.rows(summary, "curves")
        if panels.measured(row, metric)[0] is not None
        and (row.get("view") == "text" or metric not in panels.TEXT_ONLY)
    }


def _parted(headline: str) -> tuple[str, str]:
    """The first sentence of a headline, and the rest."""
    first, dot, rest = headline.partition(". ")
    return first + dot.strip(), rest


def _by_recipe(summary: Mapping[str, Any], recipes: Sequence[str]) -> dict[str, Any]:
    """Findings of which each recipe has its own, as (recipe, finding) pairs."""
    each: dict[str, Callable[[Mapping[str, Any], str], Any]] = {
        "reach": safe.reach,
        "tests": safe.tests,
        "glance": glance.glance,
        "comparisons": tables.comparison_table,
        "robustness": tables.robustness_table,
        "cliffs": tables.cliff_table,
        "breaks": glance.breaks_table,
        "slices": glance.slices_table,
        "trust_tables": measures.trust_table,
        "first_tables": reliable.first_table,
        "domain_tables": reliable.domain_table,
        "rate_tables": reliable.rate_table,
        "abstention_tables": reliable.abstention_table,
        "perplexity_tables": answers.perplexity_table,
    }
    return {name: [(one, find(summary, one)) for one in recipes] for name, find in each.items()}

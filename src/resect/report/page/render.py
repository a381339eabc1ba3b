"""A summary and a few answers to one self-contained HTML page.

The page asks nothing of any host: styles, script, figures and data stand in it, and its
Content-Security-Policy allows the one style and the one script by their hashes. The figures that
open with it are drawn here; its script draws the others from the data that it embeds.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, StrictUndefined, Template
from markupsafe import Markup

from resect.catalog import OUTCOMES
from resect.findings.rows import Model as ModelRow
from resect.findings.rows import Study, Summary, Task
from resect.report import figures
from resect.report import formatting as text
from resect.report.charts.chart_data import BarChart, LineChart
from resect.report.data import bias_tables, published_tables, tables, verdict_tables
from resect.report.data import overview as overview_tables
from resect.report.data import reliability_tables as reliability
from resect.report.data.answer_tables import perplexity_table
from resect.report.data.configurations import configuration_tables
from resect.report.data.divergent_items import divergent_pairs
from resect.report.data.examples import ShownAnswer, examples
from resect.report.data.metrics import Offer, offers
from resect.report.data.panels import outcomes_seen
from resect.report.data.scope import Scope
from resect.report.data.table import Table
from resect.report.figures import Figure
from resect.report.page.payload import packed

LIMITS = (
    "This is not a statement of clinical safety. “Within the margin” means within the margin on "
    "these items, under these protocols, and on nothing else.",
    "An answer counts as right when it equals the keyed label; nothing here looks at harm, at "
    "reasoning, or at how a clinician would use the text.",
)
KINDS = ("curves", "outcomes", "differences", "bias", "trust", "reliable", "open", "pareto")
"""The kinds of figures, each in its section."""

NO_SCRIPT = "figure[hidden]{display:block!important}"


class StaticFigure(NamedTuple):
    """A figure that the page holds as a drawing; `place` is where it stands among all figures."""

    place: int
    kind: str
    task: str
    recipe: str
    metric: str
    svg: Markup
    table: Table
    hidden: bool


def render(summary: Summary, answers: Sequence[ShownAnswer] = ()) -> str:
    """The whole page as HTML. Missing findings are named in it, never printed as None or nan.

    Strings of the answers are untrusted and come out as text.
    """
    scope = Scope(summary)
    every = list(figures.all_figures(scope))
    css, script = _asset("page.css"), _asset("draw.js") + _asset("page.js")
    return _template().render(
        {**_head(scope), **_sections(scope, every), **_findings(scope, answers)},
        css=Markup(css),
        script=Markup(script),
        no_script_css=Markup(NO_SCRIPT),
        policy=policy((css, NO_SCRIPT), script),
        data=Markup(packed(summary, every)),
    )


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


@cache
def _template() -> Template:
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
    return environment.from_string(_asset("page.html.jinja"))


def _head(scope: Scope) -> dict[str, object]:
    """Who, what and how: the parts of the page that no finding fills."""
    summary = scope.summary
    listed = {model.name: model for model in summary.models}
    headline = summary.verdict.headline or "No verdict was computed for this run."
    return {
        "name": summary.study.name or "unnamed study",
        "headline": _first_sentence(headline),
        "sentences": summary.verdict.sentences,
        "limits": LIMITS,
        "models": [(model, listed.get(model.name, _UNLISTED)) for model in scope.models],
        "tasks": scope.tasks,
        "protocols": [_protocol(task) for task in summary.tasks],
        "recipes": scope.recipes,
        "views": scope.views,
        "recorded": summary.study.recorded,
        "warnings": summary.warnings,
        "troubled": tables.troubled_table(scope),
        "missing": tables.missing(scope),
        "provenance": tables.flat(summary.provenance),
        "asked": _asked(summary.study),
        "resamples": summary.study.resamples,
        "limit": text.LIMIT,
        "some_breaks": bool(summary.breaks_first),
        "some_domains": bool(summary.domains),
        "some_rates": bool(summary.reliability),
        "some_abstention": bool(summary.abstention),
    }


_UNLISTED = ModelRow(
    name="", role="", id="", revision=None, fingerprint=None, dtype=None, parent=None
)


def _asked(study: Study) -> list[tuple[str, str]]:
    """The study as it was declared, key by key."""
    declared = {key: value for key, value in asdict(study).items() if key != "recorded"}
    declared["recipes"] = {
        row.name if row.seed is None else f"{row.name} with seed {row.seed}": list(row.levels)
        for row in study.recipes
    }
    return tables.flat(declared)


def _first_sentence(headline: str) -> tuple[str, str]:
    """The first sentence of a headline, and the rest."""
    first, dot, rest = headline.partition(". ")
    return first + dot.strip(), rest


def _protocol(task: Task) -> dict[str, object]:
    """What one task is and what its floors are, for the section on tasks."""
    named = (
        ("chance", task.floors.chance),
        (f"majority ({text.plain(task.floors.majority_label)})", task.floors.majority),
        (f"always {text.plain(task.positive)}", task.floors.always_positive),
    )
    gold = [f"{text.plain(label)} {text.count(n)}" for label, n in task.gold.items()]
    return {
        "name": task.name,
        "summary": task.summary,
        "protocol": task.protocol,
        "scored": task.scored,
        "primary": task.primary,
        "margin": text.percent(task.margin),
        "n": text.count(task.n),
        "gold": ", ".join(gold) or text.DASH,
        "floors": [(label, text.percent(value)) for label, value in named if value is not None],
    }


def _sections(scope: Scope, every: Sequence[Figure]) -> dict[str, object]:
    """The figures that open with the page, and what its switches offer."""
    present: dict[str, set[str]] = {kind: set() for kind in KINDS}
    for figure in every:
        present[figure.kind].add(figure.metric)
    switches = {
        "curves": offers("curve", present["curves"]),
        "bias": offers("bias", present["bias"]),
        "trust": offers("trust", present["trust"]),
        "open": offers("answer", present["open"]),
    }
    drawings: dict[str, list[StaticFigure]] = {kind: [] for kind in KINDS}
    for place, figure in enumerate(every):
        if _opens(figure, scope, switches.get(figure.kind, [])):
            drawings[figure.kind].append(_drawing(place, figure, scope))
    return {
        **drawings,
        "switches": switches,
        "present": present,
        "outcome_key": [(name, *_outcome(name)) for name in outcomes_seen(scope)],
        "reliable_says": reliability.explained(scope),
    }


def _opens(figure: Figure, scope: Scope, switch: Sequence[Offer]) -> bool:
    """Whether a figure is drawn here: it opens with the page, or is of a kind that always is."""
    if not isinstance(figure.chart, LineChart | BarChart):
        return True
    first = not switch or figure.metric == switch[0].key
    return first and figure.recipe == scope.recipes[0]


def _drawing(place: int, figure: Figure, scope: Scope) -> StaticFigure:
    hidden = bool(figure.recipe) and figure.recipe != scope.recipes[0]
    drawn, table = Markup(figures.draw(figure)), figures.table(figure)
    return StaticFigure(place, *figure[:4], drawn, table, hidden)


def _outcome(name: str) -> tuple[str, str]:
    return tables.outcome_label(name), OUTCOMES[name].explains if name in OUTCOMES else ""


def _findings(scope: Scope, answers: Sequence[ShownAnswer]) -> dict[str, object]:
    """Findings as tables; those that each recipe has as (recipe, finding) pairs."""
    by_recipe: dict[str, Callable[[Scope, str], object]] = {
        "reach": verdict_tables.reach,
        "tests": verdict_tables.tests,
        "glance": overview_tables.glance,
        "comparisons": tables.comparison_table,
        "robustness": tables.robustness_table,
        "cliffs": tables.cliff_table,
        "breaks": overview_tables.breaks_table,
        "slices": overview_tables.slices_table,
        "trust_tables": bias_tables.trust_table,
        "first_tables": reliability.first_table,
        "domain_tables": reliability.domain_table,
        "rate_tables": reliability.rate_table,
        "abstention_tables": reliability.abstention_table,
        "perplexity_tables": perplexity_table,
    }
    return {
        **{
            name: [(recipe, rows_of(scope, recipe)) for recipe in scope.recipes]
            for name, rows_of in by_recipe.items()
        },
        "smallest": verdict_tables.smallest(scope),
        "verdicts": verdict_tables.verdict_table(scope),
        "guardrails": verdict_tables.guardrails_table(scope),
        "divergences": divergent_pairs(scope, answers),
        "published": published_tables.published(scope),
        "intact": published_tables.intact_table(scope),
        "configurations": configuration_tables(scope),
        "sizes": tables.size_table(scope),
        "some_sizes": tables.size_table(scope, 5),
        "examples": examples(answers, scope),
    }

"""A summary and a few answers to one self-contained HTML page.

The page asks nothing of any host: styles, script, figures and data stand in it, and its
Content-Security-Policy allows the one style and the one script by their hashes. The figures that
it opens with stand in the document; the others are packed with the data until they are asked for.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from resect.catalog import OUTCOMES, Group
from resect.findings.rows import Model as ModelRow
from resect.findings.rows import Study, Summary, Task
from resect.findings.summary_file import to_data
from resect.report import figures
from resect.report import formatting as text
from resect.report.charts import svg
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
    "This is not a statement of clinical safety. “Passed” means within the margin on these items, "
    "under these protocols, and nothing else.",
    "An answer is right when it equals the keyed label. Harm, reasoning and how a clinician would "
    "use the text are not measured.",
)
KINDS = ("curves", "outcomes", "differences", "bias", "trust", "reliable", "open", "pareto")
"""The kinds of figures, each in its section."""

SWITCHES: dict[str, Group] = {"curves": "curve", "bias": "bias", "trust": "trust", "open": "answer"}
"""The kinds of figures with a switch, and the metrics of the catalogue that it offers."""

NO_SCRIPT = "figure[hidden]{display:block!important}"


class Drawing(NamedTuple):
    """A figure as the page shows it; `place` is where it stands among all figures."""

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
    present = {kind: {figure.metric for figure in every if figure.kind == kind} for kind in KINDS}
    switches = {kind: offers(group, present[kind]) for kind, group in SWITCHES.items()}
    opening, later = _figures(scope, every, switches)
    css, script = _palette() + _asset("page.css"), _asset("unpack.js") + _asset("page.js")
    template = _environment().get_template("page.html.jinja")
    return template.render(
        {**_head(scope), **_findings(scope, answers), **opening},
        present=present,
        switches=switches,
        css=Markup(css),
        script=Markup(script),
        no_script_css=Markup(NO_SCRIPT),
        policy=policy((css, NO_SCRIPT), script),
        data=Markup(packed({"summary": to_data(summary), "figures": later})),
    )


def _figures(
    scope: Scope, every: Sequence[Figure], switches: Mapping[str, Sequence[Offer]]
) -> tuple[dict[str, list[Drawing]], list[dict[str, object]]]:
    """The figures that the page opens with, by kind; and the others as data for its script."""
    opening: dict[str, list[Drawing]] = {kind: [] for kind in KINDS}
    later: list[dict[str, object]] = []
    html_of = _environment().get_template("figure.html.jinja").make_module().figure  # type: ignore[attr-defined]
    for place, figure in enumerate(every):
        hidden = bool(figure.recipe) and figure.recipe != scope.recipes[0]
        drawn, table = Markup(figures.draw(figure)), figures.table(figure)
        drawing = Drawing(place, *figure[:4], drawn, table, hidden)
        if _opens(figure, scope, switches.get(figure.kind, [])):
            opening[figure.kind].append(drawing)
        else:
            keys = zip(Drawing._fields, drawing[:5], strict=False)  # what decides when it is shown
            later.append({**dict(keys), "html": str(html_of(drawing))})
    return opening, later


def _palette() -> str:
    """CSS that names the colours of figures, and repaints what has the class of one of them.

    On dark paper page.css gives some of the names other colours.
    """
    colours = {f"m{i}": colour for i, colour in enumerate(svg.COLOURS)}
    colours |= {f"o-{name}": outcome.colour for name, outcome in OUTCOMES.items()}
    names = "".join(f"--{name}:{colour};" for name, colour in colours.items())
    return f":root{{{names}}}\n" + "".join(f".{name}{{--own:var(--{name})}}\n" for name in colours)


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
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("resect.report", "page"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, Markup) else text.plain(value),
    )
    for name in ("raw", "stacked", "parameters", "count", "percent"):
        environment.filters[name] = getattr(text, name)
    return environment


def _head(scope: Scope) -> dict[str, object]:
    """The parts of the page that are not findings: models, tasks, warnings, provenance."""
    summary = scope.summary
    listed = {model.name: model for model in summary.models}
    first, dot, rest = scope.headline.partition(". ")
    return {
        "name": summary.study.name or "unnamed study",
        "headline": (first + dot.strip(), rest),
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


def _opens(figure: Figure, scope: Scope, switch: Sequence[Offer]) -> bool:
    """Whether a figure stands in the document: the page opens with it, or its kind always does."""
    if not isinstance(figure.chart, LineChart | BarChart):
        return True
    first = not switch or figure.metric == switch[0].key
    return first and figure.recipe == scope.recipes[0]


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
        "runtimes": tables.runtime_table(scope),
        "some_sizes": tables.size_table(scope, 5),
        "examples": examples(answers, scope),
        "outcome_key": [
            (name, tables.outcome_label(name), OUTCOMES[name].explains if name in OUTCOMES else "")
            for name in outcomes_seen(scope)
        ],
        "reliable_says": reliability.explained(scope),
    }

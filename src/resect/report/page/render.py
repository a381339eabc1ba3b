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
from typing import Any, NamedTuple

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from resect.catalog import OUTCOMES, Group
from resect.findings.rows import Model as ModelRow
from resect.findings.rows import Study, Summary, Task
from resect.findings.summary_file import to_data
from resect.report import figures
from resect.report import formatting as text
from resect.report.charts import svg
from resect.report.charts.bars import letter
from resect.report.charts.chart_data import BarChart, LineChart
from resect.report.data import bias_tables, published_tables, tables, verdict_tables
from resect.report.data import overview as overview_tables
from resect.report.data import reliability_tables as reliability
from resect.report.data.answer_book import answer_book
from resect.report.data.answer_tables import perplexity_table
from resect.report.data.configurations import configuration_tables
from resect.report.data.divergent_items import divergent_pairs
from resect.report.data.matrix import matrices, unread
from resect.report.data.metrics import Offer, offers
from resect.report.data.panels import outcomes_seen
from resect.report.data.scope import Scope
from resect.report.data.table import Table
from resect.report.figures import Figure
from resect.report.page.payload import packed
from resect.report.page.sections import TABS, listed, titles

LIMITS = (
    "This is not a statement of clinical safety. “Passed” means within the margin on these items, "
    "under these protocols, and nothing else.",
    "An answer is right when it equals the keyed label. Harm, reasoning and how a clinician would "
    "use the text are not measured.",
)
KINDS = (
    "curves", "overlay", "outcomes", "differences", "bias", "trust", "reliable", "open", "pareto",
)  # fmt: skip
"""The kinds of figures, each in its section."""

SWITCHES: dict[str, Group] = {"curves": "curve", "bias": "bias", "trust": "trust", "open": "answer"}
"""The kinds of figures with a switch, and the metrics of the catalogue that it offers."""

BY = (
    Offer("level", "Level", "By the level of each recipe, in its own unit."),
    Offer("bytes", "Bytes on disk", "By the bytes that each version was measured to take on disk."),
)
"""What recipes are laid side by side by."""

SCRIPTS = ("unpack.js", "answers.js", "page.js")

MODELS = ",".join(f"[data-kind={kind}]" for kind in ("curves", "trust", "open"))
"""The figures in which a colour is a model, so that a filter by model hides the others."""

NO_SCRIPT = "figure[hidden]{display:block!important}"


class Drawing(NamedTuple):
    """A figure as the page shows it; `place` is where it stands among all figures."""

    place: int
    kind: str
    task: str
    recipe: str
    metric: str
    slot: str
    svg: Markup
    table: Table
    hidden: bool


def render(summary: Summary, answers: pd.DataFrame | None = None) -> str:
    """The whole page as HTML, with the answers (`Run.answers`) packed in it where they are given.

    Strings of the answers are untrusted and come out as text.
    """
    scope = Scope(summary)
    every = list(figures.all_figures(scope))
    present = {kind: {figure.metric for figure in every if figure.kind == kind} for kind in KINDS}
    switches = {kind: offers(group, present[kind]) for kind, group in SWITCHES.items()}
    switches["overlay"] = [offer for offer in BY if offer.key in present["overlay"]]
    book = None if answers is None else answer_book(answers)
    findings = {**_head(scope), **_findings(scope)}
    shown = titles(_filled(summary, findings, present))
    opening, later = _figures(scope, every, switches)
    css, script = _palette() + _asset("page.css"), "".join(map(_asset, SCRIPTS))
    template = _environment().get_template("page.html.jinja")
    return template.render(
        {**findings, **opening},
        tabs=TABS.items(),
        titles=shown,
        sections=listed(shown),
        some_answers=book is not None,
        book=Markup(packed(book) if book else ""),
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
        slot = str(scope.by_name[figure.model].slot) if figure.model else ""
        drawing = Drawing(place, *figure[:4], slot, drawn, table, hidden)
        if _opens(figure, scope, switches.get(figure.kind, [])):
            opening[figure.kind].append(drawing)
        else:
            keys = zip(Drawing._fields, drawing[:6], strict=False)  # what decides when it is shown
            later.append({**dict(keys), "html": str(html_of(drawing))})
    return opening, later


def _palette() -> str:
    """CSS that names the colours of figures, and repaints what has the class of one of them.

    On dark paper page.css gives some of the names other colours.
    """
    colours = {f"m{i}": colour for i, colour in enumerate(svg.COLOURS)}
    colours |= {f"o-{name}": outcome.colour for name, outcome in OUTCOMES.items()}
    names = "".join(f"--{name}:{colour};" for name, colour in colours.items())
    own = "".join(f".{name}{{--own:var(--{name})}}\n" for name in colours)
    places = range(len(svg.COLOURS))
    others = {i: ",".join(f".m{k}" for k in places if k != i) for i in places}
    hidden = "".join(
        f"[data-model='{i}'] figure:is({MODELS}) svg g:is({names}){{display:none}}\n"
        for i, names in others.items()
    )
    return f":root{{{names}}}\n{own}{hidden}"


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
    for name in ("stacked", "unbroken", "parameters", "count", "percent"):
        environment.filters[name] = getattr(text, name)
    return environment


def _head(scope: Scope) -> dict[str, object]:
    """The parts of the page that are not findings: models, tasks, warnings, provenance."""
    summary = scope.summary
    listed = {model.name: model for model in summary.models}
    return {
        "name": summary.study.name or "unnamed study",
        "headline": scope.headline,
        "lines": summary.headline.lines,
        "caveats": summary.headline.caveats,
        "matrices": [matrix for model in scope.models for matrix in matrices(scope, model)],
        "unread": unread(scope),
        "standings": overview_tables.standings(scope),
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


def _filled(
    summary: Summary, findings: Mapping[str, Any], present: Mapping[str, set[str]]
) -> dict[str, bool]:
    """Whether each section that may be empty has something to say."""
    return {
        "matrix": bool(findings["matrices"]),
        "passed": bool(summary.verdicts),
        "warnings": bool(summary.warnings or findings["troubled"].body),
        "curves": bool(present["curves"]),
        "overlay": bool(present["overlay"]),
        "outcomes": bool(present["outcomes"]),
        "cliffs": bool(summary.cliffs),
        "robustness": bool(present["differences"] or summary.robustness),
        "bias": bool(present["bias"]),
        "trust": bool(present["trust"]),
        "reliability": bool(present["reliable"]),
        "open": bool(present["open"]),
        "size": bool(summary.measurements or present["pareto"]),
        "divergent": bool(findings["divergences"]),
        "tasks": bool(summary.tasks),
    }


def _findings(scope: Scope) -> dict[str, Any]:
    """Findings as tables; those that each recipe has as (recipe, finding) pairs."""
    by_recipe: dict[str, Callable[[Scope, str], object]] = {
        "tests": verdict_tables.tests,
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
        "divergences": divergent_pairs(scope),
        "published": published_tables.published(scope),
        "intact": published_tables.intact_table(scope),
        "configurations": configuration_tables(scope),
        "sizes": tables.size_table(scope),
        "runtimes": tables.runtime_table(scope),
        "some_sizes": tables.size_table(scope, 5),
        "outcome_key": [
            (
                name,
                letter(name),
                tables.outcome_label(name),
                OUTCOMES[name].explains if name in OUTCOMES else "",
            )
            for name in outcomes_seen(scope)
        ],
        "reliable_says": reliability.explained(scope),
    }

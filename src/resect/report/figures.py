"""Every figure of a run: its numbers, its drawing, its table; and files for papers.

Colours are plain attributes with a class beside them, so that a page may repaint them and a saved
file keeps them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from resect.errors import RequestError
from resect.findings.rows import Summary
from resect.report.charts.bars import outcome_bars
from resect.report.charts.chart_data import BarChart, LineChart
from resect.report.charts.forest import differences
from resect.report.charts.lines import line_chart
from resect.report.charts.pareto import scatter
from resect.report.data import overlays, panels
from resect.report.data.answer_tables import open_chart, open_metrics, open_tasks
from resect.report.data.bias_tables import LEANING, leaning_chart, share_charts
from resect.report.data.metrics import curve_metrics, drawn, own_metric
from resect.report.data.reliability_tables import reliability_panels
from resect.report.data.scope import Scope
from resect.report.data.table import Table
from resect.report.data.tables import KINDS, bar_table, difference_table, line_table
from resect.report.data.versions import TITLES, Front, front, front_table

SCALE = 3
"""Pixels of a PNG per unit of the drawing."""

FONTS = ("Arial", "Helvetica", "Liberation Sans", "DejaVu Sans", "Noto Sans", "Segoe UI")
"""What a PNG may be lettered in."""

_PROBE = (
    '<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20">'
    '<text x="2" y="15" font-family="{family}">{letters}</text></svg>'
)


class Figure(NamedTuple):
    """One figure: `kind` and the keys say when a page shows it, `part` tells alike apart.

    `model` is set where a figure is of one model alone.
    """

    kind: str
    task: str
    recipe: str
    metric: str
    chart: LineChart | BarChart | panels.DifferencePanel | Front
    part: str = ""
    model: str = ""


def all_figures(scope: Scope) -> Iterator[Figure]:
    """Every figure of a run, recipe by recipe, each kind together."""
    yield from _curves(scope)
    yield from _overlays(scope)
    for recipe in scope.recipes:
        yield from _outcomes(scope, recipe)
        for kind in KINDS:
            for panel in panels.difference_panels(scope, recipe, kind):
                part = f"{panel.a}-{panel.b}"
                yield Figure("differences", "", recipe, kind, panel, part)
        yield from _leaning(scope, recipe)
        for i, pair in enumerate(reliability_panels(scope, recipe)):
            part = f"{pair.metric}-{i}"
            yield Figure("reliable", pair.task, recipe, "", pair.chart, part)
        yield from _open(scope, recipe)
    for by in TITLES:
        versions = front(scope, by)
        if versions is not None:
            yield Figure("pareto", "", "", by, versions)


def _curves(scope: Scope) -> Iterator[Figure]:
    """Curves of each metric, task and recipe; one metric has one axis of values everywhere."""
    for metric in curve_metrics(scope):
        charts: dict[tuple[str, str, str], LineChart] = {}
        for recipe in scope.recipes:
            for task in scope.tasks:
                shown = own_metric(scope, task) if metric == "accuracy" else metric
                charts[shown, task, recipe] = panels.curve_chart(scope, task, recipe, shown)
        for (_, task, recipe), chart in panels.on_one_axis(charts).items():
            yield Figure("curves", task, recipe, metric, chart)


def _overlays(scope: Scope) -> Iterator[Figure]:
    """All recipes of a model in one plot, by level and by measured bytes."""
    for by in overlays.AXES:
        charts: dict[tuple[str, str, str], LineChart] = {}
        for task in scope.tasks:
            for model in scope.models:
                chart = overlays.overlay_chart(scope, task, model, by)
                if chart is not None:
                    charts[own_metric(scope, task), task, model.name] = chart
        for (_, task, name), chart in panels.on_one_axis(charts).items():
            yield Figure("overlay", task, "", by, chart, name, name)


def _outcomes(scope: Scope, recipe: str) -> Iterator[Figure]:
    names = panels.outcomes_seen(scope)
    for task in scope.tasks:
        for model in scope.models:
            chart = panels.outcome_chart(scope, task, recipe, model, names)
            if chart is not None:
                yield Figure("outcomes", task, recipe, "", chart, model.name, model.name)


def _leaning(scope: Scope, recipe: str) -> Iterator[Figure]:
    for task in scope.tasks:
        for i, chart in enumerate(share_charts(scope, task, recipe)):
            yield Figure("bias", task, recipe, "shares", chart, str(i))
    for group in LEANING:
        for metric in drawn(group):
            for task in scope.tasks:
                measure = leaning_chart(scope, group, metric, task, recipe)
                if measure is not None:
                    yield Figure(group, task, recipe, metric, measure)


def _open(scope: Scope, recipe: str) -> Iterator[Figure]:
    for metric in open_metrics(scope):
        for task in open_tasks(scope):
            chart = open_chart(scope, metric, task, recipe)
            if chart is not None:
                yield Figure("open", task, recipe, metric, chart)


def draw(figure: Figure) -> str:
    """A figure as SVG."""
    chart = figure.chart
    if isinstance(chart, LineChart):
        return line_chart(chart)
    if isinstance(chart, BarChart):
        return outcome_bars(chart)
    return differences(chart) if isinstance(chart, panels.DifferencePanel) else scatter(chart)


def table(figure: Figure) -> Table:
    """The numbers of a figure."""
    chart = figure.chart
    if isinstance(chart, LineChart):
        return line_table(chart)
    if isinstance(chart, BarChart):
        return bar_table(chart)
    if isinstance(chart, panels.DifferencePanel):
        return difference_table(chart)
    return front_table(chart)


def is_blank(figure: Figure) -> bool:
    """Whether no line of a figure has a value."""
    chart = figure.chart
    return isinstance(chart, LineChart) and not any(line.known for line in chart.lines)


# ── files ───────────────────────────────────────────────────────────────────────────────────────


def standalone(figure: str) -> str:
    """A figure as a file of its own: white paper, without the page's hidden parts."""
    shown = re.sub(r'<g class="stops"[^>]*/>|<line [^>]*class="cursor"[^>]*/>', "", figure)
    head, rest = shown.split(">", 1)
    return f'{head}><rect width="100%" height="100%" fill="#ffffff"/>{rest}'


def can_rasterise() -> bool:
    """Whether figures can be written as PNG too: the extra `figures` and a font are installed."""
    try:
        import resvg_py  # noqa: F401
    except ImportError:
        return False
    return font() is not None


@cache
def font() -> str | None:
    """The first of `FONTS` that is installed: one that is not would leave letters out silently."""
    blank = _png(_PROBE.format(family=FONTS[0], letters=""), None)
    for family in FONTS:
        if _png(_PROBE.format(family=family, letters="x"), family) != blank:
            return family
    return None


def save(summary: Summary, folder: str | Path) -> list[Path]:
    """Write every figure into `folder` as SVG and, with the extra `figures`, as PNG.

    Names are made of task, recipe and metric; unusual characters become _.
    """
    place, png = Path(folder).expanduser(), can_rasterise()
    try:
        place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RequestError(f"the folder {place} cannot be written ({error.strerror}).") from None
    paths: list[Path] = []
    taken: set[str] = set()
    for figure in all_figures(Scope(summary)):
        if is_blank(figure):
            continue
        path = place / f"{_stem(figure, taken)}.svg"
        drawing = standalone(draw(figure))
        path.write_text(drawing, encoding="utf-8")
        paths.append(path)
        if png:
            image = path.with_suffix(".png")
            image.write_bytes(rasterised(drawing))
            paths.append(image)
    return paths


def _stem(figure: Figure, taken: set[str]) -> str:
    """A file's name without its ending, another one for each figure."""
    parts = [figure.kind, figure.task, figure.recipe, figure.metric, figure.part]
    name = "-".join(part for part in parts if part) if figure.kind != "pareto" else figure.metric
    base = re.sub(r"[^\w.-]+", "_", name).strip("._")[:150] or "figure"
    names = (base, *(f"{base}-{number}" for number in range(2, len(taken) + 2)))
    stem = next(name for name in names if name not in taken)
    taken.add(stem)
    return stem


def rasterised(drawing: str) -> bytes:
    """A standalone SVG as a PNG of `SCALE` pixels a unit."""
    return _png(drawing, font())


def _png(drawing: str, family: str | None) -> bytes:
    import resvg_py

    image = resvg_py.svg_to_bytes(
        svg_string=drawing, zoom=SCALE, font_family=family, sans_serif_family=family
    )
    return bytes(image)

"""Every figure of a report: findings to SVG text, and to files for papers. Pure but for `save`.

Each drawing takes the NamedTuple of its numbers. Colours are plain attributes with a class beside
them, so that a page may repaint them and a saved file keeps them.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from resect.report import formatting as text
from resect.report.charts import line_chart as lines
from resect.report.charts import pareto, svg
from resect.report.charts.bars import OUTCOME_SAYS, outcomes
from resect.report.charts.curve_panels import curves
from resect.report.charts.forest import differences
from resect.report.data import answer_tables as answers
from resect.report.data import bias_tables as measures
from resect.report.data import panels
from resect.report.data import reliability_tables as reliable
from resect.report.data import scope as reading

__all__ = ["OUTCOME_SAYS", "browser", "curves", "differences", "drawn", "outcomes", "save"]

SCALE = 3
"""Pixels of a PNG per unit of the drawing."""


def drawn(summary: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(name, SVG) of every figure of the run: curves, outcomes, differences, bias, trust, size."""
    clean = text.without_nan(summary)
    seen = panels.outcomes_seen(clean)
    tasks, models = reading.tasks(clean), reading.models(clean)
    for recipe in reading.recipes(clean):
        for task in tasks:
            for metric in panels.METRICS:
                shown = answers.own_metric(clean, task) if metric == "accuracy" else metric
                panel = panels.curve_panel(clean, task, recipe, shown)
                if any(p.value is not None for one in panel.series for p in one.points):
                    yield f"curves-{task}-{recipe}-{metric}", curves(panel)
            for model in models:
                bars = panels.outcome_panel(clean, task, recipe, model)
                if bars.levels:
                    yield f"outcomes-{task}-{recipe}-{model.name}", outcomes(bars, seen)
            yield from _charts(clean, task, recipe)
        for i, one in enumerate(reliable.panels(clean, recipe)):
            yield f"reliable-{one.task}-{recipe}-{one.metric}-{i}", lines.draw(one.chart)
        for kind in ("absolute", "retention"):
            for forest in panels.difference_panels(clean, recipe, kind):
                yield f"differences-{recipe}-{kind}-{forest.a}-{forest.b}", differences(forest)
    for by in pareto.TITLES:
        front = pareto.front(clean, by)
        if front:
            yield by, pareto.draw(front)


def _charts(summary: Mapping[str, Any], task: str, recipe: str) -> Iterator[tuple[str, str]]:
    for i, chart in enumerate(measures.share_charts(summary, task, recipe)):
        yield f"bias-{task}-{recipe}-shares-{i}", lines.draw(chart)
    for metric in answers.METRICS:
        one = answers.chart(summary, metric, task, recipe)
        if one is not None and task in answers.tasks(summary):
            yield f"open-{task}-{recipe}-{metric}", lines.draw(one)
    for key, names in (("bias", measures.BIAS), ("trust", measures.TRUST)):
        for metric in names:
            found = measures.chart(summary, key, metric, task, recipe)
            if found and metric != "shares":
                yield f"{key}-{task}-{recipe}-{metric}", lines.draw(found)


def standalone(figure: str) -> str:
    """A figure as a file of its own: white paper, real size, without the page's hidden parts."""
    whole = re.sub(r'<(line|g) class="(cursor|stops)"[^>]*/>', "", figure)
    whole = re.sub(r'<line [^>]*class="cursor"[^>]*/>', "", whole)
    width, height = _size(whole)
    head, rest = whole.split(">", 1)
    paper = f'<rect width="{width:g}" height="{height:g}" fill="#ffffff"/>'
    return f'{head} width="{width:g}" height="{height:g}">{paper}{rest}'


def _size(figure: str) -> tuple[float, float]:
    found = re.search(r'viewBox="0 0 ([\d.]+) ([\d.]+)"', figure)
    return (float(found.group(1)), float(found.group(2))) if found else (svg.WIDTH, svg.WIDTH)


def browser() -> str | None:
    """A browser that can turn SVG into PNG, None where there is none."""
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    return next((found for name in names if (found := shutil.which(name))), None)


def save(summary: Mapping[str, Any], folder: str | Path) -> list[Path]:
    """Write every figure into `folder` as SVG and, where a browser is found, as PNG.

    Names are made of task, recipe and metric; signs that a file system may not like become _.
    """
    place = Path(folder).expanduser()
    place.mkdir(parents=True, exist_ok=True)
    paths, chrome = [], browser()
    with tempfile.TemporaryDirectory() as profile:
        for name, figure in drawn(summary):
            stem = re.sub(r"[^\w.-]+", "_", name).strip("._")[:150] or "figure"
            path = place / f"{stem}.svg"
            path.write_text(standalone(figure), encoding="utf-8")
            paths.append(path)
            image = path.with_suffix(".png")
            if chrome and _photographed(chrome, path, image, _size(figure), profile):
                paths.append(image)
    return paths


def _photographed(
    chrome: str, source: Path, image: Path, size: tuple[float, float], profile: str
) -> bool:
    """Whether the browser wrote `image` from `source`; never raises for a browser's mood."""
    command = [
        chrome, "--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
        "--no-first-run", "--disable-background-networking", "--disable-sync",
        f"--user-data-dir={profile}", f"--force-device-scale-factor={SCALE}",
        f"--window-size={size[0]:.0f},{size[1]:.0f}", f"--screenshot={image.resolve()}",
        source.resolve().as_uri(),
    ]  # fmt: skip
    try:
        subprocess.run(command, capture_output=True, timeout=60, check=True)
    except (OSError, subprocess.SubprocessError):
        return False
    return image.is_file()

"""The data that a page embeds, once: the summary and the numbers of its figures, packed small.

Rows become columns, numbers are rounded to five digits, and the JSON is gzipped in base64. The
page's script (draw.js) unpacks it.
"""

from __future__ import annotations

import base64
import gzip
import json
from collections.abc import Sequence
from typing import Any

from resect.findings.rows import Summary
from resect.findings.summary_file import to_data
from resect.report.charts.bars import outcome_colour
from resect.report.charts.chart_data import BarChart, Line, LineChart, Mark
from resect.report.data.tables import outcome_label
from resect.report.figures import Figure
from resect.report.formatting import plain

DIGITS = 5
"""Significant digits of a number in a page."""


SCALARS = {int, float, str, bool, type(None)}


def packed(summary: Summary, figures: Sequence[Figure]) -> str:
    """The payload as base64, which holds no sign that could end a `script` element."""
    data = {
        "summary": compact(to_data(summary)),
        "figures": compact([_figure(figure) for figure in figures]),
    }
    shown = json.dumps(data, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return base64.b64encode(gzip.compress(shown.encode(), mtime=0)).decode()


def compact(value: Any) -> Any:
    """JSON-like data with rounded numbers, and each list of objects as columns.

    A table is `{"#": rows, "columns": {key: values}}`; a column that some rows lack is
    `{"at": rows that have it, "values": values}`.
    """
    if isinstance(value, float):
        return rounded(value)
    if isinstance(value, dict):
        return {key: compact(entry) for key, entry in value.items()}
    if not isinstance(value, list | tuple):
        return value
    types = set(map(type, value))
    if types <= SCALARS:
        if float not in types:
            return value
        return [rounded(entry) if type(entry) is float else entry for entry in value]
    if len(value) < 2 or types != {dict}:
        return [compact(entry) for entry in value]
    keys = dict.fromkeys(key for entry in value for key in entry)
    return {"#": len(value), "columns": {key: _column(value, key) for key in keys}}


def _column(rows: Sequence[dict[str, Any]], key: str) -> Any:
    if all(key in row for row in rows):
        return {"values": compact([row[key] for row in rows])}
    having = [i for i, row in enumerate(rows) if key in row]
    return {"at": having, "values": compact([rows[i][key] for i in having])}


def rounded(value: float) -> float:
    """A number with `DIGITS` significant digits."""
    return float(f"{value:.{DIGITS}g}")


def _figure(figure: Figure) -> dict[str, Any]:
    keys = {"kind": figure.kind, "task": figure.task, "recipe": figure.recipe}
    return {**keys, "metric": figure.metric, "chart": _chart(figure.chart)}


def _chart(chart: object) -> dict[str, Any] | None:
    """A chart for the script; None where the page always holds it as a drawing."""
    if isinstance(chart, BarChart):
        return {
            "title": plain(chart.title),
            "levels": chart.levels,
            "names": [plain(name) for name in chart.names],
            "colours": [outcome_colour(name) for name in chart.names],
            "labels": [plain(outcome_label(name)) for name in chart.names],
            "shares": [[shares.get(name, 0.0) for name in chart.names] for shares in chart.shares],
            "right": chart.right,
        }
    if not isinstance(chart, LineChart):
        return None
    return {
        "title": plain(chart.title),
        "subtitle": plain(chart.subtitle),
        "note": chart.note,
        "tall": chart.tall,
        "share": chart.share,
        "axis": [chart.axis.kind, chart.axis.low, chart.axis.high, chart.axis.ticks],
        "range": [chart.low, chart.high],
        "floors": [[plain(floor.label), floor.value] for floor in chart.floors],
        "marks": [_mark(mark) for mark in chart.marks],
        "lines": [_line(line) for line in chart.lines],
    }


def _mark(mark: Mark) -> list[Any]:
    return [mark.slot, mark.view, mark.kind, mark.x, mark.low, mark.high, mark.censored]


def _line(line: Line) -> dict[str, Any]:
    spots = line.spots
    return {
        "label": plain(line.label),
        "slot": line.slot,
        "view": line.view,
        "seeds": line.seeds,
        "reference": line.reference,
        "level": [spot.level for spot in spots],
        "x": [spot.x for spot in spots],
        "value": [spot.value for spot in spots],
        "low": [spot.low for spot in spots],
        "high": [spot.high for spot in spots],
        "status": [[i, s.status] for i, s in enumerate(spots) if s.status != "success"],
    }

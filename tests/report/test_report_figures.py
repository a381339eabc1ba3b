"""The numbers in every figure equal the summary, and every drawing is well-formed SVG."""

from __future__ import annotations

import itertools
from typing import Any
from xml.etree import ElementTree

import pytest
import report_fixture as fixture

from resect.report import figures
from resect.report import formatting as text
from resect.report.charts import axes, svg
from resect.report.data import panels
from resect.report.data import scope as reading


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    return fixture.summary()


@pytest.mark.parametrize("metric", panels.METRICS)
@pytest.mark.parametrize("task", fixture.TASKS)
def test_curve_numbers_equal_the_summary(summary: dict[str, Any], task: str, metric: str) -> None:
    panel = panels.curve_panel(summary, task, "magnitude", metric)
    assert len(panel.series) == (2 if metric in panels.TEXT_ONLY else 4)
    for one in panel.series:
        rows = [
            row
            for row in summary["curves"]
            if (row["model"], row["view"], row["task"]) == (one.model.name, one.view, task)
        ]
        assert len(rows) == len(one.points) == 20
        for row, point in zip(rows, one.points, strict=True):
            if metric == "accuracy":
                wanted = (row["accuracy"], row["accuracy_low"], row["accuracy_high"])
            else:
                wanted = tuple(row["metrics"][metric][key] for key in ("value", "low", "high"))
            assert (point.value, point.low, point.high) == wanted
            assert (point.level, point.n, point.status) == (row["level"], row["n"], row["status"])


def test_floors_are_those_of_the_task(summary: dict[str, Any]) -> None:
    lines = panels.reference_lines(summary, "pubmedqa", "accuracy")
    assert [line.label for line in lines] == ["chance", "majority = always “yes”"]
    assert [line.value for line in lines] == pytest.approx([1 / 3, 276 / 500])
    assert panels.reference_lines(summary, "pubmedqa", "skill")[0].value == 0


def test_constant_f1_is_the_formula() -> None:
    gold = {"yes": 2, "no": 1, "maybe": 1}
    assert panels.constant_f1(gold, "yes") == pytest.approx((2 * 0.5 * 1 / 1.5) / 3)
    assert panels.constant_f1(gold, None) is None
    assert panels.constant_f1({}, "yes") is None


def test_half_levels_equal_the_cliffs(summary: dict[str, Any]) -> None:
    panel = panels.curve_panel(summary, "pubmedqa", "magnitude", "skill")
    wanted = [row for row in summary["cliffs"] if row["task"] == "pubmedqa"]
    found = {
        (mark.model.name, mark.view): (mark.x, mark.low, mark.high)
        for mark in panel.marks
        if mark.kind == "half"
    }
    for row in wanted:
        assert found[row["model"], row["view"]] == (row["level"], row["low"], row["high"])


def test_outcome_numbers_equal_the_summary(summary: dict[str, Any]) -> None:
    model = reading.models(summary)[0]
    panel = panels.outcome_panel(summary, "pubmedqa", "magnitude", model)
    rows = [
        row
        for row in summary["curves"]
        if (row["model"], row["view"], row["task"]) == (model.name, "text", "pubmedqa")
    ]
    assert [dict(shares) for shares in panel.shares] == [row["outcomes"] for row in rows]
    assert list(panel.right) == [row["accuracy"] for row in rows]


def test_differences_equal_the_comparisons(summary: dict[str, Any]) -> None:
    (panel,) = panels.difference_panels(summary, "magnitude", "retention")
    rows = [row for row in summary["comparisons"] if row["kind"] == "retention"]
    assert [(d.difference, d.low, d.high, d.verdict) for d in panel.rows] == [
        (row["difference"], row["low"], row["high"], row["verdict"]) for row in rows
    ]


def test_every_drawing_is_well_formed(summary: dict[str, Any]) -> None:
    drawn = [
        figures.curves(panels.curve_panel(summary, task, "magnitude", metric))
        for task in fixture.TASKS
        for metric in panels.METRICS
    ]
    seen = panels.outcomes_seen(summary)
    for model in reading.models(summary):
        drawn.append(
            figures.outcomes(panels.outcome_panel(summary, "pubmedqa", "magnitude", model), seen)
        )
    for kind in ("absolute", "retention"):
        drawn += map(figures.differences, panels.difference_panels(summary, "magnitude", kind))
    for one in drawn:
        root = ElementTree.fromstring(one)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "nan" not in one
        assert "None" not in one
        assert " style=" not in one


def test_hostile_names_stay_inside_the_drawing(summary: dict[str, Any]) -> None:
    panel = panels.curve_panel(summary, "pubmedqa", "magnitude", "accuracy")
    drawn = figures.curves(panel._replace(task=fixture.HOSTILE))
    ElementTree.fromstring(drawn)
    assert "<script" not in drawn
    assert "\u202e" not in drawn


def test_a_failed_cell_leaves_a_gap(summary: dict[str, Any]) -> None:
    panel = panels.curve_panel(summary, "pubmedqa", "magnitude", "accuracy")
    one = panel.series[0]
    holed = list(one.points)
    holed[5] = holed[5]._replace(value=None, low=None, high=None, status="failed")
    whole = figures.curves(panel._replace(series=(one,)))
    drawn = figures.curves(panel._replace(series=(one._replace(points=tuple(holed)),)))
    assert drawn.count("<path") == whole.count("<path") + 2  # one more line and one more band


def test_bits_walk_in_rising_damage() -> None:
    axis = axes.axis([0.0, 4.0, 8.0, None])
    assert list(axis.positions) == [0.0, 8.0, 4.0, None]
    assert [label for _, label in axis.ticks] == ["intact", "8 bits", "4 bits", "fixed"]


def test_the_shared_baseline_joins_a_sweep() -> None:
    summary = fixture.summary((0.0, 0.5))
    for row in summary["curves"]:
        row["recipe"] = "none" if row["level"] == 0 else "magnitude"
    assert reading.recipes(summary) == ("magnitude",)
    panel = panels.curve_panel(summary, "pubmedqa", "magnitude", "accuracy")
    assert [point.level for point in panel.series[0].points] == [0.0, 0.5]


def test_labels_are_spread_apart() -> None:
    placed = svg.spread([50, 51, 52], 10, 0, 55)
    assert placed == sorted(placed)
    assert all(b - a >= 10 for a, b in itertools.pairwise(placed))
    assert placed[-1] <= 55


@pytest.mark.parametrize(
    ("shown", "wanted"),
    [
        (text.percent(None), "–"),
        (text.percent(float("nan")), "–"),
        (text.decimal(-0.001), "0.00"),
        (text.decimal(-0.25), "−0.25"),
        (text.interval(0.612, 0.58, 0.643, share=True), "61.2 % [58.0, 64.3]"),
        (text.interval(0.5, None, None), "0.50"),
        (text.size(14483498208), "14.5\u202fGB"),
        (text.parameters(7241732096), "7.24\u202fB"),
        (text.level(0.35), "35 %"),
        (text.half({"level": None, "low": 0.95, "high": None, "censored": True}), "beyond 95 %"),
        (text.plain("a\x07b\u202ec\nd"), "a\\x07b\\u202ec d"),
    ],
)
def test_numbers_and_strings_read_well(shown: str, wanted: str) -> None:
    assert shown == wanted


def test_several_seeds_are_one_line_with_a_band_from_the_lowest_to_the_highest() -> None:
    summary = fixture.summary((0.0, 0.5))
    rows = []
    for row in summary["curves"]:
        seeds = (0,) if row["level"] == 0 else (0, 1, 2)
        for seed in seeds:
            moved = {} if row["accuracy"] is None else {"accuracy": 0.3 + 0.1 * seed**2}
            here = {**row, "seed": seed, **(moved if row["level"] else {"recipe": "none"})}
            rows.append(here)
    summary["curves"] = rows
    panel = panels.curve_panel(summary, "pubmedqa", "magnitude", "accuracy")
    assert {one.seeds for one in panel.series} == {3}
    assert len(panel.series) == len({(one.model.name, one.view) for one in panel.series})
    for one in panel.series:
        intact, cut = one.points
        assert intact.value == intact.low == intact.high
        assert (cut.value, cut.low, cut.high) == pytest.approx((1.4 / 3, 0.3, 0.7))
    drawn = figures.curves(panel)
    ElementTree.fromstring(drawn)
    assert "mean of 3 seeds, band from lowest to highest" in drawn

"""The numbers in every figure equal the summary, and every drawing is well-formed SVG."""

from __future__ import annotations

import itertools
from typing import Any
from xml.etree import ElementTree

import pytest
import report_fixture as fixture

from resect.findings.rows import HalfLevel
from resect.narrative import phrasing
from resect.report import formatting as text
from resect.report.charts import axes, svg
from resect.report.charts.bars import outcome_bars
from resect.report.charts.forest import differences
from resect.report.charts.lines import line_chart
from resect.report.data import panels
from resect.report.data.scope import Scope

METRICS = (
    "accuracy", "skill", "retention", "no_answer", "macro_f1", "format_loss", "forgotten",
)  # fmt: skip


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    return fixture.summary()


@pytest.fixture(scope="module")
def scope(summary: dict[str, Any]) -> Scope:
    return fixture.scope(summary)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("task", fixture.TASKS)
def test_curve_numbers_equal_the_summary(
    summary: dict[str, Any], scope: Scope, task: str, metric: str
) -> None:
    panel = panels.curve_chart(scope, task, "magnitude", metric)
    text_only = metric in ("no_answer", "format_loss", "forgotten")
    assert len(panel.lines) == (2 if text_only else 4)
    names = {model.slot: model.name for model in scope.models}
    for line in panel.lines:
        rows = [
            row
            for row in summary["curves"]
            if (row["model"], row["view"], row["task"]) == (names[line.slot], line.view, task)
        ]
        assert len(rows) == len(line.spots) == 20
        for row, point in zip(rows, line.spots, strict=True):
            if metric == "accuracy":
                wanted = (row["accuracy"], row["accuracy_low"], row["accuracy_high"])
            else:
                wanted = tuple(row["metrics"][metric][key] for key in ("value", "low", "high"))
            assert (point.value, point.low, point.high) == wanted
            assert (point.level, point.n, point.status) == (row["level"], row["n"], row["status"])


def test_floors_are_those_of_the_task(scope: Scope) -> None:
    task = scope.task("pubmedqa")
    floors = panels.floors_of(task, "accuracy")
    assert [floor.label for floor in floors] == ["chance 33 %", "majority = always “yes” 55 %"]
    assert [floor.value for floor in floors] == pytest.approx([1 / 3, 276 / 500])
    assert panels.floors_of(task, "skill")[0].value == 0


def test_constant_f1_is_the_formula() -> None:
    gold = {"yes": 2, "no": 1, "maybe": 1}
    assert panels.constant_f1(gold, "yes") == pytest.approx((2 * 0.5 * 1 / 1.5) / 3)
    assert panels.constant_f1(gold, None) is None
    assert panels.constant_f1({}, "yes") is None


def test_half_levels_equal_the_cliffs(summary: dict[str, Any], scope: Scope) -> None:
    panel = panels.curve_chart(scope, "pubmedqa", "magnitude", "skill")
    names = {model.slot: model.name for model in scope.models}
    wanted = [row for row in summary["cliffs"] if row["task"] == "pubmedqa"]
    found = {
        (names[mark.slot], mark.view): (mark.x, mark.low, mark.high)
        for mark in panel.marks
        if mark.kind == "half"
    }
    for row in wanted:
        assert found[row["model"], row["view"]] == (row["level"], row["low"], row["high"])


def test_outcome_numbers_equal_the_summary(summary: dict[str, Any], scope: Scope) -> None:
    model = scope.models[0]
    panel = panels.outcome_chart(scope, "pubmedqa", "magnitude", model, fixture.DRIFT)
    assert panel
    rows = [
        row
        for row in summary["curves"]
        if (row["model"], row["view"], row["task"]) == (model.name, "text", "pubmedqa")
    ]
    assert [dict(shares) for shares in panel.shares] == [row["outcomes"] for row in rows]
    assert list(panel.right) == [row["accuracy"] for row in rows]


def test_differences_equal_the_comparisons(summary: dict[str, Any], scope: Scope) -> None:
    (panel,) = panels.difference_panels(scope, "magnitude", "retention")
    rows = [row for row in summary["comparisons"] if row["kind"] == "retention"]
    named = {"b better": "base better"}
    assert [(d.difference, d.low, d.high, d.word) for d in panel.rows] == [
        (row["difference"], row["low"], row["high"], named.get(row["verdict"], row["verdict"]))
        for row in rows
    ]


def test_every_drawing_is_well_formed(scope: Scope) -> None:
    drawn = [
        line_chart(panels.curve_chart(scope, task, "magnitude", metric))
        for task in fixture.TASKS
        for metric in METRICS
    ]
    seen = panels.outcomes_seen(scope)
    for model in scope.models:
        bars = panels.outcome_chart(scope, "pubmedqa", "magnitude", model, seen)
        assert bars
        drawn.append(outcome_bars(bars))
    for kind in ("absolute", "retention"):
        drawn += map(differences, panels.difference_panels(scope, "magnitude", kind))
    for drawing in drawn:
        root = ElementTree.fromstring(drawing)
        assert root.tag == "{http://www.w3.org/2000/svg}svg"
        assert "nan" not in drawing
        assert "None" not in drawing
        assert " style=" not in drawing


def test_hostile_names_stay_inside_the_drawing(scope: Scope) -> None:
    panel = panels.curve_chart(scope, "pubmedqa", "magnitude", "accuracy")
    drawn = line_chart(panel._replace(title=fixture.HOSTILE))
    ElementTree.fromstring(drawn)
    assert "<script" not in drawn
    assert "\u202e" not in drawn


def test_a_failed_cell_leaves_a_gap(scope: Scope) -> None:
    panel = panels.curve_chart(scope, "pubmedqa", "magnitude", "accuracy")
    line = panel.lines[0]
    holed = list(line.spots)
    holed[5] = holed[5]._replace(value=None, low=None, high=None, status="failed")
    whole = line_chart(panel._replace(lines=(line,)))
    drawn = line_chart(panel._replace(lines=(line._replace(spots=tuple(holed)),)))
    assert drawn.count("<path") == whole.count("<path") + 2  # one more line and one more band


@pytest.mark.parametrize(
    ("low", "high"), [(0, 1), (-0.2, 0.9), (0, 1.1), (0, 0.04), (0, 3.3), (70, 14483498208)]
)
def test_ticks_are_round_and_few(low: float, high: float) -> None:
    values = axes.ticks(low, high)
    assert 2 <= len(values) <= 6
    assert low <= values[0] + 1e-9
    assert values[-1] <= high + 1e-9
    steps = {f"{b - a:.6g}" for a, b in itertools.pairwise(values)}
    assert len(steps) == 1
    assert f"{float(steps.pop()):e}"[:3] in ("1.0", "2.0", "2.5", "5.0")


def test_bits_walk_in_rising_damage() -> None:
    axis = axes.axis([0.0, 4.0, 8.0, None])
    assert list(axis.positions) == [0.0, 8.0, 4.0, None]
    assert [label for _, label in axis.ticks] == ["intact", "8 bits", "4 bits", "fixed"]


def test_the_shared_baseline_joins_a_sweep() -> None:
    summary = fixture.summary((0.0, 0.5))
    for row in summary["curves"]:
        row["recipe"] = "none" if row["level"] == 0 else "magnitude"
    scope = fixture.scope(summary)
    assert scope.recipes == ("magnitude",)
    panel = panels.curve_chart(scope, "pubmedqa", "magnitude", "accuracy")
    assert [spot.level for spot in panel.lines[0].spots] == [0.0, 0.5]


def test_labels_are_spread_apart() -> None:
    placed = svg.spread([50, 51, 52], [10, 10, 10], 0, 55)
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
        (text.size(999_700), "1\u202fMB"),
        (phrasing.size(999_700), "1 MB"),
        (phrasing.size(1.5e12), "1.5 TB"),
        (text.parameters(7241732096), "7.24\u202fB"),
        (text.level(0.35), "35 %"),
        (text.half(HalfLevel(level=None, low=0.95, high=None, censored=True)), "beyond 95 %"),
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
    panel = panels.curve_chart(fixture.scope(summary), "pubmedqa", "magnitude", "accuracy")
    assert {line.seeds for line in panel.lines} == {3}
    assert len(panel.lines) == len({(line.slot, line.view) for line in panel.lines})
    for line in panel.lines:
        intact, cut = line.spots
        assert intact.value == intact.low == intact.high
        assert (cut.value, cut.low, cut.high) == pytest.approx((1.4 / 3, 0.3, 0.7))
    drawn = line_chart(panel)
    ElementTree.fromstring(drawn)
    assert "mean of 3 seeds, band from lowest to highest" in drawn

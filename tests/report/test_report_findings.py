"""Safe level, cliffs, bias, trust, divergences and size on the page and in figures."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import findings_fixture as findings
import pytest
import report_fixture as fixture

from resect.report import card, figures, terminal
from resect.report.charts import svg
from resect.report.charts.axes import axis, place
from resect.report.charts.pareto import scatter
from resect.report.data import bias_tables as measures
from resect.report.data import configurations, matrix, panels, tables, verdict_tables, versions
from resect.report.data import divergent_items as divergent
from resect.report.data import overview as glance
from resect.report.data.scope import Scope
from resect.report.page import render as page


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    return findings.summary()


@pytest.fixture(scope="module")
def scope(summary: dict[str, Any]) -> Scope:
    return fixture.scope(summary)


@pytest.fixture(scope="module")
def html(scope: Scope) -> str:
    return page.render(scope.summary, fixture.shown(findings.examples()))


def front_of(data: dict[str, Any], by: versions.By = "size") -> versions.Front | None:
    return versions.front(fixture.scope(data), by)


def test_tiles_say_how_far_and_why_no_further(scope: Scope) -> None:
    one = verdict_tables.reach(scope, "magnitude")[0]
    assert one.figure == "30 %"
    assert one.stop == "At 35 % it failed: pubmedqa -6.0 points [-9.0, -3.0], margin 5."


def test_each_task_says_its_own_reach(scope: Scope) -> None:
    model = scope.models[0]
    assert verdict_tables.task_reach(scope, "magnitude", model, "pubmedqa") == "30 %"
    assert verdict_tables.task_reach(scope, "magnitude", model, "mmlu-logic") == "35 % or more"


@pytest.mark.parametrize(
    ("row", "figure"),
    [
        ({"stopped_by": None, "passed_level": 0.9}, "90 % or more"),
        ({"state": "failed", "passed": [], "passed_level": None}, "no level"),
        ({"state": "undetermined", "passed": [], "passed_level": None}, "undetermined"),
        ({"passed": [None], "passed_level": None}, "passed"),
        ({"passed_level": 0.3}, "30 %"),
    ],
)
def test_every_verdict_has_its_word(
    summary: dict[str, Any], row: dict[str, Any], figure: str
) -> None:
    rows = [summary["verdicts"][0] | row]
    assert verdict_tables.figure(fixture.load(summary | {"verdicts": rows}).verdicts[0]) == figure


def test_the_matrix_has_a_word_for_every_level(scope: Scope) -> None:
    table = matrix.matrix(scope, scope.models[0])
    assert table.levels[-1] == "35 %"
    (line,) = table.lines
    assert line.name == "magnitude"
    assert [cell.word for cell in line.squares] == ["passed"] * (len(line.squares) - 1) + ["failed"]
    assert line.squares[-1].task == "pubmedqa"
    assert (line.squares[-1].mark, line.squares[-1].value) == ("✗", "−6.0")


def test_the_matrix_outlines_what_was_chosen_and_gives_sizes(summary: dict[str, Any]) -> None:
    rows = [r | {"bytes_on_disk": round(1e6 * (1 - r["level"]))} for r in summary["measurements"]]
    chosen = findings.choice(findings.MODELS[0], recipe="magnitude", level=0.3)
    scope = fixture.scope(summary | {"measurements": rows, "choice": [chosen]})
    (line,) = matrix.matrix(scope, scope.models[0]).lines
    assert [cell.size for cell in line.squares if cell.winner] == ["700\u202fkB"]
    one = matrix.matrix(scope, scope.models[0], "mmlu-logic")
    assert {cell.task for cell in one.lines[0].squares} == {"mmlu-logic"}


def test_a_version_that_failed_on_the_items_held_back_is_no_tick(summary: dict[str, Any]) -> None:
    """It may pass on all items; then a larger one was chosen, and the matrix says why."""
    chosen = findings.choice(findings.MODELS[0], recipe="magnitude", level=0.2)
    tried = [{**chosen["chosen"], "level": 0.3, "word": "not proven"}, chosen["chosen"]]
    scope = fixture.scope(summary | {"choice": [chosen | {"tried": tried}]})
    table = matrix.matrix(scope, scope.models[0])
    words = {x[:2]: y for x, y in zip(table.levels, table.lines[0].squares, strict=True)}
    assert (words["30"].mark, words["30"].word) == ("?", "not confirmed")
    assert words["20"].winner


def test_a_task_without_a_verdict_shows_its_own_numbers(summary: dict[str, Any]) -> None:
    """Perplexity has no word, and its damaged values stand beside the intact one."""
    data = json.loads(json.dumps(summary | {"verdicts": []}))
    data["tasks"][0] |= {"kind": "score", "labels": []}
    for row in data["curves"]:
        if row["task"] == "pubmedqa":
            value = 10 * (1 + row["level"])
            row["metrics"] = {"perplexity": {"value": value, "low": value, "high": value}}
    scope = fixture.scope(data)
    assert "pubmedqa" in matrix.unread(scope)
    one = next(m for m in matrix.matrices(scope, scope.models[0]) if m.task == "pubmedqa")
    assert one.intact == "10"
    values = dict(zip(one.levels, one.lines[0].squares, strict=True))
    assert (values["50 %"].value, values["50 %"].word) == ("15", "measured")
    out = io.StringIO()
    terminal.show(scope.summary, out)
    assert "intact 10" in out.getvalue()
    assert "19.5" in out.getvalue()


def test_the_terminal_fits_80_columns_without_broken_words(summary: dict[str, Any]) -> None:
    names = [f"wanda,scope=row-{number},calibration=c4 + gguf:Q4_K_M" for number in range(3)]
    chosen = findings.choice(findings.MODELS[0], recipe=names[0], level=0.3)
    given = summary | {
        key: [row | {"recipe": n} for row in summary[key] for n in names]
        for key in ("curves", "verdicts")
    }
    out = io.StringIO()
    terminal.show(fixture.load(given | {"choice": [chosen]}), out)
    lines = out.getvalue().splitlines()
    assert max(map(len, lines)) <= 80
    assert any("[✓−1.0]" in line for line in lines)
    assert not [line for line in lines if re.fullmatch(r"\s*\S{1,3}\s*", line) and line.strip()]


def test_guardrails_show_what_rose_most_beside_its_cap(scope: Scope) -> None:
    table = verdict_tables.guardrails_table(scope)
    assert "Subgroup: topic: heart" in table.body[0]


def test_marks_equal_the_cliffs_and_the_level_that_passed(
    summary: dict[str, Any], scope: Scope
) -> None:
    at = axis(fixture.LEVELS)
    found = panels.marks(scope, "pubmedqa", "magnitude", at)
    names = {model.slot: model.name for model in scope.models}
    for row in summary["cliffs"]:
        if row["task"] == "pubmedqa" and row["level"] is not None:
            key = (row["model"], row["view"], row["kind"], row["metric"])
            same = [m for m in found if (names[m.slot], m.view, m.kind, m.metric) == key]
            assert [m.x for m in same] == [row["level"]]
    assert {m.x for m in found if m.kind == "passed"} == {findings.SAFE}


def test_bits_are_placed_between_their_neighbours() -> None:
    at = axis([0.0, 8.0, 4.0])
    assert place(at, 8.0) == 1.0
    assert place(at, 6.0) == 1.5
    assert place(at, 2.0) is None


def test_shares_and_flips_equal_the_summary(scope: Scope) -> None:
    chart = measures.share_charts(scope, "pubmedqa", "magnitude")[0]
    assert [line.reference for line in chart.lines] == [0.552, 0.338, 0.11]
    flips = measures.leaning_chart(scope, "trust", "flips", "pubmedqa", "magnitude")
    assert flips
    values = {spot.value for line in flips.lines for spot in line.spots if spot.level != 0}
    assert values == {13 / 500}
    assert measures.leaning_chart(scope, "trust", "brier", "nope", "magnitude") is None


def test_nothing_on_the_front_is_beaten(summary: dict[str, Any]) -> None:
    front = front_of(summary)
    assert front
    assert front.axis == "zeros"
    kept = [v for v in front.versions if v.front]
    assert kept
    for one in kept:
        assert not [v for v in front.versions if v.x > one.x and v.quality > one.quality]


def test_bytes_are_the_axis_where_they_change(summary: dict[str, Any]) -> None:
    rows = [r | {"bytes_on_disk": round(100 * (1 - r["level"]))} for r in summary["measurements"]]
    front = front_of(summary | {"measurements": rows})
    assert front
    assert (front.axis, front.rising) == ("bytes_on_disk", False)
    assert front_of(summary | {"measurements": []}) is None


def test_cut_out_and_zero_meet_at_the_parameters_left(summary: dict[str, Any]) -> None:
    """A model cut by half, a fifth of it zero, has 0.4 of its parameters left."""
    assert front_of(summary, "left") is None  # nothing is cut out
    rows = [
        r | {"bytes_on_disk": round(100 * (1 - r["level"])), "parameters": 1000, "zeros": 0}
        | {"ratios": {"parameters": 1.0}}
        for r in summary["measurements"]
    ]  # fmt: skip
    last = rows[-1] | {"parameters": 500, "zeros": 100, "ratios": {"parameters": 0.5}}
    front = front_of(summary | {"measurements": [*rows[:-1], last]}, "left")
    assert front
    assert {v.x for v in front.versions} == {1.0, 0.4}
    assert "neither cut out nor zero" in scatter(front)


def test_what_passed_is_filled_and_the_smallest_has_a_ring(summary: dict[str, Any]) -> None:
    rows = [r | {"bytes_on_disk": round(100 * (1 - r["level"]))} for r in summary["measurements"]]
    given = summary | {"measurements": rows, "choice": []}
    front = front_of(given)
    assert front
    levels = {row["level"] for row in rows if row["level"]}
    for model in {v.model for v in front.versions}:
        mine = {v.level: v.passed for v in front.versions if v.model == model}
        (row,) = (r for r in given["verdicts"] if r["model"] == model.name and r["default"])
        assert {level for level in levels if mine[level]} == set(row["passed"])
        assert mine[0] is None
    plain = scatter(front)
    hollow = [v for v in front.versions if v.passed is False]
    assert plain.count('class="hollow"') == len(hollow) > 0
    assert "smallest that passed" not in plain
    best = next(v for v in front.versions if v.passed)
    named = findings.choice(best.model.name, recipe=best.recipe, level=best.level)
    drawn = front_of(given | {"choice": [named]})
    assert drawn
    assert drawn.smallest == (best,)
    assert "smallest that passed" in scatter(drawn)
    blind = [row | {"state": "undetermined", "passed": []} for row in given["verdicts"]]
    unknown = front_of(given | {"verdicts": blind})
    assert unknown
    assert "undetermined" in scatter(unknown)


def test_many_recipes_have_a_key_and_markers_of_their_own(summary: dict[str, Any]) -> None:
    names = [f"wanda,scope=row-{number}" for number in range(8)]

    def spread(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        rest = [row for row in rows if row["level"]]
        return [row for row in rows if not row["level"]] + [
            row | {"recipe": name} for row in rest for name in names
        ]

    given = summary | {key: spread(summary[key]) for key in ("curves", "measurements")}
    front = front_of(given)
    assert front
    drawn = scatter(front)
    ElementTree.fromstring(drawn)
    assert all(name in drawn for name in names)
    assert len({svg.marker(slot, 0, 0) for slot in range(8)}) == 8


def test_several_seeds_are_one_version_and_say_so(summary: dict[str, Any]) -> None:
    """Bytes of the largest seed, tables by seed where seeds differ, one claim for all of them."""

    def spread(key: str) -> list[dict[str, Any]]:
        rest = [row for row in summary[key] if row["level"]]
        intact = [row | {"seed": 0} for row in summary[key] if not row["level"]]
        if key == "measurements":
            intact = [row | {"recipe": "none"} for row in intact]
        return intact + [row | {"seed": seed} for row in rest for seed in range(3)]

    sizes = [
        row
        | {
            "bytes_on_disk": round(100 * (1 - row["level"]))
            + (row["seed"] == 2 and row["level"] > 0.8)
        }
        for row in spread("measurements")
    ]
    tested = [row | {"seed": seed} for row in summary["verdicts"] for seed in range(3)]
    model = next(one["model"] for one in tested if one["default"])
    named = findings.choice(model, seeds=[0, 1, 2], bytes=70.0)
    named |= {"how": "items held back", "plausible": 2, "tried": [named["chosen"]]}
    given = summary | {
        "curves": spread("curves"),
        "measurements": sizes,
        "verdicts": tested,
        "choice": [named],
    }
    front = front_of(given)
    assert front
    assert {v.seeds for v in front.versions if not v.intact} == {3}
    keys = [(v.model, v.recipe, v.level) for v in front.versions]
    assert len(keys) == len(set(keys))
    largest = {v.level: v.x for v in front.versions if v.model.name == model}
    assert largest[0.9] == pytest.approx(11)
    assert largest[0.3] == pytest.approx(70)
    (smallest,) = front.smallest
    assert (smallest.level, smallest.called) == (0.3, "magnitude, 3 seeds")
    assert "any seed" in scatter(front)
    assert verdict_tables.smallest(fixture.scope(given)) == [
        "specialist: magnitude at 30 %, 70\u202fB passed on the items held back, the first "
        "tested of 2 that looked good among 3."
    ]
    rows = [row for row in tables.size_table(fixture.scope(given)).body if row[0] == "specialist"]
    assert {row[1] for row in rows if row[2] == "30 %"} == {"magnitude, seeds 0, 1, 2"}
    assert {row[1] for row in rows if row[2] == "90 %"} == {
        "magnitude, seeds 0, 1", "magnitude, seed 2",
    }  # fmt: skip
    some = tables.size_table(fixture.scope(given), 5)
    assert len({row[2] for row in some.body if row[2] != "intact"}) == 5
    (first, *_) = configurations.configuration_tables(fixture.scope(given))
    last = [row for row in first.body if row[0] == "specialist" and row[2] == "95 %"]
    assert [row[1] for row in last] == [f"magnitude, seed {seed}" for seed in range(3)]
    assert last[1][3] != last[2][3]
    assert {one.recipe for one in verdict_tables.tests(fixture.scope(given), "magnitude")} == {
        f"magnitude, seed {seed}" for seed in range(3)
    }
    assert "every seed does" in card.render(fixture.load(given))[1]["limits"][2]
    page.render(fixture.load(given))


def test_a_degraded_version_is_called_so(summary: dict[str, Any]) -> None:
    fell = [{"level": 0.3, "task": "pubmedqa", "reason": "3 prompts cut"}]
    rows = [r | {"bytes_on_disk": round(100 * (1 - r["level"]))} for r in summary["measurements"]]
    given = summary | {
        "verdicts": [row | {"degraded": fell} for row in summary["verdicts"]],
        "measurements": rows,
        "curves": [
            row | {"status": "degraded", "reason": "3 prompts cut"} if row["level"] == 0.3 else row
            for row in summary["curves"]
        ],
    }
    for tile in verdict_tables.reach(fixture.scope(given), "magnitude"):
        assert tile.says.endswith("; degraded at 30 %")
    front = front_of(given)
    assert front
    assert {v.level for v in front.versions if v.degraded} == {0.3, 0.65}  # one was before
    assert "passed, degraded" in scatter(front)


def test_divergences_stand_side_by_side(scope: Scope) -> None:
    (pair,) = divergent.divergent_pairs(scope)
    assert [item.name for item in pair.items] == ["one", "two"]
    assert "base loses it at 50 %, specialist keeps it until 80 %" in pair.items[0].says


def test_glance_names_what_breaks_first(scope: Scope) -> None:
    one = glance.glance(scope, "magnitude")[0]
    assert (one.breaks, one.passed) == ("answering", "30 %")
    assert one.onset.startswith("36 % [31, 41]")


def test_the_page_shows_every_finding(html: str) -> None:
    for said in (
        "at 35 % it failed: pubmedqa",
        "After Holm",
        "Detectable",
        "topic: heart",
        "McNemar p",
        "40 of 500",
        "specialist outlasts the base on 7",
        "#tab=answers&amp;task=pubmedqa&amp;recipe=magnitude&amp;item=one",
        "share of all parameters that are zero",
    ):
        assert said in html, said
    assert html.count("<script") == 3
    assert "\u202e" not in html


@pytest.mark.parametrize("levels", [(0.0, 0.2), (0.0, 0.2, 0.3)])
def test_short_sweeps_are_pages(levels: tuple[float, ...]) -> None:
    html = page.render(fixture.load(findings.summary(levels)))
    assert f"{levels[-1] * 100:.0f} %" in html
    assert not re.search(
        r">[^<]*\b(None|nan)\b", re.sub(r"<script.*?</script>", "", html, flags=re.S)
    )


def test_three_models_an_unswept_recipe_and_a_failed_cell() -> None:
    summary = json.loads(json.dumps(findings.summary((0.0, 0.3, 0.5))))
    third = [
        r | {"model": "third", "role": "other"} for r in summary["curves"] if r["role"] == "base"
    ]
    fixed = [r | {"recipe": "nf4", "level": None} for r in third if r["level"] == 0.3]
    summary["curves"] += [*third, *fixed]
    summary["curves"][1] |= {"status": "failed", "reason": "out of memory", "accuracy": None}
    summary["models"].append(summary["models"][0] | {"name": "third", "role": "other"})
    summary["verdicts"].append(
        summary["verdicts"][0] | {"recipe": "nf4", "passed_level": None, "passed": [None],
                                  "stopped_by": None, "tasks": []}
    )  # fmt: skip
    html = page.render(fixture.load(summary))
    assert "out of memory" in html
    assert "as it is" in html
    assert '<option value="nf4">' in html
    assert "fixed" in html


def test_figures_are_saved_for_papers(
    summary: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(figures, "can_rasterise", lambda: False)
    paths = figures.save(fixture.load(findings.summary((0.0, 0.3, 0.5))), tmp_path / "figures")
    names = {path.name for path in paths}
    assert "curves-pubmedqa-magnitude-accuracy.svg" in names
    assert "size.svg" in names
    for path in paths:
        drawn = path.read_text(encoding="utf-8")
        root = ElementTree.fromstring(drawn)
        assert root.get("width")
        assert 'fill="#ffffff"' in drawn
        assert 'class="cursor"' not in drawn
        assert "var(" not in drawn
    assert len(names) == len(paths)


@pytest.mark.slow
def test_figures_are_saved_as_png(tmp_path: Path) -> None:
    pytest.importorskip("resvg_py")
    if figures.font() is None:
        pytest.skip("no font is installed")
    paths = figures.save(fixture.load(findings.summary((0.0, 0.3))), tmp_path)
    images = [path for path in paths if path.suffix == ".png"]
    assert len(images) == len(paths) / 2 > 10
    for image in images:
        head = image.read_bytes()[:24]
        assert head.startswith(b"\x89PNG")
        assert int.from_bytes(head[16:20], "big") in (figures.SCALE * 424, figures.SCALE * 760)
    drawing = paths[0].read_text(encoding="utf-8")
    silent = re.sub(r"(<text[^>]*>)[^<]*", r"\1", drawing)
    assert figures.rasterised(drawing) != figures.rasterised(silent)  # letters are drawn

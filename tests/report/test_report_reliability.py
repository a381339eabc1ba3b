"""Reliability beside utility on the page: numbers of charts and tables are the summary’s."""

from __future__ import annotations

from typing import Any

import findings_fixture as findings
import pytest
import report_fixture as fixture

from resect.report import formatting as text
from resect.report.data import reliability_tables as reliable
from resect.report.data.scope import Scope
from resect.report.page import render as page

CUT = "magnitude"


@pytest.fixture(scope="module")
def summary() -> dict[str, Any]:
    return findings.summary((0.0, 0.2, 0.4, 0.6))


@pytest.fixture(scope="module")
def scope(summary: dict[str, Any]) -> Scope:
    return fixture.scope(summary)


def spots(line: Any) -> list[tuple[Any, Any]]:
    return [(spot[0], spot[2]) for spot in line.spots]


def test_one_axis_holds_skill_and_every_measure(summary: dict[str, Any], scope: Scope) -> None:
    """One that never had a value has no line."""
    (panel,) = [p for p in reliable.reliability_panels(scope, CUT) if p.metric == "retention"]
    assert [line.label for line in panel.chart.lines] == ["Skill", "Grounded", "Consistency"]
    row = summary["reliability_first"][0]
    for line, side in zip(
        panel.chart.lines, ("utility", "reliability", "reliability"), strict=True
    ):
        assert spots(line) == [(at["level"], at[side]["value"]) for at in row["levels"]]


def test_abstention_and_domains_have_their_own_charts(
    summary: dict[str, Any], scope: Scope
) -> None:
    panels = reliable.reliability_panels(scope, CUT)
    shown = {p.metric: p.chart for p in panels if p.metric != "retention"}
    assert set(shown) == {"abstention", "domains"}
    (line,) = shown["abstention"].lines
    (row,) = summary["abstention"]
    assert spots(line) == [(at["level"], at["j"]["value"]) for at in row["levels"]]
    (row,) = summary["domains"]
    for line in shown["domains"].lines:
        assert spots(line) == [(at["level"], at[line.label]["value"]) for at in row["levels"]]


def test_a_measure_of_one_model_is_not_drawn_for_another(scope: Scope) -> None:
    assert reliable.retention_chart(scope, "pubmedqa", CUT, scope.models[1]) is None
    assert reliable.reliability_panels(scope, "wanda") == []


def test_a_measure_that_the_catalogue_lacks_has_its_line_and_row(summary: dict[str, Any]) -> None:
    """A third party's metric: its key is its name."""
    rows = [row | {"metric": f"my_{row['metric']}"} for row in summary["reliability_first"]]
    scope = fixture.scope(summary | {"reliability_first": rows})
    (panel, *_) = reliable.reliability_panels(scope, CUT)
    assert [line.label for line in panel.chart.lines][1:] == ["my grounded", "my consistency"]
    assert "my completeness" in {row[3] for row in reliable.first_table(scope, CUT).body}
    assert ("my grounded", "") in reliable.explained(scope)
    page.render(scope.summary)


def test_the_table_says_which_is_first_by_how_many_levels(scope: Scope) -> None:
    table = reliable.first_table(scope, CUT)
    heads = [column.head for column in table.columns]
    rows = {row[heads.index("Measure")]: dict(zip(heads, row, strict=True)) for row in table.body}
    assert rows["Grounded"]["First"] == "Grounded"
    assert rows["Grounded"]["Earlier by, levels"] == "2.0 [1.0, 3.0]"
    assert rows["Consistency"]["First"] == "skill"  # ahead by 3, whatever the sign
    assert rows["Consistency"]["Earlier by, levels"] == "3.0 [2.0, 4.0]"
    assert rows["Completeness"]["First"] == text.DASH
    assert rows["Completeness"]["Note"] == "neither is half gone"
    assert rows["Abstention J"]["Earlier by, levels"] == "4.0 [3.0, 5.0]"
    (row,) = reliable.domain_table(scope, CUT).body
    assert "medical" in row
    assert "2.0 [1.0, 3.0]" in row


def test_rates_stand_beside_what_guessing_gets(summary: dict[str, Any], scope: Scope) -> None:
    table = reliable.rate_table(scope, CUT)
    heads = [column.head for column in table.columns]
    found = {(row[heads.index("Rate")], row[heads.index("Guessing")]) for row in table.body}
    given = {"Consistency": 0.25, "Grounding": 0.75, "Grounded": 0.19}
    assert found == {(name, text.percent(guess)) for name, guess in given.items()}
    body = reliable.abstention_table(scope, CUT).body
    assert len(body) == len(summary["abstention"][0]["levels"])


def test_the_page_has_the_panel_where_it_has_something_to_say(summary: dict[str, Any]) -> None:
    html = page.render(fixture.load(summary))
    assert '<section id="reliability">' in html
    assert "Earlier by, levels" in html
    assert "Medical and general tasks" in html
    bare = {**summary, "reliability": [], "reliability_first": [], "abstention": [], "domains": []}
    assert '<section id="reliability">' not in page.render(fixture.load(bare))

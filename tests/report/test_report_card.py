"""The card and the terminal: limits first, numbers right, text literal."""

from __future__ import annotations

import io
import json

import findings_fixture as findings
import report_fixture as fixture

from resect.report import card, terminal
from resect.report.data.scope import selected


def test_limits_come_first() -> None:
    shown, data = card.render(fixture.load(fixture.summary()))
    first = shown.splitlines()[0]
    assert first.startswith("> This is not a statement of clinical safety")
    assert "within the margin on these items" in first
    assert list(data)[:2] == ["schema", "limits"]
    assert "clinical safety" in data["limits"][0]


def test_card_data_equal_the_summary() -> None:
    summary = fixture.summary()
    _, data = card.render(fixture.load(summary))
    assert data["half_levels"] == summary["cliffs"]
    assert data["comparisons"] == summary["comparisons"]
    assert data["headline"] == summary["headline"]["text"]
    assert json.loads(json.dumps(data)) == data


def test_card_says_what_is_missing() -> None:
    shown, _ = card.render(fixture.load(fixture.empty()))
    assert "No cell has an answer yet" in shown
    assert "None" not in shown
    assert "nan" not in shown


def test_card_says_how_levels_were_tested() -> None:
    row = findings.summary((0.0, 0.3, 0.5))["verdicts"][0]
    row |= {"alpha": 0.0125, "passed_level": None, "passed": [], "state": "undetermined"}
    tested = [row | {"recipe": name, "stopped_by": None} for name in "ab"]
    shown, data = card.render(fixture.load(fixture.summary((0.0,)) | {"verdicts": tested}))
    assert "tested on items that did not select it" in data["limits"][2]
    assert "0.0125" in data["limits"][2]
    assert "None" not in shown


def test_names_are_literal_in_markdown() -> None:
    summary = fixture.summary((0.0,))
    summary["study"]["name"] = "<script>|[a](b)`c`\u202e\n# more"
    shown, _ = card.render(fixture.load(summary))
    assert "# \\<script\\>\\|\\[a\\](b)\\`c\\`\\\\u202e \\# more" in shown


def test_terminal_is_plain_when_piped() -> None:
    file = io.StringIO()
    terminal.show(fixture.load(fixture.summary()), file)
    shown = file.getvalue()
    assert "\x1b" not in shown
    assert "is not clinical safety" in shown
    row = fixture.summary()["curves"][0]
    low, high = row["accuracy_low"] * 100, row["accuracy_high"] * 100
    assert f"{row['accuracy'] * 100:.1f} % [{low:.1f}, {high:.1f}]" in shown
    assert len(shown.splitlines()) <= 20


def test_terminal_prints_markup_literally() -> None:
    file = io.StringIO()
    summary = fixture.summary((0.0, 0.5))
    summary["headline"]["text"] = "[bold]x[/bold] \x1b[31m"
    terminal.show(fixture.load(summary), file)
    assert "[bold]x[/bold] \\x1b[31m" in file.getvalue()


def test_levels_shown_have_both_ends() -> None:
    levels = [round(0.05 * i, 2) for i in range(20)]
    shown = selected(levels, 6)
    assert len(shown) == 6
    assert shown[0] == 0.0
    assert shown[-1] == 0.95
    assert selected([0.0, 0.5], 6) == [0.0, 0.5]


def test_nothing_to_show_is_a_sentence() -> None:
    file = io.StringIO()
    terminal.show(fixture.load(fixture.empty()), file)
    assert "No cell has an answer yet" in file.getvalue()


def test_card_says_how_far_and_what_stopped_it() -> None:
    shown, data = card.render(fixture.load(findings.summary()))
    assert shown.index("clinical safety") < shown.index("## What passed") < shown.index("## Models")
    assert "**30 %** passed, margin 5 points, on all 3 tasks" in shown
    assert "At 35 % it failed: pubmedqa -6.0 points" in shown
    assert "tasks" not in data["verdicts"][0]
    assert data["verdicts"][0]["stopped_by"]["power"] == 0.8
    assert {row["kind"] for row in data["half_levels"]} == {"half"}

"""After the intact cells: what can still be judged is said, and a hopeless study stops."""

from __future__ import annotations

import json

import pandas as pd
import pytest
from answers_by_hand import YN, cell, flipped
from lobotomy_logs import task

from resect.cli import main
from resect.findings.intact_outlook import undecided
from resect.findings.primary_test import Rule

NOTHING = ["--method", "magnitude", "--levels", "0,0.5", "--task", "clinic-logic", "--limit", "200"]


def test_a_model_that_knows_nothing_is_not_cut(tiny_pair, tmp_path, capsys):
    out = tmp_path / "run"
    asked = ["run", "--specialist", str(tiny_pair[0]), *NOTHING, "--out", str(out)]
    for _ in range(2):  # the second time the intact answers are stored
        assert main(asked) == 1
        said = capsys.readouterr().err
        assert "cannot be judged on any task: clinic-logic: intact it may score as low as" in said
        assert "run it --anyway" in said
        assert (out / "report.html").is_file()
    levels = {
        row["level"] for row in json.loads((out / "summary.json").read_text())["measurements"]
    }
    assert levels == {0.0}
    assert main([*asked, "--anyway", "--json"]) == 0
    levels = {row["level"] for row in json.loads(capsys.readouterr().out)["measurements"]}
    assert levels == {0.0, 0.5}


def test_a_base_without_skill_stops_no_specialist(tiny_pair, tmp_path, capsys):
    pair = ["--specialist", "clinic:specialist", "--base", str(tiny_pair[1])]
    asked = ["run", *pair, *NOTHING, "--out", str(tmp_path / "run")]
    assert main(asked) == 0
    captured = capsys.readouterr()
    assert "base cannot be judged on any task: clinic-logic" in captured.err
    assert "clinic-specialist cannot" not in captured.err


def test_advice_is_given_where_texts_say_nothing(tiny_pair, tmp_path, capsys):
    asked = ["eval", str(tiny_pair[0]), "--task", "clinic-logic", "--limit", "8", "--json"]
    assert main([*asked, "--out", str(tmp_path / "run")]) == 0
    (line,) = [w for w in json.loads(capsys.readouterr().out)["warnings"] if "give no answer" in w]
    assert line.startswith("clinic-logic: ")
    assert line.endswith("try --apply-chat-template auto.")


@pytest.mark.parametrize(("count", "enough"), [(100, False), (300, True)])
def test_where_a_version_is_chosen_half_of_the_items_must_do(count, enough):
    """A copy passes on 100 items, and not on 50."""
    gold = list(YN) * (count // 2)
    answers = cell("m", 0.0, gold, flipped(gold, 5))
    keys = ["model", "role", "recipe", "level", "seed", "task"]
    cells: pd.DataFrame = answers[keys].drop_duplicates().assign(status="success", reason=None, n=1)
    given = ("m", answers, {"t": task("t", YN)}, cells, {"t": Rule(0.05, 0.8, 0.025)})
    assert not undecided(*given)
    short = undecided(*given, halves_of=0)
    assert enough is not bool(short)
    assert all(row.n == count < row.needed <= 200 for row in short)

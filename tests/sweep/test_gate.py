"""After the intact cells: what can still be judged is said, and a hopeless study stops."""

from __future__ import annotations

import json

from resect.cli import main

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

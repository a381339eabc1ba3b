"""Trackers get the scores of every cell as it ends, by the names that transformers uses."""

from __future__ import annotations

import json
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from resect.cli import main
from resect.tracking import step_of, trackers

RUN = [
    "run", "--specialist", "clinic:specialist", "--base", "clinic:base", "--levels", "0,0.5,0.9",
    "--task", "clinic-context", "--limit", "6", "--measure", "sizes", "--anyway", "--out", "run",
]  # fmt: skip


class FakeRun:
    """wandb's run: `define_metric`, `log` and `finish`."""

    def __init__(self, calls):
        self.calls = calls

    def __getattr__(self, name):
        return lambda *given, **named: self.calls.append((name, given, named))


def fake(name, monkeypatch):
    """A module with the shape of a tracker; the calls to it."""
    calls, module = [], ModuleType(name)
    module.__spec__ = ModuleSpec(name, None)  # other libraries look whether it is there

    def called(what):
        def call(*given, **named):
            print(f"* {name} says hello")
            calls.append((what, given, named))
            return FakeRun(calls)

        return call

    for what in (
        "init", "log", "finish", "set_experiment", "start_run", "log_params", "log_metrics",
        "end_run",
    ):  # fmt: skip
        setattr(module, what, called(what))
    monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.delitem(sys.modules, f"resect.tracking.on_{name}", raising=False)
    return calls


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


LOGGED = {"trackio": "log", "wandb": "log", "mlflow": "log_metrics"}
ENDED = {"trackio": "finish", "wandb": "finish", "mlflow": "end_run"}


@pytest.mark.slow
def test_scores_arrive_as_cells_end(monkeypatch, capsys):
    calls = {name: fake(name, monkeypatch) for name in LOGGED}
    assert main([*RUN, "--report-to", "trackio,wandb", "--report-to", "mlflow", "--json"]) == 0
    curves = json.loads(capsys.readouterr().out)["curves"]  # the document alone is on stdout
    known = {
        f"{row['task']}/{row['model']}/{row['recipe']}": row["accuracy"]
        for row in curves
        if row["view"] == "text" and row["level"] == 0.5
    }
    assert len(known) == 2
    for name, made in calls.items():
        rows = [(given[0], named) for what, given, named in made if what == LOGGED[name]]
        assert len(rows) == 2 * 3  # two models, intact and at two levels
        at = [scores for scores, named in rows if 500 in (named.get("step"), scores.get("level"))]
        sent = {key: value for scores in at for key, value in scores.items() if key != "level"}
        assert sent == pytest.approx(known)
        assert made[-1][0] == ENDED[name]
    config = calls["trackio"][0][2]["config"]
    assert config["tasks"] == ["clinic-context"]
    # a run that has nothing left to ask has nothing to send
    assert main([*RUN, "--report-to", "mlflow"]) == 0
    assert sum(what == "log_metrics" for what, _, _ in calls["mlflow"]) == 6


def test_a_tracker_that_is_not_there(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "wandb", None)
    monkeypatch.delitem(sys.modules, "resect.tracking.on_wandb", raising=False)
    assert main([*RUN, "--report-to", "wandb"]) == 2
    assert "wandb is not installed: pip install 'resect[wandb]'" in capsys.readouterr().err
    assert main([*RUN, "--report-to", "wandbb"]) == 2
    assert "unknown tracker 'wandbb': did you mean wandb?" in capsys.readouterr().err
    assert trackers(["none"]) == {}


def test_a_level_is_a_whole_step():
    assert [step_of(x) for x in (None, 0.0, 0.05, 0.95, 4.0)] == [0, 0, 50, 950, 4]

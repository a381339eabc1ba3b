"""`resect plan`, and a study that cannot pass is refused before anything is asked."""

from __future__ import annotations

import json

import pytest
from lazy import WHEN_RUN

from resect.cli import main
from resect.errors import RequestError
from resect.findings.task_forecast import units_of
from resect.record import Item, TaskInfo
from resect.spec import Study

if WHEN_RUN:
    from resect.running.forecast import forecast, refuse_hopeless
    from resect.running.resolve import resolve


def study(limit, **more):
    return Study.of(
        models={"specialist": "clinic:specialist"},
        recipes=["magnitude"],
        levels="0,0.5",
        tasks=["clinic-medicine", "clinic-logic"],
        limit=limit,
        device="cpu",
        **more,
    )


def test_power_and_questions_of_a_study():
    row = forecast(resolve(study(300)), timed=False)
    assert (row.cells, row.questions) == (4, 1200)
    assert all(task.copy_passes for task in row.tasks)
    assert 0.5 < row.one_point < row.same <= 1
    assert row.same == pytest.approx(row.tasks[0].same * row.tasks[1].same)
    assert row.confirmed is None  # one recipe holds no items back
    more = forecast(resolve(study(400)), timed=False)
    assert more.same > row.same


def test_a_study_that_cannot_pass_is_refused():
    with pytest.raises(RequestError, match=r"clinic-medicine has 40 items and needs \d+"):
        refuse_hopeless(resolve(study(40)))
    refuse_hopeless(resolve(study(40, shown_only=("clinic-medicine", "clinic-logic"))))
    refuse_hopeless(resolve(study(300)))


def test_units_are_labels_or_parents():
    info = TaskInfo("t", "label", ("a", "b", "c"), "", "", 4)
    items = [Item(id=str(i), prompt="", gold="abc"[0 if i < 60 else 1 if i < 98 else 2])
             for i in range(100)]  # fmt: skip
    assert units_of(items, info) == [60, 40]  # the rare label joins the rarest common one
    shared = [Item(id=str(i), prompt="", gold="a", parent=str(i // 4)) for i in range(100)]
    assert units_of(shared, info) == [25]


def test_the_command_times_a_few_prompts(tmp_path, capsys):
    path = tmp_path / "study.yaml"
    path.write_text(study(300).dump())
    assert main(["plan", str(path), "--json"]) == 0
    data = json.loads(capsys.readouterr().out)
    assert data["seconds"] > 0
    assert data["tokens"] > 0
    assert data["tasks"][0]["needed"] > 73
    assert main(["plan", str(path)]) == 0
    shown = capsys.readouterr().out
    assert "4 cells, 1,200 questions" in shown
    assert max(map(len, shown.splitlines())) <= 80 + len(shown.splitlines()[0])


def test_run_refuses_and_anyway_runs(tmp_path, capsys):
    path = tmp_path / "study.yaml"
    path.write_text(study(30, measure="sizes", resamples=100).dump())
    out = tmp_path / "run"
    assert main(["run", str(path), "--out", str(out)]) == 2
    assert "--anyway" in capsys.readouterr().err
    assert not out.exists()
    assert main(["run", str(path), "--out", str(out), "--anyway", "--quiet"]) == 0
    assert (out / "report.html").exists()

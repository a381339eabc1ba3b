"""A live study on tiny models: identity, resuming, kill -9, the same summary twice."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
from lazy import WHEN_RUN

import resect
from resect.errors import RequestError
from resect.running.folder import Run

if WHEN_RUN:
    from resect.running import local_engine, plan
    from resect.running.resolve import resolve

pytestmark = pytest.mark.slow


TASKS = ["clinic-medicine", "clinic-context"]


def a_study(pair: tuple[Path, Path], **fields) -> resect.Study:
    given = {
        "name": "tiny",
        "models": {"specialist": str(pair[0]), "base": str(pair[1])},
        "recipes": ["magnitude"],
        "levels": "0:0.9:0.3",
        "tasks": TASKS,
        "limit": 12,
        "resamples": 200,
        "batch_tokens": 600,
        "measure": "sizes",
    }
    return resect.Study.of(**{**given, **fields})


@pytest.fixture(scope="module")
def done(tiny_pair, tmp_path_factory) -> Run:
    return resect.run(a_study(tiny_pair), tmp_path_factory.mktemp("runs") / "done")


def test_a_run_has_every_cell_once(done):
    with done.reading() as store:
        cells = store.cells()
    assert len(cells) == 2 * 4 * 2
    assert set(cells["status"]) == {"success"}
    assert set(cells.loc[cells["level"] == 0, "recipe"]) == {"none"}
    answers = done.answers()
    assert len(answers) == 2 * 4 * 2 * 12
    assert answers["option_scores"].map(len).isin([3, 4]).all()
    for name in ("study.yaml", "summary.json", "report.html", "card.md", "card.json"):
        assert (done.path / name).stat().st_size > 100


def test_measured_levels_are_those_asked(done):
    rows = done.summary()["measurements"]
    assert len(rows) == 2 * 4
    for row in rows:
        assert row["measured_level"] == pytest.approx(row["level"], abs=1e-3)
        assert row["parameters"] > 0
        assert row["bytes_on_disk"] == 4 * row["parameters"] <= row["bytes_in_memory"]


def test_level_zero_of_a_curve_is_the_model_as_it_came(done, tiny_pair):
    """The baseline is asked before any damage: its answers equal those of a fresh load."""
    again = a_study(tiny_pair, levels="0,0.5", tasks=TASKS[:1])
    other = resect.run(again, done.path.parent / "again").answers()
    columns = ["model", "item_id", "text", "chosen"]
    one = done.answers().query("level == 0 and task == 'clinic-medicine'")[columns]
    two = other.query("level == 0")[columns]
    pd.testing.assert_frame_equal(one.reset_index(drop=True), two.reset_index(drop=True))


def test_two_runs_give_the_same_summary(done, tiny_pair, tmp_path):
    other = resect.run(a_study(tiny_pair), tmp_path / "other")
    assert resect.same_summary(done.path, other.path)
    changed = done.summary()
    changed["curves"][3]["accuracy"] += 1e-3
    assert not resect.same_summary(done.path, changed)


def test_the_resolved_study_loads_back(done, tiny_pair):
    assert resect.Study.load(done.path / "study.yaml") == a_study(tiny_pair)


def test_nothing_is_asked_twice(done, tiny_pair, monkeypatch):
    monkeypatch.setattr(local_engine, "walk", lambda *_: pytest.fail("a stored cell was run again"))
    resect.run(a_study(tiny_pair), done.path)


def test_a_larger_limit_and_another_task_reuse_what_is_there(tiny_pair, tmp_path):
    run = resect.run(a_study(tiny_pair, tasks=TASKS[:1], levels="0,0.5"), tmp_path / "grow")
    resolved = resolve(a_study(tiny_pair, limit=16, levels="0,0.5"))
    with run.reading() as store:
        due = plan.due(plan.sweeps(resolved), store)
    missing = {(c.spec.task, len(c.missing)) for sweep in due for c in sweep.cells}
    assert missing == {("clinic-medicine", 4), ("clinic-context", 16)}


def test_kill_and_resume_give_the_same_summary(done, tiny_pair, tmp_path):
    """kill -9 after a batch and before one; what is stored is kept and the end is the same."""
    study = tmp_path / "study.yaml"
    study.write_text(a_study(tiny_pair).dump())
    out = tmp_path / "killed"
    arguments = ["run", str(study), "--anyway", "--out", str(out), "--quiet"]
    counts = [0]
    for moment in ("after 3", "before 5"):
        ended = subprocess.run([sys.executable, "-c", KILLED, moment, *arguments])
        assert ended.returncode == -signal.SIGKILL
        counts.append(stored(out))
    assert 0 < counts[1] < counts[2] < 2 * 4 * 2 * 12
    subprocess.run([sys.executable, "-m", "resect.cli", *arguments], check=True)
    assert resect.same_summary(done.path, out)


KILLED = """
import os, signal, sys
from resect.cli import main
from resect.store.sqlite import Store

put, (when, batch), batches = Store.put_answers, sys.argv[1].split(), []

def killed(self, answers):
    batches.append(answers)
    for moment in ("before", "after"):
        if (when, int(batch)) == (moment, len(batches)):
            os.kill(os.getpid(), signal.SIGKILL)
        if moment == "before":
            put(self, answers)

Store.put_answers = killed
sys.exit(main(sys.argv[2:]))
"""
"""The command line, killed before or after it stores its Nth batch of answers."""


def stored(out: Path) -> int:
    try:
        with sqlite3.connect(f"{(out / 'results.sqlite').as_uri()}?mode=ro", uri=True) as db:
            return db.execute("SELECT count(*) FROM answers").fetchone()[0]
    except sqlite3.Error:
        return 0


def test_a_second_writer_is_told_so(done):
    with done.writing(), pytest.raises(RequestError, match="another process"), done.writing():
        pass


def test_a_failed_cell_is_a_gap_and_is_tried_again(tiny_pair, tmp_path, monkeypatch):
    from resect import ask
    from resect.errors import RunError

    plain = ask.Asker._answer
    calls = []

    def failing(self, *batch):
        calls.append(1)
        if len(calls) == 3:
            raise RunError("the model's output is not a number")
        return plain(self, *batch)

    study = a_study(tiny_pair, levels="0,0.5", tasks=TASKS[:1])
    monkeypatch.setattr(ask.Asker, "_answer", failing)
    run = resect.run(study, tmp_path / "failing")
    with run.reading() as store:
        cells = store.cells()
    failed = cells[cells["status"] == "failed"]
    assert list(failed["reason"]) == ["the model's output is not a number"]
    assert "1 of 4 cells failed" in run.failed()
    assert any("not a number" in warning for warning in run.summary()["warnings"])
    monkeypatch.undo()
    whole = resect.run(study, tmp_path / "failing")
    fresh = resect.run(study, tmp_path / "fresh")
    assert resect.same_summary(whole.path, fresh.path)


def test_every_family_runs_from_end_to_end(tmp_path, data_dir):
    import tiny

    for family in ("mistral", "llama", "qwen2", "gemma2", "mixtral"):
        pair = (
            tiny.save(tmp_path / f"{family}-s", family, 1),
            tiny.save(tmp_path / f"{family}-b", family, 2),
        )
        study = a_study(
            pair, levels="0,0.5", limit=2, tasks=["pubmedqa", "mmlu-lobotomy"],
            data_dir=str(data_dir), resamples=100,
        )  # fmt: skip
        run = resect.run(study, tmp_path / f"run-{family}")
        assert len(run.answers()) == 2 * 2 * 2 * 2
        assert json.loads((run.path / "summary.json").read_text())["schema"] == 2


def test_the_same_weights_in_two_roles_are_asked_once(tiny_pair, tmp_path):
    study = a_study((tiny_pair[0], tiny_pair[0]), levels="0,0.5", tasks=TASKS[:1])
    run = resect.run(study, tmp_path / "twins")
    answers = run.answers()
    assert answers["model"].nunique() == 2
    assert len(answers) == 2 * 2 * 12
    with sqlite3.connect(run.path / "results.sqlite") as db:
        assert db.execute("SELECT count(*) FROM answers").fetchone()[0] == 2 * 12


def test_a_copied_model_and_an_overlapping_recipe_find_their_answers(tiny_pair, tmp_path):
    """Cells know only hashes: names, roles and recipes are those of the study as it is now."""
    import shutil

    out = tmp_path / "run"
    resect.run(a_study(tiny_pair, levels=None, recipes=["magnitude:0.5"], tasks=TASKS[:1]), out)
    copied = shutil.copytree(tiny_pair[0], tmp_path / "renamed")
    study = a_study((copied, tiny_pair[1]), levels="0,0.5", tasks=TASKS[:1])
    with Run(out).reading() as store:
        assert plan.due(plan.sweeps(resolve(study)), store) == []
    again = resect.run(study, out)
    assert set(again.answers()["recipe"]) == {"none", "magnitude"}
    assert set(again.answers()["model"]) == {"renamed", "base"}
    fresh = resect.run(study, tmp_path / "fresh")
    assert resect.same_summary(again.path, fresh.path)


def test_a_recipe_of_several_steps_walks_and_ends_in_leaves(tiny_pair, tmp_path):
    """Fixed before, swept, fixed after; the level is the swept step's, the zeros are all steps'."""
    study = a_study(
        tiny_pair, tasks=TASKS[:1], levels="0,0.2,0.4",
        recipes=["random:0.1 + magnitude + random:0.6,seed=5", "sparsegpt"],
        calibration={"data": "clinic", "nsamples": 4, "seqlen": 32},
    )  # fmt: skip
    run = resect.run(study, tmp_path / "chain")
    rows = {
        (r["recipe"], r["level"]): r for r in run.summary()["measurements"] if r["role"] == "base"
    }
    assert rows["none", 0.0]["measured_level"] == 0
    whole = rows["sparsegpt", 0.4]["zeros"] / 0.4
    for level in (0.2, 0.4):
        chained = rows["random:0.1 + magnitude + random:0.6,seed=5", level]
        assert chained["measured_level"] == pytest.approx(level, abs=2e-3)
        assert chained["zeros"] / whole == pytest.approx(1 - (1 - level) * 0.4, abs=0.03)
    assert rows["sparsegpt", 0.4]["measured_level"] == pytest.approx(0.4, abs=2e-3)


def test_a_resumed_run_is_degraded_like_a_fresh_one(tmp_path, tiny_pair):
    import tiny

    short = tiny.save(tmp_path / "short", seed=3, max_position_embeddings=150)
    study = a_study((short, tiny_pair[1]), levels="0,0.5", tasks=TASKS[:1])
    resect.run(
        a_study((short, tiny_pair[1]), levels="0,0.5", tasks=TASKS[:1], limit=4), tmp_path / "a"
    )
    grown = resect.run(study, tmp_path / "a")
    fresh = resect.run(study, tmp_path / "b")
    with fresh.reading() as store:
        assert "degraded" in set(store.cells()["status"])
    assert resect.same_summary(grown.path, fresh.path)


def test_a_method_that_fails_leaves_failed_cells_and_the_others(tiny_pair, tmp_path, monkeypatch):
    from resect.errors import RunError
    from resect.methods.weights.scored import Scored

    plain = Scored.apply

    def failing(self, model, level):
        if level == 0.6:
            raise RunError("the Hessian cannot be factored")
        return plain(self, model, level)

    monkeypatch.setattr(Scored, "apply", failing)
    run = resect.run(a_study(tiny_pair, tasks=TASKS[:1]), tmp_path / "run")
    with run.reading() as store:
        cells = store.cells()
    assert set(cells.loc[cells["level"] >= 0.6, "status"]) == {"failed"}
    assert set(cells.loc[cells["level"] < 0.6, "status"]) == {"success"}


def test_a_study_without_recipe_asks_the_models_as_they_are(tiny_pair, tmp_path):
    run = resect.run(a_study(tiny_pair, recipes=[], levels=None), tmp_path / "run")
    assert {(c["recipe"], c["level"]) for c in run.summary()["curves"]} == {("none", 0.0)}
    assert len(run.answers()) == 2 * 2 * 12


def test_sweeps_side_by_side_give_the_same_summary(done, tiny_pair, tmp_path):
    """Two processes, one sweep each, and one driver that writes."""
    other = resect.run(a_study(tiny_pair), tmp_path / "two", workers=2)
    assert resect.same_summary(done.path, other.path)


def test_a_worker_that_dies_is_said_and_loses_nothing(tiny_pair, tmp_path, monkeypatch):
    from resect.errors import RunError

    study = a_study(tiny_pair, tasks=TASKS[:1])

    class Dying(local_engine._Worker):
        """Killed as soon as it has something to do."""

        def take(self, sweep):
            taken = super().take(sweep)
            self.process.kill()
            return taken

    monkeypatch.setattr(local_engine, "_Worker", Dying)
    with pytest.raises(RunError, match="ended 3 times"):
        resect.run(study, tmp_path / "run", workers=2)
    monkeypatch.undo()
    again = resect.run(study, tmp_path / "run")
    fresh = resect.run(study, tmp_path / "fresh")
    assert resect.same_summary(again.path, fresh.path)


def test_memory_and_speed_are_measured_once_for_a_shape(tiny_pair, tmp_path):
    """Zeros leave the shape as it is: every level has the intact model's numbers, taken once."""
    study = a_study(
        tiny_pair, models={"base": str(tiny_pair[1])}, tasks=TASKS[:1], levels="0,0.5",
        recipes=["magnitude", "random"], measure="shapes",
    )  # fmt: skip
    rows = resect.run(study, tmp_path / "run").summary()["measurements"]
    assert len(rows) == 3
    assert len({json.dumps(row["workload"]) for row in rows}) == 1
    assert rows[0]["tokens_per_second"] == rows[0]["workload"]["tokens_per_second"]["median"] > 0
    assert {row["ratios"]["seconds_per_answer"] for row in rows} == {1.0}
    with Run(tmp_path / "run").reading() as store:
        taken = [row for row in store.measurements() if row["workload"]]
    assert [row["recipe"] for row in taken] == ["none"]

"""Tasks of the real harness through every command: run, eval, report, export, audit, diff."""

from __future__ import annotations

import json
import sqlite3

import pytest
import yaml_task
from lazy import WHEN_RUN

from resect import Study, same_summary
from resect.cli import main
from resect.recorded import audit
from resect.running.folder import Run
from resect.store.checksums import seal

if WHEN_RUN:
    from resect import run

    pytest.importorskip("lm_eval", reason="lm_eval is not installed: its tasks go unasked")

pytestmark = pytest.mark.slow

NUMBERS = ("accuracy", "accuracy_low", "accuracy_high", "skill", "outcomes", "n", "level", "view")


@pytest.fixture(scope="module")
def names(tmp_path_factory) -> list[str]:
    root = tmp_path_factory.mktemp("own tasks")
    made = [yaml_task.write(root), yaml_task.write(root, "words", **yaml_task.WORDS)]
    return [f"lm-eval:{path}" for path in made]


@pytest.fixture(scope="module")
def asked(names, tmp_path_factory) -> Run:
    study = Study.of(
        models={"specialist": "clinic:specialist", "base": "clinic:base"},
        recipes=["magnitude"], levels="0,0.5", tasks=names, limit=12, device="cpu",
        resamples=100, measure="sizes",
    )  # fmt: skip
    return run(study, tmp_path_factory.mktemp("run") / "run", trust_remote_code=True)


def numbers(summary) -> list[dict]:
    return [{name: row[name] for name in ("task", *NUMBERS)} for row in summary["curves"]]


def test_run(asked, names):
    with asked.reading() as store:
        assert set(store.cells()["status"]) == {"success"}
        assert {info.reader for info in store.tasks().values()} == {"label"}
    rows = asked.summary()["curves"]
    views = {(row["task"], row["view"]) for row in rows}
    assert views == {(names[0], "text"), (names[0], "options"), (names[1], "text")}
    assert {row["n"] for row in rows} == {12}
    assert asked.answers()["outcome"].ne("").all()


def test_eval_says_the_same_of_the_intact_model(asked, names, tmp_path, capsys):
    given = ["--task", ",".join(names), "--limit", "12", "--device", "cpu", "--json"]
    given += ["--out", str(tmp_path / "run"), "--trust_remote_code"]
    assert main(["eval", "clinic:specialist", *given]) == 0
    found = json.loads(capsys.readouterr().out)
    intact = [
        row for row in asked.summary()["curves"] if (row["role"], row["level"]) == ("specialist", 0)
    ]
    intact = numbers({"curves": intact})
    by = {(row["task"], row["view"]): row["accuracy"] for row in intact}
    assert {(r["task"], r["view"]): r["accuracy"] for r in found["curves"]} == by


def test_report_reads_what_an_older_reader_read(asked, tmp_path):
    """Without the task's file, and without a word of its code."""
    before = asked.summary()
    copy = Run.create(tmp_path / "run")
    (copy.path / "results.sqlite").write_bytes((asked.path / "results.sqlite").read_bytes())
    with sqlite3.connect(copy.path / "results.sqlite") as db:
        db.execute("UPDATE answers SET reader = 'label:1 parse:1', answer = 'B', score = 1.0")
        seal(db, ["answers"])
    copy.report()
    assert numbers(copy.summary()) == numbers(before)
    assert main(["diff", str(asked.path), str(copy.path), "--json"]) == 0


@pytest.mark.parametrize("to", ["csv", "lm-eval"])
def test_export_and_audit(asked, tmp_path, to):
    out = tmp_path / "out"
    assert main(["export", str(asked.path), "--to", to, "--out", str(out)]) == 0
    back = audit(out, tmp_path / "back")
    assert same_summary({"curves": numbers(asked.summary())}, {"curves": numbers(back.summary())})

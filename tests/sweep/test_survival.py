"""What a run survives: a full disk, a broken shard, a reader that holds the database."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest
import tiny
from lazy import WHEN_RUN
from test_run import TASKS, a_study

import resect
from resect.cli import main
from resect.store.sqlite import Store

if WHEN_RUN:
    from resect.running.walk import Answered

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def whole(tiny_pair, tmp_path_factory):
    study = a_study(tiny_pair, tasks=TASKS[:1], levels="0,0.5")
    return resect.run(study, tmp_path_factory.mktemp("whole") / "run")


@pytest.fixture
def given(tiny_pair, tmp_path):
    study = a_study(tiny_pair, tasks=TASKS[:1], levels="0,0.5")
    path = tmp_path / "study.yaml"
    path.write_text(study.dump())
    return ["run", str(path), "--anyway", "--out", str(tmp_path / "run"), "--quiet"]


def test_a_full_disk_is_one_sentence_and_the_run_goes_on_later(
    whole, given, tmp_path, monkeypatch, capsys
):
    """The database may not grow beyond what it has after the first batch."""
    put, batches = Store.put_answers, []

    def limited(self, answers):
        batches.append(len(answers))
        if len(batches) == 2:
            (pages,) = self.db.execute("PRAGMA page_count").fetchone()
            self.db.execute(f"PRAGMA max_page_count = {pages}")
        put(self, answers)

    monkeypatch.setattr(Store, "put_answers", limited)
    assert main(given) == 1
    error = capsys.readouterr().err
    assert "full" in error
    assert "nothing stored is lost" in error
    assert error.count("\n") == 1
    with sqlite3.connect(tmp_path / "run" / "results.sqlite") as db:
        kept = db.execute("SELECT count(*) FROM answers").fetchone()[0]
    assert 0 < kept < len(whole.answers())
    monkeypatch.undo()
    assert main(given) == 0
    assert resect.same_summary(tmp_path / "run", whole.path)


def test_a_reader_that_holds_the_database_disturbs_nothing(whole, tiny_pair, tmp_path):
    readers = []

    def watch(planned, events):
        for event in events:
            yield event
            if isinstance(event, Answered) and not readers:
                reader = sqlite3.connect(tmp_path / "run" / "results.sqlite")
                reader.execute("BEGIN")
                reader.execute("SELECT count(*) FROM answers").fetchone()
                readers.append(reader)

    study = a_study(tiny_pair, tasks=TASKS[:1], levels="0,0.5")
    run = resect.run(study, tmp_path / "run", watch=watch)
    assert readers
    readers[0].close()
    assert resect.same_summary(run.path, whole.path)


@pytest.mark.parametrize("damage", ["cut off", "gone", "no header"])
def test_a_broken_shard_is_found_before_anything_is_written(damage, tmp_path, capsys):
    model = tiny.model("llama")
    model.save_pretrained(tmp_path / "m", max_shard_size="40KB")
    tiny.tokenizer().save_pretrained(tmp_path / "m")
    shard = sorted((tmp_path / "m").glob("model-0*.safetensors"))[1]
    content = shard.read_bytes()
    if damage == "gone":
        shard.unlink()
    else:
        shard.write_bytes(content[: len(content) // 2] if damage == "cut off" else b"\0" * 400)
    arguments = ["--levels", "0,0.5", "--task", TASKS[0], "--limit", "2", "--measure", "sizes"]
    out = tmp_path / "run"
    assert main(["run", "--base", str(tmp_path / "m"), *arguments, "--out", str(out)]) == 2
    error = capsys.readouterr().err
    assert error.startswith("resect: ")
    assert error.count("\n") == 1
    assert not out.exists()


def test_answers_are_those_that_the_summary_counts(whole):
    """Nothing is lost between the store and the findings."""
    summary = json.loads((whole.path / "summary.json").read_text())
    for row in summary["curves"]:
        mine = whole.answers().query("model == @row['model'] and level == @row['level']")
        assert row["n"] == len(mine) == 12


def test_a_damaged_answer_is_named_and_asked_again(whole, given, tmp_path, capsys, monkeypatch):
    """One letter of one answer: no report is made of it, and the next run asks for its batch."""
    out = tmp_path / "run"
    assert main(given) == 0
    with contextlib.closing(sqlite3.connect(out / "results.sqlite")) as db, db:
        first = "SELECT asking, item FROM answers ORDER BY asking, item LIMIT 1"
        db.execute(f"UPDATE answers SET text = text || '!' WHERE (asking, item) IN ({first})")
    capsys.readouterr()
    for command in (["report", str(out)], ["export", str(out), "--to", "csv", "--out", "x"]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert error.count("\n") == 1
        assert "is damaged (1 of 4 cells: " in error
        assert "clinic-medicine)" in error
    asked, put = [], Store.put_answers

    def counted(self, answers):
        asked.extend(answers)
        put(self, answers)

    monkeypatch.setattr(Store, "put_answers", counted)
    assert main(["run", str(out / "study.yaml"), "--anyway", "--out", str(out)]) == 0
    assert 0 < len(asked) < 12  # its batch
    assert len({answer.asking for answer in asked}) == 1
    assert "was damaged (1 of 4 cells" in capsys.readouterr().err
    assert resect.same_summary(out, whole.path)

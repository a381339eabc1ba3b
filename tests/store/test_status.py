"""`resect status`: how far a run is, and whether it is whole."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from dataclasses import replace

import pytest
from test_damage import FILE, fuzz

from resect.cli import main
from resect.running.pace import Pace
from resect.store.lock import exclusive
from resect.store.sqlite import Store


@pytest.fixture
def run(tmp_path):
    """Eight cells: one degraded... as `fuzz.fill` has them, one failed and one not run."""
    items = [fuzz._item("dose", n) for n in range(5)]
    plan = [fuzz._cell("m", "base", level / 10, "dose", items) for level in range(5)]
    with Store(tmp_path / FILE) as store:
        task = {"dose": fuzz._task("dose")}
        store.put_study([{"name": "m"}], task, {"dose": items}, plan, {"study": {"name": "x"}})
        for cell in plan[:4]:
            store.put_answers([fuzz._answer(cell, item, n) for n, item in enumerate(items)])
            store.put_cell(cell)
        store.put_cell(replace(plan[1], status="failed", reason="no memory"))
    return tmp_path


def test_what_is_done_and_what_is_not(run, capsys):
    assert main(["status", str(run), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    size = found.pop("bytes")
    assert size == sum(path.stat().st_size for path in run.iterdir())
    assert found == {
        "run": str(run), "cells": 5, "done": 3, "degraded": 1, "failed": 1, "missing": 1,
        "answers": 20, "damaged": None, "damage": None, "skipped": 0,
        "running": False, "where": None, "rate": None, "left": None,
    }  # fmt: skip
    assert main(["status", str(run)]) == 0
    shown = capsys.readouterr().out
    assert "3 of 5 done (1 degraded), 1 failed, 1 to go" in shown
    assert "not checked" in shown
    assert "stopped, or not complete" in shown


def test_a_run_that_goes_on_says_how_fast(run, capsys):
    pace = Pace(100, 5, done=20, ended=1, where="m, magnitude 0.2, dose", started=0, now=40)
    pace.write(run)
    assert main(["status", str(run)]) == 0
    assert "running" not in capsys.readouterr().out  # nobody writes
    with exclusive(run):
        assert main(["status", str(run)]) == 0
    assert (
        "state    running: m, magnitude 0.2, dose, 30 answers a minute, about 160 s left"
    ) in capsys.readouterr().out.replace("3 min", "160 s")


def test_verify_finds_what_was_changed(run, capsys):
    assert main(["status", str(run), "--verify", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["damaged"] == []
    with contextlib.closing(sqlite3.connect(run / FILE)) as db, db:
        db.execute("UPDATE answers SET tokens = tokens + 1 WHERE asking LIKE '%0.2%'")
    assert main(["status", str(run)]) == 0  # nobody looked
    capsys.readouterr()
    assert main(["status", str(run), "--verify", "--json"]) == 1
    printed = capsys.readouterr()
    found = json.loads(printed.out)
    assert found["damaged"] == ["m, magnitude 0.2, dose"]
    assert (found["cells"], found["done"], found["failed"], found["missing"]) == (5, 3, 1, 1)
    assert found["answers"] == 15
    assert printed.err == f"resect: {found['damage']}\n"
    assert main(["status", str(run), "--verify"]) == 1
    assert "m, magnitude 0.2, dose" in capsys.readouterr().out


def test_a_file_that_was_cut_short_has_a_status(run, capsys):
    data = (run / FILE).read_bytes()
    (run / FILE).write_bytes(data[:-4096])
    assert main(["status", str(run), "--verify", "--json"]) == 1
    printed = capsys.readouterr()
    assert json.loads(printed.out)["damage"] in printed.err


def test_where_there_is_no_run(tmp_path, capsys):
    assert main(["status", str(tmp_path)]) == 2
    assert "there is no run at" in capsys.readouterr().err

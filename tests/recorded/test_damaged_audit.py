"""An audit whose store was damaged: a sentence, and the same data audited again."""

from __future__ import annotations

import contextlib
import json
import sqlite3

import pytest

from resect import same_summary
from resect.cli import main
from resect.errors import RequestError
from resect.recorded import audit


@pytest.fixture
def data(tmp_path):
    rows = [
        {"model": "m", "task": "t", "item": f"q{n}", "gold": "yes", "labels": ["yes", "no"],
         "text": "yes" if n % 3 else "no", "level": level}
        for level in (0, 0.5)
        for n in range(30)
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    return tmp_path / "a.jsonl"


@pytest.mark.parametrize("damage", ["answer", "cut short"])
def test_it_is_audited_again(damage, data, tmp_path, capsys):
    whole = audit(data, tmp_path / "whole")
    run = audit(data, tmp_path / "run")
    store = run.path / "results.sqlite"
    if damage == "answer":
        with contextlib.closing(sqlite3.connect(store)) as db, db:
            db.execute("UPDATE answers SET answer = 'no' WHERE answer = 'yes'")
    else:
        store.write_bytes(store.read_bytes()[:-4096])
    assert main(["report", str(run.path)]) == 2
    error = capsys.readouterr().err
    assert "is damaged (" in error
    assert "audit the same data into this folder again" in error
    assert error.count("\n") == 1
    assert same_summary(audit(data, run.path).path, whole.path)


def test_what_is_no_audit_is_never_replaced(data, tmp_path):
    (tmp_path / "run").mkdir()
    with contextlib.closing(sqlite3.connect(tmp_path / "run" / "results.sqlite")) as db, db:
        db.execute("CREATE TABLE mine (x)")
    with pytest.raises(RequestError, match=r"was not an audit|is not a resect store"):
        audit(data, tmp_path / "run")

"""A run goes out and comes back: the same findings, whole files, nothing lost without a word."""

from __future__ import annotations

import csv
import json
import re

import pytest
from lazy import WHEN_RUN

from resect import Study, same_summary
from resect.cli import main
from resect.errors import RequestError
from resect.recorded import audit
from resect.store import export as room
from resect.store.export import export

if WHEN_RUN:
    from resect import run


# what an export does not hold: of the models as they stood, and how the study was written down
MEASURED = {"study", "measurements", "models", "provenance", "warnings", "headline", "commands"}


LIKELY = ("kl", "kl_text", "same_top")


def findings(summary):
    """A summary without what was measured of the models, and without the likeliest tokens."""
    kept = {key: value for key, value in summary.items() if key not in MEASURED}
    kept["curves"] = [
        {k: v for k, v in row.items() if k not in ("measured_level", "kl")}
        | {"metrics": {k: v for k, v in row["metrics"].items() if k not in LIKELY}}
        for row in kept["curves"]
    ]
    for row in kept["choice"]:
        row |= {"baseline_bytes": None, "by": None}
        if row["chosen"]:
            row["chosen"] |= {"bytes": None}
    return kept


def study(pair, **fields):
    given = {"recipes": [], "limit": 6, "device": "cpu", "resamples": 2000, "measure": "sizes"}
    models = {"specialist": str(pair[0]), "base": str(pair[1])}
    return Study.of(**{"models": models, **given, **fields})


@pytest.fixture(scope="module")
def asked_again(tmp_path_factory, tiny_pair):
    """A run with every kind of variant, of tasks with and without contexts and letters."""
    asked = study(
        tiny_pair,
        recipes=["magnitude"],
        levels="0,0.5",
        tasks=["clinic-logic", "clinic-context"],
        variants=["permuted", "swapped", "unsure"],
    )
    return run(asked, tmp_path_factory.mktemp("again") / "run")


@pytest.mark.parametrize("to", ["csv", "lm-eval"])
def test_variants_go_out_and_come_back(asked_again, tmp_path, to):
    ours = asked_again.summary()
    assert {"permuted", "swapped", "unsure"} <= set(asked_again.answers()["variant"].dropna())
    assert ours["reliability"]
    with asked_again.reading() as store:
        export(store, to, tmp_path / "out")
    back = audit(tmp_path / "out", tmp_path / "back").summary()
    assert same_summary(findings(ours), findings(back))
    assert {row["n"] for row in back["curves"]} == {6}


def test_the_answers_alone_say_what_their_tasks_are(asked_again, tmp_path):
    with asked_again.reading() as store:
        export(store, "csv", tmp_path / "out")
    back = audit(tmp_path / "out" / "answers.csv", tmp_path / "back").summary()
    assert same_summary(findings(asked_again.summary()), findings(back))
    (tmp_path / "out" / "answers.tasks.json").write_text("[]")
    with pytest.raises(RequestError, match=r"answers\.tasks\.json: it should be a JSON object"):
        audit(tmp_path / "out", tmp_path / "other")


def row(item, **fields):
    text = {"item": item, "gold": "A", "text": "A", "labels": ["A", "B"], **fields}
    return json.dumps({"model": "m", "task": "t", **text})


@pytest.mark.parametrize(
    ("again", "message"),
    [
        ({"variant": "permuted"}, "of no question, which has no answer"),
        ({"variant": "permuted", "parent": "q9"}, "of q9, which has no answer"),
        ({"variant": "permutted", "parent": "q1"}, "permuted"),
        ({"stopped": "bored"}, "stopped should be 'eos', 'stop' or 'length'"),
    ],
)
def test_a_variant_of_nothing_is_refused(tmp_path, again, message):
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join([row("q1"), row("q1~", **again)]))
    with pytest.raises(RequestError, match=message):
        audit(path, tmp_path / "run")


def test_a_variant_may_have_a_label_more(tmp_path):
    """And the task has not: chance stays one half."""
    path = tmp_path / "a.jsonl"
    more = {"labels": ["A", "B", "C"], "gold": "C", "variant": "unsure", "parent": "q1"}
    path.write_text("\n".join([row("q1"), row("q2", gold="B"), row("q1~unsure", **more)]))
    summary = audit(path, tmp_path / "run").summary()
    assert summary["tasks"][0]["labels"] == ["A", "B"]
    assert summary["tasks"][0]["floors"]["chance"] == 0.5
    assert [r["n"] for r in summary["curves"]] == [2]


def own(tmp_path, name):
    path = tmp_path / name / "q.jsonl"
    path.parent.mkdir()
    asked = [{"question": f"{n}?", "options": ["x", "y"], "answer": "AB"[n % 2]} for n in range(4)]
    path.write_text("".join(f"{json.dumps(one)}\n" for one in asked))
    return str(path)


def test_tasks_named_by_a_path_go_out_and_come_back(tiny_pair, tmp_path):
    tasks = [own(tmp_path, "a b"), own(tmp_path, "a-b")]
    ours = run(study(tiny_pair, tasks=tasks), tmp_path / "run")
    with ours.reading() as store:
        written = export(store, "lm-eval", tmp_path / "out")
    assert len(written) == 2 * (2 * 2 + 1)  # models; tasks, views; results
    assert all(path.is_file() for path in written)
    back = audit(tmp_path / "out", tmp_path / "back").summary()
    assert same_summary(findings(ours.summary()), findings(back))


@pytest.mark.parametrize("to", ["csv", "lm-eval"])
def test_an_export_that_fails_leaves_nothing(asked_again, tmp_path, monkeypatch, to):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(room, "asdict", full)
    out = tmp_path / "new" / "out"
    with asked_again.reading() as store, pytest.raises(RequestError, match="No space left"):
        export(store, to, out)
    assert not out.exists()
    out.mkdir()
    (out / "mine.txt").write_text("kept")
    with asked_again.reading() as store, pytest.raises(RequestError, match="No space left"):
        export(store, to, out)
    assert [path.name for path in out.iterdir()] == ["mine.txt"]


def test_perplexity_is_left_out_with_a_notice(tiny_pair, tmp_path, capsys):
    text = tmp_path / "t.txt"
    text.write_text("the liver is an organ. " * 100)
    name = f"perplexity:{text}"
    ours = run(study(tiny_pair, tasks=["clinic-logic", name]), tmp_path / "run")
    for to in ("csv", "lm-eval"):
        out = tmp_path / to
        assert main(["export", str(ours.path), "--to", to, "--out", str(out), "--json"]) == 0
        said = capsys.readouterr()
        assert json.loads(said.out)
        assert said.err == (
            f"{name} is left out, because {to} needs gold answers: parquet holds it.\n"
        )
        back = audit(out, tmp_path / f"back-{to}").summary()
        assert [task["name"] for task in back["tasks"]] == ["clinic-logic"]
    alone = run(study(tiny_pair, tasks=[name]), tmp_path / "alone")
    with alone.reading() as store, pytest.raises(RequestError, match="export it with --to parquet"):
        export(store, "csv", tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_answers_that_are_no_labels_come_back(tiny_pair, data_dir, tmp_path):
    """Numbers and texts are read by their own tasks again."""
    asked = study(
        tiny_pair, tasks=["gsm8k", "medquad"], num_fewshot=0, data_dir=str(data_dir), limit=3,
        max_new_tokens=8,
    )  # fmt: skip
    ours = run(asked, tmp_path / "run")
    degraded = {"status", "reason", "warnings"}
    for to in ("csv", "lm-eval"):
        with ours.reading() as store:
            export(store, to, tmp_path / to)
        back = audit(tmp_path / to, tmp_path / f"back-{to}").summary()
        rows = [
            [{k: v for k, v in r.items() if k not in degraded} for r in findings(s)["curves"]]
            for s in (ours.summary(), back)
        ]
        assert same_summary({"curves": rows[0]}, {"curves": rows[1]})


FORMULAS = [
    "=1+1", "+49 30", "-yes", "@SUM(A1)", "\t=1", "\r=1", " =HYPERLINK(1)", "=", "-", "'=1", "'",
    "-5", "+3.5e2", "yes", "", "\n- a\n- b", "＝1",
]  # fmt: skip


def test_no_cell_is_a_formula_and_none_is_lost(tmp_path):
    """As a spreadsheet reads the files; an audit of them reads what was there before."""
    rows = [
        {"model": "=m", "task": "+t", "item": f"{word}{n}", "gold": "-yes", "text": word,
         "labels": ["-yes", "@no"], "level": level, "recipe": "none" if level == 0 else "=cut",
         "tags": {"=a": "=b"}, "prompt": word, "question": word, "recorded": word or "none"}
        for level in (0, 0.5)
        for n, word in enumerate(FORMULAS)
    ]  # fmt: skip
    (tmp_path / "a.jsonl").write_text("\n".join(json.dumps(row) for row in rows))
    ours = audit(tmp_path / "a.jsonl", tmp_path / "ours")
    assert main(["export", str(ours.path), "--to", "csv", "--out", str(tmp_path / "csv")]) == 0
    for name in ("answers.csv", "cells.csv"):
        with (tmp_path / "csv" / name).open(newline="", encoding="utf-8") as file:
            cells = [cell for row in csv.reader(file) for cell in row]
        dangerous = [cell for cell in cells if re.match(r"\s*[=+\-@＝]|[\t\r]", cell)]
        numbers = [float(cell) for cell in dangerous]  # which stay numbers
        assert (-5.0 in numbers and 350.0 in numbers) == (name == "answers.csv")
    back = audit(tmp_path / "csv", tmp_path / "back")
    columns = ["model", "recipe", "level", "task", "item_id", "gold", "text", "answer", "score",
               "recorded", "prompt", "tags", "outcome"]  # fmt: skip
    frames = [run.answers()[columns].fillna("") for run in (ours, back)]
    assert frames[0].to_dict("records") == frames[1].to_dict("records")
    assert same_summary(findings(ours.summary()), findings(back.summary()))


def test_a_csv_of_others_keeps_its_apostrophes(tmp_path):
    """Only what a row says was guarded is read without its apostrophe."""
    (tmp_path / "a.csv").write_text("model,task,item,gold,text,labels\nm,t,1,yes,'=1,yes|no\n")
    run = audit(tmp_path / "a.csv", tmp_path / "run")
    assert list(run.answers()["text"]) == ["'=1"]

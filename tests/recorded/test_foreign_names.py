"""A task's name in somebody's data is a name: it loads nothing, and no number depends on it."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import asdict, replace

import pytest
import yaml_task
from lazy import WHEN_RUN

from resect import Study, tasks
from resect.cli import main
from resect.errors import RequestError
from resect.record import Answer, CellResult, Item, RawAnswer, Reading, TaskInfo
from resect.recorded import audit
from resect.running.folder import Run
from resect.store.checksums import seal
from resect.tasks import readers

if WHEN_RUN:
    from resect import run


NAMES = (
    "gsm8k", "medquad", "math500", "humaneval", "ncbi-disease", "wikitext2", "pubmedqa:cot",
    "mmlu:anatomy", "medhalt-fake", "lm-eval:arc_easy", "own:questions.jsonl", "perplexity:a.txt",
    "questions.jsonl",
)  # fmt: skip


@pytest.fixture
def opened(monkeypatch):
    """The classes of the table of tasks that were made or looked up."""
    found = []
    known = tasks._class
    monkeypatch.setattr(tasks, "_class", lambda name: found.append(name) or known(name))
    return found


def recorded(path, name, **more):
    """Ten answers to yes/no questions, three of them wrong."""
    rows = [
        {"model": "m", "task": name, "item": f"q{n}", "gold": ("yes", "no")[n % 2],
         "text": ("Yes.", "No.")[(n + (n > 6)) % 2], "recipe": "cut", "level": level, **more}
        for level in (0, 0.5) for n in range(10)
    ]  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def numbers(found):
    """What was read and what follows, but for intervals: resamples are drawn by a task's name."""
    curves = found.summary()["curves"]
    for row in curves:
        assert row.pop("task") in {task["name"] for task in found.summary()["tasks"]}
        row["metrics"] = {name: value["value"] for name, value in row["metrics"].items()}
    columns = ["item_id", "answer", "outcome", "tier", "score", "reader"]
    return curves, found.read()[0][columns].to_dict("list")


@pytest.fixture(scope="module")
def usual(tmp_path_factory):
    """The answers of a task with a name of its own."""
    root = tmp_path_factory.mktemp("usual")
    return audit(recorded(root / "a.jsonl", "mytask"), root / "run")


@pytest.mark.parametrize("name", NAMES)
def test_a_yes_no_file_has_the_same_numbers_under_any_name(name, usual, tmp_path, opened):
    other = audit(recorded(tmp_path / "a.jsonl", name), tmp_path / "other")
    assert {row["accuracy"] for row in usual.summary()["curves"]} == {0.7}
    for one, again in zip(numbers(usual), numbers(other), strict=True):
        assert one == again
    assert opened == []


@pytest.mark.parametrize("kind", ["label", "text", "exported"])
@pytest.mark.slow
def test_audit_runs_no_code_that_the_data_name(tmp_path, kind, opened, capsys):
    """Nor does anything that reads the run folder afterwards."""
    path, mark = yaml_task.evil(tmp_path)
    name, place = f"lm-eval:{path}", tmp_path / "in"
    place.mkdir()
    given = {"label": {}, "text": {"gold": "an essay", "score": 1}, "exported": {"score": 1}}[kind]
    recorded(place / "answers.jsonl", name, **given)
    if kind == "exported":
        info = TaskInfo(name, "number", (), "", "", 5, primary="exact_match")
        (place / "answers.tasks.json").write_text(json.dumps({name: asdict(info)}))
    out = str(tmp_path / "run")
    assert main(["audit", str(place), "--out", out, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["curves"]
    assert {row["accuracy"] or row["metrics"]["exact_match"]["value"] for row in rows} == (
        {0.7} if kind == "label" else {1.0}
    )
    assert main(["report", out, "--quiet"]) == 0
    assert main(["export", out, "--to", "csv", "--out", str(tmp_path / "csv")]) == 0
    assert main(["export", out, "--to", "lm-eval", "--out", str(tmp_path / "samples")]) == 0
    assert main(["diff", out, out]) == 0
    assert main(["audit", str(tmp_path / "csv"), "--out", str(tmp_path / "again"), "--quiet"]) == 0
    assert opened == []
    assert not mark.exists()


def rename(folder, names):
    """An export in which every task has another name."""
    for path in folder.iterdir():
        text = path.read_text()
        for old, new in names.items():
            text = text.replace(json.dumps(old), json.dumps(new))
        path.write_text(text)


@pytest.mark.slow
def test_every_kind_comes_back_under_another_name(tiny_pair, data_dir, tmp_path):
    """The reader goes out with the description of its task."""
    names = ["gsm8k", "math500", "medquad", "ncbi-disease", "pubmedqa:cot"]
    study = Study.of(
        models={"base": str(tiny_pair[0])}, recipes=[], tasks=names, data_dir=str(data_dir),
        limit=3, num_fewshot=0, max_new_tokens=8, device="cpu", resamples=100, measure="sizes",
    )  # fmt: skip
    ours = run(study, tmp_path / "run")
    assert main(["export", str(ours.path), "--to", "csv", "--out", str(tmp_path / "csv")]) == 0
    others = {name: f"renamed-{place}" for place, name in enumerate(names)}
    rename(tmp_path / "csv", others)
    back = audit(tmp_path / "csv", tmp_path / "back")
    columns = ["answer", "outcome", "tier", "score", "reader", "parts"]
    before, after = (one.answers() for one in (ours, back))
    assert set(after["task"]) == set(others.values())
    assert before["task"].map(others).tolist() == after["task"].tolist()
    assert before[columns].to_dict("list") == after[columns].to_dict("list")
    assert after["reader"].nunique() == len(names)


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"reader": "mine"}, r"t is a number task read by 'mine', and this resect has no such"),
        ({"reader": "label"}, r"t is a number task read by 'label'"),
        ({"reader": "cot overlap"}, r"t is a number task read by 'cot overlap'"),
        ({"reader": ["label"]}, r"does not describe its task as resect writes it"),
        ({"kind": "essay"}, r"does not describe its task as resect writes it"),
        ({"labels": [1]}, r"does not describe its task as resect writes it"),
        ({"labels": "yes"}, r"does not describe its task as resect writes it"),
        ({"more": 1}, r"does not describe its task as resect writes it"),
    ],
)
def test_a_description_that_fits_no_reader_is_refused(fields, sentence, tmp_path):
    recorded(tmp_path / "answers.jsonl", "t")
    info = TaskInfo("t", "number", (), "", "", 5, primary="exact_match")
    (tmp_path / "answers.tasks.json").write_text(json.dumps({"t": {**asdict(info), **fields}}))
    with pytest.raises(RequestError, match=sentence):
        audit(tmp_path, tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_gold_that_is_no_list_of_mentions_is_refused(tmp_path):
    recorded(tmp_path / "answers.jsonl", "t")
    info = TaskInfo("t", "spans", ("Disease",), "", "", 5, primary="strict_f1", reader="spans")
    (tmp_path / "answers.tasks.json").write_text(json.dumps({"t": asdict(info)}))
    with pytest.raises(RequestError, match="item q0: its gold must be a list of mentions"):
        audit(tmp_path, tmp_path / "run")


EARLIER = {
    "latex:0": ("number", r"So $\frac{1}{2}$, that is \boxed{0.5}.", "0.5", 1.0),
    "number:0": ("number", r"The answer is 0.5.", "0.5", 1.0),
    "cot:0 label:1 parse:2": ("label", "It may be A. Final answer: B", "B", 1.0),
    "label:1 parse:2": ("label", "B.", "B", 1.0),
    "program:0": ("code", "import os", "kept", 0.25),
    "mine:1": ("label", "B.", "kept", 0.25),
    "recorded": ("text", "B.", "kept", 0.25),
    "overlap:0": ("label", "B.", "kept", 0.25),  # no reader of that kind
}
"""What an earlier resect stored: the reader's version; kind, text, and what is to be read anew."""


@pytest.mark.parametrize("version", EARLIER)
def test_an_older_store_is_read_by_the_reader_that_is_stored_in_it(version, tmp_path, opened):
    """Its tasks, named like others, do not say what read them."""
    kind, said, value, score = EARLIER[version]
    gold = "B" if kind == "label" else "0.5"
    item = Item("q", "?", gold, labels=("A", "B") if kind == "label" else ())
    info = TaskInfo("humaneval", kind, item.labels, "", "", 5)
    cell = CellResult("c", "a", "s", "m", "base", "none", 0.0, 0, info.name, "success", None,
                      (item.key,), {})  # fmt: skip
    made = Run.create(tmp_path / "run")
    reading = Reading("kept", "answer", "old", 0.25)
    with made.writing() as store:
        store.put_study([{"name": "m", "role": "base"}], {info.name: info}, {info.name: [item]},
                        [cell], {"study": {}})  # fmt: skip
        store.put_answers(
            [Answer("a", item.key, RawAnswer(said, "eos", 3), reading, version, None)]
        )
        store.put_cell(cell)
    with sqlite3.connect(made.path / "results.sqlite") as db:
        (text,) = db.execute("SELECT info FROM tasks").fetchone()
        earlier = {k: v for k, v in json.loads(text).items() if k != "reader"}
        db.execute("UPDATE tasks SET info = ?", (json.dumps(earlier),))
        seal(db, ["tasks"])
    answers, infos = made.read()
    assert infos["humaneval"].reader is None
    assert answers[["answer", "score"]].values.tolist() == [[value, score]]
    assert opened == []


def test_a_reader_of_reasoning_is_of_labels_or_numbers():
    info = TaskInfo("t", "text", (), "", "", 5, reader="cot overlap")
    assert readers.again(info) is None
    assert (
        readers.again(replace(info, kind="number", reader="cot latex")).version == "cot:2 latex:3"
    )
    with pytest.raises(RequestError, match="task t names no reader for its kind, text"):
        readers.of(info)

"""A user's own questions: what a file may look like, and the one sentence where it is wrong."""

from __future__ import annotations

import gzip
import json

import pytest
from lazy import WHEN_RUN

from resect import Study, tasks
from resect.errors import RequestError
from resect.tasks import Source

if WHEN_RUN:
    from resect import run


GOOD = {"question": "Which is an organ?", "options": ["liver", "aspirin"], "answer": "A"}


def write(path, rows) -> str:
    path.write_text("".join(f"{r if isinstance(r, str) else json.dumps(r)}\n" for r in rows))
    return str(path)


def test_letters_words_and_objects(tmp_path):
    name = write(
        tmp_path / "mine.jsonl",
        [
            {**GOOD, "id": "organ", "tags": {"topic": "anatomy"}},
            {"question": "A drug?", "options": {"A": "liver", "B": "aspirin"}, "answer": "B"},
            {"question": "Who?", "options": ["x", "y", "z"], "answer": "z", "context": "z did."},
        ],
    )  # fmt: skip
    one, two, three = tasks.get(name).items(Source())
    assert one.prompt == "Question: Which is an organ?\nOptions:\nA. liver\nB. aspirin\nAnswer:"
    assert (one.id, one.gold, one.labels, one.tags["topic"]) == (
        "own/organ", "A", ("A", "B"), "anatomy",
    )  # fmt: skip
    assert (two.id, two.gold, two.choices) == ("own/2", "B", (" A", " B"))
    assert three.prompt.startswith("Context: z did.\nQuestion: Who?\nOptions:\nA. x")
    assert (three.gold, three.labels) == ("C", ("A", "B", "C"))
    info = tasks.get(f"own:{name}").describe(Source())
    assert (info.name, info.labels, info.scored) == (f"own:{name}", ("A", "B", "C"), "letter")
    assert "the 3 questions of mine.jsonl, zero-shot" in info.protocol


def test_the_same_words_everywhere_are_labels(tmp_path):
    rows = [
        {"question": "Safe?", "options": ["yes", "no"], "answer": "no"},
        {"question": "New?", "options": ["yes", "no"], "answer": "yes", "context": "It is new."},
    ]
    name = write(tmp_path / "words.jsonl", rows)
    one, two = tasks.get(name).items(Source())
    assert one.prompt == "Question: Safe?\nAnswer (yes/no):"
    assert two.prompt == "Context: It is new.\nQuestion: New?\nAnswer (yes/no):"
    assert (one.gold, one.labels, one.options) == ("no", ("yes", "no"), None)
    info = tasks.get(name).describe(Source())
    assert (info.labels, info.scored, info.positive) == (("yes", "no"), "text", "yes")


def test_a_compressed_file_with_examples_and_reasoning(tmp_path):
    path = tmp_path / "mine.jsonl.gz"
    rows = [{**GOOD, "id": n, "question": f"{n}?", "reasoning": f"Since {n}."} for n in range(4)]
    path.write_bytes(gzip.compress("".join(json.dumps(r) + "\n" for r in rows).encode()))
    items = tasks.get(f"{path}:cot").items(Source(num_fewshot=2))
    for item in items:
        assert item.prompt.count("\nFinal answer: A\n\n") == 2
        assert f"Question: {item.id[4:]}?" in item.prompt[-200:]
        assert item.prompt.count(f"Since {item.id[4:]}.") == 0


@pytest.mark.parametrize(
    ("rows", "sentence"),
    [
        ([], r"is empty: write one JSON object per line"),
        (["", "  "], r"is empty"),
        ([{"question": "q", "options": ["a", "b"]}], r"line 1 has no field 'answer'"),
        ([GOOD, {"question": "q", "answer": "A"}], r"line 2 has no field 'options'"),
        ([{"options": ["a", "b"], "answer": "A"}], r"line 1 has no field 'question'"),
        ([{**GOOD, "options": "liver"}], r"line 1: options has the wrong type \('liver'\)"),
        (["{"], r"line 1 is not JSON"),
        (["[1]"], r"line 1 is not a JSON object"),
        ([GOOD, {**GOOD, "answer": "C"}], r"question 2: answer 'C' is neither one of A, B nor"),
        ([{**GOOD, "answer": "kidney"}], r"question 1: answer 'kidney' is neither"),
        ([{**GOOD, "answer": 0}], r"answer 0 is neither.*give the label or the text, not a number"),
        ([{**GOOD, "options": ["liver"]}], r"question 1 has 1 options: give 2 to 26"),
        ([{**GOOD, "id": 7}, {**GOOD, "id": 7}], r"question 2: question 1 already has the id '7'"),
        ([{**GOOD, "tags": ["x"]}], r"tags must be an object"),
    ],
)
def test_a_wrong_file_is_one_sentence(tmp_path, rows, sentence):
    name = write(tmp_path / "mine.jsonl", rows)
    with pytest.raises(RequestError, match=sentence) as found:
        tasks.get(name).items(Source())
    assert str(found.value).endswith(".")
    assert "\n" not in str(found.value)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(RequestError, match=r"there is no file .*mine.jsonl"):
        tasks.get(str(tmp_path / "mine.jsonl")).items(Source())
    (tmp_path / "bytes.jsonl").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(RequestError, match="cannot be read"):
        tasks.get(str(tmp_path / "bytes.jsonl")).items(Source())


@pytest.mark.slow
def test_a_study_of_own_questions(tmp_path):
    rows = [{**GOOD, "id": n, "question": f"{n}?", "answer": "AB"[n % 2]} for n in range(6)]
    name = write(tmp_path / "mine.jsonl", rows)
    study = Study.of(
        models={"specialist": "clinic:specialist"}, recipes=[], tasks=[name], resamples=100
    )
    found = run(study, tmp_path / "run")
    (tmp_path / "mine.jsonl").unlink()  # a report needs no questions, only answers
    found.report()
    (task,) = found.summary()["tasks"]
    assert (task["n"], task["gold"]) == (6, {"A": 3, "B": 3})
    assert task["floors"]["chance"] == 0.5


def test_a_mark_at_the_start_of_a_file_is_no_part_of_it(tmp_path):
    """As editors on Windows write UTF-8: questions, training data, calibration, texts."""
    from resect.methods.calibration import calibration_text
    from resect.recover.training_data import Source as Training

    rows = {"own": GOOD, "text": {"text": "the liver"}, "pair": {"question": "q", "answer": "a"}}
    paths = {name: tmp_path / f"{name}.jsonl" for name in rows}
    for name, path in paths.items():
        path.write_text(f"{json.dumps(rows[name])}\n", encoding="utf-8-sig")
    (tmp_path / "plain.txt").write_text("the liver", encoding="utf-8-sig")
    packed = tmp_path / "own.jsonl.gz"
    packed.write_bytes(gzip.compress(paths["own"].read_bytes()))
    for path in (paths["own"], packed):
        assert [item.gold for item in tasks.get(str(path)).items(Source())] == ["A"]
    for path in (paths["text"], tmp_path / "plain.txt"):
        items = tasks.get(f"perplexity:{path}").items(Source())
        assert [item.choices for item in items] == [("the liver",)]
        assert list(calibration_text._file(path)) == ["the liver"]
    assert [e.question for e in Training(str(paths["pair"])).examples()] == ["q"]

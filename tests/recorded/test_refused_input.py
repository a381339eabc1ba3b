"""What used to be read wrongly in silence: levels in percent, roles, types, sizes, old outputs."""

from __future__ import annotations

import gzip
import json
import math
import tarfile

import pytest

from resect.errors import RequestError
from resect.recorded import describe, files, fill, get, lobotomy, plain, recognise
from resect.store.export import export

NOBODY = {"specialist": None, "base": None}


def row(n=0, **more):
    base = {"model": "M", "task": "t", "item": f"q{n}", "gold": ("yes", "no")[n % 2], "text": "yes"}
    return {k: v for k, v in {**base, **more}.items() if v is not ...}


def put(path, rows):
    path.write_text("".join(json.dumps(one) + "\n" for one in rows))
    return path


def filled(path, **asked):
    name = recognise(path)
    return fill.fill(get(name).read(path), path, name, NOBODY | asked)


def refused(path, match, **asked):
    with pytest.raises(RequestError, match=match) as caught:
        filled(path, **asked)
    assert str(caught.value).endswith((".", "?"))


def answers(found):
    readings = fill._Readings(found.tasks)
    return [a for cell in found.cells for a in fill._answers(cell, readings)]


@pytest.mark.parametrize(
    ("recipe", "levels", "match"),
    [
        ("wanda", (0, 10, 30, 50), "level 50 of wanda.*write 0.5 for 50 %"),
        ("wanda", (0, 10), "level 10 of wanda.*write 0.5 for 50 %"),
        ("mine", (0, 50), "write 0.5 for 50 %"),
        ("mine", (0, 20), "level 20 of mine.*write 0.5 for 50 %"),
        ("gptq", (64,), "write 0.5 for 50 %"),
        ("wanda", (0, 0.5, 50), "mixes levels below 1.*write 0.5 for 50 %"),
        ("gptq", (0.5, 4), "mixes levels below 1"),
    ],
)
def test_levels_in_percent_are_refused(tmp_path, recipe, levels, match):
    rows = [row(n, recipe=recipe, level=x) for x in levels for n in range(2)]
    refused(put(tmp_path / "a.jsonl", rows), match)


@pytest.mark.parametrize("recipe", ["bnb", "gptq", "w8a8", "magnitude:0.5 + bnb-nf4", "compressed"])
def test_bits_are_levels(tmp_path, recipe):
    rows = [row(recipe=recipe, level=x) for x in (0, 3, 4, 8, 16)]
    found = filled(put(tmp_path / "a.jsonl", rows))
    assert [cell.result.level for cell in found.cells] == [0, 3, 4, 8, 16]
    said = any("bits per weight" in note for note in found.facts["warnings"])
    assert said == (recipe == "compressed")


def test_everything_removed_is_no_level(tmp_path):
    head = "prompt,true_answer,raw_response\np,yes,yes\n"
    for percent in (0, 100):
        (tmp_path / f"o_M_pubmedqa_{percent}_percent.csv").write_text(head)
    with pytest.raises(RequestError, match="100 % were removed"):
        lobotomy.read(tmp_path)


def test_scores_follow_the_order_of_the_tasks_labels(tmp_path):
    one = {"labels": ["yes", "no"], "option_scores": [-1.0, -2.0], "choices": [" Yes", " No"]}
    two = {"labels": ["no", "yes"], "option_scores": [-3.0, -4.0], "choices": [" No", " Yes"]}
    rows = [row(0, **one), row(1, **two), row(0, model="N"), row(1, model="N", **two)]
    found = filled(put(tmp_path / "a.jsonl", rows))
    assert found.tasks["t"].labels == ("yes", "no")
    items = list(found.items["t"].values())
    assert all(i.labels == ("yes", "no") and i.choices == (" Yes", " No") for i in items)
    got = [(a.raw.option_scores, a.chosen) for a in answers(found)]
    assert got == [((-1.0, -2.0), "yes"), ((-4.0, -3.0), "no"), (None, None), ((-4.0, -3.0), "no")]


def test_labels_that_cannot_be_mapped(tmp_path):
    scores = {"text": ..., "option_scores": [-1.0, -2.0]}
    rows = [row(labels=["yes", "no"], **scores), row(model="N", labels=["yes", "maybe"], **scores)]
    refused(put(tmp_path / "a.jsonl", rows), "do not ask the same questions")
    refused(put(tmp_path / "a.jsonl", [row(labels=["yes", "yes"], **scores)]), "a label twice")
    rows = [row(labels=["yes", "no"], choices=["a"], **scores)]
    refused(put(tmp_path / "a.jsonl", rows), "1 choices for 2 labels")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_scores_that_are_not_finite_are_no_answer(tmp_path, bad):
    rows = [
        row(n, text=..., labels=["yes", "no"], option_scores=s)
        for n, s in enumerate([[bad, -1.0], [-1.0, bad], [-2.0, -1.0]])
    ]
    found = answers(filled(put(tmp_path / "a.jsonl", rows)))
    assert [a.chosen for a in found] == [None, None, "no"]


def test_letters_are_those_that_are_shown():
    gold = {"a": "A", "b": "B"}
    rows = [_recorded("A. it is"), _recorded("Both. A and B are fine, C is not.")]
    assert describe.labels_of(gold, rows) == ("A", "B")
    assert describe.labels_of(gold) == ("A", "B")
    for text in ("D", "C. because", "I think\n(D) none", "The answer is D."):
        assert describe.labels_of(gold, [*rows, _recorded(text)]) == ("A", "B", "C", "D")
    assert describe.labels_of(gold, [_recorded("A", prompt="q\nC. x\nD. y")]) == tuple("ABCD")
    assert describe.labels_of({**gold, "c": "E"}) == tuple("ABCDE")


def _recorded(text, **more):
    return plain._row(
        {"model": "M", "task": "t", "item": "i", "gold": "A", "text": text, **more}, "", ""
    )


def test_two_models_in_one_role(tmp_path):
    roles = {"A": "specialist", "B": "specialist", "C": "base"}
    file = put(tmp_path / "a.jsonl", [row(model=m, role=r) for m, r in roles.items()])
    refused(file, "A and B are all called specialist")
    chosen = filled(file, specialist="B")
    assert [(m["name"], m["role"]) for m in chosen.models][:2] == [
        ("B", "specialist"),
        ("C", "base"),
    ]
    refused(file, "A cannot be both specialist and base", specialist="A", base="A")


def test_a_role_that_several_share_names_no_model(tmp_path):
    file = put(tmp_path / "a.jsonl", [row(model=m, role="small") for m in "AB"])
    assert list(filled(file).facts["study"]["models"]) == ["A", "B"]


def test_csv_is_told_by_the_end_of_the_name(tmp_path):
    assert len(filled(put(tmp_path / "answers.csv.jsonl", [row()])).cells) == 1
    file = tmp_path / "b.csv.gz"
    file.write_bytes(gzip.compress(b"model,task,item,gold,text\nM,t,q,yes,no\n"))
    assert filled(file).cells[0].rows[0].text == "no"


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"text": ["yes"]}, "line 2: text should be text"),
        ({"text": {"a": 1}}, "line 2: text should be text"),
        ({"gold": True}, "line 2: gold should be text"),
        ({"item": False}, "line 2: item should be text"),
        ({"level": True}, "line 2: level should be a number"),
        ({"score": math.nan}, "line 2: score should be a finite number"),
        ({"gold": "maybe", "labels": ["yes", "no"]}, "line 2: gold 'maybe' is none of the labels"),
        ({"labels": ["yes", None]}, "line 2: labels.1 should be text"),
        ({"text": "\ud800"}, "line 2 cannot be read as JSON .*hex escape"),
    ],
)
def test_what_is_no_text(tmp_path, change, match):
    refused(put(tmp_path / "a.jsonl", [row(0), row(1, **change)]), match)


def test_numbers_are_text_and_case_does_not_matter(tmp_path):
    labels = {"labels": ["Yes", "no"]}
    rows = [row(0, text=7, **labels), row(0, model="N", gold="YES", **labels), row(0, model="O")]
    found = filled(put(tmp_path / "a.jsonl", rows))
    assert found.cells[0].rows[0].text == "7"
    assert found.items["t"]["q0"].gold == "Yes"


def test_two_files_without_levels_are_two_baselines(tmp_path):
    for model in "AB":
        put(tmp_path / f"{model}.jsonl", [row(n, model=model) for n in range(4)])
    found = filled(tmp_path, specialist="A")
    got = [(c.result.model, c.result.role, c.result.recipe, c.result.level) for c in found.cells]
    assert got == [("A", "specialist", "none", 0.0), ("B", "base", "none", 0.0)]
    assert found.cells[0].result.items == found.cells[1].result.items
    assert found.facts["study"]["recipes"] == []


def test_what_decompresses_to_too_much(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    for name in "abc":
        put(tmp_path / "in" / f"{name}.jsonl", [row(n, model=name) for n in range(50)])
    with tarfile.open(tmp_path / "all.tar.xz", "w:xz") as tar:
        tar.add(tmp_path / "in", "in")
    packed = tmp_path / "in" / "d.jsonl.gz"
    packed.write_bytes(gzip.compress(b"\n" * 20_000))
    monkeypatch.setattr(files, "MOST", 10_000)
    with pytest.raises(RequestError, match="decompresses to more than"):
        files.names(tmp_path / "all.tar.xz")
    refused(tmp_path / "in", "decompresses to more than")
    monkeypatch.setattr(files, "LARGEST", 10_000)
    refused(packed, "d.jsonl.gz decompresses to more than")


def test_no_old_page_stays_beside_a_new_store(tmp_path):
    found = filled(put(tmp_path / "a.jsonl", [row(n) for n in range(4)]))
    out = fill.write(found, tmp_path / "out").path
    for name in fill.OUTPUTS:
        (out / name).write_text("old")
    fill.write(found, tmp_path / "out")
    assert not any((out / name).exists() for name in fill.OUTPUTS)
    assert (out / "results.sqlite").is_file()


@pytest.mark.parametrize("to", ["csv", "lm-eval"])
def test_a_score_that_is_not_finite_goes_out_and_comes_back(tmp_path, to):
    rows = [
        row(n, text=..., labels=["yes", "no"], option_scores=s, prompt=f"p{n}")
        for n, s in enumerate([[math.nan, -1.0], [-1.0, -math.inf], [-2.0, -1.0]])
    ]
    run = fill.write(filled(put(tmp_path / "a.jsonl", rows)), tmp_path / "out")
    with run.reading() as store:
        export(store, to, tmp_path / "to")
    back = filled(tmp_path / "to" / "answers.csv" if to == "csv" else tmp_path / "to")
    assert [a.chosen for a in answers(back)] == [None, None, "no"]
    assert not [note for note in back.facts["warnings"] if "states" in note]

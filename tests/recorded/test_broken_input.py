"""Broken input: one clear sentence each, and nothing half-written."""

from __future__ import annotations

import csv
import json
import tarfile

import pytest

from resect import cli
from resect.errors import RequestError
from resect.recorded import audit, recognise

LEVELS = (0, 25, 50, 75, 95)


def published(folder, models=("Special", "Plain"), levels=LEVELS, rows=20):
    """Small files in the layout of the published study; the last level loses everything."""
    for model in models:
        place = folder / f"{model}_PubMedQA"
        place.mkdir(parents=True, exist_ok=True)
        for level in levels:
            with (place / f"org_{model}_pubmedqa_{level}_percent.csv").open("w") as file:
                writer = csv.writer(file, lineterminator="\n")
                writer.writerow(["prompt", "true_answer", "raw_response", "parsed_guess"])
                for n in range(rows):
                    gold = ("yes", "no", "maybe")[n % 3]
                    said = gold if n >= rows * level / 100 else "\n\n"
                    prompt = f"Context: c\nQuestion: q{n}?\nAnswer (yes/no/maybe):"
                    writer.writerow([prompt, gold, said, said.strip() or "maybe"])
    return folder


def plain(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def row(n=0, **more):
    base = {"model": "m", "task": "t", "item": f"i{n}", "gold": ("yes", "no")[n % 2], "text": "yes"}
    return {k: v for k, v in {**base, **more}.items() if v is not ...}


def refused(path, out, match, **more):
    with pytest.raises(RequestError, match=match) as caught:
        audit(path, out, **more)
    message = str(caught.value)
    assert message.endswith((".", "?"))
    assert "\n" not in message
    assert not out.exists()


def test_a_missing_level_is_a_gap_and_not_0(tmp_path):
    folder = published(tmp_path / "in", levels=(0, 20, 40, 60, 80))
    (folder / "Special_PubMedQA" / "org_Special_pubmedqa_40_percent.csv").unlink()
    summary = audit(folder, tmp_path / "out", specialist="Special").summary()
    assert any("no answers at level 0.4" in warning for warning in summary["warnings"])
    mine = [r for r in summary["curves"] if r["model"] == "Special"]
    assert [r["level"] for r in mine] == [0, 0.2, 0.6, 0.8]
    rows = [r for r in summary["robustness"] if r["model"] == "Special"]
    assert all(r["value"] is None and "gap" in r["reason"] for r in rows)
    areas = {r["model"]: r for r in summary["published"]["areas"] if r["reading"] == "study"}
    assert areas["Special"]["area"] is None
    assert areas["Plain"]["area"] is not None


def test_a_level_that_nobody_has_is_named(tmp_path):
    folder = published(tmp_path / "in", levels=(0, 10, 20, 40, 50, 60))
    summary = audit(folder, tmp_path / "out").summary()
    assert any("no model has answers at 0.3" in warning for warning in summary["warnings"])


def test_a_row_without_gold(tmp_path):
    refused(plain(tmp_path / "a.jsonl", [row(0), row(1, gold="")]), tmp_path / "o", "no gold")
    refused(
        plain(tmp_path / "b.jsonl", [row(0), row(1, gold=...)]),
        tmp_path / "o",
        "gold is missing",
    )


def test_an_item_answered_twice(tmp_path):
    refused(plain(tmp_path / "a.jsonl", [row(0), row(0)]), tmp_path / "o", "answered twice")
    folder = published(tmp_path / "in")
    file = folder / "Plain_PubMedQA" / "org_Plain_pubmedqa_50_percent.csv"
    file.write_text(file.read_text() + file.read_text().split("\n", 1)[1])
    refused(folder, tmp_path / "o", "answered twice by Plain under magnitude at 0.5")


@pytest.mark.parametrize("cut", [30, 8, 4, 1])
def test_a_file_cut_short(tmp_path, cut):
    folder = published(tmp_path / "in")
    file = folder / "Plain_PubMedQA" / "org_Plain_pubmedqa_0_percent.csv"
    text = file.read_text()
    file.write_text(text[: text.index("q15?") - cut])
    refused(folder, tmp_path / "o", "cut short")


def test_whole_rows_missing_are_named(tmp_path):
    folder = published(tmp_path / "in")
    published(folder, models=("Plain",), levels=(50,), rows=15)
    summary = audit(folder, tmp_path / "out").summary()
    assert any("has 15 of the 20 rows" in warning for warning in summary["warnings"])


def test_mixed_encodings(tmp_path):
    folder = published(tmp_path / "in")
    file = folder / "Plain_PubMedQA" / "org_Plain_pubmedqa_75_percent.csv"
    file.write_bytes(file.read_bytes().replace(b"Context: c", b"Context: caf\xe9"))
    refused(folder, tmp_path / "o", "75_percent.csv is not UTF-8 at line 2")


def test_two_models_in_one_file(tmp_path):
    place = tmp_path / "X_PubMedQA"
    place.mkdir()
    lines = ["model,prompt,true_answer,raw_response", "a,p,yes,yes", "b,q,no,no"]
    (place / "org_X_pubmedqa_0_percent.csv").write_text("\n".join(lines) + "\n")
    refused(tmp_path, tmp_path / "o", "two models")
    summary = audit(
        plain(tmp_path / "a.jsonl", [row(n, model=m) for m in "ab" for n in range(4)]),
        tmp_path / "out",
    ).summary()
    assert [m["name"] for m in summary["models"]] == ["a", "b"]


def test_nothing_there(tmp_path):
    (tmp_path / "in").mkdir()
    refused(tmp_path / "in", tmp_path / "o", "is empty")
    refused(tmp_path / "nowhere", tmp_path / "o", "nothing at")
    (tmp_path / "in" / "notes.txt").write_text("hello")
    refused(tmp_path / "in", tmp_path / "o", "no recorded answers are recognised")
    (tmp_path / "in" / "x.tar.xz").write_text("hello")
    refused(tmp_path / "in" / "x.tar.xz", tmp_path / "o", "cannot be read as an archive")


def test_an_archive_cut_short(tmp_path):
    folder = published(tmp_path / "in")
    archive = tmp_path / "logs.tar.xz"
    with tarfile.open(archive, "w:xz") as tar:
        tar.add(folder, "data")
    assert len(audit(archive, tmp_path / "whole").answers()) == 2 * 5 * 20
    archive.write_bytes(archive.read_bytes()[:-200])
    refused(archive, tmp_path / "o", "cut short")


def test_only_one_view_is_fine_and_said(tmp_path):
    rows = [
        row(n, text=..., labels=["yes", "no"], option_scores=[-1.0, -2.0 + n]) for n in range(6)
    ]
    summary = audit(plain(tmp_path / "a.jsonl", rows), tmp_path / "out").summary()
    assert {r["view"] for r in summary["curves"]} == {"options"}
    text = [row(n) for n in range(6)]
    summary = audit(plain(tmp_path / "b.jsonl", text), tmp_path / "text").summary()
    assert {r["view"] for r in summary["curves"]} == {"text"}
    assert any("no options view" in warning for warning in summary["warnings"])


def test_two_files_without_levels_are_one_comparison(tmp_path):
    (tmp_path / "in").mkdir()
    for model, right in (("before", 30), ("after", 10)):
        said = [row(n, model=model) for n in range(40)]
        said = [{**r, "text": r["gold"] if n < right else "?"} for n, r in enumerate(said)]
        plain(tmp_path / "in" / f"{model}.jsonl", said)
    run = audit(tmp_path / "in", tmp_path / "out", specialist="before")
    (only,) = run.summary()["intact"]
    assert (only["a"], only["b"], only["n"]) == ("before", "after", 40)
    assert (only["only_a"], only["only_b"], only["verdict"]) == (20, 0, "a better")
    assert only["difference"] == 0.5
    assert only["low"] < 0.5 < only["high"]
    assert "so only the intact models are compared" in (run.path / "report.html").read_text()


def test_names_that_nobody_has(tmp_path):
    file = plain(tmp_path / "a.jsonl", [row(n, model="Mistral") for n in range(4)])
    refused(file, tmp_path / "o", "did you mean Mistral", specialist="Mistrall")
    refused(file, tmp_path / "o", "unknown format 'plane'.*plain", format="plane")


def test_files_that_do_not_ask_the_same(tmp_path):
    rows = [row(0), row(0, model="n", gold="no")]
    refused(plain(tmp_path / "a.jsonl", rows), tmp_path / "o", "do not ask the same questions")


def test_a_live_run_is_never_overwritten(tmp_path):
    from resect.running.folder import Run

    run = Run.create(tmp_path / "live")
    with run.writing() as store:
        store.put_study([], {}, {}, [], {"study": {"name": "mine"}})
    file = plain(tmp_path / "a.jsonl", [row(n) for n in range(4)])
    with pytest.raises(RequestError, match="not an audit"):
        audit(file, tmp_path / "live")
    audit(file, tmp_path / "out")
    audit(file, tmp_path / "out")  # an audit may be repeated


def test_the_command(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = published(tmp_path / "in")
    assert recognise(folder) == recognise(folder / "Plain_PubMedQA") == "lobotomy"
    assert cli.main(["audit", str(folder), "--json", "--specialist", "Special"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["study"]["recorded"]["format"] == "lobotomy"
    assert [m["role"] for m in shown["models"]] == ["specialist", "base"]
    assert (tmp_path / "runs" / "audit-in" / "report.html").is_file()
    assert cli.main(["export", "runs/audit-in", "--to", "csv", "--out", "out", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0].endswith("answers.csv")
    assert cli.main(["audit", str(tmp_path / "nowhere")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_text_that_needs_quoting_survives_csv(tmp_path):
    from resect.store.export import export

    texts = ["a\rb", 'say "yes", no', "x\ny", "\u2028", "", "yes"]
    rows = [row(n, text=text) for n, text in enumerate(texts)]
    run = audit(plain(tmp_path / "a.jsonl", rows), tmp_path / "out")
    with run.reading() as store:
        export(store, "csv", tmp_path / "csv")
    back = audit(tmp_path / "csv" / "answers.csv", tmp_path / "back")
    assert list(back.answers()["text"]) == texts

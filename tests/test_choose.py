"""`resect choose`: one command, one answer, one file; `resect check`: a gate for releases."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree

import pytest
from lazy import WHEN_RUN

import resect
from resect.cli import main
from resect.errors import RequestError
from resect.findings.policy import Policy

if WHEN_RUN:
    import tiny

    from resect.deploy import gguf_file
    from resect.models import loading
    from resect.running import ladder, request
    from resect.running.check import policy_from
    from resect.spec import ModelRef, Recipe

LADDER = ["--method", "gguf:Q8_0", "--method", "gguf:F16", "--method", "blocks:0.6 + gguf:Q8_0"]
ASKED = ["choose", "clinic:specialist", "--base", "clinic:base", "--task", "clinic-medicine",
         "--limit", "300", *LADDER]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "count"),
    [("8GB", 8 * 10**9), ("1.5MB", 1_500_000), ("60 mb", 60_000_000), ("2GiB", 2 << 30), ("7", 7)],
)
def test_a_budget_is_a_size(text, count):
    assert ladder.bytes_from(text) == count


@pytest.mark.parametrize("text", ["", "8 apples", "GB", "-1GB", "1e9", "9" * 40, "0MB"])
def test_what_is_no_size_is_one_sentence(text):
    with pytest.raises(RequestError, match="budget"):
        ladder.bytes_from(text)


@pytest.fixture(scope="module")
def chosen(tmp_path_factory):
    """The choice of a ladder whose smallest version is destroyed."""
    place = tmp_path_factory.mktemp("choose") / "run"
    return place, main([*ASKED, "--out", str(place), "--quiet"])


@pytest.mark.slow
def test_the_smallest_version_that_passes_is_a_file(chosen):
    place, code = chosen
    assert code == 0
    (row,) = json.loads((place / "summary.json").read_text())["choice"]
    assert row["chosen"]["recipe"] == "gguf:Q8_0"
    (file,) = (place / "model").glob("*.gguf")
    assert file.stat().st_size == row["chosen"]["bytes"]
    assert gguf_file.read(file).kind == "Q8_0"
    papers = {"README.md", "Modelfile", "resect.json"}
    assert papers <= {path.name for path in (place / "model").iterdir()}
    assert (place / "report.html").is_file()


@pytest.mark.slow
def test_no_more_is_asked_than_it_takes(chosen):
    with resect.Run(chosen[0]).reading() as store:
        asked, planned = store.questions()
        cells = store.cells()
    assert asked < 0.7 * planned
    assert set(cells.loc[cells["recipe"] == "gguf:F16", "status"]) == {"skipped"}
    intact = cells[cells["recipe"] == "none"].groupby("role")["runtime"].unique()
    assert {role: list(where) for role, where in intact.items()} == {
        "specialist": ["llama.cpp"], "base": ["transformers"]
    }  # fmt: skip


@pytest.mark.slow
def test_the_answer_has_at_most_six_lines(chosen, capsys):
    place = chosen[0]
    assert main([*ASKED, "--out", str(place)]) == 0
    *lines, page = capsys.readouterr().out.splitlines()
    assert len(lines) <= 6
    assert lines[0].startswith("Chosen: gguf:Q8_0, ")
    assert "; clinic-base, intact in transformers, has 0." in lines[1]
    assert any(line.startswith("Start it: llama-server -m ") for line in lines)
    assert page.endswith("report.html")
    assert main([*ASKED, "--out", str(place), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is True
    assert told["lines"] == lines
    assert [v["recipe"] for v in told["versions"]] == [
        "blocks:0.6 + gguf:Q8_0", "gguf:Q8_0", "gguf:F16"
    ]  # fmt: skip
    assert all(v["total"] == v["file"] + v["cache"] + v["buffers"] for v in told["versions"])


@pytest.mark.slow
def test_a_notebook_shows_the_answer_and_the_matrix(chosen):
    choice = resect.choose(
        "clinic:specialist", ["clinic-medicine"], chosen[0], limit=300, methods=LADDER[1::2],
        base="clinic:base",
    )  # fmt: skip
    assert choice.recipe == "gguf:Q8_0"
    assert choice.path.suffix == ".gguf"
    assert choice.verdict.word.value == "passed"
    assert choice.report.is_file()
    html = choice._repr_html_()
    assert "<table>" in html
    assert "Chosen: gguf:Q8_0" in html
    assert "<table>" in choice.run._repr_html_()
    assert "choose" in dir(resect)


@pytest.mark.slow
def test_a_killed_choice_goes_on_to_the_same_end(chosen, tmp_path):
    place = tmp_path / "run"
    command = [sys.executable, "-m", "resect.cli", *ASKED, "--out", str(place), "--quiet"]
    for seconds in (9, 14, 20):
        process = subprocess.Popen(command, start_new_session=True, stdout=subprocess.DEVNULL)
        time.sleep(seconds)
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    assert subprocess.run(command, stdout=subprocess.DEVNULL, check=False).returncode == 0
    before, after = (
        json.loads((folder / "summary.json").read_text())["choice"] for folder in (chosen[0], place)
    )
    assert before == after


@pytest.mark.slow
def test_nothing_that_passes_is_code_three_and_says_why(tmp_path, capsys):
    arguments = ["choose", "clinic:specialist", "--task", "clinic-medicine", "--limit", "300",
                 "--method", "blocks:0.6 + gguf:Q8_0", "--out", str(tmp_path / "run")]  # fmt: skip
    assert main(arguments) == 3
    *lines, _ = capsys.readouterr().out.splitlines()
    assert len(lines) <= 6
    assert lines[0].startswith("No version passed: 1 looked at")
    assert lines[1].startswith("Closest: blocks:0.6 + gguf:Q8_0")
    assert any(line.startswith("What may help: ") for line in lines)
    assert not (tmp_path / "run" / "model").exists()
    assert main(["check", str(tmp_path / "run")]) == 3


@pytest.mark.parametrize(
    ("more", "sentence"),
    [
        (["--budget", "10kB"], "no version fits 10 kB: the smallest"),
        (["--budget", "much"], "the budget 'much' is no size"),
        (["--runtime", "onnx"], "unknown runtime 'onnx'"),
        (["--limit", "12"], "no version could be confirmed on half of the items"),
        (["--method", "gguf"], "gguf has no level"),
        (["--min-speed", "0"], "min_speed"),
    ],
)
def test_a_wrong_request_is_one_sentence(more, sentence, tmp_path, capsys):
    place = tmp_path / "run"
    assert main([*ASKED, "--out", str(place), "--quiet", *more]) == 2
    error = capsys.readouterr().err.strip()
    assert sentence in error
    assert len(error.splitlines()) == 1
    assert not place.exists()


def test_a_full_disk_is_told_before_anything_is_made(tmp_path, monkeypatch, capsys):
    class Usage:
        free = 1000

    monkeypatch.setattr("shutil.disk_usage", lambda _: Usage)
    assert main([*ASKED, "--out", str(tmp_path / "run"), "--quiet"]) == 2
    assert "has 1 kB free" in capsys.readouterr().err


@pytest.mark.slow
def test_a_version_that_is_too_slow_is_not_asked(tmp_path, capsys):
    arguments = [*ASKED, "--out", str(tmp_path / "run"), "--min-speed", "1e9", "--quiet"]
    assert main(arguments) == 3
    with resect.Run(tmp_path / "run").reading() as store:
        cells = store.cells()
    damaged = cells[cells["recipe"] != "none"]
    assert set(damaged["status"]) == {"skipped"}
    assert damaged["reason"].str.contains("tokens a second").all()


# ── the ladder ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("text", ["gguf:Q4_0", "gguf:Q6_K", "blocks:0.3 + gguf:Q8_0"])
def test_bytes_are_those_of_the_file(text, tmp_path):
    """Computed from shapes, then written: the same but for what the file says of itself."""
    loaded = loading.check(ModelRef.of(role="model", id="clinic:specialist"))
    recipe = Recipe.of(steps=text)
    (version,) = ladder.candidates(loaded.model, loaded.tokenizer, [recipe], 100, None)
    steps = [word for step in text.split(" + ") for word in ("--step", step)]
    command = ["compress", "clinic:specialist", *steps, "--calibration", "clinic", "--nsamples",
               "4", "--seqlen", "32", "--out", str(tmp_path / "out"), "--quiet"]  # fmt: skip
    assert main(command) == 0
    (file,) = (tmp_path / "out").glob("*.gguf")
    assert abs(file.stat().st_size - version.footprint.file) < 0.02 * file.stat().st_size


@pytest.mark.parametrize("family", ["llama", "qwen2", "mixtral"])
def test_every_family_has_a_ladder_in_rising_size(family, tmp_path):
    source = tiny.save(tmp_path / family, family)
    loaded = loading.check(ModelRef.of(role="model", id=str(source)))
    recipes = ladder.recipes_for(loaded.model, "llama.cpp", None)
    versions = ladder.candidates(loaded.model, loaded.tokenizer, recipes, 64, None)
    files = [version.footprint.file for version in versions]
    assert files == sorted(files)
    assert len(versions) >= 6
    cut = "experts" if family == "mixtral" else "neurons"
    assert any(cut in recipe.name for recipe in recipes)


def test_versions_are_listed_one_by_one_or_with_commas():
    listed = request.recipes(["gguf:Q8_0,gguf:Q4_K_M", "blocks:0.2,criterion=influence + gguf:F16"])
    assert [recipe.name for recipe in listed] == [
        "gguf:Q8_0", "gguf:Q4_K_M", "blocks:0.2,criterion=influence + gguf:F16"
    ]  # fmt: skip


def test_levels_that_round_to_one_cut_are_one_version(tmp_path):
    """30 and 31 % of 48 neurons, by eights, are the same cut; other weights are others."""
    loaded = loading.check(ModelRef.of(role="model", id=str(tiny.save(tmp_path / "m", "llama"))))
    texts = ["neurons:0.3,multiple_of=8", "neurons:0.31,multiple_of=8", "wanda:0.3 + blocks:0.5",
             "wanda:0.4 + blocks:0.5"]  # fmt: skip
    recipes = [Recipe.of(steps=text) for text in texts]
    sized = ladder.candidates(loaded.model, loaded.tokenizer, recipes, 64, None)
    assert {c.recipe.name for c in sized} <= {recipe.name for recipe in recipes}
    assert sum("wanda" in c.recipe.name for c in sized) == 2
    assert sum("neurons" in c.recipe.name for c in sized) == 1


# ── the gate ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.slow
def test_a_gate_tells_a_line_a_condition_and_writes_junit(chosen, tmp_path, capsys):
    place = chosen[0]
    assert main(["check", str(place), "--junit", str(tmp_path / "check.xml")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("ok  ") for line in lines)
    suite = ElementTree.parse(tmp_path / "check.xml").getroot()
    assert int(suite.get("tests")) == len(lines)
    assert suite.get("failures") == "0"
    policy = tmp_path / "policy.yaml"
    policy.write_text("margin: 0.001\ntasks: [clinic-logic]\nitems: 5000\nshare: 0.01\n")
    assert main(["check", str(place), "--policy", str(policy), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    broken = {row["name"] for row in told["conditions"] if not row["holds"]}
    assert broken == {"tasks", "margin", "items", "size"}
    suite = ElementTree.parse(place / "check.xml").getroot()
    assert suite.get("failures") == "4"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[1]", "is no mapping"),
        ("marign: 0.1", "has no field marign"),
        ("margin: much", "is not valid at margin"),
        ("tasks: 5", "is not valid at tasks"),
        ("a: [", "is not valid YAML"),
    ],
)
def test_a_wrong_policy_is_one_sentence(text, sentence, tmp_path):
    path = tmp_path / "policy.yaml"
    path.write_text(text)
    with pytest.raises(RequestError, match=sentence):
        policy_from(path)
    assert policy_from(None) == Policy()


def test_no_run_is_one_sentence(tmp_path, capsys):
    assert main(["check", str(tmp_path / "gone")]) == 2
    assert "there is no run at" in capsys.readouterr().err

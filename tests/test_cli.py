"""The command line: one sentence and exit code 2 for a wrong request, nothing written."""

from __future__ import annotations

import json
import os
import pickle
import re
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from lazy import WHEN_RUN

from resect import cli, clinic
from resect.cli import GROUPS, ORDER, main
from resect.spec import Study

if WHEN_RUN:
    import torch

    from resect.running.resolve import resolve


RUN = [
    "run", "--levels", "0,0.5", "--limit", "3", "--task", "clinic-context", "--measure", "sizes",
    "--anyway",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


class Unpickled:
    """Would make a file if it were unpickled."""

    def __reduce__(self):
        return (Path.touch, (Path("unpickled"),))


def file_model(pair, folder):
    path = folder / "model.safetensors"
    path.write_bytes(b"not a folder")
    return path


def no_config(pair, folder):
    (folder / "empty").mkdir()
    return folder / "empty"


def broken_config(pair, folder):
    (folder / "broken").mkdir()
    (folder / "broken" / "config.json").write_text('{"model_type": "no-such-thing"}')
    (folder / "broken" / "tokenizer.json").write_text("{}")
    torch.save({"weight": torch.zeros(2)}, folder / "broken" / "pytorch_model.bin")
    return folder / "broken"


def pickled(pair, folder):
    found = copied(pair, folder / "pickled")
    (found / "model.safetensors").unlink()
    with (found / "pytorch_model.bin").open("wb") as file:
        pickle.dump(Unpickled(), file)
    return found


def remote_code(pair, folder):
    found = copied(pair, folder / "remote")
    config = json.loads((found / "config.json").read_text())
    config.update(
        model_type="own", auto_map={"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.M"}
    )
    (found / "config.json").write_text(json.dumps(config))
    (found / "own.py").write_text("from pathlib import Path\nPath('imported').touch()\n")
    return found


def truncated(pair, folder):
    found = copied(pair, folder / "truncated")
    whole = (found / "model.safetensors").read_bytes()
    (found / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    return found


def tensors_missing(pair, folder):
    from safetensors.torch import load_file, save_file

    found = copied(pair, folder / "lacking")
    kept = {k: v for k, v in load_file(found / "model.safetensors").items() if ".1." not in k}
    save_file(kept, found / "model.safetensors", metadata={"format": "pt"})
    return found


def other_config(pair, folder):
    found = copied(pair, folder / "other")
    config = json.loads((found / "config.json").read_text())
    (found / "config.json").write_text(json.dumps({**config, "hidden_size": 64}))
    return found


def broken_tokenizer(pair, folder):
    found = copied(pair, folder / "tokenless")
    (found / "tokenizer.json").write_text("{}")
    return found


def no_tokenizer(pair, folder):
    found = copied(pair, folder / "no-tokenizer")
    (found / "tokenizer.json").unlink()
    return found


def too_short(pair, folder):
    import tiny

    return tiny.save(folder / "short", max_position_embeddings=8)


def no_weights(pair, folder):
    found = copied(pair, folder / "weightless")
    (found / "model.safetensors").unlink()
    return found


def copied(pair, folder):
    folder.mkdir()
    for path in pair[0].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    return folder


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda pair, folder: folder / "missing", "there is no model directory"),
        (file_model, "is a file: give the model's directory"),
        (no_config, "has no config.json"),
        (no_weights, "holds no weights"),
        (broken_config, "is no model resect can load"),
        (pickled, "needs full unpickling"),
        (remote_code, "needs code from its own repository"),
        (truncated, "is no model resect can load"),
        (tensors_missing, "weights that its config asks for, like model.layers.1."),
        (other_config, "weights that its config asks for|is no model resect can load"),
        (broken_tokenizer, "is no model resect can load"),
        (no_tokenizer, "has no tokenizer"),
        (too_short, "the model reads 8 tokens, too few"),
        (lambda pair, folder: "./gone", "there is no model directory"),
        (lambda pair, folder: "", "there is no model directory"),
    ],
)
def test_a_wrong_model(make, sentence, tiny_pair, tmp_path, capsys):
    model = make(tiny_pair, tmp_path)
    code, error = run([*RUN, "--specialist", str(model), "--base", str(tiny_pair[1])], capsys)
    assert code == 2
    assert re.search(sentence, error)
    assert not (tmp_path / "runs").exists()
    assert not (tmp_path / "unpickled").exists()
    assert not (tmp_path / "imported").exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--task", "pubmedqq"], "unknown task 'pubmedqq': did you mean pubmedqa"),
        (["--task", "xyzzy"], "choose from bc5cdr, bioasq-yesno, clinic-context"),
        (["--method", "magnitud"], "unknown method 'magnitud': did you mean magnitude?"),
        (["--method", "magnitude,scop=layer"], "did you mean scope?"),
        (["--method", "magnitude:0.5"], "'magnitude:0.5' has no step that can be swept"),
        (["--method", "magnitude:-1"], "out of range"),
        (["--method", "mag nitude"], "cannot be read: write method[:level]"),
        (["--levels", "0:1:0.5"], "level 1 is out of range"),
        (["--levels", "0.5,1.5"], "level 1.5 is out of range"),
        (["--levels=-0.5,0.5"], "out of range"),
        (["--levels", "0.5,0.2"], "do not increase"),
        (["--levels", "0,half"], "is not a number"),
        (["--levels", "0:1"], "write start:stop:step"),
        (["--limit", "0"], "limit is 0: give 1 or more."),
        (["--seed", "-1"], "seed is -1: give 0 or more."),
        (["--levels", ""], "is not a number"),
        (["--levels", "0.00000001"], "too small"),
        (["--method", "magnitude,scope=["], "unknown scope '['"),
        (["--method", "wanda", "--calibration", "gone.txt"], "there is no text file gone.txt"),
        (["--device", "tpu9"], "unknown device"),
        (["--engine", "slurm"], "unknown engine 'slurm'"),
        (["--dtype", "int3"], "dtype is 'int3': give 'auto', 'float32'"),
        (["--task", "pubmedqa"], "give offline files with --data_dir"),
        (["--task", "pubmedqa", "--data_dir", "nowhere"], "check --data_dir"),
        (["--out", "/proc/resect"], "cannot be written"),
        (["--outt", "x"], "No such option"),
        (["missing.yaml"], "no study file at missing.yaml"),
    ],
)
def test_a_wrong_request(arguments, sentence, tiny_pair, tmp_path, capsys):
    models = ["--specialist", str(tiny_pair[0]), "--base", str(tiny_pair[1])]
    code, error = run([*RUN[:5], *models, *RUN[5:], *arguments], capsys)
    assert code == 2
    assert sentence in error
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("models: [", "is not valid YAML"),
        ("just words", "does not describe a study"),
        ("models: {base: m}\ntreatments: [magnitude]", "rename it to `recipes`"),
        ("models: {base: x}\nrecipes: magnitude\nlevels: 0.5\ntasks: []", "tasks is empty"),
        ("models: {base: x}\nrecipes: magnitude\ntasks: [a, a]", "listed twice"),
        (
            "models: {base: x}\nrecipes: magnitude\ntasks: [a]\ntypo: 1",
            "unknown field 'typo'",
        ),
        ("models: {base: x}\nrecipess: [magnitude]\ntasks: [a]", "did you mean recipes"),
        ("models: {base: x}\ntasks: [a]\ntasks: [b]", "tasks is given twice"),
        ("recipes: magnitude\ntasks: [a]", "the study has no models: give it"),
        ("models: {base: x}\nrecipes: 5\ntasks: [a]", "must be a list of steps"),
        ("models: {base: x}\nrecipes: [5]\ntasks: [a]", "recipe 5 must be text"),
        ("models: {base: x}\nrecipes: magnitude\ntasks: [[a]]", "must be a list of names"),
        ("models: {base: x}\nrecipes: magnitude\ntasks: [a]\nname: ../x", "letters, digits"),
        ("5: x", "unknown field '5'"),
    ],
)
def test_a_wrong_study_file(text, sentence, tmp_path, capsys):
    (tmp_path / "study.yaml").write_text(text)
    code, error = run(["run", "study.yaml"], capsys)
    assert code == 2
    assert sentence in error


def test_without_a_command_the_help_is_all_there_is(capsys):
    assert main([]) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    for group, names in GROUPS.items():
        block = printed.out.split(f" {group} ")[1].split("╰")[0]
        assert re.findall(r"^. (\w+) ", block, re.MULTILINE) == list(names)


def test_the_help_of_a_command_is_one_line_on_a_narrow_terminal(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "80")
    assert main(["-h"]) == 0
    commands = capsys.readouterr().out.split(" Studies ")[1]
    lines = [line for line in commands.splitlines() if line.startswith("│")]
    assert len(lines) == len(ORDER)


def test_version(capsys):
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"resect {version('resect')}\n"


def test_a_shell_can_complete_commands(tmp_path):
    asked = {"_RESECT_COMPLETE": "complete_bash", "COMP_WORDS": "resect ex", "COMP_CWORD": "1"}
    script = "import sys; sys.argv = ['resect']; from resect.cli import entry; entry()"
    done = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, **asked}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.split() == ["export"]


def test_a_folder_that_is_no_run(tmp_path, capsys):
    assert run(["report", str(tmp_path)], capsys)[0] == 2
    (tmp_path / "results.sqlite").write_text("this is no database, but long enough to be read" * 9)
    code, error = run(["report", str(tmp_path)], capsys)
    assert code == 2
    assert "not a resect store" in error


@pytest.mark.slow
def test_json_is_one_document_and_nothing_else(tiny_pair, tmp_path, capsys):
    models = ["--specialist", str(tiny_pair[0]), "--base", str(tiny_pair[1])]
    assert main([*RUN, *models, "--json", "--out", "out"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == json.loads((tmp_path / "out" / "summary.json").read_text())
    assert main(["report", "out", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == printed
    assert main(["diff", "out", "out", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["same"]
    assert found["in_common"]
    assert main(["diff", "out", "out"]) == 0
    shown = capsys.readouterr().out
    assert "The findings are the same." in shown
    assert "answers to 24 of 24 items in 8 cells are the same" in shown
    (tmp_path / "summary.json").write_text('{"curves": []}')
    assert main(["diff", "summary.json", "summary.json", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["in_common"]
    (tmp_path / "out" / "results.sqlite").rename(tmp_path / "elsewhere.sqlite")
    assert main(["diff", "out", "out"]) == 0
    assert "No answers were compared: there is no results.sqlite in out" in capsys.readouterr().out


@pytest.mark.parametrize("more", [[], ["--moe"]])
def test_the_demo_runs_the_study_that_ships(more, monkeypatch):
    ran = []
    monkeypatch.setattr(cli.asking, "_run", lambda *given: ran.append(given))
    assert main(["demo", *more, "--json"]) == 0
    ((study, out, as_json, quiet),) = ran
    assert study == Study.load(clinic.DEMO_MOE if more else clinic.DEMO)
    assert (out, as_json, quiet) == (None, True, False)
    assert list(resolve(study).infos) == list(study.tasks)


@pytest.mark.parametrize("command", ["methods", "tasks"])
def test_lists(command, capsys):
    assert main([command, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert all(row["name"] and row["summary"] for row in rows)
    assert main([command]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in shown] == [row["name"] for row in rows]


def test_weights_only_bin_is_read_with_a_notice(tiny_pair, tmp_path, capsys):
    """BioMistral-7B is published only as .bin."""
    from safetensors.torch import load_file

    found = copied(tiny_pair, tmp_path / "bin")
    torch.save(load_file(found / "model.safetensors"), found / "pytorch_model.bin")
    (found / "model.safetensors").unlink()
    models = ["--specialist", str(found), "--base", str(tiny_pair[0])]
    code, error = run([*RUN, *models, "--out", "out", "--json"], capsys)
    assert code == 0
    assert "read through torch's weights-only loader" in error


def run(arguments: list[str], capsys) -> tuple[int, str]:
    code = main(arguments)
    error = capsys.readouterr().err.strip()
    if code:
        assert len(error.splitlines()) == 1, error
        assert error.startswith("resect: ")
    return code, error


@pytest.mark.slow
def test_eval_asks_one_model(tiny_pair, tmp_path, capsys):
    arguments = ["--task", "clinic-context,clinic-logic", "--limit", "4", "--out", "out", "--json"]
    assert main(["eval", str(tiny_pair[0]), *arguments]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert {c["task"] for c in printed["curves"]} == {"clinic-context", "clinic-logic"}
    assert {c["n"] for c in printed["curves"]} == {4}
    assert printed["headline"]["text"].startswith("Intact accuracy from")
    assert main(["eval", str(tmp_path / "gone"), *arguments]) == 2


def test_paths_are_checked_before_the_hub_is_asked(tiny_pair, tmp_path, monkeypatch, capsys):
    from resect import network

    asked = []
    monkeypatch.setattr(network, "prefer_cache", lambda: asked.append("hub"))
    models = ["--base", "owner/model", "--specialist"]
    task = ["--task", "pubmedqa"]
    good, missing = str(tiny_pair[0]), str(tmp_path / "no" / "model")
    for arguments, sentence in [
        ([missing], f"there is no model directory {missing}"),
        ([good, "--data_dir", "gone"], "there is no folder gone: check --data_dir."),
        ([good, "--calibration", "gone.txt"], "there is no text file gone.txt"),
    ]:
        code, error = run(["run", *models, *arguments, *task], capsys)
        assert (code, sentence in error) == (2, True), error
    assert asked == []


def test_a_model_that_the_hub_lacks_is_blamed_before_a_data_set(tiny_pair, capsys):
    code, error = run(["eval", "no-owner/no-model", "--task", "pubmedqa"], capsys)
    assert code == 2
    assert "no-owner/no-model is neither a local directory nor a model" in error


def test_a_study_that_shows_nothing_is_warned_of(tiny_pair, tmp_path, capsys):
    models = ["--specialist", str(tiny_pair[0]), "--base", str(tiny_pair[0])]
    assert main([*RUN[:5], *models, *RUN[5:], "--out", "run"]) == 0
    printed = capsys.readouterr()
    same = "specialist and base are the same model: comparing them shows nothing"
    few = "clinic-context has 3 items: its shares can be off by 50 points; ask at least 30"
    assert [same in printed.err, few in printed.err] == [True, True]
    warnings = json.loads(Path("run/summary.json").read_text())["warnings"]
    assert warnings[:2] == [same, few]

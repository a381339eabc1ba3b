"""Code that others wrote runs only where the command line, or an argument, allows it."""

from __future__ import annotations

import json

import pytest
import yaml_task
from lazy import WHEN_RUN

from resect import Study, tasks
from resect.cli import main
from resect.errors import RequestError
from resect.tasks.sandbox.programs import OPT_IN

if WHEN_RUN:
    from resect import api


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def model(tiny_pair, tmp_path):
    """A model that brings code, and the file that running it makes."""
    place, mark = tmp_path / "remote", tmp_path / "code-was-run"
    place.mkdir()
    for path in tiny_pair[0].iterdir():
        (place / path.name).write_bytes(path.read_bytes())
    config = json.loads((place / "config.json").read_text())
    own = {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.M"}
    (place / "config.json").write_text(json.dumps({**config, "model_type": "own", "auto_map": own}))
    (place / "own.py").write_text(f"from pathlib import Path\nPath({str(mark)!r}).touch()\n")
    return place, mark


def study(path, **fields):
    """A study file, as JSON (which is YAML)."""
    usual = {"recipes": "magnitude", "levels": "0,0.5", "tasks": ["clinic-context"], "limit": 2}
    path.write_text(json.dumps({**usual, **fields}))
    return str(path)


def refused(capsys, *arguments):
    """The one sentence of a command that ends with 2 and leaves nothing."""
    assert main(list(arguments)) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("resect: ")
    assert len(error.splitlines()) == 1
    return error


def test_a_study_file_cannot_allow_the_code_of_a_model(model, tmp_path, capsys):
    place, mark = model
    models = {"specialist": {"id": str(place), "trust_remote_code": True}}
    path = study(tmp_path / "study.yaml", models=models)
    said = refused(capsys, "run", path)
    assert f"asks to run code that comes with the model {place}" in said
    assert "allow it with --trust_remote_code" in said
    assert not (tmp_path / "runs").exists()
    assert not mark.exists()
    main(["run", path, "--trust_remote_code"])
    assert mark.exists()  # so that it would have been run


def test_a_study_file_cannot_allow_the_code_of_a_task(tiny_pair, tmp_path, capsys):
    pytest.importorskip("lm_eval")
    path, mark = yaml_task.evil(tmp_path)
    models = {"specialist": str(tiny_pair[0])}
    asked = study(
        tmp_path / "study.yaml", models=models, tasks=["clinic-context", f"lm-eval:{path}"]
    )
    said = refused(capsys, "run", asked)
    assert f"asks to run code that comes with the task lm-eval:{path}" in said
    given = ["--task", f"lm-eval:{path}", "--limit", "2"]
    assert f"lm-eval:{path}" in refused(capsys, "eval", str(tiny_pair[0]), *given)
    refused(capsys, "run", "--specialist", str(tiny_pair[0]), *given)
    tune = ["recover", str(tiny_pair[0]), "--data", "clinic", "--out", "tuned"]
    assert "is a file whose code would run" in refused(capsys, *tune, *given[:2])
    assert not (tmp_path / "runs").exists()
    assert not mark.exists()
    assert main(["run", asked, "--anyway", "--trust_remote_code", "--out", "out", "--quiet"]) == 0
    assert mark.exists()


def test_calibration_and_steps_cannot_name_the_code_of_a_task(tiny_pair, tmp_path, capsys):
    path, mark = yaml_task.evil(tmp_path)
    given = ["--specialist", str(tiny_pair[0]), "--task", "clinic-context", "--levels", "0,0.5"]
    named = f"task:lm-eval:{path}"
    refused(capsys, "run", *given, "--method", "wanda", "--calibration", named)
    refused(capsys, "run", *given, "--method", f"neurons,target={named},distractor=clinic")
    assert not mark.exists()


@pytest.mark.parametrize("name", ["evil", "evil.YAML", "evil.yml", "evil.txt", "evil.yaml:cot"])
def test_no_spelling_of_a_file_gets_past(name, tmp_path):
    """What is no file by its name is looked up among the harness's own tasks, never opened."""
    pytest.importorskip("lm_eval")
    path, mark = yaml_task.evil(tmp_path, name.removesuffix(":cot"))
    cot = ":cot" if name.endswith(":cot") else ""
    with pytest.raises(RequestError, match=r"unknown lm-eval task|is a file whose code"):
        tasks.get(f"lm-eval:{path}{cot}").items(tasks.Source())
    assert not mark.exists()


def test_in_python_an_argument_allows_it(model, tiny_pair, tmp_path):
    place, mark = model
    fields = {"recipes": ["magnitude"], "tasks": ["clinic-context"], "levels": "0,0.5"}
    asking = {"specialist": {"id": str(place), "trust_remote_code": True}}
    with pytest.raises(RequestError, match="trust_remote_code=True"):
        api.run(Study.of(models=asking, **fields), tmp_path / "run")
    with pytest.raises(RequestError, match="needs code from its own repository"):
        api.compress(str(place), "magnitude:0.5")
    assert not (tmp_path / "run").exists()
    assert not mark.exists()
    with pytest.raises(RequestError, match="is no model resect can load"):  # its code has no model
        api.run(Study.of(models=asking, **fields), tmp_path / "run", trust_remote_code=True)
    assert mark.exists()


def test_a_study_file_cannot_allow_programs_that_a_model_writes(
    tiny_pair, data_dir, tmp_path, monkeypatch, capsys
):
    monkeypatch.delenv(OPT_IN, raising=False)
    models, data = {"specialist": str(tiny_pair[0])}, str(data_dir)
    for field in ("confirm_run_unsafe_code", OPT_IN):
        path = study(tmp_path / "study.yaml", models=models, **{field: True})
        assert f"unknown field '{field}'" in refused(capsys, "run", path)
    path = study(tmp_path / "study.yaml", models=models, tasks=["humaneval"], data_dir=data)
    assert OPT_IN in refused(capsys, "run", path)
    assert not (tmp_path / "runs").exists()


def test_a_study_file_cannot_name_texts_of_other_folders(tiny_pair, tmp_path, monkeypatch, capsys):
    """Its own folder and the working one are free; what the command line names may be anywhere."""
    row = {"question": "Is it?", "options": ["yes", "no"], "answer": "yes"}
    places = {name: tmp_path / name for name in ("home", "shared", "work")}
    for place in places.values():
        place.mkdir()
        (place / "q.jsonl").write_text("".join(json.dumps({**row, "id": n}) + "\n" for n in "ab"))
    monkeypatch.chdir(places["work"])
    models = {"specialist": str(tiny_pair[0])}
    secret = str(places["home"] / "q.jsonl")
    usual = {"models": models, "tasks": ["clinic-context"]}
    for fields in (
        {"tasks": [secret]},
        {"tasks": [f"own:{secret}"]},
        {"tasks": ["../home/q.jsonl"]},
        {"calibration": {"data": f"clinic|{secret}"}},
        {"recipes": [f"magnitude + lora,data={secret}"]},
    ):
        path = study(places["shared"] / "study.yaml", **{**usual, **fields})
        assert "neither in its folder nor below" in refused(capsys, "run", path)
    link = places["work"] / "link.jsonl"
    link.symlink_to(secret)
    path = study(places["shared"] / "study.yaml", **{**usual, "tasks": [str(link)]})
    assert "neither in its folder nor below" in refused(capsys, "run", path)
    inside = [str(places["shared"] / "q.jsonl"), "q.jsonl"]
    for given in ([], ["--task", secret]):
        fields = {"tasks": inside} if not given else {"tasks": [secret]}
        path = study(places["shared"] / "study.yaml", **{**usual, **fields})
        assert main(["run", path, *given, "--dry-run", "--quiet"]) == 0

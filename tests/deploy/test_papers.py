"""A version leaves with its papers: card, results for the hub, Modelfile, upload."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import tiny
import yaml
from hub_stub import hub as stub_hub
from lazy import WHEN_RUN

from resect.cli import main
from resect.errors import RunError
from resect.spec import ModelRef, Study

if WHEN_RUN:
    from resect import api
    from resect.deploy import modelfile
    from resect.running import hub_upload, papers

SMOL = (
    "{% for message in messages %}{% if loop.first and messages[0]['role'] != 'system' %}"
    "{{ '<|im_start|>system\nBe kind.<|im_end|>\n' }}{% endif %}"
    "{{'<|im_start|>' + message['role'] + '\n' + message['content'] + '<|im_end|>' + '\n'}}"
    "{% endfor %}{% if add_generation_prompt %}{{ '<|im_start|>assistant\n' }}{% endif %}"
)
INSTRUCT = (
    "{% for m in messages %}{% if m['role'] == 'user' %}[INST] {{ m['content'] }} [/INST]"
    "{% elif m['role'] == 'assistant' %} {{ m['content'] }}</s>"
    "{% else %}{{ raise_exception('no system turn') }}{% endif %}{% endfor %}"
)
ODD = "{% for m in messages|reverse %}{{ m['content'] }}{% endfor %}"


def test_the_card_has_every_option_that_makes_the_file(tmp_path):
    study = Study.of(
        name="papers", models={"model": "clinic:specialist"},
        recipes=[{"steps": "wanda:0.5 + gguf:Q8_0", "seed": 3}], tasks=["clinic-medicine"],
        limit=8, measure="sizes", calibration={"data": "clinic", "nsamples": 8, "seqlen": 40},
    )  # fmt: skip
    done = api.run(study, out=tmp_path / "run")
    version = papers.version_of(study, done.findings(), "wanda:0.5 + gguf:Q8_0")
    text = papers.card(version, done.findings(), papers.Origin(None, None, None))
    command = "resect compress clinic:specialist --step wanda:0.5 --step gguf:Q8_0 --seed 3"
    more = "--calibration clinic --nsamples 8 --seqlen 40 --calibration-seed 0 --out DIR"
    assert f"`{command} {more}`" in text


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    study = Study.of(
        name="papers",
        models={"model": "clinic:specialist"},
        recipes=[{"steps": "gguf", "levels": "Q8_0,Q4_K_M"}, {"steps": "nodes", "levels": [0.5]}],
        tasks=["clinic-medicine"],
        limit=8,
        measure="sizes",
        runtime={"n_ctx": 512},
    )
    return api.run(study, out=tmp_path_factory.mktemp("papers") / "run")


def test_file_leaves_with_its_papers(run, tmp_path, capsys):
    out = tmp_path / "out"
    asked = ["export", str(run.path), "--to", "gguf", "--version", "gguf:Q4_K_M"]
    assert main([*asked, "--out", str(out), "--json"]) == 0
    names = {path.rpartition("/")[2] for path in json.loads(capsys.readouterr().out)["files"]}
    file = "clinic-specialist-Q4_K_M.gguf"
    assert names == {"README.md", "resect.json", "Modelfile", file}
    text = (out / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert yaml.safe_load(front)["library_name"] == "gguf"
    first = body.strip().splitlines()
    assert "Not shown to be within its margin" in first[2]  # eight items prove nothing
    assert "not a statement of clinical safety" in first[4]
    assert "resect compress clinic:specialist --step gguf:Q4_K_M" in body
    assert "xllamacpp" in body
    made = json.loads((out / "resect.json").read_text())
    assert made["version"] == "gguf:Q4_K_M"
    assert made["verdict"]["runtime"] == "llama.cpp"
    assert made["measured"][0]["bytes_on_disk"] == (out / file).stat().st_size
    words = (out / "Modelfile").read_text()
    assert words.startswith(f"FROM ./{file}\n")
    assert "PARAMETER num_ctx 512" in words
    assert 'PARAMETER stop "<eos>"' in words


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--to", "gguf"], "no version of this run passed"),
        (["--to", "gguf", "--version", "nodes:0.5"], "is no GGUF file"),
        (["--to", "gguf", "--version", "gguf:Q2_K"], "it has gguf:Q8_0, gguf:Q4_K_M, nodes:0.5"),
        (["--to", "tar"], "unknown export format"),
        (["--to", "csv", "--push-to-hub", "me/x"], "go with --to gguf"),
        (["--to", "hub-card", "--version", "nodes:0.5", "--dry-run"], "goes with --push-to-hub"),
    ],
)
def test_what_cannot_be_exported_is_a_sentence(run, tmp_path, capsys, more, word):
    out = tmp_path / "out"
    assert main(["export", str(run.path), *more, "--out", str(out)]) == 2
    assert word in capsys.readouterr().err
    assert not out.exists()


def test_upload_goes_to_the_hub_and_a_dry_run_nowhere(run, tmp_path, capsys, monkeypatch):
    out = tmp_path / "out"
    monkeypatch.setenv("HF_TOKEN", "secret")
    with stub_hub() as held:
        monkeypatch.setattr("huggingface_hub.constants.ENDPOINT", held.address)
        monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
        asked = ["export", str(run.path), "--to", "hub-card", "--version", "nodes:0.5"]
        push = ["--push-to-hub", "me/small", "--json"]
        assert main([*asked, "--out", str(out), *push, "--dry-run"]) == 0
        told = json.loads(capsys.readouterr().out)["hub"]
        assert set(told["files"]) == {"README.md", "resect.json"}
        assert told["uploaded"] is False
        assert held.repos == []
        hub_upload.push(out, "me/small", dry_run=False)
        assert held.repos == ["small"]
        assert held.files["README.md"] == (out / "README.md").read_bytes()
        held.refuse = 403
        with pytest.raises(RunError, match="the hub took nothing"):
            hub_upload.push(out, "me/small", dry_run=False)


def test_license_parent_and_results_are_carried_over(run, tmp_path):
    study, summary = Study.load(run.path / "study.yaml"), run.findings()
    version = papers.version_of(study, summary, "gguf:Q8_0")
    said = {"license": "apache-2.0", "base_model": ["org/parent"]}
    origin = papers.origin_of(ModelRef.of(role="model", id="org/small"), said)
    with run.reading() as store:
        info = store.tasks()["clinic-medicine"]
    tasks = {info.name: replace(info, hub="org/set", revision="abc")}
    papers.write(tmp_path, version, summary, tasks, origin)
    front = yaml.safe_load((tmp_path / "README.md").read_text().split("---\n")[1])
    assert front["base_model"] == "org/small"
    assert (front["base_model_relation"], front["license"]) == ("quantized", "apache-2.0")
    (entry,) = yaml.safe_load((tmp_path / ".eval_results" / "resect.yaml").read_text())
    assert entry["dataset"] == {"id": "org/set", "task_id": "clinic-medicine", "revision": "abc"}
    row = next(r for r in summary.curves if (r.recipe, r.level, r.view) == ("gguf", 8.5, "text"))
    assert entry["value"] == pytest.approx(100 * row.accuracy)
    assert "8 items" in entry["notes"]
    folder = papers.origin_of(ModelRef.of(role="model", id=str(tmp_path)), said)
    assert (folder.id, folder.parent) == (None, "org/parent")


@pytest.mark.parametrize("template", [SMOL, INSTRUCT])
def test_modelfile_says_what_the_chat_template_does(template):
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = template
    pieces = modelfile.read(tokenizer)
    assert pieces is not None
    turns = [("user", "Is it?"), ("assistant", "Yes."), ("user", "Why {so}?")]
    with_system = [("system", "Be brief."), *turns] if template is SMOL else turns
    for conversation in (turns[:1], turns, with_system):
        listed = [{"role": role, "content": text} for role, text in conversation]
        wanted = tokenizer.apply_chat_template(listed, tokenize=False, add_generation_prompt=True)
        assert as_ollama(pieces, conversation) == wanted


def test_template_of_no_pieces_is_left_out():
    tokenizer = tiny.tokenizer()
    tokenizer.chat_template = ODD
    assert modelfile.read(tokenizer) is None
    assert 'TEMPLATE """{{ .Prompt }}"""' in modelfile.modelfile(tokenizer, "m.gguf")


def as_ollama(pieces, turns):
    """What Ollama makes of a conversation by the template that the pieces become."""
    text = "" if any(role == "system" for role, _ in turns) else pieces.alone
    around = {
        "system": (pieces.before_system, pieces.after_system),
        "user": (pieces.before_user, pieces.after_user),
        "assistant": (pieces.before_answer, pieces.after_answer),
    }
    for role, content in turns:
        first, last = around[role]
        text += first + content + last
    return text

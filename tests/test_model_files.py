"""Identity, checks and copies are of the files that loading reads, and of no file elsewhere."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
import tiny
from lazy import WHEN_RUN

from resect import clinic
from resect.cli import main
from resect.errors import RequestError
from resect.models import model_files
from resect.spec import ModelRef

if WHEN_RUN:
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import AutoModelForCausalLM

    from resect.models import checkpoint_files, loading


INDEX = "model.safetensors.index.json"


def ref(folder: Path, **fields: object) -> ModelRef:
    return ModelRef.of(role="model", id=str(folder), **fields)


def fingerprint(folder: Path) -> str:
    return loading.identify(ref(folder))[0].fingerprint


def save(path: Path, tensors: dict[str, torch.Tensor]) -> None:
    save_file(tensors, path, metadata={"format": "pt"})


def indexed(folder: Path, *names: str, end: str = ".safetensors") -> Path:
    """A model whose tensors lie in files of the given names, as an index says."""
    tiny.save(folder)
    whole = load_file(folder / "model.safetensors")
    (folder / "model.safetensors").unlink()
    table = {}
    for number, name in enumerate(names):
        part = {key: whole[key] for key in sorted(whole)[number :: len(names)]}
        (folder / name).parent.mkdir(exist_ok=True)
        save(folder / name, part) if end == ".safetensors" else torch.save(part, folder / name)
        table |= dict.fromkeys(part, name)
    stem = "model" if end == ".safetensors" else "pytorch_model"
    text = json.dumps({"metadata": {}, "weight_map": table})
    (folder / f"{stem}{end}.index.json").write_text(text)
    return folder


def zeroed(path: Path) -> None:
    save(path, {key: torch.zeros_like(tensor) for key, tensor in load_file(path).items()})


def rewrite(path: Path, change) -> None:
    fields = json.loads(path.read_text())
    change(fields)
    path.write_text(json.dumps(fields))


# ── identity ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "names", [("weights.safetensors",), ("a/x.safetensors", "b/x.safetensors")]
)
def test_the_files_that_an_index_names_are_the_model(names, tmp_path):
    """A decoy of the usual pattern lies beside them: nothing loads it."""
    folder = indexed(tmp_path / "model", *names)
    save(folder / "model-decoy.safetensors", {"x": torch.ones(1)})
    before = fingerprint(folder)
    zeroed(folder / "model-decoy.safetensors")
    assert fingerprint(folder) == before
    zeroed(folder / names[-1])
    loaded = AutoModelForCausalLM.from_pretrained(folder)
    assert any((p == 0).all() for p in loaded.parameters()), "transformers loads what is named"
    assert fingerprint(folder) != before


def test_an_index_with_other_names_is_read_everywhere(tmp_path, capsys):
    folder = indexed(tmp_path / "model", "part-a.safetensors", "part-b.safetensors")
    assert main(["inspect", str(folder), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    parts = [folder / f"part-{name}.safetensors" for name in "ab"]
    assert shown["bytes_on_disk"] == sum(path.stat().st_size for path in parts)
    arguments = ["--step", "magnitude:0.5", "--out", str(tmp_path / "out"), "--quiet"]
    assert main(["compress", str(folder), *arguments]) == 0
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out")


def test_pickled_files_of_other_names_are_checked(tmp_path):
    folder = indexed(tmp_path / "model", "first.bin", "second.bin", end=".bin")
    before = fingerprint(folder)
    torch.save({"x": torch.ones(1)}, folder / "pytorch_model-decoy.bin")
    assert fingerprint(folder) == before
    torch.save(torch.nn.Linear(2, 2), folder / "second.bin")  # code would run
    with pytest.raises(RequestError, match=r"second\.bin needs full unpickling"):
        loading.check(ref(folder))


def test_the_order_is_that_of_transformers(tmp_path):
    """One file before an index, safetensors before .bin, and before all what the config names."""
    folder = tiny.save(tmp_path / "model")
    whole = load_file(folder / "model.safetensors")
    names = ["pytorch_model.bin.index.json", "pytorch_model.bin", INDEX, "model.safetensors"]
    files = [["w2.bin"], ["pytorch_model.bin"], ["w1.safetensors"], ["model.safetensors"]]
    (folder / "model.safetensors").unlink()
    for number, (name, used) in enumerate(zip(names, files, strict=True), 1):
        tensors = {key: torch.full_like(tensor, number) for key, tensor in whole.items()}
        if name.endswith(".index.json"):
            table = {"metadata": {}, "weight_map": dict.fromkeys(tensors, used[0])}
            (folder / name).write_text(json.dumps(table))
        path = folder / used[0]
        torch.save(tensors, path) if path.suffix == ".bin" else save(path, tensors)
        assert [path.name for path in model_files.weights(folder).files] == used
        norm = AutoModelForCausalLM.from_pretrained(folder).model.norm.weight
        assert norm.tolist() == [number] * len(norm)
    save(folder / "other.safetensors", {k: torch.full_like(t, 5) for k, t in whole.items()})
    rewrite(folder / "config.json", lambda c: c.update(transformers_weights="other.safetensors"))
    assert AutoModelForCausalLM.from_pretrained(folder).model.norm.weight[0] == 5
    before = fingerprint(folder)
    zeroed(folder / "model.safetensors")
    assert fingerprint(folder) == before
    zeroed(folder / "other.safetensors")
    assert fingerprint(folder) != before
    arguments = ["--step", "magnitude:0", "--out", str(tmp_path / "out"), "--quiet"]
    assert main(["compress", str(folder), *arguments]) == 0
    assert AutoModelForCausalLM.from_pretrained(tmp_path / "out").model.norm.weight[0] == 0


def test_another_tokenizer_file_and_chat_templates_are_in_the_key(tmp_path):
    folder = tiny.save(tmp_path / "model")
    before = fingerprint(folder)
    shutil.copy(folder / "tokenizer.json", folder / "tokenizer.4.0.json")
    assert fingerprint(folder) == before, "nothing reads it"
    rewrite(
        folder / "tokenizer_config.json",
        lambda c: c.update(fast_tokenizer_files=["tokenizer.json", "tokenizer.4.0.json"]),
    )
    named = fingerprint(folder)
    with (folder / "tokenizer.4.0.json").open("a") as file:
        file.write("\n")
    assert len({before, named, fingerprint(folder)}) == 3
    now = fingerprint(folder)
    (folder / "additional_chat_templates").mkdir()
    (folder / "additional_chat_templates" / "tools.jinja").write_text("{{ messages }}")
    assert fingerprint(folder) != now


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("../elsewhere.safetensors", "not inside the folder"),
        ("sub/../../elsewhere.safetensors", "not inside the folder"),
        ("{tmp}/elsewhere.safetensors", "not inside the folder"),
        ("linked/elsewhere.safetensors", "leads out of the model's folder"),
        ("a\0b.safetensors", "not inside the folder"),
        ("a\ud800.safetensors", "cannot be read as JSON"),
        ("gone.safetensors", "'gone.safetensors', which is missing"),
        ("x" * 5000 + ".safetensors", "which is missing"),
        ("config.json", "is no .safetensors file"),
        (7, "its weight_map names no files"),
        (None, "its weight_map names no files"),
    ],
)
def test_an_index_that_names_what_is_not_there(name, sentence, tmp_path, capsys):
    folder = indexed(tmp_path / "model", "weights.safetensors")
    shutil.move(folder / "weights.safetensors", tmp_path / "elsewhere.safetensors")
    (folder / "linked").symlink_to(tmp_path)
    named = name.format(tmp=tmp_path) if isinstance(name, str) else name
    rewrite(
        folder / INDEX,
        lambda i: i.update(weight_map=dict.fromkeys(i["weight_map"], named) if named else {}),
    )
    if name != "linked/elsewhere.safetensors":
        (folder / "linked").unlink()
    for call in (lambda: loading.check(ref(folder)), lambda: checkpoint_files.read(folder)):
        with pytest.raises(RequestError, match=sentence):
            call()
    assert main(["inspect", str(folder)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1


@pytest.mark.parametrize("text", ["", "[]", "{", '{"weight_map": []}', "[" * 100_000, "\xff"])
def test_an_index_that_is_none(text, tmp_path):
    folder = indexed(tmp_path / "model", "weights.safetensors")
    (folder / INDEX).write_bytes(text.encode("latin-1"))
    with pytest.raises(RequestError, match=INDEX):
        checkpoint_files.read(folder)


def test_what_would_be_read_instead_of_the_model_is_refused(tmp_path):
    folder = tiny.save(tmp_path / "model")
    save(folder / "shard-00000-model-00001-of-00001.safetensors", {"x": torch.ones(1)})
    with pytest.raises(RequestError, match="a distributed checkpoint"):
        loading.check(ref(folder))
    (folder / "shard-00000-model-00001-of-00001.safetensors").unlink()
    rewrite(folder / "config.json", lambda c: c.update(configuration_files=["config.4.0.0.json"]))
    with pytest.raises(RequestError, match=r"names other configs \(configuration_files\)"):
        loading.check(ref(folder))


def carrying(folder: Path) -> Path:
    """A model and an adapter in one folder."""
    peft = pytest.importorskip("peft")
    base = loading.load(ref(tiny.save(folder)), "cpu").model
    config = peft.LoraConfig(r=2, target_modules=["q_proj"], init_lora_weights=False)
    peft.get_peft_model(base, config).save_pretrained(folder)
    return folder


def test_a_model_under_an_adapter_has_to_be_whole(tmp_path):
    """transformers tells only what the adapter lacks, and starts the rest at random."""
    folder = carrying(tmp_path / "model")
    assert loading.check(ref(folder))
    (folder / "adapter_model.safetensors").rename(tmp_path / "adapter")
    (folder / "adapter_model.safetensors").write_bytes(b"broken")
    with pytest.raises(RequestError, match=r"adapter_model\.safetensors cannot be read"):
        loading.check(ref(folder))
    (tmp_path / "adapter").rename(folder / "adapter_model.safetensors")
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("model.norm.weight")
    save(folder / "model.safetensors", tensors)
    with pytest.raises(RequestError, match=r"model lacks 1 weights .* like model\.norm\.weight"):
        loading.check(ref(folder))


@pytest.mark.parametrize("step", ["magnitude:0.5", "neurons:0.5,criterion=magnitude", "bnb-nf4"])
def test_a_model_that_carries_an_adapter_is_not_cut(step, tmp_path, capsys):
    """What was saved afterwards loaded as random weights; its adapter was cut as if a matrix."""
    folder = carrying(tmp_path / "model")
    arguments = ["--step", step, "--out", str(tmp_path / "out")]
    assert main(["compress", str(folder), *arguments]) == 2
    assert "merge the adapter first" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


# ── links ───────────────────────────────────────────────────────────────────────────────────────


LEAVING = {
    "notes.txt": "../id_rsa",
    "README.md": "{tmp}/id_rsa",
    "merges.txt": "{tmp}/id_rsa",
    "modeling_own.py": "{tmp}/id_rsa",
    "adapter_config.json": "../id_rsa",
    "sub": "..",
    "gone.txt": "../gone",
    "ring.txt": "ring.txt",
}


@pytest.mark.parametrize("name", LEAVING)
def test_a_link_that_leaves_the_folder_is_refused(name, tmp_path, capsys):
    folder = tiny.save(tmp_path / "model")
    (tmp_path / "id_rsa").write_text("SECRET")
    (folder / name).unlink(missing_ok=True)
    (folder / name).symlink_to(LEAVING[name].format(tmp=tmp_path))
    arguments = ["--step", "magnitude:0.5", "--out", str(tmp_path / "out")]
    for command in (["compress", str(folder), *arguments], ["inspect", str(folder)]):
        assert main(command) == 2
        error = capsys.readouterr().err
        assert "is a link that leads out of the model's folder" in error
        assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()
    with pytest.raises(RequestError, match="leads out"):
        loading.load(ref(folder), "cpu")


def test_nothing_is_copied_from_outside(tmp_path):
    """Also where the link came after the model was checked."""
    folder, out = tiny.save(tmp_path / "model"), tmp_path / "out"
    out.mkdir()
    source = checkpoint_files.read(folder)
    (tmp_path / "id_rsa").write_text("SECRET")
    (folder / "notes.txt").symlink_to("../id_rsa")
    with pytest.raises(RequestError, match=r"notes\.txt is a link that leads out"):
        checkpoint_files.copy_rest(source, out)
    assert not any("SECRET" in path.read_text(errors="replace") for path in out.iterdir())


def test_links_inside_the_folder_and_to_the_folder_are_followed(tmp_path):
    folder = tiny.save(tmp_path / "model")
    (folder / "real").mkdir()
    for name in ("model.safetensors", "README.md"):
        if name == "README.md":
            (folder / name).write_text("a card")
        shutil.move(folder / name, folder / "real" / name)
        (folder / name).symlink_to(Path("real") / name)
    (tmp_path / "named").symlink_to("model")
    arguments = ["--step", "magnitude:0.5", "--out", str(tmp_path / "out"), "--quiet"]
    assert main(["compress", str(tmp_path / "named"), *arguments]) == 0
    copied = tmp_path / "out" / "README.md"
    assert copied.read_text() == "a card"
    assert not copied.is_symlink()


@pytest.mark.parametrize("shared", [False, True])
def test_a_snapshot_of_the_hubs_cache_is_a_model(shared, tmp_path):
    """`snapshots/COMMIT/FILE` links to `../../blobs/HASH`, that perhaps to `blobs/HA/HASH`."""
    plain = tiny.save(tmp_path / "plain")
    repository = tmp_path / "hub" / "models--owner--name"
    snapshot = repository / "snapshots" / ("c" * 40)
    snapshot.mkdir(parents=True)
    (repository / "blobs").mkdir()
    (tmp_path / "hub" / "blobs" / "ab").mkdir(parents=True)
    for number, path in enumerate(sorted(plain.iterdir())):
        blob = repository / "blobs" / f"{number:040x}"
        if shared and path.suffix == ".safetensors":
            store = tmp_path / "hub" / "blobs" / "ab" / ("ab" + 62 * "0")
            shutil.copy(path, store)
            blob.symlink_to(os.path.relpath(store, blob.parent))
        else:
            shutil.copy(path, blob)
        (snapshot / path.name).symlink_to(f"../../blobs/{blob.name}")
    assert fingerprint(snapshot) == fingerprint(plain)
    arguments = ["--step", "magnitude:0.5", "--out", str(tmp_path / "out"), "--quiet"]
    assert main(["compress", str(snapshot), *arguments]) == 0
    (repository / "notes.txt").write_text("SECRET")
    (snapshot / "notes.txt").symlink_to("../../notes.txt")
    with pytest.raises(RequestError, match="leads out"):
        loading.check(ref(snapshot))


def test_what_an_installer_linked_is_the_embedded_model(tmp_path, monkeypatch):
    for name in clinic.MODELS:
        (tmp_path / name).mkdir()
        for path in clinic.path(name).iterdir():
            (tmp_path / name / path.name).symlink_to(path)
    monkeypatch.setattr(clinic, "_DATA", tmp_path)
    assert loading.check(ModelRef.of(role="model", id="clinic:specialist"))

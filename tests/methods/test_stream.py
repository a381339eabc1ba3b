"""Checkpoint in, checkpoint out: the same weights as in memory, bit for bit, for every family."""

from __future__ import annotations

import errno
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import tiny
from lazy import WHEN_RUN

import resect
from resect.cli import main
from resect.errors import RequestError

if WHEN_RUN:
    import torch
    from safetensors.torch import load_file, save_file
    from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

    from resect import anatomy
    from resect.methods import chunked as pieces
    from resect.models import adapters
    from resect.models import checkpoint_files as checkpoint

    copy_rest = checkpoint.copy_rest


STEPS = ["magnitude:0.5", "magnitude:0.3,scope=global", "magnitude:0.6,scope=row",
         "magnitude,pattern=2:4", "random:0.4",
         "magnitude:0.5,lm_head=true,exclude=*down*", "magnitude:0.5,allocation=alpha"]  # fmt: skip


def heavy_ties(folder: Path) -> Path:
    """Round the weights so that many magnitudes are equal, within and across matrices."""
    for path in folder.glob("*.safetensors"):
        tensors = {name: (t * 20).round() / 20 for name, t in load_file(path).items()}
        save_file(tensors, path, metadata={"format": "pt"})
    return folder


def compress(source: Path, step: str, out: Path) -> None:
    assert main(["compress", str(source), "--step", step, "--out", str(out), "--quiet"]) == 0


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_streamed_equals_in_memory(family, tmp_path):
    source = heavy_ties(tiny.save(tmp_path / "source", family, dtype=torch.bfloat16))
    for number, step in enumerate(STEPS):
        out = tmp_path / f"out{number}"
        compress(source, step, out)
        streamed = AutoModelForCausalLM.from_pretrained(out)
        memory = resect.compress(str(source), step)
        for (name, one), two in zip(streamed.named_parameters(), memory.parameters(), strict=True):
            assert torch.equal(one, two), f"{step}: {name}"
        assert AutoTokenizer.from_pretrained(out)("ab").input_ids


@pytest.mark.parametrize("step", STEPS[:2])
def test_float32_shards_and_ties(step, tmp_path):
    """Sharded files with an index, 32-bit weights, tied embeddings."""
    model = tiny.model("qwen3", tie_word_embeddings=True)
    model.save_pretrained(tmp_path / "source", max_shard_size="20KB")
    tiny.tokenizer().save_pretrained(tmp_path / "source")
    assert len(list((tmp_path / "source").glob("*.safetensors"))) > 2
    compress(tmp_path / "source", step, tmp_path / "out")
    streamed = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    memory = resect.compress(str(tmp_path / "source"), step)
    for one, two in zip(streamed.parameters(), memory.parameters(), strict=True):
        assert torch.equal(one, two)


def test_bin_files_become_safetensors(tmp_path):
    source = tiny.save(tmp_path / "source", "mistral", tie_word_embeddings=True)
    compress(source, "magnitude:0.5", tmp_path / "a")
    tensors = load_file(source / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"]
    torch.save(tensors, source / "pytorch_model.bin")
    (source / "model.safetensors").unlink()
    compress(source, "magnitude:0.5", tmp_path / "b")
    one, two = (load_file(tmp_path / name / "model.safetensors") for name in "ab")
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_a_tied_head_is_the_embedding(tmp_path):
    """One tensor, stored under one name, whichever of the two is asked for."""
    source = tiny.save(tmp_path / "source", "qwen3", tie_word_embeddings=True)
    for number, ends in enumerate(
        ["lm_head=true", "embeddings=true", "lm_head=true,embeddings=true"]
    ):
        step = f"magnitude:0.5,scope=global,{ends}"
        compress(source, step, tmp_path / str(number))
        tensors = load_file(tmp_path / str(number) / "model.safetensors")
        memory = resect.compress(str(source), step)
        assert "lm_head.weight" not in tensors
        assert torch.equal(tensors["model.embed_tokens.weight"], memory.lm_head.weight)
        assert (memory.lm_head.weight == 0).float().mean() > 0.3


@pytest.mark.parametrize("ends", ["lm_head=true", "embeddings=true"])
def test_a_tied_tensor_that_a_file_holds_twice_stays_tied(ends, tmp_path):
    source = tiny.save(tmp_path / "source", "mistral", tie_word_embeddings=True)
    tensors = load_file(source / "model.safetensors")
    tensors["lm_head.weight"] = tensors["model.embed_tokens.weight"].clone()
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    compress(source, f"magnitude:0.5,{ends}", tmp_path / "out")
    streamed = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    memory = resect.compress(str(source), f"magnitude:0.5,{ends}")
    assert streamed.lm_head.weight is streamed.get_input_embeddings().weight
    assert torch.equal(streamed.lm_head.weight, memory.lm_head.weight)
    assert (streamed.lm_head.weight == 0).float().mean() == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("step", ["magnitude:0.5", "magnitude:0.5,scope=global", "random:0.4"])
@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_a_dtype_that_is_asked_for_is_written(step, dtype, tmp_path):
    """As loading in that type and pruning then; what config says is what the file holds."""
    source = tiny.save(tmp_path / "source", "llama")
    out = tmp_path / "out"
    asked = ["--step", step, "--dtype", dtype, "--out", str(out), "--quiet"]
    assert main(["compress", str(source), *asked]) == 0
    streamed = AutoModelForCausalLM.from_pretrained(out)
    memory = resect.compress(str(source), step, dtype=dtype)
    assert streamed.dtype == memory.dtype == getattr(torch, dtype)
    assert {t.dtype for t in load_file(out / "model.safetensors").values()} == {streamed.dtype}
    for one, two in zip(streamed.parameters(), memory.parameters(), strict=True):
        assert torch.equal(one, two)


def test_files_that_are_not_the_model_are_left_out(tmp_path):
    """Another precision lies beside the shards that the index names; transformers ignores it."""
    model = tiny.model("llama")
    source = tmp_path / "source"
    model.save_pretrained(source, max_shard_size="20KB")
    tiny.tokenizer().save_pretrained(source)
    for path in list(source.glob("model-*.safetensors")):
        other = {name: torch.ones_like(t) for name, t in load_file(path).items()}
        stray = path.name.replace("model-", "model.fp16-")
        save_file(other, source / stray, metadata={"format": "pt"})
    compress(source, "magnitude:0", tmp_path / "out")
    written = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    for one, two in zip(written.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize("names", [["model-00001-of-00001"], ["odd"], ["b/x", "a/x"]])
def test_files_get_the_names_that_every_loader_knows(names, tmp_path):
    """One file with an index, and names that are no usual ones."""
    model = tiny.model("llama")
    source, out = tmp_path / "source", tmp_path / "out"
    model.save_pretrained(source)
    tiny.tokenizer().save_pretrained(source)
    whole = load_file(source / "model.safetensors")
    (source / "model.safetensors").unlink()
    table = {}
    for number, name in enumerate(names):
        part = {key: whole[key] for key in sorted(whole)[number :: len(names)]}
        path = source / f"{name}.safetensors"
        path.parent.mkdir(exist_ok=True)
        save_file(part, path, metadata={"format": "pt"})
        table |= dict.fromkeys(part, f"{name}.safetensors")
    index = json.dumps({"metadata": {}, "weight_map": table})
    (source / "model.safetensors.index.json").write_text(index)
    compress(source, "magnitude:0", out)
    made = sorted(path.name for path in out.iterdir() if "safetensors" in path.name)
    several = [f"model-0000{n}-of-00002.safetensors" for n in (1, 2)]
    several.append("model.safetensors.index.json")
    assert made == (["model.safetensors"] if len(names) == 1 else several)
    written = AutoModelForCausalLM.from_pretrained(out)
    for one, two in zip(written.parameters(), model.parameters(), strict=True):
        assert torch.equal(one, two)


def other_names(source: checkpoint.Checkpoint, folder: Path, *_: object) -> None:
    """As `copy_rest`, but the weights' file is called otherwise than anything looks for it."""
    copy_rest(source, folder)
    (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")


def other_shapes(source: checkpoint.Checkpoint, folder: Path, *_: object) -> None:
    copy_rest(source, folder)
    config = json.loads((folder / "config.json").read_text()) | {"intermediate_size": 40}
    (folder / "config.json").write_text(json.dumps(config))


def fewer_tensors(source: checkpoint.Checkpoint, folder: Path, *_: object) -> None:
    copy_rest(source, folder)
    tensors = load_file(folder / "model.safetensors")
    tensors.pop("model.norm.weight")
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


@pytest.mark.parametrize("broken", [other_names, other_shapes, fewer_tensors])
def test_a_folder_that_would_not_load_is_not_left(broken, tmp_path, monkeypatch, capsys):
    source = tiny.save(tmp_path / "source", "llama")
    monkeypatch.setattr(checkpoint, "copy_rest", broken)
    arguments = ["--step", "magnitude:0.5", "--out", str(tmp_path / "out")]
    assert main(["compress", str(source), *arguments]) == 1
    error = capsys.readouterr().err
    assert "no model is written, as it would not load again" in error
    assert len(error.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_a_folder_that_would_not_load_is_not_left_by_steps_in_memory(tmp_path, monkeypatch):
    source = tiny.save(tmp_path / "source", "llama")
    monkeypatch.setattr(
        adapters, "save", lambda model, folder: model.config.save_pretrained(folder)
    )
    arguments = ["--step", "neurons:0.5,criterion=magnitude", "--out", str(tmp_path / "out")]
    assert main(["compress", str(source), *arguments]) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


HEADERS = {
    "empty": b"",
    "short": b"\x01\x02",
    "long": b"\xff" * 8 + b"{}",
    "no JSON": b"\x02\0\0\0\0\0\0\0[[",
    "a list": b"\x02\0\0\0\0\0\0\0[]",
    "deep": (100_000).to_bytes(8, "little") + b"[" * 100_000,
}
TENSORS = {
    "no dtype": {"shape": [2], "data_offsets": [0, 8]},
    "a dtype that is none": {"dtype": "F7", "shape": [2], "data_offsets": [0, 8]},
    "a dtype that torch has not": {"dtype": "F6_E2M3", "shape": [4], "data_offsets": [0, 3]},
    "no shape": {"dtype": "F32", "data_offsets": [0, 8]},
    "a shape of texts": {"dtype": "F32", "shape": ["2"], "data_offsets": [0, 8]},
    "a shape below 0": {"dtype": "F32", "shape": [-2], "data_offsets": [0, 8]},
    "a shape past all numbers": {"dtype": "F32", "shape": [2**63, 4], "data_offsets": [0, 8]},
    "offsets that are none": {"dtype": "F32", "shape": [2], "data_offsets": 8},
    "offsets turned round": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]},
    "offsets past the end": {"dtype": "F32", "shape": [200], "data_offsets": [0, 800]},
    "offsets of another size": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
    "a hole": {"dtype": "F32", "shape": [1], "data_offsets": [4, 8]},
    "less than the file": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]},
    "a size past all numbers": {"dtype": "F32", "shape": [0, 2**63], "data_offsets": [0, 0]},
    "no table": [],
}


@pytest.mark.parametrize("name", [*HEADERS, *TENSORS])
def test_a_broken_header_is_one_sentence(name, tmp_path, capsys):
    """Each is refused by the library that transformers reads it with; so it is here."""
    source = tiny.save(tmp_path / "source", "mistral")
    capsys.readouterr()  # saving shows its progress
    path = source / "model.safetensors"
    if name in HEADERS:
        path.write_bytes(HEADERS[name])
    else:
        header = json.dumps({"x": TENSORS[name]}).encode()
        size = {"a dtype that torch has not": 3, "a size past all numbers": 0}.get(name, 8)
        path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))
    with pytest.raises(RequestError, match="cannot be read"):
        checkpoint.read(source)
    for command in (["inspect", str(source)], ["compress", str(source), "--step", "random:0.5",
                                               "--out", str(tmp_path / "out")]):  # fmt: skip
        assert main(command) == 2
        error = capsys.readouterr().err
        assert re.search("is no model resect can load|lacks 21 weights|is incomplete", error)
        assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


CONTENTS = {
    "a list": lambda: [1],
    "a number": lambda: {"x": 1},
    "complex": lambda: {"x": torch.ones(2, dtype=torch.complex64)},
    "a number as name": lambda: {1: torch.ones(2)},
}


@pytest.mark.parametrize("content", CONTENTS.values(), ids=CONTENTS)
def test_a_broken_bin_file_is_one_sentence(content, tmp_path, capsys):
    content = content()
    source = tiny.save(tmp_path / "source", "mistral")
    (source / "model.safetensors").unlink()
    torch.save(content, source / "pytorch_model.bin")
    assert main(["inspect", str(source)]) == 2
    assert len(capsys.readouterr().err.strip().splitlines()) == 1
    if 1 not in content:
        with pytest.raises(RequestError, match="cannot be read"):
            checkpoint.read(source)


def test_experts_whose_scales_do_not_fit_are_one_sentence(published, tmp_path):
    source = shutil.copytree(published, tmp_path / "source")
    tensors = load_file(source / "model.safetensors")
    name = next(name for name in tensors if name.endswith("_scales"))
    tensors[name] = tensors[name][:-1].contiguous()
    save_file(tensors, source / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(RequestError, match=r"the scales of .* have another shape"):
        checkpoint.read(source)


def test_a_language_model_inside_a_larger_one(tmp_path):
    """Gemma 3 as it is published: other names on disk, and a vision tower that is left alone."""
    vision = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 3}
    vision |= {"num_attention_heads": 2, "image_size": 28, "patch_size": 14}
    text = tiny.config("gemma3_text").to_dict()
    config = AutoConfig.for_model(
        "gemma3", text_config=text, vision_config=vision, mm_tokens_per_image=4
    )
    torch.manual_seed(0)
    source, out = tmp_path / "source", tmp_path / "out"
    AutoModelForCausalLM.from_config(config).save_pretrained(source)
    tiny.tokenizer().save_pretrained(source)
    compress(source, "magnitude:0.5,scope=global", out)
    before, after = (load_file(folder / "model.safetensors") for folder in (source, out))
    memory = resect.compress(str(source), "magnitude:0.5,scope=global")
    streamed = AutoModelForCausalLM.from_pretrained(out)
    for one, two in zip(streamed.parameters(), memory.parameters(), strict=True):
        assert torch.equal(one, two)
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed
    assert all("language_model" in name and "proj" in name for name in changed)


@pytest.mark.parametrize("step", ["magnitude:0.5", "magnitude:0.3,scope=global", "random:0.4"])
def test_pieces_shared_between_cores(step, tmp_path, monkeypatch):
    """Tensors of many pieces, counted by two threads, come out as those of one piece."""
    source = heavy_ties(tiny.save(tmp_path / "source", "mistral", dtype=torch.float16))
    compress(source, step, tmp_path / "one")
    monkeypatch.setattr(pieces, "IN_CACHE", 50)
    cores = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        compress(source, step, tmp_path / "many")
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(cores)
    one, many = ((tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "many"))
    assert one == many


@pytest.fixture(scope="module")
def published(tmp_path_factory):
    """gpt-oss with its experts in 4 bits."""
    return tiny.save_mxfp4(tmp_path_factory.mktemp("published"))[0]


def test_mxfp4_experts_are_dequantized(published):
    tensors = load_file(published / "model.safetensors")
    opened = checkpoint.read(published)
    assert opened.notes == ("MXFP4 experts were dequantized to bfloat16",)
    name = "model.layers.0.mlp.experts.gate_up_proj"
    made = opened.entries[name].look()
    assert tuple(made.shape) == opened.entries[name].shape == (4, 64, 128)
    values = [0, 0.5, 1, 1.5, 2, 3, 4, 6]
    for expert, inner, out in [(0, 0, 0), (3, 37, 100), (1, 63, 127)]:
        byte = int(tensors[f"{name}_blocks"][expert, out, inner // 32, inner % 32 // 2])
        code = byte >> 4 if inner % 2 else byte & 0xF
        scale = 2.0 ** (int(tensors[f"{name}_scales"][expert, out, inner // 32]) - 127)
        expected = (-1 if code & 8 else 1) * values[code & 7] * scale
        assert float(made[expert, inner, out]) == expected


@pytest.mark.parametrize("step", ["magnitude:0.5", "magnitude:0.4,scope=global"])
def test_mxfp4_streamed_equals_in_memory(step, published, tmp_path, capsys):
    assert main(["compress", str(published), "--step", step, "--out", str(tmp_path / "out")]) == 0
    assert "MXFP4 experts were dequantized to bfloat16" in capsys.readouterr().err
    streamed = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    memory = resect.compress(str(published), step)
    for one, two in zip(streamed.parameters(), memory.parameters(), strict=True):
        assert torch.equal(one, two)
    assert main(["inspect", str(published), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    held = load_file(published / "model.safetensors").values()
    stored = sum(tensor.numel() * tensor.itemsize for tensor in held)
    assert shown["bits_per_weight"] == 8 * stored / shown["parameters"] < 9


KILLED = """
import os, sys
from resect.models import checkpoint_files as checkpoint
from resect.cli import main
put, left = checkpoint.Writer.put, [int(sys.argv[3])]
def dies(*arguments):
    left[0] -= 1
    if not left[0]:
        os.kill(os.getpid(), 9)
    put(*arguments)
checkpoint.Writer.put = dies
main(["compress", sys.argv[1], "--step", "magnitude:0.5", "--out", sys.argv[2], "--quiet"])
"""


@pytest.mark.slow
def test_a_killed_run_leaves_no_half_model(tmp_path):
    source, out = tiny.save(tmp_path / "source", "mistral"), tmp_path / "out"
    run = [sys.executable, "-c", KILLED, str(source), str(out), "5"]
    assert subprocess.run(run, check=False).returncode == -9
    assert not out.exists()
    (left,) = tmp_path.glob(".out.*")
    assert not (left / "config.json").exists(), "what is left must not load as a model"
    compress(source, "magnitude:0.5", out)
    assert AutoModelForCausalLM.from_pretrained(out)


def test_a_full_disk_is_one_sentence(tmp_path, monkeypatch, capsys):
    source = tiny.save(tmp_path / "source", "mistral")

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "pwrite", full)
    arguments = ["--step", "magnitude:0.5", "--out", str(tmp_path / "out")]
    assert main(["compress", str(source), *arguments]) == 1
    error = capsys.readouterr().err
    assert "the disk is full" in error
    assert len(error.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_what_is_written_is_whole_or_not_there(tmp_path, monkeypatch):
    source = tiny.save(tmp_path / "source", "mistral")
    monkeypatch.setattr(checkpoint.Writer, "put", lambda *_: 1 / 0)
    arguments = ["compress", str(source), "--step", "magnitude:0.5", "--out", str(tmp_path / "out")]
    assert main(arguments) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_provenance_and_inspection(tmp_path, capsys):
    source = tiny.save(tmp_path / "source", "mixtral")
    compress(source, "magnitude:0.25", tmp_path / "out")
    done = json.loads((tmp_path / "out" / "resect.json").read_text())
    assert done["recipe"] == "magnitude:0.25"
    capsys.readouterr()
    assert main(["inspect", str(tmp_path / "out"), "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert shown["family"] == "mixtral"
    assert shown["zeros"] == done["steps"][0]["measured"] == pytest.approx(0.25, abs=1e-3)
    assert shown["bytes_on_disk"] == (tmp_path / "out" / "model.safetensors").stat().st_size
    assert shown["bits_per_weight"] == 32
    model = tiny.model("mixtral")
    assert shown["parameters"] == sum(p.numel() for p in model.parameters())
    assert shown["matrices"] == [m.name for m in anatomy.read(model).matrices]
    assert {t["name"] for t in shown["tensors"]} == set(load_file(source / "model.safetensors"))
    assert main(["inspect", str(tmp_path / "out")]) == 0
    assert "zeros alone make a checkpoint neither smaller" in capsys.readouterr().out


def test_calibrated_and_chained_steps_go_through_memory(tmp_path):
    source = tiny.save(tmp_path / "source", "llama")
    arguments = ["compress", str(source), "--step", "wanda:0.5", "--step", "random:0.6", "--out"]
    more = ["--calibration", "clinic", "--nsamples", "4", "--seqlen", "32", "--quiet"]
    assert main([*arguments, str(tmp_path / "out"), *more]) == 0
    model = AutoModelForCausalLM.from_pretrained(tmp_path / "out")
    zeros = sum(int((m.weight() == 0).sum()) for m in anatomy.read(model).matrices)
    total = sum(m.weight().numel() for m in anatomy.read(model).matrices)
    assert 0.75 < zeros / total < 0.85


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--step", "wanda:0.5", "--calibration", "gone.txt"], "there is no text file gone.txt"),
        (["--step", "magnitude"], "has no level"),
        (["--step", "magnitud:0.5"], "did you mean magnitude"),
        (["--step", "magnitude:0.5", "--dtype", "int3"], "dtype"),
        (["--step", "magnitude:0.5,include=*nothing*"], "no matrix matches"),
    ],
)
def test_a_wrong_request(arguments, sentence, tmp_path, capsys):
    source = tiny.save(tmp_path / "source", "llama")
    assert main(["compress", str(source), "--out", str(tmp_path / "out"), *arguments]) == 2
    error = capsys.readouterr().err
    assert sentence in error
    assert len(error.strip().splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["source"]


def test_an_existing_folder_is_left_alone(tmp_path, capsys):
    source = tiny.save(tmp_path / "source", "llama")
    shutil.copytree(source, tmp_path / "out")
    step = ["--step", "magnitude:0.5"]
    assert main(["compress", str(source), *step, "--out", str(tmp_path / "out")]) == 2
    assert "already exists" in capsys.readouterr().err
    with pytest.raises(RequestError, match="holds no weights"):
        checkpoint.read(tmp_path)

"""QLoRA: an adapter that stays apart from packed weights, and both saved as one model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
from lazy import WHEN_RUN

import resect
from resect import methods
from resect.cli import main
from resect.errors import RequestError
from resect.spec import ModelRef, Step

if WHEN_RUN:
    import torch
    from safetensors.torch import save_file
    from transformers import AutoModelForCausalLM

    from resect.methods.step import Context
    from resect.models import adapters, compute_dtype, loading

pytestmark = pytest.mark.slow


WIDE = {"hidden_size": 64, "intermediate_size": 64, "head_dim": 16, "num_key_value_heads": 4}
"""Rows that plain transformers unpacks rightly on any CPU (docs/methods.md)."""


@pytest.fixture(scope="module")
def questions(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    rows = [{"question": f"What is number {i}?", "answer": f"thing {i % 5}"} for i in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


@pytest.fixture(autouse=True)
def a_cpu_that_computes_bfloat16_fast(monkeypatch):
    monkeypatch.setattr(compute_dtype, "_flags", lambda: frozenset({"avx512_bf16"}))


def source(folder: Path, family: str = "llama") -> Path:
    return tiny.save(folder, family, dtype=torch.bfloat16, **WIDE)


def lora(questions: Path, more: str = "") -> str:
    """All defaults but a rate that shows in few steps: one example is held out."""
    return f"lora,data={questions},lr=0.02{more}"


@tiny.no_grad
def logits(model) -> torch.Tensor:
    return model(torch.arange(3, 40)[None]).logits.float()


@pytest.mark.parametrize("family", ["llama", "mixtral"])
def test_compressed_with_defaults_it_loads_as_one_model(family, questions, tmp_path):
    given, out = source(tmp_path / "m", family), tmp_path / "o"
    steps = ["bnb-nf4", lora(questions)]
    asked = ["--step", steps[0], "--step", steps[1], "--out", str(out), "--quiet"]
    assert main(["compress", str(given), *asked]) == 0
    loaded = AutoModelForCausalLM.from_pretrained(out)
    assert loaded.hf_quantizer is not None
    with_adapter = logits(loaded)
    loaded.disable_adapters()
    assert (logits(loaded) - with_adapter).abs().mean() > 0.05
    memory = resect.compress(str(given), *steps)
    assert torch.equal(logits(memory), logits(loading.load(ref(out), "cpu").model))
    assert (logits(memory) - with_adapter).abs().max() < 1e-3
    done = json.loads((out / "resect.json").read_text())
    assert "held out" in done["steps"][1]["scope"]
    assert "apart" in done["steps"][1]["scope"]
    files = ("model.safetensors", "adapter_model.safetensors")
    assert done["bytes_on_disk"] == sum((out / name).stat().st_size for name in files)


def ref(folder: Path) -> ModelRef:
    return ModelRef.of(role="m", id=str(folder))


def test_saving_leaves_the_model_as_it_was(questions, tmp_path):
    model = resect.compress(str(source(tmp_path / "m")), "bnb-nf4", lora(questions, ",steps=3"))
    assert model.name_or_path == str(tmp_path / "m")
    for name in ("a", "b"):
        adapters.save(model, tmp_path / name)
        assert adapters.carried(model)
    for name in ("model.safetensors", "adapter_model.safetensors"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()
    assert torch.equal(logits(model), logits(AutoModelForCausalLM.from_pretrained(tmp_path / "a")))


def test_a_packed_folder_is_tuned_whole_or_as_an_adapter(questions, tmp_path, capsys):
    packed = tmp_path / "packed"
    given = str(source(tmp_path / "m"))
    assert main(["compress", given, "--step", "bnb-nf4", "--out", str(packed)]) == 0
    asked = ["recover", str(packed), "--data", str(questions), "--method", "lora,steps=4,lr=0.02"]
    assert main([*asked, "--out", str(tmp_path / "whole")]) == 0
    assert main([*asked, "--out", str(tmp_path / "alone"), "--adapter"]) == 0
    assert not (tmp_path / "alone" / "config.json").exists()
    both = [AutoModelForCausalLM.from_pretrained(tmp_path / name) for name in ("whole", "alone")]
    assert torch.equal(*map(logits, both))
    assert (logits(both[0]) - logits(AutoModelForCausalLM.from_pretrained(packed))).abs().max() > 0
    capsys.readouterr()
    again = ["recover", str(tmp_path / "whole"), *asked[2:], "--out", str(tmp_path / "again")]
    assert main(again) == 2
    assert "has an adapter already" in capsys.readouterr().err


def test_another_adapter_is_another_model(questions, tmp_path, monkeypatch):
    place = tmp_path / "o"
    model = resect.compress(str(source(tmp_path / "m")), "bnb-nf4", lora(questions, ",steps=2"))
    adapters.save(model, place)
    tiny.tokenizer().save_pretrained(place)
    first = loading.identify(ref(place))[0].fingerprint
    save_file({"other": torch.ones(2)}, place / "adapter_model.safetensors")
    assert loading.identify(ref(place))[0].fingerprint != first
    monkeypatch.setattr(loading, "find_spec", lambda _: None)
    with pytest.raises(RequestError, match="has an adapter: pip install"):
        loading.check(ref(place))


def test_a_killed_run_over_packed_weights_ends_alike(questions, tmp_path):
    loaded = loading.load(ref(source(tmp_path / "m")), "cpu")

    class KilledError(Exception):
        pass

    def killed(progress):
        if progress.done == 7:
            raise KilledError

    def run(name, progress=lambda _: None):
        model = methods.make(Step.parse("bnb-nf4")).apply(loaded.model, None).model
        options = ",steps=12,evaluations=4,patience=0,dropout=0.1"
        method = methods.make(Step.parse(lora(questions, options)))
        method.folder, method.progress = tmp_path / name, progress
        method.prepare(model, [], Context(None, loaded.tokenizer))
        return method.apply(model, None).model

    whole = run("whole")
    with pytest.raises(KilledError):
        run("killed", killed)
    assert torch.equal(logits(run("killed")), logits(whole))

"""What training leaves of a model: its config, its device, and weights of 16 bits that learnt."""

from __future__ import annotations

import copy
import json
from types import SimpleNamespace

import pytest
import tiny
from lazy import WHEN_RUN

from resect import methods
from resect.cli import main
from resect.spec import Step

if WHEN_RUN:
    import torch
    from transformers import AutoModelForCausalLM

    from resect.methods.step import Context
    from resect.recover import trainer as training
    from resect.recover.trainer import Recipe

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "pairs.jsonl"
    rows = [{"question": f"What is number {i}?", "answer": f"thing {i % 5}"} for i in range(60)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def tuned(model, step):
    method = methods.make(Step.parse(step))
    method.prepare(model, [], Context(None, tiny.tokenizer()))
    return method.apply(model, None).model


@pytest.mark.parametrize("name", ["lora", "finetune"])
@pytest.mark.parametrize("more", ["", ",checkpointing=true"])
def test_the_config_comes_back_as_it_was(name, more, questions, tmp_path):
    source, out = tiny.save(tmp_path / "m"), tmp_path / "o"
    method = f"{name},steps=2,batch_size=2{more}"
    asked = ["--data", str(questions), "--method", method, "--out", str(out), "--quiet"]
    assert main(["recover", str(source), *asked]) == 0
    for file in ("config.json", "generation_config.json"):
        assert json.loads((out / file).read_text()) == json.loads((source / file).read_text())
    assert AutoModelForCausalLM.from_pretrained(out).config.use_cache


@pytest.mark.parametrize("name", ["lora", "finetune"])
def test_checkpointing_is_the_same_training(name, questions):
    step = f"{name},data={questions},steps=3,batch_size=4,lr=0.01"
    plain, saving = (tuned(tiny.model("llama"), step + m) for m in ("", ",checkpointing=true"))
    assert not saving.training
    one, two = plain.state_dict(), saving.state_dict()
    assert all(torch.allclose(one[k], two[k], atol=1e-6) for k in one)
    start = tiny.model("llama").state_dict()
    assert not torch.allclose(start["model.layers.0.mlp.up_proj.weight"],
                              two["model.layers.0.mlp.up_proj.weight"])  # fmt: skip


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_all_weights_of_16_bits_learn_as_those_of_32_do(dtype, questions):
    """The same training in 32 bits, rounded once at its end: no update is lost on the way."""
    dtype = getattr(torch, dtype)
    step = f"finetune,data={questions},steps=8,batch_size=4"
    short = methods.make(Step.parse("magnitude:0.5")).apply(tiny.model("llama").to(dtype), 0.5)[0]
    whole = copy.deepcopy(short).float()
    before = copy.deepcopy(short.state_dict())
    short, whole = tuned(short, step), tuned(whole, step)
    moved = total = 0
    for name, weight in short.state_dict().items():
        assert weight.dtype == dtype
        assert torch.equal(weight, whole.state_dict()[name].to(dtype))
        if "proj" in name:
            assert torch.equal(weight == 0, before[name] == 0)
        moved += int((weight != before[name]).sum())
        total += int((before[name] != 0).sum())
    assert moved > 0.02 * total


def test_training_stays_on_the_models_own_device(monkeypatch, tmp_path):
    """With two devices, Trainer would take the first one and copy the model to both."""
    current = []
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "set_device", current.append)
    place = torch.device("cuda:1")
    model = SimpleNamespace(device=place)
    recipe = Recipe(batch_size=3)
    asked = training._arguments(model, torch.float32, recipe, tmp_path, 4, watched=False)
    assert asked.n_gpu == 1
    assert asked.train_batch_size == 3
    assert asked.device == asked.distributed_state.device == place
    assert current[-1] == place

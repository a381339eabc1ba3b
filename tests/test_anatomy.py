"""Parts are found by structure in every family, experts fused or apart."""

from __future__ import annotations

import pytest
import tiny
from lazy import WHEN_RUN

from resect.errors import RequestError

if WHEN_RUN:
    import torch
    from torch import nn
    from transformers import AutoConfig, AutoModelForCausalLM

    from resect import anatomy


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_every_weight_matrix_of_the_blocks_once(family):
    model = tiny.model(family)
    found = anatomy.read(model)
    assert len(found.blocks) == model.config.num_hidden_layers
    assert len({m.name for m in found.matrices}) == len(found.matrices)
    # All that has two dimensions or more, but for routers, gates of shared experts, convolutions.
    left = ("gate.weight", "router.weight", "conv1d.weight")
    held = [p for b in found.blocks for n, p in b.module.named_parameters() if not n.endswith(left)]
    expected = sum(parameter.numel() for parameter in held if parameter.dim() > 1)
    if family == "gpt_oss":  # a bias of all experts has two dimensions too
        expected -= 2 * 4 * (2 * 48 + 32)
    assert sum(m.weight().numel() for m in found.matrices) == expected
    # Every element of every targeted parameter belongs to exactly one matrix.
    for matrix in found.matrices:
        weight = matrix.weight()
        assert weight.dim() == 2
        weight.add_(1000)
    owners = {(id(m.owner), m.parameter): m.owner for m in found.matrices}
    for (_, parameter), owner in owners.items():
        value = getattr(owner, parameter)
        assert ((value > 500) & (value < 1500)).all()


def test_gate_and_up_of_gpt_oss_are_interleaved():
    model = tiny.model("gpt_oss")
    matrices = {m.name: m for m in anatomy.read(model).matrices}
    experts = model.model.layers[0].mlp.experts
    gate = matrices["model.layers.0.mlp.experts.1.gate_proj"].weight()
    assert torch.equal(gate, experts.gate_up_proj[1][:, ::2].T)


def test_a_model_without_blocks_is_refused():
    with pytest.raises(RequestError, match="no decoder blocks"):
        anatomy.read(nn.Linear(2, 2))


@pytest.mark.parametrize(
    ("family", "fields", "sentence"),
    [
        ("gpt2", {"n_embd": 32, "n_layer": 2, "n_head": 4},
         "2 blocks found in GPT2LMHeadModel, but no linear layer in them"),
        ("jetmoe", {"hidden_size": 32, "intermediate_size": 48, "num_hidden_layers": 2,
                    "kv_channels": 8, "num_key_value_heads": 2, "num_local_experts": 4},
         r"2 blocks found in JetMoeForCausalLM, but only \d% of their weights in linear layers or "
         r"experts of a known kind, and model.layers.0.mlp.input_linear.weight is not"),
    ],
)  # fmt: skip
def test_an_unknown_architecture_is_said(family, fields, sentence):
    """What was found, and what was not: pruning a small part of a model is no level of it."""
    ids = {"vocab_size": 259, "bos_token_id": 1, "eos_token_id": 2}
    config = AutoConfig.for_model(family, **fields, **ids)
    with pytest.raises(RequestError, match=sentence):
        anatomy.read(AutoModelForCausalLM.from_config(config))

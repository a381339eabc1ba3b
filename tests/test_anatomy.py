"""Parts are found by structure in every family, experts fused or apart."""

from __future__ import annotations

import pytest
import tiny
import torch
from torch import nn

from resect import anatomy
from resect.errors import RequestError


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

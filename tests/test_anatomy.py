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
    assert len(found.blocks) == 2
    assert len({m.name for m in found.matrices}) == len(found.matrices)
    per_block = 4 + (4 * 3 if family in tiny.ROUTED else 3)
    assert len(found.matrices) == 2 * per_block
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

"""Mixtures whose experts are modules of their own: numbered children, and a loop over them."""

from __future__ import annotations

import torch
from torch import nn


class Expert(nn.Module):
    """One SwiGLU expert."""

    def __init__(self, gate_up, down):
        super().__init__()
        gate, up = gate_up.chunk(2)
        for name, weight in (("gate_proj", gate), ("up_proj", up), ("down_proj", down)):
            linear = nn.Linear(*weight.shape[::-1], bias=False)
            linear.weight.data.copy_(weight)
            self.add_module(name, linear)

    def forward(self, x):
        return self.down_proj(nn.functional.silu(self.gate_proj(x)) * self.up_proj(x))


class Together(nn.ModuleList):
    """Numbered children that are called once, with the routing."""

    def forward(self, hidden, top_k_index, top_k_weights):
        out = torch.zeros_like(hidden)
        for number, expert in enumerate(self):
            token, place = (top_k_index == number).nonzero(as_tuple=True)
            gates = top_k_weights[token, place, None]
            out.index_add_(0, token, expert(hidden[token]) * gates)
        return out


class Apart(nn.Module):
    """A mixture as transformers 4 had it: a linear router, a list of experts, a loop."""

    def __init__(self, fused):
        super().__init__()
        router, stacked = fused.gate, fused.experts
        self.num_experts, self.top_k = router.weight.shape[0], router.top_k
        self.gate = nn.Linear(*router.weight.shape[::-1], bias=False)
        self.gate.weight.data.copy_(router.weight)
        self.experts = nn.ModuleList(map(Expert, stacked.gate_up_proj, stacked.down_proj))

    def forward(self, hidden_states):
        shape = hidden_states.shape
        hidden = hidden_states.view(-1, shape[-1])
        gates = self.gate(hidden).softmax(-1)
        gates, chosen = gates.topk(self.top_k)
        gates = gates / gates.sum(-1, keepdim=True)
        out = torch.zeros_like(hidden)
        for expert in range(self.num_experts):
            place, token = torch.where((chosen == expert).T)
            outputs = self.experts[expert](hidden[token]) * gates[token, place, None]
            out.index_add_(0, token, outputs)
        return out.view(shape), gates
